"""Network files from anywhere: broken, hostile and huge ones get a clear error, and nothing outside is read."""

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from szem.errors import (
    DeniedError,
    EmptyFileError,
    FileMissingError,
    FormatError,
    SzemError,
    TooLargeError,
    UnsupportedError,
)
from szem.runtime.graph import GraphLimits, read_graph
from szem.runtime.graph_run import Probe
from szem.tasks.explain.explain import Explorer

File = Callable[[str], Path]


def _value(name: str, shape: Any = (1, 3, 8, 8), kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def _model(nodes: list[Any], *, weights: Any = (), out: Any = None, functions: Any = (), domain: str = "") -> Any:
    graph = helper.make_graph(nodes, "g", [_value("x")], [_value("y", out)], list(weights))
    opsets = [helper.make_opsetid("", 17)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=list(functions))


def _relu() -> Any:
    return _model([helper.make_node("Relu", ["x"], ["y"])])


def test_a_good_network_is_read(network_file: File) -> None:
    graph = read_graph(network_file("plain"))
    assert graph.nodes[0].op == "Conv"
    assert graph.inputs[0].shape == (1, 3, 32, 32)
    assert "0.weight" in graph.constant_names


def test_what_is_no_network_is_distinguished(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError, match="no such file"):
        read_graph(tmp_path / "none.onnx")
    with pytest.raises(FileMissingError, match=r"no such file|not a path"):
        read_graph("a\0b.onnx")
    with pytest.raises(FormatError, match="not a regular file"):
        read_graph(tmp_path)
    (tmp_path / "empty.onnx").touch()
    with pytest.raises(EmptyFileError, match="no bytes"):
        read_graph(tmp_path / "empty.onnx")
    with pytest.raises(FormatError, match="ONNX"):
        read_graph(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with pytest.raises(FormatError, match="no network in it"):
        read_graph(onnx.ModelProto(producer_name="nothing").SerializeToString())
    with pytest.raises(FormatError, match="cannot open it"):
        Probe(read_graph(_model([helper.make_node("Relu", ["nowhere"], ["y"])]).SerializeToString()))


def test_a_file_past_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "big.onnx"
    with path.open("wb") as file:
        file.truncate(2_000_000_000)  # a hole: no disk is used
    with pytest.raises(TooLargeError, match="the limit is"):
        read_graph(path)


def _external(folder: Path, location: str, **more: str) -> Path:
    weight = numpy_helper.from_array(np.ones((3, 3, 1, 1), np.float32), "w")
    data = weight.raw_data
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        weight.external_data.add(key=key, value=value)
    model = _model([helper.make_node("Conv", ["x", "w"], ["y"])], weights=[weight])
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    (folder / "weights.bin").write_bytes(data)
    return path


def test_weights_beside_the_model_are_read(tmp_path: Path) -> None:
    graph = read_graph(_external(tmp_path, "weights.bin"))
    np.testing.assert_array_equal(graph.initializer("w"), np.ones((3, 3, 1, 1)))


@pytest.mark.parametrize(
    "location",
    [
        "../secret.bin",
        "/etc/passwd",
        "sub/../../secret.bin",
        "link.bin",  # a link that leads out
        "linked/secret.bin",  # a folder that leads out
        "",
        ".",
        "*/_ORT_MEM_ADDR_/*",  # ONNX Runtime's own mark for an address in memory
        "a\0b",
    ],
)
def test_weights_outside_the_folder_are_never_read(tmp_path: Path, location: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "secret.bin").write_bytes(b"secret" * 10)
    (home / "link.bin").symlink_to(tmp_path / "secret.bin")
    (home / "linked").symlink_to(tmp_path)
    with pytest.raises((DeniedError, FileMissingError), match=r"external data"):
        read_graph(_external(home, location, length="36"))


def test_a_network_sent_as_bytes_may_not_point_to_files(tmp_path: Path) -> None:
    data = _external(tmp_path, "weights.bin").read_bytes()
    with pytest.raises(DeniedError, match="weights inside"):
        read_graph(data)


@pytest.mark.parametrize("more", [{"offset": "-4"}, {"length": "999999"}, {"offset": "one"}, {"offset": "40"}])
def test_weights_past_the_end_of_their_file_are_refused(tmp_path: Path, more: dict[str, str]) -> None:
    with pytest.raises(FormatError, match=r"offset|beyond the end"):
        read_graph(_external(tmp_path, "weights.bin", **more))


def test_functions_that_unfold_without_end_are_refused() -> None:
    """A billion laughs: each function calls the one before twice."""
    opset = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    functions = [helper.make_function("own", "f0", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])], opset)]
    for i in range(1, 40):
        body = [
            helper.make_node(f"f{i - 1}", ["a"], ["m"], domain="own"),
            helper.make_node(f"f{i - 1}", ["m"], ["b"], domain="own"),
        ]
        functions.append(helper.make_function("own", f"f{i}", ["a"], ["b"], body, opset))
    node = helper.make_node("f39", ["x"], ["y"], domain="own")
    with pytest.raises(TooLargeError, match="unfolds to more than"):
        read_graph(_model([node], functions=functions, domain="own").SerializeToString())


