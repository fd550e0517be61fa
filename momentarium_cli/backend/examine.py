"""What a child process is asked to do with a preview. Light to import: no database, no server."""

from dataclasses import dataclass

from momentarium_cli.photos.preview import Derived, check_preview, derive


@dataclass(frozen=True, slots=True)
class Examined:
    """What was derived from a preview, or the reason why it cannot be used."""

    derived: Derived | None = None
    reason: str | None = None


def examine_preview(data: bytes) -> Examined:
    """Runs in a child process."""
    try:
        reason = check_preview(data)
        return Examined(reason=reason) if reason else Examined(derived=derive(data))
    except (ValueError, OSError) as error:
        return Examined(reason=str(error))
