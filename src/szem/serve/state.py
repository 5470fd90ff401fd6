"""What the application made in its lifespan, for routes."""

from typing import TypeVar

from fastapi import Request

from szem.serve.dispatcher import Dispatcher
from szem.serve.pictures import PictureLoader

__all__ = ["dispatcher_of", "pictures_of", "state_of"]

T = TypeVar("T")


def state_of(request: Request, name: str, kind: type[T]) -> T:
    """A value of the application's state, which Starlette keeps without types."""
    value = getattr(request.app.state, name)
    assert isinstance(value, kind)
    return value


def dispatcher_of(request: Request) -> Dispatcher:
    """Threads and worker processes."""
    return state_of(request, "dispatcher", Dispatcher)


def pictures_of(request: Request) -> PictureLoader:
    """What loads pictures."""
    return state_of(request, "pictures", PictureLoader)
