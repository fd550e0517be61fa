"""Tells pictures of a screen from photos, by what devices call them."""

import re

from momentarium_cli.backend.organize.base import Photo
from momentarium_cli.backend.organize.text import clean

# English, Dutch and Danish, German, French, Italian, Spanish, Portuguese, Swedish and Norwegian, Polish, Finnish,
# Russian, Japanese, Chinese, Korean: as phones and desktops in these languages name what they capture.
_NAME = re.compile(
    r"(screen[ _-]?shot|screen[ _-]?capture|scherm(afbeelding|opname)|skærmbillede|bildschirm(foto|aufnahme)"
    r"|capture d.{1,4}cran|schermata|captura de (pantalla|tela|ecr)|skärmavbild|skjermbilde|zrzut ekranu"
    r"|näyttökuva|снимок экрана|скриншот|スクリーンショット|截屏|截圖|截图|屏幕快照|螢幕|스크린샷)",
    re.IGNORECASE,
)
_IPHONE = re.compile(r"IMG_\d{4,5}( \d+)?\.PNG", re.IGNORECASE)  # its camera never writes PNG
_FOLDER = re.compile(r"(^|[\\/])screenshots?[\\/]?$", re.IGNORECASE)


def is_screenshot(photo: Photo) -> bool:
    """By its name or folder; an iPhone's also by its format, if neither camera nor position says otherwise."""
    name = clean(photo.filename)  # macOS writes letters and their accents apart
    if _NAME.match(name) or _FOLDER.search(photo.source_folder or ""):
        return True
    return bool(_IPHONE.fullmatch(name)) and photo.camera is None and photo.latitude is None
