"""Titles and short descriptions of albums from facts alone, in the user's language.

A title says where, or what a person called it, and always when: "Lisbon, 12–15 May 2024", "Weekend in Porto,
10–11 June 2023", "Anna's wedding, 12 May 2024". A description says how many, for how long and, as far as it is known,
where.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime

from momentarium_cli.backend.organize.base import TITLE_LIMIT, Photo
from momentarium_cli.backend.organize.dates import days, is_weekend, month, year
from momentarium_cli.backend.organize.feasts import feast
from momentarium_cli.backend.organize.folders import given_name, names_occasion, without_date
from momentarium_cli.backend.organize.languages import ENGLISH, WORDS, Words
from momentarium_cli.backend.organize.places import Place
from momentarium_cli.backend.organize.text import listed, shorten
from momentarium_cli.backend.organize.whereabouts import MAJORITY, MENTIONED, Whereabouts, place_text

_ENGLISH = WORDS[ENGLISH]


def event_title(
    times: Sequence[datetime],
    place: str | None,
    name: str | None,
    words: Words = _ENGLISH,
    country_code: str | None = None,
) -> str:
    """The title for local capture times; `name` is the folder's, used where no place is known or where it names what
    was celebrated, `country_code` is of all the places.

    It says the days in full: no two events of one place are of the same ones.
    """
    first, last = min(times).date(), max(times).date()
    when = days(first, last, words.code)
    if name and names_occasion(name):
        place = None
    holiday = feast(times, country_code, words.code) if place and country_code else None
    if place and holiday:
        return _joined(words.named_in.format(holiday, place), when, words)
    weekend = is_weekend(times)
    if weekend and not place and not name:
        return words.weekend.format(when)
    if place and weekend:
        return _joined(words.weekend_in.format(place), when, words)
    head = place or (without_date(name, range(first.year, last.year + 1)) if name else None)
    return _joined(head, when, words) if head else when


def named_title(name: str, times: Sequence[datetime], place: str | None, words: Words = _ENGLISH) -> str:
    """The title of an event that was named without its place and date: "Beach days in Lisbon, 12–15 May 2024".

    `place` is as proposals have it; only where it is a single one it is told.
    """
    when = days(min(times).date(), max(times).date(), words.code)
    nearest, _, rest = (place or "").partition(words.comma.strip())
    single = nearest and words.comma.strip() not in rest and nearest.casefold() not in name.casefold()
    return _joined(words.named_in.format(name, nearest) if single else name, when, words)


def lapse_title(times: Sequence[datetime], place: str | None, name: str | None, words: Words = _ENGLISH) -> str:
    """ "Time-lapse in Lisbon, 12 May 2024"; `name` is the folder's, used where no place is known."""
    when = days(min(times).date(), max(times).date(), words.code)
    where = place or name
    return _joined(words.named_in.format(words.time_lapse, where) if where else words.time_lapse, when, words)


def everyday_title(times: Sequence[datetime], words: Words = _ENGLISH) -> str:
    """The month of local times, or their year where they are of several."""
    first, last = min(times).date(), max(times).date()
    when = month(first, words.code) if (first.year, first.month) == (last.year, last.month) else year(last, words.code)
    return f"{words.everyday}{words.comma}{when}"


def folder_name(photos: Sequence[Photo]) -> str | None:
    """The name that a person gave to the folder of most of the photos."""
    names = Counter(given_name(photo.source_folder) for photo in photos)
    name, count = names.most_common(1)[0]
    return name if count >= MAJORITY * len(photos) else None


def event_theme(times: Sequence[datetime], where: Whereabouts, words: Words = _ENGLISH) -> str:
    """ "84 photos over 4 days, mostly in Lisbon and Sintra, Portugal." """
    length = (max(times).date() - min(times).date()).days + 1
    if words.code != ENGLISH:
        return _plainly(where.photos, length, words, place_text(where, words))
    lasted = f"over {length} days" if length > 1 else "from one day"
    return f"{_count(where.photos)} {lasted}{_located(where)}."


def everyday_theme(times: Sequence[datetime], words: Words = _ENGLISH) -> str:
    """ "12 photos from 5 days, not part of a larger event." """
    count = len({time.date() for time in times})
    if words.code != ENGLISH:
        return _plainly(len(times), count, words)
    return f"{_count(len(times))} from {'one day' if count == 1 else f'{count} days'}, not part of a larger event."


def _plainly(photos: int, length: int, words: Words, place: str | None = None) -> str:
    """ "84 Fotos, 4 Tage: Lissabon, Portugal" """
    said = f"{words.photos(photos)}{words.comma}{words.days(length)}"
    return f"{said}: {place}" if place else said


def undated_theme(photos: int, words: Words = _ENGLISH) -> str:
    if words.code != ENGLISH:
        return words.photos(photos)
    says = "does not say when it was" if photos == 1 else "do not say when they were"
    return f"{_count(photos)} that {says} taken."


def screenshots_theme(photos: int, words: Words = _ENGLISH) -> str:
    if words.code != ENGLISH:
        return words.photos(photos)
    return "1 picture of a screen." if photos == 1 else f"{photos:,} pictures of screens."


def documents_theme(photos: int, words: Words = _ENGLISH) -> str:
    if words.code != ENGLISH:
        return words.photos(photos)
    return "1 scan, document or receipt." if photos == 1 else f"{photos:,} scans, documents and receipts."


def downloads_theme(photos: int, words: Words = _ENGLISH) -> str:
    return words.photos(photos) if words.code != ENGLISH else f"{_count(photos)} from elsewhere."


def _joined(head: str, when: str, words: Words) -> str:
    return f"{shorten(head, TITLE_LIMIT - len(when) - len(words.comma))}{words.comma}{when}"


def _count(photos: int) -> str:
    return "1 photo" if photos == 1 else f"{photos:,} photos"


def _located(where: Whereabouts) -> str:
    """Where, with no more certainty than the positions give; "" where nothing is known."""
    ranked = sorted(where.places.items(), key=lambda item: -item[1])
    if not ranked:
        return f", in {region}" if (region := place_text(where)) else ""
    named = [(place, photos) for place, photos in ranked[:3] if photos >= MENTIONED * where.located]
    photos = sum(photos for _, photos in named)
    if 2 * photos > where.photos:
        return f", {_degree(photos, where.photos)}{_in(named)}"
    known = "," if where.located == where.photos else f"; {where.located:,} with a position,"
    if 2 * photos > where.located:
        return f"{known} mostly {_in(named)}"
    return f"{known} in {_number(where.places)}" if len(ranked) > 3 else f"{known} partly {_in(ranked)}"


def _degree(photos: int, of: int) -> str:
    if photos < of:
        return "mostly "
    return "all " if of > 1 else ""


def _in(named: Sequence[tuple[Place, int]]) -> str:
    return f"in {_places([place for place, _ in named])}"


def _number(places: Collection[Place]) -> str:
    """ "7 places in Portugal", "9 places in 3 countries" """
    countries = {place.country for place in places}
    within = f"{len(countries)} countries" if len(countries) > 1 else next(iter(countries))
    return f"{len(places)} places in {within}"


def _places(places: Sequence[Place]) -> str:
    if len(places) > 1 and len({place.country for place in places}) == 1:
        return f"{listed([place.name for place in places])}, {places[0].country}"
    return listed([str(place) for place in places])
