"""The surface against the stand-in for Slack."""

import time
from itertools import pairwise

import aiohttp
import pytest

from bots.slack.client import SCOPES, build_client
from bots.slack.dialogs import Dialogs
from bots.slack.forms import FormAsked
from bots.slack.people import KEPT_S, People
from bots.slack.render import render
from bots.slack.surface import SlackSurface
from core.activities import Author, Blocker, Fate, Outcome
from core.errors import Refused, TargetGone, Throttled, TryLater
from core.events import ThreadMessage
from core.ids import MessageRef, ThreadRef, TurnId
from core.mirror.cards import AnswerItem, NoticeItem, ProgressCard
from core.ports import ChatSurface, Payload, PrivateLink, ThreadReader, Whisperer
from playground.slack import BOT_TOKEN, Grant, SlackConfig, SlackPlayground
from playground.slack_blocks import elements_of
from playground.slack_clock import VirtualClock
from playground.slack_faults import Fault
from playground.slack_state import Trigger

ANN = Author("slack", "T0001/U0ANN", "U0ANN")
# For the type checker.
PORTS: tuple[type[ChatSurface], type[ThreadReader], type[Whisperer]] = (
    SlackSurface,
    SlackSurface,
    SlackSurface,
)
HELLO = render(NoticeItem("Hello."))[0]


@pytest.fixture
async def thread(slack: SlackPlayground) -> ThreadRef:
    root = slack.people.say("U0ANN", "C0001", "<@U0BOT> fix search")
    return ThreadRef("slack", "T0001", "C0001", root)


@pytest.fixture
def asked(thread: ThreadRef) -> MessageRef:
    return MessageRef(thread, thread.root)


def said(slack: SlackPlayground, thread: ThreadRef) -> list[str]:
    """What we said in the thread."""
    lines = slack.transcript(thread.conversation, thread.root)
    return [line["text"] for line in lines if line["author"] == "linear"]


def reactions(slack: SlackPlayground, message: MessageRef) -> dict[str, list[str]]:
    return slack.workspace.message(message.thread.conversation, message.id).reactions


# Posts


async def test_post_appears_once_in_its_thread(
    slack: SlackPlayground, surface: SlackSurface, thread: ThreadRef
) -> None:
    ts = await surface.post(thread, HELLO, key="k1", again=False)
    message = slack.workspace.message("C0001", ts)
    assert (message.thread_ts, said(slack, thread)) == (thread.root, ["Hello."])


async def test_lost_answer_is_found_again_by_its_key(
    slack: SlackPlayground, surface: SlackSurface, thread: ThreadRef
) -> None:
    await surface.post(thread, HELLO, key="k1", again=False)
    slack.api.faults.fail_next("chat.postMessage", Fault(drop="after"))
    with pytest.raises(TryLater) as lost:
        await surface.post(thread, HELLO, key="k2", again=False)
    assert lost.value.maybe_done
    ts = await surface.post(thread, HELLO, key="k2", again=True)
    assert said(slack, thread) == ["Hello.", "Hello."]
    assert ts == slack.transcript("C0001", thread.root)[-1]["ts"]


async def test_second_attempt_posts_what_never_arrived(
    slack: SlackPlayground, surface: SlackSurface, thread: ThreadRef
) -> None:
    slack.api.faults.fail_next("chat.postMessage", Fault(drop="before"))
    with pytest.raises(TryLater):
        await surface.post(thread, HELLO, key="k1", again=False)
    await surface.post(thread, HELLO, key="k1", again=True)
    assert said(slack, thread) == ["Hello."]


async def test_broken_call_is_not_repeated_by_the_client(
    slack: SlackPlayground, surface: SlackSurface, thread: ThreadRef
) -> None:
    slack.api.faults.fail_next("chat.postMessage", Fault(drop="after"))
    with pytest.raises(TryLater):
        await surface.post(thread, HELLO, key="k1", again=False)
    assert slack.api.calls["chat.postMessage"] == 1


async def test_own_post_is_found_on_a_later_page(
    slack: SlackPlayground, surface: SlackSurface, thread: ThreadRef
) -> None:
    for n in range(205):
        slack.people.say("U0BOB", "C0001", f"message {n}", thread.root)
    ts = await surface.post(thread, HELLO, key="k1", again=False)
    assert await surface.post(thread, HELLO, key="k1", again=True) == ts


async def test_every_part_of_the_story_is_taken_by_slack(
    slack: SlackPlayground, surface: SlackSurface, thread: ThreadRef
) -> None:
    for n, payload in enumerate(render(AnswerItem("word " * 5_000, ANN))):
        await surface.post(thread, payload, key=f"k{n}", again=False)
    assert len(said(slack, thread)) == 3


# Edits


