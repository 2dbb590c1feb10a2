"""A blueprint that reads its arguments strictly, and whose decorators have types."""

import functools
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, TypeVar, cast

import flask_smorest
from flask import Request, request
from marshmallow import RAISE
from webargs.core import is_json, missing
from webargs.flaskparser import FlaskParser

from shared.errors import Fault
from shared.web.errors import Problem
from shared.web.strict import strict_json

_View = TypeVar("_View", bound=Callable[..., Any])

GUARD: Final = "rapport_guard"
"""The attribute of a view that says who may call it; other decorators hand it on."""


def guarded_by(view: Callable[..., Any], guard: Callable[[], None]) -> None:
    """Have ``guard`` called before the request is read; it raises for who may not call."""
    setattr(view, GUARD, guard)


def _guarded(view: _View) -> _View:
    guard: Callable[[], None] | None = getattr(view, GUARD, None)
    if guard is None:
        return view

    @functools.wraps(view)
    def asked_first(*args: Any, **kwargs: Any) -> Any:
        guard()
        _refuse_nul()
        return view(*args, **kwargs)

    return cast("_View", asked_first)


def _refuse_nul() -> None:
    """Refuse an address with a NUL character: nobody has such a name; PostgreSQL takes none."""
    if "\0" in request.path:
        raise Problem(404, "not_found")
    if any("\0" in name + text for name, text in request.args.items(multi=True)):
        fault = Fault("/query", "Remove the control characters.", "control_character")
        raise Problem(422, "refused", errors=[fault])


class StrictParser(FlaskParser):
    """Reads bodies by ``strict_json``, and refuses query parameters that do not exist.

    A mistyped ``?valid-at=`` must not answer another question than the one that was asked.
    """

    DEFAULT_UNKNOWN_BY_LOCATION = {  # noqa: RUF012 - webargs' own way of setting it.
        **FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION,
        "query": RAISE,
    }

    def __init__(self) -> None:
        """Have read nothing yet."""
        super().__init__()
        self._empty: dict[Any, Mapping[str, Any]] = {}

    def parse(self, argmap: Any, req: Request | None = None, **options: Any) -> Any:
        """Load the arguments; an address without a query takes a short way.

        What an empty query means by a schema never changes, so it is asked of the schema once.
        """
        if options.get("location") != "query" or request.query_string:
            return super().parse(argmap, req, **options)
        if argmap not in self._empty:
            self._empty[argmap] = super().parse(argmap, req, **options)
        return dict(self._empty[argmap])

    def _raw_load_json(self, req: Request) -> Any:
        body = req.get_data()
        if not body:
            return missing
        if not is_json(req.mimetype):
            raise Problem(415, "unsupported_media_type")
        return strict_json(body)


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]  # smorest is not typed.
    """flask-smorest's blueprint with the strict parser; the same decorators, typed."""

    ARGUMENTS_PARSER = StrictParser()

    def route(self, rule: str, **options: Any) -> Callable[[_View], _View]:
        """Register a view under an address, behind its guard."""
        register: Callable[[_View], _View] = super().route(rule, **options)
        return lambda view: register(_guarded(view))

    def arguments(self, schema: Any, **options: Any) -> Callable[[_View], _View]:
        """Load arguments by a schema, from the body or with ``location="query"``."""
        decorator: Callable[[_View], _View] = super().arguments(schema, **options)
        return decorator

    def response(
        self, status_code: int, schema: Any = None, **options: Any
    ) -> Callable[[_View], _View]:
        """Dump what the view returns by a schema."""
        decorator: Callable[[_View], _View] = super().response(status_code, schema, **options)
        return decorator

    def alt_response(
        self, status_code: int, *args: Any, **options: Any
    ) -> Callable[[_View], _View]:
        """Document another answer."""
        decorator: Callable[[_View], _View] = super().alt_response(status_code, *args, **options)
        return decorator

    @staticmethod
    def doc(**attributes: Any) -> Callable[[_View], _View]:
        """Add attributes to the operation's document."""
        decorator: Callable[[_View], _View] = flask_smorest.Blueprint.doc(**attributes)
        return decorator


def problems(calls: Blueprint, *statuses: int) -> Callable[[_View], _View]:
    """Document refusals: each a problem, by the component of its status.

    One addition to the document and not one ``alt_response`` each: every one of those would be
    one more wrapper on the way of every request.
    """
    return calls.doc(responses={str(status): HTTPStatus(status).name for status in statuses})
