"""Where a picture of a request comes from: bytes in the request, an address, or a folder the operator allows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from szem.errors import MediaError, SzemError
from szem.serve.dispatcher import Dispatcher
from szem.serve.fetch import Fetcher
from szem.serve.folders import AllowedFolders
from szem.serve.messages import Image
from szem.serve.status import FieldError, FieldsError, Violation

__all__ = ["PictureFile", "PictureLoader", "bad_image"]


@dataclass(frozen=True)
class PictureFile:
    """A picture file, not decoded, and the field of the request that held it or its address."""

    data: bytes
    where: str


class PictureLoader:
    """Loads picture files; decoding them is the workers'.

    Args:
        dispatcher: Reads files on its threads.
        fetcher: Gets pictures over http(s).
        folders: Gets pictures from allowed folders.
    """

    def __init__(self, dispatcher: Dispatcher, fetcher: Fetcher, folders: AllowedFolders) -> None:
        self.dispatcher = dispatcher
        self.fetcher = fetcher
        self.folders = folders

    @asynccontextmanager
    async def loaded(self, image: Image, *, place: str) -> AsyncIterator[PictureFile]:
        """Load a picture file, whichever way it comes, and hold it for the time of the block.

        `content` comes before imageUri, imageUri before gcsImageUri.

        Args:
            image: Where it is.
            place: Where that stands in the request, for messages.
        Raises:
            SzemError: there is none, or it may not be reached.
        """
        place = f"{place}.image".lstrip(".")
        if image.content:
            yield PictureFile(image.content, f"{place}.content")
            return
        source = image.source
        uri = "" if source is None else source.image_uri or source.gcs_image_uri
        if not uri:
            fault = Violation(place, "it has neither content nor source")
            raise FieldsError("Request must specify image and features.", violations=[fault])
        name = "imageUri" if source is not None and source.image_uri else "gcsImageUri"
        where = f"{place}.source.{name}"
        async with self.dispatcher.outside:
            yield PictureFile(await self.load(uri, where), where)

    async def load(self, uri: str, where: str, *, max_bytes: int | None = None) -> bytes:
        """The bytes behind a URI.

        Args:
            uri: http(s)://, file:// or gs://.
            where: The field that holds it, for messages.
            max_bytes: The most a file may have; the limit for a picture by default.
        Raises:
            SzemError: that is not allowed, or not possible.
        """
        most = self.dispatcher.settings.max_picture_bytes if max_bytes is None else max_bytes
        try:
            if uri.lower().startswith(("http://", "https://")):
                return await self.fetcher.fetch(uri)
            if uri.startswith(("file:", "gs:")):
                return await self.dispatcher.run(lambda: self.folders.read(uri, max_bytes=most))
            raise FieldsError(f"{uri[:60]!r} is not a URI szem reads; use file:///…, http://… or https://…")
        except SzemError as error:
            raise FieldError(error, where) from error


def bad_image(error: MediaError, where: str) -> FieldsError:
    """Google's "Bad image data.", with the reason that Google leaves out."""
    return FieldsError(f"Bad image data. {error}", violations=[Violation(where, str(error))])
