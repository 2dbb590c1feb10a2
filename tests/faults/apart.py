"""Do organisations see each other? (Invariant 6.)"""

import json
from collections.abc import Iterator

from sqlalchemy import select

from shared.storage import kept
from shared.stream.codec import decode
from tests.faults.folds import clients_of, rows_of
from tests.faults.installation import Installation, Tenant
from tests.faults.records import Contents
from tests.support.rebuildable import every_table


def not_apart(installation: Installation, found: Contents) -> Iterator[str]:
    """Say where something of one organisation stands with another, or shows there."""
    owners = _owners(installation)
    for record in found.records:
        envelope = decode(record)
        owner = owners.get(envelope.client or "", envelope.organisation)
        if owner != envelope.organisation:
            yield f"apart: record {record.place} {record.offset} is about another's client"
    for table in every_table():
        if "organisation" in table.c and "client" in table.c:
            for row in rows_of(installation.db, table):
                if owners.get(row["client"], row["organisation"]) != row["organisation"]:
                    yield f"apart: {table.name} keeps {row['client']} under another organisation"
    for tenant in installation.tenants:
        yield from _seen_by(installation, tenant, owners)


def _owners(installation: Installation) -> dict[str, str]:
    """Return opaque id → organisation, for all that was ever registered."""
    table = kept.registry
    with installation.db.read() as db:
        rows = db.execute(select(table.c.opaque, table.c.organisation))
        return {row.opaque: row.organisation for row in rows}


def _seen_by(installation: Installation, tenant: Tenant, owners: dict[str, str]) -> Iterator[str]:
    """Say what a tenant's key shows of others."""
    foreign = {opaque for opaque, owner in owners.items() if owner != tenant.organisation}
    pages = {
        "caseload": installation.pages(tenant, "/v1/clients", "clients"),
        "alerts": installation.pages(tenant, "/v1/alerts", "alerts"),
    }
    for client in clients_of(installation, tenant.organisation):
        pages[client] = [installation.get(tenant, f"/v1/clients/{client}/timeline")]
    for what, page in pages.items():
        text = json.dumps(page)
        if any(opaque in text for opaque in foreign):
            yield f"apart: {what}, asked by {tenant.name}, shows another organisation's id"
    for other in installation.tenants:
        if other != tenant:
            for client in clients_of(installation, other.organisation):
                if installation.get(tenant, f"/v1/clients/{client}/timeline") is not None:
                    yield f"apart: {tenant.name} can read a client of {other.name}"
