"""Accounts, on SQLite and PostgreSQL: keys, sources and recipients as the services read them."""

import base64
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from shared.clock import EPOCH, ManualClock
from shared.errors import DatabaseUnavailable, Refused
from shared.storage.accounts import RIGHTS, UnknownOrganisation
from shared.storage.engine import Database
from tests.support.accounts import Office
from tests.support.databases import DIALECTS, migrated, url_of

URL = "https://example.org/hook?token=hush"


@pytest.fixture(params=DIALECTS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Yield a migrated database."""
    with migrated(url_of(request, tmp_path)) as opened:
        yield opened


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that stands still."""
    return ManualClock(EPOCH + timedelta(days=20_000))


@pytest.fixture
def office(database: Database, clock: ManualClock) -> Office:
    """Return the accounts of the database under that clock."""
    return Office(database, clock)


def test_a_token_says_who_is_calling(office: Office) -> None:
    """A key's token gives its organisation, rights, clinics, person and source."""
    organisation = office.an_organisation()
    source = office.a_source(organisation)
    key, token = office.enrolment.create_key(
        organisation, ["publish", "read"], clinics=["elm"], person="th_1", source=source
    )
    caller = office.accounts.caller(token)
    assert caller is not None
    assert (caller.organisation, caller.key, caller.person) == (organisation, key, "th_1")
    assert caller.rights == frozenset({"publish", "read"})
    assert caller.clinics == frozenset({"elm"})
    assert caller.source is not None
    assert (caller.source.id, caller.source.name) == (source, "ehr")


def test_only_the_whole_token_opens(office: Office) -> None:
    """A wrong secret, a wrong id, a cut or lengthened token and plain garbage open nothing."""
    organisation = office.an_organisation()
    token = office.a_token(organisation, "read")
    other = office.a_token(organisation, "read")
    key_id, secret = token[:27], token[28:]
    wrong = [
        "", "rk_", token[:-1], token + "A", token.upper(), f" {token}", f"{token}\n",
        f"{key_id}_{other[28:]}", f"rk_{'0' * 24}_{secret}", "é" * 71, "A" * 100_000,
    ]  # fmt: skip
    assert office.accounts.caller(token) is not None
    assert [office.accounts.caller(one) for one in wrong] == [None] * len(wrong)


def test_a_revoked_key_opens_nothing_within_a_minute(office: Office, clock: ManualClock) -> None:
    """After a minute at the latest a revoked key is as unknown as any other."""
    organisation = office.an_organisation()
    token = office.a_token(organisation, "read")
    assert office.accounts.caller(token) is not None
    office.enrolment.revoke_key(organisation, token[:27])
    assert Office(office.db, clock).accounts.caller(token) is None
    clock.advance(timedelta(seconds=60))
    assert office.accounts.caller(token) is None
    with pytest.raises(Refused):
        office.enrolment.revoke_key(organisation, token[:27])


def test_a_clock_set_back_lengthens_no_memory(office: Office, clock: ManualClock) -> None:
    """What was remembered in a future that has been taken back is read again."""
    organisation = office.an_organisation()
    token = office.a_token(organisation, "read")
    assert office.accounts.caller(token) is not None
    office.enrolment.revoke_key(organisation, token[:27])
    clock.advance(timedelta(hours=-1))
    assert office.accounts.caller(token) is None


def test_a_key_that_publishes_has_a_source(office: Office) -> None:
    """Without a source a key cannot have the right to publish; an unknown right is refused."""
    organisation = office.an_organisation()
    for rights in (["publish"], ["everything"], []):
        with pytest.raises(Refused):
            office.enrolment.create_key(organisation, rights)


def test_a_rotated_secret_lives_on_for_its_time(office: Office, clock: ManualClock) -> None:
    """After rotation both secrets verify, newest first, until the old one retires."""
    organisation = office.an_organisation()
    source, first = office.enrolment.create_source(organisation, "ehr")
    clock.advance(timedelta(days=1))
    second = office.enrolment.rotate_source(organisation, source, keep_hours=24)
    assert _secrets(office, source) == [second, first]
    clock.advance(timedelta(hours=24))
    assert _secrets(office, source) == [second]


def test_a_leaked_secret_retires_at_once(office: Office) -> None:
    """Rotated with no hours to keep, the old secrets are gone, earlier ones on notice too."""
    organisation = office.an_organisation()
    source, _ = office.enrolment.create_source(organisation, "ehr")
    office.enrolment.rotate_source(organisation, source, keep_hours=720)
    newest = office.enrolment.rotate_source(organisation, source, keep_hours=0)
    assert _secrets(office, source) == [newest]


def test_names_are_unique_in_an_organisation_alone(office: Office) -> None:
    """A name can be taken once in an organisation, and again in another."""
    north, south = office.an_organisation("North"), office.an_organisation("South")
    for organisation in (north, south):
        office.a_source(organisation, "ehr")
        office.recipients.add(organisation, "board", role="governance", url=URL)
        with pytest.raises(Refused, match="taken"):
            office.a_source(organisation, "ehr")
        with pytest.raises(Refused, match="taken"):
            office.recipients.add(organisation, "board", role="governance", url=URL)
    with pytest.raises(Refused, match="taken"):
        office.an_organisation("North")


def test_organisations_never_see_each_other(office: Office) -> None:
    """What is listed, rotated, revoked or removed for one organisation leaves the other alone."""
    north, south = office.an_organisation("North"), office.an_organisation("South")
    source = office.a_source(north)
    token = office.a_token(north, "read")
    recipient, _ = office.recipients.add(north, "board", role="governance", url=URL)
    before = _secrets(office, source)
    assert office.accounts.sources(south) == []
    assert office.accounts.recipients(south) == []
    assert office.enrolment.keys(south) == []
    with pytest.raises(Refused):
        office.enrolment.revoke_key(south, token[:27])
    with pytest.raises(Refused):
        office.recipients.remove(south, recipient)
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        office.enrolment.rotate_source(south, source, keep_hours=0)
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        office.a_token(south, "publish", source=source)
    assert _secrets(office, source) == before
    assert office.accounts.caller(token) is not None


def test_recipients_are_read_as_they_are_now(office: Office) -> None:
    """Address and secret come back unsealed, and a removed recipient is gone at once."""
    organisation = office.an_organisation()
    board, secret = office.recipients.add(organisation, "board", role="governance", url=URL)
    lead, _ = office.recipients.add(
        organisation, "lead", role="leadership", url=URL, clinics=["elm"], alternate=board
    )
    first, second = office.accounts.recipients(organisation)
    assert (first.id, first.url, first.clinics, first.host) == (board, URL, None, "example.org")
    assert "whsec_" + base64.b64encode(first.secret).decode() == secret
    assert (second.id, second.alternate, second.clinics) == (lead, board, frozenset({"elm"}))
    with pytest.raises(Refused, match="alternate"):
        office.recipients.remove(organisation, board)
    office.recipients.remove(organisation, lead)
    assert [one.id for one in office.accounts.recipients(organisation)] == [board]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "ftp://example.org",
        "https://",
        "https://[::1",
        "https://a b",
        "http:/x",
        "https://user:password@example.org",
    ],
)
def test_an_address_must_be_one(office: Office, url: str) -> None:
    """What is no web address is refused when the recipient is made, not when it is told."""
    with pytest.raises(Refused, match="url"):
        office.recipients.add(office.an_organisation(), "board", role="governance", url=url)


