"""A window that shows frames while a video is written, where the machine has a display."""

import time
from contextlib import AbstractContextManager, suppress
from typing import Any

from szem.arrays import Picture8
from szem.errors import MissingExtraError, UnsupportedError

__all__ = ["PreviewWindow"]


class PreviewWindow(AbstractContextManager["PreviewWindow"]):
    """Shows pictures until it is closed, by its button, Escape or q.

    Args:
        title: Of the window.
    Raises:
        UnsupportedError: there is no display.
        MissingExtraError: this Python has no tkinter.
    """

    def __init__(self, title: str) -> None:
        try:
            import tkinter
        except ImportError as error:
            raise MissingExtraError(
                "--show needs tkinter, which this Python lacks; install it (apt install python3-tk), write a video, "
                "or open the studio's page Detect"
            ) from error
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            raise UnsupportedError(
                f"--show needs a display, and there is none ({error}); leave it out and look at the video, "
                "or open the studio's page Detect"
            ) from error
        self._make: Any = tkinter.PhotoImage
        self._gone: Any = tkinter.TclError
        self._root.title(title)
        self._label = tkinter.Label(self._root, borderwidth=0)
        self._label.pack()
        self._began = 0.0
        self.is_closed = False
        for event in ("<Escape>", "q"):
            self._root.bind(event, self._close)
        self._root.protocol("WM_DELETE_WINDOW", self._close)

    def show(self, picture: Picture8, *, time_s: float | None = None) -> None:
        """Put a picture into the window.

        Args:
            picture: (H, W, 3) uint8 RGB.
            time_s: When it is due, counted from the first one; a video is then shown at its own speed.
        """
        if self.is_closed:
            return
        if time_s is not None:
            self._began = self._began or time.monotonic() - time_s
            time.sleep(max(0.0, self._began + time_s - time.monotonic()))
        height, width = picture.shape[:2]
        with suppress(self._gone):
            image = self._make(data=b"P6 %d %d 255 " % (width, height) + picture.tobytes(), format="PPM")
            self._label.configure(image=image)
            self._label.image = image  # type: ignore[attr-defined]  # Tk keeps no reference of its own
            self._root.update()

    def _close(self, *_: object) -> None:
        self.is_closed = True

    def __exit__(self, *_: object) -> None:
        with suppress(self._gone):
            self._root.destroy()
