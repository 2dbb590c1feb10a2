"""Key → partition."""

from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as librarys_murmur2

from shared.stream.partitioning import murmur2, partition_of

KAFKAS_OWN = {
    b"": 275646681,
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}
"""From Kafka's own UtilsTest, signed as Java has them; the empty key from its implementation."""


def test_murmur2_is_kafkas() -> None:
    """The hash is the one that Kafka's own tests expect."""
    for key, signed in KAFKAS_OWN.items():
        assert murmur2(key) == signed & 0xFFFFFFFF


@given(key=st.binary(max_size=200))
def test_murmur2_is_the_librarys(key: bytes) -> None:
    """For every key the hash is the one by which the Kafka engine chooses."""
    assert murmur2(key) == librarys_murmur2(key)


@given(key=st.binary(), partitions=st.integers(1, 1024))
def test_every_key_has_a_partition(key: bytes, partitions: int) -> None:
    """The partition exists, and is always the same one."""
    assert 0 <= partition_of(key, partitions) < partitions
    assert partition_of(key, partitions) == partition_of(key, partitions)
