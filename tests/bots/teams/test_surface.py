"""The surface against the stand-in for Teams."""

from itertools import pairwise
from typing import Any, Literal

import pytest
from aiohttp import web

from bots.teams.address import Address
from bots.teams.connector import Connector
from bots.teams.directory import Directory
from bots.teams.doubts import MAYBE_SAID, MAYBE_SHOWN, SHOW
from bots.teams.heard import Heard
from bots.teams.people import People
from bots.teams.render import render
from bots.teams.surface import TeamsSurface
from core.activities import Author, Fate, Outcome
from core.errors import DeliveryError, Refused, StoreUnavailable, TargetGone, Throttled, TryLater
from core.events import ThreadMessage
from core.ids import MessageRef, ThreadRef, TurnId
from core.mirror.cards import AnswerItem, NoticeItem, ProgressCard
from core.ports import ChatSurface, Payload, PrivateLink, ThreadOpener, ThreadReader, Whisperer
from core.store.addresses import AddressStore
from playground.teams import BOT, TENANT, TeamsPlayground
from playground.teams_faults import Fault
from playground.teams_reading import card_lines
from playground.teams_state import Kind
from tests.core.store.fakes import UnluckyDatabase
from tests.playground.slack_peer import served

ENG = "19:eng@thread.tacv2"
ANN = Author("teams", f"{TENANT}/29:ann", "Ann")
# For the type checker.
PORTS: tuple[type[ChatSurface], type[ThreadReader], type[ThreadOpener], type[Whisperer]] = (
    TeamsSurface,
    TeamsSurface,
    TeamsSurface,
    TeamsSurface,
)
LINK = PrivateLink("Link account", "https://bot.acme.test/link?ticket=1")


def words(text: str) -> Payload:
    return render(NoticeItem(text))[0]


HELLO = words("Hello.")


@pytest.fixture
def directory(addresses: AddressStore) -> Directory:
    return Directory(addresses)


@pytest.fixture
def heard() -> Heard:
    return Heard()


def surface_of(
    connector: Connector, directory: Directory, heard: Heard | None = None, service_url: str = ""
) -> TeamsSurface:
    people = People(connector, directory)
    return TeamsSurface(connector, directory, people, heard or Heard(), bot_id=BOT, service_url=service_url)


@pytest.fixture
def surface(connector: Connector, directory: Directory, heard: Heard) -> TeamsSurface:
    return surface_of(connector, directory, heard)


@pytest.fixture
async def thread(teams: TeamsPlayground, directory: Directory) -> ThreadRef:
    root = teams.people.mention("29:ann", ENG, "fix search")
    await directory.remember(address(teams), "29:ann")
    return ThreadRef("teams", TENANT, ENG, root)


@pytest.fixture
def asked(thread: ThreadRef) -> MessageRef:
    return MessageRef(thread, thread.root)


def address(teams: TeamsPlayground, conversation: str = ENG, kind: str = "channel") -> Address:
    return Address(TENANT, teams.service_url, conversation, kind, BOT, "linear")


def said(teams: TeamsPlayground, thread: ThreadRef) -> list[str]:
    """What we said in the thread."""
    lines = teams.transcript(thread.conversation, thread.root)
    return [line["text"] for line in lines if line["author"] == "linear"]


def behind_the_button(teams: TeamsPlayground, id: str) -> list[str]:
    """What a press of `SHOW` brings up."""
    (content,) = teams.workspace.message(ENG, id).cards
    (hidden,) = [each for each in content["body"] if each.get("isVisible") is False]
    assert [each["targetElements"] for each in content["actions"]] == [[hidden["id"]]]
    return list(card_lines({"body": hidden["items"]}))[:-1]


# Posts


async def test_post_appears_once_in_its_thread(
    teams: TeamsPlayground, surface: TeamsSurface, thread: ThreadRef
) -> None:
    id = await surface.post(thread, HELLO, key="k1", again=False)
    message = teams.workspace.message(ENG, id)
    assert (message.thread, said(teams, thread)) == (thread.root, ["Hello."])


