"""Databases for tests: a template that is migrated once, and cheap clones of it."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg.conninfo import make_conninfo

from momentarium_cli.backend.db.migrate import migrate

_TEMPLATE = "template_momentarium"


@dataclass(frozen=True)
class Cluster:
    """A running PostgreSQL; `conninfo` is its superuser's."""

    conninfo: str
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @classmethod
    def prepared(cls, conninfo: str) -> "Cluster":
        """With a migrated template. Nothing here has to outlive a power cut, so the disk is not waited for."""
        cluster = cls(conninfo)
        cluster.run("alter system set fsync = off", "select pg_reload_conf()", f"create database {_TEMPLATE}")
        migrate(cluster.address(_TEMPLATE))
        return cluster

    def address(self, name: str, **parts: str) -> str:
        return make_conninfo(self.conninfo, dbname=name, **parts)

    def run(self, *statements: str) -> None:
        with psycopg.connect(self.conninfo, autocommit=True) as conn:
            for statement in statements:
                conn.execute(statement)

    @contextmanager
    def clone(self, template: str = _TEMPLATE) -> Iterator[str]:
        """The conninfo of a new database, which is dropped at the end."""
        name = f"test_{next(self._numbers)}"
        self.run(f"create database {name} template {template} strategy file_copy")
        try:
            yield self.address(name)
        finally:
            self.run(f"drop database {name} with (force)")