async def test_edit_replaces_text_and_buttons(
    slack: SlackPlayground, surface: SlackSurface, thread: ThreadRef
) -> None:
    running = ProgressCard(turn=TurnId("t"), doing="Reading", elapsed_s=3)
    ended = ProgressCard(turn=TurnId("t"), elapsed_s=60, outcome=Outcome.DONE)
    ts = await surface.post(thread, render(running)[0], key="k1", again=False)
    assert said(slack, thread) == ["Reading · 3 s\n[Stop]"]
    for _ in range(2):
        await surface.edit(MessageRef(thread, ts), render(ended)[0])
    assert said(slack, thread) == ["done in 1 min"]


async def test_edit_of_a_removed_message_is_refused_and_the_thread_goes_on(
    slack: SlackPlayground, surface: SlackSurface, thread: ThreadRef
) -> None:
    ts = await surface.post(thread, HELLO, key="k1", again=False)
    slack.workspace.delete(slack.workspace.bot, "C0001", ts)
    with pytest.raises(Refused, match=r"^chat\.update: message_not_found$"):
        await surface.edit(MessageRef(thread, ts), HELLO)


# Reactions


async def test_reaction_moves_with_the_message_s_fate(
    slack: SlackPlayground, surface: SlackSurface, asked: MessageRef
) -> None:
    seen: list[list[str]] = []
    fates = [None, Fate.SEEN, Fate.QUEUED, Fate.DELIVERED, Fate.DONE, Fate.WITHDRAWN]
    for before, after in pairwise(fates):
        for _ in range(2):  # Repeating is harmless.
            await surface.react(asked, add=after, remove=before)
        seen.append(list(reactions(slack, asked)))
    assert seen == [["eyes"], ["hourglass_flowing_sand"], ["incoming_envelope"], ["white_check_mark"], []]


async def test_same_fate_twice_keeps_the_reaction(
    slack: SlackPlayground, surface: SlackSurface, asked: MessageRef
) -> None:
    await surface.react(asked, add=Fate.SEEN, remove=Fate.SEEN)
    assert reactions(slack, asked) == {"eyes": ["U0BOT"]}


async def test_message_that_is_gone_needs_no_reaction(
    slack: SlackPlayground, surface: SlackSurface, asked: MessageRef
) -> None:
    slack.people.delete("U0ANN", "C0001", asked.id)
    await surface.react(asked, add=Fate.DONE, remove=Fate.SEEN)
    assert slack.api.calls["reactions.add"] == 1


# Failures


@pytest.mark.parametrize("fault", [Fault(error="ratelimited"), Fault(status=503)])
async def test_new_reaction_counts_as_done_when_the_old_one_cannot_be_taken_away(
    slack: SlackPlayground, surface: SlackSurface, asked: MessageRef, fault: Fault
) -> None:
    await surface.react(asked, add=Fate.SEEN, remove=None)
    slack.api.faults.fail_next("reactions.remove", fault)
    with pytest.raises((Throttled, TryLater)) as raised:
        await surface.react(asked, add=Fate.DONE, remove=Fate.SEEN)
    assert isinstance(raised.value, Throttled | TryLater)
    assert raised.value.maybe_done
    assert list(reactions(slack, asked)) == ["eyes", "white_check_mark"]


@pytest.mark.parametrize("error", ["channel_not_found", "not_in_channel", "is_archived"])
async def test_thread_without_access_is_gone(
    slack: SlackPlayground, surface: SlackSurface, thread: ThreadRef, error: str
) -> None:
    slack.api.faults.fail_next("chat.postMessage", Fault(error=error))
    with pytest.raises(TargetGone, match=error) as gone:
        await surface.post(thread, HELLO, key="k1", again=False)
    assert gone.value.code is Blocker.CHAT_GONE


@pytest.mark.parametrize("error", ["invalid_auth", "account_inactive", "token_revoked"])
async def test_thread_waits_while_our_token_is_refused(
    slack: SlackPlayground, surface: SlackSurface, thread: ThreadRef, error: str
) -> None:
    slack.api.faults.fail_next("chat.postMessage", Fault(error=error))
    with pytest.raises(TryLater, match=error) as refused:
        await surface.post(thread, HELLO, key="k1", again=False)
    assert not refused.value.maybe_done


async def test_deleted_thread_is_gone(surface: SlackSurface) -> None:
    nowhere = ThreadRef("slack", "T0001", "C0001", "1.000000")
    with pytest.raises(TargetGone, match="thread_not_found"):
        await surface.post(nowhere, HELLO, key="k1", again=True)


@pytest.mark.parametrize(
    "payload",
    [
        {"text": "x", "blocks": [{"type": "nonsense"}]},
        {"text": "x", "blocks": [{"type": "markdown", "text": "x" * 14_000}]},
    ],
)
async def test_payload_that_slack_never_takes_is_refused(
    surface: SlackSurface, thread: ThreadRef, payload: Payload
) -> None:
    with pytest.raises(Refused):
        await surface.post(thread, payload, key="k1", again=False)


