import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from momentarium_cli.backend import secrets
from momentarium_cli.errors import SettingsError


def test_the_first_to_ask_makes_them_and_all_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: secrets.load(tmp_path), range(8)))
    assert len(found) == 1
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    assert secrets.load(tmp_path / "another") not in found


@pytest.mark.parametrize("content", ["", "{", "{}", "[]", '{"signing_key": "x", "colour": "red"}'])
def test_damaged_ones_are_told_and_kept(tmp_path: Path, content: str) -> None:
    (tmp_path / "secrets.json").write_text(content)
    with pytest.raises(SettingsError, match="damaged"):
        secrets.load(tmp_path)
    assert (tmp_path / "secrets.json").read_text() == content


def test_tokens_are_never_the_same() -> None:
    made = {secrets.new_token() for _ in range(100)}
    assert len(made) == 100
    assert all(token.startswith("mom_") and len(token) > 40 for token in made)