@pytest.mark.parametrize(
    ("conversation", "kind"), [("a:ann", "personal"), ("19:group@thread.v2", "groupChat")]
)
async def test_chats_have_no_threads(
    teams: TeamsPlayground, surface: TeamsSurface, directory: Directory, conversation: str, kind: str
) -> None:
    await directory.remember(address(teams, conversation, kind), None)
    await surface.post(ThreadRef("teams", TENANT, conversation, "chat"), HELLO, key="k1", again=False)
    assert [line["text"] for line in teams.transcript(conversation)] == ["Hello."]


async def test_an_answer_that_was_seen_is_found_again(
    teams: TeamsPlayground, surface: TeamsSurface, thread: ThreadRef
) -> None:
    first = await surface.post(thread, HELLO, key="k1", again=False)
    assert await surface.post(thread, HELLO, key="k1", again=True) == first
    assert said(teams, thread) == ["Hello."]


@pytest.mark.parametrize(
    ("drop", "above"), [("before", []), ("after", ["Hello."])], ids=["it never arrived", "it arrived"]
)
async def test_a_post_whose_answer_was_lost_is_not_said_twice_but_people_hear_of_it(
    teams: TeamsPlayground,
    surface: TeamsSurface,
    thread: ThreadRef,
    drop: Literal["before", "after"],
    above: list[str],
) -> None:
    teams.api.faults.fail_next("send", Fault(drop=drop))
    with pytest.raises(TryLater) as lost:
        await surface.post(thread, HELLO, key="k1", again=False)
    assert lost.value.maybe_done
    id = await surface.post(thread, HELLO, key="k1", again=True)
    assert said(teams, thread) == [*above, f"{MAYBE_SAID}\n[{SHOW}]"]
    assert behind_the_button(teams, id) == ["Hello."]


async def test_while_teams_answers_nothing_people_are_not_told_again_and_again(
    teams: TeamsPlayground, surface: TeamsSurface, thread: ThreadRef
) -> None:
    teams.api.faults.fail_next("send", Fault(status=504, executes=True))
    teams.api.faults.fail_next("paged_members", Fault(status=504), 3)
    again = False
    for _ in range(4):
        with pytest.raises(TryLater):
            await surface.post(thread, HELLO, key="k1", again=again)
        again = True
    assert said(teams, thread) == ["Hello."]
    first = await surface.post(thread, HELLO, key="k1", again=True)
    assert await surface.post(thread, HELLO, key="k1", again=True) == first
    assert said(teams, thread) == ["Hello.", f"{MAYBE_SAID}\n[{SHOW}]"]


async def test_a_progress_card_in_doubt_goes_on_in_a_second_one(
    teams: TeamsPlayground, surface: TeamsSurface, thread: ThreadRef
) -> None:
    running = ProgressCard(turn=TurnId("t"), doing="Reading", elapsed_s=3)
    id = await surface.post(thread, render(running)[0], key="k1", again=True)
    assert said(teams, thread) == [f"{MAYBE_SHOWN}\nReading · 3 s\n[Stop]"]
    await surface.edit(MessageRef(thread, id), render(running)[0])
    assert said(teams, thread) == ["Reading · 3 s\n[Stop]"]


async def test_any_answer_is_a_sign_that_teams_answers(
    teams: TeamsPlayground, surface: TeamsSurface, thread: ThreadRef
) -> None:
    teams.api.faults.fail_next("paged_members", Fault(error="BadSyntax"))
    await surface.post(thread, HELLO, key="k1", again=True)
    assert len(said(teams, thread)) == 1


async def test_a_conversation_that_moved_is_found_at_its_new_address(
    teams: TeamsPlayground, surface: TeamsSurface, thread: ThreadRef, directory: Directory
) -> None:
    teams.people.move("emea", retire_old=True)
    with pytest.raises(TryLater):
        await surface.post(thread, HELLO, key="k1", again=False)
    await directory.remember(address(teams), "29:bob")
    await surface.post(thread, HELLO, key="k1", again=False)
    assert said(teams, thread) == ["Hello."]


