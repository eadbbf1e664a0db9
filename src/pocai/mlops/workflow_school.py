"""Steps of the workflow that adapts a layout transformer to a school: are there enough corrections, train, gate, use.

No name of a school is logged, and none goes into the registry or the journal: there a school is a digest.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pocai.documents.ingest import load
from pocai.documents.limits import Deadline
from pocai.errors import InputError, ModelError
from pocai.evaluation.slices import Slice
from pocai.inference.feature_store_client import FeatureStoreClient, open_client
from pocai.inference.lessons import Lesson
from pocai.mlops.connection import own_folder
from pocai.mlops.frozen_made import default_set
from pocai.mlops.frozen_set import OWN, Content, FrozenDocument, FrozenSet, kept
from pocai.mlops.registry import Registry
from pocai.mlops.workflow import AdaptSchool, TrainAndPromote
from pocai.mlops.workflow_place import Place, settings_here
from pocai.mlops.workflow_training import Result, Told, exported, tracker_in
from pocai.models.adapter_package import usable
from pocai.models.package import ModelKind

if TYPE_CHECKING:
    from pocai.documents.page import Document
    from pocai.training.document_model.labelled_documents import Corrected
    from pocai.training.document_model.layout_lora import LayoutLoraTask

KIND: ModelKind = "layout-adapter"
ADAPTER, ADAPTERS, FROZEN, GATE = "adapter", "adapters", "frozen", "gate"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class School:
    """What is known of a school: documents that persons have corrected, and the folder of its adapter ("": none)."""

    corrected: int
    adapter: str


def mark_of(school: str) -> str:
    """A digest that stands for a school where its name must not."""
    return hashlib.sha256(school.encode()).hexdigest()[:12]


def check_corrections(plan: AdaptSchool) -> School:
    """What the feature store knows of the school. Raises InputError where too few of its documents were corrected."""
    with _client() as client:
        memory = client.look(plan.school)
    count = 0 if memory is None else memory.corrected
    if count < plan.least:
        what = f"{count} documents of the school were corrected, {plan.least} are wanted"
        raise InputError(what, mend="Correct more of them, or lower the parameter least (3 is the least)")
    assert memory is not None
    return School(count, memory.adapter or "")


def train_adapter(place: Place, data: Path, base: Path | None) -> Result:
    """Train an adapter on a school's documents. Raises InputError for too few that can be used.

    Raises ModelError where it makes anything worse, or nothing better.
    """
    from pocai.training.document_model.layout_lora import train_layout_lora

    task = _task(place, _documents(data), base)
    folder = place.folder / f"{ADAPTER}-{place.folder.name}"  # its name becomes the adapter's
    tracker = tracker_in(folder / "run")
    made = train_layout_lora(place.recipe, folder, task, tracker=tracker.both, progress=Told())
    before, after = (each["block_f1/new"] for each in (made.card.before, made.card.after))
    log.info("adapter: block F1 of documents held back %.3f, without it %.3f", after, before)
    return {**exported(folder, KIND), "run_id": tracker.run_id()}


def pass_adapter_gate(
    place: Place, plan: AdaptSchool | TrainAndPromote, made: Result, base: Path | None, before: str
) -> Result:
    """Have the gate look at a registered adapter, on made documents and on those of the school that were held back.

    ``before`` is the folder of the adapter that the school has. Raises GateRefused.
    """
    from pocai.mlops.gate import POLICIES, gate, write_report

    assert plan.data is not None, "asked by the data check"
    settings = settings_here().mlops
    held = place.folder / FROZEN  # documents of the school: no longer kept than this takes
    try:
        frozen = default_set(own_folder(settings), small=plan.frozen == "small")
        frozen = frozen.with_(_held_back(place, plan.data, base, held))
        folder = Path(made["folder"])
        verdict = gate(folder, _fitting(before, folder), KIND, POLICIES[KIND], frozen, base=base)
    finally:
        shutil.rmtree(held, ignore_errors=True)
    report = write_report(verdict, place.folder / GATE)
    with Registry.open(settings) as registry:
        details = {"passed": verdict.passed, "failed": [check.name for check in verdict.failed]}
        _journal(registry, "gate", plan.actor, made, {**details, "measured": verdict.metrics()})
        registry.set_gate(KIND, int(made["version"]), verdict, report[0].parent)
    log.info("gate: %s", verdict.sentence)
    verdict.raise_if_refused()
    return {"sentence": verdict.sentence}


def activate(plan: AdaptSchool, registered: Result) -> Result:
    """Have a school read with a registered adapter from now on: it is verified, made ready, and told to the store."""
    settings = settings_here().mlops
    with Registry.open(settings) as registry:
        package = registry.pull(registry.get(KIND, int(registered["version"])))
        folder = own_folder(settings) / ADAPTERS / registered["digest"][:32]
        _make_usable(package, folder)
        with _client() as client:
            known = client.look(plan.school)
            if known is None or known.adapter != str(folder):
                _journal(registry, "activate", plan.actor, registered, {"school": mark_of(plan.school)})
                client.learn(Lesson(plan.school, adapter=str(folder)))
    log.info("school %s reads with %s@%s", mark_of(plan.school), KIND, registered["version"])
    return {"adapter": str(folder)}


def base_of(champion: Path | None) -> Path | None:
    """The folder of the network that reads, if it is a registered one. Raises ModelError where it takes no adapters."""
    if champion is not None and not (champion / "layout.safetensors").is_file():
        raise ModelError("the champion holds no layout.safetensors", mend="Promote one that a workflow has trained")
    return champion


def _task(place: Place, documents: Sequence[tuple[Corrected, Document]], base: Path | None) -> LayoutLoraTask:
    from pocai.training.document_model.layout_lora import LayoutLoraTask

    values = {} if base is None else {"model.base": str(base / "layout.safetensors")}
    return LayoutLoraTask(place.recipe.with_values(values), [each for each, _ in documents])


def _documents(data: Path) -> list[tuple[Corrected, Document]]:
    """The corrected documents that can be learned from, with what was read on them."""
    from pocai.inference.pipeline import Stopwatch, read_text
    from pocai.training.document_model.labelled_documents import corrected_documents

    settings, read = settings_here(), dict[str, "Document"]()

    def reading(path: Path) -> Document:
        document = load(path, limits=settings.limits)
        deadline = Deadline(settings.limits.max_seconds)
        read[path.stem] = read_text(document, settings, deadline, Stopwatch(None))[0]
        return read[path.stem]

    documents, left_out = corrected_documents(data, reading)
    log.info("documents: %d can be learned from, %d cannot", len(documents), len(left_out))
    return [(each, read[each.name]) for each in documents]


def _held_back(place: Place, data: Path, base: Path | None, folder: Path) -> FrozenSet:
    """The school's documents that the adapter was not trained on, as a frozen set."""
    documents = _documents(data)
    held = {each.name for each in _task(place, documents, base).held_back}
    found = tuple(
        FrozenDocument(f"own-{number}", replace(read, name=""), {"timetables": list(each.timetables)}, _SLICES)
        for number, (each, read) in enumerate(documents)
        if each.name in held
    )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return kept(folder, {"kind": OWN, "key": place.key}, lambda: Content(documents=found))


