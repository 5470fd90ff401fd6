"""What the application made in its lifespan, for routes."""

from fastapi import Request

from szem.serve.dispatcher import Dispatcher
from szem.serve.pictures import PictureLoader

__all__ = ["dispatcher_of", "pictures_of"]


def dispatcher_of(request: Request) -> Dispatcher:
    """Threads and worker processes."""
    dispatcher = request.app.state.dispatcher
    assert isinstance(dispatcher, Dispatcher)
    return dispatcher


def pictures_of(request: Request) -> PictureLoader:
    """What loads pictures."""
    pictures = request.app.state.pictures
    assert isinstance(pictures, PictureLoader)
    return pictures
