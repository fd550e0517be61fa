"""The log: a rotating file under data_dir, with request and job ids, without secrets and queries."""

import logging
import re
import sys
from contextvars import ContextVar
from logging.handlers import RotatingFileHandler
from pathlib import Path

request_id: ContextVar[str] = ContextVar("request_id", default="-")
job_id: ContextVar[str] = ContextVar("job_id", default="-")

FORMAT = "%(asctime)s %(levelname)s %(name)s [request %(request_id)s] [job %(job_id)s] %(message)s"
MAX_BYTES = 5 << 20
BACKUPS = 3

# Tokens of ours, QStash's signing keys, bearer headers, the header with the queue's secret, passwords in addresses, and
# the query of any address (signatures live there).
_SECRETS = (
    (re.compile(r"\bmom_[A-Za-z0-9_-]{8,}"), "mom_***"),
    (re.compile(r"\bsig_[A-Za-z0-9]{8,}"), "sig_***"),
    (re.compile(r"(?i)(api[-_]secret(?:['\"]?\s*[:=]|['\"],)\s*)\S+"), r"\1***"),
    (re.compile(r"(?i)\b(bearer)\s+\S+"), r"\1 ***"),
    (re.compile(r"(\w+://[^:/@\s]*):[^@/\s]+@"), r"\1:***@"),
    (re.compile(r"(?i)(password|secret_key|token)=\S+"), r"\1=***"),
    (re.compile(r"(\w+://[^\s?\"']+|/files/[^\s?\"']+)\?[^\s\"']+"), r"\1?***"),
)


def mask(text: str) -> str:
    """The text without anything that must stay secret."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        if (told := record.__dict__.get("told")) is None:  # a file that may have to be rotated asks twice
            record.request_id = request_id.get()
            record.job_id = job_id.get()
            told = record.told = mask(super().format(record))
        return str(told)


def log_file(data_dir: Path, name: str) -> Path:
    return data_dir / "logs" / f"{name}.log"


def setup(data_dir: Path, name: str, *, verbose: int = 0) -> Path:
    """Log to data_dir/logs/<name>.log, and with `verbose` to standard error too. Returns the file's path."""
    path = log_file(data_dir, name)
    logging.raiseExceptions = False  # a log that cannot be written, on a full disk, must not disturb what goes on
    root = logging.getLogger()
    root.handlers.clear()
    root.setLevel(logging.DEBUG if verbose > 1 else logging.INFO)
    try:
        for folder in (data_dir, path.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _add(
            root,
            RotatingFileHandler(
                path, maxBytes=MAX_BYTES, backupCount=BACKUPS, encoding="utf-8", errors="backslashreplace", delay=True
            ),
        )
    except OSError:
        _add(root, logging.NullHandler())  # a data folder that cannot be written is reported by whoever needs it
    if verbose:
        _add(root, logging.StreamHandler(sys.stderr))
    _quieten()
    return path


def setup_stderr() -> None:
    """Log to standard error alone, where a platform collects it."""
    root = logging.getLogger()
    root.handlers.clear()
    root.setLevel(logging.INFO)
    _add(root, logging.StreamHandler(sys.stderr))
    _quieten()


def _quieten() -> None:
    for noisy in ("httpx", "httpcore", "uvicorn.access", "PIL", "exifread", "procrastinate"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _add(root: logging.Logger, handler: logging.Handler) -> None:
    handler.setFormatter(_Formatter(FORMAT))
    root.addHandler(handler)
