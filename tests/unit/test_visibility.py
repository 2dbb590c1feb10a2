"""Who may see which boundary matter, decided on the facts before anything is folded."""

from hypothesis import assume, given

from services.projections.visibility import visible, within
from shared.alliance.history import fold
from shared.alliance.matters import BOUNDARY, matters
from shared.alliance.timeline import timeline
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.histories import Story, stories

EVE = "th_eve"


def seen(*envelopes: Envelope, person: str | None = EVE) -> set[str]:
    """Return the ids of what a person sees of some facts."""
    return {one.id for one in visible(envelopes, matters(envelopes), person)}


@given(stories())
def test_nothing_of_a_matter_survives(story: Story) -> None:
    """Whatever happened around it, who is named in every matter sees no boundary fact at all."""
    own = visible(story.client, matters(story.client), an.THERAPIST)
    folded = timeline(fold(an.ORGANISATION, an.CLIENT, own, story.around))
    assert folded["boundary_events"] == []
    assert all(
        not one["target"].get("type", "").startswith(BOUNDARY)
        for one in folded["waiting_amendments"]
    )
    assert [one for one in own if one.event.type.startswith(BOUNDARY)] == []


@given(stories())
def test_who_is_bound_to_nobody_sees_everything(story: Story) -> None:
    """A key of no person sees all facts, and one of a person outside every matter those placed."""
    known = matters(story.client)
    assert visible(story.client, known, None) == tuple(story.client)
    placed = {one for one in known.refs if known.concerned(one) is not None}
    bound = {one.id for one in visible(story.client, known, "th_else")}
    assert bound == {one.id for one in story.client} - set(known.refs) | placed


@given(stories())
def test_one_clinic_alone_is_everything(story: Story) -> None:
    """Where all happened in one clinic, its key sees all, and another's nothing."""
    assume(any(not one.event.type.startswith("consent.") for one in story.client))
    assert within(story.client, frozenset({an.CLINIC})) == tuple(story.client)
    assert within(story.client, frozenset({"oak"})) == ()


def test_amendments_of_amendments_are_followed() -> None:
    """A retraction of a retraction of a matter belongs to the matter."""
    noted = an.a_boundary_noted(concerns=EVE)
    gone = an.a_retraction(noted, at=an.on(9))
    back = an.a_retraction(gone, at=an.on(10))
    assert seen(noted, gone, back) == set()
    assert len(seen(noted, gone, back, person="th_ada")) == 3


def test_a_renamed_matter_is_one_matter() -> None:
    """A correction that gives a matter another name opens neither name."""
    noted = an.a_boundary_noted("b1", concerns=EVE)
    renamed = an.a_correction(noted, boundary_event="b2", concerns="th_ada")
    assessed = an.a_boundary_assessed("b2")
    assert seen(noted, renamed, assessed) == set()
    assert len(seen(noted, renamed, assessed, person="th_bob")) == 3


def test_what_cannot_be_placed_is_shown_to_no_person() -> None:
    """A step of a matter never noted, and an amendment of one unseen, wait out of sight."""
    assessed = an.a_boundary_assessed("b9")
    corrected = an.a_correction(an.a_boundary_noted("b8", concerns=EVE), concerns="th_ada")
    retracted = an.a_retraction(an.a_boundary_noted("b7"))
    assert seen(assessed, retracted, person="th_ada") == set()
    assert seen(corrected, person=EVE) | seen(corrected, person="th_ada") == set()
    assert len(seen(assessed, corrected, retracted, person=None)) == 3


def test_a_client_alone_may_be_noted() -> None:
    """A matter about the client names no member of staff, and is hidden from none."""
    noted = an.a_boundary_noted(about="client", concerns=None)
    assert seen(noted) == {noted.id}


def test_consent_counts_everywhere() -> None:
    """A withdrawal that another clinic took is known to every clinic, but makes no client."""
    withdrawn = an.a_consent("withdrawn", an.on(9), clinic="oak")
    held = an.a_session_held()
    elm = frozenset({an.CLINIC})
    assert within([held, withdrawn], elm) == (held, withdrawn)
    assert within([withdrawn], elm) == ()


def test_an_id_of_two_clients_means_each_ones_own() -> None:
    """Of merged clients who used one id for different events, an amendment means its own.

    Taken for the other's, what takes back a matter would be shown to whom the matter concerns.
    """
    noted = an.a_boundary_noted(concerns=EVE, id="x", client="cl_ann")
    held = an.a_session_held("s1", an.on(1), id="x", client="cl_ben")
    gone = an.a_retraction(noted, id="r", client="cl_ann")
    again = an.a_retraction(held, id="r", client="cl_ben")
    for order in ([noted, held], [held, noted]):
        assert seen(*order, gone, again) == {held.id, again.id}
        assert seen(*order, gone, again, person="th_ada") == {
            noted.id, held.id, gone.id, again.id
        }  # fmt: skip


def test_an_amendment_under_the_other_reference_is_of_the_type_it_names() -> None:
    """Said under the other reference, it means what fits it, whose own id stands for another."""
    noted = an.a_boundary_noted(concerns=EVE, id="x", client="cl_ann")
    held = an.a_session_held("s1", an.on(1), id="x", client="cl_ben")
    gone = an.a_retraction(noted, id="r", client="cl_ben")
    for order in ([noted, held], [held, noted]):
        assert seen(*order, gone) == {held.id}
