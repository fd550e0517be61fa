"""A Gemini for tests: a server on 127.0.0.1 that speaks `models.generateContent` of the vendor's REST API.

`running_gemini()` starts one; the SDK google-genai talks to it when its base URL is overridden. It answers every event
that a request names with a title of its own, a closer look with the same, and a look over all events with nothing to
change, unless a test gives it a mishap: `server.mishaps` go to the next requests,
one each, `server.of_model` to every request for a model, `server.always` to all others. What was asked is in
`server.asked`.

Documented by the vendor, or read in its SDK 3.4: path, headers, bodies, errors and their details, finish reasons.
Assumed: how many tokens a text has (a quarter of its characters).
"""

import base64
import json
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any

KEY = "a key for tests"
MODELS = frozenset({"gemini-3.5-flash-lite", "gemini-3.1-flash-lite", "gemini-3.8-flash"})
SHEET_TOKENS = 560  # an image at medium resolution, whatever its size


@dataclass(frozen=True)
class Asked:
    """A request; `events` are the JSON objects among its texts."""

    model: str
    key: str
    body: dict[str, Any]

    @property
    def parts(self) -> list[dict[str, Any]]:
        return [part for content in self.body["contents"] for part in content["parts"]]

    @property
    def texts(self) -> list[str]:
        return [part["text"] for part in self.parts if "text" in part]

    @property
    def task(self) -> str:
        """What is asked: for "names", for a "closer" look, for "relations", or for a "colour"."""
        fields = self.body["generationConfig"]["responseSchema"]["properties"]
        if "colour" in fields:
            return "colour"
        if "merges" in fields:
            return "relations"
        return "closer" if "parts" in fields["events"]["items"]["properties"] else "names"

    @property
    def events(self) -> list[dict[str, Any]]:
        told = [json.loads(text) for text in self.texts if text.startswith("{")]
        return told[0]["events"] if self.task == "relations" else told

    @property
    def sheets(self) -> list[bytes]:
        return [base64.urlsafe_b64decode(part["inlineData"]["data"]) for part in self.parts if "inlineData" in part]


Mishap = Callable[["Handler", Asked], None]


def titled(number: int) -> dict[str, Any]:
    """A good answer for an event."""
    letters = "".join(chr(ord("A") + int(digit)) for digit in str(number))
    return {
        "event": number,
        "title": f"Picnic {letters}",
        "theme": "A meadow in the sun.",
        "cover": 1,
        "kind": "one",
        "confidence": 90,
    }


def looked_at(number: int, *firsts: int, strays: tuple[int, ...] = ()) -> dict[str, Any]:
    """A good answer to a closer look, with parts that begin with these cells."""
    parts = [{**titled(10 * number + first), "first": first} for first in firsts or (1,)]
    for part in parts:
        del part["event"], part["kind"]
    return {"event": number, "parts": parts, "strays": list(strays)}


NOTHING_TO_CHANGE: Mapping[str, Any] = {"merges": [], "trips": [], "renames": []}


