"""The adapters: one file per sending system, one line each in ``ADAPTERS``."""

from services.ingest.adapter import Adapter
from services.ingest.adapters.cloudevents import CloudEvents

ADAPTERS: tuple[Adapter, ...] = (CloudEvents(),)
