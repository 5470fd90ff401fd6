"""The log of requests: one line each, as text or as a JSON object. Pictures, keys and queries are never in it."""

import json
import logging
import traceback
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from szem.tasks.option import camel

__all__ = ["Access", "JsonFormatter"]


@dataclass(frozen=True, kw_only=True)
class Access:
    """One request that was answered, refused, or given up."""

    id: str  # the caller's x-request-id, or one made here
    protocol: str  # http or grpc
    method: str  # GET, POST …; the name of the method in gRPC
    path: str  # as it was asked for, without the query
    route: str  # the pattern that matched
    status: int  # of HTTP, or google.rpc code in gRPC
    duration_ms: float
    bytes_in: int  # of the body, as it was sent
    bytes_out: int  # of the answer's body
    pictures: int  # pictures and pages that were asked about
    client: str  # address of the caller

    def __str__(self) -> str:
        path = quote(self.path[:200], safe="/:._-~*@")  # nothing that could forge a line
        return (
            f"{self.id} {self.method} {path} {self.status} {self.duration_ms:.1f} ms in={self.bytes_in} "
            f"out={self.bytes_out} pictures={self.pictures} from={self.client}"
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields under their names in JSON."""
        return {camel(name): value for name, value in asdict(self).items()} | {"path": self.path[:200]}


class JsonFormatter(logging.Formatter):
    """Log records as JSON objects, one a line: `time`, `level`, `logger`, and a request's fields or `message`."""

    def format(self, record: logging.LogRecord) -> str:
        """One record."""
        moment = datetime.fromtimestamp(record.created, UTC)
        row: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
        }
        first = record.args[0] if isinstance(record.args, tuple) and record.args else None
        row |= first.to_dict() if isinstance(first, Access) else {"message": record.getMessage()}
        if record.exc_info:
            row["exception"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(row, ensure_ascii=False)
