"""Text that came from file systems, made fit for a title."""

import unicodedata

_JOINERS = "\u200c\u200d"  # part of Persian words and of emoji, unlike other invisible characters
_DROPPED = {"Cc", "Cf", "Cs", "Co", "Cn"}  # controls, formats such as direction marks, halves of characters, unassigned


def clean(text: str) -> str:
    """One line without control characters, lone surrogates or runs of spaces, in composed form (NFC)."""
    if text.isascii() and text.isprintable():  # nearly every name, ten times faster
        return " ".join(text.split())
    spaced = "".join(" " if character.isspace() else character for character in text)
    kept = "".join(c for c in spaced if c in _JOINERS or unicodedata.category(c) not in _DROPPED)
    return " ".join(unicodedata.normalize("NFC", kept).split())


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, cut between words where that leaves half of them, with an ellipsis."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    head, space, _ = cut.rpartition(" ")
    return (head if space and len(head) >= limit // 2 else cut).rstrip(" ,;-–") + "…"


def listed(items: list[str], last: str = " and ") -> str:
    """ "A", "A and B", "A, B and C"."""
    return last.join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)
