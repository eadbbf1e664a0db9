"""The state folder: jobs, uploads, keys and the audit log of a service, readable for us only."""

from __future__ import annotations

import os
from pathlib import Path

from pocai.errors import ConfigurationError
from pocai.settings import Settings


def state_folder(settings: Settings) -> Path:
    """The folder that the settings name, made if need be; raises ConfigurationError where that cannot be."""
    folder = settings.server.state_dir.expanduser()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise ConfigurationError(
            f"the state folder {folder} cannot be used ({error.strerror})", mend="Set POCAI_SERVER__STATE_DIR"
        ) from error
    if not os.access(folder, os.W_OK):
        raise ConfigurationError(f"the state folder {folder} cannot be written", mend="Set POCAI_SERVER__STATE_DIR")
    return folder
