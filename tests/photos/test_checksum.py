import hashlib
import random
from io import BytesIO
from pathlib import Path

import pytest

from momentarium_cli.models import MAX_FILE_BYTES, MAX_PARTS, MAX_PUT_BYTES
from momentarium_cli.photos.checksum import Cut, sha256_bytes, sha256_file, sha256_in_parts


def test_the_checksum_is_sha256_in_lower_case_hex(tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000
    (tmp_path / "a").write_bytes(data)
    assert sha256_file(tmp_path / "a") == sha256_bytes(data) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("size", [1, 99, 100, 101, 250, 300])
def test_the_whole_and_its_parts_are_hashed_in_one_read(size: int) -> None:
    data = random.Random(size).randbytes(size)
    parts = [sha256_bytes(data[start : start + 100]) for start in range(0, size, 100)]
    assert sha256_in_parts(BytesIO(data), 100) == (sha256_bytes(data), parts)


def test_parts_are_of_64_mib_unless_that_makes_too_many() -> None:
    cut = Cut()
    assert cut.part_bytes_of(MAX_PUT_BYTES) is None
    assert cut.part_bytes_of(MAX_PUT_BYTES + 1) == 64 << 20
    for size in (10_000 * (64 << 20), 10_000 * (64 << 20) + 1, MAX_FILE_BYTES):
        part_bytes = cut.part_bytes_of(size)
        assert part_bytes and part_bytes <= MAX_PUT_BYTES and -(-size // part_bytes) <= MAX_PARTS
