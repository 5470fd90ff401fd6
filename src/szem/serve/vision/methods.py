"""What Google's methods do, apart from how they are called: HTTP and gRPC check and answer the same.

Each method takes a message of `szem.serve.vision.schema` and gives one. Knows nothing of HTTP, JSON in bodies, or
protocol buffers.
"""

import json
import re

from szem.serve.protojson import write_message
from szem.serve.settings import ServeSettings
from szem.serve.status import FieldsError, Violation
from szem.serve.vision import checks
from szem.serve.vision.annotate import Annotator
from szem.serve.vision.files import annotate_file
from szem.serve.vision.operations import Operations
from szem.serve.vision.records import Record
from szem.serve.vision.schema import (
    AsyncBatchAnnotateFilesRequest,
    AsyncBatchAnnotateImagesRequest,
    BatchAnnotateFilesRequest,
    BatchAnnotateFilesResponse,
    BatchAnnotateImagesRequest,
    BatchAnnotateImagesResponse,
)

__all__ = ["Methods", "split_name"]

_MOST_LISTED = 100
_USUALLY_LISTED = 50
_LONGEST_PART = 100  # of a parent: what the database has room for
_PARENT = re.compile(r"(projects/[^/]+(/locations/[^/]+)?|locations/[^/]+)?\Z")


class Methods:
    """The methods of one server.

    Args:
        settings: The operator's choices.
        annotator: Answers for pictures.
        operations: Does what takes long.
    """

    def __init__(self, settings: ServeSettings, annotator: Annotator, operations: Operations) -> None:
        self.settings = settings
        self.annotator = annotator
        self.operations = operations

    async def annotate_images(self, message: BatchAnnotateImagesRequest) -> BatchAnnotateImagesResponse:
        """Answer for up to 16 pictures.

        Raises:
            FieldsError: the whole request breaks a rule.
        """
        checks.check_images(message, self.settings)
        return BatchAnnotateImagesResponse(responses=await self.annotator.annotate_all(message.requests))

    async def annotate_files(self, message: BatchAnnotateFilesRequest) -> BatchAnnotateFilesResponse:
        """Answer for up to 5 pages of a PDF, TIFF or GIF.

        Raises:
            FieldsError: as `annotate_images`.
        """
        checks.check_files(message, self.settings)
        rows = enumerate(message.requests)
        answers = [await annotate_file(self.annotator, one, place=f"requests[{n}]") for n, one in rows]
        return BatchAnnotateFilesResponse(responses=tuple(answers))

    async def start_images(self, message: AsyncBatchAnnotateImagesRequest, *, parent: str, owner: str) -> Record:
        """Start an operation over up to 2,000 pictures.

        Args:
            message: The request.
            parent: Where the operation belongs.
            owner: Fingerprint of the caller's key.
        Raises:
            SzemError: a rule is broken, or an output may not be written.
        """
        checks.check_async_images(message, self.settings)
        config = message.output_config
        if config is not None and config.gcs_destination is not None:
            await self._check_prefixes([config.gcs_destination.uri])
        return await self._start("images", message, parent, owner)

    async def start_files(self, message: AsyncBatchAnnotateFilesRequest, *, parent: str, owner: str) -> Record:
        """Start an operation over files of pages; as `start_images`."""
        checks.check_async_files(message, self.settings)
        outputs = (one.output_config for one in message.requests if one.output_config is not None)
        await self._check_prefixes([out.gcs_destination.uri for out in outputs if out.gcs_destination is not None])
        return await self._start("files", message, parent, owner)

    async def list_operations(
        self, *, parent: str, owner: str, size: int, token: str, filter: str
    ) -> tuple[list[Record], str]:
        """Some operations of a caller, the newest first, and the token of the next page.

        Args:
            parent: Whose they are: empty, projects/P, projects/P/locations/L or locations/L.
            owner: Fingerprint of the caller's key.
            size: How many at most; 0 is 50.
            token: Of an earlier answer; empty for the first page.
            filter: Empty, `done=true` or `done=false`.
        Raises:
            FieldsError: one of them is wrong.
        """
        done = _done_filter(filter)
        if size < 0:
            raise _wrong("pageSize", f"must be a number from 0, got {size}")
        most = min(size, _MOST_LISTED) or _USUALLY_LISTED
        return await self.operations.ask(
            lambda records: records.page(parent=parent, owner=owner, size=most, token=token, done=done)
        )

    async def get_operation(self, id: str, *, parent: str, owner: str) -> Record:
        """One operation: how far it is, or how it ended.

        Raises:
            NotFoundError: this caller has none of this name.
        """
        return await self.operations.ask(lambda records: records.get(id, parent=parent, owner=owner))

    async def cancel_operation(self, id: str, *, parent: str, owner: str) -> None:
        """Ask an operation to stop; what it has written stays. Raises as `get_operation`."""
        await self.operations.ask(lambda records: records.cancel(id, parent=parent, owner=owner))

    async def delete_operation(self, id: str, *, parent: str, owner: str) -> None:
        """Forget an operation; one that runs goes on unseen. Raises as `get_operation`."""
        await self.operations.ask(lambda records: records.delete(id, parent=parent, owner=owner))

    async def _start(
        self,
        kind: str,
        message: AsyncBatchAnnotateImagesRequest | AsyncBatchAnnotateFilesRequest,
        parent: str,
        owner: str,
    ) -> Record:
        body = json.dumps(write_message(message))
        return await self.operations.add(kind=kind, body=body, parent=parent, owner=owner)

    async def _check_prefixes(self, prefixes: list[str]) -> None:
        def check() -> None:
            for prefix in prefixes:
                self.operations.folders.check_prefix(prefix)

        await self.annotator.dispatcher.run(check)


def split_name(name: str) -> tuple[str, str]:
    """Parent and id of an operation's name; the id is empty in the name of a list.

    Raises:
        FieldsError: not such a name.

    >>> split_name("projects/p/operations/1"), split_name("operations")
    (('projects/p', '1'), ('', ''))
    """
    parent, _, id = f"/{name}/".rpartition("/operations/")
    parent, id = parent.strip("/"), id.strip("/")
    if "/operations/" not in f"/{name}/":
        parent, id = name.strip("/"), ""
    parts = parent.split("/")
    if not _PARENT.match(parent) or not all(part.isprintable() and len(part) <= _LONGEST_PART for part in parts):
        raise _wrong("name", "must read projects/PROJECT/operations/ID, or operations/ID")
    return parent, id


def _done_filter(text: str) -> bool | None:
    plain = text.replace(" ", "").lower()
    if plain in ("", "done=true", "done=false"):
        return None if not plain else plain == "done=true"
    raise _wrong("filter", f"must be done=true or done=false, got {text[:60]!r}")


def _wrong(field: str, text: str) -> FieldsError:
    return FieldsError(f"{field}: {text}", violations=[Violation(field, text)])
