"""What a reply means: an answer of a type, or an error, whose code names the class of `pocai.errors` that is raised."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx
from pydantic import ValidationError

from pocai import errors
from pocai.client.exchange import Reply
from pocai.errors import PocaiError, ServiceError
from pocai.inference.answers import Answer, ErrorAnswer, Failure

A = TypeVar("A", bound=Answer)

# The base class stands for a fault in the service, which is not one in the caller's own program.
CODES: dict[str, type[PocaiError]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, PocaiError) and kind is not PocaiError
}
STATUSES: dict[int, type[ServiceError]] = {  # for a code that is newer than this client, and for what stands in between
    400: errors.BadRequest,
    401: errors.NotAuthenticated,
    403: errors.NotAllowed,
    404: errors.NotFound,
    409: errors.Conflict,
    422: errors.BadRequest,
    429: errors.Busy,
    502: errors.Unavailable,
    503: errors.Unavailable,
    504: errors.DeadlineExceeded,
}
PASSING = frozenset({429, 502, 503})


def answer_of(kind: type[A], content: bytes | str) -> A:
    """The answer in a body; raises ServiceError, without a word of the body, where it is no such answer."""
    try:
        return kind.model_validate_json(content, extra="ignore")
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        what = f"the service answered what is no {kind.__name__} ({place}: {first['type']})"
    raise ServiceError(what, mend="Are the address and the versions of service and client right?")


def error_of(reply: Reply) -> PocaiError:
    """The error that an answer stands for; one of another shape comes from something before the service."""
    failure = _failure(reply)
    if failure is not None:
        error = error_from(failure, STATUSES.get(reply.status, ServiceError), retry_after(reply))
    else:
        kind = STATUSES.get(reply.status, ServiceError)
        what = f"something before the service answered {reply.status}"
        error = kind(what, mend="Check the address, and the proxy if there is one", retry_after=retry_after(reply))
    request_id = reply.headers.get("X-Request-ID")
    if request_id:
        error.add_note(f"request {request_id}")
    return error


def error_from(failure: Failure, unknown: type[ServiceError] = ServiceError, after: float | None = None) -> PocaiError:
    """The error that a failure stands for; ``unknown`` is raised for a code without a class."""
    mend = str(failure.details.get("mend", ""))
    what = failure.message.removesuffix(f". {mend}") if mend else failure.message
    kind = CODES.get(failure.code, unknown)
    error = kind(what, mend=mend, retry_after=after) if issubclass(kind, ServiceError) else kind(what, mend=mend)
    error.code = failure.code
    if "id" in failure.details:
        error.add_note(f"extraction {failure.details['id']}")
    return error


def passes(reply: Reply) -> bool:
    """Whether the same request may succeed later; 504 only from a proxy: the service's own says that time was up."""
    return reply.status in PASSING or (reply.status == httpx.codes.GATEWAY_TIMEOUT and _failure(reply) is None)


def unreachable(error: httpx.RequestError) -> ServiceError:
    """The error for a connection that could not be made or broke."""
    reason = str(error) or type(error).__name__
    told = errors.Unavailable(f"no answer from the service ({reason})", mend="Is `pocai serve` running there?")
    told.__cause__ = error
    return told


def retry_after(reply: Reply) -> float | None:
    """Seconds to wait, from a number or a date (RFC 9110, 10.2.3); None where neither stands there."""
    text = reply.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        then = parsedate_to_datetime(text)
    except ValueError:
        return None
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (then - datetime.now(UTC)).total_seconds())


def _failure(reply: Reply) -> Failure | None:
    try:
        return ErrorAnswer.model_validate_json(reply.content).error
    except ValidationError:
        return None
