import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from momentarium_cli.models import Metadata, TakenAtSource
from momentarium_cli.photos import metadata, tasks
from momentarium_cli.photos.exif import name_camera
from momentarium_cli.photos.formats import UnsupportedPhoto
from tests.photos.conftest import real_photos
from tests.photos.pictures import encoded, exif, gps, photo, picture, tiff

MTIME = 1_715_508_930 * 10**9  # 2024-05-12 10:15:30 UTC
TAKEN = "2023:08:01 14:05:06"


def read(path: Path) -> Metadata:
    return metadata.read(path, mtime_ns=MTIME).metadata


@pytest.fixture
def name(tmp_path: Path) -> Path:
    """Where a photo goes whose name and folder tell no date."""
    return tmp_path / "a.jpg"


def test_date_offset_position_camera_and_size_are_read(name: Path) -> None:
    photo(
        name,
        image={0x010F: "Canon", 0x0110: "Canon EOS R6", 0x0112: 6},
        photo={0x9003: TAKEN, 0x9011: "+02:00"},
        gps=gps(38.7223, -9.1393, tag5=b"\0", tag6=101.5),
    )
    assert read(name) == Metadata(
        taken_at=datetime(2023, 8, 1, 14, 5, 6),
        taken_at_source=TakenAtSource.EXIF,
        utc_offset_minutes=120,
        latitude=38.7223,
        longitude=-9.1393,
        altitude=101.5,
        camera="Canon EOS R6",
        width=48,
        height=64,
    )


@pytest.mark.parametrize(
    ("options", "suffix"),
    [({"format_": "PNG"}, "png"), ({"format_": "WEBP"}, "webp"), ({"format_": "WEBP", "lossless": True}, "webp"),
     ({"format_": "TIFF"}, "tif"), ({"format_": "AVIF"}, "avif"), ({"format_": "JPEG", "progressive": True}, "jpg")],
)  # fmt: skip
def test_every_format_tells_the_same(tmp_path: Path, options: dict[str, Any], suffix: str) -> None:
    tags = exif({0x010F: "Acme", 0x0110: "One"}, {0x9003: TAKEN})
    path = photo(tmp_path / f"a.{suffix}", encoded(picture(60, 40), exif=tags, **options))
    found = read(path)
    assert (found.taken_at, found.camera) == (datetime(2023, 8, 1, 14, 5, 6), "Acme One")
    assert (found.width, found.height) == (60, 40)


def test_a_heic_is_read_without_decoding_and_turned_as_its_container_says(tmp_path: Path) -> None:
    path = tmp_path / "a.heic"
    picture(64, 32).save(path, "HEIF", exif=exif({0x0112: 6}, {0x9003: TAKEN}), quality=50)
    found = metadata.read(path, mtime_ns=MTIME)
    assert found.format.name == "heic"
    assert found.metadata.taken_at == datetime(2023, 8, 1, 14, 5, 6)
    assert (found.metadata.width, found.metadata.height) == (32, 64)


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "PNG", "TIFF"])
def test_pictures_without_tags_have_a_size(tmp_path: Path, format_: str) -> None:
    found = metadata.read(photo(tmp_path / "a.png", encoded(picture(33, 21), format_)), mtime_ns=MTIME)
    assert (found.metadata.width, found.metadata.height, found.warnings) == (33, 21, ())


def test_the_digitized_date_stands_in_for_the_original_one(name: Path) -> None:
    found = read(photo(name, photo={0x9003: "0000:00:00 00:00:00", 0x9004: TAKEN}))
    assert (found.taken_at_source, found.taken_at) == (TakenAtSource.CREATED, datetime(2023, 8, 1, 14, 5, 6))


def test_what_a_camera_wrote_is_a_date_but_what_a_program_wrote_is_not(tmp_path: Path) -> None:
    by_camera = photo(tmp_path / "a.jpg", image={0x010F: "Acme", 0x0132: TAKEN})
    by_program = photo(tmp_path / "b.jpg", image={0x0132: TAKEN})
    assert read(by_camera).taken_at_source is TakenAtSource.CREATED
    assert read(by_program).taken_at_source is TakenAtSource.MTIME


def test_without_tags_the_file_name_then_the_folder_then_the_mtime_tell_the_date(tmp_path: Path) -> None:
    for path, source, moment in (
        ("2020-01-02/IMG_20230801_140506.jpg", TakenAtSource.FILE_NAME, datetime(2023, 8, 1, 14, 5, 6)),
        ("2020-01-02/a.jpg", TakenAtSource.FOLDER_NAME, datetime(2020, 1, 2, 12)),
        ("plain/a.jpg", TakenAtSource.MTIME, datetime.fromtimestamp(MTIME / 10**9)),
    ):
        found = read(photo(tmp_path / path))
        assert (found.taken_at_source, found.taken_at) == (source, moment)


