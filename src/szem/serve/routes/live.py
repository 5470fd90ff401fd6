"""Live frames over a WebSocket, `/v1/szem/detect/live`: pictures in, boxes out, never a queue that grows.

The caller sends each frame as one binary message holding a picture file (JPEG is best) and settings as JSON text; the
server answers JSON text. Frames are numbered from 0 in the order they came. At most one frame is looked at and one
waits: a newer one takes the waiting one's place, and the caller is told which was dropped. A frame that cannot be
read is answered with an error, and the connection goes on.

| answer | when |
|---|---|
| `{"type": "ready", "model", "classes", "aliases", "thresholds", "window"}` | once, when frames may come |
| `{"type": "boxes", "frame", "boxes", "events", "counts", "took_ms", …}` | a frame was looked at |
| `{"type": "dropped", "frame"}` | a newer one came before its turn: send fewer |
| `{"type": "settings", …}` | settings were taken |
| `{"type": "error", "frame", "error": {"code", "message"}}` | a frame or settings were wrong |

Close codes: 1000 at the caller's wish, 1001 the server ends, 1003 too many wrong messages, 1008 silent for too long,
1009 a message is too large, 1011 the detector failed, 1013 all places are taken (with the reason; try again later).
"""

import asyncio
import contextlib
import json
import logging
import time
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from szem.errors import BusyError, SzemError
from szem.results.class_aliases import aliases_of
from szem.serve.handlers.live import LiveHandler, LiveSettings, LiveView
from szem.serve.metrics import Metrics
from szem.serve.protojson import parse_json, read_message
from szem.serve.settings import ServeSettings
from szem.serve.status import error_to_status

__all__ = ["LIVE_PATH", "watch_live"]

LIVE_PATH = "/v1/szem/detect/live"
WINDOW = 2  # frames on their way that keep the detector busy; more are dropped
_MOST_WRONG = 20  # messages in a row before the line is cut
_MOST_TEXT = 64 * 1024
_log = logging.getLogger("szem.serve")


async def watch_live(socket: WebSocket) -> None:
    """Serve one caller until it leaves."""
    handler: LiveHandler = socket.app.state.live
    metrics: Metrics = socket.app.state.metrics
    # A page that brings its key offers two protocols; the one without the key is the one that is answered.
    offered = socket.scope.get("subprotocols", ())
    await socket.accept(subprotocol="szem" if "szem" in offered else None)
    try:
        handler.enter()
    except BusyError as error:
        await _close(socket, 1013, str(error))
        return
    try:
        view = await handler.view(socket.query_params.get("model", "")[:100], socket.app.state.dispatcher)
        await _Line(socket, view, handler.settings, metrics).run()
    except SzemError as error:  # no such model, or none at all
        await _send(socket, {"type": "error", "frame": None, "error": error_to_status(error)})
        await _close(socket, 1011, "there is no detector to look with")
    except WebSocketDisconnect:
        pass
    except Exception:
        _log.exception("a live line failed")
        await _close(socket, 1011, "an internal fault; the server's log has it")
    finally:
        handler.leave()


class _EndedError(Exception):
    """The line is to be closed."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class _Line:
    """One connection: a task that reads, and one that looks."""

    def __init__(self, socket: WebSocket, view: LiveView, settings: ServeSettings, metrics: Metrics) -> None:
        self._socket, self._view, self._settings, self._metrics = socket, view, settings, metrics
        self._waiting: tuple[int, float, bytes] | None = None
        self._came = asyncio.Event()
        self._frames = 0
        self._wrong = 0
        self._started = time.monotonic()

    async def run(self) -> None:
        detector = self._view.detector
        await _send(
            self._socket,
            {
                "type": "ready",
                "classes": list(detector.classes),
                "aliases": aliases_of(detector.classes),
                "thresholds": {
                    n: round(float(t), 4) for n, t in zip(detector.classes, detector.thresholds, strict=True)
                },
                "window": WINDOW,
                "max_frame_bytes": self._settings.max_live_frame_bytes,
            },
        )
        looking = asyncio.create_task(self._look())
        try:
            await self._read(looking)
        except _EndedError as end:
            await _close(self._socket, end.code, end.reason)
        finally:
            looking.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, _EndedError):
                await looking

    async def _read(self, looking: "asyncio.Task[None]") -> None:
        """Take messages as they come; only the newest frame is kept."""
        while True:
            coming = asyncio.create_task(self._socket.receive())
            done, _ = await asyncio.wait(
                {coming, looking}, timeout=self._settings.live_idle_s, return_when=asyncio.FIRST_COMPLETED
            )
            if coming not in done:
                coming.cancel()
                if looking in done:
                    looking.result()
                raise _EndedError(1008, f"nothing came for {self._settings.live_idle_s:g} s")
            message = coming.result()
            if message["type"] == "websocket.disconnect":
                return
            data, text = message.get("bytes"), message.get("text")
            if data is not None:
                await self._take_frame(data)
            elif text is not None:
                await self._take_settings(text)

    async def _take_frame(self, data: bytes) -> None:
        number, self._frames = self._frames, self._frames + 1
        if len(data) > self._settings.max_live_frame_bytes:
            raise _EndedError(1009, f"a frame has at most {self._settings.max_live_frame_bytes} bytes")
        dropped, self._waiting = self._waiting, (number, time.monotonic() - self._started, data)
        self._came.set()
        if dropped is not None:
            self._metrics.live_frames.labels("dropped").inc()
            await _send(self._socket, {"type": "dropped", "frame": dropped[0]})

    async def _take_settings(self, text: str) -> None:
        try:
            if len(text) > _MOST_TEXT:
                raise _EndedError(1009, f"settings have at most {_MOST_TEXT} characters")
            chosen = read_message(LiveSettings, parse_json(text.encode("utf-8", "replace")))
            await asyncio.to_thread(self._view.choose, chosen)
        except SzemError as error:
            await self._report_fault(None, error)
        else:
            self._wrong = 0
            await _send(self._socket, {"type": "settings", "threshold": chosen.threshold, "track": chosen.track})

    async def _look(self) -> None:
        """Look at the newest frame, again and again."""
        while True:
            await self._came.wait()
            self._came.clear()
            if self._waiting is None:
                continue
            (number, time_s, data), self._waiting = self._waiting, None
            try:
                found = await self._view.look(data, time_s=time_s)
            except SzemError as error:
                self._metrics.live_frames.labels("refused").inc()
                await self._report_fault(number, error)
                continue
            self._wrong = 0
            self._metrics.live_frames.labels("answered").inc()
            waited_ms = (time.monotonic() - self._started - time_s) * 1000
            await _send(self._socket, {"type": "boxes", **found, "frame": number, "server_ms": round(waited_ms, 1)})

    async def _report_fault(self, number: int | None, error: SzemError) -> None:
        self._wrong += 1
        await _send(self._socket, {"type": "error", "frame": number, "error": error_to_status(error)})
        if self._wrong >= _MOST_WRONG:
            raise _EndedError(1003, f"{_MOST_WRONG} wrong messages in a row")


async def _send(socket: WebSocket, message: dict[str, Any]) -> None:
    if socket.application_state is WebSocketState.CONNECTED:
        await socket.send_text(json.dumps(message))


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    if socket.application_state is WebSocketState.CONNECTED:
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await socket.close(code, reason[:120])
