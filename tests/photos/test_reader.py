from io import BytesIO

import pytest

from momentarium_cli.photos.reader import HEAD_BYTES, MAX_READS, Damaged, Reader

DATA = bytes(range(256)) * 1024


def test_bytes_are_read_wherever_they_lie() -> None:
    reader = Reader(BytesIO(DATA))
    for offset in (0, 100, HEAD_BYTES - 2, HEAD_BYTES + 7, len(DATA) - 4):
        assert reader.at(offset, 4) == DATA[offset : offset + 4]
    assert reader.uint(1, 2) == 0x0102


def test_behind_the_end_there_is_nothing() -> None:
    reader = Reader(BytesIO(DATA))
    assert reader.at(len(DATA) - 1, 10) == DATA[-1:]
    assert reader.at(1 << 62, 4) == reader.at(-1, 4) == b""
    with pytest.raises(Damaged, match="ends early"):
        reader.exactly(len(DATA) - 1, 2)


def test_a_window_never_reaches_beyond_the_one_it_is_cut_from() -> None:
    window = Reader(BytesIO(DATA)).window(10, 20)
    assert window.at(0, 100) == DATA[10:30]
    assert window.window(15, 100).at(0, 100) == DATA[25:30]


def test_all_windows_share_one_budget() -> None:
    reader = Reader(BytesIO(DATA))
    with pytest.raises(Damaged, match="too many"):
        for _ in range(MAX_READS + 1):
            reader.window(1).at(0, 1)
