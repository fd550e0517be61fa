"""Tells pictures of paper, and what came from elsewhere, from photos that the owner took, by what programs call them.

A name alone is believed: a photo with a position was taken by somebody who was there, whatever it is called.
"""

import re

from momentarium_cli.backend.organize.base import Photo
from momentarium_cli.backend.organize.screenshots import is_screenshot
from momentarium_cli.backend.organize.text import clean
from momentarium_cli.models import AlbumKind

_WORDS = (
    r"scan|scans|scanned|document|documents|receipt|receipts|invoice|invoices"
    r"|dokument|dokumente|beleg|belege|quittung|quittungen|rechnung|rechnungen|kassenbon|kassenbons"
    r"|numérisation|numérisations|reçu|reçus|facture|factures|documento|documentos|documenti|escaneo|escaneos"
    r"|recibo|recibos|factura|facturas|fatura|faturas|digitalização|scansione|scansioni|ricevuta|ricevute|scontrini"
    r"|スキャン|書類|領収書|レシート|扫描|文档|收据|发票"
)
# "Scan0012.jpg", "Scan_20240512 (2).jpg", "Receipt 3.jpg"; never "Scanning the horizon.jpg".
_PAPER = re.compile(rf"(?:{_WORDS})(?:[\W_\d]|page|pg|\d)*(?:\.\w+)?", re.IGNORECASE)
_SCANNERS = re.compile(
    r"(camscanner|adobe ?scan|office ?lens|genius ?scan|tiny ?scanner|scanbot|turboscan|notebloc|scannable)",
    re.IGNORECASE,
)
_SCANNER = re.compile(r"\b(scanner|canoscan|scanjet|scansnap|perfection v?\d+|opticfilm|lide ?\d+)\b", re.IGNORECASE)
_PAPER_FOLDER = re.compile(rf"(?:^|[\\/])(?:{_WORDS}|camscanner|adobe ?scan|office ?lens)[\\/]?$", re.IGNORECASE)

_GIVEN = re.compile(
    r"(?:FB_IMG_\d+|received_\d+(?:_\d+)?|image_search_\d+|download(?: ?\(\d+\))?|unnamed(?: ?\(\d+\))?"
    r"|images?(?: ?\(\d+\))|\d+_\d+_\d+_[no])\.\w+",
    re.IGNORECASE,
)
_GIVEN_FOLDER = re.compile(
    r"(?:^|[\\/])(?:downloads?|téléchargements?|descargas|transferências|scaricati|ダウンロード|下载)[\\/]?$",
    re.IGNORECASE,
)


def kept_apart(photo: Photo) -> AlbumKind | None:
    """The kind of the album for pictures that are no photos of any event; None for photos."""
    if is_screenshot(photo):
        return AlbumKind.SCREENSHOTS
    if photo.latitude is not None:
        return None
    if _is_document(photo):
        return AlbumKind.DOCUMENTS
    return AlbumKind.DOWNLOADS if _is_download(photo) else None


def _is_document(photo: Photo) -> bool:
    """Scans that say when they were made, too: that is no time at which anything was to be seen."""
    name = clean(photo.filename)
    if _SCANNERS.match(name) or _SCANNER.search(photo.camera or ""):
        return True
    return photo.camera is None and bool(
        _PAPER.fullmatch(name) or _PAPER_FOLDER.search(clean(photo.source_folder or ""))
    )


def _is_download(photo: Photo) -> bool:
    """A camera is named in photos that were taken elsewhere and in those that a person copied: these are photos."""
    if photo.camera is not None:
        return False
    return bool(_GIVEN.fullmatch(clean(photo.filename)) or _GIVEN_FOLDER.search(clean(photo.source_folder or "")))
