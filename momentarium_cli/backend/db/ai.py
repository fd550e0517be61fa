"""Rows of ai_answers and ai_requests."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.types.json import Jsonb

from momentarium_cli.backend.db.pool import Connection
from momentarium_cli.backend.db.sql import load

SQL = load("ai")


def answers(conn: Connection, keys: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    rows = conn.execute(SQL["answers"], {"keys": list(keys)}).fetchall()
    return {row["question_sha256"]: row["decision"] for row in rows}


def keep(conn: Connection, key: str, decision: Mapping[str, Any]) -> None:
    conn.execute(SQL["keep"], {"key": key, "decision": Jsonb(dict(decision))})


def reserve(conn: Connection, model: str, cost: float, limit: float) -> int | None:
    """The request's id; None if this month's requests of all users would cost more than `limit` dollars."""
    row = conn.execute(SQL["reserve"], {"model": model, "cost": cost, "limit": limit}).fetchone()
    return row["id"] if row else None


def settle(conn: Connection, request: int, cost: float, input_tokens: int, output_tokens: int) -> None:
    values = {"id": request, "cost": cost, "input_tokens": input_tokens, "output_tokens": output_tokens}
    conn.execute(SQL["settle"], values)