async def test_what_has_no_address_waits_for_one(surface: TeamsSurface) -> None:
    with pytest.raises(TryLater) as failed:
        await surface.post(ThreadRef("teams", TENANT, "19:x", "1"), HELLO, key="k", again=False)
    assert not failed.value.maybe_done


class LockedStore(AddressStore):
    """Cannot be read."""

    async def find(self, install: str, target: str) -> dict[str, Any] | None:
        raise StoreUnavailable("database is locked")


async def test_an_address_book_that_cannot_be_read_is_passing_trouble(
    connector: Connector, database: UnluckyDatabase, thread: ThreadRef
) -> None:
    directory = Directory(LockedStore(database, "teams"))
    surface = surface_of(connector, directory)
    with pytest.raises(TryLater):
        await surface.post(thread, HELLO, key="k", again=False)
    with pytest.raises(TryLater):
        await surface.person(ANN)


async def test_every_part_of_the_story_is_taken_by_teams(
    teams: TeamsPlayground, surface: TeamsSurface, thread: ThreadRef
) -> None:
    parts = render(AnswerItem("wörd " * 20_000, ANN))
    for n, payload in enumerate(parts):
        await surface.post(thread, payload, key=f"k{n}", again=False)
    assert len(said(teams, thread)) == len(parts) > 1


# Threads that we begin

CHANNEL = f"teams:{TENANT}/{ENG}"


def tops(teams: TeamsPlayground) -> list[str]:
    """What stands in the channel itself."""
    return [one.shown_text() for one in teams.workspace.conversation(ENG).shown() if not one.is_reply]


async def test_a_thread_is_begun_in_a_channel_that_teams_never_told_of(
    teams: TeamsPlayground, connector: Connector, directory: Directory
) -> None:
    surface = surface_of(connector, directory, service_url=teams.service_url)
    thread = await surface.open_thread(CHANNEL, words("ENG-1 · Search"), key="k", tried_at=None)
    assert thread == ThreadRef("teams", TENANT, ENG, thread.root)
    await surface.post(thread, HELLO, key="k2", again=False)
    assert said(teams, thread) == ["ENG-1 · Search", "Hello."]


async def test_a_thread_is_begun_where_the_channel_was_last_heard(
    teams: TeamsPlayground, surface: TeamsSurface, thread: ThreadRef
) -> None:
    begun = await surface.open_thread(CHANNEL, HELLO, key="k", tried_at=None)
    assert (begun != thread, said(teams, begun)) == (True, ["Hello."])


@pytest.mark.parametrize(
    ("fault", "first"),
    [(Fault(drop="after"), ["Hello."]), (Fault(drop="before"), [])],
    ids=["it is there", "it is not"],
)
async def test_a_thread_that_may_be_there_twice_says_so(
    teams: TeamsPlayground, surface: TeamsSurface, thread: ThreadRef, fault: Fault, first: list[str]
) -> None:
    teams.api.faults.fail_next("create", fault)
    with pytest.raises(TryLater) as lost:
        await surface.open_thread(CHANNEL, HELLO, key="k", tried_at=None)
    assert lost.value.maybe_done
    begun = await surface.open_thread(CHANNEL, HELLO, key="k", tried_at=1.0)
    assert tops(teams)[1:] == [*first, f"Hello.\n\n{MAYBE_SHOWN}"]
    assert await surface.open_thread(CHANNEL, HELLO, key="k", tried_at=1.0) == begun
    assert len(tops(teams)) == len(first) + 2


@pytest.mark.parametrize("channel", ["19:nowhere@thread.tacv2", "19:closed@thread.tacv2"])
async def test_a_channel_that_is_not_there_or_not_open_to_us_is_gone(
    teams: TeamsPlayground, connector: Connector, directory: Directory, channel: str
) -> None:
    teams.people.create("19:closed@thread.tacv2", "closed", Kind.CHANNEL, ["29:ann"])
    surface = surface_of(connector, directory, service_url=teams.service_url)
    with pytest.raises(TargetGone):
        await surface.open_thread(f"teams:{TENANT}/{channel}", HELLO, key="k", tried_at=None)


