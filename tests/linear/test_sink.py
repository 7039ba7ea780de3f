from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from core.activities import (
    Action,
    Answered,
    AuthAsked,
    AuthGiven,
    Author,
    Blocked,
    Blocker,
    Denied,
    Elicitation,
    Entry,
    Error,
    Fate,
    FateChanged,
    Heartbeat,
    IssueLinked,
    Notice,
    Option,
    Outcome,
    Plan,
    PlanStep,
    Prompt,
    Response,
    Routed,
    StepStatus,
    Thought,
    TurnEnded,
    TurnStarted,
    Unblocked,
)
from core.errors import DeliveryError, Refused, TargetGone, Throttled, TryLater
from core.ids import ElicitationId, MessageRef, TurnId, uuid_for
from core.mirror.budget import Measured
from core.mirror.queue import Form, Priority, Rolling, Skip, Snapshot, Solid
from core.mirror.sink import Delivered, Op, View
from core.mirror.story import fold
from linear.client import LinearClient, StaticToken
from linear.errors import Forbidden, LinearError, NotFound, RateLimited, Rejected, Transient, Unauthorized
from linear.sink import AccessLost, LinearSink
from playground.linear import LinearPlayground
from tests.core.mirror.fakes import ANN, EVE, SESSION, T0, THREAD, FakeLinear, log_of
from tests.linear.fakes import API_URL, ScriptedLinear, data

VIEW = View(SESSION, "ls1", {}, delivered_at=T0.timestamp())
SINK = LinearSink(FakeLinear())
STARTED = TurnStarted(turn=TurnId("t1"), author=ANN)
ENDED = TurnEnded(turn=TurnId("t1"), outcome=Outcome.DONE, elapsed_s=1)
ACTION = Action(action="Ran", parameter="`pytest`", result="214 passed")
QUESTION = Elicitation(
    id=ElicitationId("q"), body="Which?", options=(Option("a", "Archived wins"), Option("h", "Hidden wins"))
)
LASTING_PROMPT = Solid(Priority.PROMPT)
FINAL = Solid(Priority.TERMINAL, urgent=True)


