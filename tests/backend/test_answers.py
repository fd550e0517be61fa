from concurrent.futures import ThreadPoolExecutor

import pytest

from momentarium_cli.backend.answers import Answers
from momentarium_cli.backend.organize.prices import Usage
from tests.backend.bench import Bench

KEY, OTHER = "a" * 64, "b" * 64


def answers(bench: Bench, user: int, limit: float = 1.0) -> Answers:
    return Answers(bench.database, user, limit)


def test_an_answer_is_known_to_its_user_alone(bench: Bench) -> None:
    ann, ben = bench.user(), bench.user()
    answers(bench, ann).keep(KEY, {"title": "Beach"})
    answers(bench, ann).keep(KEY, {"title": "Another"})
    assert answers(bench, ann).recall([KEY, OTHER]) == {KEY: {"title": "Beach"}}
    assert answers(bench, ben).recall([KEY]) == {}


def test_requests_of_all_users_count_and_at_their_real_cost_once_it_is_known(bench: Bench) -> None:
    ann, ben = (answers(bench, bench.user()) for _ in range(2))
    first = ann.reserve("lite", 0.9)
    assert first is not None and ben.reserve("lite", 0.2) is None
    ann.settle(first, Usage(1000, 100), 0.5)
    assert ben.reserve("lite", 0.4) is not None
    assert ann.reserve("lite", 0.2) is None


def test_another_month_has_its_own_limit(bench: Bench) -> None:
    ann = answers(bench, bench.user())
    assert ann.reserve("lite", 1.0) is not None
    bench.run("update ai_requests set asked_at = asked_at - interval '32 days'")
    assert ann.reserve("lite", 1.0) is not None


def test_of_many_at_once_no_more_are_made_than_the_limit_allows(bench: Bench) -> None:
    users = [answers(bench, bench.user()) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: users[number % 4].reserve("lite", 0.3), range(16)))
    assert sum(1 for one in made if one is not None) == 3


def test_nobody_settles_anothers_request(bench: Bench) -> None:
    ann, ben = (answers(bench, bench.user()) for _ in range(2))
    request = ann.reserve("lite", 0.1)
    assert request is not None
    ben.settle(request, Usage(1, 1), 0.0)
    assert [row["cost"] for row in bench.run("select cost from ai_requests")] == [None]
    ann.settle(request, Usage(10, 1), 0.05)
    assert bench.run("select cost, input_tokens from ai_requests") == [
        {"cost": pytest.approx(0.05), "input_tokens": 10}
    ]