async def test_an_answer_that_names_no_message_names_the_thread_all_the_same(
    surface: TeamsSurface, directory: Directory, thread: ThreadRef
) -> None:
    answers = [{"id": f"{ENG};messageid=1800"}, {"id": ENG}]

    async def created(_: web.Request) -> web.Response:
        return web.json_response(answers.pop(0), status=201)

    site = web.Application()
    site.router.add_post("/{tail:.*}", created)
    async with served(site) as url:
        await directory.remember(Address(TENANT, url, ENG, "channel", BOT, "linear"), None)
        begun = await surface.open_thread(CHANNEL, HELLO, key="k", tried_at=None)
        assert begun.root == "1800"
        with pytest.raises(Refused):
            await surface.open_thread(CHANNEL, HELLO, key="k2", tried_at=None)


# Edits


async def test_edit_replaces_text_and_buttons(
    teams: TeamsPlayground, surface: TeamsSurface, thread: ThreadRef
) -> None:
    running = ProgressCard(turn=TurnId("t"), doing="Reading", elapsed_s=3)
    ended = ProgressCard(turn=TurnId("t"), elapsed_s=60, outcome=Outcome.DONE)
    id = await surface.post(thread, render(running)[0], key="k1", again=False)
    assert said(teams, thread) == ["Reading · 3 s\n[Stop]"]
    for _ in range(2):
        await surface.edit(MessageRef(thread, id), render(ended)[0])
    assert said(teams, thread) == ["done in 1 min"]


async def test_edit_of_a_removed_message_is_refused_and_the_thread_goes_on(
    teams: TeamsPlayground, surface: TeamsSurface, thread: ThreadRef
) -> None:
    id = await surface.post(thread, HELLO, key="k1", again=False)
    teams.workspace.message(ENG, id).deleted = True
    with pytest.raises(Refused):
        await surface.edit(MessageRef(thread, id), HELLO)
    await surface.post(thread, HELLO, key="k2", again=False)


async def test_a_bot_that_was_thrown_out_says_so(
    teams: TeamsPlayground, surface: TeamsSurface, thread: ThreadRef
) -> None:
    teams.people.block()
    with pytest.raises(TargetGone):
        await surface.post(thread, HELLO, key="k1", again=False)


# Reactions


async def test_reaction_moves_with_the_message_s_fate(
    teams: TeamsPlayground, surface: TeamsSurface, asked: MessageRef
) -> None:
    teams.limits.reset(None)
    seen: list[list[str]] = []
    fates = [None, Fate.SEEN, Fate.QUEUED, Fate.DELIVERED, Fate.DONE, Fate.WITHDRAWN]
    for before, after in pairwise(fates):
        for _ in range(2):
            await surface.react(asked, add=after, remove=before)
        seen.append(list(teams.reactions(ENG, asked.id)))
    assert seen == [
        ["1f440_eyes"],
        ["231b_hourglassdone"],
        ["1f4e8_incomingenvelope"],
        ["2705_whiteheavycheckmark"],
        [],
    ]


async def test_a_deleted_message_is_not_reacted_to(
    teams: TeamsPlayground, surface: TeamsSurface, asked: MessageRef
) -> None:
    teams.limits.reset(None)
    teams.people.delete("29:ann", ENG, asked.id)
    await surface.react(asked, add=Fate.SEEN, remove=None)
    await surface.react(asked, add=Fate.DONE, remove=Fate.SEEN)
    assert teams.workspace.conversation(ENG).messages[asked.id].reactions == {}


