"""Who may see which boundary matter: decided on the facts, before anything is folded from them.

A key may belong to a person. Boundary matters that concern that person are then left out of every
timeline before it is folded, so that no figure, amendment or alert can give them away (invariant
10). The reporter of a matter is left out where the reporter is protected, but for a key that is
held as governance or safeguarding.

Every version of a matter counts: a correction that takes a name away, or a retraction, does not
open the matter to the person it once named. What cannot be placed (an amendment whose target has
not arrived, a step of a matter never noted) is shown to no person-bound key at all.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from shared.alliance.amendments import CORRECTED, KINDS
from shared.alliance.matters import (
    NOTED,
    Matters,
    by_names,
    noted_fields,
    taken_back,
    target_of,
    type_of_target,
)
from shared.alliance.reading import standing
from shared.envelope import Envelope

CONFIDANTS: Final = frozenset({"governance", "safeguarding"})
"""Roles of a key that may know who reported a matter whose reporter is protected."""


def visible(
    envelopes: Sequence[Envelope],
    known: Matters,
    person: str | None,
    role: str | None = None,
) -> tuple[Envelope, ...]:
    """Return what a caller may see: without matters about them, without protected reporters."""
    if not known.refs:
        return tuple(envelopes)
    everything = may_know_reporters(role)
    return tuple(
        envelope if everything else _without_reporter(envelope, known)
        for envelope in envelopes
        if person is None or known.cleared(envelope.id, person)
    )


def may_know_reporters(role: str | None) -> bool:
    """Return whether the bearer of a key with a role may know protected reporters."""
    return role in CONFIDANTS


def within(envelopes: Sequence[Envelope], clinics: frozenset[str]) -> tuple[Envelope, ...]:
    """Return what happened in some clinics; nothing when nothing about the client did.

    What a fact's clinic is, its corrections decide. Consent is the client's own word, and counts
    everywhere. An amendment goes with what it amends, whichever clinic sent it.
    """
    corrected = {fact.event: fact.data.get("clinic") for fact in standing(envelopes).facts}
    by_name = by_names(envelopes)
    about = {one.id: target_of(one, by_name) or one for one in envelopes}

    def happened_there(envelope: Envelope) -> bool:
        meant = about[envelope.id]
        return corrected.get(meant.id, meant.event.data.get("clinic")) in clinics

    there = {one.id for one in envelopes if happened_there(one)}
    things = {thing for one in envelopes if one.id in there for thing in _things(one)}
    there |= {one.id for one in envelopes if not things.isdisjoint(taken_back(about[one.id]))}
    if all(one.id not in there or _everywhere(one) for one in envelopes):
        return ()
    return tuple(one for one in envelopes if one.id in there or _everywhere(one))


def _things(envelope: Envelope) -> set[tuple[str, str]]:
    """Return the thing, as kind and reference, that an event speaks of, or its correction does."""
    event, data = envelope.event, envelope.event.data
    corrects = event.type == CORRECTED
    spoken = type_of_target(data) if corrects else event.type
    kind = KINDS.get(spoken.partition(".")[0], "")
    ref = (data["data"] if corrects else data).get(kind)
    return {(kind, ref)} if ref else set()


def _everywhere(envelope: Envelope) -> bool:
    return envelope.event.type.startswith("consent.")


def _without_reporter(envelope: Envelope, known: Matters) -> Envelope:
    noted = noted_fields(envelope)
    if noted is None or known.refs.get(envelope.id) not in known.protected:
        return envelope
    hidden = {**noted, "reported_by": None}
    event = envelope.event
    data = hidden if event.type == NOTED else {**event.data, "data": hidden}
    return replace(envelope, event=replace(event, data=data))
