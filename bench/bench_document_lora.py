"""What five corrected documents of a school's style give: block F1 on twenty others, before and after.

A style is a layout that the base was never trained on, one school and one look, both drawn from a seed; styles that the
base reads below 0.85 are looked for. The corrections are what a host has: values, no places. Pages are those of PDF
files, so that what is wrong is a matter of style and not of misread letters; "ceiling" is what right pointing gives.
``python bench/bench_document_lora.py [WEIGHTS FOLDER]``,
where WEIGHTS are the base's (safetensors); FOLDER keeps adapters and ``styles.json``, with which it goes on where it
stopped. Styles that right pointing would not help are left out. ``--styles N`` and ``--set KEY=VALUE`` make it shorter.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from pocai.documents.page import Page
from pocai.errors import ConfigurationError, ModelError
from pocai.evaluation.timetables import Json, score, total
from pocai.models.layout_tokens import lines_of
from pocai.settings import SchoolHours
from pocai.synthetic.document import Drawing
from pocai.synthetic.fonts import faces
from pocai.synthetic.layouts import FAMILIES, HELD_OUT
from pocai.synthetic.schools import School
from pocai.synthetic.timetables import made
from pocai.timetable.grid import find_tables
from pocai.timetable.pointed import Pointed
from pocai.timetable.pointed_weeks import timetables_pointed
from pocai.timetable.timetable import Timetable
from pocai.training.document_model.labelled_documents import corrected
from pocai.training.document_model.layout_lora import SHIPPED, LayoutLoraTask, load_layout, train_layout_lora
from pocai.training.document_model.layout_score import block_f1
from pocai.training.document_model.made_pages import MadePage, made_pages
from pocai.training.lora_files import read_adapter
from pocai.training.progress import PrintedProgress
from pocai.training.recipe import read_recipe

RECIPE = Path(__file__).parents[1] / "recipes/document-lora.toml"
BELOW = 0.85  # block F1 of a style that is worth an adapter
PROBED, TRAINED, TESTED = 6, 5, 20  # documents of a style, none in two of these
FIRST = 9_000_000  # seed of the first style
TRIES = 400  # styles that are looked at
MISSES = 40  # timetables of a school that its layout does not take, or that fit on no paper
ROOM = 0.1  # of block F1 that right pointing would give at least: what else is wrong no adapter can learn
GAIN, FALL = 0.08, 0.01  # wanted on average, and allowed for each

Read = tuple[tuple[Page, ...], tuple[Json, ...]]


@dataclass(frozen=True, slots=True)
class Style:
    """A school that prints its timetables in one layout and one look."""

    family: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.family}-{self.seed}"

    def documents(self) -> Iterator[Read]:
        """Documents of the style as they are read, with their truth, one after the other without end."""
        for number, drawing in enumerate(self._drawings()):
            rng = np.random.default_rng((self.seed, number))
            tables = tuple(table.model_dump(by_alias=True, mode="json") for table in drawing.timetables)
            pages = made_pages(drawing, rng, plain=True)
            yield tuple(each.page for each in pages), tuple(map(without_places, tables))

    def ceiling(self) -> float:
        """Block F1 of the documents to test on where every line is pointed to rightly: what no adapter can exceed."""
        first, counts = PROBED + TRAINED, []
        for number, drawing in zip(range(first + TESTED), self._drawings(), strict=False):
            if number >= first:
                pages = made_pages(drawing, np.random.default_rng((self.seed, number)), plain=True)
                read = [timetable for page in pages for timetable in rightly_read(page)]
                counts.append(score(drawing.timetables, read))
        return total(counts).figures.block

    def _drawings(self) -> Iterator[Drawing]:
        family = FAMILIES[self.family]
        school = School.of(self.seed, stage=family.stage)
        misses, index = 0, 0
        while misses < MISSES:
            week = made(index, school=school, times=family.times)
            index += 1
            if family.accepts(week):
                try:
                    yield family.draw(week, faces("test"), np.random.default_rng(self.seed))
                except ConfigurationError:  # it does not fit on any paper
                    misses += 1
            else:
                misses += 1


def rightly_read(made_page: MadePage) -> tuple[Timetable, ...]:
    """The timetables of a page, by the truth about each line."""
    page, truths = made_page.page, made_page.truths
    related = np.array([[bool(one.blocks & other.blocks) for other in truths] for one in truths], np.bool_)
    roles = tuple(truth.role for truth in truths)
    return timetables_pointed(Pointed(page, find_tables(page), lines_of(page), roles, related), SchoolHours())


def without_places(table: dict[str, Any]) -> Json:
    """A timetable as a host keeps it."""
    blocks = [{name: value for name, value in block.items() if name != "fields"} for block in table["timeblocks"]]
    return {**{name: value for name, value in table.items() if name not in {"fields", "pages"}}, "timeblocks": blocks}


def parts(style: Style) -> tuple[list[Read], list[Read], list[Read]] | None:
    """Documents to look at a style by, to train on, and to test on; None where it has too few."""
    documents = style.documents()
    found = [document for document, _ in zip(documents, range(PROBED + TRAINED + TESTED), strict=False)]
    if len(found) < PROBED + TRAINED + TESTED:
        return None
    return found[:PROBED], found[PROBED : PROBED + TRAINED], found[PROBED + TRAINED :]


def hard_styles(base: nn.Module, known: dict[str, Any]) -> Iterator[Style]:
    """Styles of held-out layouts that the base reads badly, in turn; what was seen of a style is kept in ``known``."""
    for number in range(TRIES):
        style = Style(sorted(HELD_OUT)[number % len(HELD_OUT)], FIRST + number)
        seen = known.setdefault(style.name, {})
        if "probe" not in seen:
            documents = [document for document, _ in zip(style.documents(), range(PROBED), strict=False)]
            seen["probe"] = block_f1(base, documents) if len(documents) == PROBED else 1.0
        if seen["probe"] < BELOW:
            yield style


def adapted(style: Style, base: nn.Module, options: argparse.Namespace) -> dict[str, Any]:
    """Train an adapter for a style and measure it; without one that helps, after is before."""
    found = parts(style)
    if found is None:
        return {"skipped": "too few documents"}
    _, learned, tested = found
    before = block_f1(base, tested)
    if before >= BELOW:
        return {"skipped": f"block F1 {before:.3f} on the documents of the test"}
    ceiling = style.ceiling()
    if ceiling < before + ROOM:
        return {"skipped": f"block F1 {before:.3f}, and {ceiling:.3f} where every line is pointed to rightly"}
    documents = [corrected(str(number), *document) for number, document in enumerate(learned)]
    recipe = read_recipe(RECIPE).with_values({**options.values, "model.base": str(options.weights)})
    task = LayoutLoraTask(recipe, documents)
    folder = options.folder / style.name
    aligned = sum(each.found for each in documents) / len(documents)
    try:
        result = train_layout_lora(recipe, folder, task, progress=PrintedProgress())
    except ModelError as error:
        same = {"before": before, "after": before, "ceiling": ceiling}
        return {**same, "aligned": aligned, "refused": error.what}
    after = block_f1(read_adapter(task.base, folder), tested)
    seconds, scale = result.outcome.seconds, result.card.after["scale"]
    figures = {"before": before, "after": after, "ceiling": ceiling}
    return {**figures, "aligned": aligned, "seconds": seconds, "scale": scale}


def table(done: dict[str, dict[str, Any]]) -> str:
    """The figures of all styles, and their mean."""
    rows = ["| style | found | before | after | gain | ceiling | s |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for name, each in done.items():
        gain = each["after"] - each["before"]
        seconds = "refused" if "refused" in each else f"{each['seconds']:.0f}"
        figures = (
            f"{each['aligned']:.3f} | {each['before']:.3f} | {each['after']:.3f} | {gain:+.3f} | {each['ceiling']:.3f}"
        )
        rows.append(f"| {name} | {figures} | {seconds} |")
    gains = [each["after"] - each["before"] for each in done.values()]
    rows.append(f"mean gain {np.mean(gains):+.3f} (wanted {GAIN:+.2f}), worst {min(gains):+.3f} (wanted {-FALL:+.2f})")
    return "\n".join(rows)


def options() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, nargs="?", help="safetensors; without: those shipped")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("runs/document-lora"))
    parser.add_argument("--styles", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the recipe")
    given = parser.parse_args()
    given.weights = given.weights or SHIPPED.file
    pairs = (pair.partition("=") for pair in given.set)
    given.values = {key: tomllib.loads(f"value = {value}")["value"] for key, _, value in pairs}
    return given


def main() -> None:
    """Look for styles, train, and print the table."""
    torch.set_num_threads(1)
    asked = options()
    asked.folder.mkdir(parents=True, exist_ok=True)
    file = asked.folder / "styles.json"
    known: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    base = load_layout(asked.weights)
    done: dict[str, dict[str, Any]] = {}
    for style in hard_styles(base, known):
        seen = known[style.name]
        if "result" not in seen:
            seen["result"] = adapted(style, base, asked)
        file.write_text(json.dumps(known, indent=1), encoding="utf-8")
        if "skipped" not in seen["result"]:
            done[style.name] = seen["result"]
            print(table(done), flush=True)
        if len(done) == asked.styles:
            break


if __name__ == "__main__":
    main()
