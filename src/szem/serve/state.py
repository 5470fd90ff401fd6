"""What the application made in its lifespan, for routes."""

from fastapi import Request

from szem.serve.engine import Engine
from szem.serve.pictures import PictureLoader

__all__ = ["engine_of", "pictures_of"]


def engine_of(request: Request) -> Engine:
    """Threads and networks."""
    engine = request.app.state.engine
    assert isinstance(engine, Engine)
    return engine


def pictures_of(request: Request) -> PictureLoader:
    """What loads pictures."""
    pictures = request.app.state.pictures
    assert isinstance(pictures, PictureLoader)
    return pictures
