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
    Entry,
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
from core.composer import place_name, said_by
from core.errors import DeliveryError, Refused, TargetGone, Throttled, TryLater
from core.ids import uuid_for
from core.mirror.budget import Limit, Measured
from core.mirror.queue import Form, Priority, Rolling, Skip, Snapshot, Solid
from core.mirror.sink import Delivered, Memory, Op, View
from core.mirror.story import Story
from core.ports import Linker
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
            case Notice(surface=surface) if surface == self.name:
                return Solid(Priority.PROMPT, urgent=True)
            case PullShown() | PullActed() | ConfirmAsked():
                return Skip()
            case fact:
                return _fact_form(fact, story)

    def op(self, entries: Sequence[Logged], story: Story, view: View) -> Op | None:
        newest = entries[-1]
        if isinstance(newest.entry, Plan):
            steps = [{"content": step.content, "status": step.status.value} for step in newest.entry.steps]
            return Op("request", {"plan": steps})
        several = [logged.entry for logged in entries]
        activity = _merged(several) if len(several) > 1 else _activity(newest.entry, story)
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
    | Denied,
    story: Story,
) -> Form:
    match fact:
        case AuthAsked(person=person) if person.surface == LinearSink.name:
            return Solid(Priority.ELICITATION, urgent=True)
        case AuthAsked() | AuthGiven():
            # Between turns a thought would open the session again, and nothing would close it.
            return Solid(Priority.PROMPT) if story.turn else Skip()
        case IssueLinked() | Routed() | Unblocked() | FateChanged() | TurnEnded() | Notice() | Denied():
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
        case AuthAsked() | AuthGiven():
            return _auth(entry)
        case Response(body=body):
            return {"content": {"type": "response", "body": body.strip() or "Done."}}
        case Error(code=code, body=body, action=action):
            return {"content": {"type": "error", "body": f"{body} {action}".strip() or code.value}}
        case Thought(body=body, ephemeral=False) | Blocked(code=Blocker.CHAT_GONE, body=body):
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


def _merged(entries: Sequence[Entry]) -> dict[str, object]:
    """Remarks and finished tool calls as one; for people the names of calls matter most: no results."""
    done = [entry for entry in entries if isinstance(entry, Action)]
    if not done:
        return _thought("\n\n".join(one.body for one in entries if isinstance(one, Thought)))
    steps = "1 step" if len(done) == 1 else f"{len(done)} steps"
    lines = [line for entry in entries if (line := _line(entry))]
    content = {"type": "action", "action": "Did", "parameter": steps, "result": "\n".join(lines)}
    return {"content": content}


def _line(entry: Entry) -> str:
    match entry:
        case Action(action=action, parameter=parameter):
            return f"- {action} {parameter}".rstrip()
        case Thought(body=body):
            return " ".join(body.split())
        case _:  # Nothing else shares a call.
            return ""


def _elicitation(question: Elicitation) -> dict[str, object]:
    activity: dict[str, object] = {"content": {"type": "elicitation", "body": question.body}}
    if question.options:
        options = [{"value": option.value, "label": option.label} for option in question.options]
        activity["signal_metadata"] = {"options": options}
    return activity


def _auth(asked: AuthAsked | AuthGiven) -> dict[str, object]:
    """A question that only its person can answer; others of Linear's people see whom it waits for."""
    if isinstance(asked, AuthGiven):
        return _thought(f"{said_by(asked.person)} has linked an account; what they asked for goes on.")
    if asked.person.surface != LinearSink.name:
        return _thought(f"Waiting for {said_by(asked.person)} to link an account at {asked.provider}.")
    return {
        "content": {"type": "elicitation", "body": asked.body},
        # The address is for one person: made when it is sent, and never stored.
        "auth": {"provider": asked.provider, "person": asked.person.id, "name": asked.person.name},
    }


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
