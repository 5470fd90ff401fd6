"""The network lab over real HTTP: networks, looks, maps, sums, and what it says to wrong or hostile requests."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import httpx
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from szem.media.samples import read_sample, sample_path
from szem.serve.handlers.lab import Recent
from szem.serve.routes import lab as lab_routes
from szem.serve.settings import ServeSettings
from szem.tasks.explain.explain import Explorer
from szem.tasks.explain.neuron import explain_neuron
from tests.serve.stalls import endless_network

LAB = "/v1/szem/lab"
Run = Callable[..., AbstractContextManager[httpx.Client]]


@pytest.fixture(scope="module")
def explorer() -> Explorer:
    return Explorer()


def _look(server: httpx.Client, name: str = "cat", network: str = "efficientnet-lite0") -> dict[str, Any]:
    data = sample_path(name).read_bytes()
    answer = server.post(
        f"{LAB}/looks", params={"network": network}, content=data, headers={"content-type": "image/png"}
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _tiny(*, bomb: bool = False) -> bytes:
    weight = numpy_helper.from_array(np.ones((2, 3, 3, 3), np.float32) / 27, "w")
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"])]
    weights = [weight]
    if bomb:
        weights.append(helper.make_tensor("s", TensorProto.INT64, [3], [1 << 12, 1 << 12, 1 << 12]))
        nodes += [helper.make_node("ConstantOfShape", ["s"], ["big"])]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 16, 16])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "tiny", [x], [y], weights)
    data: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    return data


def test_networks_are_listed_with_the_limits_for_ones_own(server: httpx.Client) -> None:
    found = server.get(f"{LAB}/networks").json()
    assert "efficientnet-lite0" in [one["name"] for one in found["networks"]]
    assert found["limits"]["max_bytes"] == ServeSettings().max_network_bytes


def test_a_look_gives_the_table_and_the_answer(server: httpx.Client, explorer: Explorer) -> None:
    found = _look(server)
    assert [row["name"] for row in found["layers"]] == [row.name for row in explorer.rows]
    assert found["layers"][1]["field_px"] == [3, 3]
    top = explorer.top(explorer.prepare(read_sample("cat")).values)
    assert [one["name"] for one in found["answer"]] == [name for _, name, _ in top]
    assert found["answer"][0]["probability"] == pytest.approx(top[0][2], abs=1e-6)
    assert _look(server)["look"] == found["look"]  # the same picture has the same name


def test_maps_come_packed_and_equal_the_labs_own(server: httpx.Client, explorer: Explorer) -> None:
    look = _look(server)["look"]
    layer = explorer.layer("stem.conv")
    data = server.post(f"{LAB}/looks/{look}/layers/{layer.row.index}/maps").content
    count, rows, columns = np.frombuffer(data, "<u4", 3)
    low, high = (np.frombuffer(data, "<f4", count, 12 + k * 4 * int(count)) for k in (0, 1))
    codes = np.frombuffer(data, np.uint8, offset=12 + 8 * int(count)).reshape(count, rows, columns)
    maps = low[:, None, None] + codes / 255 * (high - low)[:, None, None]
    expected = explorer.maps(explorer.prepare(read_sample("cat")).values, [layer])[layer.row.name]
    assert maps.shape == expected.shape
    np.testing.assert_allclose(maps, expected, atol=float((high - low).max()) / 500)


def test_a_neuron_is_reported_as_the_lab_reports_it(server: httpx.Client, explorer: Explorer) -> None:
    look = _look(server)["look"]
    place = {"map": 5, "row": 30, "column": 41}
    found = server.post(f"{LAB}/looks/{look}/layers/2/neuron", params=place).json()
    expected = explain_neuron(explorer, explorer.prepare(read_sample("cat")), 2, map=5, row=30, column=41)
    assert found["value"] == pytest.approx(expected.value, abs=1e-6)
    assert found["measured"] == pytest.approx(found["value"], abs=1e-4)
    assert found["input_xyxy"] == list(expected.input_xyxy or ())
    total = float((np.array(found["inputs"]) * np.array(found["weights"])).sum())
    assert total == pytest.approx(found["steps"][0]["value"], abs=1e-4)


def test_small_pictures_of_all_layers_and_the_networks_view(server: httpx.Client, explorer: Explorer) -> None:
    look = _look(server)["look"]
    thumbs = np.frombuffer(server.post(f"{LAB}/looks/{look}/thumbs").content, np.uint8)
    assert thumbs.size == len(explorer.rows) * 48 * 48
    assert thumbs.reshape(len(explorer.rows), -1).max(axis=1).min() >= 128
    assert server.get(f"{LAB}/looks/{look}/input.png").content.startswith(b"\x89PNG")


def test_times_heat_and_shift_are_measured(server: httpx.Client, explorer: Explorer) -> None:
    look = _look(server)["look"]
    times = server.post(f"{LAB}/looks/{look}/times").json()
    assert len(times["layers"]) == len(explorer.rows)
    assert sum(row["time_fraction"] for row in times["layers"]) == pytest.approx(1, abs=1e-6)
    heat = server.post(f"{LAB}/looks/{look}/heat", params={"class_index": 281}).json()
    assert (heat["name"], heat["occlusion"]["class_index"]) == ("tabby cat", 281)
    assert np.array(heat["class_map"]["evidence"]).shape == (7, 7)
    curve = server.post(f"{LAB}/looks/{look}/shift").json()
    assert curve["shifts_px"] == list(range(17))
    assert curve["pooled_distance"][0] == 0


def test_stacks_are_measured_and_nonsense_is_refused(server: httpx.Client) -> None:
    report = server.post(f"{LAB}/stack", params={"layers": "3:1:1,3:1:2", "channels": 4, "side_px": 16}).json()
    assert (report["field_px"], report["parameters"]) == (7, 2 * (144 + 4))
    for wrong in ("", "3", "3:1", "4:1:1", "3:1:1:1", "a:b:c", "3:1:1," * 40, "31:1:32,31:1:32,31:1:32"):
        assert server.post(f"{LAB}/stack", params={"layers": wrong}).status_code == 400


def test_ones_own_network_is_sent_looked_at_and_searched(server: httpx.Client) -> None:
    name = server.post(f"{LAB}/networks", params={"title": "mine.onnx"}, content=_tiny()).json()["name"]
    rows = server.get(f"{LAB}/networks").json()["networks"]
    assert {"name": name, "title": "mine.onnx", "task": "", "text": ""} in rows
    found = _look(server, network=name)
    assert [row["kind"] for row in found["layers"]] == ["convolution"]
    strongest = server.post(f"{LAB}/networks/{name}/layers/0/strongest", params={"map": 1}).json()
    values = [one["value"] for one in strongest["strongest"]]
    assert values == sorted(values, reverse=True)
    assert strongest["strongest"][0]["patch"].startswith("data:image/jpeg;base64,")
    heat = server.post(f"{LAB}/looks/{found['look']}/heat")
    assert heat.status_code == 501  # no classes
    assert "no score per class" in heat.json()["error"]["message"]


def _of_nodes(*nodes: Any, weights: Sequence[Any] = ()) -> bytes:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, sides) for name, sides in INPUT_AND_OUTPUT)
    graph = helper.make_graph(list(nodes), "odd", [x], [y], list(weights))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data: bytes = model.SerializeToString()
    return data


INPUT_AND_OUTPUT = (("x", [1, 3, 32, 32]), ("y", None))
ODD = {
    "not a number everywhere": _of_nodes(
        helper.make_node("Log", ["x"], ["l"]), helper.make_node("Sub", ["l", "l"], ["y"])
    ),
    "infinite scores": _of_nodes(
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("GlobalAveragePool", ["c"], ["p"]),
        helper.make_node("Flatten", ["p"], ["y"]),
        weights=[numpy_helper.from_array(np.full((4, 3, 3, 3), 3e38, np.float32), "w")],
    ),
    "no layer": _of_nodes(helper.make_node("Identity", ["x"], ["y"])),
}


@pytest.mark.parametrize("data", ODD.values(), ids=ODD.keys())
def test_a_network_with_odd_numbers_is_looked_at_or_refused_and_never_a_fault(
    server: httpx.Client, data: bytes
) -> None:
    sent = server.post(f"{LAB}/networks", content=data)
    assert sent.status_code == 200, sent.text
    found = server.post(
        f"{LAB}/looks", params={"network": sent.json()["name"]}, content=sample_path("cat").read_bytes()
    )
    assert found.status_code == 200, found.text
    assert "NaN" not in found.text
    assert "Infinity" not in found.text
    look = f"{LAB}/looks/{found.json()['look']}"
    for path in ("heat", "times", "shift", "thumbs", "layers/0/maps", "layers/0/neuron?map=0&row=0&column=0"):
        answer = server.post(f"{look}/{path}")
        assert answer.status_code in (200, 400, 501), (path, answer.text)


@pytest.mark.parametrize(
    ("data", "status", "message"),
    [
        (b"", 400, "no network came"),
        (b"\x89PNG\r\n\x1a\n", 400, "ONNX"),
        (b"\x00" * 1000, 400, "ONNX"),
        (_tiny()[:-40], 400, ""),
        (_tiny(bomb=True), 413, "more than"),
    ],
    ids=["empty", "picture", "zeros", "cut short", "bomb"],
)
def test_wrong_and_hostile_networks_are_refused(server: httpx.Client, data: bytes, status: int, message: str) -> None:
    answer = server.post(f"{LAB}/networks", content=data)
    assert answer.status_code == status, answer.text
    assert message in answer.json()["error"]["message"]


def test_weights_outside_are_never_read(server: httpx.Client) -> None:
    import onnx

    model = onnx.load_from_string(_tiny())
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="/etc/passwd")
    answer = server.post(f"{LAB}/networks", content=model.SerializeToString())
    assert answer.status_code == 403
    assert "weights inside" in answer.json()["error"]["message"]


def test_a_network_larger_than_the_limit_is_refused(run_server: Run) -> None:
    with run_server(max_network_bytes=2000) as small:
        answer = small.post(f"{LAB}/networks", content=bytes(3000))
        assert answer.status_code == 413
        assert small.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("looks/none/thumbs", 404),
        ("looks/none/layers/0/maps", 404),
        ("looks/{look}/layers/999/maps", 400),
        ("looks/{look}/layers/-1/maps", 400),
        ("looks/{look}/layers/1/neuron?map=0&row=0&column=9999", 400),
        ("looks/{look}/layers/1/neuron?map=-1&row=0&column=0", 400),
        ("looks/{look}/layers/x/maps", 400),
        ("looks/{look}/layers/1/neuron", 400),
    ],
)
def test_what_is_not_there_is_reported(server: httpx.Client, path: str, status: int) -> None:
    look = _look(server)["look"]
    assert server.post(f"{LAB}/{path.format(look=look)}").status_code == status


def test_unknown_networks_and_classes_are_reported(server: httpx.Client) -> None:
    data = sample_path("cat").read_bytes()
    answer = server.post(f"{LAB}/looks", params={"network": "../../etc"}, content=data)
    assert answer.status_code == 404
    answer = server.post(f"{LAB}/looks", params={"network": "sent-0000"}, content=data)
    assert answer.status_code == 404
    look = _look(server)["look"]
    assert server.post(f"{LAB}/looks/{look}/heat", params={"class_index": 5000}).status_code == 400
    assert server.post(f"{LAB}/looks/{look}/shift", params={"layer": "nowhere"}).status_code == 400
    answer = server.post(f"{LAB}/networks/efficientnet-lite0/layers/1/strongest", params={"map": 4000})
    assert answer.status_code == 400


def test_the_oldest_is_forgotten_first() -> None:
    recent: Recent[str] = Recent(10)
    for name, weight in (("a", 4), ("b", 4)):
        recent.put(name, name, weight)
    assert recent.get("a") == "a"  # now the newest
    recent.put("c", "c", 4)
    assert recent.names() == ["a", "c"]
    assert recent.get("b") is None
    recent.put("huge", "huge", 99)  # one thing is always kept
    assert recent.names() == ["huge"]


@pytest.mark.slow
def test_a_network_that_no_flag_stops_is_ended_at_its_limit_and_others_go_on(
    run_server: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab_routes, "_OPEN_S", 3.0)
    with run_server() as server, ThreadPoolExecutor(1) as pool:
        sending = pool.submit(server.post, f"{LAB}/networks", content=endless_network())
        assert _look(server)["layers"]  # meanwhile, pictures are answered
        answer = sending.result()
        assert answer.status_code == 413
        assert "more than 3 s to run once" in answer.json()["error"]["message"]
        assert server.post(f"{LAB}/networks", content=_tiny()).status_code == 200  # and the next one is opened
