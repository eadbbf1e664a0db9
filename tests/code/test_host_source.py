"""What an enhanced picture says about its source, and which file is the upload beside a copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from host_documents import as_bytes
from PIL import Image

from pocai.server.host_source import KEYWORD, HostFile, Pointer, png_size, png_text, pointed_to, untouched
from pocai.server.paths import Paths
from pocai.settings import HostApplication


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "uploads/d1"
    folder.mkdir(parents=True)
    return folder


def with_text(text: str, *, compressed: bool = False) -> bytes:
    """A small PNG with a text about its source."""
    from PIL.PngImagePlugin import PngInfo

    notes = PngInfo()
    notes.add_itxt("comment", "x" * 1000)
    notes.add_itxt(KEYWORD, text, zip=compressed)
    return as_bytes(Image.new("L", (7, 5)), "PNG", pnginfo=notes)


def source_of(root: Path, picture: bytes) -> Path | None:
    """The source that a picture in ``root`` leads to."""
    (root / "preprocessed.png").write_bytes(picture)
    paths = Paths(HostApplication(roots=(root.parent,)))
    source = pointed_to(paths, HostFile(root / "preprocessed.png", picture))
    assert source is None or source.size == (7, 5)
    return source.file.path if source else None


def told(path: str, content: bytes) -> str:
    import hashlib

    return Pointer(path=path, sha256=hashlib.sha256(content).hexdigest()).model_dump_json()


def test_a_picture_leads_to_its_source_inside_the_roots_with_the_right_content(root: Path) -> None:
    (root / "a1.pdf").write_bytes(b"document")
    (root.parent.parent / "secret.pdf").write_bytes(b"secret")
    (root / "link.pdf").symlink_to(root.parent.parent / "secret.pdf")
    assert source_of(root, with_text(told("a1.pdf", b"document"))) == root / "a1.pdf"
    assert source_of(root, with_text(told("../d1/a1.pdf", b"document"))) == root / "a1.pdf"
    for path, content in (
        ("a1.pdf", b"another document"),
        ("a2.pdf", b"document"),
        ("../../secret.pdf", b"secret"),
        (str(root.parent.parent / "secret.pdf"), b"secret"),
        ("link.pdf", b"secret"),
        (".", b""),
    ):
        assert source_of(root, with_text(told(path, content))) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"path": "a1.pdf"}', '{"path": 1, "sha256": "x"}', "{"])
def test_a_text_that_says_nothing_leads_nowhere(root: Path, text: str) -> None:
    assert source_of(root, with_text(text)) is None


def test_only_a_plain_text_before_the_pixels_of_a_whole_png_counts(root: Path) -> None:
    (root / "a1.pdf").write_bytes(b"document")
    good = with_text(told("a1.pdf", b"document"))
    assert source_of(root, with_text(told("a1.pdf", b"document"), compressed=True)) is None
    for length in range(len(good)):
        assert png_text(good[:length], KEYWORD) in {None, png_text(good, KEYWORD), ""} or length > good.index(b"iTXt")
        pointed_to(Paths(HostApplication(roots=(root,))), HostFile(root / "x.png", good[:length]))
    assert png_size(good) == (7, 5)
    assert png_size(b"\xff\xd8\xff" + good) is None


@pytest.mark.parametrize(
    ("beside", "found"),
    [
        (["a1.png"], "a1.png"),
        (["a1"], "a1"),
        (["a1.png", "a1.jpg"], None),
        (["a10.png", "b1.png", "a1.converted.jpg", "a1.compressed", "a1.tar.gz"], None),
        (["a1.png", "a1.converted.png", "preprocessed_1.png"], "a1.png"),
        ([], None),
    ],
)
@pytest.mark.parametrize("handed", ["a1.converted.compressed.webp", "a1.compressed.webp", "a1.converted.png"])
def test_the_upload_is_the_one_other_file_with_the_name_of_the_copy(
    root: Path, beside: list[str], found: str | None, handed: str
) -> None:
    for name in {*beside, handed}:
        (root / name).write_bytes(name.encode())
    paths = Paths(HostApplication(roots=(root.parent,)))
    upload = untouched(paths, HostFile(root / handed, b""))
    assert (upload.path.name if upload else None) == found
    assert untouched(paths, HostFile(root / "a1.webp", b"")) is None


def test_a_link_is_no_upload(root: Path) -> None:
    shutil.copy(__file__, root.parent.parent / "secret.png")
    (root / "a1.png").symlink_to(root.parent.parent / "secret.png")
    paths = Paths(HostApplication(roots=(root.parent,)))
    assert untouched(paths, HostFile(root / "a1.converted.compressed.webp", b"")) is None
