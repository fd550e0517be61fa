"""What decode children are asked to do. Light to import: the parent needs only the names, children do the work."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from momentarium_cli.photos.checksum import Cut
    from momentarium_cli.photos.metadata import Described
    from momentarium_cli.photos.preview import Derived, Prepared, Preview


def prepare(path: Path, cut: "Cut") -> "Prepared":
    from momentarium_cli.photos import preview

    return preview.prepare(path, cut)


def hash_only(path: Path, cut: "Cut", reason: str) -> "Prepared":
    """The checksum of a photo whose decoding failed for this reason."""
    from momentarium_cli.photos import hasher

    return hasher.hashed(path, cut, reason=reason)


def describe(files: list[tuple[Path, int]]) -> "list[Described | Exception]":
    """Metadata of each file, or why it cannot be read."""
    return [_describe(path, mtime_ns) for path, mtime_ns in files]


def describe_by_name(path: Path, mtime_ns: int, reason: str) -> "Described | Exception":
    from momentarium_cli.photos import metadata

    try:
        return metadata.from_name(path, mtime_ns=mtime_ns, warning=f"its metadata could not be read: {reason}")
    except ValueError as error:
        return error


def _describe(path: Path, mtime_ns: int) -> "Described | Exception":
    from momentarium_cli.photos import metadata
    from momentarium_cli.photos.formats import UnsupportedPhoto

    try:
        return metadata.read(path, mtime_ns=mtime_ns)
    except (OSError, UnsupportedPhoto) as error:
        return error.with_traceback(None)
    except ValueError as error:  # of values that nobody thought of; one photo never ends a run
        return describe_by_name(path, mtime_ns, " ".join(str(error).split()))


def derive(data: bytes) -> "Derived":
    from momentarium_cli.photos import preview

    return preview.derive(data)


def remake(path: Path, content_type: str) -> "Preview":
    from momentarium_cli.photos import preview

    return preview.remake(path, content_type=content_type)
