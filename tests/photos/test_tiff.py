import math
import struct
from io import BytesIO

import pytest

from momentarium_cli.photos import tiff
from momentarium_cli.photos.reader import Damaged, Reader
from momentarium_cli.photos.tiff import read_tags
from tests.photos import pictures


def tags(entries: list[tuple[int, int, int, bytes]], order: str = "<", tail: bytes = b"") -> tiff.Directory:
    return read_tags(Reader(BytesIO(pictures.tiff(entries, order) + tail))).image


@pytest.mark.parametrize("order", ["<", ">"])
def test_values_are_read_in_both_byte_orders(order: str) -> None:
    where = struct.pack(order + "I", 8 + 2 + 3 * 12 + 4)
    entries = [
        (0x0100, 3, 1, struct.pack(order + "HH", 4000, 0)),
        (0x0110, 2, 8, where),
        (0x0101, 4, 1, struct.pack(order + "I", 3000)),
    ]
    assert tags(entries, order, b"Model 1\0") == {0x0100: (4000,), 0x0110: "Model 1", 0x0101: (3000,)}


def test_tags_that_nobody_asks_for_are_not_read() -> None:
    assert tags([(0x927C, 7, 1 << 30, bytes(4)), (0x0100, 3, 1, b"\1\0\0\0")]) == {0x0100: (1,)}


def test_a_quotient_by_zero_is_not_a_number() -> None:
    value = tags([(0x0006, 5, 1, struct.pack("<I", 26))], tail=struct.pack("<II", 7, 0))[0x0006]
    assert not isinstance(value, str) and math.isnan(value[0])


def test_long_texts_are_cut() -> None:
    value = tags([(0x010F, 2, 1 << 20, struct.pack("<I", 26))], tail=b"a" * (1 << 20))[0x010F]
    assert value == "a" * tiff.MAX_TEXT


@pytest.mark.parametrize(
    "data", [b"", b"II*\0", b"XX*\0\x08\0\0\0", b"II*\0\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff"]
)
def test_what_is_no_directory_is_damaged(data: bytes) -> None:
    with pytest.raises(Damaged):
        read_tags(Reader(BytesIO(data)))
