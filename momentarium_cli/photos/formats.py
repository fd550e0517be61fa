"""The photo formats that are read, told by their first bytes.

A name's suffix is a hint: it decides only between formats that share their first bytes (TIFF and the RAW
formats built on it).
"""

from dataclasses import dataclass
from pathlib import PurePath

HEADER_BYTES = 4096  # what `identify` wants to see at most; 64 bytes are enough for everything but odd HEIFs


class UnsupportedPhoto(ValueError):
    """The bytes are of no format that is read; the message is one line."""


@dataclass(frozen=True, slots=True)
class Format:
    """A photo format. `extensions` are lower-case suffixes with their dot, the usual one first."""

    name: str
    content_type: str
    raw: bool
    extensions: tuple[str, ...]


JPEG = Format("jpeg", "image/jpeg", False, (".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo"))
PNG = Format("png", "image/png", False, (".png", ".apng"))
WEBP = Format("webp", "image/webp", False, (".webp",))
GIF = Format("gif", "image/gif", False, (".gif",))
TIFF = Format("tiff", "image/tiff", False, (".tif", ".tiff"))
HEIC = Format("heic", "image/heic", False, (".heic", ".hif"))
HEIF = Format("heif", "image/heif", False, (".heif",))
AVIF = Format("avif", "image/avif", False, (".avif",))
DNG = Format("dng", "image/x-adobe-dng", True, (".dng",))
CR2 = Format("cr2", "image/x-canon-cr2", True, (".cr2",))
CR3 = Format("cr3", "image/x-canon-cr3", True, (".cr3",))
CRW = Format("crw", "image/x-canon-crw", True, (".crw",))
NEF = Format("nef", "image/x-nikon-nef", True, (".nef", ".nrw"))
ARW = Format("arw", "image/x-sony-arw", True, (".arw",))
RAF = Format("raf", "image/x-fuji-raf", True, (".raf",))
ORF = Format("orf", "image/x-olympus-orf", True, (".orf",))
RW2 = Format("rw2", "image/x-panasonic-rw2", True, (".rw2",))

FORMATS = (JPEG, PNG, WEBP, GIF, TIFF, HEIC, HEIF, AVIF, DNG, CR2, CR3, CRW, NEF, ARW, RAF, ORF, RW2)
BY_SUFFIX = {suffix: format_ for format_ in FORMATS for suffix in format_.extensions}
BY_CONTENT_TYPE = {format_.content_type: format_ for format_ in FORMATS}
SUPPORTED_SUFFIXES = frozenset(BY_SUFFIX)

_MAGICS = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"FUJIFILMCCD-RAW", RAF),
    (b"II\x1a\x00\x00\x00HEAPCCDR", CRW),
    (b"IIU\x00", RW2),
    (b"IIRO", ORF),
    (b"IIRS", ORF),
    (b"MMOR", ORF),
)
_TIFF_MAGICS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")  # the latter two are BigTIFF
_ON_TIFF = {suffix: format_ for format_ in (DNG, NEF, ARW, CR2) for suffix in format_.extensions}
_BRANDS = {
    b"crx ": CR3,
    b"avif": AVIF,
    b"avis": AVIF,
    b"heic": HEIC,
    b"heix": HEIC,
    b"heim": HEIC,
    b"heis": HEIC,
    b"hevc": HEIC,
    b"hevx": HEIC,
}
_GENERAL_BRANDS = frozenset((b"mif1", b"msf1", b"mif2", b"heif", b"miaf"))


def identify(header: bytes, suffix: str) -> Format | None:
    """The format of a file that begins with `header` (64 bytes or more, if it has them), or None.

    `suffix` (".nef", in any case, or "") only tells apart what shares its first bytes.
    """
    for magic, found in _MAGICS:
        if header.startswith(magic):
            return found
    if header[:4] in _TIFF_MAGICS:
        return CR2 if header[8:10] == b"CR" else _ON_TIFF.get(suffix.lower(), TIFF)
    if header[:4] == b"RIFF" and header[8:12] == b"WEBP":
        return WEBP
    return _by_brand(header) if header[4:8] == b"ftyp" else None


def _by_brand(header: bytes) -> Format | None:
    """ISO/IEC 14496-12: the `ftyp` box names a major brand, a version and compatible brands."""
    end = min(int.from_bytes(header[:4], "big"), len(header), HEADER_BYTES)
    major = header[8:12]
    if major in _BRANDS:
        return _BRANDS[major]
    if major not in _GENERAL_BRANDS:
        return None  # videos list image brands as compatible too
    brands = [header[at : at + 4] for at in range(16, end - 3, 4)]
    return next((_BRANDS[brand] for brand in brands if brand in _BRANDS), HEIF)


def by_name(path: PurePath) -> Format | None:
    """What the suffix promises; cheap, and to be confirmed by `identify` when the file is read."""
    return BY_SUFFIX.get(path.suffix.lower())
