"""The calls between senders' references and opaque ids; nothing personal is ever in an address.

A client whose timeline the caller may not read is as unknown here as one who was never sent.
"""

import re
from typing import Final

from marshmallow import Schema, fields, validate

from services.projections.api import viewer
from services.projections.timelines import Timelines
from shared.events.texts import ClientRef
from shared.ids import CLIENT, STAFF
from shared.logs import logger
from shared.storage.registry import Registry
from shared.web.auth import caller, require
from shared.web.blueprint import Blueprint, problems
from shared.web.errors import Problem

MAX_IDS: Final = 500
"""Opaque ids in one request (own): a page of a caseload, not a whole organisation."""

OPAQUE: Final = "^(cl|th|pe)_[0-9a-f]{24}$"

REFERENCE: Final = ClientRef("A reference as a sender wrote it.")

log = logger("projections")


class ReferenceSchema(Schema):
    """A reference as a sender wrote it."""

    reference = fields.String(
        required=True, validate=validate.Length(1, REFERENCE.most), metadata={"example": "c-1024"}
    )


class FoundSchema(Schema):
    """The opaque id that stands for a reference."""

    id = fields.String(required=True, metadata={"example": "cl_5396f804ce247f72485a036a"})


class OpaqueSchema(Schema):
    """Opaque ids of clients, staff or respondents."""

    ids = fields.List(
        fields.String(validate=validate.Regexp(re.compile(OPAQUE, re.ASCII))),
        required=True,
        validate=validate.Length(1, MAX_IDS),
    )


class ReferencesSchema(Schema):
    """The references behind opaque ids; those that the caller may not know of are left out."""

    references = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


def blueprint(registry: Registry, timelines: Timelines) -> Blueprint:
    """Return the calls."""
    calls = Blueprint("references", __name__, description="References and opaque ids.")

    @calls.route("/v1/clients/lookup", methods=["POST"])
    @calls.arguments(ReferenceSchema)
    @calls.response(200, FoundSchema)
    @problems(calls, 400, 401, 403, 404, 413, 415, 422, 503)
    @require("read")
    def look_up_client(body: dict[str, str]) -> dict[str, str]:
        """Find a client's opaque id by the sender's reference; make none.

        It is found where the caller may read the client's timeline, and only there.
        """
        client = _found(registry, CLIENT, body["reference"])
        if not timelines.known(viewer(), [client]):
            raise Problem(404, "not_found")
        return {"id": client}

    @calls.route("/v1/therapists/lookup", methods=["POST"])
    @calls.arguments(ReferenceSchema)
    @calls.response(200, FoundSchema)
    @problems(calls, 400, 401, 403, 404, 413, 415, 422, 503)
    @require("read")
    def look_up_therapist(body: dict[str, str]) -> dict[str, str]:
        """Find the opaque id of a member of staff by the sender's reference; make none."""
        return {"id": _found(registry, STAFF, body["reference"])}

    @calls.route("/v1/references", methods=["POST"])
    @calls.arguments(OpaqueSchema)
    @calls.response(200, ReferencesSchema)
    @problems(calls, 400, 401, 403, 413, 415, 422, 503)
    @require("identify")
    def reveal(body: dict[str, list[str]]) -> dict[str, dict[str, str]]:
        """Return the senders' references behind opaque ids. Every use is logged."""
        who = caller()
        clients = {one for one in body["ids"] if one.startswith(f"{CLIENT}_")}
        hidden = clients - timelines.known(viewer(), clients)
        references = registry.reveal(who.organisation, set(body["ids"]) - hidden)
        log.info(
            "references_revealed",
            organisation=who.organisation,
            key=who.key,
            count=len(references),
        )
        return {"references": references}

    return calls


def _found(registry: Registry, register: str, reference: str) -> str:
    """Return the opaque id of a reference of the caller's organisation.

    Raises:
        Problem: 404 where there is none: another one's references are as unknown as none at all.
    """
    wanted = (register, reference)
    opaque = registry.find(caller().organisation, [wanted]).get(wanted)
    if opaque is None:
        raise Problem(404, "not_found")
    return opaque
