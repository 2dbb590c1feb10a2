"""Old data are read as the newest version writes them; a type that only these tests know."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.envelope import Event
from shared.errors import Unreadable
from shared.events import collect, references, upcast, validate
from shared.events.family import Data, Earlier, EventType, Family
from shared.events.fields import Integer
from shared.events.schema import ListOf, Schema
from shared.events.texts import Ref, StaffRef


class FirstTea(Schema):
    """Tea was poured by one person, measured in cups."""

    host = StaffRef("Who poured it.", required=True)
    cups = Integer("How many cups.", 1, 10, required=True)


class SecondTea(Schema):
    """Tea was poured by one person, measured in millilitres."""

    host = StaffRef("Who poured it.", required=True)
    volume_ml = Integer("How much.", 1, 2500, required=True)


class ThirdTea(Schema):
    """Tea was poured by several people, in a room."""

    hosts = ListOf(StaffRef(""), "Who poured it.", required=True)
    volume_ml = Integer("How much.", 1, 2500, required=True)
    room = Ref("Where.", required=True)


def _to_millilitres(data: Data) -> Data:
    return {"host": data["host"], "volume_ml": data["cups"] * 250}


def _to_several(data: Data) -> Data:
    return {"hosts": [data["host"]], "volume_ml": data["volume_ml"], "room": "unknown"}


FIRST = {"host": "t-07", "cups": 2}
TEA = EventType(
    "tea.poured",
    ThirdTea,
    time_means="when it was poured",
    example={"hosts": ["t-07"], "volume_ml": 500, "room": "kitchen"},
    earlier=(
        Earlier(FirstTea, FIRST, _to_millilitres),
        Earlier(SecondTea, {"host": "t-07", "volume_ml": 500}, _to_several),
    ),
)
TYPES = collect([Family("tea", (TEA,))])


def a_tea(data: dict[str, Any], version: int) -> Event:
    """Return an event of the type as it was written in a version."""
    time = datetime(2026, 5, 12, tzinfo=UTC)
    return Event("tea.poured", "urn:source:kitchen", "1", time, "cl_1", data, version=version)


def test_the_chain_runs_from_any_version_to_the_newest() -> None:
    """Each version passes every step after it, and nothing else of the event changes."""
    newest = upcast(a_tea(FIRST, 1), types=TYPES)
    assert newest.data == {"hosts": ["t-07"], "volume_ml": 500, "room": "unknown"}
    assert newest.version == 3
    assert (newest.source, newest.id, newest.subject) == ("urn:source:kitchen", "1", "cl_1")
    second = upcast(a_tea({"host": "t-07", "volume_ml": 300}, 2), types=TYPES)
    assert second.data == {"hosts": ["t-07"], "volume_ml": 300, "room": "unknown"}


def test_the_newest_version_is_returned_as_it_is() -> None:
    """Nothing is copied where nothing is to be done."""
    event = a_tea({"hosts": ["t-07"], "volume_ml": 500, "room": "kitchen"}, 3)
    assert upcast(event, types=TYPES) is event


def test_reading_changes_no_stored_data() -> None:
    """The data that were decoded are left as they were written."""
    stored = dict(FIRST)
    upcast(a_tea(stored, 1), types=TYPES)
    assert stored == FIRST


@pytest.mark.parametrize("version", [0, 4])
def test_a_version_from_the_future_stops_the_reader(version: int) -> None:
    """A version that this release does not know is not guessed at."""
    with pytest.raises(Unreadable, match="version"):
        upcast(a_tea(FIRST, version), types=TYPES)


def test_a_type_from_the_future_stops_the_reader() -> None:
    """A type that this release does not know is not passed over in silence."""
    with pytest.raises(Unreadable, match=r"tea\.poured"):
        upcast(a_tea(FIRST, 1))


def test_each_version_is_validated_and_searched_by_its_own_schema() -> None:
    """A sender that still writes an old version is judged by it; its references are found."""
    assert validate("tea.poured", FIRST, 1, types=TYPES) == []
    assert validate("tea.poured", FIRST, types=TYPES) != []
    assert [one.path for one in references("tea.poured", FIRST, 1, types=TYPES)] == [("host",)]
    newest = references("tea.poured", TEA.example, types=TYPES)
    assert [one.path for one in newest] == [("hosts", 0)]


def test_the_chain_of_every_version_ends_in_valid_data() -> None:
    """The example of each earlier version, brought up to date, is valid today."""
    for number, earlier in enumerate(TEA.earlier, start=1):
        newest = upcast(a_tea(dict(earlier.example), number), types=TYPES)
        assert validate("tea.poured", newest.data, types=TYPES) == []


def test_two_types_cannot_share_a_name() -> None:
    """Collecting the same name twice is refused at once."""
    with pytest.raises(ValueError, match="share a name"):
        collect([Family("tea", (TEA,)), Family("coffee", (TEA,))])
