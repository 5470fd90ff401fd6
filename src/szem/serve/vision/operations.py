"""Long operations: accepted, worked on in the background, taken up again after a crash.

Answers go into files of `batchSize` pictures or pages each. A file appears whole, and only then is progress noted; a
server that dies between the two writes the same file again. So each picture is answered exactly once.

What passes is waited for: a full disk, or a database that does not answer, holds an operation up and does not end it.
What killed servers left half-written is swept when their operation goes on.
"""

import asyncio
import json
import logging
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from szem.errors import RangeError, StoreError, SzemError
from szem.runtime.databases import FULL, is_full, plain_fault
from szem.serve.folders import AllowedFolders
from szem.serve.metrics import Metrics
from szem.serve.protojson import parse_json, read_message, write_message
from szem.serve.settings import ServeSettings
from szem.serve.status import UnavailableError, error_to_status
from szem.serve.vision.annotate import Annotator, to_status
from szem.serve.vision.files import annotate_pages, load_file
from szem.serve.vision.records import CANCELLED_STATUS, MAX_ATTEMPTS, Record, Records, timestamp
from szem.serve.vision.schema import (
    AnnotateFileResponse,
    AnnotateImageResponse,
    AsyncAnnotateFileRequest,
    AsyncBatchAnnotateFilesRequest,
    AsyncBatchAnnotateImagesRequest,
    BatchAnnotateImagesResponse,
    InputConfig,
    OutputConfig,
)
from szem.serve.vision.versions import STABLE
from szem.serve.workers import ARRIVED

__all__ = ["Operations", "operation_to_json", "output_name"]

_log = logging.getLogger("szem.serve.operations")
_TYPES = "type.googleapis.com/google.cloud.vision."
_STATES = {"CREATED": 1, "RUNNING": 2, "DONE": 3, "CANCELLED": 4}
_AT_ONCE = 4  # pictures of one operation at the same time: callers who wait come first
_POLL_S = 2.0  # how often to look for work that another server left
_FORGET_S = 3600.0  # how often to drop what ended long ago
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 30.0  # before a write that found the disk full is tried again
_WAIT_IN_ALL_S = 86_400.0  # then the operation ends with the fault
DEFAULT_BATCH = 20
T = TypeVar("T")


def output_name(prefix: str, first: int, last: int) -> str:
    """The URI of one output file.

    >>> output_name("file:///out/", 1, 20)
    'file:///out/output-1-to-20.json'
    """
    return f"{prefix}output-{first}-to-{last}.json"


def operation_to_json(record: Record, *, enums_as_int: bool = False, version: str = STABLE) -> dict[str, Any]:
    """An operation as google.longrunning.Operation.

    Args:
        record: What the database knows of it.
        enums_as_int: Numbers instead of names.
        version: Of the API that the caller speaks; the names of the types inside follow it.
    """
    answer: dict[str, Any] = {
        "name": record.name,
        "metadata": {
            "@type": f"{_TYPES}{version}.OperationMetadata",
            "state": _STATES[record.state] if enums_as_int else record.state,
            "createTime": timestamp(record.created),
            "updateTime": timestamp(record.updated),
        },
    }
    if record.done:
        answer["done"] = True
        if record.error is not None:
            answer["error"] = record.error
        else:
            response = record.response or {}
            kind = str(response.get("@type", "")).rpartition(".")[2]
            answer["response"] = {**response, "@type": f"{_TYPES}{version}.{kind}"}
    return answer


class _StoppedError(Exception):
    """The operation was cancelled, or another server has it now."""


