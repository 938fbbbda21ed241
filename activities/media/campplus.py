"""CAM++, which tells voices apart: its published weights as a graph for onnxruntime, without PyTorch.

Architecture: Wang et al., "CAM++: A Fast and Efficient Network for Speaker Verification Using Context-Aware Masking",
Interspeech 2023; the weights are `iic/speech_campplus_sv_zh_en_16k-common_advanced` (Apache-2.0), a file of PyTorch: a
zip of raw numbers and of a pickle that names them. Of the pickle only names, shapes and places are taken.
"""

import io
import pickle
import zipfile
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

FEATURES = 80
"""Of Kaldi's filter bank, 100 times a second, less their mean over the window."""
WINDOW = 150
"""Features of one window (1.5 s). The context of the mask is the whole window up to 200, which this graph relies on."""
DIMENSIONS = 192
_BLOCKS = ((12, 1), (24, 2), (16, 2))
"""Layers and dilation of the three dense blocks."""
_EPSILON = 1e-5
_SAFE = frozenset({"OrderedDict", "_rebuild_tensor_v2", "FloatStorage", "LongStorage"})


def graph(weights: bytes) -> bytes:
    """Return the network as an ONNX model: features (n, `WINDOW`, `FEATURES`) to vectors (n, `DIMENSIONS`).

    Raises:
        ValueError: these are not the weights.
    """
    builder = _Builder(_tensors(weights))
    builder.head()
    builder.dense()
    outputs = [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", DIMENSIONS])]
    inputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", WINDOW, FEATURES])]
    made = helper.make_graph(builder.nodes, "campplus", inputs, outputs, builder.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    found: bytes = model.SerializeToString()
    return found


class _Builder:
    """Appends nodes one after another; each method takes and returns the name of a value."""

    def __init__(self, tensors: dict[str, Any]) -> None:
        self.tensors = tensors
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._known: set[str] = set()

    def head(self) -> None:
        """Two-dimensional convolutions over time and frequency."""
        value = self.node("Transpose", ["features"], perm=[0, 2, 1])
        value = self.node("Unsqueeze", [value, self.whole(1)])
        value = self.relu(self.norm(self.conv(value, "head.conv1", strides=(1, 1), pads=1), "head.bn1"))
        for layer in (1, 2):
            for number, stride in enumerate((2, 1)):
                value = self.residual(value, f"head.layer{layer}.{number}", stride)
        value = self.relu(self.norm(self.conv(value, "head.conv2", strides=(2, 1), pads=1), "head.bn2"))
        self.value = self.node("Reshape", [value, self.whole(0, 32 * FEATURES // 8, -1)])

    def dense(self) -> None:
        """Dense time-delay blocks, pooling over time, projection."""
        value = self.conv(self.value, "xvector.tdnn.linear", strides=(2,), pads=2)
        value = self.relu(self.norm(value, "xvector.tdnn.nonlinear.batchnorm"))
        for block, (layers, dilation) in enumerate(_BLOCKS, 1):
            for layer in range(1, layers + 1):
                new = self.masked(value, f"xvector.block{block}.tdnnd{layer}", dilation)
                value = self.node("Concat", [value, new], axis=1)
            value = self.relu(self.norm(value, f"xvector.transit{block}.nonlinear.batchnorm"))
            value = self.conv(value, f"xvector.transit{block}.linear")
        value = self.relu(self.norm(value, "xvector.out_nonlinear.batchnorm"))
        mean = self.node("ReduceMean", [value], axes=[2], keepdims=1)
        apart = self.node("Sub", [value, mean])
        # The deviation with n - 1, of `WINDOW` / 2 steps.
        squares = self.node("ReduceMean", [self.node("Mul", [apart, apart])], axes=[2], keepdims=1)
        steps = (WINDOW + 1) // 2
        deviation = self.node("Sqrt", [self.node("Mul", [squares, self.number(steps / (steps - 1))])])
        value = self.conv(self.node("Concat", [mean, deviation], axis=1), "xvector.dense.linear")
        value = self.norm(value, "xvector.dense.nonlinear.batchnorm")
        self.node("Squeeze", [value, self.whole(2)], name="vectors")

    def residual(self, value: str, name: str, stride: int) -> str:
        """Two convolutions beside a shortcut."""
        new = self.relu(self.norm(self.conv(value, f"{name}.conv1", strides=(stride, 1), pads=1), f"{name}.bn1"))
        new = self.norm(self.conv(new, f"{name}.conv2", strides=(1, 1), pads=1), f"{name}.bn2")
        if stride != 1:
            value = self.norm(self.conv(value, f"{name}.shortcut.0", strides=(stride, 1)), f"{name}.shortcut.1")
        return self.relu(self.node("Add", [new, value]))

    def masked(self, value: str, name: str, dilation: int) -> str:
        """A bottleneck, and a convolution masked by its context: the mean over the window, once whole, once by segment.

        A window is shorter than a segment (100 steps), so that both means are the same.
        """
        value = self.conv(self.relu(self.norm(value, f"{name}.nonlinear1.batchnorm")), f"{name}.linear1")
        value = self.relu(self.norm(value, f"{name}.nonlinear2.batchnorm"))
        local = self.conv(value, f"{name}.cam_layer.linear_local", pads=dilation, dilations=(dilation,))
        mean = self.node("ReduceMean", [value], axes=[2], keepdims=1)
        context = self.relu(self.conv(self.node("Add", [mean, mean]), f"{name}.cam_layer.linear1"))
        mask = self.node("Sigmoid", [self.conv(context, f"{name}.cam_layer.linear2")])
        return self.node("Mul", [local, mask])

    def conv(self, value: str, name: str, *, pads: int = 0, **attributes: tuple[int, ...]) -> str:
        """A convolution of one or two dimensions, by the shape of its weights."""
        sides = self.tensors[f"{name}.weight"].ndim - 2
        given = [value, self.tensor(f"{name}.weight")]
        if f"{name}.bias" in self.tensors:
            given.append(self.tensor(f"{name}.bias"))
        shape: dict[str, Any] = {key: list(each) for key, each in attributes.items()}
        return self.node("Conv", given, pads=[pads] * sides * 2, **shape)

    def norm(self, value: str, name: str) -> str:
        """Batch normalisation; one without scale and shift has ones and zeros."""
        mean = self.tensors[f"{name}.running_mean"]
        for key, default in (("weight", np.ones_like(mean)), ("bias", np.zeros_like(mean))):
            self.tensors.setdefault(f"{name}.{key}", default)
        kept = [self.tensor(f"{name}.{key}") for key in ("weight", "bias", "running_mean", "running_var")]
        return self.node("BatchNormalization", [value, *kept], epsilon=_EPSILON)

    def relu(self, value: str) -> str:
        """Max(x, 0)."""
        return self.node("Relu", [value])

    def tensor(self, name: str) -> str:
        """Name weights."""
        return self._constant(name, self.tensors[name])

    def whole(self, *numbers: int) -> str:
        """Name whole numbers."""
        return self._constant(f"whole{numbers}", np.array(numbers, dtype=np.int64))

    def number(self, number: float) -> str:
        """Name a number."""
        return self._constant(f"number{number}", np.array(number, dtype=np.float32))

    def node(self, kind: str, given: list[str], *, name: str = "", **attributes: Any) -> str:
        """Append a node."""
        name = name or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, given, [name], **attributes))
        return name

    def _constant(self, name: str, value: Any) -> str:
        if name not in self._known:
            self._known.add(name)
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name


def _tensors(weights: bytes) -> dict[str, Any]:
    """Read a file of PyTorch without PyTorch."""
    with zipfile.ZipFile(io.BytesIO(weights)) as archive:
        root = next(name for name in archive.namelist() if name.endswith("/data.pkl")).removesuffix("data.pkl")
        return dict(_Unpickler(archive, root).load())


class _Unpickler(pickle.Unpickler):
    """Makes arrays of what the pickle names, and refuses to look up anything else."""

    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(io.BytesIO(archive.read(f"{root}data.pkl")))
        self._archive, self._root = archive, root

    def find_class(self, module: str, name: str) -> Any:
        if name not in _SAFE or module.split(".")[0] not in ("torch", "collections"):
            raise ValueError(f"these weights name {module}.{name}")
        return {"OrderedDict": dict, "_rebuild_tensor_v2": _array}.get(name, name)

    def persistent_load(self, pid: Any) -> Any:
        _, kind, key, _, _ = pid
        data = self._archive.read(f"{self._root}data/{key}")
        return np.frombuffer(data, {"FloatStorage": "<f4", "LongStorage": "<i8"}[kind])


def _array(storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Any:
    strides = [each * storage.itemsize for each in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, strides)
