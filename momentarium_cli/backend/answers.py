"""What models answered about a user's events, and what all of that costs in a month."""

from collections.abc import Mapping, Sequence
from typing import Any

from momentarium_cli.backend.db import ai
from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.organize.prices import Usage


class Answers:
    """The memory of a user's organizer. `limit`: dollars that all users together may spend in a month."""

    def __init__(self, database: Database, user_id: int, limit: float) -> None:
        self._database = database
        self._user_id = user_id
        self._limit = limit

    def recall(self, keys: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        with self._database.transaction(self._user_id) as conn:
            return ai.answers(conn, keys)

    def keep(self, key: str, decision: Mapping[str, Any]) -> None:
        with self._database.transaction(self._user_id) as conn:
            ai.keep(conn, key, decision)

    def reserve(self, model: str, cost: float) -> int | None:
        with self._database.transaction(self._user_id) as conn:
            return ai.reserve(conn, model, cost, self._limit)

    def settle(self, request: int, usage: Usage, cost: float) -> None:
        with self._database.transaction(self._user_id) as conn:
            ai.settle(conn, request, cost, usage.input_tokens, usage.output_tokens)
