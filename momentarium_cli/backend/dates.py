"""Which cameras of a library were left at another date, and what changed about that since its last job."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from momentarium_cli.backend.db import albums as rows
from momentarium_cli.backend.db.pool import Connection
from momentarium_cli.backend.organize.clocks import KNOWS, PHOTOS
from momentarium_cli.backend.organize.misdated import WrongDate, wrong_dates

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Dates:
    """What is wrong now, and what was found wrong when albums were made last."""

    found: Sequence[WrongDate] = ()
    before: Sequence[WrongDate] = ()

    @property
    def changed(self) -> list[WrongDate]:
        return sorted({*self.found} ^ {*self.before}, key=lambda one: (one.camera, one.since))

    def left(self) -> list[rows.Span]:
        """Where the albums are that photos with other dates were in, in any zone."""
        spans = [(one.since, one.until) for one in self.changed]
        spans += [(one.since + one.shift, one.until + one.shift) for one in self.changed]
        return [(_utc(since) - DAY, _utc(until) + DAY) for since, until in sorted(spans)]


def dated(conn: Connection) -> Dates:
    """Look at the whole library, and give its photos the dates that are right now."""
    before = [_wrong_date(row) for row in rows.wrong_dates(conn)]
    found = _found(conn)
    if found or before:
        rows.redate(conn, [_row(one) for one in found])
    return Dates(found, before)


def keep(conn: Connection, dates: Dates) -> None:
    if dates.changed:
        rows.keep_wrong_dates(conn, [_row(one) for one in dates.found])


def _found(conn: Connection) -> list[WrongDate]:
    cameras = rows.cameras(conn)
    lost = [row["camera"] for row in cameras if not row["located"] and row["photos"] >= PHOTOS]
    sure = [row["camera"] for row in cameras if row["located"] >= KNOWS * row["photos"]]
    if not lost or not sure:
        return []
    taken = {camera: np.array(minutes) for camera, minutes in rows.minutes(conn, lost, located=False).items()}
    known = rows.minutes(conn, sure, located=True)
    return wrong_dates(taken, np.unique(np.concatenate([np.array(minutes) for minutes in known.values()])))


def _row(one: WrongDate) -> dict[str, Any]:
    return {
        "camera": one.camera,
        "since": one.since.isoformat(),
        "until": one.until.isoformat(),
        "seconds": int(one.shift.total_seconds()),
        "matched": one.matched,
    }


def _wrong_date(row: dict[str, Any]) -> WrongDate:
    return WrongDate(
        row["camera"],
        datetime.fromisoformat(row["since"]),
        datetime.fromisoformat(row["until"]),
        timedelta(seconds=row["seconds"]),
        row["matched"],
    )


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC)
