"""What a platform refuses for good is not silent: a line in its place, or the other side says so."""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from core.activities import (
    Action,
    Answered,
    Blocker,
    ConfirmAsked,
    Denied,
    Elicitation,
    Entry,
    Error,
    IssueLinked,
    Logged,
    Notice,
    Prompt,
    PullShown,
    Response,
    Thought,
)
from core.errors import Refused, TryLater
from core.ids import ElicitationId, MessageRef, SessionId, ThreadRef, TurnId
from core.mirror.chat_sink import ChatSink
from core.mirror.lane import Planned
from core.mirror.mirror import Mirror
from core.mirror.queue import Priority
from core.mirror.refusals import Loss, line_for, loss_of, told_elsewhere
from core.mirror.sink import Op
from core.mirror.story import fold
from core.ports import Payload
from core.pulls import PullAction
from core.store import mirroring
from core.store.database import Database
from core.store.mirroring import Step, StoredOp
from linear.errors import Rejected
from linear.sink import LinearSink
from tests.core.mirror.fakes import (
    ANN,
    EVE,
    SESSION,
    THREAD,
    Crash,
    FakeLinear,
    FakeSurface,
    FragileDatabase,
    Heard,
    JumpingClock,
    Luck,
    add_session,
    append,
    create,
    log_of,
    logged,
    render,
)
from tests.core.mirror.pull_items import CARD, DRAFT, NEXT
from tests.core.mirror.test_mirror import ENDED, LINEAR, SLACK, STARTED, World

TURN = TurnId("t0")
ISSUE = IssueLinked(identifier="ENG-142", title="Search", url="https://linear.test/ENG-142")
QUESTION = Elicitation(id=ElicitationId("q"), body="Which?")
FAILED = Error(code=Blocker.MODEL_KEY, body="The model refused our key.")
PULL = PullShown(card=CARD, facts=DRAFT, turn=TURN)
IN_LINEAR = f"in Linear: {ISSUE.url}"
LINE = " did not take "

Judge = Callable[[str], bool]


class PickySurface(FakeSurface):
    """Refuses for good what `refuses` says of its text."""

    def __init__(self, refuses: Judge, luck: Luck | None = None) -> None:
        super().__init__(luck)
        self.refuses = refuses

    async def post(self, thread: ThreadRef, payload: Payload, *, key: str, again: bool) -> str:
        self._judge(payload)
        return await super().post(thread, payload, key=key, again=again)

    async def edit(self, message: MessageRef, payload: Payload) -> None:
        self._judge(payload)
        await super().edit(message, payload)

    def _judge(self, payload: Payload) -> None:
        if self.refuses(payload["text"]):
            self._leave("refused")
            raise Refused("invalid_blocks")


class LameSurface(PickySurface):
    """Fails twice to post what it does not refuse: before that, and after it."""

    def __init__(self, refuses: Judge) -> None:
        super().__init__(refuses)
        self.errors = [TryLater("away"), TryLater("lost", maybe_done=True)]

    async def post(self, thread: ThreadRef, payload: Payload, *, key: str, again: bool) -> str:
        self._judge(payload)
        if self.errors and not self.errors[0].maybe_done:
            raise self.errors.pop(0)
        id = await super().post(thread, payload, key=key, again=again)
        if self.errors:
            raise self.errors.pop(0)
        return id


class PickyLinear(FakeLinear):
    """Refuses for good the activities of which `refuses` says so of what is in them."""

    def __init__(self, refuses: Judge) -> None:
        super().__init__()
        self.refuses = refuses

    async def create_activity(self, **call: object) -> None:
        if self.refuses(str(call["content"])):
            self._leave()
            raise Rejected("body too long")
        await super().create_activity(**call)  # type: ignore[arg-type]


def _is_line(text: str) -> bool:
    return LINE in text


def _is_no_line(text: str) -> bool:
    return not _is_line(text) and not text.startswith("card")


def everything(_: str) -> bool:
    return True


