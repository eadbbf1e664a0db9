"""The table of features in docs/FEATURE_STORE.md.

python tools/feature_docs.py prints it; python tools/feature_docs.py --write puts it into the document. A test compares
the two.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pocai.feature_store.feature_table import VIEWS, View

DOCUMENT = Path(__file__).parents[1] / "docs/FEATURE_STORE.md"
BEGIN, END = "<!-- features: make docs -->\n", "<!-- end of features -->"
KINDS = {"text": "string, encrypted", "ints": "list of int", "floats": "list of float"}


def table(view: View) -> str:
    """A view with all its features."""
    head = (
        f"### View `{view.name}`, of a {view.entity}\n\n"
        f"Owner: {view.owner}. Fresh for {view.ttl.days} days after its event time.\n\n"
        "| name | type | unit | meaning |\n| --- | --- | --- | --- |\n"
    )
    rows = (
        f"| `{each.name}` | {KINDS.get(each.kind, each.kind)} | {each.unit or '–'} | {each.meaning} |"
        for each in view.features
    )
    return head + "\n".join(rows) + "\n"


def main(*, write: bool) -> None:
    """Print the tables, or put them into the document."""
    printed = "\n".join(table(view) for view in VIEWS.values())
    if not write:
        sys.stdout.write(printed)
        return
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{printed}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main(write="--write" in sys.argv[1:])
