"""The API as replicas on Ray Serve, as `deploy/serve.yaml` names it; the only file of this folder that imports Ray.

Ray Serve starts and ends replicas, spreads requests over them and updates them one after the other. Each replica is
the whole application of `szem.serve.app` with its worker processes; what they share is the database of operations.
"""

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from szem.errors import MissingExtraError, UnknownNameError
from szem.serve.app import build_app
from szem.serve.settings import ServeSettings

__all__ = ["build_api"]

_FOLDERS = {"read_folders", "write_folders"}
_PER_REPLICA = (
    2  # requests that Ray may hand a replica for each that it takes: the rest get its 429, none waits unseen
)


def build_api(choices: Mapping[str, Any]) -> Any:
    """Ray Serve's application: `import_path: szem.serve.on_ray:build_api`, its `args` are the choices.

    Keys that callers must give come from the variable SZEM_API_KEYS, with spaces between them.

    Args:
        choices: Fields of `ServeSettings`.
    Raises:
        UnknownNameError: no such field.
        MissingExtraError: Ray Serve is not installed.
    """
    try:
        from ray import serve
    except ImportError as error:
        raise MissingExtraError("replicas on Ray need Ray Serve; pip install 'szem[scale]'") from error
    settings = _settings(choices)

    def build() -> FastAPI:
        return build_app(settings)

    replica = serve.deployment(serve.ingress(build)())
    return replica.options(name="api", max_ongoing_requests=_PER_REPLICA * settings.max_in_flight).bind()


def _settings(choices: Mapping[str, Any]) -> ServeSettings:
    known = {field.name for field in fields(ServeSettings)}
    if strange := sorted(set(choices) - known):
        raise UnknownNameError(
            f"the server has no setting {', '.join(strange)}; there are {', '.join(sorted(known))}"
        )
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in choices.items()
    }
    for name in _FOLDERS & set(given):
        given[name] = tuple(map(Path, given[name]))
    given["buckets"] = tuple((name, Path(folder)) for name, folder in given.get("buckets", ()))
    keys = tuple(os.environ.get("SZEM_API_KEYS", "").split())
    defaults: dict[str, Any] = {"studio": False, "threads": 1, "api_keys": keys}
    return ServeSettings(**{**defaults, **given})
