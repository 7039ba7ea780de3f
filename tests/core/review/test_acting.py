"""Wishes about a pull request: decided anew, done once as the person, and told to everybody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from core.activities import AuthAsked, Author, ConfirmAsked, Denied, Notice, PullActed, PullShown
from core.errors import HeadMoved, LinkLost, Refused, Throttled, TryLater
from core.events import Incoming, Said
from core.ids import SessionId
from core.intake import given_of
from core.mirror.clock import SystemClock
from core.pulls import Check, CheckState, MergeState, Permission, PullAction, PullState, ReviewState
from core.review import acting
from core.review.acting import Acting
from core.review.reviews import Reviews
from core.review.watch import PullWatch
from core.routing import Repository
from core.session import TurnOpened
from core.store.acts import Wish
from tests.core.review.fakes import (
    ANN,
    EVE,
    FACTS,
    HEAD,
    MAX,
    NEXT,
    NOW,
    REF,
    THREAD,
    TURN,
    Desk,
    FakeAccounts,
    FakeCodeHost,
    account,
    approval,
    desk,
)
from tests.core.turn.fakes import ISSUE, FakeTracker

PATIENCE_S = 20
EVES, ANNS, MAXS = account(7, "eve"), account(5, "ann"), account(9, "max")
RUNNING = (Check("build", CheckState.RUNNING, required=True),)
SHOP = Repository(name="acme/shop", url="https://github.test/acme/shop.git", hosted=True)


@dataclass
class House:
    desk: Desk
    host: FakeCodeHost
    accounts: FakeAccounts
    watch: PullWatch
    acting: Acting
    tracker: FakeTracker
    prompts: list[Incoming] = field(default_factory=list)
    wishes: int = 0

    @property
    def reviews(self) -> Reviews:
        """As the turn and the edges have it, for words: it ships nothing and asks nobody."""
        return Reviews(
            shipper=None,  # type: ignore[arg-type]
            watch=self.watch,
            acting=self.acting,
            pulls=self.desk.pulls,
            sessions=self.desk.sessions,
            repositories={},
            guard=None,  # type: ignore[arg-type]
            crediting=None,  # type: ignore[arg-type]
        )

    async def wish(self, action: PullAction, by: Author = EVE, **more: object) -> None:
        """Somebody asks, and it is settled."""
        self.wishes += 1
        given = {"sha": HEAD, "thread": THREAD, **more}
        wish = Wish(by=by, action=action, **given)  # type: ignore[arg-type]
        await self.acting.want(self.desk.session, f"wish-{self.wishes}", wish)
        await self.settled()

    async def say(self, words: str, at: float, by: Author = EVE) -> None:
        """Somebody writes it in the thread, at that moment."""
        self.wishes += 1
        said = Incoming(key=f"word-{self.wishes}", place=THREAD, event=Said(words, at=at), author=by)
        session = (await self.desk.sessions.load(self.desk.session)).session
        assert await self.reviews.take(self.desk.session, said, session)
        await self.settled()

    async def settled(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while await self.desk.acts.due():  # noqa: ASYNC110 - the store has no event to wait for.
                await asyncio.sleep(0)

    async def told(self) -> list[str]:
        """What people read since the beginning, and who alone if not everybody."""
        lines = []
        for one in await self.desk.sessions.log(self.desk.session):
            match one.entry:
                case PullActed(body=body):
                    lines.append(body)
                case Denied(person=person, code=code, body=body):
                    lines.append(f"{person.name} alone, {code}: {body}")
                case AuthAsked(person=person, provider=provider, body=body):
                    lines.append(f"{person.name} alone, {provider}: {body}")
                case ConfirmAsked(person=person, body=body, word=word):
                    lines.append(f"{person.name} alone: {body} [{word}]")
                case Notice(body=body):
                    lines.append(body)
                case _:
                    continue
        return lines

    async def results(self) -> list[str]:
        trail = await self.desk.audit.trail()
        return [f"{one.body['action']} {one.body['result']}" for one in trail.records]


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(acting, "PAUSES_S", (0.0,) * 4)
    async with desk(tmp_path) as made:
        host, accounts = FakeCodeHost(may={7: Permission.WRITE, 5: Permission.ADMIN}), FakeAccounts()
        accounts.link(EVE, EVES)
        accounts.link(ANN, ANNS)
        clock, repositories, tracker = SystemClock(), {"acme/shop": SHOP}, FakeTracker()

        def wake(session: SessionId) -> None:
            assert session == made.session

        prompts = list[Incoming]()

        async def accept(session: SessionId, incoming: Incoming) -> None:
            prompts.append(incoming)

        watch = PullWatch(
            host,
            accounts,
            None,  # type: ignore[arg-type] # Everything is shipped here.
            made.pulls,
            made.sessions,
            tracker,
            clock,
            repositories=repositories,
            audit=made.audit,
            wake_mirror=wake,
            accept=accept,
        )
        acts = Acting(
            host,
            host,
            accounts,
            watch,
            None,  # type: ignore[arg-type] # Nothing is shipped here.
            made.pulls,
            made.acts,
            made.sessions,
            clock,
            repositories=repositories,
            accept=accept,
            wake_mirror=wake,
            reads_only=lambda author: author.is_guest,
        )
        await made.pulls.want(made.session, "acme/shop", "ann/eng-1", sha=HEAD, turn=TURN)
        await made.pulls.pushed(made.session, HEAD)
        await made.pulls.opened(made.session, REF)
        await made.pulls.show(made.session, FACTS, turn=TURN, steered_by=["Ann"], offer="")
        built = House(made, host, accounts, watch, acts, tracker, prompts)
        acts.start()
        yield built
        await acts.stop()


async def test_an_approval_is_the_persons_own_on_the_commit_they_saw(house: House) -> None:
    await house.wish(PullAction.APPROVE)
    assert house.host.calls == ["approved by eve at abc1234"]
    assert await house.told() == ["Approved by Eve at abc1234."]
    (record,) = (await house.desk.audit.trail()).records
    expected = {"who": "slack:T1/UEVE", "account": 7, "shown": HEAD, "head": HEAD, "result": "done"}
    assert expected.items() <= record.body.items()
    assert record.body["permission"] == "write"


async def test_who_steered_is_told_that_it_does_not_count(house: House) -> None:
    await house.wish(PullAction.APPROVE, by=ANN)
    assert house.host.calls == ["approved by ann at abc1234"]
    assert await house.told() == [
        "Approved by Ann at abc1234.",
        "Ann alone, pr.yours: You asked for this work, so your approval does not count.",
    ]


async def test_the_same_person_steered_from_another_side(house: House) -> None:
    twin = Author("teams", "t/ann", "Ann")
    house.accounts.link(twin, ANNS)
    await house.wish(PullAction.APPROVE, by=twin)
    assert (await house.told())[-1].endswith("so your approval does not count.")


async def test_a_card_of_another_head_does_nothing(house: House) -> None:
    house.host.push(NEXT)
    await house.wish(PullAction.APPROVE)
    assert house.host.calls == []
    assert await house.told() == [
        "Eve alone, pr.stale: The pull request moved to def5678 since this card. See the new card."
    ]


async def test_a_head_that_moves_while_they_click_is_told(house: House) -> None:
    house.host.errors, house.host.late = [HeadMoved("moved", head=NEXT)], True
    await house.wish(PullAction.APPROVE)
    assert (await house.told())[-1].startswith("Eve alone, pr.stale: The pull request moved to def5678")


async def test_who_is_unlinked_is_asked_once_and_their_wish_goes_on_by_itself(house: House) -> None:
    await house.wish(PullAction.APPROVE, by=MAX)
    assert await house.told() == ["Max alone, GitHub: To approve as yourself, link GitHub first."]
    house.accounts.link(MAX, MAXS)
    house.host.may[9] = Permission.MAINTAIN
    await house.acting.linked(MAX)
    await house.settled()
    assert (await house.told())[-1] == "Approved by Max at abc1234."
    assert await house.results() == ["approve must link", "approve done"]


async def test_evidence_alone_is_no_authority(house: House) -> None:
    house.accounts.link(MAX, replace(MAXS, can_act=False))
    house.host.may[9] = Permission.ADMIN
    await house.wish(PullAction.APPROVE, by=MAX)
    assert house.host.calls == []
    assert await house.results() == ["approve must link"]


async def test_a_stranger_and_a_guest_are_refused(house: House) -> None:
    house.accounts.link(MAX, MAXS)
    await house.wish(PullAction.APPROVE, by=MAX)
    await house.wish(PullAction.APPROVE, by=replace(EVE, is_guest=True))
    assert house.host.calls == []
    assert await house.results() == ["approve person.denied", "approve person.guest"]


async def test_a_merge_is_confirmed_then_done_once(house: House) -> None:
    house.host.now = replace(FACTS, reviews=(approval(EVES),))
    await house.wish(PullAction.MERGE)
    assert house.host.calls == []
    await house.wish(PullAction.MERGE, sure=True)
    await house.wish(PullAction.MERGE, sure=True)
    assert house.host.calls == ["merge by eve at abc1234 as squash"]
    assert await house.told() == [
        "Eve alone: Merge acme/shop #87 at abc1234 (3 files +41 −6) into main, as squash? [merge abc1234]",
        "Merged by Eve as squash.",
        "Eve alone, pr.closed: It was merged by @eve already.",
    ]


async def test_a_word_is_meant_for_the_head_that_people_saw_when_they_wrote_it(house: House) -> None:
    house.desk.time[0] += 10
    house.host.push(NEXT)
    pull = await house.desk.pulls.of(house.desk.session)
    assert pull is not None
    await house.watch.look(pull)
    for said_at, words in (
        (NOW + 5, "approve"),
        (NOW + 15, "approve abc1234"),
        (NOW + 15, "approve 0123456"),
    ):
        await house.say(words, said_at)
    assert house.host.calls == []
    assert (
        await house.told()
        == ["Eve alone, pr.stale: The pull request moved to def5678 since this card. See the new card."] * 3
    )
    await house.say("approve def5678", NOW + 15)
    assert house.host.calls == ["approved by eve at def5678"]


async def test_a_name_that_two_commits_begin_with_names_neither(house: House) -> None:
    house.host.push(HEAD[:-1] + "9")
    pull = await house.desk.pulls.of(house.desk.session)
    assert pull is not None
    await house.watch.look(pull)
    await house.say("approve abc1234", NOW + 5)
    assert house.host.calls == []
    assert (await house.told())[0].startswith("Eve alone, pr.stale")


async def test_what_waits_for_a_link_ends_with_a_word_after_an_hour(house: House) -> None:
    await house.wish(PullAction.APPROVE, by=MAX)
    house.desk.time[0] += 3601
    await house.acting.linked(EVE)
    async with asyncio.timeout(PATIENCE_S):
        while await house.desk.acts.held():  # noqa: ASYNC110 - the store has no event to wait for.
            await asyncio.sleep(0)
    assert (await house.told())[-1] == (
        "Max alone, github.unlinked: You have not linked GitHub within an hour, so nothing was done. "
        "Ask again, then link."
    )
    assert await house.results() == ["approve must link", "approve github.unlinked"]


async def test_a_link_on_one_platform_lets_go_what_was_asked_for_on_another(house: House) -> None:
    await house.wish(PullAction.APPROVE, by=MAX)
    there = replace(MAX, surface="slack", id="T1/UMAX")
    for person in (MAX, there):
        house.accounts.link(person, MAXS)
    house.host.may[9] = Permission.MAINTAIN
    await house.acting.linked(there)
    await house.settled()
    assert (await house.told())[-1] == "Approved by Max at abc1234."


async def test_who_has_to_link_again_is_told_again(house: House) -> None:
    house.host.late = True
    house.host.errors = [LinkLost("bad credentials") for _ in range(2)]
    await house.wish(PullAction.COMMENT, text="hm")
    for _ in range(2):
        await house.acting.linked(EVE)
        await house.settled()
    asked = [line for line in await house.told() if "any more" in line]
    assert len(asked) == 2
    assert await house.results() == ["comment must link", "comment must link", "comment done"]


async def test_a_link_of_somebody_else_lets_nothing_go(house: House) -> None:
    await house.wish(PullAction.APPROVE, by=MAX)
    await house.acting.linked(EVE)
    await house.settled()
    assert await house.results() == ["approve must link"]


async def test_whoever_unlinks_has_steered_all_the_same(house: House) -> None:
    pull = await house.desk.pulls.of(house.desk.session)
    assert pull is not None
    await house.watch.look(pull)
    house.accounts.known.clear()
    house.host.now = replace(FACTS, reviews=(approval(ANNS),), updated_at="2026-11-21T12:00:00Z")
    await house.watch.look(pull)
    assert [verdict.passed for verdict in house.host.verdicts] == [None, False]


async def test_a_merge_whose_answer_was_lost_is_told_as_done(house: House) -> None:
    house.host.now = replace(FACTS, reviews=(approval(EVES),))
    house.host.errors, house.host.late = [TryLater("no answer", maybe_done=True)], True
    await house.wish(PullAction.MERGE, sure=True)
    assert (await house.told())[-1] == "Merged by Eve as squash."
    assert await house.results() == ["merge done"]
    assert house.host.calls == ["merge by eve at abc1234 as squash"]


async def test_an_approval_given_before_its_answer_was_lost_is_not_left_standing(house: House) -> None:
    house.host.errors, house.host.late = [TryLater("no answer", maybe_done=True)], True
    house.host.then = lambda: house.host.push(NEXT)
    await house.wish(PullAction.APPROVE)
    assert house.host.calls == ["approved by eve at abc1234"]
    assert "nothing was done" in (await house.told())[-1]
    assert house.host.now.reviews == ()


async def test_what_somebody_wrote_is_given_back_when_it_could_not_be_sent(house: House) -> None:
    house.host.push(NEXT)
    await house.wish(PullAction.REQUEST_CHANGES, text="Rename it, please.")
    assert (await house.told())[-1].endswith("\n\n> Rename it, please.")


async def test_a_long_pause_is_told_at_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    naps: list[float] = []

    async def nap(pause_s: float) -> None:
        naps.append(pause_s)

    monkeypatch.setattr(acting, "_pause", nap)
    house.host.errors = [Throttled("slower", retry_after_s=3600)]
    await house.wish(PullAction.APPROVE)
    assert naps == [3600]
    assert await house.told() == [
        "Eve alone, github.down: GitHub asks me to wait for 60 min; then I go on.",
        "Approved by Eve at abc1234.",
    ]


async def test_without_an_approval_by_others_nothing_is_merged(house: House) -> None:
    house.host.now = replace(FACTS, reviews=(approval(ANNS),))
    await house.wish(PullAction.MERGE, sure=True)
    assert house.host.calls == []
    assert "an approval by somebody who did not steer this" in (await house.told())[-1]


async def test_nothing_is_merged_while_the_agent_works(house: House) -> None:
    house.host.now = replace(FACTS, reviews=(approval(EVES),))
    said = Incoming(key="k9", place=THREAD, event=Said("more"), author=ANN)
    opened = TurnOpened(turn=TURN, given=(given_of(said),), at=0.0)
    await house.desk.sessions.apply(house.desk.session, opened, epoch=None)
    await house.wish(PullAction.MERGE, sure=True)
    assert house.host.calls == []
    assert "still at work" in (await house.told())[-1]


async def test_two_clicks_at_once_are_one_review(house: House) -> None:
    wish = Wish(by=EVE, action=PullAction.APPROVE, sha=HEAD, thread=THREAD)
    await asyncio.gather(*(house.acting.want(house.desk.session, f"c{n}", wish) for n in range(5)))
    await house.settled()
    assert house.host.calls == ["approved by eve at abc1234"]
    assert (await house.results()).count("approve done") == 1


@pytest.mark.parametrize("late", [False, True])
async def test_a_lost_answer_is_asked_for_again_and_nothing_is_doubled(house: House, *, late: bool) -> None:
    house.host.errors, house.host.late = [TryLater("timeout", maybe_done=True)] * 2, late
    await house.wish(PullAction.APPROVE)
    assert house.host.calls == ["approved by eve at abc1234"]
    told = await house.told()
    assert told[-1] == "Approved by Eve at abc1234."
    assert any("GitHub does not answer; I keep trying" in line for line in told)


async def test_who_never_gets_an_answer_is_told_so(house: House) -> None:
    house.host.errors = [TryLater("down")] * 50
    await house.wish(PullAction.APPROVE)
    assert (await house.told())[-1].startswith("Eve alone, github.down: GitHub did not answer.")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (Refused("Can not approve your own pull request"), "github.refused: GitHub refused: Can not approve"),
        (LinkLost("bad credentials"), "GitHub: GitHub does not let me act as you any more: bad credentials."),
        (
            LinkLost("SSO", where="https://github.test/sso"),
            "github.refused: Your organisation wants you to sign in at GitHub first: https://github.test/sso",
        ),
    ],
)
async def test_what_the_code_host_says_no_to_is_told(
    house: House, error: Refused | LinkLost, line: str
) -> None:
    house.host.errors, house.host.late = [error], True
    await house.wish(PullAction.APPROVE)
    assert line in (await house.told())[-1]


async def test_changes_asked_by_a_reviewer_are_a_review_and_by_who_steers_a_prompt(house: House) -> None:
    await house.wish(PullAction.REQUEST_CHANGES, text="rename it")
    await house.wish(PullAction.REQUEST_CHANGES, by=ANN, text="and test it")
    assert house.host.calls == ["changesRequested by eve at abc1234"]
    assert [(one.author, one.event) for one in house.prompts] == [(ANN, Said("and test it"))]
    assert await house.told() == ["Eve asked for changes at abc1234: rename it"]


async def test_a_fix_is_a_prompt_with_what_failed_and_counts_for_its_head(house: House) -> None:
    red = (Check("build", CheckState.FAILED, required=True),)
    house.host.now = replace(FACTS, checks=red, merge_state=MergeState.BLOCKED)
    await house.wish(PullAction.FIX)
    (prompt,) = house.prompts
    assert isinstance(prompt.event, Said)
    assert "`build` failed" in prompt.event.text
    assert "build: 1 test failed" in prompt.event.text
    pull = await house.desk.pulls.of(house.desk.session)
    assert pull is not None
    assert (pull.tried_sha, pull.tries) == (HEAD, 1)


@pytest.mark.parametrize(
    ("action", "before", "call"),
    [
        (PullAction.READY, {"is_draft": True}, "ready by eve"),
        (PullAction.UPDATE_BRANCH, {"merge_state": MergeState.BEHIND}, "update by eve"),
        (PullAction.COMMENT, {}, "commented by eve at abc1234"),
        (
            PullAction.MERGE_WHEN_GREEN,
            {"merge_state": MergeState.BLOCKED, "checks": RUNNING, "reviews": (approval(EVES),)},
            "auto-merge by eve",
        ),
        (PullAction.CLOSE, {}, "close by eve"),
    ],
)
async def test_everything_else_is_done_as_them_too(
    house: House, action: PullAction, before: dict[str, object], call: str
) -> None:
    house.host.now = replace(FACTS, **before)  # type: ignore[arg-type]
    await house.wish(action, text="nice", sure=True)
    assert house.host.calls == [call]


async def test_a_wish_that_a_crash_cut_short_is_done_at_the_next_start(house: House) -> None:
    await house.acting.stop()
    wish = Wish(by=EVE, action=PullAction.APPROVE, sha=HEAD, thread=THREAD)
    await house.desk.acts.want(house.desk.session, "left", wish)
    (act,) = await house.desk.acts.due()
    await house.desk.acts.begin(act, "once")
    await house.host.review(REF, EVES, sha=HEAD, state=ReviewState.APPROVED, body="", op=act.op)
    house.acting.start()
    await house.settled()
    assert house.host.calls == ["approved by eve at abc1234"]
    assert await house.told() == ["Approved by Eve at abc1234."]


async def test_without_a_pull_request_there_is_nothing_to_approve(house: House, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with desk(tmp_path / "other") as other:
        house.acting._pulls = other.pulls
        await house.wish(PullAction.APPROVE)
    assert (await house.told())[-1].endswith("There is no pull request here yet.")


async def test_what_linear_asks_is_answered_in_linear(house: House) -> None:
    lin = Author("linear", "eve", "Eve")
    house.accounts.link(lin, replace(EVES, can_act=True))
    house.host.push(NEXT)
    await house.wish(PullAction.APPROVE, by=lin, thread=None)
    (notice,) = await house.desk.entries(Notice)
    assert isinstance(notice, Notice)
    assert notice.surface == "linear"
    assert notice.body.startswith("The pull request moved")


async def test_a_look_shows_what_changed_and_sets_our_check(house: House) -> None:
    house.host.now = replace(FACTS, reviews=(approval(EVES),), updated_at="2026-11-21T11:00:00Z")
    pull = await house.desk.pulls.of(house.desk.session)
    assert pull is not None
    await house.watch.look(pull)
    assert [one.passed for one in house.host.verdicts] == [True]
    shown = await house.desk.entries(PullShown)
    newest = shown[-1]
    assert isinstance(newest, PullShown)
    assert [one.name for one in newest.facts.reviews] == ["Eve"]
    assert await house.told() == ["Approved by Eve at abc1234."]
    pull = await house.desk.pulls.of(house.desk.session)
    assert pull is not None
    await house.watch.look(pull)
    assert len(house.host.verdicts) == 1


async def test_a_merge_ends_the_issue_and_the_card_says_so_also_after_linear_was_away(house: House) -> None:
    epoch = (await house.desk.sessions.begin_attempt(house.desk.session, "here")).epoch
    await house.desk.sessions.update(house.desk.session, epoch=epoch, issue=ISSUE, issue_id=ISSUE.id)
    house.host.now = replace(FACTS, state=PullState.MERGED, updated_at="2026-11-21T11:00:00Z")
    house.tracker.errors = [TryLater("Linear is away")]
    for told in ("", "ENG-1 is Done", "ENG-1 is Done"):
        pull = await house.desk.pulls.of(house.desk.session)
        assert pull is not None
        with nullcontext() if told else pytest.raises(TryLater):
            await house.watch.look(pull)
        shown = (await house.desk.entries(PullShown))[-1]
        assert isinstance(shown, PullShown)
        assert (shown.facts.state, shown.issue) == (PullState.MERGED, told)
    assert house.tracker.merges == [("i1", "main")] * 2
    assert len(await house.desk.entries(PullShown)) == 3


async def test_a_merged_pull_request_is_looked_at_no_more(house: House) -> None:
    house.host.now = replace(FACTS, state=PullState.MERGED, updated_at="2026-11-21T11:00:00Z")
    pull = await house.desk.pulls.of(house.desk.session)
    assert pull is not None
    await house.watch.look(pull)
    assert await house.desk.pulls.next_look() is None
    assert house.host.verdicts == []


RED = (Check("build", CheckState.FAILED, required=True),)


async def looked(house: House, at: int) -> None:
    house.host.now = replace(
        FACTS, checks=RED, merge_state=MergeState.BLOCKED, updated_at=f"2026-11-21T11:00:{at:02}Z"
    )
    pull = await house.desk.pulls.of(house.desk.session)
    assert pull is not None
    await house.watch.look(pull)


async def test_where_the_repository_wants_it_the_agent_fixes_by_itself_three_times(house: House) -> None:
    await looked(house, 0)
    assert house.prompts == []
    await house.desk.sessions.take(house.desk.session, [1], TURN)
    house.watch._repositories = {"acme/shop": replace(SHOP, fix="auto")}
    for at in range(1, 6):
        await looked(house, at)
    assert [one.key[-2:] for one in house.prompts] == ["/1", "/2", "/3"]
    assert await house.results() == ["fix prompted"] * 3
    assert all("build: 1 test failed" in str(one.event) for one in house.prompts)
    [notice] = [line for line in await house.told() if line.startswith("I tried")]
    assert notice == "I tried 3 times, and `build` failed still. Somebody has to look at acme/shop#87."


async def test_what_merges_by_itself_is_merged_at_once_where_it_is_green(house: House) -> None:
    house.host.now = replace(FACTS, reviews=(approval(EVES),))
    await house.wish(PullAction.MERGE_WHEN_GREEN, sure=True)
    assert house.host.calls == ["merge by eve at abc1234 as squash"]
