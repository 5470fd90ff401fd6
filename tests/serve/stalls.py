"""What a worker does instead of its work, for tests. A module of its own: workers find functions by their names."""

import ctypes
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from szem.serve.engine import Engine
from szem.serve.vision.annotate import Annotated, annotate_file_data


async def slow(engine: Engine, *arguments: Any) -> Annotated:
    time.sleep(0.2)
    return await annotate_file_data(engine, *arguments)


async def fault(engine: Engine, *arguments: object) -> None:
    raise KeyError("/secret/path")


async def hang(engine: Engine, *arguments: object) -> None:
    """A native call that never ends and holds the interpreter's lock; says its process id in $SZEM_TEST_MARKER."""
    marker = os.environ.get("SZEM_TEST_MARKER")
    if marker:
        Path(f"{marker}.part").write_text(str(os.getpid()))
        Path(f"{marker}.part").rename(marker)
    while True:
        ctypes.PyDLL(None).pause()


async def crash(engine: Engine, *arguments: object) -> None:
    ctypes.string_at(0)


async def spin(engine: Engine, *arguments: object) -> None:
    while True:
        pass


async def eat(engine: Engine, *arguments: object) -> None:
    np.ones(64 << 30, np.uint8)


async def pid(engine: Engine) -> int:
    return os.getpid()


def endless_network() -> bytes:
    """One LSTM of 49,152 steps; how many, only running it tells: no operation ends for a minute or more."""

    def filled(name: str, shape: list[int]) -> list[Any]:
        sides = numpy_helper.from_array(np.array(shape, np.int64))
        return [
            helper.make_node("Constant", [], [f"{name}_shape"], value=sides),
            helper.make_node("ConstantOfShape", [f"{name}_shape"], [name]),
        ]

    nodes = [
        *filled("w", [1, 8000, 1]),
        *filled("r", [1, 8000, 2000]),
        helper.make_node("Abs", ["x"], ["positive"]),
        helper.make_node("Add", ["positive", "one"], ["ones"]),
        helper.make_node("NonZero", ["ones"], ["places"]),  # (4, 12288)
        helper.make_node("Cast", ["places"], ["steps"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["steps", "column"], ["sequence"]),
        helper.make_node("LSTM", ["sequence", "w", "r"], ["", "h"], hidden_size=2000),
        helper.make_node("ReduceSum", ["h"], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    weights = [
        numpy_helper.from_array(np.ones((1,), np.float32), "one"),
        numpy_helper.from_array(np.array([-1, 1, 1], np.int64), "column"),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 64, 64])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 64, 64])
    graph = helper.make_graph(nodes, "endless", [x], [y], weights)
    data: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    return data
