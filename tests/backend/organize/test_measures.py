from math import log

import pytest

from tests.backend.organize.measures import b_cubed_f1, boundary_f1, found, nmi


def test_equal_albums_are_perfect_whatever_they_are_called() -> None:
    assert b_cubed_f1("aabb", "xxyy") == 1
    assert nmi("aabb", "xxyy") == pytest.approx(1)
    assert boundary_f1("aabb", "xxyy") == 1
    assert found("aabb", "xxyy", 0.75) == 1


def test_one_album_for_all_has_every_mate_and_half_of_them_wrong() -> None:
    assert b_cubed_f1("aaaa", "xxyy") == pytest.approx(2 * 0.5 * 1 / 1.5)
    assert nmi("aaaa", "xxyy") == 0
    assert boundary_f1("aaaa", "xxyy") == 0
    assert found("aaaa", "xxyy", 0.5) == 1
    assert found("aaaa", "xxyy", 0.75) == 0


def test_an_album_for_each_has_no_wrong_mate_and_half_of_the_right_ones() -> None:
    assert b_cubed_f1("abcd", "xxyy") == pytest.approx(2 * 1 * 0.5 / 1.5)
    assert nmi("abcd", "xxyy") == pytest.approx(log(2) / ((log(4) + log(2)) / 2))
    assert boundary_f1("abcd", "xxyy") == pytest.approx(2 * 1 / (3 + 1))


def test_single_albums_agree() -> None:
    assert nmi("aa", "xx") == 1
    assert boundary_f1("aa", "xx") == 1
