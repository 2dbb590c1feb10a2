"""The application factory of all services: errors, metrics, health and documents alike."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from http import HTTPMethod, HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import flask_smorest
import orjson
from flask import Flask, Response, request
from flask.json.provider import JSONProvider

from shared.logs import logger
from shared.metrics import HTTP_REQUEST_SECONDS
from shared.storage.accounts import Accounts
from shared.web import auth, errors, operations

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

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
    """Flask without coroutines: its views, hooks and handlers are plain functions.

    What concerns every request stands around Flask's own steps and not in hooks, each of which
    finds out anew what the request and the answer are.
    """

    def __init__(self, name: str) -> None:
        """Answer nothing yet."""
        super().__init__(name, static_folder=None)
        self._log = logger(name)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is; looking what it is costs ten times in every request."""
        return func

    def wsgi_app(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer a request; give the answer the security headers that it has not itself."""
        return super().wsgi_app(environ, partial(_secured, start_response))

    def full_dispatch_request(self) -> Response:
        """Answer a request; time, count and log it by its route, never by its address."""
        began = time.perf_counter()
        response = super().full_dispatch_request()
        duration_s = time.perf_counter() - began
        rule = request.url_rule
        route = rule.rule if rule else "none"
        method = request.method
        if method not in HTTPMethod.__members__:
            method = "other"
        status = response.status_code
        HTTP_REQUEST_SECONDS.labels(method, route, f"{status // 100}xx").observe(duration_s)
        # What was taken is counted by the metrics and stands in the stream: at 5 000 requests a
        # second, a line for each would cost a tenth of the service.
        say = self._log.debug if status < HTTPStatus.BAD_REQUEST else self._log.info
        say(
            "request",
            method=method,
            route=route,
            status=status,
            duration_ms=round(duration_s * 1000, 1),
        )
        return response


def _secured(
    start_response: "StartResponse", status: str, headers: list[tuple[str, str]], *error: Any
) -> Callable[[bytes], object]:
    given = {name.lower() for name, _ in headers}
    headers += [pair for low, pair in _SECURITY.items() if low not in given]
    return start_response(status, headers, *error)


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
    app = Service(name)
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
    if request.content_length is not None:
        return
    limit = request.max_content_length
    if limit is None or not request.environ.get("wsgi.input_terminated"):
        return
    if len(request.get_data()) >= limit:
        raise errors.Problem(413, "request_entity_too_large")
