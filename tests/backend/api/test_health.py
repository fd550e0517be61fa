import os
import signal
import time
from pathlib import Path

import httpx

from momentarium_cli.backend.db.embedded import EmbeddedPostgres
from momentarium_cli.backend.db.migrate import migrate
from momentarium_cli.backend.db.pool import Database
from tests.backend.api.calls import assert_problem
from tests.folders import short_folder
from tests.servers import ApiServer, serving


def test_a_server_that_can_work_is_ready(api_server: ApiServer) -> None:
    with api_server.http() as http:
        assert http.get("/healthz").json() == {"status": "ok"}
        assert http.get("/readyz").json() == {"status": "ready"}


def test_without_its_database_it_lives_but_is_not_ready_and_recovers(tmp_path: Path) -> None:
    with short_folder() as folder:
        postgres = EmbeddedPostgres(folder, "a password for tests")
        try:
            migrate(conninfo := postgres.start())
            database = Database(conninfo)
            with serving(tmp_path, database) as server, server.http() as http:
                os.kill(int((postgres.folder / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
                answer = http.get("/readyz")
                assert_problem(answer, 503, "database_unavailable")
                assert int(answer.headers["Retry-After"]) > 0
                assert http.get("/healthz").status_code == 200
                postgres.start()
                assert ready_within(http, 10)
            database.close()
        finally:
            postgres.stop()


def ready_within(http: httpx.Client, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while http.get("/readyz").status_code != 200:
        if time.monotonic() > deadline:
            return False
    return True
