"""Every error that pocai raises on purpose, as one tree.

::

    PocaiError                     exit 1
    ├── InputError                 exit 2   what was handed in cannot be used
    │   ├── UnreadableDocument              not a document, or damaged beyond reading
    │   ├── UnsupportedFormat               a format we know and do not read (.doc, .xls, …)
    │   ├── EncryptedDocument               a password is needed
    │   └── LimitExceeded                   larger than the settings allow
    ├── NoTimetable                exit 3   the document was read, no timetable is on it
    ├── ModelError                 exit 4   a model is missing, altered or does not fit
    │   └── UnknownModel
    └── ConfigurationError         exit 5   settings that cannot be used

Each message says what is wrong, with which value, and how to mend it. No message holds document text.
"""

from __future__ import annotations


class PocaiError(Exception):
    """Base of all errors raised on purpose.

    ``mend`` says what the user can do about it; it is part of ``str(error)``.
    """

    code: str = "error"
    exit_code: int = 1

    def __init__(self, what: str, *, mend: str = "") -> None:
        super().__init__(what if not mend else f"{what}. {mend}")
        self.what = what
        self.mend = mend


class InputError(PocaiError):
    """What was handed in cannot be used."""

    code = "bad_input"
    exit_code = 2


class UnreadableDocument(InputError):
    """The bytes are not a document, or are damaged beyond reading."""

    code = "unreadable_document"


class UnsupportedFormat(InputError):
    """A format that we recognise and do not read."""

    code = "unsupported_format"


class EncryptedDocument(InputError):
    """The document needs a password."""

    code = "encrypted_document"


class LimitExceeded(InputError):
    """The document is larger than the settings allow."""

    code = "limit_exceeded"


class NoTimetable(PocaiError):
    """The document was read, and no timetable was found on it."""

    code = "no_timetable"
    exit_code = 3


class ModelError(PocaiError):
    """A model is missing, altered, or does not fit what is asked of it."""

    code = "model_error"
    exit_code = 4


class UnknownModel(ModelError):
    """No model of that name is in the catalogue."""

    code = "unknown_model"


class ConfigurationError(PocaiError):
    """Settings that cannot be used."""

    code = "bad_configuration"
    exit_code = 5
