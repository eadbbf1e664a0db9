"""Paths of the host application: what lies inside the roots is served, and nothing else, whatever a path looks like."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocai.errors import LimitExceeded, NotAllowed, NotFound, PocaiError, Unavailable, UnreadableDocument
from pocai.server.paths import Paths, patiently
from pocai.settings import HostApplication, Limits

SECRET = b"not for the host"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The host's folder with one upload; beside it a file that is not the host's."""
    upload = tmp_path / "uploads/d1/a1.png"
    upload.parent.mkdir(parents=True)
    upload.write_bytes(b"picture")
    (tmp_path / "private").mkdir()
    (tmp_path / "private/secret.png").write_bytes(SECRET)
    return tmp_path / "uploads"


@pytest.fixture
def paths(root: Path) -> Paths:
    return Paths(HostApplication(roots=(root,)))


# --- inside ----------------------------------------------------------------------------------------------------------


def test_a_file_inside_a_root_is_read(paths: Paths, root: Path) -> None:
    assert paths.read(str(root / "d1/a1.png")) == b"picture"
    assert paths.read(str(root / "d1/../d1/./a1.png")) == b"picture"
    assert paths.resolve(str(root / "d2/new.png")) == root / "d2/new.png"


def test_any_of_several_roots_will_do(root: Path, tmp_path: Path) -> None:
    paths = Paths(HostApplication(roots=(tmp_path / "not mounted", root)))
    assert paths.read(str(root / "d1/a1.png")) == b"picture"


def test_relative_paths_start_from_the_folder_of_the_settings(root: Path) -> None:
    paths = Paths(HostApplication(roots=(root,), relative_to=root.parent))
    assert paths.read("uploads/d1/a1.png") == b"picture"


