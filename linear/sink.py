"""Shows a session's log as agent activities in Linear."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from core.activities import (
    Action,
    Answered,
    Blocked,
    Blocker,
    Elicitation,
    Entry,
    Error,
    FateChanged,
    Heartbeat,
    IssueLinked,
    Logged,
    Notice,
    Plan,
    Prompt,
    Response,
    Routed,
    Thought,
    TurnEnded,
    TurnStarted,
    Unblocked,
)
from core.composer import place_name, said_by
from core.errors import DeliveryError, Refused, TargetGone, Throttled, TryLater
from core.ids import uuid_for
from core.mirror.budget import Limit, Measured
from core.mirror.queue import Form, Priority, Rolling, Skip, Snapshot, Solid
from core.mirror.sink import Delivered, Memory, Op, View
from core.mirror.story import Story
from linear.errors import (
    AlreadyExists,
    Forbidden,
    LinearError,
    NotFound,
    RateLimited,
    Transient,
    Unauthorized,
)
from linear.sansio import Quota

PLAN_INTERVAL_S = 2.0
HEARTBEAT_AFTER_S = 15 * 60
"""Linear calls a session stale after 30 minutes without an activity."""

PAUSE_S = 60.0
"""How long to pause when Linear throttles us without saying for how long."""

# 80 % of 5,000 requests an hour, whatever they do.
REQUESTS = Limit(capacity=60, per_s=0.8 * 5000 / 3600, reserve=8)

LINEAR_CODES = frozenset(code for code in Blocker if code.startswith("linear."))


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

    async def update_session(self, id: str, *, plan: Sequence[Mapping[str, str]] | None = None) -> object: ...


class LinearSink:
    """A projection into Linear's agent sessions.

    The id of an activity is made of its entry's key, so that Linear itself refuses a copy.
    """

    name = "linear"

    def __init__(
        self, client: ActivityWriter, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._client = client
        self._now = now

    def form(self, logged: Logged, story: Story, view: View) -> Form:
        del story  # An activity has the same form in every turn.
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
            case Blocked(code=code):
                return Skip() if code in LINEAR_CODES else Rolling(Priority.PLAN, keep=True)
            case Heartbeat():
                return Rolling(keep=True) if _is_quiet(logged, view) else Skip()
            case Notice(surface=surface) if surface == self.name:
                return Solid(Priority.PROMPT, urgent=True)
            case IssueLinked() | Routed() | Unblocked() | FateChanged() | TurnEnded() | Notice():
                return Skip()

    def op(self, entries: Sequence[Logged], story: Story, view: View) -> Op | None:
        newest = entries[-1]
        if isinstance(newest.entry, Plan):
            steps = [{"content": step.content, "status": step.status.value} for step in newest.entry.steps]
            return Op("request", {"plan": steps})
        actions = [logged.entry for logged in entries if isinstance(logged.entry, Action)]
        activity = _merged(actions) if len(actions) > 1 else _activity(newest.entry, story)
        if activity is None:
            return None
        return Op("request", {"id": uuid_for(f"linear/{view.session}/{newest.key}"), **activity})

    async def deliver(self, target: str, op: Op, *, again: bool) -> Delivered:
        del again  # The same id, or the same whole plan, does no harm.
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

    def limit(self, cost: str) -> Limit:
        del cost  # Every call is a request to Linear.
        return REQUESTS

    def trouble(self, error: DeliveryError) -> Blocker:
        match error:
            case AccessLost():
                return Blocker.LINEAR_REVOKED
            case Throttled():
                return Blocker.LINEAR_QUOTA
            case _:
                return Blocker.LINEAR_DOWN

    async def _call(self, session: str, call: Mapping[str, object]) -> None:
        if isinstance(steps := call.get("plan"), list):
            await self._client.update_session(session, plan=steps)
            return
        content, metadata = call["content"], call.get("signal_metadata")
        await self._client.create_activity(
            id=str(call["id"]),
            session_id=session,
            content=content if isinstance(content, Mapping) else {},
            ephemeral=bool(call.get("ephemeral")),
            signal="select" if metadata else None,
            signal_metadata=metadata if isinstance(metadata, Mapping) else None,
        )

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


def _agent_form(entry: Thought | Action) -> Form:
    match entry:
        case Action(ephemeral=True):
            return Rolling(Priority.ACTION)
        case Action():
            return Solid(Priority.ACTION, mergeable=True)
        case Thought(body=body) if not body.strip():
            return Skip()
        case Thought(ephemeral=ephemeral):
            return Rolling() if ephemeral else Solid(Priority.THOUGHT)


def _activity(entry: Entry, story: Story) -> dict[str, object] | None:
    """The parameters of `LinearClient.create_activity` that show `entry`."""
    match entry:
        case Prompt(author=author, body=body):
            return _thought(f"{said_by(author)}: {body}")
        case Answered(by=by, answer=answer):
            return _thought(f"Answered by {said_by(by)}: {answer}")
        case Action() as action:
            return {"content": _action(action), "ephemeral": action.ephemeral}
        case Notice(body=body):
            # What a person writes in Linear opens the session again; between turns, the reply closes it.
            return _thought(body) if story.turn else {"content": {"type": "response", "body": body}}
        case Elicitation() as question:
            return _elicitation(question)
        case Response(body=body):
            return {"content": {"type": "response", "body": body.strip() or "Done."}}
        case Error(code=code, body=body, action=action):
            return {"content": {"type": "error", "body": f"{body} {action}".strip() or code.value}}
        case Thought(body=body, ephemeral=False):
            return _thought(body)
        case _:
            passing = _passing(entry, story)
            return None if passing is None else _thought(passing, ephemeral=True)


def _passing(entry: Entry, story: Story) -> str | None:
    """What an ephemeral thought says about `entry`."""
    match entry:
        case TurnStarted() as started:
            return _greeting(started, story)
        case Thought(body=body):
            return body
        case Blocked(code=code, body=body):
            return body.strip() or code.value
        case Heartbeat(elapsed_s=elapsed_s):
            return f"Still working, {elapsed_s // 60} min so far."
        case _:
            return None


def _thought(body: str, *, ephemeral: bool = False) -> dict[str, object]:
    return {"content": {"type": "thought", "body": body}, "ephemeral": ephemeral}


def _greeting(started: TurnStarted, story: Story) -> str:
    is_first = len(story.cards) == 1
    if started.author.surface == LinearSink.name or not is_first:
        return "On it"
    return f"On it: started from {place_name(started.author.surface)} by {started.author.name}"


def _action(action: Action) -> dict[str, object]:
    # Linear refuses an empty name or parameter.
    content: dict[str, object] = {
        "type": "action",
        "action": action.action.strip() or "Did",
        "parameter": action.parameter.strip() or "–",
    }
    if action.result and action.result.strip():
        content["result"] = action.result
    return content


def _merged(actions: Sequence[Action]) -> dict[str, object]:
    """Several finished tool calls as one; for people their names matter most, so results stay out."""
    lines = [f"- {action.action} {action.parameter}".rstrip() for action in actions]
    content = {
        "type": "action",
        "action": "Did",
        "parameter": f"{len(actions)} steps",
        "result": "\n".join(lines),
    }
    return {"content": content}


def _elicitation(question: Elicitation) -> dict[str, object]:
    activity: dict[str, object] = {"content": {"type": "elicitation", "body": question.body}}
    if question.options:
        options = [{"value": option.value, "label": option.label} for option in question.options]
        activity["signal_metadata"] = {"options": options}
    return activity


def _is_quiet(logged: Logged, view: View) -> bool:
    if view.delivered_at is None:
        return True
    return logged.at.timestamp() - view.delivered_at > HEARTBEAT_AFTER_S


def _measured(quota: Quota | None) -> Measured | None:
    if quota is None or quota.requests.limit is None or quota.requests.remaining is None:
        return None
    return Measured(quota.requests.limit, quota.requests.remaining)
