"""The calls by which events come in: the API by key, a source's webhook by signature.

What happens in which order is security: limit the size, find out who sends, and only then read.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import orjson
from flask import Response, request
from marshmallow import Schema, fields, validate
from werkzeug.exceptions import HTTPException

from services.ingest import documents, signatures
from services.ingest.adapter import Adapter, Origin, Reading
from services.ingest.adapters import ADAPTERS
from services.ingest.adapters.cloudevents import (
    HEADER_PREFIX,
    CloudEvents,
    read_batch,
    read_binary,
    read_structured,
)
from services.ingest.admission import FORBIDDEN, Authority
from services.ingest.ingest import Ingest, Judged, Outcome, Sender
from services.ingest.refusals import Refusals, Trouble
from shared.clock import Clock
from shared.errors import Fault, Refused
from shared.metrics import REFUSED
from shared.storage.accounts import Accounts, Source
from shared.web.auth import caller, check_right, require
from shared.web.blueprint import Blueprint
from shared.web.errors import Problem, fault_json
from shared.web.strict import strict_json
