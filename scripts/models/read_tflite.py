"""TensorFlow Lite files to ONNX: the few layers that small convolutional networks use, channels first.

Written for MediaPipe's face networks; any other layer is refused by name. Batches and the picture's sides stay open
where the graph allows it. The schema of the file format comes from PyPI's `tflite` (Apache-2.0), needed only here.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from szem.errors import MissingExtraError, ModelError

__all__ = ["tflite_to_onnx"]

_OPSET = 17
_TYPES = {0: np.float32, 1: np.float16, 2: np.int32}  # numbers of the schema's TensorType
_ACTIVATIONS = {0: None, 1: "Relu"}


def tflite_to_onnx(path: Path, *, names: dict[int, str], open_sides: bool) -> onnx.ModelProto:
    """Translate a file.

    Args:
        path: A `.tflite` file with one float input (1, H, W, 3).
        names: Channels of an output -> its name in the ONNX file. An output that is a list of places becomes
            (N, places, channels); one of a single place (N, channels).
        open_sides: Leave the height and width of the input open.
    Returns:
        The model; its input is `picture`, (N, 3, H, W).
    Raises:
        MissingExtraError: the package `tflite` is not installed.
        ModelError: a layer that is not known here, or another number of outputs than named.
    """
    try:
        schema, files = import_module("tflite"), import_module("tflite.Model")
    except ImportError as error:
        raise MissingExtraError("reading .tflite files needs the package tflite; pip install tflite") from error
    file = files.Model.GetRootAs(path.read_bytes(), 0)
    graph = file.Subgraphs(0)
    writer = _Writer(file, graph, schema)
    (source,) = graph.InputsAsNumpy()
    _, height, width, _ = graph.Tensors(source).ShapeAsNumpy()
    writer.values[int(source)] = "picture"
    codes = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    for place in range(graph.OperatorsLength()):
        operator = graph.Operators(place)
        code = file.OperatorCodes(operator.OpcodeIndex())
        name = codes[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        layer = getattr(writer, f"add_{name.lower()}", None)
        if layer is None:
            raise ModelError(f"{path}: layer {name} is not translated; use a network without it")
        layer(operator)
    outputs = []
    for place in graph.OutputsAsNumpy():
        channels = int(graph.Tensors(place).ShapeAsNumpy()[-1])
        if channels not in names:
            raise ModelError(f"{path}: an output has {channels} channels; named are {sorted(names)}")
        shape: list[Any] = ["N", "places", channels]
        value = writer.values[int(place)]
        if graph.Tensors(place).ShapeLength() == 4:  # a single place
            value, shape = writer.put("Flatten", [value]), ["N", channels]
        writer.nodes.append(helper.make_node("Identity", [value], [names[channels]], name=names[channels]))
        outputs.append(helper.make_tensor_value_info(names[channels], onnx.TensorProto.FLOAT, shape))
    sides: list[Any] = ["H", "W"] if open_sides else [int(height), int(width)]
    picture = helper.make_tensor_value_info("picture", onnx.TensorProto.FLOAT, ["N", 3, *sides])
    body = helper.make_graph(writer.nodes, path.stem, [picture], outputs, writer.weights)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model


class _Writer:
    """Collects nodes; `values` says which ONNX value holds a tensor of the file, `constants` its fixed tensors."""

    def __init__(self, file: Any, graph: Any, schema: Any) -> None:
        self.file, self.graph, self.schema = file, graph, schema
        self.values: dict[int, str] = {}
        self.constants: dict[int, NDArray[Any]] = {}
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def put(self, kind: str, inputs: list[str], **options: Any) -> str:
        """Add a node and name its value."""
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **options))
        return name

    def keep(self, values: NDArray[Any], what: str) -> str:
        """Add a fixed tensor."""
        name = f"{what}_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def fixed(self, place: int) -> NDArray[Any]:
        """The numbers of a fixed tensor."""
        if place in self.constants:
            return self.constants[place]
        tensor = self.graph.Tensors(place)
        raw = self.file.Buffers(tensor.Buffer()).DataAsNumpy().tobytes()
        values = np.frombuffer(raw, _TYPES[tensor.Type()]).reshape(tensor.ShapeAsNumpy())
        return values.astype(np.float32) if values.dtype == np.float16 else values

    def options(self, operator: Any, kind: str) -> Any:
        """The options of a layer, as the schema's class `kind` reads them."""
        table, found = operator.BuiltinOptions(), getattr(self.schema, kind)()
        found.Init(table.Bytes, table.Pos)
        return found

    def finish(self, operator: Any, value: str, activation: int = 0) -> None:
        """Apply a layer's own activation and note its output."""
        if activation not in _ACTIVATIONS:
            raise ModelError(f"activation {activation} is not translated")
        kind = _ACTIVATIONS[activation]
        self.values[int(operator.Outputs(0))] = value if kind is None else self.put(kind, [value])

    def pads(self, place: int, options: Any, kernel: tuple[int, int]) -> list[int]:
        """Top, left, bottom, right: as TensorFlow's SAME, from the size in the file."""
        if options.Padding() != 0:
            return [0, 0, 0, 0]
        _, height, width, _ = self.graph.Tensors(place).ShapeAsNumpy()
        before, after = [], []
        for side, size, stride in zip((height, width), kernel, (options.StrideH(), options.StrideW()), strict=True):
            whole = max(0, (-(-int(side) // stride) - 1) * stride + size - int(side))
            before.append(whole // 2)
            after.append(whole - whole // 2)
        return before + after

    def add_dequantize(self, operator: Any) -> None:
        self.constants[int(operator.Outputs(0))] = self.fixed(int(operator.Inputs(0)))

    def add_conv_2d(self, operator: Any) -> None:
        source, weight, bias = (int(operator.Inputs(k)) for k in range(3))
        options = self.options(operator, "Conv2DOptions")
        self._convolve(operator, source, self.fixed(weight).transpose(0, 3, 1, 2), self.fixed(bias), options, 1)

    def add_depthwise_conv_2d(self, operator: Any) -> None:
        source, weight, bias = (int(operator.Inputs(k)) for k in range(3))
        options = self.options(operator, "DepthwiseConv2DOptions")
        kernels = self.fixed(weight).transpose(3, 0, 1, 2)  # (1, kh, kw, C) -> (C, 1, kh, kw)
        self._convolve(operator, source, kernels, self.fixed(bias), options, len(kernels))

    def _convolve(
        self, operator: Any, source: int, kernels: NDArray[Any], bias: NDArray[Any], options: Any, group: int
    ) -> None:
        inputs = [self.values[source], self.keep(kernels, "kernels"), self.keep(bias, "bias")]
        value = self.put(
            "Conv",
            inputs,
            kernel_shape=kernels.shape[2:],
            strides=[options.StrideH(), options.StrideW()],
            pads=self.pads(source, options, kernels.shape[2:]),
            group=group,
        )
        self.finish(operator, value, options.FusedActivationFunction())

    def add_max_pool_2d(self, operator: Any) -> None:
        options, source = self.options(operator, "Pool2DOptions"), int(operator.Inputs(0))
        kernel = (options.FilterHeight(), options.FilterWidth())
        strides = [options.StrideH(), options.StrideW()]
        pads = self.pads(source, options, kernel)
        value = self.put("MaxPool", [self.values[source]], kernel_shape=kernel, strides=strides, pads=pads)
        self.finish(operator, value, options.FusedActivationFunction())

    def add_add(self, operator: Any) -> None:
        options = self.options(operator, "AddOptions")
        value = self.put("Add", [self.values[int(operator.Inputs(k))] for k in range(2)])
        self.finish(operator, value, options.FusedActivationFunction())

    def add_relu(self, operator: Any) -> None:
        self.finish(operator, self.put("Relu", [self.values[int(operator.Inputs(0))]]))

    def add_prelu(self, operator: Any) -> None:
        slopes = self.fixed(int(operator.Inputs(1))).reshape(-1, 1, 1)
        value = self.put("PRelu", [self.values[int(operator.Inputs(0))], self.keep(slopes, "slopes")])
        self.finish(operator, value)

    def add_pad(self, operator: Any) -> None:
        around = self.fixed(int(operator.Inputs(1)))[[0, 3, 1, 2]]  # (4, 2), now N C H W
        pads = self.keep(around.T.reshape(-1).astype(np.int64), "pads")
        self.finish(operator, self.put("Pad", [self.values[int(operator.Inputs(0))], pads]))

    def add_resize_bilinear(self, operator: Any) -> None:
        source = int(operator.Inputs(0))
        options = self.options(operator, "ResizeBilinearOptions")
        size = self.fixed(int(operator.Inputs(1)))
        scales = np.array([1, 1, *(size / self.graph.Tensors(source).ShapeAsNumpy()[1:3])], np.float32)
        if options.AlignCorners():
            raise ModelError("resizing with aligned corners is not translated")
        way = "half_pixel" if options.HalfPixelCenters() else "asymmetric"
        inputs = [self.values[source], "", self.keep(scales, "scales")]
        self.finish(operator, self.put("Resize", inputs, mode="linear", coordinate_transformation_mode=way))

    def add_reshape(self, operator: Any) -> None:
        """Only from maps to a list of places: (1, H, W, B·C) -> (1, H·W·B, C)."""
        channels = int(self.graph.Tensors(operator.Outputs(0)).ShapeAsNumpy()[-1])
        last = self.put("Transpose", [self.values[int(operator.Inputs(0))]], perm=[0, 2, 3, 1])
        shape = self.keep(np.array([0, -1, channels], np.int64), "shape")
        self.finish(operator, self.put("Reshape", [last, shape]))

    def add_concatenation(self, operator: Any) -> None:
        parts = [self.values[int(operator.Inputs(k))] for k in range(operator.InputsLength())]
        self.finish(operator, self.put("Concat", parts, axis=1))  # lists of places, one after the other
