"""A year in the life of a made-up person, with the truth about it. The same seed makes the same year."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from random import Random

from momentarium_cli.backend.organize.base import Photo

Position = tuple[float, float]

BERLIN, WORK_IN_BERLIN = (52.5350, 13.4100), (52.5070, 13.3320)
MUNICH, WORK_IN_MUNICH = (48.1550, 11.5820), (48.1400, 11.5600)
WEEKENDS = {
    "Leipzig": (51.3397, 12.3731),
    "Hamburg": (53.5511, 9.9937),
    "Dresden": (51.0504, 13.7373),
    "Salzburg": (47.8095, 13.0550),
    "Innsbruck": (47.2692, 11.4041),
    "Zürich": (47.3769, 8.5417),
}
ROAD = [(45.4642, 9.1900), (44.4056, 8.9463), (43.7696, 11.2558), (41.9028, 12.4964)]  # Milan, Genoa, Florence, Rome
LISBON = (38.7139, -9.1334)
SINTRA = (38.7976, -9.3904)
OVER = [(45.75, 4.85), (43.60, 1.44), (41.65, -0.88)]  # Lyon, Toulouse, Zaragoza: seen from the plane only
MOVE = datetime(2024, 7, 1)


@dataclass
class Year:
    """`trips`: the ids of the photos of each."""

    seed: int
    photos: list[Photo] = field(default_factory=list)
    trips: dict[str, set[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)

    def take(self, at: datetime, where: Position | None, trip: str | None = None, **more: object) -> None:
        """A photo within some hundred metres of a place, some without a position."""
        key = len(self.photos) + 1
        lost = where is None or self._random.random() < 0.15
        latitude, longitude = (None, None) if lost or where is None else self._near(where)
        values: dict[str, object] = {"camera": "Pixel 8", **more}
        made = Photo(key, f"IMG_{key:05}.JPG", at, at.replace(tzinfo=UTC), latitude, longitude, **values)  # type: ignore[arg-type]
        self.photos.append(made)
        if trip:
            self.trips.setdefault(trip, set()).add(key)

    def day(self, day: datetime, where: Position, photos: int, trip: str | None = None) -> None:
        """Photos between nine and nine."""
        for minute in sorted(self._random.sample(range(12 * 60), photos)):
            self.take(day.replace(hour=9) + timedelta(minutes=minute), where, trip)

    def friend(self, trip: str, wrong: timedelta) -> set[int]:
        """A friend's camera, which knows no place, takes what is taken on a trip; answers the ids of its photos."""
        seen = [photo for photo in self.photos if photo.id in self.trips[trip] and photo.altitude is None]
        for photo in seen:
            if photo.taken_at:
                at = photo.taken_at + timedelta(seconds=self._random.randrange(-60, 60)) + wrong
                self.take(at, None, trip, camera="Canon EOS 60D")
        return {photo.id for photo in self.photos if photo.camera == "Canon EOS 60D"}

    def _near(self, where: Position) -> Position:
        return where[0] + self._random.gauss(0, 0.002), where[1] + self._random.gauss(0, 0.003)

    def everyday(self, day: datetime) -> None:
        """A few photos at home or at work on some days."""
        home, work = (BERLIN, WORK_IN_BERLIN) if day < MOVE else (MUNICH, WORK_IN_MUNICH)
        if self._random.random() < 0.6:
            for _ in range(self._random.randint(1, 4)):
                hour = self._random.choice([8, 12, 13, 18, 20])
                where = work if day.weekday() < 5 and hour in (12, 13) else home
                self.take(day + timedelta(hours=hour, minutes=self._random.randrange(60)), where)


def year(seed: int = 1) -> Year:
    """2024: everyday life in Berlin, from July in Munich; weekends away, a flight to Lisbon, a road through Italy."""
    made = Year(seed)
    away = _weekends(made) | _flight(made, datetime(2024, 5, 10)) | _road(made, datetime(2024, 9, 6))
    day = datetime(2024, 1, 1)
    while day.year == 2024:
        if day.date() not in away:
            made.everyday(day)
        day += timedelta(days=1)
    made.photos.sort(key=lambda photo: (photo.taken_sort, photo.id))
    return made


def _weekends(made: Year) -> set[object]:
    first = datetime(2024, 1, 20)  # a Saturday
    away = set[object]()
    for number, (city, where) in enumerate(WEEKENDS.items()):
        saturday = first + timedelta(weeks=7 * number)
        if number == 2:
            saturday -= timedelta(weeks=1)
        for day in (saturday, saturday + timedelta(days=1)):
            made.day(day, where, made._random.randint(6, 25), city)
            away.add(day.date())
    return away


def _flight(made: Year, first: datetime) -> set[object]:
    """Out by plane, with photos through the window, some with an altitude; ten days, and back."""
    start = datetime.combine(first, time(7))
    made.take(start, BERLIN)
    for index, where in enumerate(OVER):
        at = start + timedelta(hours=2, minutes=25 * index)
        made.take(at, where, "Lisbon", altitude=10_500.0 if index else None)
        made.take(at + timedelta(minutes=1), where, "Lisbon", altitude=10_500.0 if index else None)
    for number in range(10):
        day = first + timedelta(days=number)
        if number == 0:
            made.take(start + timedelta(hours=4, minutes=30), LISBON, "Lisbon")
        made.day(day + timedelta(days=1), SINTRA if number == 5 else LISBON, made._random.randint(4, 30), "Lisbon")
    return {(first + timedelta(days=number)).date() for number in range(11)}


def _road(made: Year, first: datetime) -> set[object]:
    for number in range(12):
        made.day(first + timedelta(days=number), ROAD[number // 3], made._random.randint(5, 20), "Italy")
    return {(first + timedelta(days=number)).date() for number in range(12)}
