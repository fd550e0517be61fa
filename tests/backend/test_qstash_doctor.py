"""What the doctor says of jobs through QStash, with one on loopback and a real server: good ones, and spoilt ones."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from momentarium_cli.backend import qstash_doctor
from momentarium_cli.backend.api.app import create_app
from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.findings import Finding
from momentarium_cli.backend.qstash_doctor import examine_qstash
from momentarium_cli.backend.queues.qstash_account import QStashAccount
from momentarium_cli.backend.wiring import open_backend, qstash_options, queue_proofs
from momentarium_cli.config import Settings
from momentarium_cli.errors import SettingsError, Throttled
from tests.backend.test_qstash_jobs import called_by
from tests.qstash import QStashServer
from tests.servers import ApiServer, answering, listening, serving

CHECKS = ["QStash", "signing keys", "public address", "webhook", "maintenance"]
LIVE_CHECKS = [*CHECKS, "secrecy", "delivery"]
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def server(tmp_path: Path, database: Database, qstash_server: QStashServer) -> Iterator[ApiServer]:
    def settings(url: str) -> Settings:
        return called_by(qstash_server, url, tmp_path / "data")

    with serving(tmp_path / "data", database, settings) as running:
        yield running


@pytest.fixture
def settings(server: ApiServer, qstash_server: QStashServer) -> Settings:
    """Those that the server runs with."""
    return called_by(qstash_server, server.url, server.data_dir)


def of_queue(settings: Settings, **changes: Any) -> Settings:
    return replace(settings, queue=replace(settings.queue, **changes))


def at(settings: Settings, url: str) -> Settings:
    return replace(settings, server=replace(settings.server, public_url=url))


def examined(settings: Settings, *, live: bool = False) -> dict[str, Finding]:
    proofs = queue_proofs(settings)
    assert proofs is not None
    findings = list(examine_qstash(qstash_options(settings), proofs, settings.queue, live=live))
    assert (settings.queue.api_secret or "?") not in str(findings)
    assert "sig_" not in str(findings)
    return {finding.check: finding for finding in findings}


def schedule_maintenance(settings: Settings) -> None:
    with closing(QStashAccount(qstash_options(settings))) as account:
        account.schedule_maintenance("*/2 * * * *")


def last(settings: Settings) -> Finding:
    return list(examined(settings).values())[-1]


class TestASetUpThatIsRight:
    def test_every_check_is_made_and_the_schedule_set_up(self, settings: Settings, qstash_server: QStashServer) -> None:
        findings = examined(settings)
        assert list(findings) == CHECKS
        assert all(finding.ok and not finding.advice for finding in findings.values())
        assert findings["maintenance"].text == (
            f"set up, for there was no schedule: {settings.server.public_url}/api/maintenance is called at */2 * * * * "
            "(queue.maintenance_cron), a message each time"
        )
        [schedule] = qstash_server.service.schedules.values()
        assert (schedule.url, schedule.cron) == (f"{settings.server.public_url}/api/maintenance", "*/2 * * * *")

    def test_what_is_set_up_works_and_is_left_alone(self, settings: Settings, qstash_server: QStashServer) -> None:
        examined(settings)
        before = dict(qstash_server.service.schedules)
        assert {answer.status for answer in qstash_server.advance(250)} == {200}
        assert examined(settings)["maintenance"].text.startswith(f"{settings.server.public_url}/api/maintenance is")
        assert qstash_server.service.schedules == before

    def test_it_sends_no_message_and_makes_no_job(self, settings: Settings, qstash_server: QStashServer) -> None:
        examined(settings)
        assert qstash_server.waiting == [] and qstash_server.service.known == {}


class TestAccount:
    def test_a_wrong_token(self, settings: Settings) -> None:
        finding = last(of_queue(settings, qstash_token="another"))
        assert (finding.check, finding.exit_code) == ("QStash", 4)
        assert "does not take the token. Set queue.qstash_token" in finding.text

    @pytest.mark.parametrize("token", ["türe", "two\nlines"])
    def test_a_token_that_cannot_be_sent(self, settings: Settings, token: str) -> None:
        finding = last(of_queue(settings, qstash_token=token))
        assert (finding.check, finding.exit_code) == ("QStash", 4)
        assert token not in finding.text

    def test_another_region(self, settings: Settings, qstash_server: QStashServer) -> None:
        qstash_server.refuse(404, "user not found")
        finding = last(settings)
        assert (finding.check, finding.exit_code) == ("QStash", 2)
        assert "does not know the account (user not found). Set queue.qstash_url" in finding.text

    def test_another_service(self, settings: Settings) -> None:
        with elsewhere(lambda _: PlainTextResponse("<html>")) as url:
            assert f"What answers at {url} is not QStash." in last(of_queue(settings, qstash_url=url)).text

    @pytest.mark.parametrize("url", ["qstash.upstash.io", "https://"])
    def test_what_is_no_address(self, settings: Settings, url: str) -> None:
        assert "is not an address." in last(of_queue(settings, qstash_url=url)).text

    @pytest.mark.parametrize(("status", "code"), [(500, 5), (503, 5), (412, 2)])
    def test_a_service_that_refuses(
        self, settings: Settings, qstash_server: QStashServer, status: int, code: int
    ) -> None:
        qstash_server.refuse(status, "not\ntoday")
        finding = last(settings)
        assert (finding.check, finding.exit_code) == ("QStash", code)
        assert str(status) in finding.text and "not today" in finding.text

    def test_a_service_that_is_away(self, settings: Settings) -> None:
        finding = last(of_queue(settings, qstash_url=NOWHERE))
        assert finding.exit_code == 5
        assert f"QStash cannot be reached at {NOWHERE}" in finding.text

    def test_a_limit_of_the_second(self, settings: Settings, qstash_server: QStashServer) -> None:
        qstash_server.exceed_rate()
        finding = last(settings)
        assert (finding.exit_code, finding.text) == (5, "QStash is asked too often. Try again in a moment.")

    def test_a_limit_of_the_day(self, settings: Settings, qstash_server: QStashServer) -> None:
        qstash_server.exceed_day()
        finding = last(settings)
        assert finding.exit_code == 5
        assert "1000 messages of today are used up" in finding.text and "queue.maintenance_cron" in finding.text


class TestSigningKeys:
    def keys(self, settings: Settings) -> Finding:
        return examined(settings)["signing keys"]

    def test_after_one_rotation_it_is_time_to_follow(self, settings: Settings, qstash_server: QStashServer) -> None:
        qstash_server.keys.rotate()
        finding = self.keys(settings)
        assert finding.ok and finding.advice
        assert ": queue.qstash_current_signing_key and queue.qstash_next_signing_key; after the" in finding.text

    def test_after_two_nothing_is_accepted(self, settings: Settings, qstash_server: QStashServer) -> None:
        qstash_server.keys.rotate()
        qstash_server.keys.rotate()
        finding = self.keys(settings)
        assert finding.exit_code == 2
        assert "its calls are refused. Set both to those" in finding.text

    def test_swapped_ones_work_until_the_next_rotation(self, settings: Settings, qstash_server: QStashServer) -> None:
        keys = qstash_server.keys
        swapped = of_queue(settings, qstash_current_signing_key=keys.next, qstash_next_signing_key=keys.current)
        finding = self.keys(swapped)
        assert finding.ok and finding.advice

    @pytest.mark.parametrize("key", [None, "sig_ofanotheraccount0000000000000"])
    def test_only_the_one_that_differs_is_named(self, settings: Settings, key: str | None) -> None:
        finding = self.keys(of_queue(settings, qstash_next_signing_key=key))
        assert finding.advice and "other than the account's: queue.qstash_next_signing_key; after" in finding.text


class TestPublicAddress:
    @pytest.mark.parametrize(
        "url",
        ["https://127.0.0.1:8787", "https://10.0.0.7", "https://192.168.1.2", "https://[fd00::1]", "https://nas",
         "https://nas.local", "http://localhost:8787", "https://169.254.1.1"],
    )  # fmt: skip
    def test_the_true_qstash_cannot_reach_an_inner_one(self, url: str, settings: Settings) -> None:
        proofs, queue = queue_proofs(at(settings, url)), settings.queue
        assert proofs is not None
        options = replace(qstash_options(at(settings, url)), url="https://qstash.upstash.io")
        checks = qstash_doctor._Checks(options, proofs, queue, None, None)  # type: ignore[arg-type]
        with pytest.raises(SettingsError, match="QStash cannot reach"):
            checks.public_address()

    def test_a_secret_is_not_sent_without_encryption(self, settings: Settings) -> None:
        finding = last(at(settings, "http://photos.example.com"))
        assert (finding.check, finding.exit_code) == ("public address", 2)
        assert "Have HTTPS there" in finding.text


@contextmanager
def elsewhere(answer: Any) -> Iterator[str]:
    """Something that answers to everything, and is not Momentarium."""

    async def endpoint(request: Request) -> Response:
        response: Response = answer(request)
        return response

    routes = [Route("/{path:path}", endpoint, methods=["GET", "POST"])]
    with listening() as (listener, url), answering(Starlette(routes=routes), listener):
        yield url


class TestWebhook:
    def test_nothing_is_there(self, settings: Settings, qstash_server: QStashServer) -> None:
        finding = last(at(settings, NOWHERE))
        assert (finding.check, finding.exit_code) == ("webhook", 5)
        assert f"{NOWHERE}/api/jobs/process cannot be reached" in finding.text
        assert qstash_server.service.schedules == {}, "nobody is called who is not there"

    def test_another_path(self, settings: Settings) -> None:
        finding = last(at(settings, f"{settings.server.public_url}/photos"))
        assert (finding.check, finding.exit_code) == ("webhook", 2)
        assert "/photos/api/jobs/process answers with 404, which is not Momentarium." in finding.text

    @pytest.mark.parametrize("status", [200, 401, 403, 502])
    def test_another_program(self, settings: Settings, status: int) -> None:
        with elsewhere(lambda _: PlainTextResponse("Please log in", status)) as url:
            assert f"answers with {status}, which is not Momentarium." in last(at(settings, url)).text

    def test_a_redirect_is_told_with_where_it_leads(self, settings: Settings) -> None:
        with elsewhere(lambda _: RedirectResponse("https://photos.example.com/", 308)) as url:
            assert "answers with 308 to https://photos.example.com/, which" in last(at(settings, url)).text

    def test_a_server_that_knows_another_secret(self, settings: Settings) -> None:
        finding = last(of_queue(settings, api_secret="another-secret-of-tests"))
        assert (finding.check, finding.exit_code) == ("webhook", 2)
        assert "refuses what these settings prove. It has to run with queue.backend qstash" in finding.text

    def test_a_server_that_no_queue_calls(self, settings: Settings, tmp_path: Path, database: Database) -> None:
        with serving(tmp_path / "other", database) as other:
            assert "refuses what these settings prove" in last(at(settings, other.url)).text

    def test_a_server_behind_another_path_of_a_proxy(
        self, tmp_path: Path, database: Database, qstash_server: QStashServer
    ) -> None:
        """The path is cut off by the proxy, and signed all the same."""
        with listening() as (listener, url):
            chosen = called_by(qstash_server, f"{url}/photos/", tmp_path / "data")
            with open_backend(chosen, database) as backend:
                app = Starlette(routes=[Route("/", lambda _: Response()), Mount("/photos", _cut(backend.services))])
                with answering(app, listener):
                    assert all(finding.ok for finding in examined(chosen).values())

    def test_a_server_whose_database_is_away(self, settings: Settings, server: ApiServer) -> None:
        server.database.close()
        finding = last(settings)
        assert (finding.check, finding.exit_code) == ("webhook", 5)


def _cut(services: Any) -> Any:
    """The application, which a proxy shows the path after its own prefix."""
    app = create_app(services)

    async def call(scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        await app({**scope, "path": path, "root_path": ""}, receive, send)

    return call


class TestMaintenance:
    def text(self, settings: Settings) -> str:
        finding = examined(settings)["maintenance"]
        assert finding.ok
        return finding.text

    def test_one_to_an_old_path_is_changed(self, settings: Settings, qstash_server: QStashServer) -> None:
        old = at(settings, f"{settings.server.public_url}/old")
        schedule_maintenance(old)
        assert self.text(settings).startswith(f"set up, for it called {old.server.public_url}/api/maintenance:")
        [schedule] = qstash_server.service.schedules.values()
        assert schedule.url == f"{settings.server.public_url}/api/maintenance"

    def test_one_to_an_old_host_is_told(self, settings: Settings, qstash_server: QStashServer) -> None:
        schedule_maintenance(at(settings, "https://old.example.com"))
        finding = examined(settings)["maintenance"]
        assert finding.advice
        assert "https://old.example.com/api/maintenance by the schedule momentarium-maintenance-old" in finding.text
        assert len(qstash_server.service.schedules) == 2, "it may be another's"

    def test_other_times_are_followed(self, settings: Settings, qstash_server: QStashServer) -> None:
        examined(settings)
        assert self.text(of_queue(settings, maintenance_cron="*/5 * * * *")).startswith(
            "set up, for it called at */2 * * * *:"
        )
        [schedule] = qstash_server.service.schedules.values()
        assert schedule.cron == "*/5 * * * *"

    def test_what_is_no_cron_is_told(self, settings: Settings) -> None:
        finding = last(of_queue(settings, maintenance_cron="every minute"))
        assert (finding.check, finding.exit_code) == ("maintenance", 2)
        assert "invalid cron" in finding.text

    def test_another_secret_is_brought_along_after_it_was_changed(
        self, settings: Settings, qstash_server: QStashServer
    ) -> None:
        schedule_maintenance(of_queue(settings, api_secret="the-one-before-it"))
        assert self.text(settings).startswith("set up, for it brought another secret along:")
        assert self.text(settings).startswith("http")

    def test_one_that_is_paused_is_told(self, settings: Settings, qstash_server: QStashServer) -> None:
        examined(settings)
        [schedule] = qstash_server.service.schedules.values()
        schedule.paused = True
        finding = examined(settings)["maintenance"]
        assert finding.advice and "paused" in finding.text


class TestLive:
    @pytest.fixture(autouse=True)
    def _soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("momentarium_cli.backend.queues.qstash_account._LOOK_SECONDS", 0.05)

    def test_a_message_is_delivered_and_nothing_stays(self, settings: Settings, qstash_server: QStashServer) -> None:
        with qstash_server.live():
            findings = examined(settings, live=True)
        assert list(findings) == LIVE_CHECKS
        assert findings["delivery"].text.startswith("QStash delivered a message within 0.")
        [delivery] = qstash_server.deliveries
        assert (delivery.url, delivery.status) == (f"{settings.server.public_url}/api/maintenance", 200)
        assert qstash_server.waiting == [] and qstash_server.dead_letters == []

    def test_where_the_secret_is_shown_is_told(self, settings: Settings, qstash_server: QStashServer) -> None:
        with qstash_server.live():
            finding = examined(settings, live=True)["secrecy"]
        assert finding.advice
        assert "shows queue.api_secret in its failure callbacks: who" in finding.text, (
            "this QStash redacts messages only"
        )

    def test_where_it_is_shown_nowhere_is_told(
        self, settings: Settings, qstash_server: QStashServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tests.qstash.views.callback_headers", lambda *_: [("x-api-secret", "REDACTED:1234")])
        with qstash_server.live():
            assert "does not show queue.api_secret" in examined(settings, live=True)["secrecy"].text

    def test_a_call_that_is_refused_is_told(self, settings: Settings, qstash_server: QStashServer) -> None:
        """The keys that are set still sign what the doctor sends, but no more what QStash does."""
        qstash_server.keys.rotate()
        qstash_server.keys.rotate()
        with qstash_server.live():
            finding = examined(settings, live=True)["delivery"]
        assert finding.exit_code == 2
        assert "refuses what QStash signs. " in finding.text
        assert qstash_server.waiting == [] and qstash_server.dead_letters == [], "neither it nor a failure callback"

    def test_a_call_that_finds_nobody_is_told(self, settings: Settings, qstash_server: QStashServer) -> None:
        gone = replace(qstash_options(settings), maintenance_url=f"{NOWHERE}/api/maintenance")
        with qstash_server.live(), closing(QStashAccount(gone)) as account:
            called = account.call_maintenance(5)
        assert (called.failed, called.status) == (True, 0)

    def test_one_that_does_not_come_is_not_waited_for_for_ever(
        self, settings: Settings, qstash_server: QStashServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its clock stands still."""
        monkeypatch.setattr(qstash_doctor, "_LIVE_SECONDS", 0.3)
        finding = examined(settings, live=True)["delivery"]
        assert finding.exit_code == 5 and "did not deliver a message within" in finding.text
        assert qstash_server.waiting == [], "it was called back"

    def test_a_limit_is_told(self, settings: Settings, qstash_server: QStashServer) -> None:
        with closing(QStashAccount(qstash_options(settings))) as account, pytest.raises(Throttled, match="used up"):
            qstash_server.exceed_day()
            account.call_maintenance(1)
