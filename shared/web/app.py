"""The application factory of all services: errors, metrics, health and documents alike."""

import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPMethod, HTTPStatus
from pathlib import Path
from typing import Any, Final

import flask_smorest
import orjson
from flask import Flask, Response, g, request
from flask.json.provider import JSONProvider

from shared.logs import logger
from shared.metrics import HTTP_REQUEST_SECONDS
from shared.storage.accounts import Accounts
from shared.web import auth, errors, operations

OPENAPI_VERSION: Final = "3.1.0"
API_VERSION: Final = "1"
MAX_BODY_BYTES: Final = 1_048_576

SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Set on every answer; a view that sets one itself (a cached document, a page) keeps its own."""


_SECURITY: Final = {name.lower(): (name, text) for name, text in SECURITY_HEADERS.items()}


class Service(Flask):
    """Flask without coroutines: its views, hooks and handlers are plain functions."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is; looking what it is costs ten times in every request."""
        return func


class Api(flask_smorest.Api):  # type: ignore[misc]  # smorest is not typed.
    """flask-smorest, with errors as problem+json in the document and in the answers."""

    ERROR_SCHEMA = errors.ProblemSchema

    def _register_error_handlers(self) -> None:
        """Leave it to ``errors.register``: smorest's own bodies are not problem+json."""

    def _register_responses(self) -> None:
        """Register the answers of errors, which are all that smorest registers by itself."""
        self.DEFAULT_RESPONSE_CONTENT_TYPE = errors.MEDIA_TYPE
        super()._register_responses()
        self.DEFAULT_RESPONSE_CONTENT_TYPE = "application/json"


class _Orjson(JSONProvider):
    def dumps(self, obj: Any, **_: Any) -> str:
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        return orjson.loads(s)


def create_app(
    name: str,
    blueprints: Sequence[flask_smorest.Blueprint],
    accounts: Accounts,
    *,
    checks: Mapping[str, Callable[[], bool]],
    max_body_bytes: int = MAX_BODY_BYTES,
    metrics_dir: Path | None = None,
) -> Flask:
    """Return a WSGI application.

    Args:
        name: The service, as the log and the document call it.
        blueprints: Its calls.
        accounts: Where keys are looked up.
        checks: What must hold to be ready, by name (``database``, ``stream``); none may raise or
            take longer than a few seconds. Liveness never asks them.
        max_body_bytes: A larger body gets 413 before it is read.
        metrics_dir: prometheus-client's folder, where several processes share the port.
    """
    app = Service(name, static_folder=None)
    app.json = _Orjson(app)
    app.url_map.strict_slashes = False
    app.config.update(
        API_TITLE="Rapport" if name == "rapport" else f"Rapport: {name}",
        API_VERSION=API_VERSION,
        OPENAPI_VERSION=OPENAPI_VERSION,
        MAX_CONTENT_LENGTH=max_body_bytes,
    )
    app.extensions[auth.ACCOUNTS] = accounts
    errors.register(app)
    _observe(app)
    app.before_request(_refuse_cut_bodies)
    api = Api(app, spec_kwargs={"security": [{auth.SCHEME: []}]})
    api.spec.components.security_scheme(auth.SCHEME, auth.SECURITY_SCHEME)
    for blueprint in blueprints:
        api.register_blueprint(blueprint)
    api.register_blueprint(operations.blueprint(checks, metrics_dir))
    app.register_blueprint(operations.documents(api.spec.to_dict()))
    return app


def _refuse_cut_bodies() -> None:
    """Refuse a body of unannounced length that reaches the limit, where werkzeug cuts it off.

    One that is exactly as long as the limit is refused as well: nobody can tell it from a cut one.
    """
    limit = request.max_content_length
    terminated = request.environ.get("wsgi.input_terminated")
    if request.content_length is not None or not terminated or limit is None:
        return
    if len(request.get_data()) >= limit:
        raise errors.Problem(413, "request_entity_too_large")


def _observe(app: Flask) -> None:
    """Time, count and log each request by its route, never by its address."""
    log = logger(app.name)

    @app.before_request
    def _begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def _end(response: Response) -> Response:
        given = {header.lower() for header, _ in response.headers}
        response.headers.extend(_SECURITY[header] for header in _SECURITY.keys() - given)
        duration_s = time.perf_counter() - g.began
        route = request.url_rule.rule if request.url_rule else "none"
        method = request.method if request.method in HTTPMethod.__members__ else "other"
        status = response.status_code
        HTTP_REQUEST_SECONDS.labels(method, route, f"{status // 100}xx").observe(duration_s)
        # What was taken is counted by the metrics and stands in the stream: at 5 000 requests a
        # second, a line for each would cost a tenth of the service.
        say = log.debug if status < HTTPStatus.BAD_REQUEST else log.info
        say(
            "request",
            method=method,
            route=route,
            status=status,
            duration_ms=round(duration_s * 1000, 1),
        )
        return response