async def test_where_no_reaction_is_shown_we_are_seen_typing_when_a_message_comes_in(
    teams: TeamsPlayground, surface: TeamsSurface, asked: MessageRef
) -> None:
    def typed() -> int:
        return sum(call.kind == "send" and call.fields["type"] == "typing" for call in teams.api.log)

    teams.limits.reset(None)
    await surface.react(asked, add=Fate.SEEN, remove=None)
    assert typed() == 0
    teams.api.faults.fail_next("react", Fault(status=403), 2)
    await surface.react(asked, add=Fate.SEEN, remove=None)
    await surface.react(asked, add=Fate.DONE, remove=Fate.SEEN)
    assert typed() == 1


async def test_typing_that_fails_holds_nothing_up(
    teams: TeamsPlayground, surface: TeamsSurface, asked: MessageRef
) -> None:
    teams.api.faults.fail_next("react", Fault(status=403))
    teams.api.faults.fail_next("send", Fault(error="BotNotInConversationRoster"))
    await surface.react(asked, add=Fate.SEEN, remove=None)
    assert teams.api.calls["send"] == 1


@pytest.mark.parametrize(
    ("fault", "kind"), [(Fault(status=429), Throttled), (Fault(status=502), TryLater)], ids=["429", "502"]
)
async def test_the_new_reaction_of_a_move_that_broke_is_known(
    teams: TeamsPlayground,
    surface: TeamsSurface,
    asked: MessageRef,
    fault: Fault,
    kind: type[DeliveryError],
) -> None:
    teams.limits.reset(None)
    await surface.react(asked, add=Fate.SEEN, remove=None)
    teams.api.faults.fail_next("unreact", fault)
    with pytest.raises(kind) as failed:
        await surface.react(asked, add=Fate.DONE, remove=Fate.SEEN)
    assert isinstance(failed.value, (Throttled, TryLater))
    assert failed.value.maybe_done


# What one person alone is told


async def test_a_whisper_is_seen_by_one_person_in_the_thread(
    teams: TeamsPlayground, surface: TeamsSurface, thread: ThreadRef
) -> None:
    await surface.whisper(thread, ANN, "I don't know you in Linear yet, Ann.", LINK)
    seen = [line["text"] for line in teams.transcript(ENG, thread.root, seen_by="29:ann")]
    assert seen[1:] == ["I don't know you in Linear yet, Ann.\n[Link account]"]
    assert said(teams, thread) == []


async def test_a_whisper_without_a_link_is_plain_text(
    teams: TeamsPlayground, surface: TeamsSurface, thread: ThreadRef
) -> None:
    await surface.whisper(thread, ANN, "Guests can read along.")
    [_, whispered] = teams.transcript(ENG, thread.root, seen_by="29:ann")
    assert whispered["text"] == "Guests can read along."


@pytest.mark.parametrize("code", ["BadArgument", "NotEnoughPermissions", "ConversationNotFound"])
async def test_where_teams_whispers_nothing_it_goes_to_the_chat_with_us(
    teams: TeamsPlayground, surface: TeamsSurface, thread: ThreadRef, code: str
) -> None:
    teams.api.faults.fail_next("send", Fault(error=code))
    await surface.whisper(thread, ANN, "Psst.")
    assert [line["text"] for line in teams.transcript("a:ann")] == ["Psst."]
    assert len(teams.transcript(ENG, thread.root, seen_by="29:ann")) == 1


@pytest.mark.parametrize("call", ["create", "send"])
async def test_one_person_who_cannot_be_reached_is_no_end_of_the_thread(
    teams: TeamsPlayground, surface: TeamsSurface, thread: ThreadRef, call: str
) -> None:
    blocked = Fault(error="MessageWritesBlocked", status=403)
    teams.api.faults.fail_next("send", Fault(error="BadArgument"))
    teams.api.faults.fail_next(call, blocked)
    with pytest.raises(Refused, match="MessageWritesBlocked"):
        await surface.whisper(thread, ANN, "Psst.")


