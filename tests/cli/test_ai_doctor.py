"""What the doctor says of a model: the terms, and whether it answers."""

import json
from collections.abc import Iterator

import pytest

from tests import gemini as vendor
from tests.cli.conftest import Cli, Said
from tests.gemini import KEY, GeminiServer, running_gemini
from tests.openai_server import MODEL, OpenAIServer, running_openai


@pytest.fixture(autouse=True)
def _database(monkeypatch: pytest.MonkeyPatch, conninfo: str) -> None:
    monkeypatch.setenv("MOMENTARIUM_DATABASE_URL", conninfo)


@pytest.fixture
def gemini(monkeypatch: pytest.MonkeyPatch) -> Iterator[GeminiServer]:
    with running_gemini() as running:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", running.url)
        monkeypatch.setenv("GEMINI_API_KEY", KEY)
        monkeypatch.setenv("MOMENTARIUM_ORGANIZER_BACKEND", "gemini")
        yield running


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIServer]:
    with running_openai() as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        monkeypatch.setenv("MOMENTARIUM_ORGANIZER_OPENAI_MODEL", MODEL)
        monkeypatch.setenv("MOMENTARIUM_ORGANIZER_BACKEND", "openai")
        yield running


def told(said: Said, check: str) -> dict[str, object]:
    [found] = [found for found in json.loads(said.out)["checks"] if found["check"] == check]
    return dict(found)


def test_the_terms_of_the_free_tier_are_told_without_a_request(cli: Cli, gemini: GeminiServer) -> None:
    found = told(cli("doctor", "--json"), "organizer")
    assert found["advice"] and "$1.00 a month" in str(found["text"]) and "aistudio.google.com" in str(found["text"])
    assert gemini.asked == []


def test_a_key_and_its_model_are_tried_with_one_cheap_request(cli: Cli, gemini: GeminiServer) -> None:
    said = cli("doctor", "--live", "--json")
    assert said.code == 0 and not told(said, "model")["advice"]
    assert "gemini-3.5-flash-lite saw a picture" in str(told(said, "model")["text"])
    assert len(gemini.asked) == 1


def test_a_key_that_is_known_to_be_free_is_told(cli: Cli, gemini: GeminiServer) -> None:
    gemini.always = vendor.free_tier
    said = cli("doctor", "--live", "--json")
    assert said.code == 0 and "Google may use what it gets" in str(told(said, "model")["text"])


def test_a_wrong_key_fails(cli: Cli, gemini: GeminiServer) -> None:
    gemini.key = "another"
    said = cli("doctor", "--live", "--json")
    assert said.code == 2 and told(said, "model")["text"] == (
        "gemini-3.5-flash-lite: the key is not accepted. Check the key."
    )


def test_a_model_that_nobody_can_reach_is_temporary(
    cli: Cli, gemini: GeminiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:9")
    said = cli("doctor", "--live", "--json")
    assert said.code == 5 and "out of reach" in str(told(said, "model")["text"])


def test_a_server_of_ones_own_is_tried_too_and_costs_nothing(cli: Cli, own: OpenAIServer) -> None:
    said = cli("doctor", "--live", "--json")
    assert said.code == 0 and "costs nothing" in str(told(said, "organizer")["text"])
    assert f"{MODEL} saw a picture" in str(told(said, "model")["text"])


def test_a_model_without_eyes_is_found(cli: Cli, own: OpenAIServer) -> None:
    own.colour = "none"
    found = told(cli("doctor", "--live", "--json"), "model")
    assert found["advice"] and "sees pictures?" in str(found["text"])


def test_pictures_that_anybody_could_see_on_their_way_are_told(
    cli: Cli, own: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://models.example.org/v1")
    assert "have HTTPS there" in str(told(cli("doctor", "--json"), "organizer")["text"])