@pytest.mark.parametrize("mtime_ns", [0, -(10**18), 10**20])
def test_an_absurd_mtime_leaves_the_date_unknown(name: Path, mtime_ns: int) -> None:
    found = metadata.read(photo(name), mtime_ns=mtime_ns).metadata
    assert (found.taken_at, found.taken_at_source, found.utc_offset_minutes) == (None, None, None)


def test_a_pixel_name_is_utc_and_told_in_the_zone_of_the_position(tmp_path: Path) -> None:
    found = read(photo(tmp_path / "PXL_20240512_081530123.jpg", gps=gps(38.7, -9.1)))
    assert (found.taken_at, found.utc_offset_minutes) == (datetime(2024, 5, 12, 9, 15, 30), 60)


def test_the_gps_clock_tells_the_offset_before_the_zone_of_the_position(name: Path) -> None:
    clock = {7: (12.0, 5.0, 0.0), 29: "2023:08:01"}
    assert read(photo(name, photo={0x9003: TAKEN}, gps=gps(38.7, -9.1) | clock)).utc_offset_minutes == 120
    assert read(photo(name, photo={0x9003: TAKEN}, gps=gps(38.7, -9.1))).utc_offset_minutes == 60


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("+02:00", 120), ("-03:30", -210), ("+0545", 345), ("Z", 0), ("+99:00", None), ("", None), ("+02:75", None)],
)
def test_offsets(name: Path, text: str, minutes: int | None) -> None:
    assert read(photo(name, photo={0x9003: TAKEN, 0x9011: text})).utc_offset_minutes == minutes


@pytest.mark.parametrize(
    "text",
    ["0000:00:00 00:00:00", "9999:12:31 23:59:59", "1825:01:01 00:00:00", "2023:02:30 10:00:00", "    :  :     :  :  ",
     "1970:01:01 00:00:00", "2023:08:01 25:00:00", "garbage", "", "2999:01:01 00:00:00"],
)  # fmt: skip
def test_absurd_dates_are_dropped(name: Path, text: str) -> None:
    assert read(photo(name, photo={0x9003: text})).taken_at_source is TakenAtSource.MTIME


@pytest.mark.parametrize(
    "tags",
    [
        gps(0, 0), gps(91, 10), gps(10, 181), gps(10, 10) | {1: ""}, gps(10, 10) | {2: (0.0, 61.0, 0.0)},
        {1: "N", 2: (10.0, 0.0, 0.0)}, gps(10, 10) | {1: "X"},
    ],
)  # fmt: skip
def test_absurd_positions_are_dropped(name: Path, tags: dict[int, Any]) -> None:
    found = read(photo(name, gps=tags))
    assert (found.latitude, found.longitude, found.altitude) == (None, None, None)


@pytest.mark.parametrize(
    ("reference", "value", "metres"), [(b"\1", 30.0, -30.0), (b"\0", 90_000.0, None), (b"\1", 9_000.0, None)]
)
def test_absurd_altitudes_are_dropped(name: Path, reference: bytes, value: float, metres: float | None) -> None:
    assert read(photo(name, gps=gps(10, 10, tag5=reference, tag6=value))).altitude == metres


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("NIKON CORPORATION", "NIKON D90", "NIKON D90"),
        ("FUJIFILM", "X-T5", "FUJIFILM X-T5"),
        ("  Apple\n", "iPhone\t 15 ", "Apple iPhone 15"),
        ("Acme", "", "Acme"),
        ("", "", None),
        ("\x1b[31mEvil\u202e", "One\x07", "[31mEvil One"),
        ("A" * 900, "B" * 900, "A" * 200),
    ],
)
def test_cameras_are_named_in_one_clean_line(make: str, model: str, camera: str | None) -> None:
    assert name_camera(make, model) == camera


def test_broken_metadata_is_a_warning_and_costs_only_itself(name: Path) -> None:
    data = encoded(picture(), exif=exif(photo={0x9003: TAKEN})).replace(b"MM\0*", b"XX\0*", 1)
    found = metadata.read(photo(name, data), mtime_ns=MTIME)
    assert found.metadata.taken_at_source is TakenAtSource.MTIME
    assert (found.metadata.width, found.metadata.height) == (64, 48)
    assert found.warnings == ("its EXIF data is damaged: an EXIF block has no byte order",)


def test_a_date_from_before_there_were_zones_is_kept_without_an_offset(name: Path) -> None:
    photo(name, photo={0x9003: "1860:05:12 12:00:00"}, gps=gps(57.05, -135.33))
    found = read(name)
    assert (found.taken_at, found.utc_offset_minutes) == (datetime(1860, 5, 12, 12), None)


