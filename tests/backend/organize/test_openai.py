"""Servers that speak OpenAI's protocol behind the port of models: whatever they answer, the albums are complete."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib.machinery import ModuleSpec
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from momentarium_cli.backend.organize import closer, naming, relations
from momentarium_cli.backend.organize import openai as module
from momentarium_cli.backend.organize.ai import AIOrganizer
from momentarium_cli.backend.organize.local import LocalOrganizer
from momentarium_cli.backend.organize.openai import OpenAI, json_in
from momentarium_cli.backend.organize.sheets import Sheets
from momentarium_cli.backend.organize.tasks import Policy
from momentarium_cli.errors import SettingsError
from momentarium_cli.photos.decode import Decoder
from tests import openai_server as vendor
from tests.backend.organize.notebook import Notebook, Unwatched
from tests.backend.organize.photos import LISBON
from tests.backend.organize.test_gemini import THUMBNAIL, assert_complete, decoder, events, titles
from tests.openai_server import MODEL, Mishap, OpenAIServer, error, running_openai

__all__ = ["decoder"]  # a fixture

POLICY = Policy((MODEL,), "en", free=True, sheets_a_request=1, first_wait=0.01, patience=1.0)
Make = Callable[..., AIOrganizer]


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with running_openai() as running:
        yield running


@pytest.fixture
def make(server: OpenAIServer, decoder: Decoder) -> Make:
    def made(policy: Policy = POLICY, key: str | None = None, url: str | None = None) -> AIOrganizer:
        connect = partial(OpenAI, key, base_url=url or server.url, own=True)
        sheets = Sheets(decoder, lambda photo: THUMBNAIL)
        return AIOrganizer("openai", LocalOrganizer(), connect, sheets, Notebook(), policy, Unwatched())

    return made


def test_events_get_titles_by_what_they_show(make: Make, server: OpenAIServer) -> None:
    photos = events(3, where=LISBON)
    organizer = make()
    assert titles(organizer.organize(photos, []))[0] == "Picnic B in Lisbon, 6 January 2024"
    assert organizer.name == "openai" and organizer.report["reason"] is None
    assert [len(asked.sheets) for asked in server.asked] == [1, 1, 1, 0]


def test_a_request_is_as_the_protocol_has_it(make: Make, server: OpenAIServer) -> None:
    make(key="a key").organize(events(1), [])
    [asked] = server.asked
    assert (asked.key, asked.body["model"], asked.body["temperature"]) == ("a key", MODEL, 0)
    form = asked.body["response_format"]["json_schema"]
    assert form["strict"] and form["schema"]["additionalProperties"] is False
    assert not Image.open(BytesIO(asked.sheets[0])).getexif()


def test_what_it_says_costs_nothing_on_ones_own_machine(make: Make) -> None:
    organizer = make()
    organizer.organize(events(2), [])
    assert organizer.report["cost"] == organizer.report["expected_cost"] == 0
    assert organizer.report["input_tokens"] > 2000


# --- what servers do not take


@pytest.mark.parametrize("option", ["response_format", "temperature", "seed", "max_tokens"])
def test_what_a_server_does_not_take_is_left_out_from_then_on(option: str, make: Make, server: OpenAIServer) -> None:
    server.always = vendor.without(option)
    organizer = make(replace(POLICY, at_once=1))
    assert all(title.startswith("Picnic") for title in titles(organizer.organize(events(3), [])))
    assert [option in asked.body for asked in server.asked] == [True, False, False, False, False]


def test_a_server_that_takes_next_to_nothing_still_answers(make: Make, server: OpenAIServer) -> None:
    server.always = vendor.without("max_tokens", "temperature", "seed", "response_format", status=422)
    assert titles(make().organize(events(1), [])) == ["Picnic B, 6 January 2024"]
    assert server.asked[-1].body["max_completion_tokens"] > 0


@pytest.mark.parametrize("status", [400, 422, 501])
def test_where_it_is_not_told_what_is_wrong_the_shape_is_told_in_words(
    status: int, make: Make, server: OpenAIServer
) -> None:
    server.always = vendor.without("response_format", status=status, told=False)
    assert titles(make().organize(events(1), [])) == ["Picnic B, 6 January 2024"]
    assert '"confidence"' in server.asked[-1].instructions and '"confidence"' not in server.asked[0].instructions


@pytest.mark.parametrize(
    "around",
    ["```json\n{}\n```", "Sure! Here it is:\n{}\nAnything else?", '<think>A {{"picnic"}}?</think>{}', "\n\n{}"],
)
def test_json_is_found_in_what_a_model_says(around: str, make: Make, server: OpenAIServer) -> None:
    server.always = vendor.text(lambda right: around.replace("{}", right))
    assert titles(make().organize(events(1), [])) == ["Picnic B, 6 January 2024"]


@pytest.mark.parametrize("said", ["", "no", "}{", "<think>{}</think>"])
def test_where_there_is_no_json_there_is_none(said: str) -> None:
    assert json_in(said) == ""


# --- faults

FAULTS: dict[str, Mishap] = {
    "truncated": vendor.text(lambda right: right[: len(right) // 2], "length"),
    "blocked": vendor.text("", "content_filter"),
    "refused": vendor.text("", refusal="I cannot help with photos of people."),
    "an end nobody knows": vendor.text("{}", "tool_calls"),
    "wrong shape": vendor.text('{"albums": []}'),
    "wrong ids": vendor.text(lambda right: right.replace('"event": ', '"event": 9')),
    "words": vendor.text("A lovely picnic."),
    "empty": vendor.text(""),
    "10 MB of text": vendor.text("{" + "x" * 10_000_000 + "}"),
    "no choices": vendor.shaped({"choices": []}),
    "JSON of another service": vendor.raw(b'[{"ok": true}]'),
    "nothing at all": vendor.raw(b""),
    "HTML": vendor.raw(b"<!doctype html><title>Sign in</title>", content_type="text/html"),
    "400": error(400, "this model does not support images"),
    "401": error(401, "Incorrect API key provided"),
    "403": error(403, "Country not supported"),
    "404": error(404, "model not found, try pulling it first"),
    "413": vendor.raw(b"too large", 413, "text/plain"),
    "429": error(429, "Rate limit reached"),
    "429 with a short delay": error(429, "Rate limit reached", Retry_After="0.02"),
    "429 with a long delay": error(429, "Rate limit reached", Retry_After="3600"),
    "429 with a date": error(429, "Rate limit reached", Retry_After="Wed, 21 Oct 2026 07:28:00 GMT"),
    "500": error(500, "llama runner process has terminated: cudaMalloc failed: out of memory"),
    "503 in HTML": vendor.raw(b"<html>Bad gateway</html>", 503, "text/html"),
    "hang": vendor.hang,
    "reset": vendor.reset,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_goes_wrong_all_photos_have_their_local_albums_and_the_reason_is_told(
    fault: str, make: Make, server: OpenAIServer
) -> None:
    photos = events(2)
    server.always = FAULTS[fault]
    organizer = make(replace(POLICY, deadline=0.5) if fault == "hang" else POLICY)
    assert list(organizer.organize(photos, [])) == list(LocalOrganizer().organize(photos, []))
    assert organizer.name == "local"
    assert organizer.report["reason"].startswith("2 of 2 events have local titles: ")
    assert len(server.asked) <= 10


@pytest.mark.parametrize("fault", ["429", "429 with a short delay", "429 with a date", "500", "503 in HTML", "reset"])
def test_what_passes_is_waited_for(fault: str, make: Make, server: OpenAIServer) -> None:
    photos = events(2)
    server.mishaps.append(FAULTS[fault])
    organizer = make()
    assert_complete(photos, organizer.organize(photos, []))
    assert organizer.report["reason"] is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"policy": replace(POLICY, models=("another",))}, "there is no such model"),
        ({"url": "http://127.0.0.1:9/v1"}, "it is out of reach"),
    ],
)
def test_a_wrong_set_up_is_told(change: dict[str, Any], reason: str, make: Make) -> None:
    organizer = make(**change)
    organizer.organize(events(2), [])
    assert organizer.report["reason"] == f"2 of 2 events have local titles: {reason}."


def test_a_key_that_is_not_accepted_ends_the_run(make: Make, server: OpenAIServer) -> None:
    server.key = "the right one"
    organizer = make()
    organizer.organize(events(2), [])
    assert organizer.report["reason"] == "2 of 2 events have local titles: the key is not accepted."


def test_where_the_package_is_missing_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_spec(name: str) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(module, "find_spec", find_spec)
    with pytest.raises(SettingsError, match=r"pip install 'momentarium\[openai\]'") as raised:
        OpenAI(None)
    assert "\n" not in str(raised.value)


def test_the_schema_is_what_strict_servers_take() -> None:
    def check(shape: Any) -> None:
        if isinstance(shape, dict):
            if shape.get("type") == "object":
                assert shape["additionalProperties"] is False and set(shape["required"]) == set(shape["properties"])
            for inner in shape.values():
                check(inner)

    for answer in (naming.Answer, closer.Answer, relations.Answer):
        check(module._schema(answer))
