"""How many near duplicates are found, and how many unlike photos are taken for them; with and without `vision`.

    python -m tests.benchmarks.organize_alike [FOLDER]

Of each photo of a folder (../shared/photos/cameras unless told otherwise) changed copies are made: what programs do to
photos, and what a hand does to a camera between two frames. Every two photos of the folder are taken for unlike. The
extra `vision` must be installed for its columns.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from io import BytesIO
from itertools import combinations
from pathlib import Path

from PIL import Image, ImageEnhance, ImageFilter

from momentarium_cli.backend.organize.alike import ALIKE, BURST_ALIKE, BURST_LOOK_ALIKE, LOOK_ALIKE
from momentarium_cli.photos import vision
from momentarium_cli.photos.derived import Derived, derive
from tests.photos.conftest import REAL

Change = Callable[[Image.Image], Image.Image]


def moved(share: float) -> Change:
    """The camera pointed elsewhere by this share of the width."""
    return lambda image: _cut(image, 2 * share, share, 1, 1 - share)


def zoomed(share: float) -> Change:
    return lambda image: _cut(image, share / 2, share / 2, 1 - share / 2, 1 - share / 2)


def turned(degrees: float) -> Change:
    return lambda image: zoomed(0.2)(image.rotate(degrees, resample=Image.Resampling.BILINEAR))


def _cut(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    width, height = image.size
    return image.crop((round(left * width), round(top * height), round(right * width), round(bottom * height)))


CHANGES: Mapping[str, Change] = {
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "grey": lambda image: image.convert("L"),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(6)),
    "moved by 1 %": moved(0.01),
    "moved by 2 %": moved(0.02),
    "moved by 4 %": moved(0.04),
    "moved by 8 %": moved(0.08),
    "turned by 2°": turned(2),
    "turned by 5°": turned(5),
    "zoomed by 15 %": zoomed(0.15),
    "zoomed by 30 %": zoomed(0.30),
}


def pictures(folder: Path) -> list[Image.Image]:
    """As previews are."""
    found = []
    for path in sorted(folder.iterdir()):
        with suppress(OSError, ValueError), warnings.catch_warnings(action="ignore"), Image.open(path) as opened:
            opened.draft("RGB", (1440, 1440))
            image = opened.convert("RGB")
            image.thumbnail((1440, 1440))
            if min(image.size) >= 300:
                found.append(image)
    return found


def derived(image: Image.Image) -> Derived:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return derive(buffer.getvalue())


def alike(one: Derived, other: Derived) -> tuple[bool, bool, bool, bool]:
    """Whenever they were taken and within a burst; by the hash alone, and by vision too."""
    unlike = ((one.phash ^ other.phash) & (1 << 64) - 1).bit_count()
    seen = (
        (int.from_bytes(one.look) ^ int.from_bytes(other.look)).bit_count() if one.look and other.look else vision.BITS
    )
    always, burst = unlike <= ALIKE, unlike <= BURST_ALIKE
    return always, burst, always or seen <= LOOK_ALIKE, burst or seen <= BURST_LOOK_ALIKE


def report(name: str, pairs: Sequence[tuple[Derived, Derived]], digits: int = 2) -> None:
    shares = [sum(column) / len(pairs) for column in zip(*(alike(*pair) for pair in pairs), strict=True)]
    print(f"{name:16}", *(f"{share:14.{digits}f}" for share in shares))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=REAL / "cameras")
    images = pictures(parser.parse_args().folder)
    started = time.process_time()
    originals = [derived(image) for image in images]
    print(f"{len(images)} photos, {(time.process_time() - started) / len(images) * 1000:.0f} ms each to look at")
    print(f"{'':16}", *(f"{name:>14}" for name in ("hash", "hash, burst", "vision", "vision, burst")))
    for name, change in CHANGES.items():
        report(name, [(one, derived(change(image))) for one, image in zip(originals, images, strict=True)])
    report("unlike photos", list(combinations(originals, 2)), digits=4)


if __name__ == "__main__":
    main()
