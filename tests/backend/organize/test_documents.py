import pytest

from momentarium_cli.backend.organize.documents import kept_apart
from momentarium_cli.models import AlbumKind
from tests.backend.organize.photos import LISBON, photo


@pytest.mark.parametrize(
    "name",
    [
        *(
            "Scan0012.jpg",
            "scan_20240512 (2).jpg",
            "Receipt 3.jpg",
            "Document 5.jpg",
            "Documents.png",
            "Invoice-0042.png",
        ),
        *("Rechnung 2024-05.jpg", "Beleg_3.jpg", "Numérisation_20240512.jpg", "CamScanner 05-12-2024 10.15.jpg"),
        *("Adobe Scan 12 May 2024.jpg", "スキャン 3.jpg", "receipt.jpg"),
    ],
)
def test_knows_documents_by_the_names_that_programs_give(name: str) -> None:
    assert kept_apart(photo("2024-05-12T10:00", filename=name, camera=None)) is AlbumKind.DOCUMENTS


@pytest.mark.parametrize("camera", ["EPSON Perfection V600", "Canon CanoScan 9000F", "HP ScanJet", "FUJITSU ScanSnap"])
def test_what_a_scanner_made_is_a_document(camera: str) -> None:
    assert kept_apart(photo("2024-05-12T10:00", camera=camera)) is AlbumKind.DOCUMENTS


def test_a_folder_of_receipts_holds_them() -> None:
    paper = photo("2024-05-12T10:00", filename="1.jpg", source_folder="/home/a/Receipts", camera=None)
    assert kept_apart(paper) is AlbumKind.DOCUMENTS


@pytest.mark.parametrize("name", ["FB_IMG_1715500000.jpg", "received_102030.jpeg", "images (1).jpeg", "download.jpg"])
def test_knows_what_came_from_elsewhere(name: str) -> None:
    assert kept_apart(photo("2024-05-12T10:00", filename=name, camera=None)) is AlbumKind.DOWNLOADS


def test_a_folder_of_downloads_holds_what_no_camera_took() -> None:
    assert kept_apart(photo(None, filename="1.jpg", source_folder="C:\\Users\\a\\Downloads", camera=None)) is (
        AlbumKind.DOWNLOADS
    )
    assert kept_apart(photo(None, filename="1.jpg", source_folder="/home/a/Downloads")) is None


@pytest.mark.parametrize(
    "name",
    ["IMG_1234.JPG", "Scanning the horizon.jpg", "Documentary night.jpg", "IMG-20240512-WA0001.jpg", "images.jpg"],
)
def test_other_names_are_photos(name: str) -> None:
    assert kept_apart(photo("2024-05-12T10:00", filename=name, camera=None)) is None


def test_a_photo_with_a_position_or_of_a_camera_is_one_whatever_it_is_called() -> None:
    assert kept_apart(photo("2024-05-12T10:00", LISBON, filename="Scan0001.jpg", camera=None)) is None
    assert kept_apart(photo("2024-05-12T10:00", filename="Document 1.jpg")) is None


def test_screenshots_are_no_documents() -> None:
    assert kept_apart(photo(None, filename="Screenshot_1.png", camera=None)) is AlbumKind.SCREENSHOTS
