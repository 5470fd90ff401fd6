"""The guard's routes, `/v1/szem/guard/*`: what happened, with pictures and clips; marks; rules; trial videos.

Events come from the store that `szem watch` writes (`--guard-store`); this server only reads it, save for marks and
the rules file.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query, Request
from pydantic import StringConstraints
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse

from szem.errors import RangeError, StoreError, UnknownNameError
from szem.files import CAN_WALK
from szem.guard.event_record import EventQuery, StoredEvent, parse_moment
from szem.guard.export import events_to_csv, events_to_json
from szem.serve.handlers.guard import GuardHandler
from szem.serve.protojson import parse_json

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

__all__ = ["build_guard_routes"]

T = TypeVar("T")
_MOST_PAGE = 500
_MOST_MARKED = 2_000  # events of one archive
_FRESH = {"cache-control": "no-cache"}
_KEPT = {"cache-control": "private, max-age=86400"}  # a file of an event never changes
_Many = Annotated[list[Annotated[str, StringConstraints(max_length=200)]], Query(max_length=50)]


def read_wanted(
    source: _Many = [],  # noqa: B006  FastAPI copies it
    kind: _Many = [],  # noqa: B006
    place: _Many = [],  # noqa: B006
    rule: _Many = [],  # noqa: B006
    mark: _Many = [],  # noqa: B006
    channel: str = Query("", max_length=10),
    since: str = Query("", max_length=40),
    until: str = Query("", max_length=40),
    min_score: float = Query(0.0, alias="minScore", ge=0, le=1),
) -> EventQuery:
    """Which events are asked for, from the query.

    Raises:
        RangeError, UnknownNameError: nothing can be so.
    """
    now = time.time()
    return EventQuery(
        sources=tuple(source),
        kinds=tuple(kind),
        places=tuple(place),
        rules=tuple(rule),
        marks=tuple(mark),
        channel=channel,
        since=parse_moment(since, now=now) if since else None,
        until=parse_moment(until, now=now) if until else None,
        min_score=min_score,
    )


Asked = Annotated[EventQuery, Depends(read_wanted)]


class _Guard:
    """The endpoints, around one room."""

    def __init__(self, handler: GuardHandler) -> None:
        self.handler = handler

    async def overview(self) -> JSONResponse:
        """What there is: sources and how they are, kinds, places, rules, and how many events each has."""
        return JSONResponse(await _run(self.handler.overview), headers=_FRESH)

    async def events(
        self,
        wanted: Asked,
        page_size: int = Query(50, alias="pageSize", ge=1, le=_MOST_PAGE),
        page_token: str = Query("", alias="pageToken", max_length=20),
    ) -> JSONResponse:
        """Events, those kept last first. `since` and `until`: 2026-05-01T22:00Z, or so long ago: 2h, 7d."""
        before = _number(page_token)
        found, more, total = await _run(self.handler.page, wanted, page_size, before)
        return JSONResponse(
            {
                "events": [_event(event) for event in found],
                "nextPageToken": "" if more is None else str(more),
                "total": total,
            },
            headers=_FRESH,
        )

    async def event(self, event: str) -> JSONResponse:
        """One event."""
        return JSONResponse(_event(await _run(self.handler.event, event)), headers=_FRESH)

    async def picture(self, event: str) -> Response:
        """The event's picture, a JPEG file."""
        return _StoredFile(partial(self.handler.file, event, "picture"), media_type="image/jpeg", headers=_KEPT)

    async def clip(self, event: str) -> Response:
        """The event's clip, an MP4 file; parts of it may be asked for (Range)."""
        return _StoredFile(partial(self.handler.file, event, "clip"), media_type="video/mp4", headers=_KEPT)

    async def mark(self, request: Request, event: str) -> JSONResponse:
        """Say what an event is: {"mark": "wrong" | "right" | "", "note": "…"}."""
        body = _object(await request.body(), ("mark", "note"))
        return JSONResponse(_event(await _run(self.handler.mark, event, body.get("mark", ""), body.get("note", ""))))

    async def export(self, wanted: Asked, format: str = Query("csv", max_length=10)) -> Response:
        """All events asked for, as a file: csv or json."""
        if format not in _EXPORTS:
            raise UnknownNameError(f"format is csv or json, got {format!r}; szem events export writes parquet too")
        write, media = _EXPORTS[format]
        lines: Iterator[str] = write(await _run(self.handler.each, wanted))
        named = {"content-disposition": f'attachment; filename="events.{format}"', **_FRESH}
        return StreamingResponse(lines, media_type=media, headers=named)

    async def marked(self) -> Response:
        """What people marked, to train with: a ZIP file with index.csv, pictures and clips."""
        pieces = await _run(self.handler.marked, _MOST_MARKED)
        named = {"content-disposition": 'attachment; filename="marked.zip"', **_FRESH}
        return StreamingResponse(pieces, media_type="application/zip", headers=named)

    async def still(self, source: str) -> Response:
        """A picture of now from a source, to draw zones on."""
        return _StoredFile(partial(self.handler.still, source), media_type="image/jpeg", headers=_FRESH)

    async def rules(self) -> JSONResponse:
        """The rules file as it is: {"text", "saved", "fault"}."""
        return JSONResponse(await _run(self.handler.rules), headers=_FRESH)

    async def check_rules(self, request: Request) -> JSONResponse:
        """Whether rules are right: {"text"} gives {"fault": "" or what is wrong, "line"}, and what they say."""
        body = _object(await request.body(), ("text",))
        return JSONResponse(await _run(self.handler.check_rules, body.get("text", "")))

    async def save_rules(self, request: Request) -> JSONResponse:
        """Save the rules file: {"text"}. Rules that are wrong are refused, and the old ones stay."""
        body = _object(await request.body(), ("text",))
        return JSONResponse(await _run(self.handler.save_rules, body.get("text", "")))

    async def areas(self, camera: str = Query("", max_length=80)) -> Response:
        """Zones and lines of the saved rules, for every camera or for one, as `szem watch --areas` takes them."""
        named = {"content-disposition": 'attachment; filename="zones.json"', **_FRESH}
        text = await _run(self.handler.areas, camera)
        return Response(text, media_type="application/json", headers=named)

    async def check_areas(self, request: Request) -> JSONResponse:
        """Whether zones and lines, as JSON, can be drawn: {"fault": "" or what is wrong, "zones", "lines"}."""
        return JSONResponse(self.handler.check_areas(await request.body()))

    async def send_video(self, request: Request, name: str = Query("video", max_length=200)) -> JSONResponse:
        """Send a video (the file as the body) to be analysed by the rules; ask for its state by the id."""
        job = self.handler.videos.begin(name)
        try:
            try:
                with job.path.open("wb") as out:
                    async for piece in request.stream():
                        await asyncio.to_thread(out.write, piece)  # a slow disk holds nobody else
            except OSError as error:  # a full disk
                raise StoreError(f"the video cannot be kept ({error.strerror or error}); try again later") from error
            await _run(self.handler.videos.start, job)
        except BaseException:
            self.handler.videos.drop(job.id)
            raise
        return JSONResponse(job.to_dict(), status_code=202)

    async def video(self, video: str) -> JSONResponse:
        """How far it is: state, share, events so far, and both channels' scores over time."""
        return JSONResponse(self.handler.videos.get(video).to_dict(), headers=_FRESH)

    async def drop_video(self, video: str) -> JSONResponse:
        """Delete a video; if it is being analysed, that ends."""
        self.handler.videos.get(video)
        await _run(self.handler.videos.drop, video)
        return JSONResponse({})