def test_values_that_nobody_thought_of_cost_the_metadata_of_one_photo(
    name: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_badly(path: Path, *, mtime_ns: int) -> metadata.Described:
        raise ValueError("no such number")

    monkeypatch.setattr(metadata, "read", read_badly)
    [described] = tasks.describe([(photo(name), MTIME)])
    assert isinstance(described, metadata.Described)
    assert described.warnings == ("its metadata could not be read: no such number",)


def test_a_jpeg_that_ends_early_keeps_what_was_read(name: Path) -> None:
    whole = encoded(picture(), exif=exif(photo={0x9003: TAKEN}))
    found = metadata.read(photo(name, whole[: whole.index(b"\xff\xdb") + 8]), mtime_ns=MTIME)
    assert found.metadata.taken_at == datetime(2023, 8, 1, 14, 5, 6)
    assert found.warnings == ("its metadata is damaged: the file ends early",)


def test_the_content_decides_not_the_suffix(tmp_path: Path) -> None:
    assert metadata.read(photo(tmp_path / "a.heic"), mtime_ns=MTIME).format.name == "jpeg"
    with pytest.raises(UnsupportedPhoto, match="no photo format"):
        metadata.read(photo(tmp_path / "b.jpg", b"<html></html>"), mtime_ns=MTIME)


def test_a_missing_file_is_the_callers_to_handle(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        metadata.read(tmp_path / "gone.jpg", mtime_ns=MTIME)


def test_names_of_any_bytes_are_read(tmp_path: Path) -> None:
    for raw in (b"\xff\xe9.jpg", b"a\nb.jpg", "🏔️.jpg".encode()):
        assert read(photo(tmp_path / os.fsdecode(raw))).width == 64


def test_an_unopened_file_is_described_by_its_name(tmp_path: Path) -> None:
    found = metadata.from_name(tmp_path / "IMG_20240512_101530.nef", mtime_ns=MTIME, warning="it broke")
    assert (found.format.name, found.warnings) == ("nef", ("it broke",))
    assert found.metadata.taken_at == datetime(2024, 5, 12, 10, 15, 30)


def test_a_zero_denominator_is_no_number(name: Path) -> None:
    pointer = (38).to_bytes(4, "little")
    data = tiff([(0x0100, 5, 1, pointer), (0x0101, 5, 1, pointer)]) + bytes(8)
    found = metadata.read(photo(name.with_suffix(".tif"), data), mtime_ns=MTIME)
    assert (found.metadata.width, found.metadata.height) == (None, None)


EXPECTED = {
    "IMG_1034.heic": ("2018-02-05T15:11:44", 480, "Apple iPhone 8", (4032, 3024), 23.178),
    "IMG_2927.HEIC": ("2020-05-04T18:39:11", -240, "Apple iPhone 11 Pro", (3024, 4032), None),
    "Issue 649.avif": ("2015-10-11T14:41:44", None, "Canon EOS 70D", (5472, 3648), None),
    "CanonRaw.cr3": ("2018-02-21T12:08:56", 0, "Canon EOS M50", (6000, 4000), None),
    "CanonRaw.crw": ("2003-11-10T17:39:26", None, "Canon EOS DIGITAL REBEL", (3072, 2048), None),
    "CanonRaw.cr2": ("2005-08-03T18:59:18", None, "Canon EOS 350D DIGITAL", (3456, 2304), None),
    "FujiFilm.raf": ("2007-05-22T13:58:30", None, "FUJIFILM FinePix S5Pro", (4256, 1424), None),
    "Nikon.nef": ("2004-06-09T16:02:35", None, "NIKON D70", (3040, 2014), None),
    "Panasonic.rw2": ("2008-08-06T15:21:56", None, "Panasonic DMC-LX3", (3648, 2736), None),
    "exiv2_IMG_1361.dng": ("2020-12-29T14:24:45", -300, "Apple iPhone 12 Pro", (3024, 4032), 34.06),
    "Nokia Lumia 800.jpg": ("2012-06-09T21:23:38", 60, "Nokia Lumia 800", (2448, 3264), 53.359),
}


def test_real_photos_tell_what_they_are_known_to_tell() -> None:
    for path in real_photos("cameras/*", "raw/*"):
        if path.name in EXPECTED:
            found = read(path)
            taken = found.taken_at.isoformat() if found.taken_at else None
            latitude = None if found.latitude is None else round(found.latitude, 3)
            told = (taken, found.utc_offset_minutes, found.camera, (found.width, found.height), latitude)
            assert told == EXPECTED[path.name], path.name
