"""Adapters at serving: ONNX Runtime computes what torch does, calls do not mix, and wrong adapters are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from pocai.documents.page import Page, Quad
from pocai.errors import ModelError
from pocai.inference.ocr_service import OCRService
from pocai.models.adapter import RUNTIME, TENSORS, AdaptableStudent, AdaptedRecognizer, write_runtime_adapter
from pocai.models.adapter_card import CARD, AdapterCard, AdapterOrigin, sha256_of
from pocai.models.card import ModelCard, card_file
from pocai.models.cascade import CascadeRecognizer
from pocai.models.ctc import CLASSES
from pocai.models.line_engine import LineEngine
from pocai.models.ppocr_recognizer import PPOCRRecognizer
from pocai.models.student_network import STEP, StudentConfig
from pocai.training import lora_network
from pocai.training.adaptable import export_adaptable
from pocai.training.lora_files import read_adapter, write_adapter
from pocai.training.lora_network import FrozenStudent, LoraTable, digest_of, merged, with_lora
from pocai.training.ocr_model.export import export

Pixels = NDArray[np.uint8]

SMALL = StudentConfig(channels=(4, 6, 8, 8), blocks=(1, 0, 1), mixer=16, layers=1, heads=2)
LINEAR = lora_network.LAYERS
CONVOLUTIONS = ("trunk.2.0", "first.0", "second", "join")
ZERO = "0" * 64


def made_base(seed: int = 0) -> FrozenStudent:
    """A student with random weights and statistics."""
    torch.manual_seed(seed)
    network = FrozenStudent(SMALL)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.2)  # type: ignore[arg-type]  # torch: Tensor or None
            nn.init.uniform_(module.running_var, 0.5, 2)  # type: ignore[arg-type]
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias, 0, 0.2)
    return network.eval()


def made_adapter(base: FrozenStudent, folder: Path, seed: int, table: LoraTable) -> FrozenStudent:
    """An adapter with random matrices in ``folder``, and the network that has it."""
    network = with_lora(base, table).eval()
    torch.manual_seed(seed)
    for name, parameter in network.named_parameters():
        if "lora_" in name:
            nn.init.normal_(parameter, 0, 0.3)
    origin = AdapterOrigin(
        base_sha256=digest_of(base),
        rank=table.rank,
        alpha=table.alpha,
        targets=table.targets,
        lines=1,
        data_sha256=ZERO,
        licence="CC0-1.0",
    )
    write_adapter(network, folder, origin)
    return network


def card_of(file: Path) -> ModelCard:
    return ModelCard(name="student", version="1", licence="MIT", sha256=sha256_of(file), classes=CLASSES, step=STEP)


class Served:
    """A base, exported plain and adaptable, and adapters beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.base = made_base()
        self.plain = export(self.base, folder / "plain.onnx")
        self.file = export_adaptable(self.base, folder / "adaptable.onnx", LINEAR + CONVOLUTIONS)
        for file in (self.plain, self.file):
            card_of(file).write(card_file(file))
        self.student = AdaptableStudent(2, self.file)
        self.networks = {
            "few": made_adapter(self.base, folder / "few", 1, LoraTable(rank=4, alpha=4)),
            "many": made_adapter(self.base, folder / "many", 2, LoraTable(rank=8, alpha=16)),
            "seeing": made_adapter(self.base, folder / "seeing", 3, LoraTable(rank=2, alpha=8, targets=CONVOLUTIONS)),
            "whole": made_adapter(self.base, folder / "whole", 4, LoraTable(rank=3, targets=LINEAR + CONVOLUTIONS)),
        }

    def scores(self, crop: Pixels, name: str = "") -> NDArray[np.float32]:
        """Log-probabilities by ONNX Runtime, with an adapter or without."""
        if not name:
            return self.student.log_probabilities([crop])[0]
        adapter = self.student.adapter(self.folder / name)
        return self.student.log_probabilities([crop], run_options=adapter.options())[0]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return Served(tmp_path_factory.mktemp("adapters"))


def noise(width: int = 160, seed: int = 0) -> Pixels:
    """A crop that is its own line image: of full contrast, mostly white."""
    tones = np.random.default_rng(seed).choice(np.array([0, 90, 255, 255, 255], np.uint8), (48, width))
    return np.repeat(tones[:, :, None], 3, axis=2)


def in_torch(network: nn.Module, crop: Pixels) -> NDArray[np.float32]:
    with torch.inference_mode():
        scores: NDArray[np.float32] = network(torch.from_numpy(crop[None, None, :, :, 0].copy()))[0].numpy()
    return scores


