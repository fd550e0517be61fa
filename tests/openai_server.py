"""A server for tests that speaks OpenAI's chat completions, as Ollama, vLLM and LM Studio do.

`running_openai()` starts one on 127.0.0.1; the SDK openai talks to it by its base URL. It answers as the Gemini of
tests.gemini does, unless a test gives it a mishap: `server.mishaps` go to the next requests, one each, `server.always`
to all others.

Documented by the vendor, or read in its SDK 3.54: paths, bodies, errors, ends. Assumed: an image has 1,000 tokens.
"""

import base64
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any

from tests.gemini import NOTHING_TO_CHANGE, looked_at, titled

MODEL = "qwen3-vl:8b"
PREFIX = "data:image/jpeg;base64,"


@dataclass(frozen=True)
class Asked:
    """A request; `events` are the JSON objects among its texts."""

    key: str
    body: dict[str, Any]

    @property
    def instructions(self) -> str:
        return str(self.body["messages"][0]["content"])

    @property
    def parts(self) -> list[dict[str, Any]]:
        return list(self.body["messages"][1]["content"])

    @property
    def texts(self) -> list[str]:
        return [part["text"] for part in self.parts if part["type"] == "text"]

    @property
    def sheets(self) -> list[bytes]:
        urls = [part["image_url"]["url"] for part in self.parts if part["type"] == "image_url"]
        assert all(url.startswith(PREFIX) for url in urls)
        return [base64.b64decode(url.removeprefix(PREFIX)) for url in urls]

    @property
    def events(self) -> list[dict[str, Any]]:
        told = [json.loads(text) for text in self.texts]
        return told[0]["events"] if not self.sheets else told


Mishap = Callable[["Handler", Asked], None]


@dataclass
class OpenAIServer:
    url: str = ""
    key: str | None = None  # that it wants; most want none
    decide: Callable[[dict[str, Any]], dict[str, Any]] = lambda event: titled(event["event"])
    colour: str = "red"  # of a picture
    always: Mishap | None = None
    mishaps: deque[Mishap] = field(default_factory=deque)
    asked: list[Asked] = field(default_factory=list)
    stopping: Event = field(default_factory=Event)
    _lock: Lock = field(default_factory=Lock)

    def mishap(self, asked: Asked) -> Mishap:
        with self._lock:
            self.asked.append(asked)
            return self.mishaps.popleft() if self.mishaps else self.always or answer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def __init__(self, server: OpenAIServer, *args: Any) -> None:
        self.model = server
        super().__init__(*args)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked = Asked(self.headers.get("Authorization", "").removeprefix("Bearer "), body)
        if self.path != "/v1/chat/completions":
            self.send(b"404 page not found", 404, "text/plain")
        elif self.model.key not in (None, asked.key):
            error(401, "Incorrect API key provided")(self, asked)
        elif body["model"] != MODEL:
            error(404, f'model "{body["model"]}" not found, try pulling it first')(self, asked)
        else:
            with suppress(ConnectionError):  # whoever asked may have given up
                self.model.mishap(asked)(self, asked)

    def send(self, body: bytes, status: int = 200, content_type: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Tests print nothing."""


def said(handler: Handler, asked: Asked, text: str | None, reason: str = "stop", **more: Any) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **more}, "finish_reason": reason}
    usage = {"prompt_tokens": 1000 * len(asked.sheets) + 100, "completion_tokens": len(text or "") // 4}
    body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": MODEL, "choices": [choice]}
    handler.send(json.dumps({**body, "usage": {**usage, "total_tokens": sum(usage.values())}}).encode())


def decided(handler: Handler, asked: Asked) -> str:
    if "colour" in asked.instructions:
        return json.dumps({"colour": handler.model.colour})
    if "parts:" in asked.instructions:
        return json.dumps({"events": [looked_at(event["event"]) for event in asked.events]})
    if not asked.sheets:
        return json.dumps(NOTHING_TO_CHANGE)
    return json.dumps({"events": [handler.model.decide(event) for event in asked.events]})


def answer(handler: Handler, asked: Asked) -> None:
    said(handler, asked, decided(handler, asked))


def text(content: str | Callable[[str], str], reason: str = "stop", **more: Any) -> Mishap:
    """An answer of these words, or of what becomes of the right ones."""

    def say(handler: Handler, asked: Asked) -> None:
        words = content if isinstance(content, str) else content(decided(handler, asked))
        said(handler, asked, words, reason, **more)

    return say


def error(status: int, message: str, param: str | None = None, **headers: str) -> Mishap:
    body = {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": None}}
    return lambda handler, asked: handler.send(json.dumps(body).encode(), status, **headers)


def without(*options: str, status: int = 400, told: bool = True) -> Mishap:
    """Refuses requests with any of these options; `told`: it says which."""

    def refuse(handler: Handler, asked: Asked) -> None:
        wrong = next((option for option in options if option in asked.body), None)
        message = f"Unsupported parameter: '{wrong}'" if told else "failed to parse the request"
        (error(status, message) if wrong else answer)(handler, asked)

    return refuse


def hang(handler: Handler, asked: Asked) -> None:
    handler.model.stopping.wait(30)
    handler.close_connection = True


def reset(handler: Handler, asked: Asked) -> None:
    handler.close_connection = True
    handler.connection.close()


def raw(body: bytes, status: int = 200, content_type: str = "application/json") -> Mishap:
    return lambda handler, asked: handler.send(body, status, content_type)


def shaped(body: Mapping[str, Any]) -> Mishap:
    return raw(json.dumps(body).encode())


@contextmanager
def running_openai() -> Iterator[OpenAIServer]:
    model = OpenAIServer()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, model)) as server:
        model.url = f"http://127.0.0.1:{server.server_port}/v1"
        thread = Thread(target=partial(server.serve_forever, poll_interval=0.02))
        thread.start()
        try:
            yield model
        finally:
            model.stopping.set()
            server.shutdown()
            thread.join()
