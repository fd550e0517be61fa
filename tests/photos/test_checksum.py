import hashlib
from pathlib import Path

from momentarium_cli.photos.checksum import sha256_bytes, sha256_file


def test_the_checksum_is_sha256_in_lower_case_hex(tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000
    (tmp_path / "a").write_bytes(data)
    assert sha256_file(tmp_path / "a") == sha256_bytes(data) == hashlib.sha256(data).hexdigest()