def test_a_function_that_calls_itself_is_refused() -> None:
    opset = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    body = [helper.make_node("f", ["a"], ["b"], domain="own")]
    function = helper.make_function("own", "f", ["a"], ["b"], body, opset)
    node = helper.make_node("f", ["x"], ["y"], domain="own")
    with pytest.raises(FormatError, match="calls itself"):
        read_graph(_model([node], functions=[function], domain="own").SerializeToString())


def test_sparse_weights_are_refused() -> None:
    model = _relu()
    values = helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0])
    places = helper.make_tensor("p", TensorProto.INT64, [1], [2**39])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [2**40]))
    with pytest.raises(TooLargeError, match="sparse"):
        read_graph(model.SerializeToString())


def test_a_shape_bomb_known_beforehand_is_refused_before_it_runs() -> None:
    shape = helper.make_tensor("s", TensorProto.INT64, [2], [2**20, 2**20])
    one = helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0])
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], ["big"], value=one),
        helper.make_node("ReduceSum", ["big"], ["total"], keepdims=0),
        helper.make_node("Add", ["x", "total"], ["y"]),
    ]
    graph = read_graph(_model(nodes, weights=[shape]).SerializeToString())
    with pytest.raises(TooLargeError, match="more than"):
        Probe(graph)


def _late_bomb() -> bytes:
    """The size comes from the picture, so only the run can tell."""
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["total"], keepdims=0),
        helper.make_node("Cast", ["total"], ["count"], to=TensorProto.INT64),
        helper.make_node("Unsqueeze", ["count", "axis"], ["shape"]),
        helper.make_node("ConstantOfShape", ["shape"], ["big"]),
        helper.make_node("ReduceMax", ["big"], ["y"], keepdims=0),
    ]
    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [0])
    data: bytes = _model(nodes, weights=[axis]).SerializeToString()
    return data


def test_a_shape_bomb_that_shows_only_while_running_is_stopped() -> None:
    probe = Probe(read_graph(_late_bomb()))
    picture = np.full((1, 3, 8, 8), 1e11 / 192, np.float32)
    with pytest.raises(TooLargeError, match="GiB of memory"):
        probe.run({"x": picture}, ["y"])
    assert probe.run({"x": np.ones((1, 3, 8, 8), np.float32)}, ["big"])["big"].shape == (192,)  # and it goes on


def _loop(trips: int, condition: list[Any]) -> Any:
    body = helper.make_graph(
        [*condition, helper.make_node("Identity", ["a"], ["a2"])],
        "body",
        [_value("i", [], TensorProto.INT64), _value("c", [], TensorProto.BOOL), _value("a", None)],
        [_value("c2", [], TensorProto.BOOL), _value("a2", None)],
    )
    count = helper.make_tensor("n", TensorProto.INT64, [], [trips])
    go = helper.make_tensor("go", TensorProto.BOOL, [], [True])
    return _model([helper.make_node("Loop", ["n", "go", "x"], ["y"], body=body)], weights=[count, go])


ONWARD = [helper.make_node("Identity", ["c"], ["c2"])]
ASKED = [helper.make_node("Not", ["c"], ["d"]), helper.make_node("Not", ["d"], ["c2"])]


def test_a_loop_whose_condition_never_changes_is_refused_before_it_runs() -> None:
    for trips in (2**62, 10**12):
        with pytest.raises(TooLargeError, match="multiplications for one picture"):
            Probe(read_graph(_loop(trips, ONWARD).SerializeToString(), limits=GraphLimits(max_multiplications=1e11)))
    Probe(read_graph(_loop(3, ONWARD).SerializeToString()))


def test_a_loop_that_only_running_it_ends_is_stopped() -> None:
    limits = GraphLimits(max_run_s=0.3)
    graph = read_graph(_loop(2**62, ASKED).SerializeToString(), limits=limits)
    with pytest.raises(TooLargeError, match="takes more than"):
        Probe(graph).run({}, ["y"])


