"""Connections to PostgreSQL, and the two ways to use one.

transaction(user_id)   as the application, which sees only this user's rows
administration()       as the owner of the tables: migrations, users and tokens

Both give a connection inside a transaction; leaving the block commits, an exception rolls back. What was put into
`after_commit` is called once it is committed and the connection given back, in order; it must not raise.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolTimeout, TooManyRequests

from momentarium_cli.errors import DatabaseUnavailable, InsufficientStorage

APP_ROLE = "momentarium_app"

# A process that is frozen, or a machine that is gone, must not keep its locks: others wait for its jobs.
_IDLE_SECONDS = 20.0

# Role, user and time-out are set for the transaction alone, so that none leaks through a pooler.
_BECOME = (
    "select set_config('role', %s, true), set_config('app.user_id', %s, true),"
    " set_config('idle_in_transaction_session_timeout', %s, true)"
)

_LOST = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.IdleInTransactionSessionTimeout)


class Connection(psycopg.Connection[dict[str, Any]]):
    """A connection inside a transaction."""

    after_commit: list[Callable[[], None]]


class Database:
    """A pool of connections. Opening it connects lazily; a database that is down raises DatabaseUnavailable."""

    def __init__(self, conninfo: str, *, direct_conninfo: str | None = None, max_size: int = 10) -> None:
        self.conninfo = conninfo
        self.direct_conninfo = direct_conninfo or conninfo
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            conninfo,
            connection_class=Connection,
            kwargs={"row_factory": dict_row, "prepare_threshold": None, "connect_timeout": 5},
            min_size=1,
            max_size=max_size,
            timeout=5,
            max_waiting=200,
            max_lifetime=1800,
            reconnect_timeout=10,
            check=ConnectionPool.check_connection,
            open=True,
        )

    @contextmanager
    def transaction(self, user_id: int | None) -> Iterator[Connection]:
        """A transaction that sees and writes only rows of this user; without one, only what belongs to nobody."""
        with self._connection() as conn:
            idle = str(round(_IDLE_SECONDS * 1000))
            conn.execute(_BECOME, (APP_ROLE, "" if user_id is None else str(user_id), idle))
            yield conn

    @contextmanager
    def administration(self) -> Iterator[Connection]:
        """A transaction of the owner."""
        with self._connection() as conn:
            yield conn

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        committed: list[Callable[[], None]] = []
        try:
            with self._pool.connection() as conn:
                conn.after_commit = committed
                yield conn
        except (PoolTimeout, TooManyRequests) as error:
            raise DatabaseUnavailable("The database does not answer, or is too busy.", retry_after=5) from error
        except psycopg.errors.DiskFull as error:
            raise InsufficientStorage("The disk of the database is full.", hint="Free some space there.") from error
        except _LOST as error:
            logging.getLogger(__name__).warning("database: %s", error)
            raise DatabaseUnavailable("The connection to the database was lost.", retry_after=2) from error
        for act in committed:
            act()

    def close(self) -> None:
        self._pool.close(timeout=2)
