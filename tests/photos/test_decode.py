import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import wait
from pathlib import Path

import psutil
import pytest

from momentarium_cli.photos import decode, preview, tasks
from momentarium_cli.photos.checksum import Cut
from momentarium_cli.photos.decode import DecodeFailed, Decoder, DecoderUnavailable
from momentarium_cli.photos.formats import UnsupportedPhoto
from momentarium_cli.photos.hasher import hashed
from momentarium_cli.photos.metadata import Described
from tests.photos.pictures import encoded, photo, picture


def double(number: int) -> int:
    return number * 2


def burn() -> None:
    while True:
        pass


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def devour() -> int:
    return len(bytearray(2 << 30))


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def fail() -> None:
    raise UnsupportedPhoto("not this one")


def surroundings() -> tuple[dict[str, str], int]:
    return dict(os.environ), os.nice(0)


@pytest.mark.parametrize(
    ("work", "reason"),
    [(burn, "it took longer than 1 s of processor time"), (devour, "it needed more than 1 GiB"),
     (crash, "the decoder crashed")],
)  # fmt: skip
def test_a_task_that_goes_wrong_is_lost_alone(decoder: Decoder, work: object, reason: str) -> None:
    assert callable(work)
    before = [decoder.submit(double, number) for number in range(20)]
    guilty = decoder.submit(work)
    after = [decoder.submit(double, number) for number in range(20)]
    with pytest.raises(DecodeFailed) as failed:
        guilty.result(timeout=20)
    assert str(failed.value) == reason
    assert [future.result(timeout=20) for future in before + after] == [number * 2 for number in range(20)] * 2


def test_a_task_that_hangs_is_ended() -> None:
    with Decoder(2, wall_seconds=0.5) as decoder:
        hanging, good = decoder.submit(sleep, 60), decoder.submit(double, 2)
        assert good.result(timeout=10) == 4
        with pytest.raises(DecodeFailed, match=r"longer than 0\.5 s"):
            hanging.result(timeout=10)


def test_what_a_function_raises_comes_out_as_it_is(decoder: Decoder) -> None:
    with pytest.raises(UnsupportedPhoto, match="not this one"):
        decoder.submit(fail).result(timeout=10)


def test_a_child_that_is_killed_while_idle_is_replaced() -> None:
    with Decoder(2) as decoder:
        pids = {decoder.submit(os.getpid).result(timeout=10) for _ in range(20)}
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.3)
        results = [decoder.submit(double, number) for number in range(10)]
        assert [future.result(timeout=10) for future in results] == [number * 2 for number in range(10)]


def test_children_have_neither_secrets_nor_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOMENTARIUM_SERVER_TOKEN", "secret")
    with Decoder(1, nice=5) as decoder:
        environment, nice = decoder.submit(surroundings).result(timeout=10)
    assert "secret" not in environment.values()
    assert nice >= 5


def test_photos_are_prepared_in_children(decoder: Decoder, tmp_path: Path) -> None:
    paths = [photo(tmp_path / f"{seed}.jpg", encoded(picture(seed=seed))) for seed in range(12)]
    futures = [decoder.prepare(path) for path in paths]
    assert [future.result(timeout=10) for future in futures] == [preview.prepare(path) for path in paths]
    with pytest.raises(FileNotFoundError):
        decoder.prepare(tmp_path / "gone.jpg").result(timeout=10)