async def test_pause_is_as_long_as_slack_asks(surface: SlackSurface, thread: ThreadRef) -> None:
    for n in range(5):
        await surface.post(thread, HELLO, key=f"k{n}", again=False)
    with pytest.raises(Throttled) as throttled:
        await surface.post(thread, HELLO, key="k6", again=False)
    assert throttled.value.retry_after_s >= 1


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(status=502), Fault(error="internal_error")])
async def test_trouble_at_slack_may_have_had_its_effect(
    slack: SlackPlayground, surface: SlackSurface, thread: ThreadRef, fault: Fault
) -> None:
    slack.api.faults.fail_next("chat.postMessage", fault)
    with pytest.raises(TryLater) as later:
        await surface.post(thread, HELLO, key="k1", again=False)
    assert later.value.maybe_done


async def test_refused_connection_has_had_no_effect(
    slack: SlackPlayground, session: aiohttp.ClientSession, thread: ThreadRef
) -> None:
    nobody = SlackSurface(build_client("xoxb-secret", "http://127.0.0.1:9/api/", session))
    with pytest.raises(TryLater) as later:
        await nobody.post(thread, HELLO, key="k1", again=False)
    assert not later.value.maybe_done
    assert "secret" not in str(later.value)


# Reading


async def test_history_is_what_people_and_we_said(
    slack: SlackPlayground, surface: SlackSurface, thread: ThreadRef
) -> None:
    bob = slack.people.say("U0BOB", "C0001", "ask <@U0EVE> &amp; see", thread.root, files={"log.txt": "x"})
    alert = slack.people.say("U0ALERT", "C0001", "disk full", thread.root)
    ours = await surface.post(thread, HELLO, key="k1", again=False)
    assert await surface.history(thread) == [
        ThreadMessage("Ann", "@linear fix search", thread.root),
        ThreadMessage("Bob", "ask @Eve & see\n(attached: log.txt)", bob),
        ThreadMessage("Alerts", "disk full", alert),
        ThreadMessage("linear", "Hello.", ours, from_us=True),
    ]


async def test_history_is_the_last_fifty(
    slack: SlackPlayground, surface: SlackSurface, thread: ThreadRef
) -> None:
    for n in range(60):
        slack.people.say("U0BOB", "C0001", f"message {n}", thread.root)
    history = await surface.history(thread)
    assert [message.text for message in history] == [f"message {n}" for n in range(10, 60)]


async def test_history_comes_without_names_if_slack_will_not_tell_them(
    slack: SlackPlayground, surface: SlackSurface, thread: ThreadRef
) -> None:
    slack.api.faults.fail_next("users.info", Fault(status=503), times=2)
    [message] = await surface.history(thread)
    assert (message.author, message.text) == ("U0ANN", "@U0BOT fix search")


async def test_permalink_is_slack_s_own(surface: SlackSurface, asked: MessageRef) -> None:
    link = await surface.permalink(asked)
    assert link.startswith("https://")
    assert asked.id.replace(".", "") in link


async def test_person_gets_name_and_email(surface: SlackSurface) -> None:
    assert await surface.person(ANN) == Author("slack", "T0001/U0ANN", "Ann", "ann@acme.test")


@pytest.mark.parametrize(
    ("user", "is_guest", "is_external"),
    [("U0ANN", False, False), ("U0GST", True, False), ("U0EXT", False, True)],
)
async def test_person_is_a_member_a_guest_or_from_elsewhere(
    surface: SlackSurface, user: str, is_guest: bool, is_external: bool
) -> None:
    person = await surface.person(Author("slack", f"T0001/{user}", user))
    assert (person.is_guest, person.is_external) == (is_guest, is_external)


async def test_member_of_a_befriended_workspace_is_none_from_elsewhere(
    slack: SlackPlayground, session: aiohttp.ClientSession
) -> None:
    surface = SlackSurface(build_client(BOT_TOKEN, slack.api_url, session), friends={"T0002"})
    assert not (await surface.person(Author("slack", "T0001/U0EXT", "U0EXT"))).is_external


async def test_whisper_is_shown_to_one_person_with_a_button_that_leads_away(
    slack: SlackPlayground, surface: SlackSurface, thread: ThreadRef
) -> None:
    before = len(slack.workspace.thread("C0001", thread.root))
    await surface.whisper(thread, ANN, "Only **you** & me", PrivateLink("Link account", "https://bot.test/l"))
    assert len(slack.workspace.thread("C0001", thread.root)) == before
    private = [one for one in slack.workspace.channels["C0001"].messages.values() if one.only_for]
    [message] = private
    assert (message.only_for, message.thread_ts) == ("U0ANN", thread.root)
    assert [element["url"] for _, element in elements_of(message.blocks)] == ["https://bot.test/l"]


