"""Questionnaires: filled in, or left out."""

from typing import Final

from shared.events.conditions import AtLeastOne
from shared.events.family import RATERS, BeforeTherapist, EventType, Family
from shared.events.fields import Choice, Number
from shared.events.schema import MapOf
from shared.events.texts import Language, PersonRef, Ref


class RatingGiven(BeforeTherapist):
    """A questionnaire was filled in, in whole or in part."""

    rating = Ref("The rating's own identity; the event's where it is left out.")
    instrument = Ref("The instrument's key, such as `phq-9`.", required=True)
    instrument_version = Ref("Its version; the newest when left out.")
    rater = Choice("Who filled it in.", *RATERS, required=True)
    respondent = PersonRef("Which person filled it in, where several could.")
    session = Ref("The session that it belongs to.")
    items = MapOf(
        Number("The answer; null where there is none.", nullable=True),
        "What was answered, by item number; may be partial. Reversed items are turned round here.",
    )
    scales = MapOf(Number("The scale's score."), "The scores by scale name.")
    total = Number("The total score.")
    scored_as = Choice(
        "Whether scales and total are sums or means, where the instrument has both.",
        "sum",
        "mean",
    )
    language = Language("The language that it was filled in in, as a BCP 47 tag.")

    conditions = (AtLeastOne(("items", "scales", "total")),)


class RatingSkipped(BeforeTherapist):
    """A questionnaire that was due was not filled in."""

    instrument = Ref("The instrument's key, such as `phq-9`.", required=True)
    rater = Choice("Who was to fill it in.", *RATERS, required=True)
    session = Ref("The session that it belonged to.")
    reason = Choice("Why.", "declined", "not_offered", "not_answered", "unknown", required=True)


FAMILY: Final = Family(
    "rating",
    (
        EventType(
            "rating.given",
            RatingGiven,
            time_means="when it was completed",
            feed="ratings",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "rating": "r-5512",
                "instrument": "srs-3",
                "instrument_version": "1",
                "rater": "client",
                "session": "s-1041",
                "items": {"1": 9.1, "2": 8.4, "3": 8.8, "4": 9},
                "total": 35.3,
                "language": "en-GB",
            },
        ),
        EventType(
            "rating.skipped",
            RatingSkipped,
            time_means="when it was due",
            feed="ratings",
            example={
                "clinic": "north",
                "therapist": "t-07",
                "instrument": "srs-3",
                "rater": "client",
                "session": "s-1041",
                "reason": "not_offered",
            },
        ),
    ),
)
