"""Errors to status codes, in this one place: google.rpc codes, HTTP codes, and the JSON that carries them.

There are two layers, as in Google's API: a fault of one picture is a `google.rpc.Status` inside an answer that is
otherwise fine (`error_to_status`); a fault of the whole request is an HTTP error with an envelope (`error_to_reply`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from starlette.responses import JSONResponse

from szem.errors import (
    BusyError,
    CardError,
    DeniedError,
    FileMissingError,
    MissingExtraError,
    ModelError,
    NotFoundError,
    StoreError,
    SzemError,
    TimeLimitError,
    TooLargeError,
    TrainError,
    UnsupportedError,
)

__all__ = [
    "Code",
    "CodingError",
    "FieldError",
    "FieldsError",
    "MissingKeyError",
    "SlowRequestError",
    "UnavailableError",
    "Violation",
    "code_of",
    "error_to_reply",
    "error_to_status",
    "http_to_reply",
    "message_of",
    "reply",
]

BAD_REQUEST_TYPE = "type.googleapis.com/google.rpc.BadRequest"


class Code(IntEnum):
    """google.rpc.Code. Source: googleapis, google/rpc/code.proto."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


_HTTP: dict[Code, int] = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}

# From the HTTP codes the framework itself answers with.
_CODE_OF_HTTP = {
    404: Code.NOT_FOUND,
    405: Code.UNIMPLEMENTED,
    408: Code.DEADLINE_EXCEEDED,
    429: Code.RESOURCE_EXHAUSTED,
}


class SlowRequestError(SzemError, TimeoutError):
    """The caller began a request and does not finish sending it."""


class UnavailableError(SzemError, ConnectionError):
    """Something the server needs does not answer now; asking again helps."""


class MissingKeyError(DeniedError):
    """The owner's key is needed, and did not come."""


class CodingError(UnsupportedError):
    """A body is packed in a way that is not taken."""


# First match wins; everything else that szem raises on purpose is the caller's input: INVALID_ARGUMENT.
_CODES: tuple[tuple[type[BaseException], Code], ...] = (
    (SlowRequestError, Code.DEADLINE_EXCEEDED),
    (TimeLimitError, Code.DEADLINE_EXCEEDED),
    (UnavailableError, Code.UNAVAILABLE),
    (StoreError, Code.UNAVAILABLE),
    (BusyError, Code.RESOURCE_EXHAUSTED),
    (MissingKeyError, Code.UNAUTHENTICATED),
    (CodingError, Code.INVALID_ARGUMENT),
    (DeniedError, Code.PERMISSION_DENIED),
    (NotFoundError, Code.NOT_FOUND),
    (FileMissingError, Code.NOT_FOUND),
    (UnsupportedError, Code.UNIMPLEMENTED),
    (MissingExtraError, Code.UNIMPLEMENTED),
    (ModelError, Code.INTERNAL),
    (CardError, Code.INTERNAL),
    (TrainError, Code.INTERNAL),
    (SzemError, Code.INVALID_ARGUMENT),
    (TimeoutError, Code.DEADLINE_EXCEEDED),
)


@dataclass(frozen=True)
class Violation:
    """One fault in a request: where, and what is wrong there."""

    field: str
    description: str


class FieldsError(SzemError, ValueError):
    """A request breaks rules; `violations` lists each place."""

    def __init__(self, message: str, *, violations: Sequence[Violation] = ()) -> None:
        super().__init__(message)
        self.violations = tuple(violations)


class FieldError(SzemError):
    """Another error together with the field it is about."""

    def __init__(self, error: SzemError, field: str) -> None:
        super().__init__(str(error))
        self.error = error
        self.field = field


def code_of(error: BaseException) -> Code:
    """The google.rpc code of an error; INTERNAL for one that nobody meant.

    >>> code_of(DeniedError("no")).name
    'PERMISSION_DENIED'
    """
    if isinstance(error, FieldError):
        error = error.error
    return next((code for kind, code in _CODES if isinstance(error, kind)), Code.INTERNAL)


def message_of(error: BaseException) -> str:
    """What to tell the caller: our own sentences, never the text of an error nobody meant."""
    if isinstance(error, SzemError):
        return str(error)
    if isinstance(error, TimeoutError):
        return str(error) or "this took longer than the server allows; send fewer or smaller pictures"
    return "an internal fault; the server's log has it under this request's id"


def error_to_status(error: BaseException, *, field: str = "") -> dict[str, Any]:
    """A fault of one picture, as google.rpc.Status in JSON form.

    Args:
        error: What went wrong.
        field: Where in the request, such as `requests[0].image.content`; reported in `details`.
    """
    status: dict[str, Any] = {"code": int(code_of(error)), "message": message_of(error)}
    if isinstance(error, FieldError):
        field = error.field
    violations = list(error.violations) if isinstance(error, FieldsError) else []
    if field and not violations:
        violations = [Violation(field, message_of(error))]
    if violations:
        status["details"] = [_bad_request(violations)]
    return status


def _bad_request(violations: Sequence[Violation]) -> dict[str, Any]:
    rows = [{"field": v.field, "description": v.description} for v in violations]
    return {"@type": BAD_REQUEST_TYPE, "fieldViolations": rows}


def error_to_reply(error: BaseException, *, own: bool = False) -> JSONResponse:
    """A fault of a whole request, as an HTTP reply.

    Args:
        error: What went wrong.
        own: On szem's own routes a body that is too large gets 413; Google's dialect says 400.
    """
    code = code_of(error)
    place = error.field if isinstance(error, FieldError) else ""
    if isinstance(error, FieldError):
        error = error.error
    http = _HTTP[code]
    if isinstance(error, SlowRequestError):
        http = 408
    elif own and isinstance(error, TooLargeError):
        http = 413
    elif isinstance(error, CodingError):
        http = 415
    violations = error.violations if isinstance(error, FieldsError) else ()
    if place and not violations:
        violations = (Violation(place, message_of(error)),)
    details = [_bad_request(violations)] if violations else []
    headers = {}
    if isinstance(error, BusyError):
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after_s)))
    elif isinstance(error, MissingKeyError):
        headers["www-authenticate"] = 'Bearer realm="szem"'
    elif isinstance(error, CodingError):
        headers["accept-encoding"] = "gzip"
    return reply(message_of(error), code=code, http=http, details=details, headers=headers)


def http_to_reply(http: int, message: str, *, headers: dict[str, str] | None = None) -> JSONResponse:
    """An HTTP error of the framework (no such page, wrong method) in the same envelope."""
    code = _CODE_OF_HTTP.get(http, Code.INVALID_ARGUMENT if http < 500 else Code.INTERNAL)
    return reply(message, code=code, http=http, headers=headers)


def reply(
    message: str,
    *,
    code: Code,
    http: int | None = None,
    details: Sequence[dict[str, Any]] = (),
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """Google's error envelope: `{"error": {code, message, status, details}}`."""
    number = _HTTP[code] if http is None else http
    body: dict[str, Any] = {"code": number, "message": message, "status": code.name}
    if details:
        body["details"] = list(details)
    return JSONResponse({"error": body}, status_code=number, headers=headers)
