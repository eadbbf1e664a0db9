"""A workflow of steps that fail, and of steps that were done before. As a program it tells what happened."""

import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefect import flow

from pocai.errors import RegistryError
from pocai.mlops.flows import Steps
from pocai.mlops.prefect_api import prefect_api
from pocai.mlops.workflow import FlowParameters
from pocai.mlops.workflow_place import hashed, settings_of
from pocai.settings import MlopsSettings, Settings

PLAN = FlowParameters(retries=2, wait=0.0)


@dataclass
class Toy:
    """Its steps; ``tried`` counts how often each was tried, and the errors of the workflow."""

    folder: Path
    tried: Counter[str] = field(default_factory=Counter)

    def recovers(self) -> dict[str, Any]:
        self.tried["recovers"] += 1
        if self.tried["recovers"] < 3:
            raise RegistryError("away")
        return {}

    def never_recovers(self) -> dict[str, Any]:
        self.tried["never recovers"] += 1
        raise OSError("gone")

    def hopeless(self) -> dict[str, Any]:
        self.tried["hopeless"] += 1
        raise ValueError("wrong")

    def makes(self, content: str) -> dict[str, Any]:
        self.tried["makes"] += 1
        file = self.folder / "made"
        file.write_text(content, encoding="utf-8")
        return {"files": hashed(file), "content": content}

    def faults(self, step: Steps) -> None:
        step("recovers", self.recovers)
        for name, work in (("never recovers", self.never_recovers), ("hopeless", self.hopeless)):
            try:
                step(name, work)
            except (OSError, ValueError) as error:
                self.tried[type(error).__name__] += 1

    def made(self, step: Steps) -> list[str]:
        def content(wanted: str, key: str) -> str:
            return str(step("makes", self.makes, wanted, known_by=(key,))["content"])

        contents = [content("a", "a"), content("not asked for", "a"), content("b", "b")]
        contents.append(content("a", "a"))  # the file held "b"
        (self.folder / "made").unlink()
        return [*contents, content("a", "a")]


def main(folder: Path) -> dict[str, Any]:
    """What the workflow tells, and how often each step was tried."""
    toy = Toy(folder)

    @flow(name="toy")  # type: ignore[untyped-decorator]
    def run(plan: FlowParameters) -> dict[str, Any]:
        step = Steps(plan)
        toy.faults(step)
        return step.told("toy", {"contents": toy.made(step)})

    mlops = MlopsSettings(folder=folder / "mlops")
    with settings_of(Settings(mlops=mlops)), prefect_api(mlops):
        told: dict[str, Any] = run(PLAN)
    return {**told, "tried": dict(toy.tried)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]))))
