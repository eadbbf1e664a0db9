"""Lines as TrOCR is trained on them: crops in colour, or line images that were prepared before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pocai.errors import ConfigurationError
from pocai.models.line_image import HEIGHT
from pocai.models.trocr_image import Preparation
from pocai.training.datasets import Line, Pixels, read_line_folder
from pocai.training.line_batches import LineImages
from pocai.training.shards import open_shards

Damage = Literal["clean", "mixed", "heavy"]

HELD = 20_000  # made lines that are worth holding in memory, some 300 MB; more are drawn anew, unsorted by width


class TrOCRData(BaseModel):
    """Where lines come from: a folder of labelled crops, shards of line images, or the generator (``made`` lines)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path | None = Field(None, description="labelled line pictures; a part of them is evaluated on")
    shards: tuple[Path, ...] = Field((), description="folders of line images to train on")
    validation: dict[str, Path] = Field({}, description="folders of line images to evaluate on, by slice")
    made: int = Field(0, ge=0, description="lines of the generator to train on, instead of files")
    made_validation: int = Field(256, ge=1, description="made lines to evaluate on, where nothing else is named")
    damage: Damage = "mixed"
    batch: int = Field(16, ge=1, description="lines of a step in each process")
    licence: str = Field("not stated", min_length=1, description="of lines and base; it goes into the model's card")
    evaluated: int = Field(512, ge=1, description="lines of each slice that are read in an evaluation, at most")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.folder is not None) + bool(self.shards) + bool(self.made) > 1:
            raise ValueError("folder, shards and made exclude one another")
        return self


class Crops(Protocol):
    """Labelled crops by number: `pocai.training.datasets.Lines`, or any other."""

    def __len__(self) -> int: ...

    def line(self, index: int) -> Line:
        """RGB image and text; a pure function of the number."""
        ...


class Pictures(Protocol):
    """Pictures as the network takes them, by number, with their texts."""

    def __len__(self) -> int: ...

    def picture(self, index: int) -> tuple[Pixels, str]:
        """``(height, w, channels)`` uint8, and what is printed there."""
        ...

    def widths(self) -> NDArray[np.int32]:
        """Widths in pixels ``(N,)``."""
        ...

    @property
    def content(self) -> str | None:
        """SHA-256 of pixels and labels, where it is known."""
        ...


@dataclass(frozen=True)
class CropPictures:
    """Crops, prepared whenever they are asked for."""

    crops: Crops
    preparation: Preparation

    def __len__(self) -> int:
        return len(self.crops)

    def picture(self, index: int) -> tuple[Pixels, str]:
        """One picture and its text."""
        line = self.crops.line(index)
        return self.preparation.picture(line.image), line.text

    def widths(self) -> NDArray[np.int32]:
        """Of squeezed pictures all the same, and of made ones unknown (0); others are opened once to see."""
        return self._widths

    @property
    def content(self) -> str | None:
        """SHA-256 of crops that know theirs."""
        source: Any = self.crops
        return str(source.content_hash()) if hasattr(source, "content_hash") else None

    @cached_property
    def _widths(self) -> NDArray[np.int32]:
        fit = self.preparation
        if fit.fit == "squeeze" or isinstance(self.crops, MadeCrops):
            return np.full(len(self), fit.width if fit.fit == "squeeze" else 0, np.int32)
        sizes = [self.crops.line(index).image.shape[:2] for index in range(len(self))]
        return np.array([min(fit.width, round(w * fit.height / max(1, h))) for h, w in sizes], np.int32)


@dataclass(frozen=True)
class ImagePictures:
    """Line images ``(48, w)`` that are ready: shards, or the generator's. Their colour and height are gone."""

    images: LineImages
    preparation: Preparation

    def __post_init__(self) -> None:
        if self.preparation.fit == "squeeze":
            what = "shards hold grey lines 48 pixels high; the base wants coloured crops of any height, squeezed"
            raise ConfigurationError(what, mend='Set model.fit = "keep", or train on data.folder or data.made')

    def __len__(self) -> int:
        return len(self.images)

    def picture(self, index: int) -> tuple[Pixels, str]:
        """One picture and its text."""
        return self.preparation.scaled(self.images.image(index)), self.images.text(index)

    def widths(self) -> NDArray[np.int32]:
        """Widths of the images, scaled."""
        scaled = self.images.widths() * (self.preparation.height / HEIGHT)
        return np.minimum(self.preparation.width, np.round(scaled)).astype(np.int32)

    @property
    def content(self) -> str | None:
        """SHA-256 of shards."""
        source: Any = self.images
        return str(source.content_hash()) if hasattr(source, "content_hash") else None


@dataclass(frozen=True, slots=True)
class MadeCrops:
    """The first ``count`` lines of the generator in colour, drawn anew whenever they are asked for."""

    seed: int
    damage: Damage
    count: int

    def __len__(self) -> int:
        return self.count

    def line(self, index: int) -> Line:
        """One line."""
        from pocai.synthetic.lines import LineSource

        line: Line = LineSource(self.seed, "train", self.damage).line(index)
        return line


def pictures_of(data: TrOCRData, seed: int, preparation: Preparation) -> tuple[Pictures, dict[str, Pictures]]:
    """What is trained on, and what is evaluated on by slice.

    Raises InputError for a folder that cannot be used, ConfigurationError where the data do not suit the base.
    """
    slices: dict[str, Pictures] = {
        name: ImagePictures(open_shards([folder]), preparation) for name, folder in data.validation.items()
    }
    if data.folder is not None:
        split = read_line_folder(data.folder)
        return CropPictures(split.train, preparation), {
            "folder": CropPictures(split.validation, preparation),
            **slices,
        }
    for kind in () if slices else dict.fromkeys(("clean", data.damage)):
        slices[kind] = _made(preparation, seed + 1, kind, data.made_validation)
    if data.shards:
        return ImagePictures(open_shards(data.shards), preparation), slices
    return _made(preparation, seed, data.damage, data.made), slices


def labelled(pictures: Pictures, numbers: Iterable[int]) -> tuple[list[Pixels], list[str]]:
    """Some pictures, and their texts."""
    pairs = [pictures.picture(number) for number in numbers]
    return [picture for picture, _ in pairs], [text for _, text in pairs]


def _made(preparation: Preparation, seed: int, damage: Damage, count: int) -> Pictures:
    """Lines of the generator: drawn anew each time where they are squeezed or many, else held as line images."""
    if count == 0:
        raise ConfigurationError("no lines to train on", mend="Name data.folder, data.shards or data.made")
    if preparation.fit == "squeeze" or count > HELD:
        return CropPictures(MadeCrops(seed, damage, count), preparation)
    from pocai.training.ocr_model.line_sources import MadeLines

    return ImagePictures(MadeLines(seed, "train", damage, count), preparation)
