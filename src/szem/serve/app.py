"""The application: routes, middleware and error handlers put together. Nothing starts before its lifespan does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from szem.errors import SzemError
from szem.serve.own import build_own_routes
from szem.serve.settings import ServeSettings
from szem.serve.static import StudioFiles, studio_folder
from szem.serve.status import FieldsError, Violation, error_to_reply, http_to_reply

__all__ = ["build_app"]


def build_app(settings: ServeSettings | None = None) -> FastAPI:
    """Build the server's ASGI application.

    Args:
        settings: The operator's choices; the defaults when None.
    """
    chosen = ServeSettings() if settings is None else settings

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.settings = chosen
        yield

    app = FastAPI(
        title="szem",
        version=version("szem"),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.add_api_route("/healthz", get_health, methods=["GET"], tags=["server"])
    app.include_router(build_own_routes())
    if chosen.studio:
        app.mount("/", StudioFiles(directory=studio_folder(), html=True), name="studio")
    _add_error_handlers(app)
    return app


def get_health() -> dict[str, str]:
    """Whether the server answers, and which szem it is."""
    return {"status": "ok", "version": version("szem")}


def _add_error_handlers(app: FastAPI) -> None:
    def is_own(request: Request) -> bool:
        return request.url.path.startswith("/v1/szem/")

    async def szem_error(request: Request, error: Exception) -> Response:
        return error_to_reply(error, own=is_own(request))

    async def wrong_fields(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        faults = [Violation(".".join(str(part) for part in e["loc"]), str(e["msg"])) for e in error.errors()]
        first = faults[0] if faults else Violation("", "not valid")
        return error_to_reply(FieldsError(f"{first.field}: {first.description}", violations=faults))

    async def http_error(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return http_to_reply(error.status_code, str(error.detail), headers=dict(error.headers or {}))

    async def unmeant(_: Request, error: Exception) -> Response:
        return error_to_reply(error)

    app.add_exception_handler(SzemError, szem_error)
    app.add_exception_handler(RequestValidationError, wrong_fields)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(Exception, unmeant)
