"""Steps of a workflow up to a model: its data is checked, features are made of it, it is trained and exported.

Each takes and gives plain values that JSON can hold, and may be done again: what is there already is not done twice.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zlib import crc32

from pocai.errors import ConfigurationError, InputError, PocaiError
from pocai.mlops.replay import replay
from pocai.mlops.tracking import Trackers, open_tracker
from pocai.mlops.workflow import TrainAndPromote
from pocai.mlops.workflow_place import Place, hashed, settings_here
from pocai.models.adapter_package import portable
from pocai.models.package import ModelKind, pack
from pocai.training.progress import Progress, line
from pocai.training.recipe import Recipe
from pocai.training.tracker import CsvTracker, Tracker

EVERY = 10.0  # seconds between two lines about a training
RUN, EXPORT, FEATURES = "run", "export", "features"
KINDS: dict[str, ModelKind] = {
    "document-base": "layout",
    "document-distil": "layout",
    "ocr-student": "student",
    "document-lora": "layout-adapter",
}

Result = dict[str, Any]
log = logging.getLogger(__name__)


def kind_of(recipe: Recipe) -> ModelKind:
    """What a recipe's task gives. Raises ConfigurationError where workflows do not train it."""
    if recipe.task not in KINDS:
        what = f"task {recipe.task!r} gives nothing that the registry takes"
        raise ConfigurationError(what, mend=f"Take a recipe of: {', '.join(KINDS)}")
    return KINDS[recipe.task]


def check_data(place: Place, data: Path | None = None) -> Result:
    """Whether recipe and data can be used at all: tables, files, and for an adapter its documents.

    Raises ConfigurationError and InputError.
    """
    from pocai.mlops.provenance import data_manifest
    from pocai.training.tasks import task_of

    kind = kind_of(place.recipe)
    task_of(place.recipe)
    files = data_manifest(place.recipe)
    if empty := [each["file"] for each in files if not each["bytes"]]:
        raise InputError(f"{empty[0]} is empty ({len(empty)} files of the data are)", mend="Make them again")
    if kind.endswith("-adapter") and data is None:
        raise ConfigurationError("an adapter is trained on documents", mend="Name their folder: -p data=FOLDER")
    log.info("data: %d files, %d bytes", len(files), sum(each["bytes"] for each in files))
    return {"kind": kind, "key": place.key, "inputs": len(files)}


def make_features(place: Place) -> Result:
    """What is trained on, as arrays in files: of recipes that have pages made, those pages; others name their files.

    Raises InputError where a page to validate on is trained on too, or holds what is no number.
    """
    made, held = (int(place.recipe.data.get(name, 0)) for name in ("made", "made_validation"))
    if place.recipe.task != "document-base" or place.recipe.data.get("files") or not made:
        return {"values": {}, "files": {}}
    from pocai.training.document_model.layout_sets import LayoutSet, write_layouts

    folders = {name: place.folder / FEATURES / name for name in ("train", "validation")}
    files: list[Path] = []
    for (name, folder), count, apart in zip(folders.items(), (made, held), (0, 1_000_000), strict=True):
        first = crc32(str(place.recipe.seed + apart).encode()) % 2**24
        if count:
            files += write_layouts(folder, LayoutSet(first, count), progress=_counted(name))
    counts = _checked_pages(*(sorted(folder.glob("*.npz")) for folder in folders.values()))
    log.info("features: %d pages to train on, %d to validate on", *counts)
    values = {"data.files": {str(folders["train"]): 1}, "data.made": 0, "data.made_validation": 0}
    if held:
        values["data.validation"] = [str(folders["validation"])]
    return {"values": values, "files": hashed(*files), "pages": counts}


