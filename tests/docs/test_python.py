"""The examples in Python run, and every public name stands on docs/python.md."""

import re
import shutil
from pathlib import Path

import av
import numpy as np
import pytest

import szem
from szem.media.samples import read_sample

from .pages import PAGES, blocks_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python.md"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the page names; its own folder of szem's data."""
    szem.write_picture(tmp_path / "photo.jpg", read_sample("cat"))
    rng = np.random.default_rng(0)
    with av.open(str(tmp_path / "yard.mp4"), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for _ in range(10):
            frame = av.VideoFrame.from_ndarray(rng.integers(0, 60, (64, 96, 3), dtype=np.uint8), format="rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path


@pytest.mark.slow
def test_every_example_of_the_page_runs(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    names: dict[str, object] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"python.md, example {number}", "exec"), names)  # noqa: S102
    assert len(blocks) > 5
    assert "scale it: picture / 255" in capsys.readouterr().out
    assert {"boxes.jpg", "outlines.png", "flowers.png", "sobel.png"} <= {file.name for file in desk.iterdir()}


# Examples that need a server, Ray, a camera or the reader's own data; they are read only.
_NOT_HERE = re.compile(
    r"127\.0\.0\.1|scale\.run|rtsp://|^import requests|LookPart\(|\(pictures,|masks\[\"map\"\]|async_batch",
    re.MULTILINE,
)
OTHERS = [page for page in PAGES if page.name not in ("python.md", "architecture.md") and blocks_of(page, "python")]


@pytest.mark.slow
@pytest.mark.parametrize("page", OTHERS, ids=lambda page: page.name)
def test_examples_of_the_other_pages_run(
    page: Path, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(samples, tmp_path / "work", copy_function=shutil.copy)
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("SZEM_HOME", str(tmp_path / "home"))
    names: dict[str, object] = {"szem": szem}
    for number, block in enumerate(blocks_of(page, "python")):
        code = compile(block, f"{page.name}, example {number}", "exec")
        if not _NOT_HERE.search(block):
            exec(code, names)  # noqa: S102


def test_every_public_name_stands_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    unsaid = {"__version__", "DominantColor", "Crop", "Track", "TrackedBoxes", "Tracks"}  # parts of what is named
    assert [name for name in szem.__all__ if name not in unsaid and not re.search(rf"\b{name}\b", text)] == []
