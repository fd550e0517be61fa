"""What the network between the program, the API and the store is like: storm, a cut, or calm.

Both are reached through forwarders (tests/faults.py) that ask here what befalls a request, and tell here what the true
server answered: the judge reads that, and not what the program says of it.
"""

import json
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from urllib.parse import parse_qs, urlsplit

from tests.faults import SLOW_DOWN, Fault, Forwarded
from tests.storm.points import READ_SECONDS

Chances = Sequence[tuple[float, str]]

# Of a hundred requests. What is signed for uploads expires; what the server asks for itself is signed at that moment.
FROM_PROGRAM: Chances = (
    (2.5, "refused"),
    (2.5, "refused for a second"),
    (2, "reset"),
    (1, "broken off"),
    (1, "expired"),
    (1.5, "lost"),
    (0.5, "stalled"),
    (4, "slow"),
)
FROM_SERVER: Chances = ((2, "refused"), (1, "reset"), (3, "slow"))
TO_API: Chances = (
    (2.5, "refused"),
    (2.5, "refused for a second"),
    (2, "reset"),
    (1.5, "lost"),
    (0.5, "stalled"),
    (4, "slow"),
)

_EXPIRED = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
_GATEWAY = b"<html>503 Service Temporarily Unavailable</html>"


class Weather:
    """Asked and told in many threads; `befell` counts what happened to requests. `puts` gets a line of JSON for every
    original that the store was sent."""

    def __init__(self, seed: int, puts: Path) -> None:
        self._random = random.Random(f"{seed} weather")
        self._lock = Lock()
        self._puts = puts
        self._cut_until = 0.0
        self.calm = False
        self.befell: Counter[str] = Counter()

    def cut(self, seconds: float) -> None:
        """Nothing gets through from the program for so long."""
        self._cut_until = time.monotonic() + seconds

    def to_store(self, request: str) -> Fault | None:
        if not is_upload(request):
            return self._drawn(FROM_SERVER, SLOW_DOWN)
        return self._cut() or self._drawn(FROM_PROGRAM, SLOW_DOWN)

    def to_api(self, request: str) -> Fault | None:
        return self._cut() or self._drawn(TO_API, _GATEWAY)

    def _cut(self) -> Fault | None:
        if self.calm or time.monotonic() > self._cut_until:
            return None
        self._count("cut")
        return Fault(reset=True)

    def _drawn(self, chances: Chances, busy: bytes) -> Fault | None:
        if self.calm:
            return None
        with self._lock:
            left, wait = self._random.uniform(0, 100), self._random.uniform(0.02, 0.3)
        for share, kind in chances:
            if (left := left - share) < 0:
                self._count(kind)
                return _faults(busy, wait)[kind]
        return None

    def _count(self, kind: str) -> None:
        with self._lock:
            self.befell[kind] += 1

    def heard(self, forwarded: Forwarded) -> None:
        """An original was sent: when its address was signed, and what became of it."""
        if not is_upload(forwarded.request, "originals"):
            return
        parts = urlsplit(forwarded.request.partition(" ")[2])
        line = {
            "key": parts.path[parts.path.index("originals/") :],
            "signed": parse_qs(parts.query)["X-Amz-Date"][0],
            "began": forwarded.began,
            "ended": forwarded.ended,
            "status": forwarded.status,
            "passed_on": forwarded.passed_on,
        }
        with self._lock, self._puts.open("a") as file:
            file.write(json.dumps(line) + "\n")


def is_upload(request: str, *kinds: str) -> bool:
    """Whether the program sends this, and not the server."""
    path = request.partition("?")[0]
    return path.startswith("PUT ") and any(f"/{kind}/" in path for kind in kinds or ("originals", "previews"))


def _faults(busy: bytes, wait: float) -> Mapping[str, Fault]:
    return {
        "refused": Fault(status=503, body=busy),
        "refused for a second": Fault(status=503, body=busy, headers={"Retry-After": "1"}),
        "reset": Fault(reset=True),
        "broken off": Fault(received=200),
        "expired": Fault(status=403, body=_EXPIRED),
        "lost": Fault(lost=True),
        "stalled": Fault(delay=READ_SECONDS + 0.5),
        "slow": Fault(delay=wait),
    }
