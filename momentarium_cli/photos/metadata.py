"""What a photo file says of itself: capture time, zone, position, camera, size. Nothing is decoded."""

import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path, PurePath

from momentarium_cli.models import Metadata, TakenAtSource
from momentarium_cli.photos import dates, exif, formats, zones
from momentarium_cli.photos.containers import Header, read_header
from momentarium_cli.photos.exif import Position, Taken
from momentarium_cli.photos.formats import Format, UnsupportedPhoto
from momentarium_cli.photos.reader import Damaged, Reader

MAX_SIDE = 1_000_000


@dataclass(frozen=True, slots=True)
class Described:
    """A photo's format, by its bytes, and its metadata; `warnings` are sentences without a subject."""

    format: Format
    metadata: Metadata
    warnings: tuple[str, ...] = ()

    @property
    def taken_on(self) -> date | None:
        """The local day the photo was taken on; when its file was last written says nothing of that."""
        by_mtime = self.metadata.taken_at_source is TakenAtSource.MTIME
        return None if self.metadata.taken_at is None or by_mtime else self.metadata.taken_at.date()


def read(path: Path, *, mtime_ns: int) -> Described:
    """The metadata of the photo at `path`; `mtime_ns` (as in stat) dates it when nothing better does.

    Broken metadata is a warning. Raises UnsupportedPhoto where the bytes are of no format we know, and OSError.
    """
    with path.open("rb", buffering=0) as file:
        reader = Reader(file)
        format_ = formats.identify(reader.at(0, formats.HEADER_BYTES), path.suffix)
        if format_ is None:
            raise UnsupportedPhoto(_strange(path))
        header = Header(file_size=os.fstat(file.fileno()).st_size)
        _fill(format_, reader, header)
    return _described(format_, header, path, mtime_ns)


def from_name(path: Path, *, mtime_ns: int, warning: str) -> Described:
    """What is known without opening the file. Raises UnsupportedPhoto where the suffix is of no format we know."""
    format_ = formats.by_name(path)
    if format_ is None:
        raise UnsupportedPhoto(_strange(path))
    return _described(format_, Header(file_size=0, warnings=[warning]), path, mtime_ns)


def _strange(path: PurePath) -> str:
    suffix = path.suffix or "a photo"
    return f"the content is of no photo format that Momentarium reads, whatever {suffix} suggests"


def _fill(format_: Format, reader: Reader, header: Header) -> None:
    try:
        read_header(format_, reader, header)
    except OSError:
        raise
    except Damaged as error:
        header.warnings.append(f"its metadata is damaged: {error}")
    except Exception as error:  # noqa: BLE001 - whatever a crafted file provokes costs this file's metadata only
        header.warnings.append(f"its metadata is damaged ({type(error).__name__})")


def _described(format_: Format, header: Header, path: Path, mtime_ns: int) -> Described:
    position = exif.position(header.tags)
    taken, source = _taken(header, path, position, mtime_ns)
    width, height = _shown_size(header)
    metadata = Metadata(
        taken_at=taken.at if taken else None,
        taken_at_source=source,
        utc_offset_minutes=_offset(taken, source, position, header) if taken else None,
        latitude=position.latitude if position else None,
        longitude=position.longitude if position else None,
        altitude=position.altitude if position else None,
        camera=header.camera or exif.camera(header.tags),
        width=width,
        height=height,
    )
    return Described(format_, metadata, tuple(header.warnings))


def _taken(
    header: Header, path: Path, position: Position | None, mtime_ns: int
) -> tuple[Taken | None, TakenAtSource | None]:
    """The best capture time there is, and where it comes from."""
    if found := exif.original(header.tags):
        return found, TakenAtSource.EXIF
    if found := exif.digitized(header.tags) or _by_container(header):
        return found, TakenAtSource.CREATED
    if named := dates.in_file_name(path.stem):
        return _localized(named, position), TakenAtSource.FILE_NAME
    if day := dates.in_folders(path.absolute().parent.parts):
        return Taken(day, None), TakenAtSource.FOLDER_NAME
    return _by_mtime(mtime_ns)


def _by_container(header: Header) -> Taken | None:
    created = exif.plausible(header.created)
    if created:
        return Taken(created, None)
    return exif.written(header.tags) if exif.camera(header.tags) else None


def _localized(named: dates.Named, position: Position | None) -> Taken:
    """A name that counts from UTC is told in the zone of the position, or of this machine, like an mtime."""
    if not named.utc:
        return Taken(named.at, None)
    there = zones.local_at_position(position.latitude, position.longitude, named.at) if position else None
    return Taken(*(there or zones.local_here(named.at)))


def _by_mtime(mtime_ns: int) -> tuple[Taken | None, TakenAtSource | None]:
    seconds = mtime_ns // 1_000_000_000
    if not 0 < seconds < datetime.now(UTC).timestamp() + 86_400:
        return None, None
    moment = exif.plausible(datetime(1970, 1, 1) + timedelta(seconds=seconds))
    if moment is None:
        return None, None
    return Taken(*zones.local_here(moment)), TakenAtSource.MTIME


def _offset(taken: Taken, source: TakenAtSource | None, position: Position | None, header: Header) -> int | None:
    if taken.offset is not None:
        return taken.offset
    utc = exif.gps_utc(header.tags)
    if utc and source in (TakenAtSource.EXIF, TakenAtSource.CREATED):
        minutes = zones.from_gps_clock(taken.at, utc)
        if minutes is not None:
            return minutes
    return zones.at_position(position.latitude, position.longitude, taken.at) if position else None


def _shown_size(header: Header) -> tuple[int | None, int | None]:
    """Width and height after orientation, or None twice."""
    width, height = header.width, header.height
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        return None, None
    lying = not header.shown and exif.orientation(header.tags) >= 5
    return (height, width) if lying else (width, height)
