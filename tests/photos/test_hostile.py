"""Files made to cost time or memory, or to make a parser stumble; each must end soon, as a value or a known error."""

import random
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from momentarium_cli.photos import metadata
from momentarium_cli.photos.formats import UnsupportedPhoto
from momentarium_cli.photos.preview import ChangedWhileRead, check_preview, prepare
from tests.photos.conftest import real_photos
from tests.photos.pictures import encoded, exif, gps, photo, picture, tiff, with_segment

SMALL_RAWS = [path for path in real_photos("raw/*.c*", "raw/*.r*", "heif/*8*") if path.stat().st_size < 60_000]
TAGS = exif({0x010F: "Acme", 0x0110: "One", 0x0112: 6}, {0x9003: "2023:08:01 14:05:06"}, gps(10, 20))


def seconds(work: Callable[[], object]) -> float:
    """Of processor time, so that a busy machine does not matter."""
    start = time.process_time()
    work()
    return time.process_time() - start


def describe(path: Path) -> None:
    found = metadata.read(path, mtime_ns=10**18)
    assert found.metadata.camera is None or len(found.metadata.camera) <= 200


def box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", 8 + len(payload)) + kind + payload


MAKER_NOTE = with_segment(encoded(picture()), 0xE1, b"Exif\0\0" + tiff([(0x927C, 7, 10**9, struct.pack("<I", 26))]))
HEAD = box(b"ftyp", b"heic\0\0\0\0mif1heic")
ONE_ITEM = bytes(5) + b"\1" + box(b"infe", b"\2\0\0\0\0\7\0\0Exif")
MANY_PLACES = b"\1\0\0\0\x88\x88\xff\xff" + b"\xff" * 60_000
BOMBS = {
    "a maker note of a billion bytes": MAKER_NOTE,
    "65,535 entries of 999 numbers": tiff([(0x9000 + at % 100, 5, 999, struct.pack("<I", 8)) for at in range(65_535)]),
    "2,000 wanted entries": tiff([(0x0110, 2, 1 << 31, struct.pack("<I", 8))] * 2000),
    "directories in a circle": tiff([(tag, 4, 1, struct.pack("<I", 8)) for tag in (0x014A, 0x8769, 0x8825)]),
    "no size": tiff([(0x0100, 4, 0, bytes(4)), (0x0101, 4, 0, bytes(4))]),
    "a count that overflows": tiff([(0x0112, 12, 0xFFFFFFFF, struct.pack("<I", 0xFFFFFFFF))]),
    "a million empty segments": b"\xff\xd8" + b"\xff\xe5\x00\x02" * 1_000_000,
    "fill bytes without end": b"\xff\xd8" + b"\xff" * 4_000_000,
    "a million empty chunks": b"\x89PNG\r\n\x1a\n" + (bytes(4) + b"aaaa" + bytes(4)) * 1_000_000,
    "a million empty boxes": HEAD + box(b"free", b"") * 1_000_000,
    "boxes in boxes": HEAD + box(b"meta", bytes(4) + box(b"iprp", box(b"ipco", box(b"ispe", b"") * 90_000))),
    "a zero-sized box": HEAD + bytes(4) + b"meta" + bytes(40),
    "a box shorter than its header": HEAD + b"\0\0\0\x03meta" + bytes(40),
    "an item list without end": HEAD + box(b"meta", bytes(4) + box(b"iinf", ONE_ITEM) + box(b"iloc", MANY_PLACES)),
    "a heap of heaps": b"II\x1a\0\0\0HEAPCCDR\0\0" + b"\x01\x00\x00\x28" + struct.pack("<IIII", 40, 0, 0, 0),
    "a RAF whose JPEG lies outside": b"FUJIFILMCCD-RAW 0201".ljust(84, b"\0") + b"\xff" * 40,
}  # fmt: skip


@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS.keys())
def test_metadata_that_lies_costs_no_time(tmp_path: Path, data: bytes) -> None:
    path = photo(tmp_path / "a", data)
    assert seconds(lambda: describe(path)) < 0.5


@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS.keys())
def test_files_that_lie_are_hashed_and_soon_given_up(tmp_path: Path, data: bytes) -> None:
    path = photo(tmp_path / "a", data)
    assert seconds(lambda: prepare(path)) < 1


def originals() -> list[bytes]:
    image = picture(80, 60)
    made = [encoded(image, format_, exif=TAGS) for format_ in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF")]
    made += [encoded(image, "GIF"), encoded(image, progressive=True), tiff([(0x0112, 3, 1, b"\6\0\0\0")]) + made[0]]
    return made + [
        path.read_bytes() for path in real_photos("raw/*.c*", "raw/*.raf", "raw/*.rw2") if path.stat().st_size < 60_000
    ]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The data with some bytes changed, cut out or doubled; mostly near its start, where structure is."""
    broken = bytearray(data)
    start = chance.choice((0, 16, 16, 16))  # what is broken at its very beginning is soon given up
    for _ in range(chance.randrange(1, 9)):
        at = start + int((len(broken) - start) * chance.random() ** 3)
        match chance.randrange(5):
            case 0:
                broken[at : at + 1] = bytes((chance.randrange(256),))
            case 1:
                broken[at : at + 4] = chance.choice((b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff"))
            case 2:
                del broken[at : at + chance.randrange(1, 40)]
            case 3:
                broken[at:at] = broken[at : at + chance.randrange(1, 200)]
            case _:
                del broken[max(at, len(broken) // 4) :]
    return bytes(broken)


def survive(path: Path, data: bytes) -> None:
    """Whatever the bytes are: values, or one of the errors that are promised."""
    path.write_bytes(data)
    try:
        describe(path)
        prepared = prepare(path)
    except (UnsupportedPhoto, ChangedWhileRead):
        return
    assert (prepared.preview is None) == (prepared.decode_error is not None)
    if prepared.preview:
        assert check_preview(prepared.preview) is None
    else:
        assert prepared.decode_error and "\n" not in prepared.decode_error and len(prepared.decode_error) < 300


def fuzz(path: Path, runs: int) -> None:
    chance = random.Random(20_261_123)
    samples = originals()
    for _ in range(runs):
        survive(path, mutated(chance.choice(samples), chance))


def test_broken_photos_give_values_or_known_errors(tmp_path: Path) -> None:
    fuzz(tmp_path / "a.dng", 400)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_thousands_of_broken_photos_give_values_or_known_errors(tmp_path: Path) -> None:
    fuzz(tmp_path / "a.dng", 15_000)