def test_a_photo_that_breaks_its_decoder_is_hashed_all_the_same(
    decoder: Decoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = photo(tmp_path / "a.jpg")
    monkeypatch.setattr(tasks, "prepare", _crash_on)
    prepared = decoder.prepare(path).result(timeout=10)
    assert prepared == hashed(path, reason="the decoder crashed")


def test_a_large_photo_is_hashed_in_parts_also_where_it_breaks_its_decoder(
    decoder: Decoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = photo(tmp_path / "a.jpg", encoded(picture()) + bytes(12 << 20))
    cut = Cut(above=6 << 20, part_bytes=5 << 20)
    good = decoder.prepare(path, cut).result(timeout=10)
    monkeypatch.setattr(tasks, "prepare", _crash_on)
    broken = decoder.prepare(path, cut).result(timeout=10)
    assert good.preview and not broken.preview
    assert good.parts and good.parts == broken.parts
    assert (good.parts.part_bytes, len(good.parts.sha256s)) == (5 << 20, 3)


def _crash_on(path: Path, cut: Cut) -> None:
    crash()


def _crash_on_bad(files: list[tuple[Path, int]]) -> "list[Described | Exception]":
    if any(path.name == "bad.jpg" for path, _ in files):
        crash()
    return tasks.describe(files)


def test_metadata_comes_in_order_and_errors_as_values(decoder: Decoder, tmp_path: Path) -> None:
    files = [(photo(tmp_path / "a.jpg"), 1), (tmp_path / "gone.jpg", 1), (photo(tmp_path / "b.jpg", b"text"), 1)]
    first, second, third = decoder.describe(files).result(timeout=10)
    assert isinstance(first, Described) and first.metadata.width == 64
    assert isinstance(second, FileNotFoundError)
    assert isinstance(third, UnsupportedPhoto)
    assert decoder.describe([]).result(timeout=10) == []


def test_only_the_guilty_file_is_without_metadata(
    decoder: Decoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [(photo(tmp_path / name), 10**18) for name in ("a.jpg", "bad.jpg", "c.jpg")]
    honest = decoder.describe(files[::2]).result(timeout=10)
    monkeypatch.setattr(tasks, "describe", _crash_on_bad)
    found = decoder.describe(files).result(timeout=20)
    assert found[::2] == honest
    guilty = found[1]
    assert isinstance(guilty, Described) and guilty.metadata.width is None
    assert guilty.warnings == ("its metadata could not be read: the decoder crashed",)


def test_the_server_derives_and_remakes(decoder: Decoder, tmp_path: Path) -> None:
    path = photo(tmp_path / "a.jpg")
    made = decoder.remake(path, "image/jpeg").result(timeout=10)
    assert decoder.derive(made.data).result(timeout=10) == preview.derive(made.data)
    with pytest.raises(preview.CannotDecode):
        decoder.derive(b"nothing").result(timeout=10)


def test_closing_ends_what_is_under_way_and_leaves_nothing_behind() -> None:
    decoder = Decoder(2)
    futures = [decoder.submit(sleep, 30) for _ in range(500)]
    start = time.monotonic()
    decoder.close()
    decoder.close()
    assert time.monotonic() - start < 3
    assert all(isinstance(future.exception(timeout=1), DecodeFailed) for future in futures)
    with pytest.raises(DecodeFailed, match="closed"):
        decoder.submit(double, 1).result(timeout=1)


def test_a_pool_that_does_not_end_does_not_keep_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()
    ends = decode._end
    monkeypatch.setattr(decode, "_end", lambda pool: let_go.wait(60) and ends(pool))
    monkeypatch.setattr(decode, "_ENDING_SECONDS", 0.1)
    decoder = Decoder(1)
    future = decoder.submit(sleep, 60)
    decoder.close()
    assert isinstance(future.exception(0), DecoderUnavailable)
    let_go.set()
    for thread in decoder._retiring:
        thread.join()


def test_a_decoder_that_is_never_used_starts_nothing() -> None:
    before = len(psutil.Process().children(recursive=True))
    with Decoder(2):
        assert len(psutil.Process().children(recursive=True)) == before


PROGRAM = """
import signal, sys, time
from pathlib import Path
from momentarium_cli.photos.decode import Decoder
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a background job of a shell ignores
    decoder = Decoder(2)
    futures = [decoder.submit(time.sleep, 0.01) for _ in range(4)]
    [future.result() for future in futures]
    futures = [decoder.submit(time.sleep, 30) for _ in range(4)]
    print("ready", flush=True)
    sys.exit(0) if sys.argv[1] == "leave" else time.sleep(60)
"""


def program(tmp_path: Path, how: str) -> "subprocess.Popen[str]":
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-W", "error", "program.py", how]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    started = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert started.stdout and started.stdout.readline() == "ready\n"
    return started


def test_children_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    with program(tmp_path, "stay") as parent:
        children = psutil.Process(parent.pid).children(recursive=True)
        assert len(children) >= 3
        parent.kill()
        parent.wait()
        assert psutil.wait_procs(children, timeout=5)[1] == []


def test_a_program_that_forgets_to_close_leaves_quietly(tmp_path: Path) -> None:
    with program(tmp_path, "leave") as parent:
        children = psutil.Process(parent.pid).children(recursive=True)
        assert parent.wait(timeout=10) == 0
        assert parent.stderr and parent.stderr.read() == ""
        assert psutil.wait_procs(children, timeout=5)[1] == []


def test_the_interrupt_key_reaches_the_parent_alone(tmp_path: Path) -> None:
    with program(tmp_path, "stay") as parent:
        for process in [*psutil.Process(parent.pid).children(recursive=True), psutil.Process(parent.pid)]:
            process.send_signal(signal.SIGINT)
        assert parent.wait(timeout=20) != 0
        assert parent.stderr and parent.stderr.read().count("KeyboardInterrupt") == 1


@pytest.mark.long
def test_hundred_megapixels_decode_within_a_gibibyte(tmp_path: Path) -> None:
    large = picture(10_000, 10_000)
    for name, format_, options in (
        ("a.jpg", "JPEG", {}), ("b.jpg", "JPEG", {"progressive": True}), ("c.png", "PNG", {"compress_level": 1}),
    ):  # fmt: skip
        photo(tmp_path / name, encoded(large, format_, **options))
    photo(tmp_path / "d.png", encoded(large.convert("RGBA"), "PNG", compress_level=1))
    photo(tmp_path / "e.heic", encoded(large.crop((0, 0, 8000, 6000)), "HEIF", quality=50))
    with Decoder(2) as decoder:
        futures = [decoder.prepare(path) for path in sorted(tmp_path.iterdir())]
        wait(futures)
        assert [future.result().decode_error for future in futures] == [None] * 5
