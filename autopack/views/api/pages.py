"""/docs and /redoc: one page, made from the OpenAPI document. Nothing of another host is loaded, and no script is
needed to read it; with scripts, each request can be tried on /docs.
"""

import html
import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'"
)


@router.get("/docs")
def docs(request: Request) -> HTMLResponse:
    return _page(request, tried=True)


@router.get("/redoc")
def redoc(request: Request) -> HTMLResponse:
    return _page(request, tried=False)


def _page(request: Request, *, tried: bool) -> HTMLResponse:
    api = request.app.openapi()
    parts = [
        _operation(api, path, method, told, tried=tried)
        for path, methods in api["paths"].items()
        for method, told in methods.items()
    ]
    token = '<p><label>Token <input id="token" type="password" autocomplete="off"></label></p>' if tried else ""
    body = f"<h1>{html.escape(api['info']['title'])}</h1>{token}{''.join(parts)}{_types(api)}"
    script = f"<script>{_SCRIPT}</script>" if tried else ""
    head = f'<meta charset="utf-8"><title>autopack: REST</title><style>{_STYLE}</style>'
    page = f'<!doctype html><html lang="en"><head>{head}</head><body>{body}{script}</body></html>'
    return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})


def _operation(api: dict[str, Any], path: str, method: str, told: dict[str, Any], *, tried: bool) -> str:
    given = [
        f"<li><code>{html.escape(each['name'])}</code> ({each['in']}) {_words(each)}</li>" for each in _given(told)
    ]
    body = told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    name = body.get("$ref", "").rpartition("/")[2]
    needs = f'<p>Body: <a href="#{name}"><code>{name}</code></a></p>' if name else ""
    summary, more = html.escape(told["summary"]), html.escape(told.get("description", ""))
    head = f"<h2><code>{method.upper()} {html.escape(path)}</code></h2><p><strong>{summary}</strong></p><p>{more}</p>"
    form = _form(api, path, method, told, name) if tried else ""
    return f"<section>{head}<ul>{''.join(given)}</ul>{needs}{form}</section>"


def _given(told: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = told.get("parameters", [])
    return found


def _words(parameter: dict[str, Any]) -> str:
    return html.escape(parameter.get("description") or parameter["schema"].get("description") or "")


def _form(api: dict[str, Any], path: str, method: str, told: dict[str, Any], body: str) -> str:
    fields = [
        f'<label>{html.escape(each["name"])} <input name="{html.escape(each["name"])}" data-in="{each["in"]}"></label> '
        for each in _given(told)
    ]
    if body:
        wanted = api["components"]["schemas"][body].get("required", [])
        sample = html.escape(json.dumps(dict.fromkeys(wanted, ""), indent=1))
        fields.append(f'<br><textarea name="body" rows="6" cols="70">{sample}</textarea>')
    place = f'data-path="{html.escape(path)}" data-method="{method}"'
    form = f"<form {place}>{''.join(fields)}<button>Send</button></form>"
    return f"<details><summary>try it</summary>{form}<pre></pre></details>"


def _types(api: dict[str, Any]) -> str:
    schemas = api.get("components", {}).get("schemas", {})
    rows = (
        f'<section id="{name}"><h2>{name}</h2><pre>{html.escape(json.dumps(told, indent=1))}</pre></section>'
        for name, told in schemas.items()
    )
    return "".join(rows)


_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:auto;padding:1rem}"
    "section{border-top:1px solid #8888;padding:.5rem 0}h2{font-size:1.1rem}pre{overflow:auto}"
    ":root{color-scheme:light dark}input,textarea{max-width:100%}"
)

_SCRIPT = """
for (const form of document.forms) form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const query = new URLSearchParams(), headers = {};
  let path = form.dataset.path;
  for (const field of form.querySelectorAll('input')) {
    if (!field.value) continue;
    if (field.dataset.in === 'path') path = path.replace('{' + field.name + '}', encodeURIComponent(field.value));
    if (field.dataset.in === 'query') query.set(field.name, field.value);
    if (field.dataset.in === 'header') headers[field.name] = field.value;
  }
  const token = document.getElementById('token').value;
  if (token) headers['Authorization'] = 'Bearer ' + token;
  const body = form.elements.body && form.elements.body.value;
  if (body) headers['Content-Type'] = 'application/json';
  const address = path + (query.size ? '?' + query : '');
  const found = await fetch(address, {method: form.dataset.method.toUpperCase(), headers, body: body || undefined});
  form.nextElementSibling.textContent = found.status + '\\n' + await found.text();
});
"""
