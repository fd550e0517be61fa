"""An import and what other runs hand over to it; budgets that end it."""

from pathlib import Path
from typing import Any

import pytest

from momentarium_cli.client import events
from momentarium_cli.client.budget import Budget
from momentarium_cli.client.events import Summary
from momentarium_cli.client.imports import Options
from momentarium_cli.client.open_import import IfHeld
from momentarium_cli.client.settling import Settling
from momentarium_cli.client.transport import Answer, Transport
from momentarium_cli.client.turns import HandedOver
from momentarium_cli.errors import ServerUnreachable
from momentarium_cli.models import JobState
from momentarium_cli.photos.choice import Choice
from tests.client.conftest import Library
from tests.client.photos import dated, event
from tests.client.runs import QUICK, counts, run, summary


def hand_over(library: Library, folder: Path, **options: Any) -> None:
    with library.open() as second, pytest.raises(HandedOver):
        list(second.events([folder], options=Options(**options), if_held=IfHeld.HAND_OVER))


def test_what_is_handed_over_is_imported_with_its_own_options(library: Library, folder: Path, tmp_path: Path) -> None:
    event(folder, 2)
    other = tmp_path / "other"
    event(other, 2, seed=5)
    large = dated(other / "large.jpg", seed=99)
    large.write_bytes(large.read_bytes() + bytes(1 << 20))
    with library.open() as first, first.open_import([folder], options=Options(wait=False)) as turn:
        imports = turn.imports()
        own, errand = next(imports)
        assert errand is None
        assert counts(summary(list(own.events()))) == {"uploaded": 2}
        hand_over(library, other, wait=False, choice=Choice(min_size=1 << 20))
        done, errand = next(imports)
        assert errand == f"momentarium upload {other}"
        assert counts(summary(list(done.events()))) == {"uploaded": 1}
        assert next(imports, None) is None


def test_what_is_handed_over_to_a_watch_is_imported_though_it_is_fresh(
    library: Library, folder: Path, tmp_path: Path
) -> None:
    event(folder, 2)
    event(tmp_path / "other", 3, seed=5)
    with library.open() as watch, watch.open_import([folder], options=QUICK, settling=Settling(3600)) as turn:
        imports = turn.imports()
        assert counts(summary(list(next(imports)[0].events()))) == {}
        hand_over(library, tmp_path / "other", wait=False)
        assert counts(summary(list(next(imports)[0].events()))) == {"uploaded": 3}


def test_the_sdk_does_for_others_what_they_hand_over(library: Library, folder: Path, tmp_path: Path) -> None:
    event(folder, 2)
    event(tmp_path / "other", 3, seed=5)
    with library.open() as first:
        told = first.events([folder], options=Options(wait=False))
        next(told)
        hand_over(library, tmp_path / "other", wait=False)
        hand_over(library, tmp_path / "gone", wait=False)
        *_, last = told
    assert isinstance(last, Summary)
    assert counts(last) == {"uploaded": 2}
    assert counts(summary(run(library, tmp_path / "other"))) == {"unchanged": 3}


def test_what_cannot_be_understood_is_passed_over(library: Library, folder: Path) -> None:
    event(folder, 1)
    with library.open() as first, first.open_import([folder], options=Options(wait=False)) as turn:
        imports = turn.imports()
        list(next(imports)[0].events())
        (waiting,) = library.settings.data_dir.glob("journals/*.turn")
        (waiting / "0.json").write_text('{"what": "a later one", "wanted": {"paths": ["/p"], "options": {"order": 7}}}')
        assert next(imports, None) is None
    assert list(waiting.glob("*.json")) == []


# --- budgets -------------------------------------------------------------------------------------------------------


def spend(library: Library, folder: Path, options: Options, **limits: Any) -> list[events.Event]:
    with library.open() as momentarium:
        budget = Budget(momentarium.stop, **limits)
        with momentarium.open_import([folder], options=options, budget=budget) as turn:
            return [told for import_, _ in turn.imports() for told in import_.events()]


