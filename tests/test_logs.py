import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from momentarium_cli import logs


@pytest.fixture(autouse=True)
def _root_logger_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if handler not in before[0]:
            handler.close()
    root.handlers[:], level = before
    root.setLevel(level)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("token mom_abcdEFGH0123-_xyz is bad", "token mom_*** is bad"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("to postgresql://ann:s3cret@db/photos", "to postgresql://ann:***@db/photos"),
        ("host=db password=s3cret user=ann", "host=db password=*** user=ann"),
        ("secret_key=abc", "secret_key=***"),
        ("PUT http://127.0.0.1:1/files/originals/7/ab?expires=1&signature=xyz 201",
         "PUT http://127.0.0.1:1/files/originals/7/ab?*** 201"),
        ("GET /files/thumbs/7/ab.jpg?signature=xyz", "GET /files/thumbs/7/ab.jpg?***"),
        ("key sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r, next", "key sig_***, next"),
        ("qstash_token=eyJVc2VySUQi", "qstash_token=***"),
        ("Upstash-Forward-X-API-Secret: s3cret,!'\" then", "Upstash-Forward-X-API-Secret: *** then"),
        ("api_secret=s3cret", "api_secret=***"),
        ("{'X-API-Secret': 's3cret'} sent", "{'X-API-Secret': *** sent"),
        ("[(b'x-api-secret', b's3cret')] came", "[(b'x-api-secret', *** came"),
        ("queue.api_secret must be there, 16 or more", "queue.api_secret must be there, 16 or more"),
        ("is it there? yes", "is it there? yes"),
    ],
)  # fmt: skip
def test_secrets_and_queries_are_masked(text: str, masked: str) -> None:
    assert logs.mask(text) == masked


def test_lines_carry_the_ids_of_request_and_job(tmp_path: Path) -> None:
    path = logs.setup(tmp_path, "server")
    request, job = logs.request_id.set("r1"), logs.job_id.set("j1")
    logging.getLogger("test").info("hello %s", "mom_abcdefghij")
    logs.request_id.reset(request)
    logs.job_id.reset(job)
    logging.getLogger("test").info("again")
    first, second = path.read_text("utf-8").splitlines()
    assert first.endswith("INFO test [request r1] [job j1] hello mom_***")
    assert second.endswith("[request -] [job -] again")


def test_what_an_exception_says_is_masked_too(tmp_path: Path) -> None:
    path = logs.setup(tmp_path, "server")
    try:
        raise ValueError("cannot reach postgresql://ann:s3cret@db/photos")
    except ValueError:
        logging.getLogger("test").exception("it failed")
    assert "s3cret" not in path.read_text("utf-8")


def test_the_log_is_for_its_owner_alone_and_rotates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_BYTES", 1000)
    path = logs.setup(tmp_path / "data", "client")
    for number in range(200):
        logging.getLogger("test").info("line %d", number)
    assert path == logs.log_file(tmp_path / "data", "client")
    assert path.parent.stat().st_mode & 0o077 == 0
    assert 1 < len(list(path.parent.iterdir())) <= 1 + logs.BACKUPS


def test_a_data_folder_that_cannot_be_written_is_not_the_log_s_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    logs.setup(tmp_path / "file", "client")
    logging.getLogger("test").info("nobody hears this")


def test_verbose_speaks_on_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup(tmp_path, "client", verbose=1)
    logging.getLogger("test").info("aloud")
    logging.getLogger("test").debug("too much")
    assert "aloud" in (err := capsys.readouterr().err) and "too much" not in err
