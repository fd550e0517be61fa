from itertools import pairwise

from momentarium_cli.cli.interval import Interval


def test_lines_become_rare_and_stay_regular() -> None:
    now = 0.0
    interval = Interval(lambda: now)
    due = []
    for second in range(3600):
        now = float(second)
        if interval.is_over():
            due.append(second)
    assert due[:6] == [10, 30, 70, 150, 310, 610]
    assert {later - earlier for earlier, later in pairwise(due[5:])} == {300}