def spend_time(library: Library, folder: Path, last: type[events.Event], number: int) -> list[events.Event]:
    """An import whose time is over after so many of these events."""
    told: list[events.Event] = []
    seconds = 0.0
    with library.open() as momentarium:
        budget = Budget(momentarium.stop, max_seconds=number - 0.5, clock=lambda: seconds)
        with momentarium.open_import([folder], budget=budget) as turn:
            for import_, _ in turn.imports():
                for each in import_.events():
                    told.append(each)
                    seconds += isinstance(each, last)
    return told


def test_a_budget_of_bytes_organizes_what_is_stored_and_leaves_the_rest_to_the_next_run(
    library: Library, folder: Path
) -> None:
    event(folder, 80)
    with library.working():
        told = spend(library, folder, Options(), max_bytes=1)
    ended = summary(told)
    done = counts(ended)
    assert set(done) == {"uploaded", "pending"}
    assert events.BudgetReached("max_transfer") in told
    assert [job.status for job in ended.jobs] == [JobState.COMPLETED]
    assert sum(album.photos for album in ended.albums) == done["uploaded"]
    assert counts(summary(run(library, folder))) == {"unchanged": done["uploaded"], "uploaded": done["pending"]}


def test_a_budget_that_the_last_photo_uses_up_leaves_nothing_to_the_next_run(library: Library, folder: Path) -> None:
    event(folder, 1)
    with library.working():
        told = spend(library, folder, Options(), max_bytes=1)
    assert counts(summary(told)) == {"uploaded": 1}
    assert [job.status for job in summary(told).jobs] == [JobState.COMPLETED]
    assert not any(isinstance(each, events.BudgetReached) for each in told)


def test_a_budget_that_is_not_used_up_is_not_told(library: Library, folder: Path) -> None:
    event(folder, 3)
    told = spend(library, folder, QUICK, max_bytes=10**9, max_seconds=3600)
    assert counts(summary(told)) == {"uploaded": 3}
    assert not any(isinstance(each, events.BudgetReached) for each in told)


def test_no_time_at_all_is_told_and_does_no_harm(library: Library, folder: Path) -> None:
    event(folder, 3)
    told = spend(library, folder, QUICK, max_seconds=0)
    assert counts(summary(told)).get("uploaded") is None
    assert events.BudgetReached("max_duration") in told
    assert counts(summary(run(library, folder))) == {"uploaded": 3}


def test_time_that_is_over_while_albums_are_made_leaves_them_to_the_server(library: Library, folder: Path) -> None:
    event(folder, 3)
    told = spend_time(library, folder, events.JobProgress, 1)  # nobody works on it
    assert counts(summary(told)) == {"uploaded": 3}
    assert events.BudgetReached("max_duration") in told
    assert [job.status for job in summary(told).jobs] == [JobState.PENDING]


def test_time_that_is_over_once_the_last_photo_is_sent_still_has_all_of_them_organized(
    library: Library, folder: Path
) -> None:
    event(folder, 3)
    told = spend_time(library, folder, events.Uploaded, 3)
    assert counts(summary(told)) == {"uploaded": 3}
    assert events.BudgetReached("max_duration") in told
    assert [job.total for job in summary(told).jobs] == [3]


def test_time_that_is_over_while_the_server_is_away_leaves_what_is_stored_to_the_next_run(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    event(folder, 3)
    seconds, once = 0.0, Transport._once

    def away(self: Transport, method: str, path: str, *more: Any) -> Answer:
        nonlocal seconds
        if path != "/api/galleries/process":
            return once(self, method, path, *more)
        seconds = 10.0
        raise ServerUnreachable("It is away.")

    with monkeypatch.context() as patched:
        patched.setattr(Transport, "_once", away)
        told = spend(library, folder, Options(), max_seconds=5, clock=lambda: seconds)
    assert counts(summary(told)) == {"uploaded": 3}
    assert summary(told).jobs == ()
    assert events.BudgetReached("max_duration") in told
    later = run(library, folder)
    assert [each.photos for each in later if isinstance(each, events.JobStarted)] == [3]
