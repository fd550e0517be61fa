from io import BytesIO

from PIL import Image

from momentarium_cli.photos.sheet import CELL_SIDE, contact_sheet


def jpeg(colour: str, size: tuple[int, int] = (320, 240), **more: object) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", size, colour).save(buffer, "JPEG", **more)
    return buffer.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.load()
    return image


def test_sixteen_pictures_are_a_square_of_cells_in_their_order() -> None:
    colours = ["red", "green", "blue", "white"] * 4
    sheet = contact_sheet([jpeg(colour) for colour in colours])
    assert sheet is not None and sheet.shown == tuple(range(16))
    image = opened(sheet.data)
    assert image.size == (4 * CELL_SIDE, 4 * CELL_SIDE)
    for index, colour in enumerate(colours):
        row, column = divmod(index, 4)
        centre = image.getpixel((column * CELL_SIDE + CELL_SIDE // 2, row * CELL_SIDE + CELL_SIDE // 2))
        assert isinstance(centre, tuple)
        expected = Image.new("RGB", (1, 1), colour).getpixel((0, 0))
        assert isinstance(expected, tuple)
        assert all(abs(got - wanted) < 8 for got, wanted in zip(centre, expected, strict=True))


def test_each_cell_has_a_number_in_its_corner() -> None:
    sheet = contact_sheet([jpeg("blue")] * 3)
    assert sheet is not None
    image = opened(sheet.data)
    corners = [image.crop((x, y, x + 40, y + 40)) for x, y in ((0, 0), (CELL_SIDE, 0), (0, CELL_SIDE))]
    assert len({corner.tobytes() for corner in corners}) == 3
    for corner in corners:
        reds, blues = corner.getchannel("R").tobytes(), corner.getchannel("B").tobytes()
        assert max(reds) > 200 and min(blues) < 60


def test_pictures_of_any_shape_stay_in_their_cells() -> None:
    sheet = contact_sheet([jpeg("red", (1440, 10)), jpeg("red", (10, 1440)), jpeg("red", (1, 1))])
    assert sheet is not None and sheet.shown == (0, 1, 2)
    assert opened(sheet.data).size == (2 * CELL_SIDE, 2 * CELL_SIDE)


def test_nothing_of_a_pictures_metadata_is_in_the_sheet() -> None:
    exif = Image.Exif()
    exif[0x010E] = "a secret description"
    sheet = contact_sheet([jpeg("red", exif=exif.tobytes(), comment=b"a secret comment")])
    assert sheet is not None and b"secret" not in sheet.data
    assert not opened(sheet.data).getexif()


def test_what_cannot_be_decoded_is_left_out() -> None:
    sheet = contact_sheet([b"", jpeg("red"), b"\xff\xd8 broken"])
    assert sheet is not None and sheet.shown == (1,)
    assert contact_sheet([b"nothing"]) is None
