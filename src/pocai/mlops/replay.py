"""Sends what the trackers of runs could not send: all that is noted as unsent, or what lies below a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pocai.errors import ConfigurationError
from pocai.mlops.connection import answered, connect, own_folder
from pocai.mlops.delivery import Delivery
from pocai.mlops.spool import LINES, Spool
from pocai.settings import MlopsSettings

UNSENT = "unsent"  # folder of notes: a file named by the key of a run, with the folder that its spool is in


@dataclass(frozen=True, slots=True)
class Replayed:
    """``records`` were sent, of so many ``runs``; ``left`` are the folders of runs that go on just now."""

    runs: int
    records: int
    left: tuple[Path, ...]


def replay(settings: MlopsSettings, folder: Path | None = None) -> Replayed:
    """Send what was not sent of all runs, or of those below a ``folder``; it may be done any number of times.

    A run whose process is gone without having told its end is marked as killed. Raises RegistryError where the server
    cannot be reached, ConfigurationError where the folder holds no tracked run.
    """
    folders = unsent(settings) if folder is None else tuple(file.parent for file in sorted(folder.rglob(LINES)))
    if folder is not None and not folders:
        raise ConfigurationError(f"{folder} holds no tracked run", mend="Name the folder of a run, or one above it")
    if not folders:
        return Replayed(0, 0, ())
    delivery = Delivery(connect(settings), settings, orphans=True)
    counts = {each: _sent(Spool(each), delivery, settings) for each in sorted(folders, key=_began)}
    done = [count for count in counts.values() if count is not None]
    return Replayed(len(done), sum(done), tuple(each for each, count in counts.items() if count is None))


def note_unsent(settings: MlopsSettings, key: str, folder: Path) -> None:
    """Note that a run has something to be sent. Raises OSError."""
    notes = own_folder(settings) / UNSENT
    notes.mkdir(exist_ok=True)
    (notes / key).write_text(str(folder.resolve()), encoding="utf-8")


def note_sent(settings: MlopsSettings, spool: Spool) -> None:
    """Take the note away where a run has ended, or its process is gone, and all of it was sent."""
    sent = spool.sent()
    whole = next(spool.records(sent.bytes), None) is None
    if whole and sent.key and (sent.ended or not spool.is_written):
        (own_folder(settings) / UNSENT / sent.key).unlink(missing_ok=True)


def unsent(settings: MlopsSettings) -> tuple[Path, ...]:
    """Folders of the runs of which something may not have been sent."""
    found = []
    for note in sorted((own_folder(settings) / UNSENT).glob("*")):
        folder = Path(note.read_text(encoding="utf-8"))
        if (folder / LINES).is_file():
            found.append(folder)
        else:  # the run was deleted
            note.unlink(missing_ok=True)
    return tuple(dict.fromkeys(found))


def _began(folder: Path) -> int:
    """When the first run of a folder began: a study before its trials."""
    first = next(Spool(folder).records(), None)
    return 0 if first is None else first.at


def _sent(spool: Spool, delivery: Delivery, settings: MlopsSettings) -> int | None:
    """Send a spool; None for one that is being written or sent."""
    with spool.alone() as mine:
        if not mine or spool.is_written:
            return None
        with answered():
            count = delivery.send(spool)
            if not spool.sent().ended:
                delivery.give_up(spool)
        note_sent(settings, spool)
        return count
