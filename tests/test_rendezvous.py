import json
import os
import signal
import stat
import threading
import time
from pathlib import Path

import pytest

from momentarium_cli.errors import LockHeld
from momentarium_cli.rendezvous import Lock, Presence, Process, ServerFile, write_private
from tests.processes import line, python

HOLD = """
import sys
from pathlib import Path
from momentarium_cli.rendezvous import Lock
lock = Lock(Path(sys.argv[1])).acquire(what="holding for a test")
print("held", flush=True)
sys.stdin.read()
"""
ENTER = """
import sys
from pathlib import Path
from momentarium_cli.rendezvous import Presence
Presence(Path(sys.argv[1])).enter()
print("there", flush=True)
sys.stdin.read()
"""


class TestLock:
    def test_it_names_its_holder_to_whoever_comes_second(self, tmp_path: Path) -> None:
        with python(HOLD, tmp_path / "a.lock") as holder:
            assert line(holder) == "held"
            with pytest.raises(LockHeld, match=rf"holding for a test, pid {holder.pid}, since \d{{4}}-"):
                Lock(tmp_path / "a.lock").acquire(what="coming second")

    def test_that_of_a_killed_holder_is_free(self, tmp_path: Path) -> None:
        with python(HOLD, tmp_path / "a.lock") as holder:
            assert line(holder) == "held"
            holder.kill()
            holder.wait()
            with Lock(tmp_path / "a.lock").acquire(what="going on"):
                pass

    def test_it_waits_as_long_as_it_is_told(self, tmp_path: Path) -> None:
        first = Lock(tmp_path / "a.lock").acquire(what="first")
        threading.Timer(0.2, first.release).start()
        with Lock(tmp_path / "a.lock").acquire(what="second", wait=5):
            pass

    def test_it_can_be_taken_again_after_it_was_released(self, tmp_path: Path) -> None:
        for _ in range(3):
            with Lock(tmp_path / "run" / "a.lock").acquire(what="again"):
                pass

    @pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
    def test_a_holder_that_left_no_proper_name_is_not_known(self, tmp_path: Path, content: str) -> None:
        lock = Lock(tmp_path / "a.lock")
        (tmp_path / "a.holder.json").write_text(content)
        assert lock.holder() == "not known by name"


class TestPresence:
    def test_the_others_are_those_who_entered_and_live(self, tmp_path: Path) -> None:
        me = Presence(tmp_path)
        me.enter()
        assert me.others() == []
        with python(ENTER, tmp_path) as other:
            assert line(other) == "there"
            assert [process.pid for process in me.others()] == [other.pid]

    def test_whoever_left_is_gone(self, tmp_path: Path) -> None:
        presence = Presence(tmp_path)
        presence.enter()
        presence.leave()
        presence.leave()
        assert list(tmp_path.iterdir()) == []

    def test_a_killed_process_does_not_count_even_as_a_zombie(self, tmp_path: Path) -> None:
        with python(ENTER, tmp_path) as other:
            assert line(other) == "there"
            other.send_signal(signal.SIGKILL)
            deadline = time.monotonic() + 5
            while Presence(tmp_path).others() and time.monotonic() < deadline:
                time.sleep(0.01)
            assert Presence(tmp_path).others() == []  # nobody waited for it: it is a zombie now
            assert list(tmp_path.iterdir()) == []

    def test_a_process_that_got_the_same_id_later_does_not_count(self, tmp_path: Path) -> None:
        with python(ENTER, tmp_path) as other:
            assert line(other) == "there"
            (told,) = tmp_path.glob("*.json")
            write_private(told, json.dumps({"pid": other.pid, "created": time.time() - 5000}))
            assert Presence(tmp_path).others() == []

    @pytest.mark.parametrize("content", ["", "{", "{}", "[]"])
    def test_a_spoilt_file_counts_for_nobody(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "7.json").write_text(content)
        assert Presence(tmp_path).others() == []

    def test_a_folder_that_is_not_there_is_empty(self, tmp_path: Path) -> None:
        assert Presence(tmp_path / "nowhere").others() == []


class TestServerFile:
    def test_a_live_server_is_found(self, tmp_path: Path) -> None:
        me = Process.current()
        written = ServerFile(me.pid, me.created, "http://127.0.0.1:1", "mom_secret")
        written.write(tmp_path)
        assert ServerFile.read(tmp_path) == written

    def test_that_of_a_dead_server_is_none(self, tmp_path: Path) -> None:
        ServerFile(os.getpid(), Process.current().created - 5000, "http://127.0.0.1:1", "t").write(tmp_path)
        assert ServerFile.read(tmp_path) is None

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"pid": 1, "colour": 2}'])
    def test_a_spoilt_one_is_none(self, tmp_path: Path, content: str) -> None:
        write_private(ServerFile.path(tmp_path), content)
        assert ServerFile.read(tmp_path) is None
        assert ServerFile.read(tmp_path / "nowhere") is None


def test_private_files_are_never_readable_by_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.umask(0)
    seen: set[int] = set()
    replace = Path.replace

    def watched(self: Path, target: Path) -> Path:
        seen.update(stat.S_IMODE(file.stat().st_mode) for file in self.parent.iterdir())
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    try:
        for text in ("first", "second"):
            write_private(tmp_path / "new" / "secret", text)
    finally:
        os.umask(before)
    assert seen == {0o600}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert (tmp_path / "new" / "secret").read_text() == "second"


def test_a_private_file_is_whole_or_not_there(tmp_path: Path) -> None:
    write_private(tmp_path / "a", "good")
    with pytest.raises(UnicodeEncodeError):
        write_private(tmp_path / "a", "spoilt \ud800")
    assert (tmp_path / "a").read_text() == "good"
    assert [file.name for file in tmp_path.iterdir()] == ["a"]
