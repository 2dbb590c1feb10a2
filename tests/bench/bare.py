"""What ingest is compared with: a bare Flask route that only forwards bytes to Kafka and waits.

The factory of a WSGI application (``BENCH_KAFKA`` names the broker), run by granian with as many
processes and threads as ingest. It neither verifies nor reads what it is sent; of a batch it only
parts the events, so that as many records reach the stream as through ingest.
"""

import os
from typing import Any, Final

import orjson
from flask import Flask, request
from kafka import KafkaProducer

TOPIC: Final = "bare"
BROKER: Final = "BENCH_KAFKA"
WITHIN_S: Final = 10.0

BATCH_BYTES: Final = 128 * 1024
"""Of one partition at most one batch is under way, so what does not fit waits for a whole answer.
By the library's default of 16 KiB, a hundred events at once cost a quarter more (measured)."""


def producer(address: str) -> Any:
    """Return a producer as ingest sets its own up: idempotent, acknowledged by all replicas."""
    return KafkaProducer(
        bootstrap_servers=address,
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        batch_size=BATCH_BYTES,
        metrics_enabled=False,
    )


def wsgi() -> Flask:
    """Make the application in a worker process of the HTTP server."""
    app = Flask("bare")
    out = producer(os.environ[BROKER])  # noqa: TID251 - not Rapport's configuration.

    @app.post("/single")
    def single() -> tuple[dict[str, int], int]:
        key = request.headers["webhook-id"].encode()
        out.send(TOPIC, key=key, value=request.get_data()).get(timeout=WITHIN_S)
        return {"accepted": 1}, 202

    @app.post("/batch")
    def batch() -> tuple[dict[str, int], int]:
        events = orjson.loads(request.get_data())
        sent = [
            out.send(TOPIC, key=one["subject"].encode(), value=orjson.dumps(one)) for one in events
        ]
        for one in sent:
            one.get(timeout=WITHIN_S)
        return {"accepted": len(sent)}, 202

    @app.get("/readyz")
    def ready() -> dict[str, bool]:
        return {"ready": True}

    return app
