"""Whoever follows what serves: it leaves the group to others when it must not go on itself."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection

from shared.errors import AnotherVersion
from shared.stream.embedded import EmbeddedStream
from shared.stream.following import Following
from tests.support import events as an
from tests.support.databases import migrated, sqlite_url
from tests.support.tallying import TallyWorld, facts

AGES_S = 3_600.0
STEPS_LIMIT = 100


class Release:
    """What serves, as one release sees it."""

    def __init__(self) -> None:
        """Know it at first."""
        self.known = True

    def serving(self, _: Connection) -> int:
        """Return the only generation there is.

        Raises:
            AnotherVersion: when a later release made what serves.
        """
        if not self.known:
            raise AnotherVersion("a later release serves")
        return 1


@pytest.fixture
def world(tmp_path: Path) -> Iterator[TallyWorld]:
    """Yield a world in which whoever is silent keeps its partitions for an hour."""
    stream = EmbeddedStream(tmp_path / "stream.db", 4, lease_s=AGES_S)
    stream.create_topics()
    with migrated(sqlite_url(tmp_path)) as db, closing(TallyWorld(stream, db)) as made:
        yield made
    stream.close()


def test_who_must_not_go_on_leaves_the_group_to_others(world: TallyWorld) -> None:
    """As soon as a release may touch nothing any more, the next one reads on in its place."""
    old, new = Release(), Release()
    now = world.clock.now()
    with (
        closing(Following(world.db, old.serving, lambda _: world.begun())) as leaving,
        closing(Following(world.db, new.serving, lambda _: world.begun())) as coming,
    ):
        leaving.step(now)
        world.publish(*facts(an.CLIENT, "a1"))
        assert not any(coming.step(now) for _ in range(3))
        old.known = False
        with pytest.raises(AnotherVersion):
            leaving.step(now)
        for _ in range(STEPS_LIMIT):
            coming.step(now)
            if world.seen(an.CLIENT):
                break
        assert world.seen(an.CLIENT) == ["a1"]
