"""Does with pull requests what people ask for, as them: decided anew at the moment of doing it."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, assert_never
from uuid import uuid4

from core.activities import AuthAsked, Author, Blocker, ConfirmAsked, Denied, Entry, Notice, PullActed
from core.composer import line_of
from core.errors import (
    HeadMoved,
    LinkLost,
    Refused,
    StoreUnavailable,
    Throttled,
    TryLater,
    WorkspaceError,
)
from core.events import Incoming, Said
from core.ids import EntryKey, SessionId
from core.mirror.clock import Clock
from core.policy import Allow, Deny, MustConfirm, MustLink
from core.ports import Accounts, CodeHost, CodeReviewer
from core.pulls import (
    CodeAccount,
    MergeMethod,
    MergeState,
    PullAction,
    PullFacts,
    PullRef,
    PullState,
    ReviewState,
)
from core.review.held import HeldWishes
from core.review.judge import Judge, Scene
from core.review.ship import Shipper
from core.review.watch import PullWatch
from core.review.words import acted, conflicts_in, fix_prompt
from core.routing import Repository
from core.session import Append
from core.store.acts import Act, ActStore, Wish
from core.store.pulls import Pull, PullStore, acted_key
from core.store.sessions import SessionStore

log = logging.getLogger(__name__)

PROVIDER = "GitHub"
PAUSES_S = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 60.0, 60.0)
"""Pauses between attempts while the code host is away; after the last one nothing more is tried."""

LONG_S = 15.0
"""A pause that the code host asks for and that people are told of at once."""

_NO_PULL = "There is no pull request here yet."
_NO_LINKING = "Nobody can link GitHub here: for admins, the app's client id and secret are missing."
_BUSY = "The agent is still at work on it. Wait for its answer, or stop it."
_NOT_LINKED = "You have not linked GitHub within an hour, so nothing was done. Ask again, then link."
_SIGN_IN = "Your organisation wants you to sign in at GitHub first: {where} Then ask again."
_DONE_BEFORE = "You did that already."
_AWAY = "GitHub does not answer; I keep trying for a few minutes."
_PAUSE = "GitHub asks me to wait for {minutes} min; then I go on."
_GIVEN_UP = "GitHub did not answer. The card shows what is true; ask again if it is not done."

Accept = Callable[[SessionId, Incoming], Any]
"""Takes an event into a session, for good (`core.service`)."""


class Acting:
    """Sees to wishes one by one; a wish is stored before anything is done for it, and settled once.

    Whoever asked is told what came of it, whatever that is. Done again after a crash, nothing is done twice:
    reviews and merges carry the wish's own mark.
    """

    def __init__(
        self,
        host: CodeHost,
        reviewer: CodeReviewer | None,
        accounts: Accounts,
        watch: PullWatch,
        shipper: Shipper,
        pulls: PullStore,
        acts: ActStore,
        sessions: SessionStore,
        clock: Clock,
        *,
        repositories: Mapping[str, Repository],
        accept: Accept,
        wake_mirror: Callable[[SessionId], None],
        reads_only: Callable[[Author], bool],
    ) -> None:
        """Where `reviewer` is None, nobody can link an account, and so nobody can act.

        `repositories`: by name. `reads_only`: whether somebody may look on and nothing else.
        """
        self._host = host
        self._reviewer = reviewer
        self._watch = watch
        self._shipper = shipper
        self._pulls = pulls
        self._acts = acts
        self._sessions = sessions
        self._clock = clock
        self._accept = accept
        self._wake_mirror = wake_mirror
        self._held = HeldWishes(acts, accounts)
        self._judge = Judge(host, accounts, sessions, repositories=repositories, reads_only=reads_only)
        self._changed = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._at_work: dict[str, asyncio.Task[None]] = {}

    async def want(self, session_id: SessionId, key: str, wish: Wish) -> None:
        """Take in what somebody asks for; it is stored when this returns, and done soon."""
        if await self._acts.want(session_id, key, wish):
            self._changed.set()

    async def linked(self, person: Author) -> None:
        """`person` has linked an account: what they asked for goes on, wherever they asked."""
        await self._held.release(person)
        self._changed.set()

    def start(self) -> None:
        """Begin; first of all with what an earlier process left."""
        self._loop = asyncio.create_task(self._run(), name="acts")
        self._loop.add_done_callback(_report)

    async def stop(self) -> None:
        """Finish nothing more: what is open goes on at the next start. Safe to repeat."""
        tasks = [task for task in (self._loop, *self._at_work.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        is_new = True
        while True:
            self._changed.clear()
            until = None
            try:
                if is_new:
                    await self._held.release_all()
                    is_new = False
                until = await self._end_held()
                for act in await self._acts.due():
                    if act.id not in self._at_work:
                        self._at_work[act.id] = asyncio.create_task(self._see_to(act))
            except StoreUnavailable as error:
                log.warning("acts cannot use the store", extra={"error": str(error)})
                until = self._clock.now() + PAUSES_S[0]
            await self._clock.wait(self._changed, until)

    async def _end_held(self) -> float | None:
        """End what waited too long for its person; when to look again."""
        overdue, left_s = await self._held.overdue()
        for act in overdue:
            await self._refuse(act, None, Blocker.GITHUB_UNLINKED, _NOT_LINKED)
        return None if left_s is None else self._clock.now() + left_s

    async def _see_to(self, act: Act) -> None:
        """Until it is settled, whatever is in the way."""
        try:
            for attempt, pause_s in enumerate(PAUSES_S):
                try:
                    # Of an attempt before, something may be done.
                    if (now := await self._acts.still_due(act)) is None:
                        return
                    await self._attempt(now)
                except StoreUnavailable as error:
                    log.warning("act waits for the store", extra=_about(act, error))
                except (TryLater, Throttled) as error:
                    log.warning("act postponed", extra=_about(act, error))
                    asked_s = error.retry_after_s if isinstance(error, Throttled) else 0.0
                    if asked_s > LONG_S:
                        minutes = max(1, round(asked_s / 60))
                        await self._tell(act, Blocker.GITHUB_DOWN, _PAUSE.format(minutes=minutes))
                    elif attempt == 1:
                        await self._tell(act, Blocker.GITHUB_DOWN, _AWAY)
                    pause_s = max(pause_s, asked_s)
                else:
                    return
                await _pause(pause_s)
            await self._refuse(act, None, Blocker.GITHUB_DOWN, _GIVEN_UP)
        except StoreUnavailable as error:
            log.warning("act is left for the next start", extra=_about(act, error))
        except Exception as error:  # The border of one wish: whoever made it is told, and others go on.
            log.exception("act broke", extra=_about(act, error))
            await self._refuse(act, None, Blocker.GITHUB_REFUSED, "Something broke on our side.")
        finally:
            self._at_work.pop(act.id, None)

    async def _attempt(self, act: Act) -> None:
        pull = await self._pulls.of(act.session)
        if pull is None or pull.ref is None:
            await self._refuse(act, None, Blocker.PR_CLOSED, _NO_PULL)
            return
        try:
            scene = await self._judge.scene(act, pull)
            await self._decided(act, scene, self._judge.decision(act, scene))
        except HeadMoved as error:
            head = error.head[:7] or "another commit"
            body = f"The pull request moved to {head} since this card; nothing was done."
            await self._refuse(act, pull, Blocker.PR_STALE, body)
        except LinkLost as error:
            if error.where:  # No new link would help, and nobody tells us when they have been there.
                await self._refuse(act, pull, Blocker.GITHUB_REFUSED, _SIGN_IN.format(where=error.where))
            else:
                await self._ask_to_link(act, pull, f"GitHub does not let me act as you any more: {error}.")
        except Refused as error:
            await self._refuse(act, pull, Blocker.GITHUB_REFUSED, f"GitHub refused: {error}")
        await self._pulls.hint_session(act.session)
        self._watch.wake()

    async def _decided(self, act: Act, scene: Scene, decision: Allow | Deny | MustLink | MustConfirm) -> None:
        match decision:
            case Deny() if _was_done(act, scene):
                await self._tell_done(act, scene, scene.facts.methods[0])
            case Deny() if act.tried and act.wish.action in _REVIEWS and scene.actor.account is not None:
                # It may have been given before the answer was lost: then it is taken back, or it stands.
                await self._review(act, scene.facts.ref, scene.actor.account, act.wish.sha)
                await self._tell_done(act, scene, None)
            case Deny(code=code, body=body, action=action):
                await self._refuse(act, scene.pull, code, f"{body} {action}".strip(), scene=scene)
            case MustLink(body=body):
                await self._ask_to_link(act, scene.pull, body)
            case MustConfirm(body=body, label=label, word=word):
                await self._ask_if_sure(act, scene, body, label, word)
            case Allow():
                await self._do(act, scene, decision)
            case _:
                assert_never(decision)

    async def _do(self, act: Act, scene: Scene, allowed: Allow) -> None:
        facts, account, wish = scene.facts, scene.actor.account, act.wish
        if _is_approved(scene) and wish.action is PullAction.APPROVE and not act.tried:
            await self._refuse(act, scene.pull, Blocker.PR_STALE, _DONE_BEFORE, scene=scene)
            return
        if not await self._acts.begin(act, _once(act, scene)):
            await self._refuse(act, scene.pull, Blocker.PR_STALE, _DONE_BEFORE, scene=scene)
            return
        if allowed.as_prompt or _is_for_the_agent(wish.action, facts):
            await self._prompt(act, scene, allowed)
            return
        assert account is not None, "nobody is allowed to act at the code host without an account there"
        method = allowed.method or facts.methods[0]
        is_merged = await self._call(act, facts, account, method)
        await self._tell_done(act, scene, method, is_merged=is_merged, note=allowed.note)

    async def _tell_done(
        self, act: Act, scene: Scene, method: MergeMethod | None, *, is_merged: bool = True, note: str = ""
    ) -> None:
        wish, account = act.wish, scene.actor.account
        assert account is not None, "what was done was done as somebody"
        is_merge = wish.action in (PullAction.MERGE, PullAction.MERGE_WHEN_GREEN)
        entry = acted(
            wish.by,
            account.id,
            scene.facts,
            wish.action,
            text=wish.text,
            method=method if is_merge else None,
        )
        told: list[Entry] = [entry] if is_merged else [_queued(entry)]
        if note:
            told.append(self._to_person(act, Blocker.PR_YOURS, note))
        await self._settle(act, scene.pull, done=True, result="done", tell=told, scene=scene)

    async def _review(self, act: Act, pull: PullRef, by: CodeAccount, sha: str) -> None:
        assert self._reviewer is not None, "without a way to link accounts none can act"
        state = _REVIEWS[act.wish.action]
        await self._reviewer.review(pull, by, sha=sha, state=state, body=act.wish.text, op=act.op)

    async def _call(self, act: Act, facts: PullFacts, by: CodeAccount, method: MergeMethod) -> bool:
        """Do it at the code host; False for a merge that waits in the queue."""
        pull, wish, sha = facts.ref, act.wish, facts.head_sha
        assert self._reviewer is not None, "without a way to link accounts none can act"
        match wish.action:
            case PullAction.APPROVE | PullAction.REQUEST_CHANGES | PullAction.COMMENT:
                await self._review(act, pull, by, sha)
            case PullAction.READY:
                await self._reviewer.make_ready(pull, by)
            case PullAction.MERGE:
                merged = await self._reviewer.merge(pull, by, sha=sha, method=method, op=act.op)
                return merged.is_merged
            case PullAction.MERGE_WHEN_GREEN if facts.merge_state is MergeState.CLEAN:
                merged = await self._reviewer.merge(pull, by, sha=sha, method=method, op=act.op)
                return merged.is_merged
            case PullAction.MERGE_WHEN_GREEN:
                await self._reviewer.merge_when_green(pull, by, sha=sha, method=method)
            case PullAction.UPDATE_BRANCH:
                await self._reviewer.update_branch(pull, by, sha=sha)
            case PullAction.CLOSE:
                await self._reviewer.close(pull, by)
            case PullAction.FIX:
                raise AssertionError("a fix is a prompt")
            case _:
                assert_never(wish.action)
        return True

    async def _prompt(self, act: Act, scene: Scene, allowed: Allow) -> None:
        """What is for the agent goes into the session like anything else that people say."""
        wish, facts = act.wish, scene.facts
        text = wish.text
        if _is_for_the_agent(wish.action, facts):
            if scene.is_busy and not act.tried:
                await self._refuse(act, scene.pull, Blocker.PR_STALE, _BUSY, scene=scene)
                return
            fixed = await self._fix(act, facts, allowed.note)
            if fixed is None:
                await self._settle(act, scene.pull, done=True, result="merged", tell=[], scene=scene)
                return
            text = fixed
        incoming = Incoming(key=f"{act.id}/prompt", place=wish.thread or "", event=Said(text), author=wish.by)
        await self._accept(act.session, incoming)
        await self._settle(act, scene.pull, done=True, result="prompted", tell=[], scene=scene)

    async def _fix(self, act: Act, facts: PullFacts, offered: str) -> str | None:
        """What the agent is asked; None if git could do it alone."""
        trouble = await self._host.failure_of(facts.ref, facts.head_sha)
        if facts.merge_state is MergeState.CONFLICTING:
            try:
                paths = await self._shipper.with_base(act.session)
            except WorkspaceError as error:
                raise Refused(error.last_line) from error
            if not paths and not trouble.strip():
                return None
            trouble = conflicts_in(paths, facts.base) + trouble
        if not act.tried:
            await self._pulls.tried(act.session, facts.head_sha)
        return fix_prompt(facts, offered or f"it conflicts with {facts.base}", trouble)

    async def _ask_to_link(self, act: Act, pull: Pull | None, body: str) -> None:
        if self._reviewer is None:
            await self._refuse(act, pull, Blocker.GITHUB_UNLINKED, _NO_LINKING)
            return
        asked = AuthAsked(
            person=act.wish.by,
            provider=PROVIDER,
            body=body,
            code=Blocker.GITHUB_UNLINKED,
            thread=act.wish.thread,
            is_known=True,
        )
        # Asked again, it is told again: each time is one transaction with its wish.
        tell = [Append(EntryKey(f"act/{act.id}/link/{uuid4()}"), asked)]
        await self._acts.hold(act, record=self._record(act, pull, "must link", None), tell=tell)
        self._wake_mirror(act.session)

    async def _ask_if_sure(self, act: Act, scene: Scene, body: str, label: str, word: str) -> None:
        wish, card = act.wish, scene.pull.card or ""
        entry: Entry = ConfirmAsked(
            person=wish.by,
            card=card,
            action=wish.action,
            body=body,
            label=label,
            word=word,
            thread=wish.thread,
        )
        await self._settle(act, scene.pull, done=True, result="asked to confirm", tell=[entry], scene=scene)

    async def _refuse(
        self, act: Act, pull: Pull | None, code: Blocker, body: str, *, scene: Scene | None = None
    ) -> None:
        log.info("act refused", extra={"act": act.id, "code": code.value})
        if act.wish.text and act.wish.action in _REVIEWS:
            body = f"{body}\n\n> {line_of(act.wish.text, limit_chars=1000)}"  # It may have come from a form.
        told = [self._to_person(act, code, body)]
        await self._settle(act, pull, done=False, result=code.value, tell=told, scene=scene)

    async def _settle(
        self, act: Act, pull: Pull | None, *, done: bool, result: str, tell: list[Entry], scene: Scene | None
    ) -> None:
        appends = [Append(_key(act, entry, n), entry, act.wish.by.surface) for n, entry in enumerate(tell)]
        await self._acts.settle(act, done=done, record=self._record(act, pull, result, scene), tell=appends)
        self._wake_mirror(act.session)

    async def _tell(self, act: Act, code: Blocker, body: str) -> None:
        key = EntryKey(f"act/{act.id}/{code}")
        await self._sessions.say(act.session, key, self._to_person(act, code, body))
        self._wake_mirror(act.session)

    def _to_person(self, act: Act, code: Blocker, body: str) -> Entry:
        """For the one who asked: in private where the chat can, else as a reply where they wrote."""
        by = act.wish.by
        if act.wish.thread is None:
            return Notice(body=body, surface=by.surface)
        return Denied(person=by, code=code, body=body, thread=act.wish.thread)

    def _record(self, act: Act, pull: Pull | None, result: str, scene: Scene | None) -> dict[str, Any]:
        """The row of the audit log; texts that people wrote are not in it."""
        wish = act.wish
        account = scene.actor.account if scene else None
        return {
            "who": f"{wish.by.surface}:{wish.by.id}",
            "name": wish.by.name,
            "account": account.id if account else None,
            "permission": scene.actor.permission.value if scene else None,
            "action": wish.action.value,
            "pull": str(pull.ref) if pull and pull.ref else None,
            "shown": wish.sha,
            "head": scene.facts.head_sha if scene else None,
            "result": result,
            "op": act.op,
        }


_REVIEWS = {
    PullAction.APPROVE: ReviewState.APPROVED,
    PullAction.REQUEST_CHANGES: ReviewState.CHANGES_REQUESTED,
    PullAction.COMMENT: ReviewState.COMMENTED,
}


async def _pause(seconds: float) -> None:
    await asyncio.sleep(seconds)


def _was_done(act: Act, scene: Scene) -> bool:
    """Whether an attempt got through whose answer was lost."""
    facts, account = scene.facts, scene.actor.account
    if not act.tried or account is None:
        return False
    match act.wish.action:
        case PullAction.MERGE | PullAction.MERGE_WHEN_GREEN:
            by_them = facts.merged_by.casefold() == account.login.casefold()
            return facts.state is PullState.MERGED and by_them
        case PullAction.CLOSE:
            return facts.state is PullState.CLOSED
        case PullAction.READY:
            return not facts.is_draft
        case _:
            return False


def _is_for_the_agent(action: PullAction, facts: PullFacts) -> bool:
    """To bring a branch up to date that conflicts is work, which the code host refuses to do."""
    conflicts = facts.merge_state is MergeState.CONFLICTING
    return action is PullAction.FIX or (conflicts and action is PullAction.UPDATE_BRANCH)


def _once(act: Act, scene: Scene) -> str:
    """Names what is done to the pull request as it is: two clicks at once are one, later ones are new."""
    account = scene.actor.account.id if scene.actor.account else f"{act.wish.by.surface}:{act.wish.by.id}"
    facts, wish = scene.facts, act.wish
    parts = (account, wish.action.value, str(facts.ref), facts.head_sha, wish.text, facts.updated_at)
    return sha256("\0".join(map(str, parts)).encode()).hexdigest()


def _is_approved(scene: Scene) -> bool:
    """Whether they have approved this head before."""
    account, facts = scene.actor.account, scene.facts
    return account is not None and any(
        (one.by_id, one.state, one.sha) == (account.id, ReviewState.APPROVED, facts.head_sha)
        for one in facts.reviews
    )


def _queued(entry: PullActed) -> Notice:
    return Notice(
        body=f"{entry.body.rstrip('.')}: it is in the merge queue.".replace("Merged by", "Asked to merge by")
    )


def _key(act: Act, entry: Entry, n: int) -> EntryKey:
    return acted_key(entry) if isinstance(entry, PullActed) else EntryKey(f"act/{act.id}/{n}")


def _about(act: Act, error: Exception) -> dict[str, object]:
    return {"act": act.id, "session": act.session, "action": act.wish.action.value, "error": str(error)}


def _report(loop: asyncio.Task[None]) -> None:
    error = None if loop.cancelled() else loop.exception()
    if error is not None:
        log.critical("acts ended", exc_info=error)