async def test_whisper_to_somebody_who_is_not_there_is_refused(
    surface: SlackSurface, thread: ThreadRef
) -> None:
    with pytest.raises(Refused):
        await surface.whisper(thread, Author("slack", "T0001/U0EXT", "Xenia"), "hello")
    with pytest.raises(Refused):
        await surface.whisper(thread, Author("linear", "u1", "Eve"), "hello")


@pytest.mark.parametrize(
    "author", [Author("slack", "T0001/U0NOBODY", "U0NOBODY"), Author("linear", "u1", "Eve")]
)
async def test_unknown_person_stays_as_they_are(surface: SlackSurface, author: Author) -> None:
    assert await surface.person(author) == author


async def test_person_is_asked_for_once_an_hour(
    slack: SlackPlayground, session: aiohttp.ClientSession
) -> None:
    clock = VirtualClock()
    people = People(build_client(BOT_TOKEN, slack.api_url, session), now=clock.now)
    for wait_s in (0.0, KEPT_S - 1, 2.0):
        clock.advance(wait_s)
        assert await people.name_of("U0ANN") == "Ann"
    assert slack.api.calls["users.info"] == 2


async def test_named_scopes_are_enough_for_everything(session: aiohttp.ClientSession) -> None:
    scopes = frozenset(scope for needed in SCOPES.values() for scope in needed)
    async with SlackPlayground(SlackConfig(grants={BOT_TOKEN: Grant(scopes)}), VirtualClock()) as slack:
        client = build_client(BOT_TOKEN, slack.api_url, session)
        surface = SlackSurface(client)
        root = slack.people.say("U0ANN", "C0001", "hi")
        thread = ThreadRef("slack", "T0001", "C0001", root)
        ts = await surface.post(thread, HELLO, key="k1", again=True)
        slack.workspace.triggers["1.t"] = Trigger("U0ANN", slack.clock.now())
        await Dialogs(client).open(FormAsked("1.t", thread, "U0ANN", "c1"))
        assert slack.forms.shown("U0ANN") is not None
        await surface.edit(MessageRef(thread, ts), HELLO)
        await surface.react(MessageRef(thread, root), add=Fate.DONE, remove=Fate.SEEN)
        await surface.permalink(MessageRef(thread, root))
        await surface.whisper(thread, ANN, "For you alone.")
        await surface.open_thread("slack:T0001/C0001", HELLO, key="k2", tried_at=0.0)
        assert [message.author for message in await surface.history(thread)] == ["Ann", "linear"]
        assert (await surface.person(ANN)).email == "ann@acme.test"
        assert set(slack.api.calls) == set(SCOPES)


async def test_a_thread_that_was_begun_is_found_by_a_second_attempt_and_not_begun_again(
    session: aiohttp.ClientSession,
) -> None:
    async with SlackPlayground() as slack:
        surface = SlackSurface(build_client(BOT_TOKEN, slack.api_url, session))
        before = time.time()
        other = await surface.open_thread("slack:T0001/C0001", HELLO, key="other", tried_at=None)
        thread = await surface.open_thread("slack:T0001/C0001", HELLO, key="k", tried_at=before)
        assert thread == ThreadRef("slack", "T0001", "C0001", thread.root)
        # What is said in it meanwhile hides nothing.
        await surface.post(thread, HELLO, key="reply", again=False)

        assert await surface.open_thread("slack:T0001/C0001", HELLO, key="k", tried_at=before) == thread
        tops = [one.ts for one in slack.workspace.channels["C0001"].shown() if not one.is_reply]
        assert tops == [other.root, thread.root]


@pytest.mark.parametrize("tried_at", [None, 1.0], ids=["first", "again"])
async def test_a_channel_that_is_not_there_is_gone(
    session: aiohttp.ClientSession, tried_at: float | None
) -> None:
    async with SlackPlayground() as slack:
        surface = SlackSurface(build_client(BOT_TOKEN, slack.api_url, session))
        with pytest.raises(TargetGone):
            await surface.open_thread("slack:T0001/C0404", HELLO, key="k", tried_at=tried_at)


async def test_a_channel_of_another_workspace_is_gone_before_anything_is_said(
    session: aiohttp.ClientSession,
) -> None:
    async with SlackPlayground() as slack:
        surface = SlackSurface(build_client(BOT_TOKEN, slack.api_url, session))
        for _ in range(2):
            with pytest.raises(TargetGone, match=r"^auth\.test: this is T0001$"):
                await surface.open_thread("slack:T0002/C0001", HELLO, key="k", tried_at=None)
        assert slack.api.calls == {"auth.test": 1}