_SLICES = (Slice("set", OWN),)


def _fitting(before: str, made: Path) -> Path | None:
    """The adapter that a school has, if it is of the same network as a new one."""
    from pocai.models.adapter_card import AdapterCard

    try:
        same = AdapterCard.read(Path(before)).base_sha256 == AdapterCard.read(made).base_sha256
    except ModelError:  # it is gone
        return None
    return Path(before) if same else None


def _make_usable(package: Path, target: Path) -> None:
    """Make the adapter of a package ready for use, in a folder that is there whole or not at all."""
    if target.is_dir():
        return
    target.parent.mkdir(mode=0o700, exist_ok=True)
    draft = target.with_name(f".{target.name}")
    shutil.rmtree(draft, ignore_errors=True)
    usable(package, draft).rename(target)


def _journal(registry: Registry, action: str, actor: str, made: Result, details: Mapping[str, object]) -> None:
    """Journal what is done with an adapter, and tell the registry where the journal ends."""
    told = {**details, "digest": made["digest"]}
    entry = registry.journal.append(
        action, actor=actor, name=KIND, version=int(made["version"]), reason="a workflow", details=told
    )
    registry.write_head(KIND, entry.hash)


@contextmanager
def _client() -> Iterator[FeatureStoreClient]:
    """The feature store. Raises ConfigurationError where there is none."""
    client = open_client(settings_here().features)
    try:
        yield client
    finally:
        client.close()
