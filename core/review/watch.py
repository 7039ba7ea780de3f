"""Watches the pull requests of sessions: reads the truth again when something happened or it is time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from core.activities import Author, Blocker, Notice, PullActed
from core.errors import (
    Refused,
    StoreUnavailable,
    TargetGone,
    Throttled,
    TryLater,
    WorkspaceError,
)
from core.events import Incoming, Said
from core.ids import EntryKey, SessionId
from core.mirror.clock import Clock
from core.policy import independent, offer
from core.ports import Accounts, CodeHost, Tracker
from core.pulls import CheckState, CodeReview, MergeState, PullFacts, PullState
from core.review.ship import Shipper
from core.review.words import CHECKS, Steering, conflicts_in, fix_prompt, is_over, news, steering
from core.routing import Repository
from core.store.audit import AuditStore, record_of
from core.store.pulls import Pull, PullStore
from core.store.sessions import SessionStore
from core.verdicts import FIXES_PER_HEAD

log = logging.getLogger(__name__)

BUSY_LOOK_S = 60.0
"""Between two looks while checks run or the code host computes; webhooks bring most news earlier."""

CALM_LOOK_S = 300.0
PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
LOOKS_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Look:
    """A pull request at one moment, with the people around it. `steered`: their accounts at the code host."""

    facts: PullFacts
    who: Steering
    steered: frozenset[int]


async def steerers(accounts: Accounts, who: Steering) -> frozenset[int]:
    """Accounts at the code host of everybody who steered, as far as anybody knows or ever knew."""
    theirs = [await accounts.account_of(one) for one in who.everybody]
    return who.accounts | {one.id for one in theirs if one is not None}


class PullWatch:
    """Logs what changed, sets our own check, ships what could not be shipped when its turn ended.

    Like the mirror, for one process on a database. What it does may be repeated after a crash at any point.
    """

    def __init__(
        self,
        host: CodeHost,
        accounts: Accounts,
        shipper: Shipper,
        pulls: PullStore,
        sessions: SessionStore,
        tracker: Tracker,
        clock: Clock,
        *,
        repositories: Mapping[str, Repository],
        audit: AuditStore,
        wake_mirror: Callable[[SessionId], None],
        accept: Callable[[SessionId, Incoming], Awaitable[object]],
    ) -> None:
        """`repositories`: by name, those that live at `host`. `accept` takes an event into a session."""
        self._host = host
        self._accounts = accounts
        self._shipper = shipper
        self._pulls = pulls
        self._sessions = sessions
        self._tracker = tracker
        self._clock = clock
        self._repositories = repositories
        self._audit = audit
        self._wake_mirror = wake_mirror
        self._accept = accept
        self._fails: dict[SessionId, int] = {}
        self._changed = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._looking = asyncio.Semaphore(LOOKS_AT_ONCE)

    def start(self) -> None:
        """Begin to look; first of all at what an earlier process left."""
        self._loop = asyncio.create_task(self._run(), name="pulls")
        self._loop.add_done_callback(_report)

    async def stop(self) -> None:
        """Look no more. Safe to repeat."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop])

    def wake(self) -> None:
        """Some pull request is due now."""
        self._changed.set()

    async def look(self, pull: Pull) -> Look | None:
        """Read one again, and log what changed; None before it is opened.

        Raises:
            DeliveryError: The code host does not tell now.
        """
        if pull.ref is None:
            return None
        if (await self._sessions.load(pull.session)).session.turn == pull.turn:
            # Below the answer of its turn, which is about to be logged.
            await self._pulls.look_later(pull.session, self._clock.now() + 1)
            return None
        facts = await self._host.facts(pull.ref)
        who = steering(await self._sessions.log(pull.session))
        look = Look(await self._named(facts), who, await steerers(self._accounts, who))
        tries = pull.tries if pull.tried_sha == facts.head_sha else 0
        acts = await self._news(pull, look.facts)
        issue, trouble = await self._issue_after(pull, facts)
        if facts.auto_merge:
            await self._shipper.unless_wanted(pull, facts)
        changed = await self._pulls.show(
            pull.session,
            look.facts,
            turn=pull.turn,
            steered_by=who.names if self._asks_others(pull) else (),
            steered=sorted(look.steered),
            offer=offer(look.facts, tries),
            issue=issue,
            acts=acts,
        )
        if changed:
            self._wake_mirror(pull.session)
        if trouble is not None:
            raise trouble
        await self._check(pull, look)
        await self._follow_up(pull, look.facts, tries)
        await self._pulls.look_later(pull.session, self._next(look.facts))
        return look

    async def _run(self) -> None:
        is_first = True
        while True:
            self._changed.clear()
            try:
                if is_first:
                    await self._pulls.take_over()
                    is_first = False
                async with asyncio.TaskGroup() as looks:
                    for pull in await self._pulls.due():
                        looks.create_task(self._contained(pull))
                until = await self._pulls.next_look()
            except* StoreUnavailable as errors:
                log.warning("pulls cannot use the store", extra={"error": str(errors.exceptions[0])})
                until = self._clock.now() + PAUSES_S[0]
            await self._clock.wait(self._changed, until)

    async def _contained(self, pull: Pull) -> None:
        """Let a defect delay this one and no other."""
        async with self._looking:
            try:
                await self._attempt(pull)
            except StoreUnavailable:
                raise
            except (TryLater, Throttled) as error:
                await self._postpone(pull, error)
            except Exception as error:
                log.exception("pull request not looked at", extra=_about(pull, error))
                await self._postpone(pull, TryLater(type(error).__name__))
            else:
                self._fails.pop(pull.session, None)

    async def _attempt(self, pull: Pull) -> None:
        try:
            if not pull.is_shipped:
                if (await self._sessions.load(pull.session)).session.turn is not None:
                    # Its tree belongs to the agent now, and its end ships it.
                    await self._pulls.look_later(pull.session, self._clock.now() + PAUSES_S[2])
                    return
                shipped = await self._shipper.ship(pull.session)
                if shipped.conflicts:
                    await self._unshipped(
                        pull, f"people changed the same lines in {', '.join(shipped.conflicts)}"
                    )
                    return
                pull = shipped.pull
            await self.look(pull)
        except WorkspaceError as error:
            await self._unshipped(pull, error.last_line)
        except (Refused, TargetGone) as error:
            log.warning("pull request refused", extra=_about(pull, error))
            if pull.is_shipped:  # It may come back: renamed, or access was taken and given.
                await self._pulls.look_later(pull.session, self._clock.now() + CALM_LOOK_S)
            else:
                await self._unshipped(pull, str(error))

    async def _unshipped(self, pull: Pull, why: str) -> None:
        """It will not go by itself: say so once, and wait for the next turn."""
        body = f"Not pushed: {why}. The work is kept on branch `{pull.branch}`."
        log.warning("not pushed", extra={"session": pull.session, "code": Blocker.PUSH_REFUSED.value})
        await self._sessions.say(pull.session, EntryKey(f"unshipped/{pull.wanted_sha}"), Notice(body=body))
        self._wake_mirror(pull.session)
        await self._pulls.look_later(pull.session, None)

    async def _postpone(self, pull: Pull, error: TryLater | Throttled) -> None:
        fails = self._fails.get(pull.session, 0)
        self._fails[pull.session] = fails + 1
        log.warning("pull request postponed", extra=_about(pull, error))
        pause_s = PAUSES_S[min(fails, len(PAUSES_S) - 1)]
        if isinstance(error, Throttled):
            pause_s = max(pause_s, error.retry_after_s)
        await self._pulls.look_later(pull.session, self._clock.now() + pause_s)

    async def _issue_after(self, pull: Pull, facts: PullFacts) -> tuple[str, TryLater | Throttled | None]:
        """What became of the issue of a merged pull request; with trouble, the card is shown without."""
        issue = (await self._sessions.load(pull.session)).issue
        if facts.state is not PullState.MERGED or issue is None:
            return "", None
        try:
            state = await self._tracker.merged(issue.id, base=facts.base)
        except (TryLater, Throttled) as error:
            return "", error
        except (Refused, TargetGone) as error:
            log.warning("issue not moved", extra=_about(pull, error))
            return "", None
        return f"{issue.identifier} is {state}", None

    async def _named(self, facts: PullFacts) -> PullFacts:
        """With the names of those reviewers whom chat knows."""
        reviews = []
        for one in facts.reviews:
            person = None if one.by_bot else await self._accounts.person_of(one.by_id)
            reviews.append(replace(one, name=person.name if person else one.name))
        return replace(facts, reviews=tuple(reviews))

    async def _check(self, pull: Pull, look: Look) -> None:
        """Our own check says whether somebody approved who did not steer; set when that changed."""
        facts = look.facts
        if not self._asks_others(pull) or is_over(facts):
            return
        verdict = independent(facts, look.steered)
        said = f"{facts.head_sha} {verdict.passed} {verdict.title}"
        if said != pull.verdict:
            await self._host.report_review(facts.ref, facts.head_sha, verdict)
            await self._pulls.reported(pull.session, said)

    async def _follow_up(self, pull: Pull, facts: PullFacts, tries: int) -> None:
        """Where the repository wants it so, have the agent fix what it can; say so when it gives up."""
        repository = self._repositories.get(pull.repository)
        trouble = offer(facts, 0)
        if repository is None or not trouble or is_over(facts):
            return
        if tries >= FIXES_PER_HEAD:
            body = f"I tried {tries} times, and {trouble} still. Somebody has to look at {facts.ref}."
            key = EntryKey(f"gave up/{facts.ref}/{facts.head_sha}")
            await self._sessions.say(pull.session, key, Notice(body=body))
            self._wake_mirror(pull.session)
        elif repository.fix == "auto" and not await self._is_busy(pull.session):
            await self._have_fixed(pull, facts, trouble)

    async def _is_busy(self, session: SessionId) -> bool:
        record = await self._sessions.load(session)
        return record.session.turn is not None or bool(await self._sessions.waiting(session))

    async def _have_fixed(self, pull: Pull, facts: PullFacts, trouble: str) -> None:
        about = await self._host.failure_of(facts.ref, facts.head_sha)
        if facts.merge_state is MergeState.CONFLICTING:
            paths = await self._shipper.with_base(pull.session)
            about = conflicts_in(paths, facts.base) + about
            if not about:
                return
        number = await self._pulls.tried(pull.session, facts.head_sha)
        prompt = Incoming(
            key=f"fix/{facts.ref}/{facts.head_sha}/{number}",
            place="",
            event=Said(fix_prompt(facts, trouble, about)),
            author=CHECKS,
        )
        record = record_of(None, "fix", pull=str(facts.ref), head=facts.head_sha, result="prompted")
        await self._audit.note(record, once=prompt.key)
        await self._accept(pull.session, prompt)

    def _asks_others(self, pull: Pull) -> bool:
        """Whether somebody has to approve who did not steer."""
        repository = self._repositories.get(pull.repository)
        return repository is not None and repository.independent_review

    async def _news(self, pull: Pull, now: PullFacts) -> list[PullActed]:
        reviewers = {one.by_id: await self._reviewer(one) for one in now.reviews}
        return list(news(pull.facts, now, lambda review: reviewers[review.by_id]))

    async def _reviewer(self, review: CodeReview) -> Author:
        person = await self._accounts.person_of(review.by_id)
        return person or Author("github", str(review.by_id), review.by)

    def _next(self, facts: PullFacts) -> float | None:
        if is_over(facts):
            return None
        is_busy = any(one.state is CheckState.RUNNING and not one.ours for one in facts.checks)
        return self._clock.now() + (BUSY_LOOK_S if is_busy else CALM_LOOK_S)


def _about(pull: Pull, error: Exception) -> dict[str, object]:
    return {"session": pull.session, "pull": str(pull.ref or pull.branch), "error": str(error)}


def _report(loop: asyncio.Task[None]) -> None:
    error = None if loop.cancelled() else loop.exception()
    if error is not None:
        log.critical("watching pull requests ended", exc_info=error)
