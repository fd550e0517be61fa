"""The time of the service, which a test moves; and how the service writes durations."""

import re
import time
from dataclasses import dataclass, field

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_PART = r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)"


@dataclass
class Clock:
    """Unix seconds, standing still until they are set."""

    now: float = field(default_factory=time.time)

    @property
    def milliseconds(self) -> int:
        return round(self.now * 1000)


def duration(text: str) -> float:
    """Seconds of "50s" or "1d10h30m"; ValueError for anything else."""
    if not re.fullmatch(f"(?:{_PART})+", text):
        raise ValueError(f"not a duration: {text!r}")
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text))
