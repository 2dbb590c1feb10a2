"""The embedded engine: the stream as an append-only table in one SQLite file, for one host."""

from shared.stream.embedded.stream import EmbeddedStream

__all__ = ["EmbeddedStream"]
