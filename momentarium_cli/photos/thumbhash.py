"""ThumbHash: some 25 bytes that give a blurred picture until the real one is there.

The format is Evan Wallace's (https://evanw.github.io/thumbhash/): the strongest cosine terms of luminance and
two colour differences, in 4 bits each. Ours are of opaque pictures.
"""

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

MAX_SIDE = 100
FLAT = 1e-6  # below that there is only rounding, which differs from machine to machine


class _Channel(NamedTuple):
    mean: float
    terms: list[float]  # 0 to 1
    scale: float


def thumbhash(image: "Image.Image") -> bytes:
    """Of an RGB picture of at most 100 x 100 pixels; the bytes that decoders of the format expect."""
    import numpy as np

    width, height = image.size
    red, green, blue = np.moveaxis(np.asarray(image, dtype=np.float64) / 255, 2, 0)
    across = max(1, _round(7 * width / max(width, height)))
    down = max(1, _round(7 * height / max(width, height)))
    light = _encode((red + green + blue) / 3, max(3, across), max(3, down))
    yellow = _encode((red + green) / 2 - blue, 3, 3)
    crimson = _encode(red - green, 3, 3)
    landscape = width > height
    head = _round(63 * light.mean) | _round(31.5 + 31.5 * yellow.mean) << 6 | _round(31.5 + 31.5 * crimson.mean) << 12
    head |= _round(31 * light.scale) << 18
    tail = (down if landscape else across) | _round(63 * yellow.scale) << 3 | _round(63 * crimson.scale) << 9
    tail |= landscape << 15
    nibbles = [_round(15 * term) for channel in (light, yellow, crimson) for term in channel.terms]
    return head.to_bytes(3, "little") + tail.to_bytes(2, "little") + _packed(nibbles)


def _encode(channel: "NDArray[np.float64]", across: int, down: int) -> _Channel:
    """The cosine terms in the triangle below `across` and `down`, rows first."""
    rows, columns = channel.shape
    terms = _cosines(down, rows) @ channel @ _cosines(across, columns).T / (rows * columns)
    order = [(y, x) for y in range(down) for x in range(across) if x * down < across * (down - y)]
    varying = [float(terms[place]) for place in order[1:]]
    scale = max((abs(term) for term in varying), default=0.0)
    if scale < FLAT:
        return _Channel(float(terms[0, 0]), [0.0] * len(varying), 0.0)
    return _Channel(float(terms[0, 0]), [0.5 + 0.5 / scale * term for term in varying], scale)


def _cosines(count: int, length: int) -> "NDArray[np.float64]":
    import numpy as np

    return np.cos(np.pi / length * np.outer(np.arange(count), np.arange(length) + 0.5))


def _packed(nibbles: list[int]) -> bytes:
    """Two in a byte, the lower half first."""
    padded = [*nibbles, 0]
    return bytes(low | high << 4 for low, high in zip(padded[: len(nibbles) : 2], padded[1::2], strict=False))


def _round(number: float) -> int:
    """Half goes up, as in the format's reference; Python's round goes to even."""
    return math.floor(number + 0.5)
