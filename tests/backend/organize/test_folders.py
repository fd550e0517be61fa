import pytest

from momentarium_cli.backend.organize.folders import given_name, without_date


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("Anna's wedding", "Anna's wedding"),
        ("2024-05-12 Anna's wedding", "2024-05-12 Anna's wedding"),
        ("Anna's wedding/DCIM/100CANON", "Anna's wedding"),
        ("Italy 2019/2019-05-12/raw", "Italy 2019"),
        ("/home/joe/Pictures/Summer_in_Rome", "Summer in Rome"),
        ("C:\\Users\\Joe\\Pictures\\Grandma's 80th", "Grandma's 80th"),
        ("Hochzeit Müller", "Hochzeit Müller"),
        ("京都旅行", "京都旅行"),
        ("Wed\nding\udcff", "Wed ding"),
    ],
)
def test_finds_the_name_that_a_person_gave(folder: str, name: str) -> None:
    assert given_name(folder) == name


@pytest.mark.parametrize(
    "folder",
    [
        *(None, "", "/", "\udcff", "---", "DCIM/100CANON", "101_PANA", "202405__", "Camera", "Camera Roll", "IMG_2024"),
        *("Photos", "My Pictures", "New Folder (2)", "Neuer Ordner", "Downloads", "Backup 2023-11", "old phone"),
        *(
            "2024",
            "2024-05-12",
            "2024/05/12",
            "May 2024",
            "12.05.2024",
            "20240512",
            "iPhone 15 Pro",
            "Galaxy S21 Ultra",
        ),
        *("WhatsApp Images", "Takeout/Google Photos/Photos from 2019", "3f2504e0-4f89-11d3-9a0c-0305e82c3301"),
        *("a8f3e9c2d17b", "x7Gh29KqPz0L", "/home/joe/Pictures", "/home/joe/2024", "C:\\Users\\joe", "/Users/joe/DCIM"),
        *("Family archive/2019/05", "Joe/2024", "Someone/photos/shared/dcim"),
    ],
)
def test_finds_no_name_where_a_device_or_a_program_gave_it(folder: str | None) -> None:
    assert given_name(folder) is None


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("2024-05-12 Anna's wedding", "Anna's wedding"),
        ("20240512 - Anna's wedding", "Anna's wedding"),
        ("2024 Anna's wedding", "Anna's wedding"),
        ("12.05.2024 Anna's wedding", "Anna's wedding"),
        ("Anna's wedding 2024", "Anna's wedding"),
        ("Anna's wedding (May 2024)", "Anna's wedding"),
        ("Anna's wedding, 12 May 2024", "Anna's wedding"),
        ("Anna's wedding 12-15 May 2024", "Anna's wedding"),
        ("Anna's wedding", "Anna's wedding"),
        ("Anna's wedding 2019", "Anna's wedding 2019"),  # of another year than the photos
        ("Class of 2024", "Class of 2024"),
        ("Route 66", "Route 66"),
    ],
)
def test_leaves_out_the_date_that_the_title_says_again(name: str, rest: str) -> None:
    assert without_date(name, range(2024, 2025)) == rest
