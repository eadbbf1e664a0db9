"""LoRA adapters (Hu et al. 2022, arXiv:2106.09685): one network in memory, another style for each call.

An adapter is a folder with ``adapter.safetensors`` (the trained matrices, as PEFT names them), its card
``adapter.json``, and ``adapter.onnx_adapter`` (the matrices for ONNX Runtime, scaled). The graph of an adaptable
network has the matrices as inputs whose defaults have rank 0: without an adapter it computes what the plain one
does, and adapters of any rank fit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from pocai.errors import ModelError
from pocai.models.adapter_card import AdapterCard, verified
from pocai.models.protocols import Reading
from pocai.models.recognizer import StudentRecognizer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Matrices = Mapping[str, NDArray[np.float32]]

TENSORS, RUNTIME = "adapter.safetensors", "adapter.onnx_adapter"
BASE_KEY = "base_sha256"  # under which an adaptable graph names the weights that it was made from
_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """An adapter in memory.

    ONNX Runtime's `RunOptions` do not keep an adapter alive that is added to them: whoever runs a session with
    `options` must hold this object until the run is over.
    """

    card: AdapterCard
    loaded: Any

    def options(self) -> Any:
        """New `onnxruntime.RunOptions` with this adapter, for one call."""
        from onnxruntime import RunOptions

        options = RunOptions()
        options.add_active_adapter(self.loaded)
        return options


class Adapters:
    """The adapters of one ONNX Runtime session, of the model ``name``; safe to call from several threads.

    At most ``held`` stay in memory; the one that was not used for the longest time goes.
    """

    def __init__(self, session: Any, name: str, held: int = 32) -> None:
        self.base_sha256: str = session.get_modelmeta().custom_metadata_map.get(BASE_KEY, "")
        self._name = name
        self._places = {each.name: tuple(each.shape) for each in session.get_overridable_initializers()}
        self._most = held
        self._held: OrderedDict[str, Adapter] = OrderedDict()
        self._lock = Lock()

    def adapter(self, folder: Path) -> Adapter:
        """The adapter in a folder; beyond its card, read from disk only where it is new or was changed.

        Raises ModelError when it is missing, altered, has no place in the graph, or belongs to other base weights.
        """
        if not self.base_sha256 or not self._places:
            raise ModelError(f"{self._name} takes no adapters", mend="Export it with `export_adaptable`.")
        card = AdapterCard.read(folder)
        card.check_base(self.base_sha256)
        with self._lock:
            held = self._held.pop(card.sha256, None) or Adapter(card, self._loaded(card, folder / RUNTIME))
            self._held[card.sha256] = held
            if len(self._held) > self._most:
                self._held.popitem(last=False)
        return held

    def _loaded(self, card: AdapterCard, file: Path) -> Any:
        """ONNX Runtime's adapter in a file, of which every matrix has its place in the graph."""
        from onnxruntime import AdapterFormat, LoraAdapter

        verified(file, card.sha256)
        loaded = LoraAdapter()
        try:
            matrices = AdapterFormat.read_adapter(str(file)).get_parameters()
            loaded.Load(str(file))
        except RuntimeError as error:
            raise ModelError(f"{file.name} is no adapter of ONNX Runtime", mend="Train the adapter again.") from error
        for name, value in matrices.items():
            if not _fits(tuple(value.shape()), self._places.get(name, ())):
                what = f"adapter {card.name} has {name} {tuple(value.shape())}, for which the network has no place"
                raise ModelError(what, mend="Export the adaptable network with branches beside the adapter's targets.")
        return loaded


class AdaptableStudent(StudentRecognizer):
    """A student that reads with adapters too; safe to call from several threads, each with an adapter of its own.

    The weights are those of `StudentRecognizer`; without an adapter it is one. ``held`` as in `Adapters`.
    """

    def __init__(self, threads: int = 0, weights: Path | None = None, held: int = 32) -> None:
        super().__init__(threads, weights)
        self._adapters = Adapters(self._session, self.card.name, held)
        self.base_sha256 = self._adapters.base_sha256

    def adapter(self, folder: Path) -> Adapter:
        """The adapter in a folder. Raises ModelError where it cannot be used (see `Adapters.adapter`)."""
        return self._adapters.adapter(folder)

    def adapted(self, crops: Sequence[Image], adapter: Adapter) -> list[Reading]:
        """As `recognize`, with an adapter, which is named in each reading.

        Probabilities are still calibrated on what the base reads.
        """
        readings = self.recognize(crops, run_options=adapter.options())
        return [replace(reading, reader=f"{self.name}+{adapter.card.name}") for reading in readings]


class AdaptedRecognizer:
    """A student as it reads with the adapter in one folder: a thin recognizer, of which each request may have its own.

    Raises ModelError at once where the adapter cannot be used (see `AdaptableStudent.adapter`).
    """

    def __init__(self, student: AdaptableStudent, folder: Path) -> None:
        self._student = student
        self._adapter = student.adapter(folder)

    def recognize(self, crops: Sequence[Image]) -> list[Reading]:
        """One `Reading` for each crop."""
        return self._student.adapted(crops, self._adapter)


def write_runtime_adapter(matrices: Matrices, file: Path) -> Path:
    """Write matrices as an adapter of ONNX Runtime; names are those of the graph's inputs. Appears whole or not."""
    from onnxruntime import AdapterFormat, OrtValue

    adapter = AdapterFormat()
    adapter.set_adapter_version(_VERSION)
    adapter.set_model_version(_VERSION)
    adapter.set_parameters({name: OrtValue.ortvalue_from_numpy(value) for name, value in matrices.items()})
    draft = file.with_suffix(".draft")
    adapter.export_adapter(str(draft))
    draft.replace(file)  # a running service may have the old file mapped into its memory
    return file


def _fits(shape: tuple[int, ...], place: tuple[int | str, ...]) -> bool:
    """Whether a matrix has the shape of its place, in which a name stands for any size."""
    alike = (isinstance(size, str) or size == have for have, size in zip(shape, place, strict=False))
    return len(shape) == len(place) and all(alike)
