"""Who is calling: ``Authorization: Bearer rk_…`` → Caller, and what they may do."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from flask import current_app, g, request

from shared.errors import Fault
from shared.storage.accounts import RIGHTS, Accounts, Caller
from shared.web.blueprint import Blueprint, guarded_by
from shared.web.errors import Problem

SCHEME: Final = "key"
"""The security scheme's name in the OpenAPI document."""

SECURITY_SCHEME: Final = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "rk_<id>_<secret>",
    "description": "A key made with `rapport key create`.",
}

ACCOUNTS: Final = "rapport.accounts"
"""Where an application keeps its accounts, among Flask's extensions."""

_View = TypeVar("_View", bound=Callable[..., Any])


def require(right: str) -> Callable[[_View], _View]:
    """Let a view be called only with a key that has a right; name it in the document.

    The blueprint asks before it reads anything else of the request, wherever among the decorators
    this stands: who may not call learns nothing of what else is wrong.
    """
    if right not in RIGHTS:
        raise ValueError(f"no such right: {right}")

    def decorate(view: _View) -> _View:
        guarded_by(view, lambda: check_right(caller(), right))
        return Blueprint.doc(**{"x-right": right})(view)

    return decorate


def caller() -> Caller:
    """Return who makes the present request.

    Raises:
        Problem: 401, alike for a key that is missing, malformed, unknown or revoked.
    """
    known = g.get("caller")
    if not isinstance(known, Caller):
        accounts: Accounts = current_app.extensions[ACCOUNTS]
        known = accounts.caller(_token(request.headers.get("Authorization", "")))
        if known is None:
            raise Problem(
                401,
                "unauthorized",
                "This needs a key: Authorization: Bearer rk_…, made with rapport key create.",
                headers={"WWW-Authenticate": 'Bearer realm="rapport"'},
            )
        g.caller = known
    return known


def check_right(who: Caller, right: str) -> None:
    """Refuse a caller whose key lacks a right.

    Raises:
        Problem: 403, with a code that names the right.
    """
    if right not in who.rights:
        fault = Fault("", f"this needs a key with the right {right}", f"needs_{right}")
        raise Problem(403, "forbidden", "The key does not have this right.", [fault])


def may_see(who: Caller, clinic: str | None) -> bool:
    """Return whether a caller's key reaches a clinic; a bound key reaches no unknown clinic."""
    return who.clinics is None or clinic in who.clinics


def check_clinic(who: Caller, clinic: str | None, pointer: str = "") -> None:
    """Refuse a caller who acts on a clinic that the key is not bound to.

    For reading, leave out what ``may_see`` denies, or answer 404.

    Raises:
        Problem: 403.
    """
    if not may_see(who, clinic):
        fault = Fault(pointer, "the key is not bound to this clinic", "other_clinic")
        raise Problem(403, "forbidden", "The key does not reach this clinic.", [fault])


def _token(header: str) -> str:
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
