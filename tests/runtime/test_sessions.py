"""runtime/sessions.py: outputs by role, typed errors, nothing kept between calls."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import szem
from szem.errors import (
    CardError,
    ChecksumError,
    ModelError,
    RangeError,
    ShapeError,
    UnknownNameError,
    UnsupportedError,
)
from szem.runtime.onnx import ort
from szem.runtime.sessions import PROVIDERS, OnnxFile, Session, cores, open_session, session_options
from szem.runtime.store import find_model

SRC = Path(szem.__file__).parent
MakeModel = Callable[..., Path]


@pytest.fixture
def session(make_model: MakeModel) -> Session:
    return Session(find_model(make_model()), threads=1)


def test_outputs_come_by_role_with_hand_worked_values(session: Session) -> None:
    red = np.zeros((1, 3, 8, 8), np.float32)
    red[:, 0] = 0.6
    out = session.run(red, roles=["logits", "maps"])
    np.testing.assert_allclose(out["logits"], [[-0.2, 0.2, 0.6]], atol=1e-6)
    np.testing.assert_allclose(out["maps"].mean((2, 3)), out["logits"], atol=1e-6)


def test_an_output_not_asked_for_does_not_come(session: Session) -> None:
    assert set(session.run(np.zeros((2, 3, 8, 8), np.float32), roles=["logits"])) == {"logits"}
    assert session.has("maps")
    assert not session.has("boxes")
    assert session.batch_limit is None


def test_an_item_is_the_same_alone_and_in_a_batch(session: Session) -> None:
    batch = np.random.default_rng(1).random((5, 3, 8, 8), np.float32)
    together = session.run(batch, roles=["logits"])["logits"]
    for index in range(5):
        alone = session.run(batch[index : index + 1], roles=["logits"])["logits"]
        np.testing.assert_allclose(alone[0], together[index], atol=1e-6)


def test_wrong_shapes_types_and_roles_are_reported(session: Session) -> None:
    with pytest.raises(ShapeError, match=r"takes \('any', 3, 8, 8\), got \(1, 3, 9, 8\)"):
        session.run(np.zeros((1, 3, 9, 8), np.float32), roles=["logits"])
    with pytest.raises(ShapeError, match="got"):
        session.run(np.zeros((3, 8, 8), np.float32), roles=["logits"])
    with pytest.raises(ModelError, match="float64"):
        session.run(np.zeros((1, 3, 8, 8)), roles=["logits"])
    with pytest.raises(UnknownNameError, match="logits, maps"):
        session.run(np.zeros((1, 3, 8, 8), np.float32), roles=["boxes"])


def test_a_file_that_is_no_model_is_a_model_error(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelError, match=r"bad\.onnx"):
        OnnxFile(tmp_path / "bad.onnx")
    with pytest.raises(ModelError, match=r"none\.onnx"):
        OnnxFile(tmp_path / "none.onnx")


def test_a_changed_file_is_not_opened(make_model: MakeModel) -> None:
    folder = make_model()
    with (folder / "model.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ChecksumError, match="not the file"):
        Session(find_model(folder))


def test_a_card_that_names_other_outputs_is_refused(make_model: MakeModel) -> None:
    folder = make_model(outputs={"logits": "nowhere"})
    with pytest.raises(CardError, match="nowhere"):
        Session(find_model(folder))


def test_providers_and_threads_are_checked(make_model: MakeModel) -> None:
    file = make_model() / "model.onnx"
    with pytest.raises(UnknownNameError, match="cpu, cuda"):
        OnnxFile(file, provider="abacus")
    with pytest.raises(RangeError, match="at least 1"):
        OnnxFile(file, threads=0)
    missing = [key for key, (name, _) in PROVIDERS.items() if name not in ort.get_available_providers()]
    for key in missing:
        with pytest.raises(UnsupportedError, match="pip install"):
            OnnxFile(file, provider=key)


def test_cores_are_at_least_one() -> None:
    assert cores() >= 1


def test_the_same_model_is_opened_once(make_model: MakeModel) -> None:
    model = find_model(make_model())
    assert open_session(model, threads=1) is open_session(model, threads=1)


def test_one_session_serves_several_threads(session: Session) -> None:
    batch = np.random.default_rng(2).random((1, 3, 8, 8), np.float32)
    expected = session.run(batch, roles=["logits"])["logits"]
    got: list[bool] = []

    def work() -> None:
        got.extend(np.array_equal(session.run(batch, roles=["logits"])["logits"], expected) for _ in range(50))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 200
    assert all(got)


def test_a_switch_turns_an_output_on_only_when_it_is_asked_for(make_model: MakeModel, toy_graph: object) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_from_string(toy_graph(with_maps=False))  # type: ignore[operator]
    then = helper.make_graph(
        [helper.make_node("Identity", ["maps"], ["yes"])],
        "then",
        [],
        [helper.make_tensor_value_info("yes", TensorProto.FLOAT, None)],
    )
    other = helper.make_graph(
        [helper.make_node("ConstantOfShape", ["none"], ["no"])],
        "else",
        [],
        [helper.make_tensor_value_info("no", TensorProto.FLOAT, None)],
    )
    graph = model.graph
    graph.node.append(helper.make_node("If", ["want"], ["shown"], then_branch=then, else_branch=other))
    graph.initializer.append(numpy_helper.from_array(np.array([0, 0, 0, 0]), "none"))
    graph.initializer.append(numpy_helper.from_array(np.array(False), "want"))
    graph.input.append(helper.make_tensor_value_info("want", TensorProto.BOOL, []))
    graph.output.append(helper.make_tensor_value_info("shown", TensorProto.FLOAT, ["a", "b", "c", "d"]))
    data = model.SerializeToString()
    folder = make_model(graph=data, outputs={"logits": "scores", "maps": "shown"}, switches={"maps": "want"})
    session = Session(find_model(folder), threads=1)
    batch = np.ones((1, 3, 8, 8), np.float32)
    assert set(session.run(batch, roles=["logits"])) == {"logits"}
    out = session.run(batch, roles=["logits", "maps"])
    np.testing.assert_allclose(out["maps"].mean((2, 3)), out["logits"], atol=1e-6)
    wrong = make_model("wrong", graph=data, outputs={"logits": "scores"}, switches={"maps": "nowhere"})
    with pytest.raises(CardError, match="names switches nowhere"):
        Session(find_model(wrong))


def test_idle_threads_spin_for_a_bounded_time_only() -> None:
    options = session_options(threads=2)
    assert options.intra_op_num_threads == 2
    assert options.get_session_config_entry("session.intra_op.spin_duration_us") == "50"


def test_an_older_onnx_runtime_does_not_spin_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "__version__", "1.20.1")
    assert session_options().get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_every_session_takes_the_shared_options() -> None:
    """A session with options of its own would bring the spinning back."""
    made = [path.name for path in SRC.rglob("*.py") if "SessionOptions()" in path.read_text(encoding="utf-8")]
    assert made == ["sessions.py"]
