from datetime import UTC, datetime, timedelta

import pytest

from momentarium_cli.photos.dates import in_file_name, in_folders


@pytest.mark.parametrize(
    ("stem", "moment"),
    [
        ("IMG_20240512_101530", "2024-05-12T10:15:30"),
        ("IMG_20240512_101530_1", "2024-05-12T10:15:30"),
        ("IMG_20240512_101530(2)", "2024-05-12T10:15:30"),
        ("20240512_101530", "2024-05-12T10:15:30"),
        ("20240512101530", "2024-05-12T10:15:30"),
        ("2024-05-12 10.15.30", "2024-05-12T10:15:30"),
        ("2024-05-12T10-15-30", "2024-05-12T10:15:30"),
        ("Screenshot_2024-05-12-10-15-30", "2024-05-12T10:15:30"),
        ("Screenshot_20240512-101530_Chrome", "2024-05-12T10:15:30"),
        ("Screen Shot 2024-05-12 at 1.15.30 PM", "2024-05-12T13:15:30"),
        ("Screenshot 2024-05-12 at 12.15.30\u202fAM", "2024-05-12T00:15:30"),
        ("WhatsApp Image 2024-05-12 at 10.15.30 (1)", "2024-05-12T10:15:30"),
        ("signal-2024-05-12-101530", "2024-05-12T10:15:30"),
        ("IMG-20240512-WA0001", "2024-05-12T12:00:00"),
        ("DSC20240512", "2024-05-12T12:00:00"),
        ("2024-05-12", "2024-05-12T12:00:00"),
        ("2024.05.12 Portugal", "2024-05-12T12:00:00"),
        ("scan_19991231_235959", "1999-12-31T23:59:59"),
    ],
)
def test_names_of_cameras_phones_and_people_tell_a_date(stem: str, moment: str) -> None:
    named = in_file_name(stem)
    assert named and (named.at.isoformat(), named.utc) == (moment, False)


@pytest.mark.parametrize(
    ("stem", "moment"),
    [
        ("PXL_20240512_081530123", "2024-05-12T08:15:30"),
        ("PXL_20240512_081530123.MP", "2024-05-12T08:15:30"),
        ("1715508930123", "2024-05-12T10:15:30"),
        ("FB_IMG_1715508930123", "2024-05-12T10:15:30"),
        ("IMG_1715508930123", "2024-05-12T10:15:30"),
    ],
)
def test_some_names_count_from_utc(stem: str, moment: str) -> None:
    named = in_file_name(stem)
    assert named and (named.at.isoformat(), named.utc) == (moment, True)


@pytest.mark.parametrize(
    "stem",
    ["IMG_0001", "DSC_2024", "P1020304", "IMG_20241399", "20240230", "12345678", "100_1234",
     "3f20240512ab44", "IMG_20240512a", "99999999_999999", "photo-1499999999-abc", "IMG_3024-05-12", "00000000_000000",
     "Portugal 2024", "1899-05-12", "", "9715508930123", "received_10158273645123456"],
)  # fmt: skip
def test_numbers_that_are_no_dates_are_none(stem: str) -> None:
    assert in_file_name(stem) is None


def test_the_future_is_no_date() -> None:
    assert in_file_name((datetime.now(UTC) + timedelta(days=40)).strftime("IMG_%Y%m%d_%H%M%S")) is None


@pytest.mark.parametrize(
    ("folders", "day"),
    [
        (["photos", "2024-05-12 Lisbon"], "2024-05-12"),
        (["photos", "Lisbon 2024_05_12"], "2024-05-12"),
        (["2024", "05", "12"], "2024-05-12"),
        (["2024", "05 - May", "12 Lisbon"], "2024-05-12"),
        (["2024", "05"], "2024-05-01"),
        (["2024-05 Portugal"], "2024-05-01"),
        (["2024-05 Portugal", "day one"], "2024-05-01"),
        (["2023-01-01", "2024-05-12"], "2024-05-12"),
        (["2024-05-12", "raw"], "2024-05-12"),
        (["202405"], "2024-05-01"),
        (["2024-05-12 - 2024-05-15 Porto"], "2024-05-12"),
    ],
)
def test_the_nearest_folder_with_a_date_wins(folders: list[str], day: str) -> None:
    found = in_folders(["/", "home", *folders])
    assert found and found.isoformat() == f"{day}T12:00:00"


@pytest.mark.parametrize("folders", [["2024"], ["2024 Portugal"], ["2019-2020"], ["2024-25 season"], ["100CANON"], []])
def test_a_year_alone_is_not_enough(folders: list[str]) -> None:
    assert in_folders(folders) is None
