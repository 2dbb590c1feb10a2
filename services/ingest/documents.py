"""What the OpenAPI document says of bodies: every event type's own schema, and the refusals."""

from collections.abc import Mapping
from typing import Any, Final

from services.ingest.attributes import ID, SOURCE, SUBJECT, TIME
from services.ingest.bodies import BATCH, JSON, STRUCTURED
from shared.envelope import TYPE_PREFIX
from shared.events import EVENT_TYPES, SENDER_TYPES
from shared.events.documents import address, documented
from shared.events.schema import value_schema
from shared.instrument import INSTRUMENTS
from shared.web.blueprint import Blueprint

COMPONENTS: Final = "#/components/schemas/"
EVENT: Final[Mapping[str, Any]] = {"$ref": f"{COMPONENTS}Event"}

WEBHOOK_SCHEME: Final = {
    "type": "apiKey",
    "in": "header",
    "name": "webhook-signature",
    "description": (
        "Standard Webhooks: `v1,` and the base64 of the HMAC-SHA256 of `webhook-id`, a dot,"
        " `webhook-timestamp`, a dot and the raw body, keyed with the source's secret."
    ),
}


EVENT_BODIES: Final = {
    "description": (
        "CloudEvents 1.0 in structured or batch mode; in binary mode (Content-Type"
        " application/json) the attributes are `ce-` headers and the body is the data alone."
    ),
    "required": True,
    "content": {
        STRUCTURED: {"schema": EVENT},
        BATCH: {"schema": {"type": "array", "items": EVENT}},
    },
}
_ANY: Final = {"schema": {"type": ["object", "array"]}}
WEBHOOK_BODIES: Final = {
    "description": (
        "What the source's adapter reads. For the adapter `cloudevents`: CloudEvents 1.0 in"
        " structured or batch mode, as in `/v1/events` (never binary mode: a signature covers the"
        " body, not the headers)."
    ),
    "required": True,
    "content": {STRUCTURED: _ANY, BATCH: _ANY, JSON: _ANY},
}


class Documented(Blueprint):
    """A blueprint that brings the event types, and the signature, into the document."""

    def register_views_in_doc(self, api: Any, app: Any, spec: Any, **options: Any) -> None:
        """Add the components that the calls refer to, then the calls."""
        spec.components.security_scheme("webhook", WEBHOOK_SCHEME)
        for name, schema in components().items():
            spec.components.schema(name, schema)
        super().register_views_in_doc(api, app, spec, **options)


def components() -> dict[str, dict[str, Any]]:
    """Return the schemas of every type that a sender may write, and of an event in general."""
    found: dict[str, dict[str, Any]] = {}
    for name in SENDER_TYPES:
        found[name] = _data(name)
        found[TYPE_PREFIX + name] = _event(name)
    mapping = {TYPE_PREFIX + name: f"{COMPONENTS}{TYPE_PREFIX}{name}" for name in SENDER_TYPES}
    found["Event"] = {
        "oneOf": [{"$ref": pointer} for pointer in mapping.values()],
        "discriminator": {"propertyName": "type", "mapping": mapping},
    }
    return found


def _event(name: str) -> dict[str, Any]:
    event_type = EVENT_TYPES[name]
    subject = value_schema(SUBJECT)
    attributes = {
        "specversion": {"const": "1.0"},
        "id": value_schema(ID),
        "source": value_schema(SOURCE),
        "type": {"const": TYPE_PREFIX + name},
        "time": {
            **_inside(value_schema(TIME)),
            "description": f"{event_type.time_means}; at most 5 minutes ahead.",
        },
        "data": {"$ref": COMPONENTS + name},
        "datacontenttype": {"enum": [JSON, None]},
        "dataschema": {"enum": [*_schemas(name), None]},
        "backfill": {
            "description": "True for history that is sent afterwards.",
            "type": ["boolean", "null"],
        },
        "data_base64": {"type": "null"},
    }
    required = ["specversion", "id", "source", "type", "time", "data"]
    if event_type.scope == "client":
        required.append("subject")
    else:
        subject = {"anyOf": [subject, {"type": "null"}]}
    if event_type.scope == "clinic":
        subject = {"description": "Left out: this concerns many clients.", "type": "null"}
    return {
        "type": "object",
        "required": required,
        "properties": {**attributes, "subject": subject},
    }


def _schemas(name: str) -> list[str]:
    return [address(name, number + 1) for number in range(EVENT_TYPES[name].version)]


def _data(name: str) -> dict[str, Any]:
    published = documented(name, EVENT_TYPES[name].version)
    schema = dict(published.schema) if published else {}
    del schema["$schema"], schema["$id"]
    if EVENT_TYPES[name].amends == "corrects":
        # Forty alternatives of one field are more than generators of tests and of code can take;
        # the schema that is served at /schemas has them.
        del schema["allOf"]
    inner: dict[str, Any] = _inside(schema)
    return inner


def _inside(schema: Any) -> Any:
    """Return a schema as tools of OpenAPI take it best.

    It names the instruments that this installation knows. Times keep their format and leave their
    pattern, which says little more: what generates by both at once finds next to nothing.
    """
    if isinstance(schema, list):
        return [_inside(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    inside = {name: _inside(member) for name, member in schema.items()}
    if "format" in inside:
        inside.pop("pattern", None)
    if "instrument" in inside.get("properties", {}):
        known = sorted({key for key, _ in INSTRUMENTS})
        inside["properties"]["instrument"]["enum"] = known
    return inside
