"""The compiled core beside the definition, on every instruction set this machine has, and szem without it."""

import ctypes
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hatch_build import LIBRARY, SOURCE, _compiler, build_core
from szem.kernels import BORDERS, Kernel, border_index, compiled, convolve, plan_convolution
from szem.kernels import plan as planner
from szem.kernels.compiled import Compiled, can_run_compiled, instruction_set, load_core
from szem.kernels.costs import Costs
from szem.kernels.measure import MachineCosts
from szem.kernels.plan import _axes, _recipes

ROOT = Path(__file__).resolve().parent.parent.parent
LEVELS = ("plain", "avx2", "")


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The core as the source is now, built for these tests alone and used by them."""
    root = tmp_path_factory.mktemp("core")
    (root / SOURCE).parent.mkdir(parents=True)
    (root / SOURCE).write_bytes((ROOT / SOURCE).read_bytes())
    library = build_core(root)
    if library is None:
        pytest.skip("no C compiler")
    loaded = load_core(library)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "_core", lambda: loaded)
        patch.delenv("SZEM_COMPILED", raising=False)
        yield library


def definition(
    image: NDArray[np.generic], kernel: Kernel, *, stride: int, dilation: int, border: str
) -> NDArray[np.float64]:
    """One product after the other, for every cell."""
    weights, y, x = _axes(image.shape, kernel, stride, dilation, border)  # type: ignore[arg-type]
    at = [
        border_index(np.arange(a.stride * (a.outputs - 1) + a.span) - a.before, a.size, border)  # type: ignore[arg-type]
        for a in (y, x)
    ]
    out = np.zeros((y.outputs, x.outputs, image.shape[2]))
    for i, j, m, n in itertools.product(range(y.outputs), range(x.outputs), range(y.taps), range(x.taps)):
        row, column = at[0][stride * i + y.dilation * m], at[1][stride * j + x.dilation * n]
        if row >= 0 and column >= 0:
            out[i, j] += weights[m, n] * image[row, column].astype(np.float64)
    return out


@st.composite
def problems(draw: st.DrawFn) -> tuple[NDArray[np.generic], Kernel, dict[str, object], int]:
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    shape = (draw(st.integers(1, 14)), draw(st.integers(1, 40)), draw(st.integers(1, 5)))
    kh, kw = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    kind = draw(st.sampled_from(["full", "sparse", "separable"]))
    weights = rng.normal(size=(kh, kw))
    if kind == "sparse":
        weights *= rng.random((kh, kw)) < 0.4
    elif kind == "separable":
        weights = np.outer(rng.normal(size=kh), rng.normal(size=kw))
    is_bytes = draw(st.booleans())
    image = rng.integers(0, 256, shape, dtype=np.uint8) if is_bytes else rng.normal(0, 50, shape).astype(np.float32)
    options: dict[str, object] = {
        "stride": draw(st.integers(1, 5)),
        "dilation": draw(st.integers(1, 5)),
        "border": draw(st.sampled_from(BORDERS)),
    }
    return image, Kernel(weights), options, draw(st.integers(1, 3))


@settings(max_examples=150, deadline=None)
@given(problems(), st.sampled_from(LEVELS))
def test_the_core_is_the_definition(
    core: Path,
    problem: tuple[NDArray[np.generic], Kernel, dict[str, object], int],
    level: str,
) -> None:
    image, kernel, options, threads = problem
    reach = [(k - 1) * int(options["dilation"]) + 1 for k in kernel.shape]  # type: ignore[call-overload]
    if options["border"] == "valid" and (reach[0] > image.shape[0] or reach[1] > image.shape[1]):
        return
    weights, y, x = _axes(image.shape, kernel, options["stride"], options["dilation"], options["border"])  # type: ignore[arg-type]
    wanted = definition(image, kernel, **options)  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SZEM_COMPILED", level)
        for way, terms in _recipes(weights).items():
            if way == "box":
                continue
            assert can_run_compiled(y, x, terms)
            runner = Compiled(y=y, x=x, terms=terms, border=options["border"], threads=threads)  # type: ignore[arg-type]
            np.testing.assert_allclose(runner.run(image), wanted, rtol=1e-4, atol=2e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize(("shape", "size"), [((61, 1500, 3), 21), ((40, 5000, 1), 5), ((90, 33, 65), 3)])
def test_wide_pictures_tall_kernels_and_many_channels_are_cut_without_seams(
    core: Path, dtype: type, shape: tuple[int, int, int], size: int
) -> None:
    image = np.random.default_rng(size).integers(0, 256, shape).astype(dtype)
    for kernel in (Kernel(np.random.default_rng(1).normal(size=(size, size))), Kernel(np.ones((size, 1)) / size)):
        for stride, dilation in ((1, 1), (2, 1), (3, 2)):
            weights, y, x = _axes(shape, kernel, stride, dilation, "reflect")
            runner = Compiled(y=y, x=x, terms=_recipes(weights)["direct"], border="reflect", threads=2)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("SZEM_COMPILED", "0")
                wanted = convolve(image, kernel, stride_px=stride, dilation=dilation)
            np.testing.assert_allclose(runner.run(image), wanted, rtol=1e-3, atol=2e-2)


def test_a_sum_of_separable_terms_is_added_up(core: Path) -> None:
    rng = np.random.default_rng(3)
    weights = sum(np.outer(rng.normal(size=9), rng.normal(size=9)) for _ in range(3))
    image = rng.random((30, 41, 2)).astype(np.float32)
    kernel = Kernel(weights)
    cut, y, x = _axes(image.shape, kernel, 1, 1, "wrap")
    terms = _recipes(cut)["separable"]
    assert len(terms) == 3
    found = Compiled(y=y, x=x, terms=terms, border="wrap", threads=2).run(image)
    wanted = definition(image, kernel, stride=1, dilation=1, border="wrap")
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-3)


def test_slices_and_other_memory_orders_give_the_same(core: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 70, 3), dtype=np.uint8)
    for view in (image[::-2, 5:65:3], image.swapaxes(0, 1), image[..., ::-1], np.asfortranarray(image)):
        plan = plan_convolution(view.shape, "sobel-y", dilation=2)
        compiled_first = sorted(plan.options, key=lambda option: not isinstance(option.runner, Compiled))
        plan = replace(plan, options=tuple(compiled_first))
        assert isinstance(plan.options[0].runner, Compiled)
        assert (plan.run(view) == plan.run(np.ascontiguousarray(view))).all()


def test_a_number_that_is_none_stays_under_its_kernel(core: Path) -> None:
    image = np.zeros((30, 30), np.float32)
    image[15, 15] = np.nan
    found = np.isnan(convolve(image, np.arange(1.0, 26).reshape(5, 5)))
    assert found.sum() == 25
    assert found[13:18, 13:18].all()


def test_the_core_lets_other_threads_run(core: Path) -> None:
    # ctypes.CDLL releases the interpreter's lock during a call; PyDLL would keep it.
    assert type(compiled._core()) is ctypes.CDLL


def test_the_explanation_names_the_core_and_its_instruction_set(core: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "machine_costs", lambda: MachineCosts(Costs(), "from defaults"))
    explained = plan_convolution((512, 512), "gaussian:2").explain()
    assert f"compiled core ({instruction_set()})" in explained
    assert "estimates: from defaults" in explained


@pytest.mark.parametrize("way", ["direct", "separable"])
def test_without_the_core_the_planner_has_the_other_ways(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SZEM_COMPILED", "0")
    assert instruction_set() is None
    plan = plan_convolution((50, 60), "gaussian:1.5", way=way)  # type: ignore[arg-type]
    assert not any(isinstance(option.runner, Compiled) for option in plan.options)
    assert "core" not in plan.explain()


def test_with_and_without_the_core_the_numbers_are_the_same(core: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    cases = [
        (rng.integers(0, 256, (37, 64, 3)).astype(dtype), kernel, stride, dilation, border)
        for dtype, kernel, stride, dilation, border in itertools.product(
            (np.uint8, np.float32), ("sobel-x", "gaussian:2", "laplacian"), (1, 2), (1, 3), BORDERS
        )
    ]

    def run() -> list[NDArray[np.float32]]:
        return [convolve(image, k, stride_px=s, dilation=d, border=b) for image, k, s, d, b in cases]

    with_core = run()
    monkeypatch.setenv("SZEM_COMPILED", "0")
    for found, wanted in zip(with_core, run(), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=2e-3)


def test_a_compiler_that_fails_leaves_no_core_and_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / LIBRARY).parent.mkdir(parents=True)
    for compiler in ("false", "there-is-no-such-compiler -O3"):
        (tmp_path / LIBRARY).write_bytes(b"an older one")
        monkeypatch.setenv("CC", compiler)
        assert build_core(tmp_path) is None
        assert not (tmp_path / LIBRARY).exists()
        assert "without its compiled core" in capsys.readouterr().err


def test_a_library_that_cannot_be_loaded_is_none(tmp_path: Path) -> None:
    file = tmp_path / compiled.LIBRARY
    assert load_core(file) is None
    file.write_bytes(b"built for another machine")
    assert load_core(file) is None


@pytest.mark.skipif(sys.platform == "win32" or _compiler() is None, reason="no C compiler")
def test_the_core_touches_no_memory_but_its_own(tmp_path: Path) -> None:
    """Random problems under the sanitizers for addresses and undefined behaviour, each beside the definition."""
    compiler = _compiler()
    assert compiler is not None
    flags = ["-O0", "-std=gnu11", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    program, check = tmp_path / "check", ROOT / "tests/kernels/correlate_check.c"
    source = (ROOT / SOURCE).parent
    built = subprocess.run(
        [*compiler, *flags, f"-I{source}", str(check), "-lm", "-o", str(program)], capture_output=True, timeout=120
    )
    if built.returncode:
        pytest.skip("the compiler has no sanitizers")
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}  # leaks need ptrace, which containers refuse
    environment.pop("LD_PRELOAD", None)
    ran = subprocess.run([str(program)], capture_output=True, timeout=120, text=True, env=environment)
    assert ran.returncode == 0, ran.stdout + ran.stderr
