import re
from collections.abc import Iterator

import pytest

from momentarium_cli import errors
from momentarium_cli.errors import MomentariumError, NotFound


def family(cls: type[MomentariumError]) -> Iterator[type[MomentariumError]]:
    yield cls
    for child in cls.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from family(child)


FAMILY = list(family(MomentariumError))
_LINE = re.compile(r"^([│├└─ ]*)(\w+) +(\d+) +(\d+) +(\w+)$", re.MULTILINE)


def test_the_tree_in_the_docstring_is_the_real_tree() -> None:
    drawn = [
        (len(indent) // 4, name, int(exit_code), int(status), code)
        for indent, name, exit_code, status, code in _LINE.findall(errors.__doc__ or "")
    ]
    real = [(len(cls.__mro__) - 4, cls.__name__, cls.exit_code, cls.status, cls.code) for cls in FAMILY]
    assert drawn == [(depth, *rest) for depth, *rest in real]


@pytest.mark.parametrize("cls", FAMILY, ids=lambda cls: cls.__name__)
def test_every_error_says_what_it_is(cls: type[MomentariumError]) -> None:
    assert cls.__doc__ and cls.title
    assert cls.exit_code in {1, 2, 4, 5, 6, 8, 75, 130}
    assert 400 <= cls.status < 600
    assert {"code", "title"} <= vars(cls).keys(), "a code and a title of its own"


def test_no_two_errors_have_the_same_code() -> None:
    assert len({cls.code for cls in FAMILY}) == len(FAMILY)


def test_the_text_is_the_message_and_what_to_do() -> None:
    assert str(NotFound("There is no such album.")) == "There is no such album."
    assert str(NotFound("There is no such album.", hint="List them.")) == "There is no such album. List them."


def test_one_error_may_have_a_code_of_its_own() -> None:
    assert NotFound("Gone.").error_code == "not_found"
    assert NotFound("Gone.", code="gone").error_code == "gone"