@pytest.mark.parametrize(
    ("entry", "form"),
    [
        (STARTED, Rolling(Priority.PROMPT, debounce_s=0.0, keep=True)),
        (Prompt(author=ANN, body="x"), LASTING_PROMPT),
        (Prompt(author=EVE, body="x"), Skip()),
        (Prompt(author=ANN, body=" "), Skip()),
        (Answered(elicitation=QUESTION.id, by=ANN, answer="x"), LASTING_PROMPT),
        (Answered(elicitation=QUESTION.id, by=EVE, answer="x"), Skip()),
        (Thought(body="x", ephemeral=True), Rolling()),
        (Thought(body="x"), Solid(Priority.THOUGHT, mergeable=True)),
        (Thought(body="\n"), Skip()),
        (Action(action="Running", parameter="x", ephemeral=True), Rolling(Priority.ACTION)),
        (ACTION, Solid(Priority.ACTION, mergeable=True)),
        (Plan(steps=()), Snapshot("plan", 2.0)),
        (QUESTION, Solid(Priority.ELICITATION, urgent=True)),
        (Response(body="x"), FINAL),
        (Error(code=Blocker.MODEL_KEY, body="x"), FINAL),
        (Blocked(code=Blocker.QUEUED, body="x"), Rolling(Priority.PLAN, keep=True)),
        (Blocked(code=Blocker.LINEAR_QUOTA, body="x"), Skip()),
        (Blocked(code=Blocker.CHAT_THROTTLED, body="x"), Rolling(Priority.PLAN, keep=True)),
        (Blocked(code=Blocker.CHAT_GONE, body="x"), Solid(Priority.PLAN)),
        (Unblocked(code=Blocker.QUEUED), Skip()),
        (IssueLinked(identifier="ENG-1", title="x", url="x"), Skip()),
        (Routed(repository="a/b", reason="x"), Skip()),
        (FateChanged(message=MessageRef(THREAD, "m"), fate=Fate.SEEN), Skip()),
        (ENDED, Skip()),
        (Notice(body="x"), Skip()),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_how_each_entry_is_shown(entry: Entry, form: Form) -> None:
    log = log_of(entry)

    assert SINK.form(log[0], fold(log), VIEW) == form


@pytest.mark.parametrize(("quiet_min", "is_shown"), [(14, False), (16, True)])
def test_a_heartbeat_shows_only_after_a_quarter_of_an_hour_of_silence(quiet_min: int, is_shown: bool) -> None:
    log = log_of(Heartbeat(elapsed_s=60))
    view = View(SESSION, "ls1", {}, delivered_at=(T0 - timedelta(minutes=quiet_min)).timestamp())

    assert isinstance(SINK.form(log[0], fold(log), view), Rolling) is is_shown


def op(*entries: Entry) -> Op:
    log = log_of(*entries)
    made = SINK.op(log[-1:], fold(log), VIEW)
    assert made is not None
    return made


def thought(body: str, *, ephemeral: bool = False) -> dict[str, object]:
    return {"content": {"type": "thought", "body": body}, "ephemeral": ephemeral}


@pytest.mark.parametrize(
    ("entries", "activity"),
    [
        ((STARTED,), thought("On it: started from Slack by Ann", ephemeral=True)),
        ((TurnStarted(turn=TurnId("t1"), author=EVE),), thought("On it", ephemeral=True)),
        (
            (STARTED, ENDED, TurnStarted(turn=TurnId("t2"), author=ANN)),
            thought("On it", ephemeral=True),
        ),
        ((Prompt(author=ANN, body="fix it"),), thought("Ann in Slack: fix it")),
        (
            (Answered(elicitation=QUESTION.id, by=ANN, answer="Archived wins"),),
            thought("Answered by Ann in Slack: Archived wins"),
        ),
        ((Thought(body="hm", ephemeral=True),), thought("hm", ephemeral=True)),
        ((Thought(body="said"),), thought("said")),
        (
            (ACTION,),
            {
                "content": {
                    "type": "action",
                    "action": "Ran",
                    "parameter": "`pytest`",
                    "result": "214 passed",
                },
                "ephemeral": False,
            },
        ),
        (
            (Action(action="Running", parameter="", result="", ephemeral=True),),
            {"content": {"type": "action", "action": "Running", "parameter": "–"}, "ephemeral": True},
        ),
        (
            (QUESTION,),
            {
                "content": {"type": "elicitation", "body": "Which?"},
                "signal_metadata": {
                    "options": [
                        {"value": "a", "label": "Archived wins"},
                        {"value": "h", "label": "Hidden wins"},
                    ]
                },
            },
        ),
        ((Response(body="Fixed."),), {"content": {"type": "response", "body": "Fixed."}}),
        ((Response(body=" "),), {"content": {"type": "response", "body": "Done."}}),
        (
            (Error(code=Blocker.MODEL_KEY, body="The model refused our key.", action="Check it."),),
            {"content": {"type": "error", "body": "The model refused our key. Check it."}},
        ),
        (
            (Blocked(code=Blocker.QUEUED, body="Queued: 2 ahead."),),
            thought("Queued: 2 ahead.", ephemeral=True),
        ),
        ((Heartbeat(elapsed_s=1860),), thought("Still working, 31 min so far.", ephemeral=True)),
    ],
    ids=lambda value: value[-1].kind if isinstance(value, tuple) else None,
)
def test_the_activity_of_each_entry(entries: tuple[Entry, ...], activity: dict[str, object]) -> None:
    id = uuid_for(f"linear/s1/e{len(entries)}")

    made = op(*entries)
    assert (made.cost, made.call, made.more) == ("request", {"id": id, **activity}, False)


def test_several_actions_become_one_that_names_them() -> None:
    log = log_of(ACTION, Action(action="Edited", parameter="search.py"))
    made = SINK.op(log, fold(log), VIEW)

    assert made is not None
    assert made.call["id"] == uuid_for("linear/s1/e2")
    assert made.call["content"] == {
        "type": "action",
        "action": "Did",
        "parameter": "2 steps",
        "result": "- Ran `pytest`\n- Edited search.py",
    }


@pytest.mark.parametrize(
    ("entries", "content"),
    [
        (
            (Thought(body="It fails."), Thought(body="It is\nfixed.")),
            {"type": "thought", "body": "It fails.\n\nIt is\nfixed."},
        ),
        (
            (Thought(body="It is\nbroken."), ACTION),
            {
                "type": "action",
                "action": "Did",
                "parameter": "1 step",
                "result": "It is broken.\n- Ran `pytest`",
            },
        ),
    ],
    ids=["remarks", "a remark and a call"],
)
def test_remarks_that_share_a_call_are_all_there(
    entries: tuple[Entry, ...], content: dict[str, object]
) -> None:
    log = log_of(*entries)
    made = SINK.op(log, fold(log), VIEW)

    assert made is not None
    assert made.call["content"] == content


async def test_a_question_carries_its_choices_as_a_select_signal() -> None:
    linear = FakeLinear()

    await LinearSink(linear).deliver("ls1", op(QUESTION), again=False)

    assert linear.signals == [op(QUESTION).call["signal_metadata"]]


async def test_an_activity_that_linear_has_already_counts_as_delivered() -> None:
    linear, response = FakeLinear(), op(Response(body="Fixed."))
    sink = LinearSink(linear)

    first = await sink.deliver("ls1", response, again=False)
    second = await sink.deliver("ls1", response, again=True)

    assert first == second == Delivered(uuid_for("linear/s1/e1"))
    assert linear.solids() == ["Response: Fixed."]


class RefusingLinear(FakeLinear):
    def __init__(self, error: LinearError) -> None:
        super().__init__()
        self.error = error

    def _leave(self) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "kind", "trouble"),
    [
        (Transient("down", maybe_done=True), TryLater, Blocker.LINEAR_DOWN),
        (RateLimited(), Throttled, Blocker.LINEAR_QUOTA),
        (Unauthorized("revoked"), AccessLost, Blocker.LINEAR_REVOKED),
        (Forbidden("not yours"), AccessLost, Blocker.LINEAR_REVOKED),
        (NotFound("AgentSession"), TargetGone, Blocker.LINEAR_DOWN),
        (NotFound("Comment"), Refused, Blocker.LINEAR_REFUSED),
        (Rejected("body too long"), Refused, Blocker.LINEAR_REFUSED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, LinearError) else None,
)
async def test_what_each_refusal_of_linear_means(
    error: LinearError, kind: type[DeliveryError], trouble: Blocker
) -> None:
    sink = LinearSink(RefusingLinear(error))

    with pytest.raises(kind) as caught:
        await sink.deliver("ls1", op(Response(body="x")), again=False)

    assert type(caught.value) is kind
    assert sink.trouble(caught.value) is trouble


@pytest.mark.parametrize(
    ("error", "pause_s"),
    [
        (RateLimited(), 60.0),
        (RateLimited(retry_after_s=7.0), 7.0),
        (RateLimited(retry_at=T0 + timedelta(seconds=90)), 90.0),
    ],
)
async def test_a_throttle_says_how_long_to_pause(error: RateLimited, pause_s: float) -> None:
    sink = LinearSink(RefusingLinear(error), now=lambda: T0)

    with pytest.raises(Throttled) as caught:
        await sink.deliver("ls1", op(Response(body="x")), again=False)

    assert caught.value.retry_after_s == pause_s


@pytest.mark.parametrize("maybe_done", [True, False])
async def test_whether_a_lost_call_may_have_been_executed_is_passed_on(maybe_done: bool) -> None:
    sink = LinearSink(RefusingLinear(Transient("down", maybe_done=maybe_done)))

    with pytest.raises(TryLater) as caught:
        await sink.deliver("ls1", op(Response(body="x")), again=False)

    assert caught.value.maybe_done is maybe_done


@pytest.mark.parametrize(
    ("points", "remaining"),
    [
        ({}, 4000),
        ({"X-RateLimit-Complexity-Limit": "2000000", "X-RateLimit-Complexity-Remaining": "1900000"}, 4000),
        ({"X-RateLimit-Complexity-Limit": "2000000", "X-RateLimit-Complexity-Remaining": "500000"}, 1250),
        ({"X-RateLimit-Complexity-Limit": "2000000"}, 4000),
    ],
    ids=["requests alone", "requests", "points", "points unknown"],
)
async def test_the_real_client_sends_the_plan_and_learns_the_scarcer_quota(
    points: dict[str, str], remaining: int
) -> None:
    answer = data(agentSessionUpdate={"success": True, "agentSession": {"id": "ls1", "status": "active"}})
    answer.headers.update({"X-RateLimit-Requests-Limit": "5000", "X-RateLimit-Requests-Remaining": "4000"})
    answer.headers.update(points)
    linear = ScriptedLinear(answer)
    async with httpx.AsyncClient(transport=httpx.MockTransport(linear)) as http:
        sink = LinearSink(LinearClient(http, API_URL, StaticToken("t")), now=lambda: datetime.now(UTC))
        plan = Plan(steps=(PlanStep("Reproduce", StepStatus.IN_PROGRESS),))

        delivered = await sink.deliver("ls1", op(plan), again=False)

    assert linear.variables == {
        "id": "ls1",
        "input": {"plan": [{"content": "Reproduce", "status": "inProgress"}]},
    }
    assert delivered == Delivered("", Measured(limit=5000, remaining=remaining))


@pytest.mark.parametrize(
    "entry",
    [
        STARTED,
        Prompt(author=ANN, body="fix it"),
        Thought(body="hm", ephemeral=True),
        Action(action="", parameter=""),
        Plan(steps=(PlanStep("Reproduce", StepStatus.CANCELED),)),
        QUESTION,
        Elicitation(id=ElicitationId("q2"), body="What?"),
        Response(body=""),
        Error(code=Blocker.AGENT_FAILED, body=""),
        Blocked(code=Blocker.QUEUED, body=""),
        Heartbeat(elapsed_s=1800),
    ],
    ids=lambda entry: str(entry.kind),
)
async def test_linears_stand_in_takes_whatever_is_shown_and_takes_it_again(entry: Entry) -> None:
    async with LinearPlayground() as linear, httpx.AsyncClient() as http:
        client = LinearClient(http, linear.graphql_url, StaticToken(linear.settings.app_token))
        team = (await client.workspace()).team("ENG")
        assert team is not None
        issue = await client.create_issue(id=str(uuid4()), team_id=team.id, title="Search", description="x")
        session = await client.start_session(issue.id, [])
        sink = LinearSink(client)

        first = await sink.deliver(session.id, op(entry), again=False)
        second = await sink.deliver(session.id, op(entry), again=True)

        assert first.id == second.id
        found = await client.find_session(session.id)
        assert found is not None
        assert len(found.activities) + len(found.plan or []) == 1


ASKED = AuthAsked(person=EVE, provider="GitHub", body="To approve as yourself, link GitHub first.")


class Links:
    """Makes addresses, and tells whom for."""

    def __init__(self) -> None:
        self.made: list[tuple[str, str]] = []

    async def link_for(self, provider: str, person: Author) -> str:
        self.made.append((provider, person.id))
        return f"https://bot.acme.test/link/{len(self.made)}"


@pytest.mark.parametrize(
    ("entry", "in_turn", "between"),
    [
        (ASKED, Solid(Priority.ELICITATION, urgent=True), Solid(Priority.ELICITATION, urgent=True)),
        (AuthAsked(person=ANN, provider="Linear", body="x"), LASTING_PROMPT, Skip()),
        (AuthGiven(person=ANN), LASTING_PROMPT, Skip()),
        (Denied(person=ANN, code=Blocker.PERSON_GUEST, body="x"), Skip(), Skip()),
    ],
    ids=["in Linear", "in chat", "linked", "denied"],
)
def test_who_must_link_is_shown_while_it_opens_no_session_again(
    entry: Entry, in_turn: Form, between: Form
) -> None:
    for log, form in ((log_of(STARTED, entry), in_turn), (log_of(STARTED, ENDED, entry), between)):
        assert SINK.form(log[-1], fold(log), VIEW) == form


async def test_a_link_is_for_one_person_and_made_when_it_is_sent() -> None:
    planned = op(ASKED)
    assert "http" not in str(planned.call)
    async with LinearPlayground() as linear, httpx.AsyncClient() as http:
        eve = linear.workspace.person("eve")
        planned = op(AuthAsked(person=Author("linear", eve.id, "Eve"), provider="GitHub", body=ASKED.body))
        client = LinearClient(http, linear.graphql_url, StaticToken(linear.settings.app_token))
        session = linear.people.delegate(linear.people.create_issue("Search").identifier)
        links = Links()
        sink = LinearSink(client, linker=links)
        await sink.deliver(session.id, planned, again=False)
        await sink.deliver(session.id, planned, again=True)
        [activity] = linear.workspace.session(session.id).history
    assert (activity.content["type"], activity.signal) == ("elicitation", "auth")
    assert activity.signal_metadata == {
        "url": "https://bot.acme.test/link/1",
        "userId": eve.id,
        "providerName": "GitHub",
    }
    assert links.made == [("GitHub", eve.id)] * 2


async def test_without_a_way_to_link_the_entry_is_refused_and_not_repeated() -> None:
    with pytest.raises(Refused, match="GitHub"):
        await SINK.deliver("ls1", op(ASKED), again=False)