def worst(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(np.abs(one - other).max())


NAMES = ("few", "many", "seeing", "whole")


def test_without_an_adapter_it_is_the_plain_student(served: Served) -> None:
    for width in (16, 160, 512):
        crop = noise(width)
        assert worst(served.scores(crop), in_torch(served.base, crop)) < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_adapters_of_any_rank_compute_what_they_do_in_torch(served: Served, name: str) -> None:
    for width in (160, 320):
        crop = noise(width)
        want = in_torch(served.networks[name], crop)
        assert worst(served.scores(crop, name), want) < 1e-4
        assert worst(served.scores(crop), want) > 0.1, "the adapter changes something"


@pytest.mark.parametrize("name", NAMES)
def test_a_merged_student_is_the_student_with_its_adapter(served: Served, name: str) -> None:
    adapted = served.networks[name]
    plain = merged(adapted)
    assert dict(plain.named_parameters()).keys() == dict(served.base.named_parameters()).keys()
    assert worst(in_torch(plain, noise()), served.scores(noise(), name)) < 1e-4
    assert worst(in_torch(plain, noise()), in_torch(adapted, noise())) < 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_an_adapter_comes_back_from_its_tensors(served: Served, name: str) -> None:
    read = read_adapter(served.base, served.folder / name)
    assert worst(in_torch(read, noise()), in_torch(served.networks[name], noise())) == 0


def test_calls_with_different_adapters_at_the_same_time_do_not_mix(served: Served) -> None:
    crops = [noise(160 + 16 * number, number) for number in range(6)]
    names = ["", *NAMES]
    alone = {name: [served.scores(crop, name) for crop in crops] for name in names}

    def call(number: int) -> float:
        name = names[number % len(names)]
        return max(worst(served.scores(crop, name), want) for crop, want in zip(crops, alone[name], strict=True))

    with ThreadPoolExecutor(8) as pool:
        assert max(pool.map(call, range(60))) == 0


def test_an_adapter_holds_for_its_call_alone(served: Served) -> None:
    crops = [noise(seed=number) for number in range(3)]
    before = served.student.recognize(crops)
    adapted = AdaptedRecognizer(served.student, served.folder / "many").recognize(crops)
    assert [reading.text for reading in adapted] != [reading.text for reading in before]
    assert {reading.reader for reading in adapted} == {"student+many"}
    assert served.student.recognize(crops) == before


class Found:
    """A detector that always finds the same two places."""

    def detect(self, image: Pixels) -> tuple[Quad, ...]:
        del image
        return tuple(Quad((0, top), (160, top), (160, top + 48), (0, top + 48)) for top in (0, 60))


def test_engines_with_adapters_share_the_engine_without(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pocai.models.line_engine.FAINT", 0.0)  # random weights are sure of nothing
    monkeypatch.setattr(CascadeRecognizer, "doubts", lambda *_: False)

    picture = np.full((120, 160, 3), 255, np.uint8)
    picture[:48], picture[60:108] = noise(seed=1), noise(seed=2)
    page = Page(1, 160.0, 120.0, image=picture)
    for recognizer in (served.student, CascadeRecognizer(served.student, PPOCRRecognizer(1), 0.0)):
        engine = LineEngine("own", Found(), recognizer)
        one, two = (OCRService(engine, adapter=served.folder / name) for name in ("few", "many"))
        texts = [service.read(page).text for service in (OCRService(engine), one, two, OCRService(engine))]
        assert texts[0] == texts[3]
        assert len(set(texts)) == 3


def test_an_engine_without_a_student_takes_no_adapter(served: Served) -> None:
    page = Page(1, 160.0, 120.0, image=np.full((120, 160, 3), 255, np.uint8))
    for engine in ("ppocr", LineEngine("trocr", Found(), PPOCRRecognizer(1))):
        with pytest.raises(ModelError, match="takes no adapters"):
            OCRService(engine, 1, served.folder / "few").read(page)


def copied(served: Served, name: str, target: Path) -> Path:
    target.mkdir()
    for file in (CARD, RUNTIME, TENSORS):
        (target / file).write_bytes((served.folder / name / file).read_bytes())
    return target


def test_a_held_adapter_needs_no_file_but_its_card(served: Served, tmp_path: Path) -> None:
    made_adapter(served.base, tmp_path / "mine", 9, LoraTable(rank=2))
    first = served.student.adapter(tmp_path / "mine")
    (tmp_path / "mine" / RUNTIME).unlink()
    assert served.student.adapter(tmp_path / "mine") is first


def test_a_changed_adapter_is_read_again(served: Served, tmp_path: Path) -> None:
    made_adapter(served.base, tmp_path / "mine", 5, LoraTable(rank=2))
    first = served.student.adapter(tmp_path / "mine")
    network = made_adapter(served.base, tmp_path / "mine", 6, LoraTable(rank=3))
    second = served.student.adapter(tmp_path / "mine")
    assert second.card.sha256 != first.card.sha256
    (scores,) = served.student.log_probabilities([noise()], run_options=second.options())
    assert worst(scores, in_torch(network, noise())) < 1e-4


def test_of_many_adapters_the_longest_unused_is_forgotten(served: Served, tmp_path: Path) -> None:
    student = AdaptableStudent(1, served.file, held=2)
    few = copied(served, "few", tmp_path / "few")
    for name in ("few", "many", "few", "seeing"):
        student.adapter(few if name == "few" else served.folder / name)
    (few / RUNTIME).unlink()
    assert student.adapter(few).card.name == "few", "it was used since"
    student.adapter(served.folder / "many")
    student.adapter(served.folder / "whole")
    with pytest.raises(ModelError, match="cannot be read"):
        student.adapter(few)


def test_an_adapter_of_another_base_is_refused(served: Served, tmp_path: Path) -> None:
    other = made_base(seed=1)
    made_adapter(other, tmp_path / "foreign", 1, LoraTable(rank=4))
    with pytest.raises(ModelError, match=r"adapter foreign belongs to base weights .* not to"):
        served.student.adapter(tmp_path / "foreign")
    with pytest.raises(ModelError, match="belongs to base weights"):
        read_adapter(served.base, tmp_path / "foreign")


def without_card(folder: Path) -> str:
    (folder / CARD).unlink()
    return "holds no adapter"


def with_odd_card(folder: Path) -> str:
    card = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps({**card, "rank": 0}))
    return r"adapter\.json: rank"


def with_altered_file(folder: Path) -> str:
    content = bytearray((folder / RUNTIME).read_bytes())
    content[-1] ^= 1
    (folder / RUNTIME).write_bytes(content)
    return r"adapter\.onnx_adapter is not what its card is of"


def without_file(folder: Path) -> str:
    (folder / RUNTIME).unlink()
    return "cannot be read"


def resealed(folder: Path) -> None:
    """Let the card be of the file that is there."""
    card = AdapterCard.read(folder)
    card.model_copy(update={"sha256": sha256_of(folder / RUNTIME)}).write(folder)


def with_another_kind_of_file(folder: Path) -> str:
    (folder / RUNTIME).write_bytes(b"no adapter")
    resealed(folder)
    return "is no adapter of ONNX Runtime"


def with_matrices_of_no_layer(folder: Path) -> str:
    write_runtime_adapter({"mixers.7.up.lora_A": np.zeros((16, 4), np.float32)}, folder / RUNTIME)
    resealed(folder)
    return r"mixers\.7\.up\.lora_A \(16, 4\), for which the network has no place"


def with_matrices_of_another_width(folder: Path) -> str:
    write_runtime_adapter({"head.lora_A": np.zeros((17, 4), np.float32)}, folder / RUNTIME)
    resealed(folder)
    return r"head\.lora_A \(17, 4\), for which the network has no place"


@pytest.mark.parametrize(
    "spoil",
    [
        without_card,
        with_odd_card,
        with_altered_file,
        without_file,
        with_another_kind_of_file,
        with_matrices_of_no_layer,
        with_matrices_of_another_width,
    ],
)
def test_what_is_no_sound_adapter_is_refused(served: Served, tmp_path: Path, spoil: Callable[[Path], str]) -> None:
    made_adapter(served.base, tmp_path / "mine", 31, LoraTable(rank=2))
    message = spoil(tmp_path / "mine")
    with pytest.raises(ModelError, match=message):
        served.student.adapter(tmp_path / "mine")


def test_altered_tensors_are_refused(served: Served, tmp_path: Path) -> None:
    folder = copied(served, "few", tmp_path / "mine")
    (folder / TENSORS).write_bytes((served.folder / "many" / TENSORS).read_bytes())
    with pytest.raises(ModelError, match=r"adapter\.safetensors is not what its card is of"):
        read_adapter(served.base, folder)


def test_a_plain_student_takes_no_adapters(served: Served) -> None:
    with pytest.raises(ModelError, match="takes no adapters"):
        AdaptableStudent(1, served.plain).adapter(served.folder / "few")
