"""The extra `vision`; without it nobody looks, and nothing else changes."""

import pickle
from pathlib import Path

import pytest
from PIL import Image

from momentarium_cli.photos import vision
from momentarium_cli.photos.derived import derive
from tests.photos.pictures import detailed, encoded


def unlike(one: bytes | None, other: bytes | None) -> int:
    assert one is not None and other is not None
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


def test_without_the_extra_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vision, "installed", lambda: False)
    assert derive(encoded(detailed(), quality=80)).look is None


def test_a_runtime_that_fails_costs_no_photo_its_thumbnail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vision, "installed", lambda: True)
    monkeypatch.setattr(vision, "_look", lambda _: 1 / 0)
    derived = derive(encoded(detailed(), quality=80))
    assert derived.look is None and derived.thumb


@pytest.mark.long
def test_one_scene_looks_the_same_if_the_camera_was_moved_and_another_does_not() -> None:
    if not vision.installed():
        pytest.skip("only whoever installs the extra `vision` has eyes")
    first, second = detailed(1), Image.linear_gradient("L").resize((1440, 960))
    moved = first.crop((115, 40, 1440, 920))
    turned = first.rotate(4, resample=Image.Resampling.BILINEAR).crop((144, 96, 1296, 864))
    look = vision.look(first)
    assert look is not None and len(look) * 8 == vision.BITS
    assert unlike(look, vision.look(first)) == 0
    assert max(unlike(look, vision.look(changed)) for changed in (moved, turned)) <= 72
    assert unlike(look, vision.look(second)) > 40


@pytest.mark.long
def test_a_file_of_weights_runs_nothing(tmp_path: Path) -> None:
    if not vision.installed():
        pytest.skip("only whoever installs the extra `vision` has eyes")
    from momentarium_cli.photos.lite0 import load

    evil = tmp_path / "evil.pth"
    evil.write_bytes(b"".join(pickle.dumps(value) for value in (1, 2, 3, Path)))
    with pytest.raises(pickle.UnpicklingError):
        load(evil)
