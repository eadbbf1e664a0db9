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
    │   ├── UnknownModel
    │   ├── UntrustedModel                  not signed by a trusted key, altered, or of a form that is never loaded
    │   └── GateRefused                     did not pass the checks before a promotion (409)
    ├── RegistryError              exit 4   the registry or the tracking server cannot be reached, or refuses (503)
    ├── FeatureStoreError          exit 4   the feature store cannot be reached, or what it holds does not open (503)
    ├── ConfigurationError         exit 5   settings that cannot be used
    └── ServiceError               exit 6   the service could not answer; HTTP status in brackets
        ├── NotAuthenticated                no credentials, or ones that are not valid (401)
        ├── NotAllowed                      valid credentials without this right, or a path outside the roots (403)
        ├── NotFound                        nothing of that name for this caller (404)
        ├── Conflict                        the thing is in a state that does not allow this (409)
        ├── BadRequest                      the request cannot be understood (400 or 422)
        ├── Busy                            too many requests, or the queue is full: come again (429)
        ├── Unavailable                     shutting down, or something it needs is down: come again (503)
        ├── DeadlineExceeded                the work did not end in the time that was given (504)
        │   └── WaitedTooLong               nor did it begin: the document is not at fault
        └── WorkerLost                      the process that read the document died, each time it was tried (500)

The service's errors are raised by the server and, from its answers, by the client again.

Each message says what is wrong, with which value, and how to mend it. No message holds document text.
"""

from __future__ import annotations

import traceback
from pathlib import PurePath


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


class FeatureStoreError(PocaiError):
    """The feature store cannot be reached, refuses, or holds something damaged."""

    code = "feature_store_error"
    exit_code = 4


class UnknownModel(ModelError):
    """No model of that name is in the catalogue."""

    code = "unknown_model"


class UntrustedModel(ModelError):
    """A model that is not signed by a trusted key, was altered, or has a form that is never loaded."""

    code = "untrusted_model"


class GateRefused(ModelError):
    """A model did not pass the checks that stand before a promotion."""

    code = "gate_refused"


class RegistryError(PocaiError):
    """The model registry or the tracking server cannot be reached, or refuses."""

    code = "registry_error"
    exit_code = 4


class ConfigurationError(PocaiError):
    """Settings that cannot be used."""

    code = "bad_configuration"
    exit_code = 5


class ServiceError(PocaiError):
    """The service could not answer. ``retry_after`` is the number of seconds after which to come again, if any."""

    code = "service_error"
    exit_code = 6

    def __init__(self, what: str, *, mend: str = "", retry_after: float | None = None) -> None:
        super().__init__(what, mend=mend)
        self.retry_after = retry_after


class NotAuthenticated(ServiceError):
    """No credentials, or ones that are not valid."""

    code = "not_authenticated"


class NotAllowed(ServiceError):
    """The caller is known and may not do this, or a path lies outside the folders that may be read."""

    code = "not_allowed"


class NotFound(ServiceError):
    """There is nothing of that name for this caller."""

    code = "not_found"


class Conflict(ServiceError):
    """The thing is in a state that does not allow what is asked."""

    code = "conflict"


class BadRequest(ServiceError):
    """The request cannot be understood."""

    code = "bad_request"


class Busy(ServiceError):
    """Too many requests of one caller, or a full queue."""

    code = "busy"


class Unavailable(ServiceError):
    """The service is shutting down, or something that it needs is down."""

    code = "unavailable"


class DeadlineExceeded(ServiceError):
    """The work did not end in the time that it was given."""

    code = "deadline_exceeded"


class WaitedTooLong(DeadlineExceeded):
    """The time was over before the work began."""

    code = "waited_too_long"


class WorkerLost(ServiceError):
    """The process that read the document died, each time it was tried."""

    code = "worker_lost"


def by_code(code: str, what: str, mend: str = "") -> PocaiError:
    """The error of the class that has this code; a plain `PocaiError` for a code that no class has."""
    return _BY_CODE.get(code, PocaiError)(what, mend=mend)


def fault(error: Exception) -> PocaiError:
    """An error that nobody raised on purpose, by its type and place; its message may hold text of the document."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{PurePath(place.filename).name}:{place.lineno}"
    return PocaiError(f"a fault in pocai ({type(error).__name__} at {where})", mend="Please report it")


_BY_CODE = {
    kind.code: kind for kind in tuple(globals().values()) if isinstance(kind, type) and issubclass(kind, PocaiError)
}
