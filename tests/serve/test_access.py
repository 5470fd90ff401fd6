"""The log of requests, field by field, as text and as JSON; and what is never in it."""

import base64
import json
import logging
import re
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from szem.serve.access import Access, JsonFormatter

FIELDS = {
    "time", "level", "logger", "id", "protocol", "method", "path", "route", "status", "durationMs", "bytesIn",
    "bytesOut", "pictures", "client",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _lines_are_kept(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="szem.serve")  # for the whole test: a line may follow its answer


def line_of(caplog: pytest.LogCaptureFixture, id: str) -> logging.LogRecord:
    """The one line of a request; it is written when the answer has been sent, so perhaps after it was read."""
    end = time.monotonic() + 10
    while True:
        found = [
            one for one in caplog.records if one.args and isinstance(one.args[0], Access) and one.args[0].id == id
        ]  # type: ignore[index]
        if found or time.monotonic() > end:
            (line,) = found
            return line
        time.sleep(0.01)


def test_each_field_of_a_request(server: httpx.Client, small: bytes, caplog: pytest.LogCaptureFixture) -> None:
    row = {"image": {"content": base64.b64encode(small).decode()}, "features": [{"type": "IMAGE_PROPERTIES"}]}
    body = json.dumps({"requests": [row, row]}).encode()
    before = datetime.now(UTC) - timedelta(seconds=1)
    with caplog.at_level(logging.INFO, logger="szem.serve"):
        answer = server.post(
            "/v1/projects/p/images:annotate?key=hidden", content=body, headers={"x-request-id": "field-by-field"}
        )
    row = json.loads(JsonFormatter().format(line_of(caplog, "field-by-field")))
    assert set(row) == FIELDS
    assert before <= datetime.fromisoformat(row["time"]) <= datetime.now(UTC)
    assert row["level"] == "INFO"
    assert row["logger"] == "szem.serve"
    assert row["id"] == answer.headers["x-request-id"] == "field-by-field"
    assert (row["protocol"], row["method"], row["status"]) == ("http", "POST", 200)
    assert row["path"] == "/v1/projects/p/images:annotate"
    assert row["route"] == "/v1/projects/{project}/images:annotate"
    assert row["bytesIn"] == len(body)
    assert row["bytesOut"] == len(answer.content)
    assert row["pictures"] == 2
    assert row["client"] == "127.0.0.1"
    assert 0 < row["durationMs"] < 120_000
    text = line_of(caplog, "field-by-field").getMessage()
    assert re.fullmatch(
        rf"field-by-field POST /v1/projects/p/images:annotate 200 [\d.]+ ms in={len(body)} "
        rf"out={len(answer.content)} pictures=2 from=127\.0\.0\.1",
        text,
    )
    assert "hidden" not in text + json.dumps(row)


def test_a_refusal_and_an_unknown_path_have_their_lines(
    server: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="szem.serve"):
        server.post("/v1/images:annotate", content=b"[", headers={"x-request-id": "bad"})
        server.get("/v1/a%0Ab", headers={"x-request-id": "lost"})
    bad, lost = (json.loads(JsonFormatter().format(line_of(caplog, id))) for id in ("bad", "lost"))
    assert (bad["status"], bad["pictures"], bad["bytesIn"]) == (400, 0, 1)
    assert (lost["status"], lost["route"], lost["path"]) == (404, "/v1/", "/v1/a\nb")
    assert "\n" not in line_of(caplog, "lost").getMessage()
    assert JsonFormatter().format(line_of(caplog, "lost")).count("\n") == 0


def test_other_lines_are_objects_too() -> None:
    try:
        raise ValueError("broken")
    except ValueError as error:
        record = logging.LogRecord(
            "szem.serve", logging.ERROR, __file__, 1, "request %s failed", ("r",), (type(error), error, None)
        )
    row = json.loads(JsonFormatter().format(record))
    assert row["message"] == "request r failed"
    assert "ValueError: broken" in row["exception"]
