"""A version of a registered model, as the registry knows it, and what of its card is written there.

Nothing that stands in the registry is believed about the files: who may write there could write anything. Its digest
says which package is meant; the package's own signature and hashes say whether it is that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from pocai.errors import InputError, UntrustedModel
from pocai.models.package import KINDS, Manifest, ModelKind

Gate = Literal["none", "passed", "failed"]
GATES: tuple[Gate, ...] = get_args(Gate)
KIND, DIGEST, DATA, GATE, KEY, METRICS = (
    f"pocai.{name}" for name in ("kind", "digest", "data_sha256", "gate", "key", "metrics")
)
LONGEST = 4900  # characters; MLflow's tables hold 5000 of a tag and of a description
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MEND = "Register the model again: pocai models register."


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version. ``digest`` names its package, ``data_sha256`` what it was trained on; ``created`` is in UTC.

    ``metrics`` are those of its card, by "slice/name"; ``gate`` says whether it passed the checks before a promotion.
    """

    name: str
    version: int
    kind: ModelKind
    digest: str
    aliases: tuple[str, ...]
    run_id: str | None
    data_sha256: str | None
    created: datetime
    metrics: Mapping[str, float]
    gate: Gate
    description: str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


def check_model_name(name: str) -> str:
    """The name; raises InputError where no model can be registered by it."""
    if not _NAME.fullmatch(name):
        what = f"no model can be named {name[:80]!a}"
        raise InputError(what, mend="Use small letters, digits, dots and dashes; at most 64.")
    return name


def is_ours(found: Any) -> bool:
    """Whether a version in MLflow (`mlflow.entities.model_registry.ModelVersion`) was registered by pocai."""
    return DIGEST in found.tags


def read_version(found: Any, aliases: Mapping[str, int]) -> ModelVersion:
    """A version in MLflow as ours. Raises UntrustedModel where it says of itself what cannot be."""
    tags: Mapping[str, str] = found.tags
    number = int(found.version)
    kind = next((kind for kind in KINDS if kind == tags.get(KIND)), None)
    digest, data = tags.get(DIGEST, ""), tags.get(DATA) or None
    if kind is None or not _DIGEST.fullmatch(digest) or (data is not None and not _DIGEST.fullmatch(data)):
        raise UntrustedModel(f"version {number} of {found.name[:80]!a} was not registered by pocai", mend=_MEND)
    return ModelVersion(
        name=found.name,
        version=number,
        kind=kind,
        digest=digest,
        aliases=tuple(sorted(alias for alias, version in aliases.items() if version == number)),
        run_id=found.run_id or None,
        data_sha256=data,
        created=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
        metrics=_metrics(tags.get(METRICS, "{}")),
        gate=next((gate for gate in GATES if gate == tags.get(GATE)), "none"),
        description=found.description or "",
    )


def tags_of(package: Path, manifest: Manifest, key: str) -> dict[str, str]:
    """What the registry is told of a package that was signed with the key of this name."""
    card = read_card(package, manifest)
    tags = {KIND: manifest.kind, DIGEST: manifest.digest, GATE: "none", KEY: key, METRICS: _told(card)}
    return tags | ({DATA: card["data_sha256"]} if card.get("data_sha256") else {})


def card_text(package: Path, manifest: Manifest, description: str) -> str:
    """The model card as Markdown, what was said of the version before it."""
    card = read_card(package, manifest)
    facts = {
        "Model": f"{card.get('name', '')} {card.get('version', '')}".strip(),
        "Kind": manifest.kind,
        "Licence": card.get("licence"),
        "Trained on": card.get("trained_on") or card.get("data_sha256"),
        "Base": card.get("base_sha256"),
        "Digest": manifest.digest,
    }
    lines = [f"- **{name}:** {value}" for name, value in facts.items() if value]
    lines += [f"- **Limit:** {limit}" for limit in card.get("limits", ())]
    lines += [f"- {name}: {value:g}" for name, value in flat_metrics(card)]
    text = "\n".join([*([description, ""] if description else []), *lines])
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def read_card(package: Path, manifest: Manifest) -> dict[str, Any]:
    """The card of a package that was checked."""
    card: dict[str, Any] = json.loads((package / manifest.card).read_text(encoding="utf-8"))
    return card


def flat_metrics(card: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The metrics of a card by "slice/name"; those of an adapter's are by "before/name" and "after/name"."""
    tables = card.get("metrics") or {"before": card.get("before") or {}, "after": card.get("after") or {}}
    for place, table in tables.items():
        for name, value in table.items():
            if isinstance(value, int | float):
                yield f"{place}/{name}", float(value)


def _told(card: Mapping[str, Any]) -> str:
    """As many metrics as a tag holds, as JSON."""
    kept: dict[str, float] = {}
    for name, value in flat_metrics(card):
        if len(json.dumps({**kept, name: value})) > LONGEST:
            break
        kept[name] = value
    return json.dumps(kept)


def _metrics(text: str) -> dict[str, float]:
    try:
        return {str(name): float(value) for name, value in json.loads(text).items()}
    except (ValueError, AttributeError, TypeError):
        return {}
