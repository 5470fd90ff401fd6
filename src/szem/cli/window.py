"""A window that shows a film while it is made, where the machine has a display."""

from contextlib import AbstractContextManager, suppress
from typing import Any

from szem.arrays import Picture8
from szem.errors import MissingExtraError, UnsupportedError

__all__ = ["Window"]


class Window(AbstractContextManager["Window"]):
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
                "--show needs tkinter, which this Python lacks; install it (apt install python3-tk), write a film, "
                "or open the studio's page Detect"
            ) from error
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            raise UnsupportedError(
                f"--show needs a display, and there is none ({error}); leave it out and look at the film, "
                "or open the studio's page Detect"
            ) from error
        self._make: Any = tkinter.PhotoImage
        self._gone: Any = tkinter.TclError
        self._root.title(title)
        self._label = tkinter.Label(self._root, borderwidth=0)
        self._label.pack()
        self.is_closed = False
        for event in ("<Escape>", "q"):
            self._root.bind(event, self._close)
        self._root.protocol("WM_DELETE_WINDOW", self._close)

    def show(self, picture: Picture8) -> None:
        """Put a picture into the window."""
        if self.is_closed:
            return
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
