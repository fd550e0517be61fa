"""What a scan leaves out, and why: junk of operating systems and servers, catalogues of other programs, stubs."""

import re
from enum import StrEnum


class SkipReason(StrEnum):
    """Why a file was not taken; the values are stable, `text` is the sentence for a person."""

    UNSUPPORTED = "unsupported"
    VIDEO = "video"
    SIDECAR = "sidecar"
    EMPTY = "empty"
    SYSTEM_JUNK = "system_junk"
    CATALOGUE = "catalogue"
    PLACEHOLDER = "placeholder"
    NOT_A_FILE = "not_a_file"
    EXCLUDED = "excluded"
    TOO_SMALL = "too_small"
    OTHER_TYPE = "other_type"
    OTHER_DAY = "other_day"
    UNDATED = "undated"

    @property
    def text(self) -> str:
        return _TEXTS[self]


_TEXTS = {
    SkipReason.UNSUPPORTED: "not a photo format that Momentarium reads",
    SkipReason.VIDEO: "a video; only photos are read",
    SkipReason.SIDECAR: "a sidecar file that belongs to a photo",
    SkipReason.EMPTY: "the file is empty",
    SkipReason.SYSTEM_JUNK: "made by the system, not a photo of yours",
    SkipReason.CATALOGUE: "belongs to the catalogue of another photo program",
    SkipReason.PLACEHOLDER: "only a placeholder is here, the photo is in the cloud; download it first",
    SkipReason.NOT_A_FILE: "a pipe, socket or device, not a file",
    SkipReason.EXCLUDED: "left out by --include, --exclude or an ignore file",
    SkipReason.TOO_SMALL: "smaller than --min-size",
    SkipReason.OTHER_TYPE: "not of a type that --type names",
    SkipReason.OTHER_DAY: "not taken in the time that --since and --until name",
    SkipReason.UNDATED: "of no known capture date, which --since and --until ask for",
}

_JUNK_FOLDERS = frozenset(
    (
        "@eadir", "@tmp", "@recycle", "#recycle", "#snapshot", "@recently-snapshot", ".@__thumb", ".@upload_cache",
        ".thumbnails", ".cache", ".appledouble", ".spotlight-v100", ".fseventsd", ".temporaryitems",
        ".documentrevisions-v100", "network trash folder", "temporary items", "$recycle.bin", "recycler",
        "system volume information", "lost+found", ".git", ".svn", ".hg", ".stversions", ".stfolder",
        ".dropbox.cache", ".sync",
    )
)  # fmt: skip
_JUNK_FILES = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", ".ds_store", ".nomedia", "icon\r", ".localized"))
_JUNK_PREFIXES = ("._", ".trashed-", ".pending-", ".thumbdata", "~$")
_CATALOGUE_FOLDER = re.compile(r"\.(lrdata|lrcat-data|cocatalogdb|photoscachelibrary)$")
_CATALOGUE_FILE = re.compile(r"\.(lrcat|lrcat-.*|lrdata|cocatalogdb|cosessiondb|photoslibrary|aplibrary)$")
_LIBRARY = re.compile(r"\.(photoslibrary|migratedphotolibrary|photolibrary|aplibrary)$")
_LIBRARY_ORIGINALS = frozenset(("originals", "masters"))
_PLACEHOLDERS = (".icloud", ".nextcloud", ".owncloud", ".cloudf")
_VIDEOS = frozenset(
    (
        ".mp4", ".mov", ".m4v", ".3gp", ".3g2", ".avi", ".mkv", ".webm", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv",
        ".insv", ".lrv",
    )
)  # fmt: skip
_SIDECARS = frozenset((".xmp", ".aae", ".thm", ".pp3", ".dop", ".json", ".on1", ".cos", ".wav"))


def folder_reason(name: str, parent: str) -> SkipReason | None:
    """Why the folder `name` inside the folder named `parent` is not entered; None if it is."""
    name, parent = name.lower(), parent.lower()
    if name in _JUNK_FOLDERS or name.startswith((".trash", "._")):
        return SkipReason.SYSTEM_JUNK
    if _CATALOGUE_FOLDER.search(name):
        return SkipReason.CATALOGUE
    return SkipReason.CATALOGUE if is_library(parent) and name not in _LIBRARY_ORIGINALS else None


def is_library(name: str) -> bool:
    """Whether a folder of this name is another program's library: of it only the originals are walked."""
    return _LIBRARY.search(name.lower()) is not None


def file_reason(name: str, suffix: str) -> SkipReason | None:
    """Why a file of this name (`suffix` in lower case) is junk, a stub or a catalogue; None if its suffix decides."""
    name = name.lower()
    if name in _JUNK_FILES or name.startswith(_JUNK_PREFIXES):
        return SkipReason.SYSTEM_JUNK
    if suffix in _PLACEHOLDERS:
        return SkipReason.PLACEHOLDER
    return SkipReason.CATALOGUE if _CATALOGUE_FILE.search(name) else None


def suffix_reason(suffix: str) -> SkipReason:
    """Why a file with a suffix of no supported format is not taken."""
    if suffix in _VIDEOS:
        return SkipReason.VIDEO
    return SkipReason.SIDECAR if suffix in _SIDECARS else SkipReason.UNSUPPORTED