@dataclass
class GeminiServer:
    url: str = ""
    key: str = KEY
    decide: Callable[[dict[str, Any]], dict[str, Any]] = lambda event: titled(event["event"])
    look_closer: Callable[[dict[str, Any]], dict[str, Any]] = lambda event: looked_at(event["event"])
    relate: Callable[[list[dict[str, Any]]], Mapping[str, Any]] = lambda events: NOTHING_TO_CHANGE
    always: Mishap | None = None
    of_model: dict[str, Mishap] = field(default_factory=dict)
    mishaps: deque[Mishap] = field(default_factory=deque)
    asked: list[Asked] = field(default_factory=list)
    colour: str = "red"  # of a picture
    delay: float = 0.0  # seconds before every answer
    stopping: Event = field(default_factory=Event)
    _lock: Lock = field(default_factory=Lock)

    def of(self, task: str) -> list[Asked]:
        """What was asked of this kind."""
        return [asked for asked in self.asked if asked.task == task]

    def mishap(self, asked: Asked) -> Mishap:
        with self._lock:
            self.asked.append(asked)
            if self.mishaps:
                return self.mishaps.popleft()
            return self.of_model.get(asked.model) or self.always or answer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def __init__(self, gemini: GeminiServer, *args: Any) -> None:
        self.gemini = gemini
        super().__init__(*args)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        model = self.path.rpartition("/")[2].partition(":")[0]
        asked = Asked(model, self.headers.get("x-goog-api-key", ""), body)
        if not self.path.endswith(f"/models/{model}:generateContent"):
            error(404, "NOT_FOUND", f"{self.path} is no method")(self, asked)
        elif asked.key != self.gemini.key:
            error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.")(self, asked)
        elif model not in MODELS:
            error(404, "NOT_FOUND", f"models/{model} is not found")(self, asked)
        else:
            with suppress(ConnectionError):  # whoever asked may have given up
                self.gemini.mishap(asked)(self, asked)

    def send(self, body: bytes, status: int = 200, content_type: str = "application/json; charset=UTF-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_json(self, body: Mapping[str, Any], status: int = 200) -> None:
        self.send(json.dumps(body).encode(), status)

    def log_message(self, format: str, *args: Any) -> None:
        """Tests print nothing."""


def said(handler: Handler, asked: Asked, text: str, reason: str = "STOP", **more: Any) -> None:
    """A candidate with this text."""
    content = {"parts": [{"text": text}], "role": "model"} if text else {"role": "model"}
    candidate = {"content": content, "finishReason": reason, "index": 0}
    handler.send_json({"candidates": [candidate], "usageMetadata": usage(asked, text), **more})


def usage(asked: Asked, text: str) -> dict[str, Any]:
    instruction = json.dumps(asked.body.get("systemInstruction", ""))
    before = SHEET_TOKENS * len(asked.sheets) + sum(map(len, (instruction, *asked.texts))) // 4
    after = min(len(text) // 4, asked.body["generationConfig"]["maxOutputTokens"])
    return {"promptTokenCount": before, "candidatesTokenCount": after, "totalTokenCount": before + after}


def decided(handler: Handler, asked: Asked) -> list[dict[str, Any]]:
    decide = handler.gemini.look_closer if asked.task == "closer" else handler.gemini.decide
    return [decide(event) for event in asked.events]


def answered(handler: Handler, asked: Asked) -> str:
    if asked.task == "colour":
        return json.dumps({"colour": handler.gemini.colour})
    if asked.task == "relations":
        return json.dumps(handler.gemini.relate(asked.events))
    return json.dumps({"events": decided(handler, asked)})


def answer(handler: Handler, asked: Asked) -> None:
    handler.gemini.stopping.wait(handler.gemini.delay)
    said(handler, asked, answered(handler, asked))


def text(content: str | Callable[[list[dict[str, Any]]], str], reason: str = "STOP") -> Mishap:
    """An answer of these words, or of what becomes of the right decisions."""

    def say(handler: Handler, asked: Asked) -> None:
        said(handler, asked, content if isinstance(content, str) else content(decided(handler, asked)), reason)

    return say


def changed(change: Callable[[list[dict[str, Any]]], object]) -> Mishap:
    """The right answer, with something done to its decisions; looks over all events are right."""
    spoilt = text(lambda events: json.dumps({"events": change(events)}))
    return lambda handler, asked: (answer if asked.task == "relations" else spoilt)(handler, asked)


def error(status: int, name: str, message: str, *details: Mapping[str, Any]) -> Mishap:
    body = {"error": {"code": status, "message": message, "status": name, "details": list(details)}}
    return lambda handler, asked: handler.send_json(body, status)


def throttled(delay: str | None = None) -> Mishap:
    """`delay` as "3s"."""
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    return error(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", *([info] if delay else []))


def free_tier(handler: Handler, asked: Asked) -> None:
    quota = {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quotaValue": "20"}
    failure = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [quota]}
    error(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", failure)(handler, asked)


def truncated(handler: Handler, asked: Asked) -> None:
    whole = answered(handler, asked)
    said(handler, asked, whole[: len(whole) // 2], "MAX_TOKENS")


def truncated_above(limit: int) -> Mishap:
    """Cut off where a request has more events than this."""
    return lambda handler, asked: (truncated if len(asked.sheets) > limit else answer)(handler, asked)


def prompt_blocked(handler: Handler, asked: Asked) -> None:
    handler.send_json({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": usage(asked, "")})


def blocked_with(number: int) -> Mishap:
    """Refused wherever this event is asked about."""

    def block(handler: Handler, asked: Asked) -> None:
        refused = asked.sheets and number in [event["event"] for event in asked.events]
        (prompt_blocked if refused else answer)(handler, asked)

    return block


def only(task: str) -> Mishap:
    """Answers this kind of question, and refuses the others."""
    return lambda handler, asked: (answer if asked.task == task else prompt_blocked)(handler, asked)


def html(handler: Handler, asked: Asked) -> None:
    handler.send(b"<!doctype html><title>Sign in to the network</title>", content_type="text/html")


def hang(handler: Handler, asked: Asked) -> None:
    handler.gemini.stopping.wait(30)
    handler.close_connection = True


def reset(handler: Handler, asked: Asked) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.shutdown(socket.SHUT_RD)
    handler.close_connection = True
    handler.connection.close()


def drip(handler: Handler, asked: Asked) -> None:
    """A byte every twentieth of a second: no read takes long, and the whole never ends."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while not handler.gemini.stopping.is_set():
        handler.wfile.write(b" ")
        time.sleep(0.05)
    handler.close_connection = True


@contextmanager
def running_gemini() -> Iterator[GeminiServer]:
    gemini = GeminiServer()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, gemini)) as server:
        gemini.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=partial(server.serve_forever, poll_interval=0.02))
        thread.start()
        try:
            yield gemini
        finally:
            gemini.stopping.set()
            server.shutdown()
            thread.join()
