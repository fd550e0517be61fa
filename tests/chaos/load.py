"""What several users ask of the servers while these die: batches of small photos, repeated ones, cancel and retry."""

import io
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import psycopg
from PIL import Image
from uuid6 import uuid7

from momentarium_cli.photos.checksum import sha256_bytes

_OPEN_AT_ONCE = 3  # jobs of one user that have not ended
_REQUEST_SECONDS = 2.5  # a frozen server is left for another
_MAY = datetime(2024, 5, 1, 10)


@dataclass(frozen=True)
class User:
    user_id: int
    token: str


@dataclass
class Load:
    """All users together. `wanted` is asked before each batch: whether there should be more."""

    urls: Sequence[str]
    conninfo: str
    seed: int
    wanted: Callable[[int], bool]
    stopped: threading.Event = field(default_factory=threading.Event)
    accepted: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def more(self) -> bool:
        """Takes one batch of those that are wanted."""
        with self._lock:
            if self.stopped.is_set() or not self.wanted(self.accepted):
                return False
            self.accepted += 1
            return True

    def count(self, what: str) -> None:
        with self._lock:
            self.asked[what] += 1

    def run(self, users: Sequence[User]) -> list[threading.Thread]:
        threads = [threading.Thread(target=self._guarded, args=(user,), daemon=True) for user in users]
        for thread in threads:
            thread.start()
        return threads

    def _guarded(self, user: User) -> None:
        try:
            with httpx.Client(
                headers={"Authorization": f"Bearer {user.token}"}, timeout=_REQUEST_SECONDS, trust_env=False
            ) as http:
                _Person(self, user, http).live()
        except Exception as error:
            if not self.stopped.is_set():
                self.problems.append(f"user {user.user_id}: {type(error).__name__}: {error}")


class _Person:
    """One user's client, which goes on until it is answered."""

    def __init__(self, load: Load, user: User, http: httpx.Client) -> None:
        self._load = load
        self._user = user
        self._http = http
        self._random = random.Random(f"{load.seed} user {user.user_id}")
        self._photos = _photos(self._random)
        self._mine: list[bytes] = []
        self._open: dict[str, float] = {}  # job id: when to cancel it, or infinity

    def live(self) -> None:
        while self._load.more():
            self._send(self._batch())
            while len(self._open) >= _OPEN_AT_ONCE:
                self._look_after()
        while self._open:
            self._look_after()

    def _batch(self) -> list[bytes]:
        """One to three photos; some this user has sent before, and some that others have, too."""
        chosen = []
        for _ in range(self._random.randint(1, 3)):
            kind = self._random.random()
            if kind < 0.15 and self._mine:
                chosen.append(self._random.choice(self._mine))
            elif kind < 0.25:
                chosen.append(_photo(random.Random(self._random.randrange(20))))
            else:
                chosen.append(next(self._photos))
        self._mine += chosen
        return chosen

    def _send(self, photos: Sequence[bytes]) -> None:
        import_id = str(uuid7())
        body = {"files": [_described(data) for data in photos], "import_id": import_id}
        slots = self._ask("POST", "/api/uploads/generate-urls", json=body).json()
        for slot, data in zip(slots["files"], photos, strict=True):
            if slot.get("original"):
                request = slot["original"]
                self._ask("PUT", request["url"], (201, 412), content=data, headers=request["headers"])
        images = [
            {
                "storage_key": slot["storage_key"],
                "original_filename": f"{number}.jpg",
                "taken_at": self._taken().isoformat(),
                "taken_at_source": "exif",
            }
            for number, slot in enumerate(slots["files"])
        ]
        self._process({"import_id": import_id, "images": images})

    def _taken(self) -> datetime:
        return _MAY + timedelta(days=self._random.randrange(60), minutes=self._random.randrange(300))

    def _process(self, body: dict[str, Any]) -> None:
        key = str(uuid7())
        answer = self._ask("POST", "/api/galleries/process", (202,), json=body, headers={"Idempotency-Key": key})
        job_id = answer.json()["job_id"]
        keys = sorted({image["storage_key"] for image in body["images"]})
        _write_down(self._load.conninfo, UUID(job_id), self._user.user_id, keys)
        impatient = self._random.random() < 0.15
        self._open[job_id] = time.monotonic() + self._random.uniform(0, 1) if impatient else float("inf")

    def _look_after(self) -> None:
        """Jobs of a user are done in their order, so the first tells enough."""
        time.sleep(0.5)
        for job_id, cancel_at in list(self._open.items()):
            if time.monotonic() > cancel_at:
                self._open[job_id] = float("inf")
                self._command(job_id, "cancel")
        for job_id in list(self._open):
            status = self._ask("GET", f"/api/jobs/{job_id}/status").json()
            if status["status"] == "completed":
                del self._open[job_id]
            elif status["status"] == "failed":
                self._after_failure(job_id, status["error_code"])
            else:
                return

    def _after_failure(self, job_id: str, code: str) -> None:
        self._load.count(code)
        if code == "cancelled" and self._random.random() < 0.5:
            del self._open[job_id]
        else:
            self._command(job_id, "retry")

    def _command(self, job_id: str, command: str) -> None:
        """409: it has ended meanwhile, or an earlier try of ours was heard though its answer was not."""
        self._ask("POST", f"/api/jobs/{job_id}/{command}", (200, 202, 409))

    def _ask(self, method: str, path: str, good: Sequence[int] = (200,), **more: Any) -> httpx.Response:
        """The first good answer of any server; those that die, freeze or have no database are asked again."""
        for url in itertools.cycle(self._random.sample(self._load.urls, len(self._load.urls))):
            if self._load.stopped.is_set():
                raise TimeoutError("the run is over")
            try:
                answer = self._http.request(method, url + path if path.startswith("/") else path, **more)
            except httpx.TransportError:
                time.sleep(0.1)
                continue
            if answer.status_code in good:
                return answer
            if answer.status_code not in (500, 503, 400):  # 400: the body of a photo broke off
                raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text}")
            if answer.status_code != 503:
                self._load.problems.append(f"{method} {path}: {answer.status_code} {answer.text}")
            time.sleep(0.2)
        raise AssertionError("a cycle does not end")


def _write_down(conninfo: str, job_id: UUID, user_id: int, keys: Sequence[str]) -> None:
    while True:
        try:
            with psycopg.connect(conninfo, connect_timeout=5) as conn:
                conn.execute(
                    "insert into chaos_accepted values (%s, %s, %s) on conflict do nothing",
                    (job_id, user_id, list(keys)),
                )
                return
        except psycopg.OperationalError:
            time.sleep(0.2)


def _described(data: bytes) -> dict[str, Any]:
    return {"filename": "a.jpg", "content_type": "image/jpeg", "size_bytes": len(data), "sha256": sha256_bytes(data)}


def _photos(chance: random.Random) -> Iterator[bytes]:
    while True:
        yield _photo(chance)


def _photo(chance: random.Random) -> bytes:
    noise = Image.frombytes("RGB", (16, 12), chance.randbytes(16 * 12 * 3))
    out = io.BytesIO()
    noise.resize((64, 48)).save(out, "JPEG")
    return out.getvalue()
