"""What operators and integrators ask of every service: alive, ready, how is it, what is it?"""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import flask
import orjson
from flask import Response, render_template_string
from markupsafe import Markup, escape
from marshmallow import Schema, fields
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from shared.errors import Fault
from shared.web.blueprint import Blueprint
from shared.web.errors import Problem

STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
section { border-top: 1px solid #999; padding: .5rem 0 }
h2 { font-size: 1.1rem; margin: .5rem 0 } code { background: #eee; padding: 0 .2rem }
dt { font-weight: bold }
"""

PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title>
<meta name="viewport" content="width=device-width"><style>{{ style | safe }}</style></head>
<body><main><h1>{{ title }}</h1>
<p>Every call, its fields and its answers: <a href="/openapi.json">/openapi.json</a>. Calls marked
<em>key</em> need <code>Authorization: Bearer rk_…</code>; errors are problem+json.</p>
{% for call in calls %}<section id="{{ call.anchor }}">
<h2><code>{{ call.method }} {{ call.path }}</code></h2>
<p>{{ call.summary | code }}
{% if call.right %} (<em>key</em> with the right {{ call.right }}){% endif %}
</p>{% if call.description %}<p>{{ call.description | code }}</p>{% endif %}
{% if call.parameters %}<dl>{% for parameter in call.parameters %}
<dt><code>{{ parameter.name }}</code> ({{ parameter.place }})</dt>
<dd>{{ parameter.description | code }}</dd>{% endfor %}</dl>{% endif %}
</section>{% endfor %}</main></body></html>
"""

_BACKTICKED = re.compile(r"`([^`]+)`")
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
PAGE_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none';"
    " base-uri 'none'"
)


class AliveSchema(Schema):
    """The process answers."""

    alive = fields.Boolean(required=True)


class ReadySchema(Schema):
    """Everything that the service needs answers."""

    ready = fields.Boolean(required=True)
    checks = fields.Dict(keys=fields.String(), values=fields.Boolean(), required=True)


def blueprint(checks: Mapping[str, Callable[[], bool]], metrics_dir: Path | None) -> Blueprint:
    """Return the calls that operators make; none needs a key, none tells of anybody."""
    calls = Blueprint("operations", __name__, description="For operators; without a key.")

    @calls.route("/livez")
    @calls.doc(security=[])
    @calls.response(200, AliveSchema)
    def livez() -> dict[str, bool]:
        """Say that the process answers; depends on nothing else."""
        return {"alive": True}

    @calls.route("/readyz")
    @calls.doc(security=[])
    @calls.response(200, ReadySchema)
    def readyz() -> dict[str, Any]:
        """Say whether everything that the service needs answers; 503 names what does not."""
        results = {name: check() for name, check in checks.items()}
        away = [
            Fault("", f"{name} does not answer", f"{name}_away")
            for name, answers in results.items()
            if not answers
        ]
        if away:
            raise Problem(503, "not_ready", errors=away)
        return {"ready": True, "checks": results}

    @calls.route("/metrics")
    @calls.doc(security=[])
    @calls.response(200, {"type": "string"}, content_type="text/plain")
    def metrics() -> Response:
        """Give the metrics in the text format of Prometheus."""
        registry = REGISTRY
        if metrics_dir is not None:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, str(metrics_dir))  # type: ignore[no-untyped-call]
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    return calls


def documents(openapi: Mapping[str, Any]) -> flask.Blueprint:
    """Return the calls that describe the others: /openapi.json, and /docs to read."""
    pages = flask.Blueprint("documents", __name__)
    pages.add_app_template_filter(_code, "code")
    body = orjson.dumps(openapi)
    calls = _calls(openapi)

    @pages.route("/openapi.json")
    def openapi_json() -> Response:
        return Response(body, content_type="application/json")

    @pages.route("/docs")
    def docs() -> Response:
        title = openapi["info"]["title"]
        page = render_template_string(PAGE, title=title, style=STYLE, calls=calls)
        headers = {"Content-Security-Policy": PAGE_POLICY}
        return Response(page, headers=headers, content_type="text/html; charset=utf-8")

    return pages


def _code(text: str) -> Markup:
    """Return text as HTML, with what stands between backticks as code."""
    return Markup(_BACKTICKED.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped.


def _calls(openapi: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "anchor": f"{method}{path.replace('/', '-')}",
            "method": method.upper(),
            "path": path,
            "summary": operation.get("summary", ""),
            "description": operation.get("description", ""),
            "right": operation.get("x-right", ""),
            "parameters": [
                {
                    "name": parameter["name"],
                    "place": parameter["in"],
                    "description": parameter.get("description", ""),
                }
                for parameter in [*item.get("parameters", []), *operation.get("parameters", [])]
                if "name" in parameter
            ],
        }
        for path, item in openapi["paths"].items()
        for method, operation in item.items()
        if method in {"get", "post", "put", "patch", "delete"}
    ]
