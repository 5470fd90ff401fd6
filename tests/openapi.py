"""The OpenAPI description of the server, made once for all tests of a process."""

from functools import cache
from typing import Any

from szem.serve.app import build_app
from szem.serve.settings import ServeSettings

__all__ = ["describe"]


@cache
def describe() -> dict[str, Any]:
    """What `/openapi.json` answers; not to be changed."""
    return build_app(ServeSettings(key="a-key-for-the-tests-of-the-server")).openapi()
