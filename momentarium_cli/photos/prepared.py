"""What the client keeps of a photo that was prepared in a child; light, so that the client imports no decoder."""

from dataclasses import dataclass

from momentarium_cli.models import FileParts
from momentarium_cli.photos.scan import FileStat


class ChangedWhileRead(Exception):
    """A file changed while it was read, so that checksum and preview may be of different contents."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A photo ready to be uploaded; without a preview, `decode_error` says why (one line, without a subject).

    `parts` is how it is cut, where it is too large to go up as a whole.
    """

    sha256: str
    size: int
    stat: FileStat
    content_type: str
    preview: bytes | None = None
    preview_sha256: str | None = None
    width: int | None = None
    height: int | None = None
    decode_error: str | None = None
    parts: FileParts | None = None
