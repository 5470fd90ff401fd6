"""The application: routes, middleware and error handlers put together. Nothing starts before its lifespan does."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response

from szem.errors import MissingExtraError, SzemError
from szem.files import sweep_scratch
from szem.runtime.store import data_folder
from szem.serve.dispatcher import CLOSE_S, Dispatcher
from szem.serve.fetch import Fetcher
from szem.serve.folders import AllowedFolders
from szem.serve.handlers.guard import GuardHandler
from szem.serve.handlers.live import LiveHandler
from szem.serve.metrics import Metrics
from szem.serve.middleware.auth_and_limits import AuthAndLimits, is_own_path
from szem.serve.middleware.limits import RequestGate
from szem.serve.middleware.observe import Observe
from szem.serve.openapi import install_openapi
from szem.serve.pictures import PictureLoader
from szem.serve.reference import reference_page
from szem.serve.routes.guard import build_guard_routes
from szem.serve.routes.lab import LabViewRequest, build_lab_routes
from szem.serve.routes.live import LIVE_PATH, watch_live
from szem.serve.routes.szem import OWN_MESSAGES, build_own_routes
from szem.serve.settings import ServeSettings
from szem.serve.state import dispatcher_of
from szem.serve.static import StudioFiles, studio_folder
from szem.serve.status import FieldsError, Violation, error_to_reply, http_to_reply
from szem.serve.vision.annotate import Annotator
from szem.serve.vision.methods import Methods
from szem.serve.vision.operations import Operations
from szem.serve.vision.records import DATABASE_FILE, Records, default_database
from szem.serve.vision.routes import BODIES, build_vision_routes
from szem.serve.vision.versions import Versions

__all__ = ["GRACE_S", "STOP_S", "build_app"]

_log = logging.getLogger("szem.serve")
GRACE_S = 4  # for requests under way when the server is to end; then their work is stopped
STOP_S = 1.0  # for each of what has to be ended beside the workers
_START_S = 60.0  # for the workers, which import everything
KEY_HEADERS = ("x-goog-api-key", "x-szem-key", "authorization")


def build_app(settings: ServeSettings | None = None) -> FastAPI:
    """Build the server's ASGI application.

    Args:
        settings: The operator's choices; the defaults when None.
    """
    chosen = ServeSettings() if settings is None else settings

    metrics = Metrics()
    handler = GuardHandler(chosen)
    grpc_server = None if chosen.grpc_port is None else _grpc_server()
    gate = RequestGate(places=chosen.max_in_flight, max_bytes=chosen.max_body_bytes_in_flight)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(handler.sweep)
        async with _opened(chosen, metrics) as (annotator, operations):
            app.state.dispatcher = annotator.dispatcher
            app.state.pictures = annotator.pictures
            app.state.methods = Methods(chosen, annotator, operations)
            if grpc_server is not None:
                health = annotator.dispatcher.health
                app.state.grpc = grpc_server(chosen, app.state.methods, gate, metrics, lambda: health()[0])
                await app.state.grpc.start()
            try:
                yield
            finally:
                if app.state.grpc is not None:
                    await _within(GRACE_S + STOP_S, app.state.grpc.stop(STOP_S), "the gRPC server")
                await _within(STOP_S, asyncio.to_thread(handler.close), "the guard's files and videos")

    app = FastAPI(
        title="szem",
        version=version("szem"),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.state.settings = chosen
    app.state.grpc = None
    app.state.metrics = metrics
    app.state.live = LiveHandler(chosen)
    app.add_api_route("/healthz", get_health, methods=["GET"], tags=["server"])
    app.add_api_route("/metrics", get_metrics, methods=["GET"], tags=["server"], response_class=Response)
    app.include_router(build_own_routes())
    app.include_router(build_lab_routes())
    app.include_router(build_guard_routes(handler))
    app.router.add_websocket_route(LIVE_PATH, watch_live)
    app.include_router(build_vision_routes())
    if chosen.studio:
        # What no route knows is a page's file. Not a mount: that would hide a wrong method behind a 404.
        app.router.default = StudioFiles(directory=studio_folder(), html=True)
    _add_error_handlers(app)
    install_openapi(app, (*BODIES, *OWN_MESSAGES, LabViewRequest))
    app.add_api_route("/docs", get_reference, methods=["GET"], include_in_schema=False, response_class=Response)
    # The last one added is the outermost: observe, then versions, then CORS, then guard, then the routes.
    app.add_middleware(AuthAndLimits, settings=chosen, metrics=metrics, gate=gate)
    if chosen.allow_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=chosen.allow_origins,
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["content-type", "content-encoding", *KEY_HEADERS, "x-request-id", "x-goog-api-client"],
            expose_headers=["x-request-id", "retry-after"],
        )
    app.add_middleware(Versions)
    app.add_middleware(Observe, metrics=metrics)
    return app


def _grpc_server() -> Any:
    """The class of the gRPC server.

    Raises:
        MissingExtraError: its packages are not installed.
    """
    try:
        from szem.serve.vision.grpc_server import GrpcServer
    except ImportError as error:
        raise MissingExtraError("gRPC needs its packages; pip install 'szem[grpc]'") from error
    return GrpcServer


@asynccontextmanager
async def _opened(settings: ServeSettings, metrics: Metrics) -> AsyncIterator[tuple[Annotator, Operations]]:
    """What lives as long as the server does."""
    dispatcher = Dispatcher(settings, metrics)
    folders = AllowedFolders(settings)
    annotator = Annotator(dispatcher, PictureLoader(dispatcher, Fetcher(settings), folders), metrics)
    url = settings.database or default_database(data_folder())
    operations = Operations(
        settings, annotator, folders, metrics, open_records=lambda: Records(url, lease_s=settings.operation_lease_s)
    )
    try:
        await asyncio.to_thread(sweep_scratch)
        dispatcher.open()
        await asyncio.to_thread(dispatcher.wait_for_workers, _START_S)  # before the port is announced
        if settings.database or (data_folder() / DATABASE_FILE).is_file():
            operations.start()  # there may be work that was left unfinished; else nothing is written before it must
        yield annotator, operations
    finally:
        try:
            await _within(STOP_S, operations.stop(), "the database of operations")
        finally:
            await _within(CLOSE_S + 0.2, asyncio.to_thread(dispatcher.close), "the worker processes")


async def _within(seconds: float, work: Coroutine[Any, Any, object], what: str) -> None:
    """One step of the end; what takes longer is left behind, and ends with the process."""
    try:
        async with asyncio.timeout(seconds):
            await work
    except TimeoutError:
        _log.warning("%s did not end within %g s", what, seconds)


async def get_health(request: Request) -> JSONResponse:
    """Whether requests can be answered, which szem it is, and how the workers are; 503 where they do not answer.

    Of each worker: its kind, whether it answers (`well`), for how many seconds its present request has run (`busyS`),
    how long ago it last answered (`answeredS`), and how many processes it has had (`starts`): each but the first
    replaced one that had crashed, overrun its limits, or been cancelled.
    """
    fault, workers = dispatcher_of(request).health()
    rows = [
        {"kind": w.kind, "well": w.is_well, "busyS": w.busy_s, "answeredS": w.answered_s, "starts": w.starts}
        for w in workers
        if w.starts
    ]
    answer = {"status": fault or "ok", "version": version("szem"), "workers": rows}
    return JSONResponse(answer, status_code=503 if fault else 200)


def get_reference(request: Request) -> Response:
    """The reference of all routes, as a page."""
    return reference_page(request.app.openapi(), server=str(request.base_url).rstrip("/"))


def get_metrics(request: Request) -> Response:
    """Counters, in the text form that Prometheus reads."""
    metrics = request.app.state.metrics
    assert isinstance(metrics, Metrics)
    return metrics.reply()


def _add_error_handlers(app: FastAPI) -> None:
    async def szem_error(request: Request, error: Exception) -> Response:
        return error_to_reply(error, own=is_own_path(request.url.path))

    async def wrong_fields(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        faults = [Violation(".".join(str(part) for part in e["loc"]), str(e["msg"])) for e in error.errors()]
        first = faults[0] if faults else Violation("", "not valid")
        return error_to_reply(FieldsError(f"{first.field}: {first.description}", violations=faults))

    async def http_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        text = str(error.detail)
        if error.status_code == 404:
            text = f"there is nothing at {request.url.path[:100]!r}; /docs lists what there is"
        elif error.status_code == 405:
            text = f"{request.method[:20]} is not answered at {request.url.path[:100]!r}; /docs lists what is"
        return http_to_reply(error.status_code, text, headers=dict(error.headers or {}))

    app.add_exception_handler(SzemError, szem_error)
    app.add_exception_handler(RequestValidationError, wrong_fields)
    app.add_exception_handler(HTTPException, http_error)
