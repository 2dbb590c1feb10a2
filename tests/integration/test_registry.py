"""The registry, on SQLite and PostgreSQL: one reference, one opaque id, whoever asks first."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from shared.clock import EPOCH, ManualClock
from shared.errors import DatabaseUnavailable
from shared.ids import CLIENT, PERSON, STAFF
from shared.storage.accounts import UnknownOrganisation
from shared.storage.engine import Database
from shared.storage.registry import Registry
from tests.support.accounts import SEALER, Office
from tests.support.databases import DIALECTS, migrated, url_of
from tests.support.together import run_together

REFERENCES = [(CLIENT, f"client-{n}") for n in range(40)]


@pytest.fixture(params=DIALECTS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Yield a migrated database."""
    with migrated(url_of(request, tmp_path)) as opened:
        yield opened


@pytest.fixture
def office(database: Database) -> Office:
    """Return the accounts of the database."""
    return Office(database)


def test_a_reference_keeps_its_opaque_id(office: Office) -> None:
    """The same reference gives the same id again, to this process and to the next."""
    organisation = office.an_organisation()
    first = office.registry.opaque(organisation, REFERENCES)
    assert len(set(first.values())) == len(REFERENCES)
    assert office.registry.opaque(organisation, REFERENCES) == first
    assert Office(office.db).registry.opaque(organisation, reversed(REFERENCES)) == first


def test_an_id_tells_its_register_and_nothing_else(office: Office) -> None:
    """Registers are apart: the same text as client, staff and respondent has three ids."""
    organisation = office.an_organisation()
    wanted = [(register, "same") for register in (CLIENT, STAFF, PERSON)]
    ids = office.registry.opaque(organisation, wanted)
    assert {one[0]: opaque[:3] for one, opaque in ids.items()} == {
        "cl": "cl_",
        "th": "th_",
        "pe": "pe_",
    }
    assert len({opaque[3:] for opaque in ids.values()}) == 3


def test_references_are_taken_as_they_are(office: Office) -> None:
    """Spaces, case, accents and their composition make different references."""
    organisation = office.an_organisation()
    texts = ["a", "A", " a", "a ", "á", "a\u0301", "Æ", "患者", "😀", "a\x00b"]
    ids = office.registry.opaque(organisation, [(CLIENT, one) for one in texts])
    assert len(set(ids.values())) == len(texts)
    revealed = office.registry.reveal(organisation, ids.values())
    assert {ids[CLIENT, one]: one for one in texts} == revealed


def test_organisations_never_share_an_id(office: Office) -> None:
    """One reference in two organisations has two ids; neither finds or reveals the other's."""
    north, south = office.an_organisation("North"), office.an_organisation("South")
    wanted = (CLIENT, "anna")
    ours = office.registry.opaque(north, [wanted])[wanted]
    assert office.registry.find(south, [wanted]) == {}
    theirs = office.registry.opaque(south, [wanted])[wanted]
    assert ours != theirs
    assert office.registry.reveal(south, [ours]) == {}
    assert office.registry.content_hash(north, b"{}") != office.registry.content_hash(south, b"{}")


def test_finding_creates_nothing(office: Office) -> None:
    """A look-up of an unknown reference finds nothing, and leaves nothing behind."""
    organisation = office.an_organisation()
    assert office.registry.find(organisation, REFERENCES) == {}
    with office.db.read() as db:
        assert db.scalar(text("SELECT count(*) FROM registry")) == 0


def test_an_unknown_organisation_is_said(office: Office) -> None:
    """A registry asked on behalf of nobody refuses."""
    with pytest.raises(UnknownOrganisation):
        office.registry.opaque("org_none", REFERENCES)


def test_threads_that_see_it_first_get_one_id(office: Office) -> None:
    """Sixteen threads with registries of their own, in different orders, agree on every id."""
    organisation = office.an_organisation()
    barrier = threading.Barrier(16)

    def ask(number: int) -> dict[tuple[str, str], str]:
        registry = Registry(office.db, SEALER)
        mine = REFERENCES[number:] + REFERENCES[:number]
        barrier.wait(30)
        return registry.opaque(organisation, mine)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(16)))
    assert all(answer == answers[0] for answer in answers)
    with office.db.read() as db:
        assert db.scalar(text("SELECT count(*) FROM registry")) == len(REFERENCES)


def test_processes_that_see_it_first_get_one_id(office: Office) -> None:
    """Processes that meet the same references at one moment agree on every id."""
    organisation = office.an_organisation()
    script = (
        "import sys\n"
        "from shared.storage.engine import Database\n"
        "from shared.storage.registry import Registry\n"
        "from shared.storage.sealing import Sealer\n"
        "registry = Registry(Database(sys.argv[1]), Sealer(bytes(range(32))))\n"
        "# go\n"
        "wanted = [('cl', f'client-{n}') for n in range(40)]\n"
        "print(sorted(registry.opaque(sys.argv[2], wanted).items()))\n"
    )
    assert len(set(run_together(script, [office.db.url, organisation], 5))) == 1


def test_more_references_than_one_statement_takes(office: Office) -> None:
    """A batch of thousands is looked up in parts, all of it."""
    organisation = office.an_organisation()
    wanted = [(CLIENT, str(n)) for n in range(1_234)]
    ids = office.registry.opaque(organisation, wanted)
    assert len(ids) == 1_234
    assert Office(office.db).registry.find(organisation, wanted) == ids


def test_with_the_database_away_known_references_go_on_for_a_minute(tmp_path: Path) -> None:
    """What was seen within a minute is answered without the database; all else is not."""
    file = tmp_path / "rapport.db"
    clock = ManualClock(EPOCH)
    with migrated(f"sqlite:///{file}") as database:
        office = Office(database, clock)
        organisation = office.an_organisation()
        known = office.registry.opaque(organisation, REFERENCES)
        database.close()
        file.rename(tmp_path / "away.db")
        file.mkdir()
        assert office.registry.opaque(organisation, REFERENCES) == known
        assert len(office.registry.content_hash(organisation, b"{}")) == 32
        with pytest.raises(DatabaseUnavailable):
            office.registry.opaque(organisation, [(CLIENT, "new")])
        clock.advance(timedelta(seconds=60))
        with pytest.raises(DatabaseUnavailable):
            office.registry.opaque(organisation, REFERENCES)


def test_nothing_about_a_reference_is_in_the_database(tmp_path: Path) -> None:
    """Neither references nor keys stand in the file in clear, its log included."""
    with migrated(f"sqlite:///{tmp_path / 'rapport.db'}") as database:
        office = Office(database)
        organisation = office.an_organisation()
        office.registry.opaque(organisation, [(CLIENT, "Anna-Karenina-1877")])
        held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"registry" in held
    assert b"Anna" not in held
