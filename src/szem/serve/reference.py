"""The reference of the API as one plain page, from the OpenAPI description: no script, nothing from elsewhere."""

import base64
import hashlib
from html import escape
from typing import Any

from starlette.responses import HTMLResponse

__all__ = ["reference_page"]

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--go:#0a6b4f;--ask:#1f4fa8;--end:#a8321f}
@media(prefers-color-scheme:dark){:root{--go:#63d6ae;--ask:#8fb4ff;--end:#ff9a86}}
body{font:16px/1.55 system-ui,sans-serif;max-width:56rem;margin:0 auto;padding:2rem 1rem 4rem}
h1{font-size:2rem;margin:0}h2{margin:2.5rem 0 .5rem;border-bottom:1px solid var(--line)}
h3{font:600 1.05rem ui-monospace,monospace;margin:1.8rem 0 .2rem}p{margin:.3rem 0}
b.GET{color:var(--ask)}b.POST{color:var(--go)}b.DELETE{color:var(--end)}
pre{background:var(--soft);border:1px solid var(--line);border-radius:6px;padding:.7rem;overflow-x:auto;
  font-size:.85rem}
code{font-family:ui-monospace,monospace;font-size:.9em}table{border-collapse:collapse;margin:.4rem 0}
td,th{border:1px solid var(--line);padding:.2rem .6rem;text-align:left;vertical-align:top}
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode("utf-8")).digest()).decode("ascii")
_HEADERS = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


def reference_page(described: dict[str, Any], *, server: str) -> HTMLResponse:
    """Write the page.

    Args:
        described: The OpenAPI description.
        server: The address that examples name.
    """
    sections: dict[str, list[str]] = {}
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            tag = (operation.get("tags") or ["other"])[0]
            sections.setdefault(tag, []).append(_operation(path, method.upper(), operation, server))
    parts = [f"<h2>{escape(tag)}</h2>{''.join(rows)}" for tag, rows in sections.items()]
    schemas = described.get("components", {}).get("schemas", {})
    messages = "".join(_schema(name, schema) for name, schema in sorted(schemas.items()))
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>szem API</title><style>{_STYLE}</style></head><body>"
        f"<h1>szem API</h1><p>Version {escape(described['info']['version'])}. The description for programs is "
        '<a href="/openapi.json">openapi.json</a>.</p>'
        f"{''.join(parts)}<h2>Messages</h2>{messages}</body></html>"
    )
    return HTMLResponse(text, headers=_HEADERS)


def _operation(path: str, method: str, operation: dict[str, Any], server: str) -> str:
    about = escape(operation.get("description") or operation.get("summary") or "").replace("\n", "<br>")
    rows = "".join(
        f"<tr><td><code>{escape(p['name'])}</code></td><td>{escape(p['in'])}</td>"
        f"<td>{escape(_type(p.get('schema', {})))}</td></tr>"
        for p in operation.get("parameters", [])
    )
    table = f"<table><tr><th>option</th><th>in</th><th>type</th></tr>{rows}</table>" if rows else ""
    body = operation.get("requestBody", {}).get("content", {})
    message = _type(body.get("application/json", {}).get("schema", {})) if body else ""
    message_line = f"<p>Body: <code>{escape(message)}</code></p>" if message else ""
    curl, python = _examples(path, method, body, server)
    return (
        f'<h3><b class="{method}">{method}</b> {escape(path)}</h3><p>{about}</p>{message_line}{table}'
        f"<pre>{escape(curl)}</pre><pre>{escape(python)}</pre>"
    )


def _examples(path: str, method: str, body: dict[str, Any], server: str) -> tuple[str, str]:
    """The call in curl and in Python."""
    url = server + path
    verb = method.lower()
    if "image/*" in body:
        curl = f"curl -s {url} -H 'content-type: image/jpeg' --data-binary @photo.jpg"
        data = 'headers={"content-type": "image/jpeg"}, data=open("photo.jpg", "rb")'
        return curl, f'import requests\nanswer = requests.post("{url}", {data})'
    if body:
        curl = f"curl -s {url} -H 'content-type: application/json' -d @request.json"
        return curl, f'import json, requests\nanswer = requests.post("{url}", json=json.load(open("request.json")))'
    flag = "" if method == "GET" else f"-X {method} "
    return f"curl -s {flag}{url}", f'import requests\nanswer = requests.{verb}("{url}")'


def _schema(name: str, schema: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code></td><td>{escape(_type(inner))}</td></tr>"
        for field, inner in schema.get("properties", {}).items()
    )
    about = escape(schema.get("description", ""))
    return f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{about}</p><table>{rows}</table>'


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_type(inner) for inner in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "any")
