"""Who is calling: ``Authorization: Bearer rk_…`` → Caller, and what they may do."""

import functools
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

from flask import current_app, g, request

from shared.errors import Fault
from shared.storage.accounts import RIGHTS, Accounts, Caller
from shared.web.blueprint import Blueprint
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

    Stands directly below ``route``, above ``arguments`` and ``response``: who may not call learns
    nothing of what else is wrong.
    """
    if right not in RIGHTS:
        raise ValueError(f"no such right: {right}")

    def decorate(view: _View) -> _View:
        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            check_right(caller(), right)
            return current_app.ensure_sync(view)(*args, **kwargs)

        return cast("_View", Blueprint.doc(**{"x-right": right})(guarded))

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
