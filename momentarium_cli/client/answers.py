"""Answers that are no success, as the errors that they stand for."""

import json
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from momentarium_cli.client.store_errors import store_error
from momentarium_cli.errors import BadRequest, MomentariumError, NotMomentarium, Temporary, Throttled


def api_error(origin: str, status: int, retry_after: str | None, body: bytes) -> MomentariumError:
    """The error that the server at `origin` raised, as it was raised there. `retry_after` is the header's text."""
    try:
        problem = json.loads(body)
        detail, code = str(problem["detail"]), str(problem["code"])
    except (ValueError, KeyError, TypeError):
        return _for_status(origin, status, retry_after)
    cls = _by_status(status)
    for candidate in classes(MomentariumError):
        if candidate.code == code:
            cls = candidate
    return cls(detail, code=code, retry_after=_seconds(retry_after), details=problem.get("errors", ()))


def stored_error(origin: str, status: int, retry_after: str | None, body: bytes) -> MomentariumError:
    """The same of a store, which may be the server's own."""
    return store_error(origin, status, body, _seconds(retry_after)) or api_error(origin, status, retry_after, body)


def not_ours() -> MomentariumError:
    return NotMomentarium(
        "What answers at server.url is not Momentarium.",
        hint="Check the address, and that no proxy or sign-in page answers in its place.",
    )


def classes(cls: type[MomentariumError]) -> Iterator[type[MomentariumError]]:
    """A class of errors and all below it."""
    yield cls
    for child in cls.__subclasses__():
        yield from classes(child)


def _for_status(origin: str, status: int, retry_after: str | None) -> MomentariumError:
    if status == 429:
        return Throttled("The server asks to go slower.", retry_after=_seconds(retry_after))
    if status >= 500:
        return Temporary(f"{origin} answers {status}.", retry_after=_seconds(retry_after))
    return not_ours()


def _by_status(status: int) -> type[MomentariumError]:
    if status == MomentariumError.status:
        return MomentariumError
    return next((cls for cls in classes(MomentariumError) if cls.status == status), BadRequest)


def _seconds(retry_after: str | None) -> float | None:
    """Of the header, which tells them, or a date (RFC 9110, 10.2.3)."""
    text = retry_after or ""
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
