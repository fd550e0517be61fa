"""Every error a person can meet. Each class owns its exit code, its HTTP status and a stable code.

MomentariumError                      1    500  internal
├── UsageError                        2    400  usage
│   ├── SettingsError                 2    500  settings
│   ├── BadRequest                    2    400  bad_request
│   │   └── NotMomentarium            2    400  not_momentarium
│   ├── NotFound                      2    404  not_found
│   ├── MethodNotAllowed              2    405  method_not_allowed
│   ├── Conflict                      2    409  conflict
│   ├── AlreadyStored                 2    412  already_stored
│   ├── TooLarge                      2    413  too_large
│   └── NotAsDescribed                2    422  not_as_described
├── NotAllowed                        4    401  unauthorized
│   └── Forbidden                     4    403  forbidden
├── Temporary                         5    503  unavailable
│   ├── ServerUnreachable             5    503  server_unreachable
│   ├── DatabaseUnavailable           5    503  database_unavailable
│   ├── StorageUnavailable            5    503  storage_unavailable
│   ├── InsufficientStorage           5    507  insufficient_storage
│   └── Throttled                     5    429  throttled
├── JobFailed                         6    500  job_failed
├── NothingUsable                     8    400  nothing_usable
├── LockHeld                          75   503  lock_held
└── Stopped                           130  503  stopped

A message is one line and says what happened; `hint` says what to do, where the message does not.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class MomentariumError(Exception):
    """Something went wrong; the base of every error of ours. As itself it is a bug in Momentarium."""

    exit_code: ClassVar[int] = 1
    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        details: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.error_code = code or self.code
        self.retry_after = retry_after
        self.details = tuple(details)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class UsageError(MomentariumError):
    """The command line, or what it names, cannot be used as given."""

    exit_code = 2
    status = 400
    code = "usage"
    title = "Usage error"


class SettingsError(UsageError):
    """One or more settings cannot be used; the message lists all of them."""

    status = 500
    code = "settings"
    title = "Settings error"


class BadRequest(UsageError):
    """A request is malformed or not what the schema says."""

    code = "bad_request"
    title = "Bad request"


class NotMomentarium(BadRequest):
    """What answers in the server's place is another program."""

    code = "not_momentarium"
    title = "Not Momentarium"


class NotFound(UsageError):
    """There is no such thing, or it is another's."""

    status = 404
    code = "not_found"
    title = "Not found"


class MethodNotAllowed(UsageError):
    """The address exists, the method does not."""

    status = 405
    code = "method_not_allowed"
    title = "Method not allowed"


class Conflict(UsageError):
    """The request contradicts an earlier one, or the state of what it names."""

    status = 409
    code = "conflict"
    title = "Conflict"


class AlreadyStored(UsageError):
    """There is an object under this key, and nothing is ever overwritten."""

    status = 412
    code = "already_stored"
    title = "Already stored"


class TooLarge(UsageError):
    """A body or a list is larger than allowed."""

    status = 413
    code = "too_large"
    title = "Too large"


class NotAsDescribed(UsageError):
    """Objects in the store are missing or are not what the request says."""

    status = 422
    code = "not_as_described"
    title = "Not stored as described"


class NotAllowed(MomentariumError):
    """The token or signature is missing, wrong or expired."""

    exit_code = 4
    status = 401
    code = "unauthorized"
    title = "Unauthorized"


class Forbidden(NotAllowed):
    """The token is good, but not for this."""

    status = 403
    code = "forbidden"
    title = "Forbidden"


class Temporary(MomentariumError):
    """Something is out of reach for the moment; the same again later may succeed."""

    exit_code = 5
    status = 503
    code = "unavailable"
    title = "Temporarily unavailable"


class ServerUnreachable(Temporary):
    """The backend does not answer."""

    code = "server_unreachable"
    title = "Server unreachable"


class DatabaseUnavailable(Temporary):
    """The database does not answer, or all of its connections are busy."""

    code = "database_unavailable"
    title = "Database unavailable"


class StorageUnavailable(Temporary):
    """The object store does not answer."""

    code = "storage_unavailable"
    title = "Storage unavailable"


class InsufficientStorage(Temporary):
    """The disk is full, or too small for what is to come."""

    status = 507
    code = "insufficient_storage"
    title = "Insufficient storage"


class Throttled(Temporary):
    """Too many requests."""

    status = 429
    code = "throttled"
    title = "Too many requests"


class JobFailed(MomentariumError):
    """The photos are safe, but the job that makes their albums failed or took too long."""

    exit_code = 6
    code = "job_failed"
    title = "Job failed"


class NothingUsable(MomentariumError):
    """The paths hold nothing that can be used."""

    exit_code = 8
    status = 400
    code = "nothing_usable"
    title = "Nothing usable"


class LockHeld(MomentariumError):
    """Another run holds the lock."""

    exit_code = 75
    status = 503
    code = "lock_held"
    title = "Lock held"


class Stopped(MomentariumError):
    """A signal ended the run; what was done is kept."""

    exit_code = 130
    status = 503
    code = "stopped"
    title = "Stopped"
