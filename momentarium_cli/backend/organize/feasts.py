"""Public holidays, by the country in which photos were taken."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache

SHORT = 4  # days; what lasts longer has a name of its own
SHARE = 0.5  # of its photos: an album is of the holiday on which at least so many were taken


def feast(times: Sequence[datetime], country_code: str, language: str) -> str | None:
    """The holiday that an album with these local times is of, in the language; None where there is none, or where
    its name is not known in that language."""
    days = Counter(time.date() for time in times)
    if (max(days) - min(days)).days >= SHORT:
        return None
    day, photos = max(days.items(), key=lambda item: (item[1], item[0]))
    return _names(country_code, day.year, language).get(day) if photos >= SHARE * len(times) else None


@lru_cache(maxsize=256)
def _names(country_code: str, year: int, language: str) -> Mapping[date, str]:
    """Days with one name that needs no remark: not those that stand in for another, or that fall together."""
    import holidays

    try:
        spoken = holidays.country_holidays(country_code).supported_languages
    except NotImplementedError:
        return {}
    code = next((code for code in sorted(spoken) if code.partition("_")[0] == language), None)
    if code is None:
        return {}
    found = holidays.country_holidays(country_code, years=year, language=code)
    return {day: name for day, name in found.items() if not set(name) & set(";(/")}
