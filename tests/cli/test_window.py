"""The window of `szem detect --show`, on a virtual screen."""

import shutil
import subprocess
import time
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import ImageGrab, features

from szem.cli.window import PreviewWindow
from szem.errors import UnsupportedError


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A screen of 400 × 300 in memory."""
    pytest.importorskip("tkinter", reason="this Python has no tkinter")
    if shutil.which("Xvfb") is None:
        pytest.skip("needs Xvfb: apt install xvfb")
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "400x300x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        display = f":{server.stdout.readline().strip()}"
        monkeypatch.setenv("DISPLAY", display)
        yield display
        server.terminate()


def test_pictures_are_shown_at_the_videos_speed_until_it_is_closed(screen: str) -> None:
    picture = np.zeros((120, 200, 3), np.uint8)
    picture[:, :100] = (220, 30, 40)
    began = time.monotonic()
    with PreviewWindow("szem") as window:
        for k in range(4):
            window.show(picture, time_s=0.1 * k)
        assert time.monotonic() - began >= 0.3
        if features.check("xcb"):
            seen = np.asarray(ImageGrab.grab(xdisplay=screen))[..., :3]
            assert (np.abs(seen.astype(int) - (220, 30, 40)).max(2) < 8).sum() >= 100 * 120 * 0.9
        assert not window.is_closed
        window._root.focus_force()  # there is no window manager
        window._root.update()
        window._root.event_generate("<Escape>")
        window.show(picture)
        assert window.is_closed
        window.show(picture)  # nothing happens any more


def test_without_a_display_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tkinter", reason="this Python has no tkinter")
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(UnsupportedError, match="--show needs a display"):
        PreviewWindow("szem")
