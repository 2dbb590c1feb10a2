"""What every engine of the stream must do: records go in, come out, and come out in order."""

from shared.stream.ports import EVENTS, Stream
from tests.support.records import a_record, from_start, read_all


def test_records_survive_byte_for_byte(stream: Stream) -> None:
    """Key, value and headers come back exactly, whatever bytes they are."""
    sent = a_record(
        key=bytes(range(256)),
        value=bytes(reversed(range(256))) + b"\x00",
        headers=(("ce_id", b""), ("ce_subject", b"\xff\x00\xfe"), ("ce_id", "é".encode())),
    )
    publisher = stream.publisher()
    publisher.publish([sent], deadline_s=10)
    consumer = stream.consumer("readers", [EVENTS], from_start)
    (read,) = read_all(consumer, 1)
    assert (read.topic, read.key, read.value) == (EVENTS, sent.key, sent.value)
    assert read.headers == sent.headers
    publisher.close()
    consumer.close()