async def test_a_whisper_that_got_no_id_is_not_told_twice(
    surface: TeamsSurface, directory: Directory, thread: ThreadRef
) -> None:
    asked: list[str] = []

    async def created(request: web.Request) -> web.Response:
        asked.append(request.query_string)
        return web.json_response({}, status=201)

    site = web.Application()
    site.router.add_post("/{tail:.*}", created)
    async with served(site) as url:
        await directory.remember(Address(TENANT, url, ENG, "channel", BOT, "linear"), None)
        await surface.whisper(thread, ANN, "Psst.")
    assert asked == ["isTargetedActivity=true"]


async def test_in_the_chat_with_us_everything_is_private(
    teams: TeamsPlayground, surface: TeamsSurface, directory: Directory
) -> None:
    await directory.remember(address(teams, "a:ann", "personal"), "29:ann")
    await surface.whisper(ThreadRef("teams", TENANT, "a:ann", "chat"), ANN, "Psst.")
    assert [line["text"] for line in teams.transcript("a:ann")] == ["Psst."]


async def test_nothing_is_whispered_to_people_elsewhere(surface: TeamsSurface, thread: ThreadRef) -> None:
    with pytest.raises(Refused):
        await surface.whisper(thread, Author("linear", "u1", "Eve"), "Psst.")


# What we know of a thread


async def test_history_is_what_was_heard_and_what_we_said(
    surface: TeamsSurface, thread: ThreadRef, heard: Heard
) -> None:
    heard.put(thread, ThreadMessage("Ann", "fix search", thread.root))
    id = await surface.post(thread, HELLO, key="k1", again=False)
    assert await surface.history(thread) == [
        ThreadMessage("Ann", "fix search", thread.root),
        ThreadMessage("linear", "Hello.", id, from_us=True),
    ]


async def test_history_of_a_thread_that_was_never_heard_is_empty(surface: TeamsSurface) -> None:
    assert await surface.history(ThreadRef("teams", TENANT, "19:x", "1")) == []


async def test_a_message_in_a_channel_has_a_link(surface: TeamsSurface, thread: ThreadRef) -> None:
    assert await surface.permalink(MessageRef(thread, "1800")) == (
        f"https://teams.microsoft.com/l/message/19%3Aeng%40thread.tacv2/1800"
        f"?tenantId={TENANT}&parentMessageId={thread.root}"
    )


async def test_a_message_in_a_chat_has_a_link_of_another_kind(surface: TeamsSurface) -> None:
    chat = ThreadRef("teams", TENANT, "19:group@thread.v2", "chat")
    assert await surface.permalink(MessageRef(chat, "1800")) == (
        f"https://teams.microsoft.com/l/message/19%3Agroup%40thread.v2/1800"
        f"?tenantId={TENANT}&context=%7B%22contextType%22%3A%22chat%22%7D"
    )


async def test_person_gets_name_and_mail_from_the_roster(surface: TeamsSurface, thread: ThreadRef) -> None:
    author = Author("teams", f"{TENANT}/29:ann", "29:ann")
    assert await surface.person(author) == Author("teams", author.id, "Ann", "ann@acme.test")


async def test_guests_and_strangers_are_marked(
    teams: TeamsPlayground, surface: TeamsSurface, thread: ThreadRef, directory: Directory
) -> None:
    teams.workspace.conversation(ENG).members.add("29:xenia")
    for user in ("29:gus", "29:xenia"):
        await directory.remember(address(teams), user)
    gus = await surface.person(Author("teams", f"{TENANT}/29:gus", "Gus"))
    xenia = await surface.person(Author("teams", f"{TENANT}/29:xenia", "Xenia"))
    assert (gus.is_guest, gus.is_external, xenia.is_guest, xenia.is_external) == (True, False, False, True)
    assert xenia.email is None


@pytest.mark.parametrize(
    "author",
    [Author("linear", "u1", "Eve", "eve@acme.test"), Author("teams", f"{TENANT}/29:nobody", "Nobody")],
    ids=["of Linear", "never seen"],
)
async def test_a_person_of_whom_teams_tells_nothing_stays_as_they_are(
    surface: TeamsSurface, thread: ThreadRef, author: Author
) -> None:
    assert await surface.person(author) == author