def _zeros(name: str, shape: list[int]) -> list[Any]:
    sides = numpy_helper.from_array(np.array(shape, np.int64))
    return [
        helper.make_node("Constant", [], [f"{name}_shape"], value=sides),
        helper.make_node("ConstantOfShape", [f"{name}_shape"], [name]),
    ]


def _summed(nodes: list[Any], name: str) -> Any:
    return _model(
        [
            *nodes,
            helper.make_node("ReduceSum", [name], ["sum"], keepdims=0),
            helper.make_node("Add", ["x", "sum"], ["y"]),
        ]
    )


def _recurrent(op: str, gates: int, steps: int, **attributes: Any) -> Any:
    sides = 2 if attributes.get("direction") == "bidirectional" else 1
    nodes = [
        *_zeros("w", [sides, gates * 1000, 1]),
        *_zeros("r", [sides, gates * 1000, 1000]),
        *_zeros("s", [steps, 1, 1]),
        helper.make_node(op, ["s", "w", "r"], ["", "h"], hidden_size=1000, **attributes),
    ]
    return _summed(nodes, "h")


@pytest.mark.parametrize(
    ("op", "gates", "attributes"),
    [("LSTM", 4, {}), ("GRU", 3, {}), ("RNN", 1, {}), ("GRU", 3, {"direction": "bidirectional"})],
)
def test_recurrent_layers_cost_their_steps(op: str, gates: int, attributes: dict[str, Any]) -> None:
    """They make a thousand numbers, whatever the number of steps: the output alone says nothing of the work."""
    limits = GraphLimits(max_multiplications=1e11)
    with pytest.raises(TooLargeError, match=f"at {op}"):
        Probe(read_graph(_recurrent(op, gates, 200_000, **attributes).SerializeToString(), limits=limits))
    Probe(read_graph(_recurrent(op, gates, 3, **attributes).SerializeToString(), limits=limits))


def test_sums_of_products_cost_all_their_indices() -> None:
    nodes = [
        *_zeros("a", [8000, 8000]),
        *_zeros("b", [8000, 8000]),
        helper.make_node("Einsum", ["a", "b"], ["c"], equation="ij,jk->ik"),
    ]
    with pytest.raises(TooLargeError, match=r"5\.12e\+11 multiplications"):
        Probe(read_graph(_summed(nodes, "c").SerializeToString(), limits=GraphLimits(max_multiplications=1e11)))


def test_scans_cost_their_length() -> None:
    body = helper.make_graph(
        [helper.make_node("Add", ["state", "item"], ["next"])],
        "body",
        [_value("state", [1]), _value("item", [1])],
        [_value("next", [1])],
    )
    nodes = [
        *_zeros("start", [1]),
        *_zeros("items", [50_000_000, 1]),
        helper.make_node("Scan", ["start", "items"], ["end"], body=body, num_scan_inputs=1),
    ]
    limits = GraphLimits(max_multiplications=1e8)
    with pytest.raises(TooLargeError, match="multiplications"):
        Probe(read_graph(_summed(nodes, "end").SerializeToString(), limits=limits))


@pytest.mark.parametrize("inside", ["If", "Scan", "Loop"])
def test_work_in_the_body_of_a_loop_counts_once_for_each_trip(inside: str) -> None:
    """A product of matrices, below another node of the body; a body's nodes have no shapes of their own."""
    side = 1000
    product = helper.make_node("MatMul", ["m", "m"], ["p"])
    one = helper.make_node("ReduceMax", ["p"], ["top"], keepdims=0)
    outer = [_value("i", [], TensorProto.INT64), _value("c", [], TensorProto.BOOL), _value("a", None)]
    if inside == "If":
        branch = helper.make_graph([product, one], "branch", [], [_value("top", [])])
        node = helper.make_node("If", ["c"], ["found"], then_branch=branch, else_branch=branch)
    elif inside == "Scan":
        steps = helper.make_graph(
            [product, one, helper.make_node("Add", ["s", "top"], ["s2"])],
            "steps",
            [_value("s", []), _value("item", [1])],
            [_value("s2", [])],
        )
        node = helper.make_node("Scan", ["a", "items"], ["found"], body=steps, num_scan_inputs=1)
    else:
        steps = helper.make_graph(
            [helper.make_node("Identity", ["c_"], ["c4"]), product, one],
            "steps",
            [_value("i_", [], TensorProto.INT64), _value("c_", [], TensorProto.BOOL), _value("a_", None)],
            [_value("c4", [], TensorProto.BOOL), _value("top", [])],
        )
        node = helper.make_node("Loop", ["three", "go", "a"], ["found"], body=steps)
    body = helper.make_graph(
        [*ONWARD, node], "body", outer, [_value("c2", [], TensorProto.BOOL), _value("found", None)]
    )
    weights = [
        helper.make_tensor("n", TensorProto.INT64, [], [1000]),
        helper.make_tensor("three", TensorProto.INT64, [], [3]),
        helper.make_tensor("go", TensorProto.BOOL, [], [True]),
        numpy_helper.from_array(np.zeros((), np.float32), "start"),
    ]
    nodes = [
        *_zeros("m", [side, side]),
        *_zeros("items", [3, 1]),
        helper.make_node("Loop", ["n", "go", "start"], ["sum"], body=body),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    data = _model(nodes, weights=weights).SerializeToString()
    trips = 1000 * (1 if inside == "If" else 3)
    with pytest.raises(TooLargeError, match="multiplications") as refused:
        Probe(read_graph(data, limits=GraphLimits(max_multiplications=0.9 * trips * side**3)))
    assert "at Loop" in str(refused.value)


def test_work_for_hours_is_refused_before_it_starts() -> None:
    side = 40_000
    shape = helper.make_tensor("s", TensorProto.INT64, [2], [side, side])
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], ["m"]),
        helper.make_node("MatMul", ["m", "m"], ["product"]),
        helper.make_node("ReduceMax", ["product"], ["top"], keepdims=0),
        helper.make_node("Add", ["x", "top"], ["y"]),
    ]
    limits = GraphLimits(max_value_bytes=64 << 30)
    graph = read_graph(_model(nodes, weights=[shape]).SerializeToString(), limits=limits)
    with pytest.raises(TooLargeError, match="multiplications"):
        Probe(graph)