def test_an_organisation_is_found_by_name_and_id(office: Office) -> None:
    """Both give the same organisation; anything else none."""
    organisation = office.an_organisation("North Valley")
    assert office.accounts.organisation("North Valley").id == organisation
    assert office.accounts.organisation(organisation).name == "North Valley"
    with pytest.raises(UnknownOrganisation):
        office.accounts.organisation("South")


def test_no_secret_and_no_address_shows_by_accident(office: Office) -> None:
    """The text of an account, as a log or a traceback would show it, holds no secret."""
    organisation = office.an_organisation()
    source = office.a_source(organisation)
    office.recipients.add(organisation, "board", role="governance", url=URL)
    shown = repr([office.accounts.source(source), *office.accounts.recipients(organisation)])
    assert "secret" not in shown
    assert "hush" not in shown


def test_no_secret_is_in_the_database_in_clear(tmp_path: Path) -> None:
    """Neither a key's secret, a webhook's, nor an address stands in the file, log included."""
    with migrated(f"sqlite:///{tmp_path / 'rapport.db'}") as database:
        office = Office(database)
        organisation = office.an_organisation()
        source, webhook = office.enrolment.create_source(organisation, "ehr")
        rotated = office.enrolment.rotate_source(organisation, source)
        token = office.a_token(organisation, *RIGHTS, source=source)
        _, signing = office.recipients.add(organisation, "board", role="governance", url=URL)
        held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert token[:27].encode() in held
    for secret in (webhook, rotated, signing):
        raw = base64.b64decode(secret.removeprefix("whsec_"))
        for form in (raw, raw.hex().encode(), secret.removeprefix("whsec_").encode()):
            assert form not in held
    assert token[28:].encode() not in held
    assert b"hush" not in held


def test_with_the_database_away_known_callers_go_on_for_a_minute(tmp_path: Path) -> None:
    """A key that was seen within a minute still says who is calling; an unknown one cannot."""
    clock = ManualClock(EPOCH)
    file = tmp_path / "rapport.db"
    with migrated(f"sqlite:///{file}") as database:
        office = Office(database, clock)
        organisation = office.an_organisation()
        known, unknown = (office.a_token(organisation, "read") for _ in range(2))
        caller = office.accounts.caller(known)
        database.close()
        file.rename(tmp_path / "away.db")
        file.mkdir()
        assert office.accounts.caller(known) == caller
        with pytest.raises(DatabaseUnavailable):
            office.accounts.caller(unknown)
        clock.advance(timedelta(seconds=60))
        with pytest.raises(DatabaseUnavailable):
            office.accounts.caller(known)


def test_a_value_sealed_for_one_source_opens_for_no_other(office: Office) -> None:
    """A secret copied to another source's row, by hand in the database, verifies nothing there."""
    organisation = office.an_organisation()
    mine, theirs = office.a_source(organisation, "a"), office.a_source(organisation, "b")
    with office.db.write() as db:
        db.execute(
            text(
                "UPDATE source_secrets SET sealed ="
                " (SELECT sealed FROM source_secrets WHERE source = :mine) WHERE source = :theirs"
            ),
            {"mine": mine, "theirs": theirs},
        )
    with pytest.raises(Exception, match="does not open"):
        office.accounts.source(theirs)


def _secrets(office: Office, source: str) -> list[str]:
    """Return the live secrets of a source as its sender was given them, as read afresh."""
    organisations = office.accounts.organisations()
    every = [one for o in organisations for one in office.accounts.sources(o.id)]
    found = next(one for one in every if one.id == source)
    return ["whsec_" + base64.b64encode(raw).decode() for raw in found.secrets]
