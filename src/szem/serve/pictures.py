"""Where a picture of a request comes from: bytes in the request, an address, or a folder the operator allows."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from szem.arrays import Picture8
from szem.errors import MediaError, SzemError
from szem.serve.engine import Engine
from szem.serve.fetch import Fetcher
from szem.serve.folders import AllowedFolders
from szem.serve.messages import Image
from szem.serve.status import FieldError, FieldsError, Violation

__all__ = ["PictureLoader", "bad_image"]


class PictureLoader:
    """Loads and decodes pictures.

    Args:
        engine: Decodes them, within its budget of memory.
        fetcher: Gets pictures over http(s).
        folders: Gets pictures from allowed folders.
    """

    def __init__(self, engine: Engine, fetcher: Fetcher, folders: AllowedFolders) -> None:
        self.engine = engine
        self.fetcher = fetcher
        self.folders = folders

    @asynccontextmanager
    async def opened(self, image: Image, *, place: str, for_labels_only: bool = False) -> AsyncIterator[Picture8]:
        """Decode a picture, whichever way it comes, and hold it for the time of the block.

        `content` comes before imageUri, imageUri before gcsImageUri.

        Args:
            image: Where it is.
            place: Where that stands in the request, for messages.
            for_labels_only: As in `Engine.picture`.
        Raises:
            SzemError: there is none, it may not be reached, or it is no picture.
        """
        place = f"{place}.image".lstrip(".")
        if image.content:
            async with self._decoded(image.content, f"{place}.content", for_labels_only) as picture:
                yield picture
            return
        source = image.source
        uri = "" if source is None else source.image_uri or source.gcs_image_uri
        if not uri:
            fault = Violation(place, "it has neither content nor source")
            raise FieldsError("Request must specify image and features.", violations=[fault])
        name = "imageUri" if source is not None and source.image_uri else "gcsImageUri"
        where = f"{place}.source.{name}"
        async with self.engine.outside:
            data = await self.load(uri, where)
            async with self._decoded(data, where, for_labels_only) as picture:
                yield picture

    async def load(self, uri: str, where: str, *, max_bytes: int | None = None) -> bytes:
        """The bytes behind a URI.

        Args:
            uri: http(s)://, file:// or gs://.
            where: The field that holds it, for messages.
            max_bytes: The most a file may have; the limit for a picture by default.
        Raises:
            SzemError: that is not allowed, or not possible.
        """
        most = self.engine.settings.max_picture_bytes if max_bytes is None else max_bytes
        try:
            if uri.lower().startswith(("http://", "https://")):
                return await self.fetcher.fetch(uri)
            if uri.startswith(("file:", "gs:")):
                return await self.engine.run(lambda: self.folders.read(uri, max_bytes=most))
            raise FieldsError(f"{uri[:60]!r} is not a URI szem reads; use file:///…, http://… or https://…")
        except SzemError as error:
            raise FieldError(error, where) from error

    @asynccontextmanager
    async def _decoded(self, data: bytes, where: str, for_labels_only: bool) -> AsyncIterator[Picture8]:
        async with AsyncExitStack() as stack:
            try:
                picture = await stack.enter_async_context(self.engine.picture(data, for_labels_only=for_labels_only))
            except MediaError as error:
                raise bad_image(error, where) from error
            yield picture


def bad_image(error: MediaError, where: str) -> FieldsError:
    """Google's "Bad image data.", with the reason that Google leaves out."""
    return FieldsError(f"Bad image data. {error}", violations=[Violation(where, str(error))])
