import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from threading import Event as StopEvent
from typing import Any

import pytest

from momentarium_cli.client import export as module
from momentarium_cli.client.export import AlbumBegun, NotWritten, Written, export
from momentarium_cli.client.transport import FixedServer, Transport
from momentarium_cli.errors import ServerUnreachable, Stopped, UsageError
from momentarium_cli.models import Album, AlbumKind, Photo
from momentarium_cli.photos.checksum import sha256_bytes
from tests.client.loopback import Loopback, Reply, Request, loopback

NOW = datetime(2024, 5, 1, 10)
EVIL = [
    "..", ".", "../../etc/passwd", "/etc/passwd", "a/b", "a\\b", "C:\\x", "", " ", ". .", "...", "con", "NUL", "com1.x",
    "a\x00b", "new\nline", "bell\x07", "x" * 300, "é" * 300, "📷" * 100, "trailing. ", "~", "-rf", "a:b", 'q"uo|te?*',
]  # fmt: skip


class Library:
    """Albums as a list of (title, photos), each photo (file name, bytes); answered as the SDK answers them."""

    def __init__(self, server: Loopback, transport: Transport) -> None:
        self.server, self.transport = server, transport
        self.albums: list[tuple[str, list[tuple[str, bytes]]]] = []
        server.answer = self._answer

    def _answer(self, request: Request) -> Reply:
        album, photo = map(int, request.path.strip("/").split("/"))
        return Reply(200, self.albums[album][1][photo][1])

    # --- what an export asks of the SDK

    @property
    def api(self) -> "Library":
        return self

    def gallery(self) -> Iterator[Album]:
        return (self._album(number) for number in range(len(self.albums)))

    def album(self, album_id: int) -> tuple[Album, Iterator[Photo]]:
        return self._album(album_id), (self._photo(album_id, n) for n in range(len(self.albums[album_id][1])))

    def download(self, url: str) -> Iterator[bytes]:
        return self.transport.stream(url)

    def _album(self, number: int) -> Album:
        title, photos = self.albums[number]
        return Album(
            id=number, title=title, theme_description=None, kind=AlbumKind.EVENT, place=None, starts_at=None,
            ends_at=None, photo_count=len(photos), cover_url=None, organized_by=None, created_at=NOW, updated_at=NOW,
        )  # fmt: skip

    def _photo(self, album: int, number: int) -> Photo:
        name, data = self.albums[album][1][number]
        known: dict[str, Any] = {
            "id": number,
            "original_filename": name,
            "content_type": "image/jpeg",
            "file_size_bytes": len(data),
            "sha256": sha256_bytes(data),
            "original_url": f"{self.server.url}/{album}/{number}",
            "taken_at": NOW,
            "clock_shift_seconds": 0,
        }
        return Photo(**dict.fromkeys(Photo.model_fields) | known)


@pytest.fixture
def shelf() -> Iterator[Library]:
    with loopback(lambda _: Reply()) as server:
        transport = Transport(FixedServer(server.url, "mom_x"))
        yield Library(server, transport)
        transport.close()


def run(shelf: Library, destination: Path, *album_ids: int) -> list[Any]:
    return list(export(shelf, destination, album_ids=frozenset(album_ids), stop=StopEvent()))  # type: ignore[arg-type]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_albums_are_folders_and_originals_are_byte_for_byte(shelf: Library, tmp_path: Path) -> None:
    shelf.albums = [("May", [("a.jpg", b"one"), ("b.jpg", b"two")]), ("June", [("a.jpg", b"three")])]
    told = run(shelf, tmp_path / "out")
    assert files(tmp_path / "out") == {"May/a.jpg": b"one", "May/b.jpg": b"two", "June/a.jpg": b"three"}
    assert [each.title for each in told if isinstance(each, AlbumBegun)] == ["May", "June"]
    assert all(each.new for each in told if isinstance(each, Written))


def test_a_file_has_the_time_of_its_photo(shelf: Library, tmp_path: Path) -> None:
    shelf.albums = [("May", [("a.jpg", b"one")])]
    run(shelf, tmp_path)
    assert datetime.fromtimestamp((tmp_path / "May" / "a.jpg").stat().st_mtime) == NOW


def test_a_repeat_writes_nothing(shelf: Library, tmp_path: Path) -> None:
    shelf.albums = [("May", [("a.jpg", b"one"), ("a.jpg", b"two")])]
    run(shelf, tmp_path)
    asked = len(shelf.server.requests)
    assert [each.new for each in run(shelf, tmp_path) if isinstance(each, Written)] == [False, False]
    assert len(shelf.server.requests) == asked


@pytest.mark.parametrize("damage", [b"onX", b"on", b""], ids=["another byte", "short", "empty"])
def test_a_file_that_is_another_is_left_alone(shelf: Library, tmp_path: Path, damage: bytes) -> None:
    shelf.albums = [("May", [("a.jpg", b"one"), ("b.jpg", b"two")])]
    run(shelf, tmp_path)
    (tmp_path / "May" / "a.jpg").write_bytes(damage)
    assert [each.new for each in run(shelf, tmp_path) if isinstance(each, Written)] == [True, False]
    assert files(tmp_path)["May/a.jpg"] == damage
    assert files(tmp_path)["May/a (2).jpg"] == b"one"
    assert not any(each.new for each in run(shelf, tmp_path) if isinstance(each, Written))