class Operations:
    """The operations of one server, and the worker that does them.

    Args:
        settings: The operator's choices.
        annotator: Answers for pictures.
        folders: Where answers go.
        metrics: Where ends are counted.
        open_records: Opens the database, when it is first needed.
    """

    def __init__(
        self,
        settings: ServeSettings,
        annotator: Annotator,
        folders: AllowedFolders,
        metrics: Metrics,
        *,
        open_records: Callable[[], Records],
    ) -> None:
        self.settings = settings
        self.annotator = annotator
        self.folders = folders
        self.metrics = metrics
        self.worker = uuid.uuid4().hex
        self._open_records = open_records
        self._records: Records | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="szem-records")
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work, with what was left unfinished first. May be called again."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def stop(self) -> None:
        """Stop working; what is unfinished goes on at the next start."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._records is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._records.close)
        self._thread.shutdown(wait=True)

    async def ask(self, function: Callable[[Records], T]) -> T:
        """Ask the database, on its thread.

        Raises:
            UnavailableError: it does not answer.
        """

        def on_thread() -> T:
            if self._records is None:
                try:
                    self._records = self._open_records()
                except RangeError as error:  # the operator's fault or the disk's, never the caller's
                    raise UnavailableError(str(error)) from error
            return function(self._records)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, on_thread)
        except SQLAlchemyError as error:
            if is_full(error):
                raise UnavailableError(f"the database of operations cannot be written: {FULL}") from error
            _log.warning("the database of operations failed: %s", plain_fault(error))
            raise UnavailableError("the database of operations does not answer; try again a little later") from error

    async def add(self, *, kind: str, body: str, parent: str, owner: str) -> Record:
        """Accept an operation whose request has been checked."""
        record = await self.ask(lambda records: records.add(kind=kind, body=body, parent=parent, owner=owner))
        self.start()
        self._wake.set()
        return record

    # The worker -------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        ARRIVED.set(None)  # this task was begun while a request was answered; its work is of none
        keep_s = self.settings.keep_operations_days * 86_400
        forgot = -_FORGET_S
        while not self._stopping:
            try:
                now = asyncio.get_running_loop().time()
                if now - forgot >= _FORGET_S:
                    await self.ask(lambda records: records.forget(older_than_s=keep_s))
                    forgot = now
                record = await self.ask(lambda records: records.claim(self.worker))
                if record is not None:
                    await self._run(record)
                    continue
            except SzemError as error:
                _log.warning("operations pause: %s", error)
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL_S):
                    await self._wake.wait()

    async def _run(self, record: Record) -> None:
        """Do one operation to its end; nothing it holds can harm the worker."""
        work = asyncio.create_task(self._do(record))
        pulse = asyncio.create_task(self._pulse(record, work))
        try:
            ended = await work
        except _StoppedError:
            ended = {"state": "CANCELLED", "error": CANCELLED_STATUS}
        except asyncio.CancelledError:
            if self._stopping:
                work.cancel()
                with suppress(UnavailableError):  # then its lease runs out
                    await self.ask(lambda records: records.release(record.id, self.worker))
                raise
            ended = {"state": "CANCELLED", "error": CANCELLED_STATUS}
        except SzemError as error:
            ended = {"state": "DONE", "error": error_to_status(error)}
        except Exception as error:
            _log.exception("operation %s failed", record.id)
            ended = {"state": "DONE", "error": error_to_status(error)}
        finally:
            pulse.cancel()
        if await self._keep_asking(lambda records: records.finish(record.id, self.worker, **ended)):
            self.metrics.operations.labels("FAILED" if "error" in ended else "DONE").inc()

    async def _pulse(self, record: Record, work: asyncio.Task[Any]) -> None:
        """Renew the lease; end the work when the operation was cancelled or taken away."""
        while True:
            await asyncio.sleep(min(self.settings.operation_lease_s / 3, 1.0))
            try:
                if not await self.ask(lambda records: records.keep(record.id, self.worker)):
                    work.cancel()
                    return
            except UnavailableError:
                continue  # the lease runs on; the next beat may reach the database

    async def _do(self, record: Record) -> dict[str, Any]:
        if record.attempts > MAX_ATTEMPTS:
            message = f"given up: the server ended {MAX_ATTEMPTS} times while it worked on this without progress"
            return {"state": "DONE", "error": {"code": 13, "message": message}}
        body = parse_json(record.body.encode("utf-8"))
        if record.kind == "images":
            images = read_message(AsyncBatchAnnotateImagesRequest, body)
            await self._sweep(record, images.output_config)
            response = await self._do_images(record, images)
        else:
            files = read_message(AsyncBatchAnnotateFilesRequest, body)
            await self._sweep(record, *(one.output_config for one in files.requests))
            response = await self._do_files(record, files)
        return {"state": "DONE", "response": response}

    async def _sweep(self, record: Record, *outputs: OutputConfig | None) -> None:
        """Remove what a killed server left in the folders of an operation, also of one that was cancelled since."""
        for prefix in {_output(one)[0] for one in outputs}:
            with suppress(SzemError):  # the operator may have taken a folder away since
                await self.annotator.dispatcher.run(self.folders.sweep, prefix)
        if record.cancelled:
            raise _StoppedError

    async def _do_images(self, record: Record, request: AsyncBatchAnnotateImagesRequest) -> dict[str, Any]:
        prefix, size = _output(request.output_config)
        total = len(request.requests)
        for first in range(record.item, total, size):
            last = min(first + size, total)
            answers: list[AnnotateImageResponse] = []
            for start in range(first, last, _AT_ONCE):
                some = enumerate(request.requests[start : min(start + _AT_ONCE, last)], start)
                jobs = (self.annotator.annotate(one, place=f"requests[{n}]") for n, one in some)
                answers += await asyncio.gather(*jobs)
            file = BatchAnnotateImagesResponse(responses=tuple(answers))
            await self._write(output_name(prefix, first + 1, last), file)
            await self._advance(record, part=0, item=last)
        config = write_message(request.output_config)
        return {"@type": f"{_TYPES}{STABLE}.AsyncBatchAnnotateImagesResponse", "outputConfig": config}

    async def _do_files(self, record: Record, request: AsyncBatchAnnotateFilesRequest) -> dict[str, Any]:
        for part, one in enumerate(request.requests):
            if part >= record.part:
                await self._do_file(record, one, part=part, begin=record.item if part == record.part else 0)
        configs = [{"outputConfig": write_message(one.output_config)} for one in request.requests]
        return {"@type": f"{_TYPES}{STABLE}.AsyncBatchAnnotateFilesResponse", "responses": configs}

    async def _do_file(self, record: Record, one: AsyncAnnotateFileRequest, *, part: int, begin: int) -> None:
        prefix, size = _output(one.output_config)
        place = f"requests[{part}]"
        config = one.input_config or InputConfig()
        try:
            data, total = await load_file(self.annotator, one, place=place)
        except SzemError as error:  # the other files of the operation still get their answers
            failed = AnnotateFileResponse(input_config=config, error=to_status(error, place))
            await self._write(output_name(prefix, 1, 1), failed)
            await self._advance(record, part=part + 1, item=0)
            return
        for first in range(begin, total, size):
            last = min(first + size, total)
            numbers = range(first + 1, last + 1)
            answers = [a async for a in annotate_pages(self.annotator, one, data, numbers, total, place=place)]
            file = AnnotateFileResponse(input_config=config, responses=tuple(answers), total_pages=total)
            await self._write(output_name(prefix, first + 1, last), file)
            await self._advance(record, part=part, item=last)
        await self._advance(record, part=part + 1, item=0)

    async def _write(self, uri: str, message: BatchAnnotateImagesResponse | AnnotateFileResponse) -> None:
        values = write_message(message, keep_zeros=self.settings.keep_zeros)
        data = json.dumps(values, ensure_ascii=False, indent=1).encode("utf-8")
        await self._waiting_out(lambda: self._write_once(uri, data), StoreError)

    async def _write_once(self, uri: str, data: bytes) -> None:
        writing = asyncio.ensure_future(self.annotator.dispatcher.run(self.folders.write, uri, data))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait({writing})  # a thread cannot be stopped: once it is said to be over, no file comes
            raise

    async def _advance(self, record: Record, *, part: int, item: int) -> None:
        if not await self._keep_asking(lambda records: records.advance(record.id, self.worker, part=part, item=item)):
            raise _StoppedError

    async def _keep_asking(self, function: Callable[[Records], T]) -> T:
        """As `ask`, until the database answers."""
        return await self._waiting_out(lambda: self.ask(function), UnavailableError)

    async def _waiting_out(self, attempt: Callable[[], Awaitable[T]], passing: type[SzemError]) -> T:
        """Try until it succeeds, as long as the fault is one that passes by itself; cancelling ends it."""
        wait_s, waited_s = _FIRST_WAIT_S, 0.0
        while True:
            try:
                return await attempt()
            except passing as error:
                if waited_s >= _WAIT_IN_ALL_S:
                    raise
                _log.warning("an operation waits: %s", error)
            await asyncio.sleep(wait_s)
            waited_s += wait_s
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)


def _output(config: OutputConfig | None) -> tuple[str, int]:
    assert config is not None  # checked when the operation was accepted
    assert config.gcs_destination is not None
    return config.gcs_destination.uri, config.batch_size or DEFAULT_BATCH
