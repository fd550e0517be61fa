import pytest
import typer

from momentarium_cli.cli import units


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("45s", 45),
        ("15m", 900),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("1D", 86400),
        ("2w", 1209600),
    ],
)
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert units.seconds(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [("500", 500), ("100k", 100_000), ("10M", 10_000_000), ("1.5G", 1_500_000_000), ("1TB", 10**12), ("64KiB", 65536)],
)
def test_sizes_are_in_thousands_unless_they_say_otherwise(text: str, size: int) -> None:
    assert units.size(text) == size


@pytest.mark.parametrize("text", ["", "h", "2x", "-5m", "1h 30m", "2h,"])
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="such as 45s, 90m, 2h"):
        units.seconds(text)


@pytest.mark.parametrize("text", ["", "G", "-1G", "10X", "1 G", "10i"])
def test_what_is_no_size_is_refused_with_examples(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="such as 100k, 10M"):
        units.size(text)