def test_operations_that_the_runtime_lacks_are_named() -> None:
    node = helper.make_node("Dream", ["x"], ["y"], domain="elsewhere")
    with pytest.raises(UnsupportedError, match="Dream"):
        Probe(read_graph(_model([node], domain="elsewhere").SerializeToString()))


def test_deep_nesting_is_refused() -> None:
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["z"])], "leaf", [], [_value("z", None)])
    for level in range(90):
        node = helper.make_node("If", ["c"], [f"z{level}"], then_branch=graph, else_branch=graph)
        graph = helper.make_graph([node], "g", [], [_value(f"z{level}", None)])
        if graph.ByteSize() > 3_000_000:
            break
    last = graph.node[0]
    last.output[0] = "y"
    condition = helper.make_tensor("c", TensorProto.BOOL, [], [True])
    with pytest.raises(SzemError):
        read_graph(_model([last], weights=[condition]).SerializeToString())


def test_damaged_files_give_typed_errors_only(network_file: File) -> None:
    """Bytes flipped, cut out and doubled at seeded places; none may end the process or raise anything else."""
    sound = network_file("residual").read_bytes()
    rng = random.Random(7)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(100):
        data = bytearray(sound)
        for _ in range(rng.choice((1, 2, 8))):
            place = rng.randrange(min(len(data), 3000)) if rng.random() < 0.7 else rng.randrange(len(data))
            match rng.randrange(3):
                case 0:
                    data[place] = rng.randrange(256)
                case 1:
                    del data[place : place + rng.randrange(1, 60)]
                case _:
                    data[place:place] = data[place : place + rng.randrange(1, 60)]
        try:
            Explorer(bytes(data), threads=1)
            outcomes["read"] += 1
        except SzemError:
            outcomes["refused"] += 1
    assert outcomes["refused"] > 20
    assert outcomes["read"] > 5


def test_files_cut_short_give_typed_errors_only(network_file: File) -> None:
    sound = network_file("atrous").read_bytes()
    for end in range(0, len(sound) - 1, len(sound) // 60):
        with pytest.raises(SzemError):
            Explorer(sound[:end], threads=1)


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the most memory ever held is read from Linux's /proc"
)
def test_bombs_do_not_make_the_process_grow() -> None:
    """In a process of its own: the most memory it ever held is far below what the bomb asked for."""
    code = (
        "import sys, re, numpy as np\n"
        "from szem.runtime.graph import read_graph\n"
        "from szem.runtime.graph_run import Probe\n"
        "probe = Probe(read_graph(sys.stdin.buffer.read()))\n"
        "for _ in range(3):\n"
        "    try: probe.run({'x': np.full((1, 3, 8, 8), 1e11 / 192, np.float32)}, ['y'])\n"
        "    except Exception as error: print(type(error).__name__)\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read()).group(1))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], input=_late_bomb(), capture_output=True, timeout=120)
    lines = done.stdout.decode().split()
    assert lines[:3] == ["TooLargeError"] * 3, done.stderr.decode()
    assert int(lines[3]) < 1_000_000  # kB; the bomb asks for 400 GB
