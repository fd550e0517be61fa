import hashlib
import os
import pickle
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms

from momentarium_cli.models import MAX_FILE_BYTES
from momentarium_cli.photos import preview
from momentarium_cli.photos.checks import check_cost
from momentarium_cli.photos.preview import CannotDecode, ChangedWhileRead, UnsupportedPhoto, prepare, remake
from tests.photos.conftest import real_photos
from tests.photos.pictures import difference, encoded, exif, many_scans, photo, picture, with_segment

TURNED_BACK = {  # what makes a picture look as a camera held that way stores it
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def shown(path: Path) -> Image.Image:
    """The preview of a photo, decoded; it must be one as the server wants it."""
    prepared = prepare(path)
    assert prepared.preview, prepared.decode_error
    assert preview.check_preview(prepared.preview) is None
    return Image.open(BytesIO(prepared.preview))


def test_checksum_size_and_preview_come_from_one_read(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.jpg", encoded(picture(3000, 2000), quality=90))
    prepared = prepare(path)
    data = path.read_bytes()
    assert (prepared.sha256, prepared.size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert (prepared.content_type, prepared.width, prepared.height) == ("image/jpeg", 3000, 2000)
    assert prepared.preview and prepared.preview_sha256 == hashlib.sha256(prepared.preview).hexdigest()
    assert preview.inspect(prepared.preview) == (1440, 960, len(prepared.preview))
    assert prepared.stat.mtime_ns == path.stat().st_mtime_ns
    assert pickle.loads(pickle.dumps(prepared)) == prepared


@pytest.mark.parametrize("size", [(1440, 1080), (1441, 1000), (100, 4000), (1, 1), (5000, 3), (2881, 1441)])
def test_previews_fit_into_1440_pixels_and_are_never_enlarged(tmp_path: Path, size: tuple[int, int]) -> None:
    for suffix, format_ in (("jpg", "JPEG"), ("png", "PNG")):
        image = shown(photo(tmp_path / f"a.{suffix}", encoded(picture(*size), format_)))
        assert max(image.size) == min(1440, *(max(size),))
        assert (
            abs(image.width / image.height - size[0] / size[1]) < 0.01 * size[0] / size[1]
            or 1 in image.size
            or 3 in size
        )


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
@pytest.mark.parametrize("orientation", [0, *range(1, 9), 9])
def test_every_orientation_comes_out_upright(tmp_path: Path, format_: str, orientation: int) -> None:
    upright = picture(96, 64)
    stored = upright.transpose(TURNED_BACK[orientation]) if orientation in TURNED_BACK else upright
    prepared = prepare(photo(tmp_path / "a", encoded(stored, format_, exif=exif({0x0112: orientation}), quality=95)))
    assert prepared.preview
    assert difference(Image.open(BytesIO(prepared.preview)), upright) < 6
    assert (prepared.width, prepared.height) == (96, 64)


def test_real_photos_of_all_orientations_look_alike() -> None:
    for kind in ("Landscape", "Portrait"):
        paths = real_photos(f"orientation/{kind}_*.jpg")
        for path in paths:
            assert difference(shown(path), shown(paths[1])) < 3, path.name


@pytest.mark.parametrize(
    ("mode", "format_", "options"),
    [
        ("RGB", "JPEG", {"progressive": True}), ("L", "JPEG", {}), ("CMYK", "JPEG", {}), ("RGB", "PNG", {}),
        ("L", "PNG", {}), ("P", "PNG", {}), ("P", "GIF", {}), ("RGB", "WEBP", {"lossless": True}), ("RGB", "AVIF", {}),
        ("RGB", "HEIF", {}), ("RGB", "TIFF", {"compression": "tiff_lzw"}), ("CMYK", "TIFF", {}), ("RGBA", "PNG", {}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [(96, 72), (2900, 400)])
def test_every_kind_of_pixels_looks_as_it_should(
    tmp_path: Path, mode: str, format_: str, options: dict[str, Any], size: tuple[int, int]
) -> None:
    image = picture(*size, mode=mode)
    assert difference(shown(photo(tmp_path / "a", encoded(image, format_, **options))), image) < 5


@pytest.mark.parametrize("size", [(64, 64), (3000, 500)])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path, size: tuple[int, int]) -> None:
    grey = picture(*size, mode="L")
    deep = grey.convert("I").point(lambda value: value * 257).convert("I;16")
    for format_ in ("PNG", "TIFF"):
        assert difference(shown(photo(tmp_path / "a", encoded(deep, format_))), grey) < 3
    scaled = grey.convert("F").point(lambda value: value * (1 / 255))
    assert difference(shown(photo(tmp_path / "f", encoded(scaled, "TIFF"))), grey) < 3


def test_alpha_is_flattened_on_white(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    palette = Image.new("P", (40, 40), 0)
    palette.putpalette([0, 0, 255] * 256)
    for name, data in {
        "png": encoded(clear, "PNG"),
        "webp": encoded(clear, "WEBP", lossless=True),
        "la": encoded(clear.convert("LA"), "PNG"),
        "palette": encoded(palette, "PNG", transparency=0),
        "gif": encoded(palette, "GIF", transparency=0),
        "rgb": encoded(Image.new("RGB", (40, 40), (1, 2, 3)), "PNG", transparency=(1, 2, 3)),
    }.items():
        assert difference(shown(photo(tmp_path / name, data)), Image.new("RGB", (40, 40), "white")) < 1, name


def test_the_first_frame_of_an_animation_is_shown(tmp_path: Path) -> None:
    frames = [picture(64, 48, seed=seed) for seed in (1, 2, 3)]
    for format_ in ("GIF", "WEBP", "PNG", "AVIF"):
        data = encoded(frames[0], format_, save_all=True, append_images=frames[1:], duration=50)
        assert difference(shown(photo(tmp_path / format_, data)), frames[0]) < 8, format_


def _display_p3() -> bytes:
    """A profile with the primaries of Display P3: sRGB's with red, green and blue moved (ICC.1:2022, 9.2)."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    columns = {
        b"rXYZ": (0.51512, 0.2412, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.1571, 0.06657, 0.78407),
    }
    for at in range(132, 132 + 12 * int.from_bytes(profile[128:132], "big"), 12):
        if (name := bytes(profile[at : at + 4])) in columns:
            start = int.from_bytes(profile[at + 4 : at + 8], "big") + 8
            profile[start : start + 12] = b"".join(
                round(v * 65536).to_bytes(4, "big", signed=True) for v in columns[name]
            )
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "ABCD".encode("utf-16-be"))


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_wide_colours_are_converted_to_srgb(tmp_path: Path, format_: str) -> None:
    path = photo(
        tmp_path / "a", encoded(Image.new("RGB", (64, 64), (120, 200, 60)), format_, icc_profile=_display_p3())
    )
    red, green, blue = shown(path).convert("RGB").resize((1, 1)).tobytes()
    assert (red < 108, 195 < green < 210, blue < 45) == (True, True, True), (red, green, blue)


def test_a_profile_that_does_not_fit_is_ignored(tmp_path: Path) -> None:
    for profile in (b"garbage", _display_p3()[:200]):
        image = picture(64, 48)
        assert difference(shown(photo(tmp_path / "a", encoded(image, icc_profile=profile))), image) < 7


def test_a_preview_carries_no_metadata(tmp_path: Path) -> None:
    tags = exif({0x010F: "SecretCam"}, gps={1: "N", 2: (1.0, 2.0, 3.0)})
    data = encoded(picture(), exif=tags, comment=b"secret", icc_profile=_display_p3(), xmp=b"<secret/>")
    prepared = prepare(photo(tmp_path / "a.jpg", with_segment(data, 0xED, b"Photoshop 3.0\0secret")))
    assert prepared.preview and b"ecret" not in prepared.preview
    assert preview.check_preview(prepared.preview) is None


def error_of(path: Path) -> str:
    prepared = prepare(path)
    assert prepared.preview is None and prepared.sha256
    return prepared.decode_error or ""


def test_a_truncated_photo_is_hashed_and_says_so(tmp_path: Path) -> None:
    for format_ in ("JPEG", "PNG", "WEBP", "TIFF"):
        data = encoded(picture(400, 300), format_)
        assert error_of(photo(tmp_path / format_, data[: len(data) // 2])), format_
    whole = encoded(picture(400, 300))
    assert error_of(photo(tmp_path / "a", whole[: len(whole) // 2])) == "it is cut off: the file ends early"


def test_a_bomb_of_scans_is_refused_before_it_costs_anything(tmp_path: Path) -> None:
    assert error_of(photo(tmp_path / "a.jpg", many_scans(1000))) == "it has more than 100 scans"
    assert prepare(photo(tmp_path / "b.jpg", many_scans(80))).preview


def test_a_bomb_of_scans_behind_damage_is_refused_too(tmp_path: Path) -> None:
    data = many_scans(1000)
    for place in (data.index(b"\xff\xdb"), data.index(b"\xff\xda")):
        damaged = data[:place] + b"\0garbage" + data[place:]
        assert error_of(photo(tmp_path / "a.jpg", damaged)), place
        assert check_cost(damaged) == "it has more than 100 scans", place


def test_what_looks_like_scans_inside_other_segments_does_not_count(tmp_path: Path) -> None:
    data = with_segment(encoded(picture(), progressive=True), 0xE5, b"\xff\xda" * 500)
    assert prepare(photo(tmp_path / "a.jpg", data)).preview


@pytest.mark.parametrize(
    ("size", "error"),
    [((13_000, 13_000), "it has more than 100 megapixels"), ((10_000, 10_001), "it has more than 100 megapixels"),
     ((30_001, 2), "it is longer than 30,000 pixels")],
)  # fmt: skip
def test_what_is_too_large_is_refused(tmp_path: Path, size: tuple[int, int], error: str) -> None:
    assert error_of(photo(tmp_path / "a.png", encoded(Image.new("1", size), "PNG"))).startswith(error)


def test_a_hundred_megapixels_are_allowed(tmp_path: Path) -> None:
    prepared = prepare(photo(tmp_path / "a.png", encoded(Image.new("1", (10_000, 10_000)), "PNG")))
    assert (prepared.width, prepared.decode_error) == (10_000, None)


def test_a_file_of_another_kind_is_never_handed_to_a_decoder(tmp_path: Path) -> None:
    for data in (bytes(1000), b"", b"%!PS-Adobe-3.0 EPSF", encoded(picture(), "BMP")):
        with pytest.raises(UnsupportedPhoto):
            prepare(photo(tmp_path / "a.jpg", data))


def test_a_file_that_changes_while_it_is_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = photo(tmp_path / "a.jpg")

    def grow(data: bytes) -> str:
        path.write_bytes(path.read_bytes() + b"more")
        return hashlib.sha256(data).hexdigest()

    monkeypatch.setattr(preview, "sha256_bytes", grow)
    with pytest.raises(ChangedWhileRead):
        prepare(path)


def test_a_large_file_is_hashed_and_decoded_without_being_held_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = photo(tmp_path / "a.png", encoded(picture(900, 700), "PNG"))
    small = prepare(path)
    monkeypatch.setattr(preview, "IN_MEMORY_BYTES", 1000)
    assert prepare(path) == small
    assert prepare(photo(tmp_path / "b.jpg", encoded(picture(900, 700)))).decode_error


def test_errors_of_the_file_system_come_out_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        prepare(tmp_path / "gone.jpg")
    with pytest.raises(IsADirectoryError):
        prepare(tmp_path)
    for error in (ChangedWhileRead("x"), UnsupportedPhoto("x"), CannotDecode("x"), FileNotFoundError(2, "No", "x")):
        assert type(pickle.loads(pickle.dumps(error))) is type(error)


def test_paths_may_be_bytes_and_of_any_bytes(tmp_path: Path) -> None:
    path = photo(tmp_path / os.fsdecode(b"\xff\n'.jpg"))
    assert prepare(os.fsencode(path)) == prepare(str(path)) == prepare(path)


def test_the_server_remakes_the_preview_its_client_made(tmp_path: Path) -> None:
    path = photo(tmp_path / "without-suffix", encoded(picture(2000, 1500), exif=exif({0x0112: 6})))
    made = remake(path, content_type="image/jpeg")
    with path.open("rb") as file:
        assert remake(file, content_type="image/jpeg") == made
    assert (made.data, made.sha256) == (prepare(path).preview, prepare(path).preview_sha256)
    assert (made.width, made.height) == (1500, 2000)
    with pytest.raises(CannotDecode):
        remake(photo(tmp_path / "b", b"nothing"), content_type="image/jpeg")


def test_real_photos_have_previews_or_a_reason() -> None:
    for path in real_photos("cameras/*", "heif/*")[::6]:
        prepared = prepare(path)
        assert (prepared.preview is None) == (prepared.decode_error is not None), path.name
        assert prepared.preview is None or preview.check_preview(prepared.preview) is None, path.name


def test_what_no_store_keeps_is_told_without_being_read(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.jpg")
    try:
        os.truncate(path, MAX_FILE_BYTES + 1)
    except OSError:
        pytest.skip("this file system holds no file of that size")
    with pytest.raises(UnsupportedPhoto, match="larger than 5 TiB"):
        prepare(path)
