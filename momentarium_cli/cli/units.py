"""Durations and sizes as people write them: 90m, 1h30m, 10G."""

import re

import typer

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhdw]?)")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([kmgt]?|[kmgt]i)b?")


def seconds(text: str) -> float:
    """90, 90s, 15m, 1h30m, 2d or 1w."""
    parts = _DURATION.findall(text.lower())
    if not parts or "".join(number + unit for number, unit in parts) != text.lower():
        raise typer.BadParameter(f"{text!r} is not a duration such as 45s, 90m, 2h or 1h30m.")
    return float(sum(float(number) * _SECONDS[unit] for number, unit in parts))


def size(text: str) -> int:
    """Bytes: 500, 100k, 10M, 1.5G or 1T, in thousands as disks and providers count them; 10Mi in steps of 1,024."""
    match = _SIZE.fullmatch(text.lower())
    if match is None:
        raise typer.BadParameter(f"{text!r} is not a size such as 100k, 10M or 1.5G.")
    number, unit = match.groups()
    return round(float(number) * _BYTES[unit])
