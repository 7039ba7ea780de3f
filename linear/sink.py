"""Shows a session's log as agent activities in Linear."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from core.activities import (
    Action,
    Answered,
    AuthAsked,
    AuthGiven,
    Author,
    Blocked,
    Blocker,
    ConfirmAsked,
    Denied,
    Elicitation,
    Error,
    FateChanged,
    Heartbeat,
    IssueLinked,
    Logged,
    Notice,
    Plan,
    Prompt,
    PullActed,
    PullShown,
    Response,
    Routed,
    Thought,
    TurnEnded,
    TurnStarted,
    Unblocked,
)
from core.errors import DeliveryError, Refused, TargetGone, Throttled, TryLater
from core.ids import uuid_for
from core.mirror.budget import Limit, Measured
from core.mirror.pulls import named, state_of
from core.mirror.queue import Form, Priority, Rolling, Skip, Snapshot, Solid
from core.mirror.refusals import Loss, loss_of
from core.mirror.sink import Delivered, Memory, Op, View
from core.mirror.story import Story
from core.ports import Linker
from core.pulls import PullAction
from linear.errors import (
    AlreadyExists,
    Forbidden,
    LinearError,
    NotFound,
    RateLimited,
    Transient,
    Unauthorized,
)
from linear.model import ExternalLink
from linear.sansio import Quota
from linear.wording import NAME, activity_of, merged

PLAN_INTERVAL_S = 2.0
HEARTBEAT_AFTER_S = 15 * 60
"""Linear calls a session stale after 30 minutes without an activity."""

PAUSE_S = 60.0
"""How long to pause when Linear throttles us without saying for how long."""

# 80 % of 5,000 requests an hour, whatever they do.
REQUESTS = Limit(capacity=60, per_s=0.8 * 5000 / 3600, reserve=8)

_STATES = {PullAction.READY: "ready", PullAction.MERGE: "merged", PullAction.CLOSE: "closed"}
"""What a pull request is called after somebody did this."""

LINEAR_CODES = frozenset(code for code in Blocker if code.startswith("linear."))


UNSHOWN = Loss("activity", "a part of this session", in_place=False)
"""Of a lasting activity without a line in its place: the thread has it, and says once that Linear has not."""


class AccessLost(TryLater):
    """Linear refuses our token or what it may do: the log waits until somebody installs the app again."""


class ActivityWriter(Protocol):
    """What the sink asks of `linear.client.LinearClient`; raises `LinearError`."""

    @property
    def quota(self) -> Quota | None: ...

    async def create_activity(
        self,
        *,
        id: str,
        session_id: str,
        content: Mapping[str, object],
        ephemeral: bool = False,
        signal: str | None = None,
        signal_metadata: Mapping[str, object] | None = None,
    ) -> None: ...

    async def update_session(
        self,
        id: str,
        *,
        plan: Sequence[Mapping[str, str]] | None = None,
        added_external_urls: Sequence[ExternalLink] | None = None,
    ) -> object: ...


class LinearSink:
    """A projection into Linear's agent sessions.

    The id of an activity is made of its entry's key, so that Linear itself refuses a copy.
    """

    name = NAME

    def __init__(
        self,
        client: ActivityWriter,
        *,
        linker: Linker | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._linker = linker
        self._now = now

    def form(self, logged: Logged, story: Story, view: View) -> Form:
        match logged.entry:
            case TurnStarted():
                # Linear marks a session that shows nothing for ten seconds.
                return Rolling(Priority.PROMPT, debounce_s=0.0, keep=True)
            case Prompt(author=person, body=body) | Answered(by=person, answer=body):
                said_there = person.surface == self.name
                return Skip() if said_there or not body.strip() else Solid(Priority.PROMPT)
            case Thought() | Action():
                return _agent_form(logged.entry)
            case Plan():
                return Snapshot("plan", PLAN_INTERVAL_S)
            case Elicitation() | Response() | Error() as entry:
                asks = isinstance(entry, Elicitation)
                return Solid(Priority.ELICITATION if asks else Priority.TERMINAL, urgent=True)
            case Blocked(code=Blocker.CHAT_GONE):
                return Solid(Priority.PLAN)  # Nothing else will tell why the thread is silent.
            case Blocked(code=code):
                return Skip() if code in LINEAR_CODES else Rolling(Priority.PLAN, keep=True)
            case Heartbeat():
                return Rolling(keep=True) if _is_quiet(logged, view) else Skip()
            case fact:
                return _fact_form(fact, story)

    def op(self, entries: Sequence[Logged], story: Story, view: View) -> Op | None:
        newest = entries[-1]
        if isinstance(newest.entry, Plan):
            steps = [{"content": step.content, "status": step.status.value} for step in newest.entry.steps]
            return Op("request", {"plan": steps})
        if isinstance(newest.entry, PullShown) and story.pull_before is None and not view.part:
            link = {"label": named(newest.entry.facts.ref), "url": newest.entry.facts.url}
            return Op("request", {"link": link}, more=True)
        several = [logged.entry for logged in entries]
        activity = merged(several) if len(several) > 1 else activity_of(newest.entry, story)
        if activity is None:
            return None
        id = uuid_for(f"linear/{view.session}/{newest.key}")
        loss = None if activity.get("ephemeral") else loss_of(newest, story) or UNSHOWN
        return Op("request", {"id": id, **activity}, loss=loss)

    async def deliver(self, target: str, op: Op, *, again: bool) -> Delivered:
        del again  # The same id, the same whole plan or the same link does no harm.
        try:
            await self._call(target, op.call)
        except AlreadyExists:
            pass  # An earlier attempt got through after all.
        except LinearError as error:
            raise self._sorted(error) from error
        return Delivered(str(op.call.get("id", "")), _measured(self._client.quota))

    def remember(self, memory: Memory, op: Op, delivered: Delivered | None) -> Memory:
        del op, delivered  # Activities are never edited, so there is nothing to remember.
        return memory

    def instead(self, op: Op, words: str) -> Op:
        # Of the same kind: a question still waits for an answer, and what ends a session ends it.
        content = {"type": op.call["content"]["type"], "body": words}
        return Op(op.cost, {"id": uuid_for(f"{op.call['id']}/line"), "content": content})

    def limit(self, cost: str) -> Limit:
        del cost  # Every call is a request to Linear.
        return REQUESTS

    def trouble(self, error: DeliveryError) -> Blocker:
        match error:
            case AccessLost():
                return Blocker.LINEAR_REVOKED
            case Throttled():
                return Blocker.LINEAR_QUOTA
            case Refused():
                return Blocker.LINEAR_REFUSED
            case _:
                return Blocker.LINEAR_DOWN

    async def _call(self, session: str, call: Mapping[str, object]) -> None:
        if isinstance(steps := call.get("plan"), list):
            await self._client.update_session(session, plan=steps)
            return
        if isinstance(link := call.get("link"), Mapping):
            await self._client.update_session(session, added_external_urls=[ExternalLink(**link)])
            return
        content, metadata = call["content"], call.get("signal_metadata")
        signal = "select" if metadata else None
        if isinstance(auth := call.get("auth"), Mapping):
            signal, metadata = "auth", await self._auth_metadata(auth)
        await self._client.create_activity(
            id=str(call["id"]),
            session_id=session,
            content=content if isinstance(content, Mapping) else {},
            ephemeral=bool(call.get("ephemeral")),
            signal=signal,
            signal_metadata=metadata if isinstance(metadata, Mapping) else None,
        )

    async def _auth_metadata(self, auth: Mapping[str, str]) -> dict[str, str]:
        provider, person = auth["provider"], Author(self.name, auth["person"], auth["name"])
        if self._linker is None:
            raise Refused(f"nobody can link an account at {provider} here")
        url = await self._linker.link_for(provider, person)
        return {"url": url, "userId": person.id, "providerName": provider}

    def _sorted(self, error: LinearError) -> DeliveryError:
        """The error that tells the mirror what to do next."""
        match error:
            case Transient(maybe_done=maybe_done):
                return TryLater(str(error), maybe_done=maybe_done)
            case RateLimited():
                return Throttled(str(error), retry_after_s=error.delay_s(self._now(), default_s=PAUSE_S))
            case Unauthorized() | Forbidden():
                return AccessLost(str(error))
            case NotFound(entity="AgentSession"):
                return TargetGone(str(error), code=Blocker.LINEAR_GONE)
            case _:
                return Refused(str(error))


def _fact_form(
    fact: IssueLinked
    | Routed
    | Unblocked
    | FateChanged
    | TurnEnded
    | Notice
    | AuthAsked
    | AuthGiven
    | Denied
    | PullShown
    | PullActed
    | ConfirmAsked,
    story: Story,
) -> Form:
    match fact:
        case AuthAsked(person=person) if person.surface == NAME:
            return Solid(Priority.ELICITATION, urgent=True)
        case AuthAsked() | AuthGiven():
            # Between turns a thought would open the session again, and nothing would close it.
            return Solid(Priority.PROMPT) if story.turn else Skip()
        case Notice(surface=surface) | ConfirmAsked(person=Author(surface=surface)) if surface == NAME:
            return Solid(Priority.PROMPT, urgent=True)
        case PullActed():
            return Solid(Priority.PROMPT)
        case PullShown() as shown:
            return Solid(Priority.PROMPT) if _is_news(shown, story) else Skip()
        case Notice() | ConfirmAsked() | Denied():
            return Skip()
        case IssueLinked() | Routed() | Unblocked() | FateChanged() | TurnEnded():
            return Skip()


def _agent_form(entry: Thought | Action) -> Form:
    match entry:
        case Action(ephemeral=True):
            return Rolling(Priority.ACTION)
        case Action():
            return Solid(Priority.ACTION, mergeable=True)
        case Thought(body=body) if not body.strip():
            return Skip()
        case Thought(ephemeral=ephemeral):
            return Rolling() if ephemeral else Solid(Priority.THOUGHT, mergeable=True)


def _is_news(shown: PullShown, story: Story) -> bool:
    """A new head, or a new state that nobody was just named for; checks come and go untold."""
    before = story.pull_before
    if shown.is_stale or before is None:
        return not shown.is_stale
    facts, was = shown.facts, before.facts
    named_for = {_STATES.get(act.action) for act in story.acts_between}
    is_told = state_of(facts) in (state_of(was), *named_for)
    return facts.head_sha != was.head_sha or not is_told


def _is_quiet(logged: Logged, view: View) -> bool:
    if view.delivered_at is None:
        return True
    return logged.at.timestamp() - view.delivered_at > HEARTBEAT_AFTER_S


def _measured(quota: Quota | None) -> Measured | None:
    """What is left in requests, or in complexity points if those run out sooner."""
    if quota is None or quota.requests.limit is None or quota.requests.remaining is None:
        return None
    limit, remaining, points = quota.requests.limit, quota.requests.remaining, quota.complexity
    if points.limit and points.remaining is not None:
        remaining = min(remaining, limit * points.remaining // points.limit)
    return Measured(limit, remaining)
