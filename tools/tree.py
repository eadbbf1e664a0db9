"""The tree of the package in docs/ARCHITECTURE.md: every module with the first sentence of its docstring.

python tools/tree.py prints it; python tools/tree.py --write puts it into the document. A test compares the two.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs/ARCHITECTURE.md"
BEGIN, END = "<!-- tree: make docs -->\n```\n", "```\n<!-- end of tree -->"
ROOMS = (
    "cli",
    "server",
    "client",
    "training",
    "inference",
    "synthetic",
    "evaluation",
    "models",
    "timetable",
    "documents",
)
WIDTH = 21


def sentence(path: Path) -> str:
    """The first line of a module's docstring, without a full stop; empty where there is none."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0].rstrip(".").replace("``", "").replace("`", "")


def tree(package: Path) -> str:
    """Rooms from the top down, their modules by name, then what stands in no room."""
    rooms = [*ROOMS, *sorted(path.name for path in package.iterdir() if (path / "__init__.py").exists())]
    lines = []
    for room in dict.fromkeys(rooms):
        lines.append(f"{room}/")
        for path in sorted((package / room).rglob("*.py")):
            if path.name != "__init__.py" or sentence(path):
                name = path.relative_to(package / room).as_posix()
                lines.append(f"  {name:{WIDTH}} {sentence(path)}".rstrip())
    lines += [f"{path.name:{WIDTH + 2}} {sentence(path)}" for path in sorted(package.glob("*.py"))]
    return "\n".join(lines) + "\n"


def main(*, write: bool) -> None:
    """Print the tree, or put it into the document."""
    printed = tree(ROOT / "src/pocai")
    if not write:
        sys.stdout.write(printed)
        return
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    DOCUMENT.write_text(f"{before}{BEGIN}{printed}{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main(write="--write" in sys.argv[1:])
