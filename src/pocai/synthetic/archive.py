"""Office files as zip archives that are the same bytes whenever and wherever they are written."""

from __future__ import annotations

import re
import zipfile
from io import BytesIO

_TIME = (2020, 1, 1, 0, 0, 0)  # of every entry
_STAMP = "2020-01-01T00:00:00Z"
_CORE = "docProps/core.xml"
_MOMENT = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*")


def timeless(data: bytes) -> bytes:
    """The archive with one fixed time in all its entries and in its core properties (ECMA-376 part 2, 11)."""
    target = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            content = source.read(name)
            if name == _CORE:
                content = _MOMENT.sub(rb"\g<1>" + _STAMP.encode(), content)
            entry = zipfile.ZipInfo(name, _TIME)
            entry.external_attr = 0o644 << 16
            copy.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return target.getvalue()
