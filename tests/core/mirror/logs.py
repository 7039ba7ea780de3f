"""Random logs as a service would write them."""

from random import Random

from core.activities import (
    Action,
    Answered,
    Blocked,
    Blocker,
    Elicitation,
    Entry,
    Error,
    Fate,
    FateChanged,
    Heartbeat,
    IssueLinked,
    Logged,
    Option,
    Outcome,
    Plan,
    PlanStep,
    Prompt,
    Response,
    StepStatus,
    Thought,
    TurnEnded,
    TurnStarted,
    Unblocked,
)
from core.ids import ElicitationId, MessageRef, ThreadRef, TurnId
from tests.core.mirror.fakes import ANN, EVE, THREAD, logged


def random_log(
    random: Random, *, turns: int = 2, length: int = 8, thread: ThreadRef = THREAD
) -> list[Logged]:
    """`turns` turns of up to `length` entries each, with unlike texts."""
    entries: list[Entry] = []
    for turn in range(turns):
        entries += _turn(random, TurnId(f"t{turn}"), random.randrange(length + 1), thread)
    at = 0.0
    log = []
    for n, entry in enumerate(entries, 1):
        at += random.choice((0.0, 0.1, 0.7, 3.0))
        log.append(logged(n, entry, at))
    return log


def _turn(random: Random, turn: TurnId, length: int, thread: ThreadRef) -> list[Entry]:
    entries: list[Entry] = [TurnStarted(turn=turn, author=random.choice((ANN, EVE)))]
    for i in range(length):
        entries += _entries(random, f"{turn}.{i}", thread)
    if random.random() < 0.7:
        entries.append(Response(body=f"done {turn}"))
    else:
        entries.append(Error(code=Blocker.AGENT_FAILED, body=f"failed {turn}"))
    entries.append(TurnEnded(turn=turn, outcome=Outcome.DONE, elapsed_s=5, cost_usd=0.1))
    return entries


def _entries(random: Random, id: str, thread: ThreadRef) -> list[Entry]:
    question = Elicitation(id=ElicitationId(id), body=f"q {id}", options=(Option("a", "A"),))
    kinds: list[list[Entry]] = [
        [Thought(body=f"thinking {id}", ephemeral=True)],
        [Thought(body=f"said {id}")],
        [Action(action="Running", parameter=f"run {id}", ephemeral=True)],
        [Action(action="Ran", parameter=f"ran {id}", result="ok")],
        [Plan(steps=(PlanStep(f"step {id}", StepStatus.PENDING),))],
        [Prompt(author=ANN, body=f"ann {id}")],
        [Prompt(author=EVE, body=f"eve {id}")],
        [FateChanged(message=MessageRef(thread, f"m{id}"), fate=Fate.SEEN)],
        [Blocked(code=Blocker.MODEL_BUSY, body="busy"), Unblocked(code=Blocker.MODEL_BUSY)],
        [Heartbeat(elapsed_s=60)],
        [IssueLinked(identifier="ENG-1", title="Search", url="https://linear.test/ENG-1")],
        [question, Answered(elicitation=question.id, by=random.choice((ANN, EVE)), answer=f"a {id}")],
    ]
    return random.choice(kinds)


def chat_story(log: list[Logged]) -> list[str]:
    """What a Slack thread must tell beside its cards."""
    return [line for one in log if (line := _told(one.entry, "slack")) is not None]


def linear_story(log: list[Logged]) -> list[str]:
    """What Linear must tell beside its actions."""
    return [line for one in log if (line := _told(one.entry, "linear")) is not None]


def _told(entry: Entry, side: str) -> str | None:
    match entry:
        case Prompt(author=author, body=body) if author.surface != side:
            return f"{author.name} in {author.surface.title()}: {body}"
        case Answered(by=by, answer=answer) if side == "slack" or by.surface != side:
            return f"Answered by {by.name} in {by.surface.title()}: {answer}"
        case Elicitation(body=body):
            return f"Question: {body}"
        case Response(body=body):
            return f"Response: {body}"
        case Error(body=body):
            return body
        case Thought(body=body, ephemeral=False) if side == "linear":
            return body
        case _:
            return None
