"""Pull requests in Linear: one line for each head and state, one for each deed, and a link on the session."""

from dataclasses import replace

import httpx
import pytest

from core.activities import (
    Author,
    ConfirmAsked,
    Entry,
    Outcome,
    TurnEnded,
    TurnStarted,
)
from core.ids import TurnId
from core.mirror.queue import Form, Priority, Skip, Solid
from core.mirror.sink import Op, View
from core.mirror.story import fold
from core.pulls import CheckState, PullAction, PullState
from linear.client import LinearClient, StaticToken
from linear.sink import LinearSink
from playground.linear import LinearPlayground
from playground.linear_page import snapshot
from tests.core.mirror.fakes import ANN, EVE, SESSION, T0, FakeLinear, log_of
from tests.core.mirror.pull_items import CARD, DRAFT, MERGED, NEXT, READY, acted, shown

SINK = LinearSink(FakeLinear())
STARTED = TurnStarted(turn=TurnId("t1"), author=ANN)
ENDED = TurnEnded(turn=TurnId("t1"), outcome=Outcome.DONE, elapsed_s=1)
NEWS = Solid(Priority.PROMPT)
URL = "https://github.test/acme/shop/pull/87"
LINE = (
    f"[acme/shop #87 · ENG-142: Respect includeArchivedProjects in issue search]({URL})"
    " · draft · 3 files +41 −6 · abc1234"
)
MERGE = acted(PullAction.MERGE, "Merged by Eve as squash.")
CLOSED = replace(READY, state=PullState.CLOSED)
ASKED = ConfirmAsked(
    person=EVE,
    card=CARD,
    action=PullAction.MERGE,
    body="Merge acme/shop #87 at abc1234 into main, as squash?",
    label="Merge abc1234 as squash",
    word="merge abc1234",
)


def view(part: int = 0) -> View:
    return View(SESSION, "ls1", {}, part, delivered_at=T0.timestamp())


def op(*entries: Entry, part: int = 1) -> Op:
    log = log_of(*entries)
    made = SINK.op(log[-1:], fold(log), view(part))
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("entries", "form"),
    [
        ((shown(DRAFT),), NEWS),
        ((shown(DRAFT), shown(replace(DRAFT, checks=DRAFT.checks[:1]))), Skip()),
        ((shown(DRAFT), shown(replace(DRAFT, head_sha=NEXT))), NEWS),
        ((shown(DRAFT), shown(READY)), NEWS),
        ((shown(DRAFT), acted(PullAction.READY), shown(READY)), Skip()),
        ((shown(READY), acted(PullAction.READY), shown(DRAFT)), NEWS),
        ((shown(READY), shown(MERGED)), NEWS),
        ((shown(READY), MERGE, shown(MERGED)), Skip()),
        ((shown(READY), acted(PullAction.APPROVE), shown(MERGED)), NEWS),
        # Asked for long ago: nobody has said yet that it happened.
        ((shown(READY), acted(PullAction.MERGE_WHEN_GREEN), shown(MERGED)), NEWS),
        ((shown(READY), MERGE, shown(MERGED), shown(MERGED)), Skip()),
        ((shown(READY), shown(CLOSED)), NEWS),
        ((shown(READY), acted(PullAction.CLOSE), shown(CLOSED)), Skip()),
        ((shown(READY), shown(replace(READY, head_sha=NEXT), is_stale=True)), Skip()),
        ((shown(READY, is_stale=True),), Skip()),
        ((MERGE,), NEWS),
        ((ASKED,), Solid(Priority.PROMPT, urgent=True)),
        ((replace(ASKED, person=ANN),), Skip()),
    ],
    ids=[
        *("opened", "check", "head", "ready", "ready by a person", "draft again", "merged"),
        *("merged by a person", "approved, then merged", "merged when green", "merged, told before"),
        *("closed", "closed by a person", "stale", "stale first", "acted", "confirm", "confirm in chat"),
    ],
)
def test_how_each_entry_is_shown(entries: tuple[Entry, ...], form: Form) -> None:
    log = log_of(STARTED, ENDED, *entries)
    assert SINK.form(log[-1], fold(log), view()) == form


def test_the_first_look_links_the_session_and_then_says_so() -> None:
    link = op(STARTED, ENDED, shown(DRAFT), part=0)
    said = op(STARTED, ENDED, shown(DRAFT), part=1)
    later = op(STARTED, ENDED, shown(DRAFT), shown(READY), part=0)

    assert (link.call, link.more) == ({"link": {"label": "acme/shop #87", "url": URL}}, True)
    assert (said.call["content"], said.more) == ({"type": "response", "body": LINE}, False)
    assert "link" not in later.call


@pytest.mark.parametrize(
    ("entry", "body"),
    [
        (shown(DRAFT), LINE),
        (MERGE, "Merged by Eve as squash."),
        (
            ASKED,
            "Merge acme/shop #87 at abc1234 into main, as squash? Reply `merge abc1234` to confirm it.",
        ),
    ],
    ids=["shown", "acted", "confirm"],
)
def test_a_reply_closes_the_session_again_unless_the_agent_is_at_work(entry: Entry, body: str) -> None:
    assert op(STARTED, entry).call["content"] == {"type": "thought", "body": body}
    assert op(STARTED, ENDED, entry).call["content"] == {"type": "response", "body": body}


def test_checks_alone_are_never_told_however_many_there_are() -> None:
    looks: list[Entry] = [
        shown(replace(READY, checks=tuple(replace(one, state=state) for one in READY.checks[:n])))
        for n in range(3)
        for state in CheckState
    ]
    log = log_of(STARTED, ENDED, shown(READY), *looks)
    forms = [SINK.form(log[n], fold(log[: n + 1]), view()) for n in range(2, len(log))]
    assert forms == [NEWS, *[Skip()] * len(looks)]


async def test_linear_takes_the_link_and_the_lines_however_often() -> None:
    """The stand-in checks each call against the schema."""
    by_eve = Author("github", "7", "eve-codes")
    told: list[Entry] = [
        shown(DRAFT),
        acted(PullAction.APPROVE, "Approved by eve-codes in GitHub at abc1234.", by=by_eve),
    ]
    async with LinearPlayground() as playground, httpx.AsyncClient() as http:
        issue = playground.people.create_issue("Search")
        session = playground.people.delegate(issue.identifier)
        client = LinearClient(http, playground.graphql_url, StaticToken(playground.settings.app_token))
        sink = LinearSink(client)
        for entries, part in ((told[:1], 0), (told[:1], 1), (told, 1)):
            log = log_of(STARTED, ENDED, *entries)
            made = sink.op(log[-1:], fold(log), View(SESSION, session.id, {}, part))
            assert made is not None
            for again in (False, True):
                await sink.deliver(session.id, made, again=again)
        seen = snapshot(playground.workspace)["issues"][0]["sessions"][0]

    assert session.external_links == [{"label": "acme/shop #87", "url": URL}]
    bodies = [one["body"] for one in seen["history"]]
    assert bodies == [LINE, "Approved by eve-codes in GitHub at abc1234."]
