"""Time: what is a time, how it is written, and that nothing is lost on the way."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import ManualClock, format_time, from_micros, parse_time, to_micros

moments = st.datetimes(
    min_value=datetime(1900, 1, 1),  # noqa: DTZ001 - hypothesis wants naive bounds.
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001 - the same.
    timezones=st.just(UTC),
)


@given(moments)
def test_written_and_read_is_the_same(moment: datetime) -> None:
    """Writing a time and reading it again gives the same time, to the microsecond."""
    assert parse_time(format_time(moment)) == moment


@given(moments, st.integers(-14 * 60, 14 * 60))
def test_written_in_utc_with_no_more_digits_than_needed(moment: datetime, minutes: int) -> None:
    """A time is written as isoformat writes it in UTC, less zeros at the end, wherever it is."""
    abroad = moment.astimezone(timezone(timedelta(minutes=minutes)))
    text = moment.replace(tzinfo=None).isoformat()
    assert format_time(abroad) == (text.rstrip("0") if moment.microsecond else text) + "Z"


@given(moments)
def test_micros_are_exact(moment: datetime) -> None:
    """Microseconds since 1970 hold a time without loss, before 1970 too."""
    assert from_micros(to_micros(moment)) == moment


@given(moments, moments)
def test_micros_keep_order(one: datetime, other: datetime) -> None:
    """Stored times compare as the times do."""
    assert (one < other) == (to_micros(one) < to_micros(other))


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-05-03T14:00:00+02:00", "2026-05-03T12:00:00Z"),
        ("2026-05-03t12:00:00z", "2026-05-03T12:00:00Z"),
        ("2026-05-03T12:00:00.500000Z", "2026-05-03T12:00:00.5Z"),
        ("2028-02-29T00:00:00-00:00", "2028-02-29T00:00:00Z"),
    ],
)
def test_one_way_of_writing(text: str, same: str) -> None:
    """Every RFC 3339 spelling of a moment is written in one way."""
    assert format_time(parse_time(text)) == same


@pytest.mark.parametrize(
    "text",
    [
        "2026-05-03T14:00:00",
        "2026-05-03",
        "20260503T140000Z",
        "2026-05-03 14:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-05-03T24:01:00Z",
        "2026-05-03T23:59:60Z",
        "٢٠٢٦-05-03T14:00:00Z",
        "0001-01-01T00:00:00+23:00",
        "",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """Naive, abbreviated, impossible and non-ASCII times are refused."""
    with pytest.raises(ValueError, match="time"):
        parse_time(text)


def test_manual_clock_moves_only_when_told() -> None:
    """A manual clock shows what it was set to."""
    clock = ManualClock(datetime(2026, 5, 3, tzinfo=UTC))
    clock.advance(timedelta(days=1))
    assert clock.now() == datetime(2026, 5, 4, tzinfo=UTC)
