"""RTSP cameras for tests, each a process of its own (`rtsp_server.py`) that can be killed, held and started anew."""

import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np

SERVER = Path(__file__).with_name("rtsp_server.py")
RATE_HZ = 20


@cache
def server_python() -> tuple[str, str]:
    """A Python that can serve RTSP, or "" and why there is none."""
    why = "no Python here"
    for python in dict.fromkeys([sys.executable, "/usr/bin/python3", shutil.which("python3") or ""]):
        if python and Path(python).exists():
            tried = subprocess.run([python, SERVER, "--try"], capture_output=True, text=True, timeout=60)
            if tried.returncode == 0:
                return python, ""
            why = (tried.stderr.strip().splitlines() or ["it ended without a word"])[-1]
    return "", why


def coded(pictures: Sequence[np.ndarray], *, damaged: Sequence[int] = ()) -> bytes:
    """H.264 as `rtsp_server.py` reads it, a key picture every ten; damaged ones are bytes that mean nothing."""
    coder = av.CodecContext.create("libx264", "w")
    coder.height, coder.width = pictures[0].shape[:2]
    coder.pix_fmt, coder.time_base, coder.gop_size = "yuv420p", Fraction(1, RATE_HZ), 10
    coder.options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "repeat-headers=1", "crf": "12"}
    packets: list[bytes] = []
    for number, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts = number
        packets += map(bytes, coder.encode(frame))
    packets += map(bytes, coder.encode(None))
    for number in damaged:
        packets[number] = b"\0\0\0\1\x65" + bytes(range(1, 200))
    return b"".join(len(packet).to_bytes(4, "big") + packet for packet in packets)


class RtspCamera:
    """One server at one port."""

    def __init__(self, folder: Path, *, transport: str = "any", guest: tuple[str, ...] = ()) -> None:
        self._file, self._options = folder / "pictures.bin", (transport, *guest)
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    @property
    def address(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/live"

    def start(self, pictures: Sequence[np.ndarray], *, damaged: Sequence[int] = ()) -> None:
        """Serve these over and over; at the port of the last time, if there was one."""
        self._file.write_bytes(coded(pictures, damaged=damaged))
        command = [server_python()[0], str(SERVER), str(self._file), str(self.port), str(RATE_HZ), *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert select.select([self._process.stdout], [], [], 60)[0], "the RTSP server did not start"
        self.port = int(self._process.stdout.readline())

    def hold(self) -> None:
        """Fall silent, the lines open."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
