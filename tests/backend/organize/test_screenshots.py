import pytest

from momentarium_cli.backend.organize.screenshots import is_screenshot
from tests.backend.organize.photos import LISBON, photo


@pytest.mark.parametrize(
    "name",
    [
        *("Screenshot_20240512-101500.png", "Screenshot (12).png", "Screen Shot 2024-05-12 at 10.15.00.png"),
        *("Bildschirmfoto 2024-05-12 um 10.15.00.png", "Capture d’écran 2024-05-12.png", "Captura de pantalla 1.png"),
        *(
            "Schermata 2024.png",
            "Schermafbeelding 2024.png",
            "スクリーンショット 2024.png",
            "Ska\u0308rmavbild 2024.png",
        ),
    ],
)
def test_knows_the_names_that_systems_give(name: str) -> None:
    assert is_screenshot(photo("2024-05-12T10:00", filename=name, camera=None))


def test_a_png_of_an_iphone_is_one_unless_it_has_a_camera_or_a_position() -> None:
    assert is_screenshot(photo(None, filename="IMG_1234.PNG", camera=None))
    assert not is_screenshot(photo(None, filename="IMG_1234.PNG"))
    assert not is_screenshot(photo(None, LISBON, filename="IMG_1234.PNG", camera=None))


def test_a_folder_of_screenshots_holds_them() -> None:
    assert is_screenshot(photo(None, filename="1.png", source_folder="DCIM/Screenshots"))


@pytest.mark.parametrize("name", ["IMG_1234.JPG", "diagram.png", "my Screenshot.jpg", "screen.png"])
def test_other_names_are_photos(name: str) -> None:
    assert not is_screenshot(photo(None, filename=name, camera=None))
