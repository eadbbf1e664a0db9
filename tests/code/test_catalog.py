"""The catalogue of OCR engines: found by name, described without loading, refused when missing or altered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tone_network import student

import pocai
from pocai.documents.page import Box, Page
from pocai.errors import ModelError, UnknownModel
from pocai.inference.ocr_service import OCRService
from pocai.models import catalog, detector, ppocr_recognizer
from pocai.models.artefact import Artefact, open_session, usable_threads
from pocai.models.tesseract import lines_of, quarter_turns

TABLE = """level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext
1\t1\t0\t0\t0\t0\t0\t0\t300\t100\t-1\t
5\t1\t1\t1\t1\t1\t10\t20\t60\t18\t96.5\tMonday
5\t1\t1\t1\t1\t2\t80\t22\t40\t16\t80\t"9.15
5\t1\t1\t1\t1\t3\t125\t22\t4\t16\t95\t\x20
5\t1\t1\t1\t2\t1\t10\t60\t50\t18\t90\tMaths
"""


def test_the_default_engine_is_installed_with_its_hashes() -> None:
    models = {model.name: model for model in catalog.describe()}
    assert models["ppocr"].installed
    assert dict(models["ppocr"].files)["PP-OCRv6_rec_small.onnx"] == ppocr_recognizer.WEIGHTS.sha256
    assert all(model.licence and model.version for model in models.values())


@pytest.mark.parametrize("weights", [detector.WEIGHTS, ppocr_recognizer.WEIGHTS])
def test_the_weights_on_disk_are_the_tested_ones(weights: Artefact) -> None:
    assert weights.verified().suffix == ".onnx"


@pytest.mark.parametrize("name", ["clairvoyance", "student:", "ppocr:/weights", ":/weights", ""])
def test_an_unknown_engine_is_refused_at_once_with_the_known_names(name: str) -> None:
    with pytest.raises(
        UnknownModel,
        match=rf"'{name}'.*cascade, cascade:FOLDER, ppocr, student, student:FOLDER, tesseract, trocr:FOLDER",
    ):
        OCRService(name)


@pytest.mark.parametrize("name", ["cascade", "student"])
def test_our_own_models_are_named_by_their_card_or_not_installed(name: str) -> None:
    model = {each.name: each for each in catalog.describe()}[name]
    shipped = (Path(pocai.__file__).parent / "assets/models/student.json").is_file()
    assert model.installed is shipped
    assert ("student.onnx" in dict(model.files)) is shipped
    assert (catalog.ABSENT in model.version) is not shipped
    assert dict(model.files)["PP-OCRv6_det_small.onnx"] == detector.WEIGHTS.sha256
    assert ("PP-OCRv6_rec_small.onnx" in dict(model.files)) is (name == "cascade")
    assert all(artefact.verified() for artefact in catalog.entry(name).artefacts)


@pytest.mark.parametrize("name", ["cascade", "student"])
def test_weights_of_ones_own_are_read_from_their_folder(tmp_path: Path, name: str) -> None:
    student(tmp_path)
    engine = catalog.engine(f"{name}:{tmp_path}", threads=1)
    assert engine.name == name
    page = Page(1, 80.0, 80.0, image=np.full((80, 80, 3), 255, np.uint8))
    assert engine.read(page).lines == ()


def test_a_folder_is_looked_at_when_the_engine_is_made(tmp_path: Path) -> None:
    assert catalog.entry(f"student:{tmp_path}").version
    with pytest.raises(ModelError, match=r"model card student\.json cannot be read"):
        catalog.engine(f"student:{tmp_path}")


def test_a_trocr_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        catalog.engine(f"trocr:{tmp_path}", threads=1)


def test_a_student_without_a_threshold_makes_no_cascade(tmp_path: Path) -> None:
    student(tmp_path, threshold=None)
    with pytest.raises(ModelError, match=r"names no threshold.*engine student"):
        catalog.engine(f"cascade:{tmp_path}")


@pytest.mark.parametrize(
    ("artefact", "said"),
    [
        (Artefact("pocai", "errors.py", "0" * 64, "MIT"), "errors.py is not the tested file"),
        (Artefact("pocai", "no.onnx", "0" * 64, "MIT"), "no.onnx is missing"),
        (Artefact("pocai_has_no_such_neighbour", "x.onnx", "0" * 64, "MIT"), "is not installed"),
    ],
    ids=["altered", "missing", "no package"],
)
def test_missing_and_altered_weights_are_refused(artefact: Artefact, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        artefact.verified()


def test_a_missing_file_counts_as_not_installed() -> None:
    assert not Artefact("pocai", "no.onnx", "0" * 64, "MIT").installed


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "weights.onnx"
    file.write_bytes(b"not a network")
    with pytest.raises(ModelError, match=r"weights\.onnx cannot be loaded"):
        open_session(file, 1)


def test_threads_are_as_asked_or_all_that_are_usable() -> None:
    assert usable_threads(3) == 3
    assert usable_threads(0) >= 1


def test_tesseract_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    service = OCRService("tesseract")
    page = Page(1, 8.0, 8.0, image=np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(ModelError, match="apt install tesseract-ocr"):
        service.read_page(page)
    assert not {model.name: model for model in catalog.describe()}["tesseract"].installed


def program(folder: Path, script: str) -> None:
    """An executable called tesseract that does what the shell ``script`` says."""
    file = folder / "tesseract"
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)


def test_tesseract_reads_a_page_and_turns_it_upright(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "table.tsv").write_text(TABLE, encoding="utf-8")
    program(
        tmp_path,
        f"""case "$*" in
        --list-langs) echo eng; echo fra ;;
        *"--psm 0"*) cat >/dev/null; printf 'Rotate: 90\\nOrientation confidence: 7.1\\n' ;;
        *"-l eng+fra"*) cat >/dev/null; cat {tmp_path}/table.tsv ;;
        *) exit 1 ;;
        esac""",
    )
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    service = OCRService(catalog.engine("tesseract"))
    page, result = service.read_page(Page(1, 100.0, 300.0, image=np.zeros((300, 100, 3), np.uint8)))
    assert (page.width, page.height) == (300, 100)
    assert result.engine == "tesseract"
    assert result.text == 'Monday "9.15 Maths'
    assert page.lines == result.lines


def test_a_failing_tesseract_is_a_typed_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(tmp_path, "exit 3")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(ModelError, match="tesseract failed"):
        catalog.engine("tesseract")


def test_a_tesseract_table_becomes_lines_of_words() -> None:
    first, second = lines_of(TABLE)
    assert first.text == 'Monday "9.15'
    assert first.words[1].box == Box(80, 22, 120, 38)
    assert first.words[1].confidence == pytest.approx(0.8)
    assert first.confidence == pytest.approx((0.965 + 0.8) / 2)
    assert first.box == Box(10, 20, 120, 38)
    assert second.text == "Maths"


@pytest.mark.parametrize(
    ("report", "turns"),
    [
        ("Rotate: 90\nOrientation confidence: 5.2\n", 1),
        ("Rotate: 180\nOrientation confidence: 12\n", 2),
        ("Rotate: 270\nOrientation confidence: 0.3\n", 0),
        ("", 0),
    ],
)
def test_an_unsure_orientation_report_turns_nothing(report: str, turns: int) -> None:
    assert quarter_turns(report) == turns