def test_only_the_named_albums_are_written(shelf: Library, tmp_path: Path) -> None:
    shelf.albums = [("May", [("a.jpg", b"one")]), ("May", [("a.jpg", b"two")])]
    run(shelf, tmp_path / "all")
    run(shelf, tmp_path / "some", 1)
    assert files(tmp_path / "some") == {"May (2)/a.jpg": b"two"}, "under the name it has among all albums"


def test_names_that_differ_by_case_alone_get_a_number(shelf: Library, tmp_path: Path) -> None:
    shelf.albums = [("Rome", [("IMG.JPG", b"1"), ("img.jpg", b"2"), ("img (2).jpg", b"3")]), ("ROME", [])]
    run(shelf, tmp_path)
    assert files(tmp_path) == {"Rome/IMG.JPG": b"1", "Rome/img (2).jpg": b"2", "Rome/img (2) (2).jpg": b"3"}
    assert (tmp_path / "ROME (2)").is_dir()


def test_names_that_differ_by_composition_alone_get_a_number(shelf: Library, tmp_path: Path) -> None:
    shelf.albums = [("é", [("é.jpg", b"1"), ("e\u0301.jpg", b"2")])]
    run(shelf, tmp_path)
    assert len(files(tmp_path)) == 2


@pytest.mark.parametrize("name", EVIL, ids=lambda name: ascii(name)[:20])
def test_whatever_the_names_everything_stays_in_its_folder(shelf: Library, tmp_path: Path, name: str) -> None:
    shelf.albums = [(name, [(name, b"1"), (name, b"2"), (name + ".jpg", b"3"), ("a." + name, b"4")])]
    told = run(shelf, tmp_path / "out")
    assert not [each for each in told if isinstance(each, NotWritten)]
    written = files(tmp_path / "out")
    assert sorted(written.values()) == [b"1", b"2", b"3", b"4"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert {len(Path(path).parts) for path in written} == {2}
    for part in {part for path in written for part in Path(path).parts}:
        assert len(os.fsencode(part)) <= 255
        assert not set(part) & set('<>:"/\\|?*') and part.isprintable()
        assert not part.endswith((" ", ".")), "Windows drops these"


def test_an_emoji_keeps_its_place_in_a_name(shelf: Library, tmp_path: Path) -> None:
    shelf.albums = [("Rome 🏛️", [("📷 ünï.jpg", b"1")])]
    run(shelf, tmp_path)
    assert files(tmp_path) == {"Rome 🏛️/📷 ünï.jpg": b"1"}


def test_bytes_that_arrive_damaged_are_not_kept(shelf: Library, tmp_path: Path) -> None:
    shelf.albums = [("May", [("a.jpg", b"one"), ("b.jpg", b"two")])]
    answer = shelf.server.answer
    shelf.server.answer = lambda request: Reply(200, b"onX") if request.path == "/0/0" else answer(request)
    told = run(shelf, tmp_path)
    [failed] = [each for each in told if isinstance(each, NotWritten)]
    assert "arrived damaged" in failed.error
    assert files(tmp_path) == {"May/b.jpg": b"two"}


def test_a_server_that_is_gone_ends_it(shelf: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.albums = [("May", [(f"{number}.jpg", b"x") for number in range(3)])]

    def gone(_: str) -> Any:
        raise ServerUnreachable("gone")

    monkeypatch.setattr(shelf, "download", gone)
    monkeypatch.setattr(module, "_TRIES", 1)
    with pytest.raises(ServerUnreachable):
        run(shelf, tmp_path)


def test_a_stop_ends_it_between_two_photos(shelf: Library, tmp_path: Path) -> None:
    shelf.albums = [("May", [("a.jpg", b"one"), ("b.jpg", b"two")])]
    stop = StopEvent()
    told = export(shelf, tmp_path, album_ids=frozenset(), stop=stop)  # type: ignore[arg-type]
    with pytest.raises(Stopped, match="go on"):
        for each in told:
            if isinstance(each, Written):
                stop.set()
    assert files(tmp_path) == {"May/a.jpg": b"one"}


@pytest.mark.parametrize("where", ["file/out", "file", "out"], ids=["below a file", "a file", "an album is a file"])
def test_a_place_that_cannot_be_used_is_named(shelf: Library, tmp_path: Path, where: str) -> None:
    shelf.albums = [("May", [("a.jpg", b"one")])]
    (tmp_path / "file").write_text("x")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "May").write_text("in the way")
    with pytest.raises(UsageError, match=str(tmp_path)):
        run(shelf, tmp_path / where)


def test_events_are_json(shelf: Library, tmp_path: Path) -> None:
    shelf.albums = [("May", [("a.jpg", b"one")])]
    lines = [json.loads(json.dumps(each.as_json())) for each in run(shelf, tmp_path)]
    assert [line["event"] for line in lines] == ["album", "written"]
    assert lines[1]["path"] == str(tmp_path / "May" / "a.jpg")
