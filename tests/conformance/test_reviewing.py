"""From the work to the merge: the same card, the same buttons and words, and nobody acts as another."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from playground.scripts import call
from playground.stage import HOSTED, Stage
from tests.conformance.platforms import ROOMS
from tests.conformance.reviews import RULES, Review, newcomer, settle_in
from tests.conformance.support import scenario
from tests.conformance.talk import Talk
from tests.scenarios.conftest import on_stage
from tests.scenarios.scripts import script

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """With Slack, Teams and GitHub."""
    patient = {"rate_factor": None, "answer_within_s": 20.0, "invoke_within_s": 20.0}
    async with on_stage(tmp_path_factory.mktemp("reviews"), teams=patient, github=RULES) as stage:
        settle_in(stage)
        await stage.serve()
        yield stage


@pytest.fixture
def review(talk: Talk) -> Review:
    """Of a thread of its own."""
    return Review(talk)


@pytest.fixture(scope="module")
def shared() -> dict[str, Review]:
    """By platform."""
    return {}


@pytest_asyncio.fixture(loop_scope="module")
async def common(stage: Stage, platform: str, shared: dict[str, Review]) -> Review:
    """One that is ready, for all scenarios that bring their own people and leave it open."""
    if not shared:
        # Of all platforms now: once Ann is linked, she opens hers herself.
        for name, room in ROOMS.items():
            shared[name] = Review(Talk(room(stage)))
            await shared[name].ready()
    return shared[platform]


# The card


@scenario("Pull requests", "work ends in a draft, which a card in the thread and a line in Linear show")
async def test_a_card(review: Review, talk: Talk, platform: str) -> None:
    pull = await review.opened()

    assert (pull.is_draft, pull.author.login) == (True, "threadline[bot]")
    assert f"Asked for by Ann in {platform}" in pull.body
    card = review.card()
    assert card.startswith(f"{HOSTED} #{pull.number} · {pull.title}")
    assert f" · {review.sha} · " in card
    assert card.endswith("[View diff] [Ready for review] [Request changes]")
    await talk.until(
        lambda: any(f"#{pull.number}" in text and "draft" in text for text in talk.told("response")),
        "Linear shows it in short",
    )
    links = [one["url"] for one in talk.session()["externalLinks"]]
    assert any(url.endswith(f"/pull/{pull.number}") for url in links)
    assert pull.reviews == []


@scenario("Pull requests", "the card stays true: a push makes another commit the one to approve")
async def test_a_card_that_is_kept_true(common: Review) -> None:
    talk, message, old = common.talk, common.card_message(), common.sha
    await common.github.push(common.home, common.pull.branch, "eve", {"NOTES.md": f"{old}\n"})
    await talk.until_shown(f"[Approve {common.sha}]")

    assert common.sha != old
    assert not talk.shows(f"[Approve {old}]")
    assert common.card_message() == message
    assert not await talk.room.press("bob", message, f"Approve {old}")


# Who


@scenario(
    "Pull requests", "who has no account linked gets a private link; what they asked for then runs by itself"
)
async def test_a_link(common: Review) -> None:
    talk = common.talk
    rae = newcomer(talk, "rae")
    talk.say("comment: looks fine", by=rae)
    await talk.until(lambda: talk.room.links(rae), "they are sent a link")
    assert common.reviews(rae) == []
    assert "link GitHub first" in talk.room.private(rae)[0]
    await common.link(rae)

    await talk.until(lambda: common.reviews(rae) == ["COMMENTED"], "the comment is theirs")
    told = talk.room.private(rae)
    assert any(
        f"You signed in to GitHub as @{rae}. Confirm that this account is yours." in one for one in told
    )
    assert not any("/oauth/" in text for text in talk.texts())
    await talk.until_told("looks fine")


@scenario("Pull requests", "who may only read the repository is refused, and told why")
async def test_a_stranger(common: Review) -> None:
    talk = common.talk
    max_ = newcomer(talk, "max", may="read")
    assert await talk.room.press(max_, common.card_message(), f"Approve {common.sha}")
    await common.link(max_)
    await common.until_told(max_, f"Approving in {HOSTED} needs write access; you can still comment.")
    talk.say("merge", by=max_)
    await common.until_told(max_, f"Merging in {HOSTED} needs write access; you can still comment.")

    assert common.reviews(max_) == common.acts(max_) == []
    assert not common.pull.is_merged


@scenario("Pull requests", "the approval of who asked for the work does not count, and they are told")
async def test_an_approval_of_ones_own(common: Review) -> None:
    talk = common.talk
    talk.say("approve", by="ann")
    await talk.until(lambda: talk.room.private("ann"), "they are asked to link, or told")
    if talk.room.links("ann"):  # Once is enough for all platforms.
        await common.link("ann")
    await common.until_told("ann", "You asked for this work, so your approval does not count.")
    await talk.until(lambda: common.reviews("ann") == ["APPROVED"], "it is at GitHub all the same")

    def judged() -> bool:
        ours = [one for one in common.home.checks if one.sha == common.pull.head_sha]
        return ours[-1].conclusion == "failure"

    await talk.until(judged, "the check says so soon")


@scenario("Pull requests", "a guest and somebody from another organisation are refused")
async def test_guests_and_outsiders(common: Review) -> None:
    talk = common.talk
    talk.room.join_outsider()
    for who, sentence in (("gus", "Guests can read along"), ("xenia", "People from other organisations")):
        talk.say("approve", by=who)
        await common.until_told(who, sentence)
        assert await talk.room.press(who, common.card_message(), f"Approve {common.sha}")
        await common.until_told(who, sentence, times=2)

        assert talk.room.links(who) == []
        assert common.reviews(who) == []


# Acting


@scenario("Pull requests", "ready, request changes, approve and merge by button; both sides say who merged")
async def test_buttons(review: Review, talk: Talk) -> None:
    pull = await review.opened()
    ann, eve = newcomer(talk, "amy"), newcomer(talk, "ivy")
    assert await talk.room.press(ann, review.card_message(), "Ready for review")
    await review.link(ann)
    await talk.until_shown(f"[Approve {review.sha}]")
    assert not pull.is_draft
    await talk.room.fill_in(eve, review.card_message(), "Request changes", "Name it better.")
    await review.link(eve)
    await talk.until_shown(f"Changes requested by {eve}")
    assert pull.reviews[-1].body.startswith("Name it better.")
    assert await talk.room.press(eve, review.card_message(), f"Approve {review.sha}")
    await talk.until_shown(f"Approved by {eve}")
    await talk.until_shown("[Merge]")
    assert await talk.room.press(eve, review.card_message(), "Merge")
    await review.until_told(eve, f"Merge {HOSTED} #{pull.number} at {review.sha}")
    assert not pull.is_merged
    assert await talk.room.press_privately(eve, f"Merge {review.sha} as a merge commit")

    await merged(review, eve)


@scenario(
    "Pull requests", "ready, comment, request changes, approve and merge by word; the same is said of it"
)
async def test_words(review: Review, talk: Talk) -> None:
    pull = await review.opened()
    eve = newcomer(talk, "zoe")
    talk.say("ready", by=eve)
    await review.link(eve)
    await talk.until_shown(f"[Approve {review.sha}]")
    talk.say("comment: short and sweet", by=eve)
    await talk.until(lambda: review.reviews(eve) == ["COMMENTED"], "it is commented on")
    talk.say("request changes: name it better", by=eve)
    await talk.until_shown(f"Changes requested by {eve}")
    talk.say("approve", by=eve)
    await talk.until_shown(f"Approved by {eve}")
    talk.say("merge", by=eve)
    await review.until_told(eve, f"Write merge {review.sha} in the thread to confirm it.")
    assert not pull.is_merged
    talk.say(f"merge {review.sha}", by=eve)

    await merged(review, eve)


async def merged(review: Review, who: str) -> None:
    """Both sides say who merged, and nobody else did anything at GitHub."""
    talk, pull = review.talk, review.pull
    await talk.until(lambda: pull.is_merged, "it is merged")
    assert pull.merged_by is not None
    assert pull.merged_by.login == who
    await talk.until(
        lambda: f"Merged by {who} as a merge commit" in review.card() and "is Done" in review.card(),
        "the card says so",
    )
    await talk.until(
        lambda: any(f"Merged by {who}" in text for text in talk.told("response")), "Linear says so"
    )
    assert review.card().endswith("[View diff]")
    assert talk.issue()["state"] == "Done"


@scenario("Pull requests", "a press that is delivered three times, or made twice, counts once")
async def test_a_press_that_approves(common: Review) -> None:
    talk = common.talk
    ida = newcomer(talk, "ida")
    talk.say("comment: hello", by=ida)
    await common.link(ida)
    await talk.until(lambda: common.reviews(ida) == ["COMMENTED"], "they are linked")
    talk.room.repeat(3)
    for _ in range(2):
        assert await talk.room.press(ida, common.card_message(), f"Approve {common.sha}")
    talk.room.calm()
    await talk.until_shown(f"Approved by {ida}")
    # What comes later is dealt with later.
    talk.say("comment: bye", by=ida)

    await talk.until(lambda: common.reviews(ida)[1:].count("COMMENTED") == 1, "what came later is done")
    assert common.reviews(ida) == ["COMMENTED", "APPROVED", "COMMENTED"]


@scenario(
    "Pull requests",
    "`Fix it` after a failed check: the same session goes on, and the old card has no buttons",
)
async def test_a_fix(review: Review, talk: Talk) -> None:
    pull = await review.ready()
    rules, old, before = review.home.rules, review.card_message(), review.sha
    review.home.rules = replace(rules, checks={**rules.checks, "build": None})
    try:
        await review.github.check(review.home, pull.head_sha, "build", "failure", "1 test failed: test_lines")
        await talk.until_shown("build failed")
        writes = {"tools": [call("Write", file_path="FIXED.md", content="fixed\n")]}
        talk.stage.model.play([script(writes, {"text": "Fixed the build."}, match="test_lines")])
        await talk.press("Fix it", by="ann")
        await talk.ended(2)
        await talk.until(lambda: review.card_message() not in ("", old), "there is a new card")
        await talk.until(lambda: review.sha in review.card(), "it is of the new commit")
    finally:
        review.home.rules = rules

    assert talk.shows("Fixed the build.")
    assert review.sha != before
    assert await stale(review, old) == f"The pull request moved to {review.sha} since this card."


async def stale(review: Review, message: str) -> str:
    """What a card says once it has no buttons any more."""
    talk = review.talk
    await talk.until(lambda: "[Request changes]" not in _reads(talk, message), "its buttons are gone")
    assert not await talk.room.press("bob", message, "Request changes")
    return _reads(talk, message).split("\n")[-1].partition(" [")[0]


def _reads(talk: Talk, message: str) -> str:
    return next(one.words for one in talk.messages() if one.id == message)
