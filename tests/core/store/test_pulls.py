"""Pull requests and wishes as stored: shown when they are news, on a card per head, wished once, recorded."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.activities import Notice, PullActed, PullShown
from core.ids import TurnId
from core.pulls import PullAction, PullRef, PullState
from core.store.acts import Wish
from tests.core.review.fakes import EVE, FACTS, HEAD, NEXT, NOW, REF, THREAD, TURN, Desk, appended, desk

WISH = Wish(by=EVE, action=PullAction.APPROVE, sha=HEAD, thread=THREAD)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as made:
        yield made


async def opened(house: Desk, sha: str = HEAD, turn: str = TURN) -> None:
    await house.pulls.want(house.session, "acme/shop", "ann/eng-1", sha=sha, turn=TurnId(turn))
    await house.pulls.pushed(house.session, sha)
    await house.pulls.opened(house.session, REF)


async def show(house: Desk, **changes: object) -> bool:
    facts = replace(FACTS, **changes)  # type: ignore[arg-type]
    pull = await house.pulls.of(house.session)
    assert pull is not None
    return await house.pulls.show(house.session, facts, turn=pull.turn, steered_by=["Ann"], offer="")


async def shown(house: Desk) -> list[PullShown]:
    return [one for one in await house.entries(PullShown) if isinstance(one, PullShown)]


async def test_it_is_wanted_then_pushed_then_there(house: Desk) -> None:
    wanted = await house.pulls.want(house.session, "acme/shop", "ann/eng-1", sha=HEAD, turn=TURN)
    assert (wanted.ref, wanted.wanted_sha, wanted.is_shipped) == (None, HEAD, False)
    await opened(house)
    there = await house.pulls.of(house.session)
    assert there
    assert (there.ref, there.is_shipped) == (REF, True)
    assert await house.pulls.by_ref("ACME/Shop", 87) == there
    assert await house.pulls.by_ref("acme/shop", 88) is None


async def test_the_same_look_twice_is_shown_once(house: Desk) -> None:
    await opened(house)
    assert await show(house)
    assert not await show(house)
    assert [one.facts.head_sha for one in await shown(house)] == [HEAD]


async def test_an_older_look_never_replaces_a_newer_one(house: Desk) -> None:
    await opened(house)
    await show(house, updated_at="2026-11-21T12:00:00Z", is_draft=True)
    assert not await show(house, updated_at="2026-11-21T11:00:00Z", is_draft=False)
    assert [one.facts.is_draft for one in await shown(house)] == [True]


async def test_secrets_in_a_title_are_no_news_again_and_again(house: Desk) -> None:
    await opened(house)
    await show(house, title="the password is hunter2")
    assert not await show(house, title="the password is hunter2")
    assert [one.facts.title for one in await shown(house)] == ["the password is …"]


async def test_every_head_has_a_card_of_its_own_and_the_old_one_keeps_its_meaning(house: Desk) -> None:
    await opened(house)
    await show(house)
    await show(house, head_sha=NEXT, updated_at="2026-11-21T11:00:00Z")
    first, second = await shown(house)
    assert first.card != second.card
    for entry in (first, second):
        card = await house.pulls.card(entry.card)
        assert card is not None
        assert (card.session, card.head_sha) == (house.session, entry.facts.head_sha)
    assert await house.pulls.card("00" * 16) is None


async def test_a_later_turn_leaves_the_old_card_behind(house: Desk) -> None:
    await opened(house)
    await show(house)
    await opened(house, NEXT, "turn-2")
    await show(house, head_sha=NEXT, updated_at="2026-11-21T11:00:00Z")
    entries = [(one.turn, one.is_stale, one.facts.head_sha) for one in await shown(house)]
    assert entries == [(TURN, False, HEAD), (TURN, True, NEXT), ("turn-2", False, NEXT)]
    assert len({one.card for one in await shown(house)}) == 2


async def test_it_is_looked_at_when_due_and_a_hint_in_the_meantime_counts(house: Desk) -> None:
    await opened(house)
    await house.pulls.hint_session(house.session)
    assert [one.session for one in await house.pulls.due()] == [house.session]
    assert await house.pulls.due() == []
    await house.pulls.hint("Acme/SHOP", numbers=[87])
    await house.pulls.look_later(house.session, NOW + 500)
    assert len(await house.pulls.due()) == 1
    await house.pulls.look_later(house.session, None)
    assert await house.pulls.next_look() is None
    assert not await house.pulls.hint("acme/shop", numbers=[88])
    assert await house.pulls.hint("acme/shop", branch="ann/eng-1")
    assert await house.pulls.next_look() == 0


async def test_a_look_that_a_crash_cut_short_is_due_at_the_next_start(house: Desk) -> None:
    await opened(house)
    await house.pulls.hint_session(house.session)
    await house.pulls.due()
    await house.pulls.take_over()
    assert [one.session for one in await house.pulls.due()] == [house.session]
    await house.pulls.look_later(house.session, NOW + 500)
    await house.pulls.take_over()
    assert await house.pulls.next_look() == NOW + 500


async def test_all_that_are_watched_in_a_renamed_repository_are_looked_at(house: Desk) -> None:
    await opened(house)
    assert not await house.pulls.hint_all("acme/store")
    assert await house.pulls.hint_all("Acme/Shop")
    assert len(await house.pulls.due()) == 1
    await house.pulls.look_later(house.session, None)
    assert not await house.pulls.hint_all("acme/shop")


async def test_what_comes_after_a_closed_one_has_another_and_the_old_card_stays_as_it_is(house: Desk) -> None:
    await opened(house)
    await show(house, state=PullState.CLOSED)
    await house.pulls.over(house.session)
    after = await house.pulls.of(house.session)
    assert after is not None
    assert after.ref is None
    assert not after.is_shipped
    ref = PullRef("acme/shop", 88)
    await opened(house, NEXT, "turn-2")
    await house.pulls.opened(house.session, ref)
    await show(house, head_sha=NEXT, ref=ref, updated_at="2026-11-21T11:00:00Z")
    entries = [(one.turn, one.is_stale, one.facts.ref.number) for one in await shown(house)]
    assert entries == [(TURN, False, 87), ("turn-2", False, 88)]


async def test_a_look_from_before_the_next_turn_pushed_shows_nothing(house: Desk) -> None:
    await opened(house)
    await opened(house, NEXT, turn="turn-2")
    late = replace(FACTS, head_sha=NEXT, updated_at="2026-11-21T11:00:00Z")
    assert not await house.pulls.show(house.session, late, turn=TURN, steered_by=[], offer="")
    assert await shown(house) == []
    assert await show(house, head_sha=NEXT)


async def test_attempts_to_fix_are_counted_for_each_head(house: Desk) -> None:
    await opened(house)
    assert [await house.pulls.tried(house.session, sha) for sha in (HEAD, HEAD, NEXT)] == [1, 2, 1]


async def test_what_a_person_did_is_told_once_however_we_hear_of_it(house: Desk) -> None:
    await opened(house)
    act = PullActed(by=EVE, account=7, pull=REF, action=PullAction.APPROVE, sha=HEAD, body="Approved by Eve.")
    await house.pulls.show(house.session, FACTS, turn=TURN, steered_by=[], offer="", acts=[act])
    seen = replace(act, by=replace(EVE, surface="github"), body="Approved by eve in GitHub.")
    later = replace(FACTS, updated_at="2026-11-21T11:00:00Z", title="New")
    await house.pulls.show(house.session, later, turn=TURN, steered_by=[], offer="", acts=[seen])
    assert await house.entries(PullActed) == [act]


async def test_a_wish_is_taken_in_once_and_settled_once(house: Desk) -> None:
    assert await house.acts.want(house.session, "click-1", WISH)
    assert not await house.acts.want(house.session, "click-1", replace(WISH, sha=NEXT))
    (act,) = await house.acts.due()
    assert (act.wish, act.tried) == (WISH, False)
    for _ in range(2):
        await house.acts.settle(act, done=True, record={"result": "done"}, tell=appended(Notice(body="x")))
    assert await house.acts.due() == []
    assert len(await house.entries(Notice)) == 1
    assert [one.body for one in (await house.audit.trail()).records] == [{"result": "done"}]


async def test_two_clicks_at_once_are_one_deed_and_a_refused_one_may_be_wished_again(house: Desk) -> None:
    for key in ("a", "b"):
        await house.acts.want(house.session, key, WISH)
    first, second = await house.acts.due()
    assert await house.acts.begin(first, "approve")
    assert await house.acts.begin(first, "approve")
    assert not await house.acts.begin(second, "approve")
    assert [one.tried for one in await house.acts.due()] == [True, False]
    await house.acts.settle(first, done=False, record={}, tell=[])
    assert await house.acts.begin(second, "approve")


async def test_what_is_held_for_a_person_waits_for_an_hour_and_goes_on_or_ends(house: Desk) -> None:
    for key in ("a", "b"):
        await house.acts.want(house.session, key, WISH)
    for act in await house.acts.due():
        await house.acts.hold(act, record={"result": "must link"}, tell=[])
    assert await house.acts.due() == []
    first, second = await house.acts.held()
    assert (first.act.id, first.left_s) == ("a", 3600)
    await house.acts.release([first.act])
    assert [one.id for one in await house.acts.due()] == ["a"]
    await house.acts.settle(second.act, done=False, record={"result": "not linked"}, tell=[])
    assert await house.acts.held() == []


async def test_which_heads_people_could_see_and_when(house: Desk) -> None:
    await opened(house)
    await show(house)
    house.time[0] += 10
    await show(house, head_sha=NEXT, updated_at="2026-11-21T11:00:00Z")
    assert await house.pulls.heads(house.session, until=NOW - 1) == []
    assert await house.pulls.heads(house.session, until=NOW + 9) == [HEAD]
    assert await house.pulls.heads(house.session, until=NOW + 10) == [NEXT, HEAD]


async def test_a_renamed_repository_is_found_under_both_names_and_keeps_ours(house: Desk) -> None:
    await opened(house)
    renamed = PullRef("acme/store", 87)
    await show(house, ref=renamed)
    pull = await house.pulls.by_ref("Acme/Store", 87)
    assert pull is not None
    assert (pull.repository, pull.ref) == ("acme/shop", renamed)
    assert await house.pulls.by_ref("acme/shop", 87) == pull
    assert await house.pulls.hint("acme/store", numbers=[87])
    assert not await house.pulls.hint("acme/other", numbers=[87])


async def test_a_wish_survives_the_store_with_everything_in_it(house: Desk) -> None:
    wish = replace(WISH, text="please", sure=True)
    await house.acts.want(house.session, "w", wish)
    assert [one.wish for one in await house.acts.due()] == [wish]
