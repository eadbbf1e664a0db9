"""Models of the registry in place of the shipped ones: which engines take them, and that each is verified first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from registered import shipped_layout

from pocai.errors import BadRequest, ConfigurationError, UntrustedModel
from pocai.inference import pipeline
from pocai.inference.registered_models import with_models
from pocai.models.package import pack
from pocai.models.signing import make_key, sign
from pocai.settings import Settings

DEMO = Path(__file__).parents[2] / "src/pocai/assets/demo/demo.png"


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folder of a signed layout transformer, and the public key."""
    folder = tmp_path_factory.mktemp("signed")
    private, public = make_key(folder / "keys")
    pack(shipped_layout(folder / "model"), folder / "package", "layout")
    sign(folder / "package", private)
    return folder / "package", public


def settings(**chosen: Any) -> Settings:
    return Settings.model_construct(**chosen)


@pytest.mark.parametrize("model", ["auto", "layout"])
def test_a_layout_takes_the_place_of_the_shipped_one(signed: tuple[Path, Path], model: str) -> None:
    folder, key = signed
    found = with_models(settings(document_model=model), {"layout": str(folder)}, (str(key),))
    assert (found.document_model, found.ocr_engine) == (f"{model}:{folder}", "cascade")
    extraction = pipeline.read(DEMO, settings=found)
    assert len(extraction.timetables[0].timeblocks) > 20
    assert extraction.failed is None


@pytest.mark.parametrize("chosen", [{"document_model": "rules"}, {"document_model": "language:/elsewhere"}])
def test_what_takes_no_layout_stays(signed: tuple[Path, Path], chosen: dict[str, str]) -> None:
    folder, key = signed
    assert (
        with_models(settings(**chosen), {"layout": str(folder)}, (str(key),)).document_model == chosen["document_model"]
    )


@pytest.mark.parametrize(("engine", "taken"), [("cascade", True), ("student", True), ("ppocr", False)])
def test_a_student_takes_the_place_of_the_shipped_one(signed: tuple[Path, Path], engine: str, taken: bool) -> None:
    folder, key = signed
    before = settings(ocr_engine=engine, ocr_adapter=Path("/adapter"))
    found = with_models(before, {"student": str(folder)}, (str(key),))
    assert found.ocr_engine == (f"{engine}:{folder}" if taken else engine)
    assert found.ocr_adapter == (None if taken else Path("/adapter")), "an adapter is for the weights it was made with"


def test_a_slot_that_is_not_there_is_refused(signed: tuple[Path, Path]) -> None:
    with pytest.raises(BadRequest, match="teacher"):
        with_models(settings(), {"teacher": str(signed[0])}, ())


def test_what_nobody_trusted_signed_is_not_loaded(signed: tuple[Path, Path], tmp_path: Path) -> None:
    _, stranger = make_key(tmp_path)
    with pytest.raises(UntrustedModel):
        with_models(settings(), {"layout": str(signed[0])}, (str(stranger),))
    with pytest.raises(ConfigurationError, match="no key is trusted"):
        with_models(settings(), {"layout": str(signed[0])}, ())
    with pytest.raises(UntrustedModel):
        with_models(settings(), {"layout": str(shipped_layout(tmp_path / "plain"))}, (str(signed[1]),))