class _StoredFile(FileResponse):
    """A file of the store, sent from the descriptor it was opened by: what its name means later does not count."""

    def __init__(self, opener: Callable[[], IO[bytes]], *, media_type: str, headers: dict[str, str]) -> None:
        super().__init__("", media_type=media_type, headers=headers)
        self._opener = opener

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        with await _run(self._opener) as file:
            self.stat_result = os.fstat(file.fileno())
            self.path = f"/dev/fd/{file.fileno()}" if CAN_WALK else file.name
            self.set_stat_headers(self.stat_result)
            await super().__call__(scope, receive, send)


_FILES = ("/picture", "/clip", "/export", "/marked", "/still")  # routes that give files
_EXPORTS: dict[str, tuple[Callable[..., Iterator[str]], str]] = {
    "csv": (events_to_csv, "text/csv; charset=utf-8"),
    "json": (events_to_json, "application/json"),
}


def build_guard_routes(handler: GuardHandler) -> APIRouter:
    """The routes under `/v1/szem/guard`."""
    guard = _Guard(handler)
    router = APIRouter(prefix="/v1/szem/guard", tags=["guard"])
    text = {"type": "object", "properties": {"text": {"type": "string"}}}
    mark = {"type": "object", "properties": {"mark": {"type": "string"}, "note": {"type": "string"}}}
    video = {"type": "string", "format": "binary"}
    for path, endpoint, method, body in (
        ("", guard.overview, "GET", None),
        ("/events", guard.events, "GET", None),
        ("/events/{event}", guard.event, "GET", None),
        ("/events/{event}/picture", guard.picture, "GET", None),
        ("/events/{event}/clip", guard.clip, "GET", None),
        ("/events/{event}/mark", guard.mark, "PUT", {"application/json": {"schema": mark}}),
        ("/export", guard.export, "GET", None),
        ("/marked", guard.marked, "GET", None),
        ("/sources/{source}/still", guard.still, "GET", None),
        ("/rules", guard.rules, "GET", None),
        ("/rules", guard.save_rules, "PUT", {"application/json": {"schema": text}}),
        ("/rules/check", guard.check_rules, "PUT", {"application/json": {"schema": text}}),
        ("/areas", guard.areas, "GET", None),
        ("/areas/check", guard.check_areas, "PUT", {"application/json": {"schema": {"type": "object"}}}),
        ("/videos", guard.send_video, "POST", {"application/octet-stream": {"schema": video}}),
        ("/videos/{video}", guard.video, "GET", None),
        ("/videos/{video}", guard.drop_video, "DELETE", None),
    ):
        extra = None if body is None else {"requestBody": {"content": body}}
        is_file = path.endswith(_FILES)
        router.add_api_route(
            path,
            endpoint,
            methods=[method],
            status_code=202 if method == "POST" else 200,
            response_class=Response if is_file else JSONResponse,
            openapi_extra=extra,
        )
    return router


def _event(event: StoredEvent) -> dict[str, Any]:
    """An event as the studio takes it: where its files are asked for, not where they lie."""
    row = event.to_dict()
    for name in ("picture", "clip"):
        if row.pop(name, ""):
            row[name] = f"/v1/szem/guard/events/{event.id}/{name}"
    return row


def _number(token: str) -> int | None:
    if not token:
        return None
    if not (token.isascii() and token.isdecimal() and len(token) < 19):
        raise RangeError(f"pageToken {token!r} is not one of this server's; begin without it")
    return int(token)


def _object(body: bytes, names: tuple[str, ...]) -> dict[str, str]:
    """A JSON object of texts.

    Raises:
        RangeError: something else came.
    """
    value = parse_json(body)
    if not isinstance(value, dict) or set(value) - set(names) or not all(isinstance(v, str) for v in value.values()):
        raise RangeError(f"the body must be a JSON object with texts called {', '.join(names)}")
    return value


async def _run(function: Callable[..., T], *args: Any) -> T:
    """The database and the disk, on a thread."""
    return await asyncio.to_thread(function, *args)
