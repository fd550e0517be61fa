import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from momentarium_cli.photos import hasher
from momentarium_cli.photos.checksum import WHOLE_UP_TO_1_GIB, Cut
from momentarium_cli.photos.formats import UnsupportedPhoto
from momentarium_cli.photos.hasher import Hasher, hashed
from momentarium_cli.photos.prepared import ChangedWhileRead
from momentarium_cli.photos.preview import prepare
from tests.photos.pictures import photo

PARTS = Cut(above=1 << 20, part_bytes=5 << 20)


def test_without_decoding_only_the_checksum_is_made(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.jpg")
    prepared = hashed(path, reason="it broke")
    assert (prepared.preview, prepared.decode_error) == (None, "it broke")
    assert prepared.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("cut", [WHOLE_UP_TO_1_GIB, PARTS])
def test_it_is_what_a_decoder_finds_but_for_the_preview(tmp_path: Path, cut: Cut) -> None:
    path = photo(tmp_path / "a.jpg")
    path.write_bytes(path.read_bytes() + bytes(7 << 20))
    whole = replace(prepare(path, cut), preview=None, preview_sha256=None, width=None, height=None)
    with Hasher(2) as threads:
        assert threads.prepare(path, cut).result() == whole


def test_what_cannot_be_read_fails(tmp_path: Path) -> None:
    (tmp_path / "b.jpg").write_text("no photo")
    with Hasher(2) as threads:
        with pytest.raises(FileNotFoundError):
            threads.prepare(tmp_path / "a.jpg").result()
        with pytest.raises(UnsupportedPhoto):
            threads.prepare(tmp_path / "b.jpg").result()


def test_a_file_that_grows_while_it_is_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = photo(tmp_path / "a.jpg")

    def grow(*_: object) -> str:
        path.write_bytes(path.read_bytes() + b"more")
        return "0" * 64

    monkeypatch.setattr(hasher, "sha256_open", grow)
    with pytest.raises(ChangedWhileRead):
        hashed(path)
