"""Who may do what: the whole table."""

from itertools import product

import pytest

from core.activities import Author
from core.events import Chosen, Deleted, Edited, IncomingEvent, Pressed, Said, SessionOpened, StopAsked
from core.ids import ElicitationId, MessageRef, ThreadRef
from core.people import Evidence, Guests, Identity, Policy, Unlinked, Verdict, acts, refusal, verdict
from core.pulls import PullAction

MESSAGE = MessageRef(ThreadRef("slack", "T1", "C1", "1.0"), "1.0")
MEMBER = Author("slack", "T1/U1", "Ann")
GUEST = Author("slack", "T1/U2", "Gus", is_guest=True)
STRANGER = Author("slack", "T1/U3", "Xenia", is_external=True)
IN_LINEAR = Author("linear", "u1", "Eve")
AT_GITHUB = Author("github", "7", "eve")

A, L, R = Verdict.ALLOWED, Verdict.MUST_LINK, Verdict.READS_ONLY


@pytest.mark.parametrize(
    ("unlinked", "guests", "author", "unknown", "known"),
    [
        (Unlinked.NAMED, Guests.READ, MEMBER, A, A),
        (Unlinked.NAMED, Guests.READ, GUEST, R, R),
        (Unlinked.NAMED, Guests.FULL, GUEST, A, A),
        (Unlinked.LINK, Guests.READ, MEMBER, L, A),
        (Unlinked.LINK, Guests.READ, GUEST, R, R),
        (Unlinked.LINK, Guests.FULL, GUEST, L, A),
    ],
)
def test_the_table(
    unlinked: Unlinked, guests: Guests, author: Author, unknown: Verdict, known: Verdict
) -> None:
    policy = Policy(unlinked, guests)
    assert verdict(policy, author, is_known=False) is unknown
    assert verdict(policy, author, is_known=True) is known


@pytest.mark.parametrize(("unlinked", "guests"), [*product(Unlinked, Guests)])
def test_people_from_elsewhere_only_read_and_who_was_asked_elsewhere_may_do_all(
    unlinked: Unlinked, guests: Guests
) -> None:
    assert verdict(Policy(unlinked, guests), STRANGER, is_known=True) is R
    assert verdict(Policy(unlinked, guests), IN_LINEAR, is_known=False) is A
    assert verdict(Policy(unlinked, guests), AT_GITHUB, is_known=False) is A


@pytest.mark.parametrize(
    ("event", "is_act"),
    [
        (Said("fix the search"), True),
        (Said("new fix it again"), True),
        (Said("follow ENG-7"), True),
        (Said("approve"), True),
        (Said("merge abc1234"), True),
        (Said("request changes: rename it"), True),
        (Pressed("card", PullAction.MERGE), True),
        (Edited(MESSAGE, "fix it"), True),
        (Chosen(ElicitationId("q"), "a"), True),
        (SessionOpened("s", "i"), True),
        (Said("stop"), False),
        (Said("status"), False),
        (Said("why?"), False),
        (Said("help"), False),
        (Said("link"), False),
        (Said("link github"), False),
        (Said("unlink my account"), False),
        (Said("aside: lunch?"), False),
        (StopAsked(), False),
        (Deleted(MESSAGE), False),
    ],
)
def test_to_stop_and_to_ask_is_free(event: IncomingEvent, is_act: bool) -> None:
    assert acts(event) is is_act


def test_guests_and_strangers_are_told_apart() -> None:
    assert refusal(GUEST) != refusal(STRANGER)


@pytest.mark.parametrize(
    ("evidence", "email", "holds"),
    [
        (Evidence.OAUTH, "else@acme.test", True),
        (Evidence.OAUTH, None, True),
        (Evidence.EMAIL, "ann@acme.test", True),
        (Evidence.EMAIL, "else@acme.test", False),
        (Evidence.EMAIL, None, False),
    ],
)
def test_what_an_address_told_ends_with_the_address(
    evidence: Evidence, email: str | None, holds: bool
) -> None:
    identity = Identity(
        surface="slack",
        account="T1/U1",
        linear_user="u1",
        name="ann",
        email="ann@acme.test",
        evidence=evidence,
    )
    assert identity.holds_for(Author("slack", "T1/U1", "Ann", email)) is holds
