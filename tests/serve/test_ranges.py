"""Every option of every route has a range, and what lies outside is refused: made from the OpenAPI description."""

import dataclasses
import io
import json
import wave
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from szem.media.samples import sample_path
from szem.serve.handlers.live import LiveSettings
from szem.serve.protojson import parse_json, read_message
from szem.serve.settings import ServeSettings
from szem.serve.status import FieldsError
from szem.tasks.surveillance.rules import Rules
from tests.openapi import describe

pytestmark = pytest.mark.slow  # hundreds of requests

Schema = dict[str, Any]
DOCUMENT: Schema = describe()
LONG = "x" * 30_000
# Numbers that no option takes, as a query writes them. The last ones are not even numbers of JSON.
HUGE = (str(2**31), str(2**63), str(-(2**63)), "1e400", "-1e400", "9" * 5000)
NUMBERS = (*HUGE, "nan", "inf", "-inf", "NaN", "", "one")
# What is bounded by its own rules, reported with its reason.
FREE = {
    ("filter", "stride"): "one pixel is left; a step costs nothing",
    ("filter", "dilation"): "taps beyond the picture fold; a size costs nothing",
}


def resolved(schema: Schema) -> Schema:
    """A schema without references and without null."""
    if "$ref" in schema:
        return resolved(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return resolved(next(one for one in schema["anyOf"] if one.get("type") != "null"))
    return schema


def operations() -> Iterator[tuple[str, str, Schema]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def options() -> Iterator[tuple[str, str, str, str, Schema, bool]]:
    """Method, path, name, where it stands, schema, and whether the query has it as JSON."""
    for method, path, operation in operations():
        for parameter in operation.get("parameters", []):
            content = parameter.get("content")
            schema = parameter["schema"] if content is None else content["application/json"]["schema"]
            yield method, path, parameter["name"], parameter["in"], resolved(schema), content is not None


OPTIONS = list(options())


def leaf(schema: Schema) -> Schema:
    while schema.get("type") == "array":
        schema = resolved(schema["items"])
    return schema


@pytest.mark.parametrize("option", OPTIONS, ids=[f"{m} {p} {n}" for m, p, n, *_ in OPTIONS])
def test_the_description_says_the_range_of_every_option(option: tuple[str, str, str, str, Schema, bool]) -> None:
    _, path, _, where, schema, _ = option
    if schema.get("type") == "array":
        assert "maxItems" in schema
    inner = leaf(schema)
    if inner.get("type") in ("integer", "number"):
        assert {"minimum", "maximum"} <= inner.keys(), "say the range of its numbers with szem.tasks.option.option"
    elif inner.get("type") == "string" and where == "query" and path.startswith("/v1/szem/"):
        assert "maxLength" in inner or "enum" in inner


@pytest.fixture(scope="module")
def fresh(settings: ServeSettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    from .conftest import running

    home = tmp_path_factory.mktemp("ranges")
    own = replace(settings, database=f"sqlite:///{home / 'o.sqlite3'}", guard_store=home / "guard")
    with running(own) as server:
        yield server


def file_for(operation: Schema) -> tuple[bytes, str] | None:
    """A small file of the kind that a route takes."""
    content = operation.get("requestBody", {}).get("content", {})
    if "image/*" in content:
        return sample_path("cat").read_bytes(), "image/png"
    if "audio/*" in content or "video/*" in content:
        out = io.BytesIO()
        with wave.open(out, "wb") as sound:
            sound.setparams((1, 2, 8000, 0, "NONE", ""))
            sound.writeframes(bytes(16_000))
        return out.getvalue(), "audio/wav"
    return None


def refused(answer: httpx.Response, *, option: str, value: str) -> None:
    """A typed refusal, short, without a 500."""
    shown = f"{option}={value[:30]}: {answer.status_code} {answer.text[:200]}"
    assert 400 <= answer.status_code < 500, shown
    assert answer.status_code != 429, shown
    body = answer.json()
    assert 0 < len(body["error"]["message"]) < 1000, shown
    json.dumps(body, allow_nan=False)


def outside(schema: Schema) -> list[str]:
    """Values outside a schema, as text."""
    kind = schema.get("type")
    if kind in ("integer", "number"):
        over = [str(schema["maximum"] + 1), str(schema["minimum"] - 1)] if "maximum" in schema else []
        return [*over, *(n for n in NUMBERS if not (n.isdigit() and int(n[:40]) <= schema.get("maximum", 0)))]
    if kind == "string" and "maxLength" in schema:
        return ["x" * (schema["maxLength"] + 1)] if schema["maxLength"] < len(LONG) else []
    return []


@pytest.mark.parametrize("option", OPTIONS, ids=[f"{m} {p} {n}" for m, p, n, *_ in OPTIONS])
def test_what_lies_outside_is_refused_and_never_a_fault_of_the_server(
    fresh: httpx.Client, option: tuple[str, str, str, str, Schema, bool]
) -> None:
    method, path, name, where, schema, as_json = option
    operation = DOCUMENT["paths"][path][method.lower()]
    file = file_for(operation)
    sent: dict[str, Any] = {} if file is None else {"content": file[0], "headers": {"content-type": file[1]}}
    others = {
        p["name"]: p["schema"].get("default", 1)
        for p in operation.get("parameters", [])
        if p["in"] == "query" and p.get("required") and p["name"] != name
    }
    values = outside(leaf(schema))
    for text in values:
        value = text
        if as_json and not text and schema.get("type") == "array":
            continue  # an empty list is one
        if as_json and schema.get("type") == "array":
            inner = schema
            while inner.get("type") == "array":
                value, inner = f"[{value}]", resolved(inner["items"])
        real = path
        for other in (p for p in operation.get("parameters", []) if p["in"] == "path"):
            real = real.replace(
                f"{{{other['name']}}}", value.replace("/", "") or "-" if other["name"] == name else "1"
            )
        query = others | ({name: value} if where == "query" else {})
        answer = fresh.request(method, real, params=query, **sent)
        if (path.rpartition("/")[2], name) in FREE and answer.status_code == 200:
            continue
        refused(answer, option=name, value=value)


def bodies() -> Iterator[tuple[str, str, str, Schema]]:
    """Method, path, place in the JSON body, schema, for everything that takes JSON."""

    def walk(schema: Schema, place: tuple[str, ...], depth: int) -> Iterator[tuple[str, Schema]]:
        schema = resolved(schema)
        if schema.get("type") == "object" and "properties" in schema and depth < 6:
            for name, inner in schema["properties"].items():
                yield from walk(inner, (*place, name), depth + 1)
        elif schema.get("type") == "array":
            yield ".".join(place), schema
            yield from walk(schema["items"], (*place, "[]"), depth + 1)
        elif place:
            yield ".".join(place), schema

    for method, path, operation in operations():
        media = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if media is not None:
            for place, schema in walk(media["schema"], (), 0):
                yield method, path, place, schema


BODIES = list(bodies())
WRONG = (2**31, 2**63, -(2**63), float("inf"), float("nan"), 10**4000, "", LONG, [], {}, True, None, [[[[]]]])


def nested(place: str, value: Any) -> Any:
    for part in reversed(place.split(".")):
        value = [value] if part == "[]" else {part: value}
    return value


@pytest.mark.parametrize("body", BODIES, ids=[f"{m} {p} {n}" for m, p, n, _ in BODIES])
def test_no_value_in_a_body_is_a_fault_of_the_server(fresh: httpx.Client, body: tuple[str, str, str, Schema]) -> None:
    method, path, place, schema = body
    inside = isinstance(schema.get("maximum"), int) and schema["maximum"] < 2**31 - 1
    over = (schema["maximum"] + 1, schema["minimum"] - 1) if inside else ()
    for value in (*WRONG, *over):
        text = (
            json.dumps(nested(place, value))
            if value != 10**4000
            else json.dumps(nested(place, "@")).replace('"@"', "9" * 4000)
        )
        real = path.replace("{event}", "1")
        answer = fresh.request(method, real, content=text, headers={"content-type": "application/json"})
        shown = f"{place}={str(value)[:30]}: {answer.status_code} {answer.text[:300]}"
        assert answer.status_code < 500 or answer.status_code == 501, shown
        assert len(answer.content) < 200_000, shown
        if value in over:
            assert answer.status_code == 400, shown


JSON_ROUTES = sorted({(method, path) for method, path, *_ in BODIES})


@pytest.mark.parametrize(("method", "path"), JSON_ROUTES, ids=[f"{m} {p}" for m, p in JSON_ROUTES])
def test_no_text_in_place_of_a_body_is_a_fault_of_the_server(fresh: httpx.Client, method: str, path: str) -> None:
    """Nesting without end, a name twice, numbers of JavaScript, half a body, other encodings, nothing at all."""
    name = next(place.partition(".")[0] for m, p, place, _ in BODIES if (m, p) == (method, path))
    bad: list[bytes] = [b"[" * 100_000, b'{"a":' * 50_000, f'{{"{name}":'.encode() * 20_000, b"NaN", b"-Infinity"]
    bad += [
        f'{{"{name}": 1, "{name}": 2}}'.encode(),
        f'{{"{name}":'.encode(),
        b"9" * 100_000,
        b"null",
        b'"x"',
        b"1e999",
    ]
    bad += [b"\xff\xfe{\x00}\x00", b'{"\xed\xa0\x80": 1}', b"{} {}", b"\x00", b'{"__proto__": {"a": 1}}']
    for body in bad:
        real = path.replace("{event}", "1")
        answer = fresh.request(method, real, content=body, headers={"content-type": "application/json"})
        shown = f"{body[:30]!r}: {answer.status_code} {answer.text[:200]}"
        assert 400 <= answer.status_code < 500 or (answer.status_code == 200 and "fault" in answer.json()), shown
        assert len(answer.content) < 5_000, shown


# Settings that do not come as options of a route ------------------------------------------------------------------

RULES = Rules.model_json_schema()
TABLES = {"clips": "ClipSettings", "keep": "RetentionPeriods", "watch": "WatchSettings", "webhooks.a": "Webhook"}
TABLES |= {"mqtt.a": "Mqtt", "[rules]": "Rule"}
NEEDED = {"webhooks.a": 'url = "http://127.0.0.1/"\n', "mqtt.a": 'host = "h"\n'}
NEEDED |= {"[rules]": 'name = "r"\nevents = ["enters"]\n'}


def numbers_of_rules() -> Iterator[tuple[str, str, Schema]]:
    """Table, key and schema of each number that a rules file may hold."""
    for table, definition in TABLES.items():
        for key, schema in RULES["$defs"][definition]["properties"].items():
            plain = next((one for one in schema.get("anyOf", ()) if one.get("type") != "null"), schema)
            if plain.get("type") in ("integer", "number"):
                yield table, key, plain


RULE_NUMBERS = list(numbers_of_rules())


@pytest.mark.parametrize(("table", "key", "schema"), RULE_NUMBERS, ids=[f"{t}.{k}" for t, k, _ in RULE_NUMBERS])
def test_every_number_of_the_rules_has_a_range_and_nothing_else_is_taken(
    fresh: httpx.Client, table: str, key: str, schema: Schema
) -> None:
    if "enum" not in schema:
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        assert high is not None, "say the range of the number in its Field"
        assert low is not None
        beyond = [str(high + 1), str(low - 1)]
    else:
        beyond = []
    for value in (*beyond, str(2**31), str(2**63), "-1e400", "inf", "-inf", "nan", "9" * 5000, "0x" + "f" * 5000):
        text = f"[{table}{']' if table.startswith('[') else ''}]\n{NEEDED.get(table, '')}{key} = {value}\n"
        checked = fresh.put("/v1/szem/guard/rules/check", json={"text": text})
        assert checked.status_code == 200
        fault = checked.json()["fault"]
        assert "line" in fault, (value[:20], fault)
        assert len(fault) < 500
        assert "sys." not in fault
        saved = fresh.put("/v1/szem/guard/rules", json={"text": text})
        assert saved.status_code == 400, saved.text
        assert saved.json()["error"]["message"] == fault


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000, "1e400", "NaN", "1" + "0" * 4000, "[" * 30_000])
def test_numbers_without_end_in_zones_are_refused_in_our_own_words(fresh: httpx.Client, number: str) -> None:
    for body in (f'{{"lines":[{{"name":"a","points":[[0,0],[{number},1]]}}]}}', number, f'{{"zones":{number}}}'):
        answer = fresh.put("/v1/szem/guard/areas/check", content=body)
        assert answer.status_code == 200
        assert answer.json()["fault"]
        assert "sys." not in answer.text
        assert len(answer.text) < 500


def test_each_setting_of_a_live_stream_has_a_range() -> None:
    for field in dataclasses.fields(LiveSettings):
        if field.type in ("bool", bool):
            continue
        known = set(field.metadata)
        if "float" in str(field.type):
            assert {"minimum", "maximum"} <= known, field.name
        else:
            assert "most" in known, field.name
            assert "tuple" not in str(field.type) or "letters" in known, field.name


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(LiveSettings)])
def test_what_lies_outside_is_refused_by_a_live_stream(field: str) -> None:
    limits = LiveSettings.__dataclass_fields__[field].metadata
    values: list[Any] = [2**31, 2**63, -(2**63), "x" * 30_000, ["x"] * 11_000, [["x"]], {"a": 1}]
    if "maximum" in limits:
        values += [limits["maximum"] + 1, limits["minimum"] - 1, "nan", "inf", 10**400]
    if "letters" in limits:
        values += [["x" * (limits["letters"] + 1)], ["x"] * (limits["most"] + 1), [2**31]]
    elif "most" in limits:
        values += ["x" * (limits["most"] + 1)]
    for value in values:
        with pytest.raises(FieldsError) as refused:
            read_message(LiveSettings, parse_json(json.dumps({field: value}).encode()))
        assert field in str(refused.value)
        assert len(str(refused.value)) < 500