def nothing(_: str) -> bool:
    return False


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    database = Database(f"sqlite:///{tmp_path / 'app.db'}")
    await create(database)
    world = World(database)
    yield world
    for mirror in world.mirrors:
        await mirror.stop()
    await database.close()


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (Response(body="Fixed."), f"Slack did not take my answer. Read it {IN_LINEAR}"),
        (FAILED, f"Slack did not take my message that this failed (model.key). Read it {IN_LINEAR}"),
        (QUESTION, f"Slack did not take my question. Read and answer it {IN_LINEAR}"),
        (Prompt(author=EVE, body="x"), f"Slack did not take what Eve in Linear said. Read it {IN_LINEAR}"),
        (PULL, f"Slack did not take the card of acme/shop #87. See it at {DRAFT.url}"),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
async def test_a_line_stands_where_a_message_was_refused(
    entry: Entry, line: str, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    surface, linear = PickySurface(_is_no_line), FakeLinear()
    await world.session(SLACK, LINEAR)

    await world.show(
        world.mirror(ChatSink(surface, render), LinearSink(linear)), ISSUE, STARTED, entry, ENDED
    )

    assert [text for text in surface.texts() if _is_line(text)] == [line]
    assert not any(_is_line(text) for text in linear.solids())
    assert world.heard.refused == []
    [said] = [one for one in caplog.records if one.getMessage() == "delivery refused"]
    assert vars(said)["code"] is not None
    assert (vars(said)["code"], said.levelno) == ("chat.refused", logging.WARNING)


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        (Response(body="Fixed."), "my answer"),
        (FAILED, "my message that this failed (model.key)"),
        (QUESTION, "my question"),
        (PULL, "the card of acme/shop #87"),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
async def test_the_other_side_hears_of_it_if_the_line_is_refused_too(
    entry: Entry, what: str, world: World
) -> None:
    surface, linear = PickySurface(everything), FakeLinear()
    await world.session(SLACK, LINEAR)

    await world.show(world.mirror(ChatSink(surface, render), LinearSink(linear)), STARTED, entry, ENDED)

    [(key, words, sinks)] = world.heard.refused
    assert key.startswith("refused/slack/")
    assert (words, sinks) == (f"Slack did not take {what}; people there do not see it.", ("linear",))
    assert surface.texts() == []


@pytest.mark.parametrize(
    ("entry", "kind", "line"),
    [
        (Response(body="Fixed."), "response", "Linear did not take my answer. Read it in Slack."),
        (FAILED, "error", "Linear did not take my message that this failed (model.key). Read it in Slack."),
        (QUESTION, "elicitation", "Linear did not take my question. Read and answer it in Slack."),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
async def test_linear_gets_a_line_of_the_same_kind(entry: Entry, kind: str, line: str, world: World) -> None:
    linear = PickyLinear(lambda content: kind in content and LINE not in content)
    await world.session(SLACK, LINEAR)

    await world.show(world.mirror(ChatSink(FakeSurface(), render), LinearSink(linear)), STARTED, entry, ENDED)

    shown = [content for _, content, ephemeral in linear.activities.values() if not ephemeral]
    assert shown == [{"type": kind, "body": line}]
    assert world.heard.refused == []


async def test_what_linear_takes_in_no_form_is_told_in_the_thread(world: World) -> None:
    linear = PickyLinear(everything)
    steps = [Action(action="Ran", parameter=f"`step {n}`", result="ok") for n in range(3)]
    entries: list[Entry] = [STARTED, Thought(body="Looking."), *steps, Response(body="Fixed."), ENDED]
    await world.session(SLACK, LINEAR)

    await world.show(world.mirror(ChatSink(FakeSurface(), render), LinearSink(linear)), *entries)

    keys = [key for key, _, _ in world.heard.refused]
    # The service says it once for each key.
    assert list(dict.fromkeys(keys)) == ["refused/linear/activity", "refused/linear/e6"]
    assert {sinks for _, _, sinks in world.heard.refused} == {("slack",)}
    assert linear.activities == {}


async def test_what_has_no_reader_of_its_own_is_only_logged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    surface = PickySurface(lambda text: text == "Nothing is running here.")
    await world.session(SLACK, LINEAR)

    await world.show(
        world.mirror(ChatSink(surface, render)), Notice(body="Nothing is running here."), Response(body="x")
    )

    assert surface.texts() == ["Response: x"]
    assert world.heard.refused == []
    assert [one.getMessage() for one in caplog.records] == ["delivery refused"]


async def test_one_line_stands_for_all_that_is_left_of_a_long_answer(world: World) -> None:
    surface = PickySurface(lambda text: "bad" in text)
    await world.session(SLACK, LINEAR)
    mirror = world.mirror(ChatSink(surface, render), LinearSink(FakeLinear()))

    await world.show(mirror, Response(body="a\fbad\fbad\fd"), Response(body="next"))

    line = "Slack did not take the rest of my answer. Read it in Linear."
    assert surface.texts() == ["Response: a", line, "Response: next"]


async def test_a_line_that_could_not_be_sent_yet_follows(world: World) -> None:
    surface = LameSurface(_is_no_line)
    await world.session(SLACK, LINEAR)

    await world.show(world.mirror(ChatSink(surface, render)), Response(body="a"))

    assert surface.texts() == ["Slack did not take my answer. Read it in Linear."]
    assert world.heard.refused == []


async def test_what_was_asked_under_a_line_is_closed_there(world: World) -> None:
    surface = PickySurface(lambda text: text.startswith("Question"))
    await world.session(SLACK, LINEAR)
    answered = Answered(elicitation=QUESTION.id, by=EVE, answer="both")

    await world.show(world.mirror(ChatSink(surface, render)), STARTED, QUESTION, answered, ENDED)

    [message] = [text for text in surface.texts() if not text.startswith("card")]
    assert message == "Answered by Eve in Linear: both"


@pytest.mark.parametrize("refuses", [everything, _is_no_line], ids=["line too", "card"])
async def test_the_next_state_of_a_pull_request_makes_up_for_a_refused_card(
    refuses: Judge, world: World
) -> None:
    surface = PickySurface(refuses)
    await world.session(SLACK, LINEAR)
    mirror = world.mirror(ChatSink(surface, render))
    states: list[Entry] = [
        PULL,
        *(replace(PULL, card=card, facts=replace(DRAFT, head_sha=NEXT)) for card in "de"),
    ]
    for n, state in enumerate((STARTED, *states), 1):
        if state is states[-1]:
            surface.refuses = nothing
        await append(world.database, [logged(n, state, at_s=3.0 * n)])
        mirror.wake(SESSION)
        await mirror.drained(SESSION)

    [card] = [text for text in surface.texts() if not text.startswith("card")]
    assert card.startswith("acme/shop #87 · ")
    # Once for each time it was refused, and once for people: it is one card.
    assert {key for key, _, _ in world.heard.refused} <= {"refused/slack/pull/t0"}
    assert bool(world.heard.refused) is (refuses is everything)


async def test_a_refused_edit_of_a_card_holds_up_neither_the_next_one_nor_its_end(world: World) -> None:
    surface = PickySurface(lambda text: "bad" in text)
    await world.session(SLACK)
    mirror = world.mirror(ChatSink(surface, render))
    entries: Sequence[Entry] = [
        STARTED,
        *(Thought(body=body) for body in ("bad", "good", "bad", "bad")),
        ENDED,
    ]
    shown = []
    for n, entry in enumerate(entries, 1):
        await append(world.database, [logged(n, entry, at_s=3.0 * n)])
        mirror.wake(SESSION)
        await mirror.drained(SESSION)
        shown.append(surface.texts())

    assert shown == [
        [f"card t0: {text}"] for text in ("Starting", *["Starting", "good", "good", "good"], "done")
    ]


async def test_a_private_message_that_is_refused_is_named_and_not_told(world: World) -> None:
    surface = FakeSurface()  # It cannot whisper at all.
    await world.session(SLACK)
    denied = Denied(person=ANN, code=Blocker.PERSON_DENIED, body="You may not.", thread=THREAD)
    confirm = ConfirmAsked(
        person=ANN,
        card=CARD,
        action=PullAction.MERGE,
        body="Merge?",
        label="Merge",
        word="merge",
        thread=THREAD,
    )

    await world.show(world.mirror(ChatSink(surface, render)), denied, confirm)

    assert surface.texts() == ["Slack did not take my private message to Ann."] * 2


def test_where_it_can_be_read_is_said_as_far_as_it_is_known() -> None:
    log = log_of(ISSUE, Response(body="x"))
    loss = loss_of(log[-1], fold(log))
    assert loss is not None
    unlinked = replace(loss, url="")
    said = [
        line_for(loss, "teams", ["linear", "slack"]),
        line_for(unlinked, "teams", ["linear", "slack"]),
        line_for(loss, "teams", ["slack"]),
        line_for(loss, "teams", []),
    ]
    assert said == [
        f"Teams did not take my answer. Read it {IN_LINEAR}",
        "Teams did not take my answer. Read it in Linear.",
        "Teams did not take my answer. Read it in Slack.",
        "Teams did not take my answer. For admins: see the log of the service.",
    ]
    assert told_elsewhere(loss, "teams") == "Teams did not take my answer; people there do not see it."


def test_a_call_keeps_what_its_refusal_would_mean() -> None:
    op = Op("request", {"id": "1"}, loss=Loss("e1", "my answer", "Read it", "https://linear.test/1"))
    planned = Planned(op, Step(4), Priority.TERMINAL)

    assert Planned.stored(StoredOp("o1", planned.body(), planned.to)) == planned
    earlier = {name: value for name, value in planned.body().items() if name != "loss"}
    assert Planned.stored(StoredOp("o1", earlier, planned.to)).op.loss is None


@pytest.fixture
async def fragile(tmp_path: Path) -> AsyncIterator[FragileDatabase]:
    database = FragileDatabase(f"sqlite:///{tmp_path / 'app.db'}")
    await create(database)
    yield database
    await database.close()


async def live(database: Database, surface: FakeSurface, heard: Heard, luck: Luck) -> bool:
    """One life of the process; whether it got everything shown before it died."""
    mirror = Mirror(
        database,
        {"slack": ChatSink(surface, render)},
        JumpingClock(),
        on_gone=heard.on_gone,
        on_trouble=heard.on_trouble,
        on_refused=heard.on_refused,
        random=luck.random.random,
        sweep_s=None,
    )
    mirror.start()
    try:
        await mirror.drained()
    except Crash:
        return False
    finally:
        await mirror.stop()
    return True


def answers(session: SessionId) -> list[Logged]:
    return log_of(*(Response(body=f"{word} {session}") for word in ("good", "bad", "fine", "bad")))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("is_line_taken", [True, False], ids=["line", "nothing"])
async def test_it_is_told_exactly_once_through_restarts(
    seed: int, fragile: FragileDatabase, *, is_line_taken: bool
) -> None:
    sessions = [SessionId(f"s{number}") for number in range(6)]
    for session in sessions:
        await add_session(fragile, session)
        await append(fragile, answers(session), session)
        async with fragile.write() as connection:
            for sink, target in (("slack", f"slack:T1/C{session}/1"), ("linear", f"l{session}")):
                await mirroring.bind(connection, session, sink=sink, target=target, install="T1")
    luck, heard = Luck(Random(seed), crash=0.12, fail=0.05), Heard()
    surface = PickySurface(lambda text: "bad" in text or (_is_line(text) and not is_line_taken), luck)
    fragile.luck = luck

    while not await live(fragile, surface, heard, luck):
        pass

    line = ["Slack did not take my answer. Read it in Linear."] * is_line_taken
    for session in sessions:
        texts = surface.texts(ThreadRef("slack", "T1", f"C{session}", "1"))
        assert texts == [f"Response: good {session}", *line, f"Response: fine {session}", *line]
    told = [] if is_line_taken else [(one, f"refused/slack/e{n}") for one in sessions for n in (2, 4)]
    assert heard.refused_in == set(told)
    assert luck.crashes > 2
