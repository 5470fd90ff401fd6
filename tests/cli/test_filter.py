"""`szem filter` as a person types it."""

from pathlib import Path

import numpy as np
import pytest

from szem.cli.run import run
from szem.kernels import convolve, edges, view
from szem.media.pictures import read_picture, write_picture


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    return write_picture(tmp_path / "photo.png", picture)


def test_a_named_kernel_is_applied_and_written(photo: Path, tmp_path: Path) -> None:
    assert run(["filter", str(photo), "-k", "gaussian:1.5", "--out", str(tmp_path / "out")]) == 0
    wanted = view(convolve(read_picture(photo), "gaussian:1.5"))
    assert (read_picture(tmp_path / "out" / "photo-gaussian-1.5.png") == wanted).all()


def test_weights_stride_and_dilation_are_taken(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = "0 -1 0; -1 5 -1; 0 -1 0"
    arguments = ["-k", weights, "--stride", "2", "--dilation", "3", "--border", "wrap", "--out", str(tmp_path)]
    assert run(["filter", str(photo), *arguments, "--explain"]) == 0
    made = read_picture(tmp_path / "photo-kernel.png")
    assert made.shape == (20, 30, 3)
    assert (made == view(convolve(read_picture(photo), weights, stride_px=2, dilation=3, border="wrap"))).all()
    reported = capsys.readouterr().out
    assert "way:" in reported
    assert "60×40 → 30×20" in reported


def test_edges_are_shown_by_strength(photo: Path, tmp_path: Path) -> None:
    assert run(["filter", str(photo), "--edges", "--out", str(tmp_path)]) == 0
    wanted = view(edges(read_picture(photo)).magnitude, how="absolute")
    assert (read_picture(tmp_path / "photo-edges.png") == wanted).all()


def test_grey_pictures_stay_grey(tmp_path: Path) -> None:
    grey = np.repeat(np.random.default_rng(1).integers(0, 256, (30, 30, 1), dtype=np.uint8), 3, axis=2)
    source = write_picture(tmp_path / "grey.png", grey)
    assert run(["filter", str(source), "-k", "sharpen", "--out", str(tmp_path)]) == 0
    assert not np.ptp(read_picture(tmp_path / "grey-sharpen.png"), axis=2).any()


def test_the_kernels_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["filter", "--kernels"]) == 0
    assert "sobel-nw" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (["-k", "soble-x"], "sobel-x"),
        (["--border", "mirror"], "reflect"),
        (["--view", "pretty"], "signed"),
        (["-k", "1 2; 3"], "length"),
    ],
)
def test_wrong_options_are_reported_in_one_line(
    photo: Path, tmp_path: Path, arguments: list[str], reported: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["filter", str(photo), *arguments, "--out", str(tmp_path)]) == 1
    assert reported in capsys.readouterr().err


def test_one_bad_file_does_not_stop_the_rest(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"not a picture")
    assert run(["filter", str(bad), str(photo), "-k", "box:3", "--out", str(tmp_path / "out")]) == 1
    assert (tmp_path / "out" / "photo-box-3.png").is_file()
    assert "bad.jpg" in capsys.readouterr().err


def test_one_input_may_be_written_to_a_file_of_that_name(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("out.png", "deep/er/out.jpg"):
        assert run(["filter", str(photo), "-k", "box:3", "-o", str(tmp_path / name), "-q"]) == 0
        assert read_picture(tmp_path / name).shape == (40, 60, 3)
    assert capsys.readouterr().out == ""
    assert run(["filter", str(photo), "-k", "box:3", "-o", f"{tmp_path}/out.v2/"]) == 0
    assert (tmp_path / "out.v2" / "photo-box-3.png").is_file()


def test_several_inputs_need_a_folder(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = write_picture(tmp_path / "other.png", read_picture(photo))
    assert run(["filter", str(photo), str(other), "-o", str(tmp_path / "out.png")]) == 1
    assert "names one file, and there are 2 inputs" in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()


def test_the_input_is_not_replaced_by_its_own_result(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = photo.read_bytes()
    assert run(["filter", str(photo), "-o", str(photo)]) == 1
    assert "is one of the inputs" in capsys.readouterr().err
    assert photo.read_bytes() == before