def train_model(place: Place, features: Result) -> Result:
    """Train, from the newest checkpoint where there is one; it is tracked by MLflow."""
    from pocai.training.loop import train
    from pocai.training.tasks import task_of

    recipe = place.recipe.with_values(features["values"])
    folder = place.folder / RUN
    tracker = tracker_in(folder)
    outcome = train(task_of(recipe), recipe, folder, tracker=tracker.both, progress=Told())
    log.info("trained %d steps, score %.4f", outcome.steps, outcome.best_score)
    return {"files": hashed(outcome.weights), "run_id": tracker.run_id(), "score": outcome.best_score}


def export_model(place: Place, plan: TrainAndPromote) -> Result:
    """The trained model as the registry takes it, measured on made documents; ``digest`` is its package's."""
    weights, folder = place.folder / RUN / "best.safetensors", place.folder / EXPORT
    kind = kind_of(place.recipe)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if kind == "student":
        from pocai.training.ocr_model.shipping import shipped

        file = shipped(weights, folder, plan.version)
    else:
        from pocai.training.document_model.layout_shipping import MADE, TAUGHT, shipped_layout

        trained_on = TAUGHT if place.recipe.task == "document-distil" else MADE
        file = shipped_layout(weights, folder, plan.version, plan.measured, trained_on)
    shutil.copyfile(weights, file.with_suffix(".safetensors"))  # adapters are trained on it
    log.info("exported %s", file.name)
    return exported(folder, kind)


def exported(folder: Path, kind: ModelKind) -> Result:
    """What there is to say of a folder with a model. Raises UntrustedModel where its files cannot be registered."""
    with TemporaryDirectory(prefix="pocai-pack-") as held:
        place = Path(held)
        source = portable(folder, place / "open") if kind.endswith("-adapter") else folder
        manifest = pack(source, place / "package", kind)
    return {
        "kind": kind,
        "folder": str(folder),
        "digest": manifest.digest,
        "files": hashed(*(folder / name for name in manifest.files if (folder / name).is_file())),
    }


@dataclass(frozen=True, slots=True)
class Tracked:
    """The trackers of a run: of all together, and MLflow's id of it, None where MLflow is away."""

    both: Tracker
    run_id: Callable[[], str | None]


def tracker_in(folder: Path) -> Tracked:
    """Trackers for the run in a folder."""
    tracker = open_tracker(folder, settings_here().mlops)

    def run_id() -> str | None:
        if tracker.run_id is None:
            with suppress(PocaiError):  # without it the version gets a run of its own
                replay(settings_here().mlops, folder)
        return tracker.run_id

    return Tracked(Trackers(CsvTracker(folder), tracker), run_id)


class Told:
    """Tells the progress of a training, at most once in `EVERY` seconds."""

    def __init__(self) -> None:
        self._last = -EVERY

    def __call__(self, progress: Progress) -> None:
        if progress.step == progress.total or time.monotonic() - self._last >= EVERY:
            self._last = time.monotonic()
            log.info("%s", line(progress))


def _counted(name: str) -> Callable[[int, int], None]:
    def tell(done: int, total: int) -> None:
        log.info("pages for %s: %d of %d documents", name, done, total)

    return tell


def _checked_pages(train: Sequence[Path], validation: Sequence[Path]) -> tuple[int, int]:
    """How many pages there are on both sides, after they were checked."""
    sides = [_contents(train), _contents(validation)]
    if not sides[0]:
        raise InputError("there are no pages to train on", mend="Raise data.made")
    if shared := set(sides[0]) & set(sides[1]):
        raise InputError(f"{len(shared)} pages to validate on are trained on too", mend="Take another seed")
    return len(sides[0]), len(sides[1])


def _contents(files: Sequence[Path]) -> list[bytes]:
    """The content of each page in some files. Raises InputError for a page with what is no number."""
    import numpy as np

    from pocai.training.document_model.layout_pages import read_pages

    found = []
    for page in (page for file in files for page in read_pages(file)):
        if not (np.isfinite(page.facts).all() and np.isfinite(page.places).all()):
            raise InputError("a page holds values that are no numbers", mend="Make the pages again")
        found.append(page.letters.tobytes() + page.places.tobytes())
    return found