def test_without_such_a_folder_relative_paths_start_from_where_we_run(
    paths: Paths, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    assert paths.read("d1/a1.png") == b"picture"


def test_links_that_stay_inside_are_followed(paths: Paths, root: Path) -> None:
    (root / "link").symlink_to(root / "d1")
    (root / "link.png").symlink_to("link/a1.png")
    assert paths.read(str(root / "link.png")) == b"picture"
    assert paths.resolve(str(root / "link.png")) == root / "d1/a1.png"


def test_a_root_may_be_a_link_itself(root: Path, tmp_path: Path) -> None:
    (tmp_path / "volume").symlink_to(root)
    paths = Paths(HostApplication(roots=(tmp_path / "volume",)))
    assert paths.read(str(tmp_path / "volume/d1/a1.png")) == b"picture"
    assert paths.read(str(root / "d1/a1.png")) == b"picture"


# --- outside ---------------------------------------------------------------------------------------------------------


def outside(root: Path) -> list[str]:
    """Ways out of a root; half of them lead to a file that is there, half to nothing."""
    (root / "out").symlink_to(root.parent / "private")
    (root / "out.png").symlink_to(root.parent / "private/secret.png")
    (root / "nowhere.png").symlink_to(root.parent / "private/nothing.png")
    (root / "loop").symlink_to(root / "out/../uploads/../private")
    return [
        str(root.parent / "private/secret.png"),
        str(root.parent / "private/nothing.png"),
        f"{root}/../private/secret.png",
        f"{root}/d1/../../private/nothing.png",
        f"{root}/out/secret.png",
        f"{root}/out/nothing.png",
        f"{root}/out.png",
        f"{root}/nowhere.png",
        f"{root}/loop/secret.png",
        f"{root}-other/a1.png",
        "/etc/passwd",
        "/nothing/at/all",
        "../../../../../../../../etc/passwd",
        f"{root}/d1/a1.png\0.txt",
        f"{root}/\ud800.png",
        "~/secret.png",
        f"file://{root}/d1/a1.png",
    ]


def test_nothing_outside_is_read_and_what_is_there_is_not_told_from_what_is_not(paths: Paths, root: Path) -> None:
    told = set()
    for path in outside(root):
        for use in (paths.read, paths.resolve, lambda path: paths.write(Path(path), b"")):
            with pytest.raises(NotAllowed) as caught:
                use(path)
            told.add(str(caught.value))
    assert len(told) == 1
    assert "STORAGE_PATH" in told.pop()
    assert (root.parent / "private/secret.png").read_bytes() == SECRET


@given(
    st.lists(st.sampled_from(["..", ".", "d1", "out", "private", "uploads", "a1.png", "secret.png", ""]), max_size=8)
)
def test_no_path_leads_to_the_secret(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    home = tmp_path_factory.getbasetemp() / "any"
    if not home.is_dir():
        (home / "uploads/d1").mkdir(parents=True)
        (home / "private").mkdir()
        (home / "uploads/d1/a1.png").write_bytes(b"picture")
        (home / "private/secret.png").write_bytes(SECRET)
        (home / "uploads/out").symlink_to(home / "private")
    paths = Paths(HostApplication(roots=(home / "uploads",), relative_to=home / "uploads"))
    with contextlib.suppress(PocaiError):
        assert paths.read("/".join(names)) == b"picture"


def test_without_roots_nothing_is_open_and_the_mend_is_told(root: Path) -> None:
    with pytest.raises(NotAllowed, match="Set STORAGE_PATH"):
        Paths(HostApplication()).read(str(root / "d1/a1.png"))


def test_a_link_that_is_swapped_in_while_files_are_read_leads_nowhere(paths: Paths, root: Path) -> None:
    """One thread turns a folder into a link to the outside and back, all the time; another reads through it."""
    inside, away, link = root / "d1", root / "d1.away", root / "d1.link"
    link.symlink_to(root.parent / "private")
    (inside / "secret.png").write_bytes(b"picture")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            inside.rename(away)
            link.rename(inside)
            inside.rename(link)
            away.rename(inside)

    swapping = threading.Thread(target=swap)
    swapping.start()
    found: list[bytes | type[PocaiError]] = []
    try:
        for _ in range(3000):
            try:
                found.append(paths.read(str(root / "d1/secret.png")))
            except PocaiError as error:
                found.append(type(error))
    finally:
        stop.set()
        swapping.join()
    assert SECRET not in found
    assert b"picture" in found


def test_what_was_resolved_before_a_link_was_put_there_is_not_followed(paths: Paths, root: Path) -> None:
    place = paths._place(str(root / "d1/a1.png"))
    (root / "d1/a1.png").unlink()
    (root / "d1/a1.png").symlink_to(root.parent / "private/secret.png")
    with pytest.raises(OSError, match="symbolic links") as caught:
        paths._content(place)
    assert caught.value.errno == errno.ELOOP


# --- what is no file -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["d1/missing.png", "d9/a1.png", "d1/a1.png/more", "d1/" + "x" * 300])
def test_what_is_missing_is_not_found(paths: Paths, root: Path, path: str) -> None:
    with pytest.raises(NotFound):
        paths.read(str(root / path))


@pytest.mark.parametrize("path", ["", "/x" * 3000])
def test_a_path_that_is_empty_or_endless_is_not_found(paths: Paths, path: str) -> None:
    with pytest.raises(NotFound):
        paths.read(path)


def test_folders_pipes_and_sockets_are_no_files_and_never_waited_for(
    paths: Paths, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(root / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(root)  # the name of a socket may have 107 characters
        listener.bind("socket.png")
        for name in ("", "d1", "pipe.png", "socket.png"):
            with pytest.raises(UnreadableDocument):
                paths.read(str(root / name))


def test_a_file_that_is_too_large_is_not_read(root: Path) -> None:
    paths = Paths(HostApplication(roots=(root,)), Limits(max_bytes=1000))
    with (root / "large.png").open("wb") as stream:
        stream.truncate(10**12)  # sparse: reading it would take minutes
    with pytest.raises(LimitExceeded, match="1000000000000 bytes, more than 1000"):
        paths.read(str(root / "large.png"))
    (root / "exact.png").write_bytes(b"x" * 1000)
    assert len(paths.read(str(root / "exact.png"))) == 1000


# --- writing ---------------------------------------------------------------------------------------------------------


def test_a_file_is_written_whole_for_everybody_to_read_and_its_folders_are_made(paths: Paths, root: Path) -> None:
    target = root / "d2/more/new.png"
    paths.write(target, b"first")
    paths.write(target, b"second")
    assert target.read_bytes() == b"second"
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert list(target.parent.iterdir()) == [target]


def test_readers_see_the_old_or_the_new_file_and_never_half_of_one(paths: Paths, root: Path) -> None:
    target, contents = root / "d2/new.png", {bytes([letter]) * 300_000 for letter in b"ab"}
    paths.write(target, next(iter(contents)))
    stop = threading.Event()

    def rewrite() -> None:
        while not stop.is_set():
            for content in contents:
                paths.write(target, content)

    writing = threading.Thread(target=rewrite)
    writing.start()
    try:
        assert all(target.read_bytes() in contents for _ in range(200))
    finally:
        stop.set()
        writing.join()


def test_nothing_is_left_behind_where_a_file_cannot_be_put_in_place(paths: Paths, root: Path) -> None:
    (root / "d2/new.png").mkdir(parents=True)
    with pytest.raises(Unavailable, match="cannot be written"):
        paths.write(root / "d2/new.png", b"content")
    assert [path.name for path in (root / "d2").iterdir()] == ["new.png"]


def test_a_root_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    paths = Paths(HostApplication(roots=(tmp_path / "volume",)))
    with pytest.raises(NotFound):
        paths.write(tmp_path / "volume/d1/new.png", b"content")
    assert not (tmp_path / "volume").exists()


def test_files_beside_a_file_are_listed_without_folders_and_links(paths: Paths, root: Path) -> None:
    (root / "d1/b2.png").write_bytes(b"")
    (root / "d1/folder").mkdir()
    (root / "d1/link.png").symlink_to(root / "d1/b2.png")
    assert paths.beside(root / "d1/a1.png") == (root / "d1/a1.png", root / "d1/b2.png")
    assert paths.beside(root / "d7/a1.png") == ()


# --- patience --------------------------------------------------------------------------------------------------------


def failing(code: int, times: int) -> Iterator[int]:
    """An operation on files that fails ``times`` times; the tries are counted."""
    for _ in range(times):
        yield code
    while True:
        yield 0


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EAGAIN])
def test_what_a_network_volume_says_at_times_is_tried_again(code: int) -> None:
    answers = failing(code, 2)

    def operation() -> str:
        if answer := next(answers):
            raise OSError(answer, os.strerror(answer))
        return "content"

    assert patiently(operation, (0, 0)) == "content"


def test_patience_ends_and_is_not_spent_on_what_stays() -> None:
    for code, expected in ((errno.EIO, 3), (errno.ENOENT, 1)):
        tries: list[int] = []

        def operation(code: int = code, tries: list[int] = tries) -> None:
            tries.append(code)
            raise OSError(code, os.strerror(code))

        with pytest.raises(OSError, match=os.strerror(code)):
            patiently(operation, (0, 0))
        assert len(tries) == expected
