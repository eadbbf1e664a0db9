"""The one way Feast comes into a process, which takes seconds and would otherwise change it for others."""

from __future__ import annotations

import os
import threading

_importing = threading.Lock()
MEASURING = ("PROMETHEUS_MULTIPROCESS_DIR", "PROMETHEUS_MULTIPROC_DIR")


def import_feast() -> None:
    """Import Feast.

    It sets a folder for metrics of several processes: that must not reach prometheus-client, which from then on would
    keep the service's metrics in files, nor the environment of the reading processes.
    """
    with _importing:
        before = {name: os.environ.get(name) for name in MEASURING}
        os.environ.setdefault("FEAST_USAGE", "False")  # versions before 0.41 sent statistics home
        import feast  # noqa: F401
        import prometheus_client  # noqa: F401 - it looks at the environment once, before Feast sets it

        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
