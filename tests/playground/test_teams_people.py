"""What people do, as the bot hears of it."""

from collections.abc import AsyncIterator
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.teams import APP_ID, BOT, OTHER_TENANT, TENANT
from playground.teams_html import typed
from playground.teams_state import BOT as BOT_ID
from playground.teams_state import Kind, Person
from playground.teams_wire import Refused
from tests.playground.teams_peer import ENG, GROUP, Peers, peers


@pytest.fixture
async def on() -> AsyncIterator[Peers]:
    async with peers() as both:
        yield both


async def test_mention_in_a_channel_is_a_whole_activity(on: Peers) -> None:
    message = on.teams.people.mention("29:ann", ENG, "fix the search")
    await on.teams.settled()
    activity = on.bot.last()
    mention, client = activity.pop("entities")
    assert client["type"] == "clientInfo"
    assert mention == {
        "type": "mention",
        "text": "<at>linear</at>",
        "mentioned": {"id": BOT, "name": "linear"},
    }
    markup = (
        '<p><span itemtype="http://schema.skype.com/Mention" itemscope="" itemid="0">linear</span>'
        "&nbsp;fix the search</p>"
    )
    assert activity == {
        "type": "message",
        "id": message,
        "timestamp": "2023-11-14T22:13:20.000Z",
        "localTimestamp": "2023-11-14T22:13:20.000Z",
        "channelId": "msteams",
        "serviceUrl": on.teams.service_url,
        "from": {
            "id": "29:ann",
            "name": "Ann",
            "aadObjectId": on.teams.workspace.person("29:ann").object_id,
        },
        "recipient": {"id": f"28:{APP_ID}", "name": "linear"},
        "conversation": {
            "conversationType": "channel",
            "isGroup": True,
            "tenantId": TENANT,
            "id": f"{ENG};messageid={message}",
        },
        "channelData": {
            "teamsChannelId": ENG,
            "teamsTeamId": "19:acme@thread.tacv2",
            "channel": {"id": ENG},
            "team": {"id": "19:acme@thread.tacv2"},
            "tenant": {"id": TENANT},
        },
        "locale": "en-GB",
        "localTimezone": "Europe/London",
        "text": "<at>linear</at> fix the search",
        "textFormat": "plain",
        "attachments": [{"contentType": "text/html", "content": markup}],
    }


async def test_reply_names_the_root_of_its_thread(on: Peers) -> None:
    root = await on.said()
    reply = await on.said("and more", root=root)
    assert on.bot.last()["conversation"]["id"] == f"{ENG};messageid={root}"
    assert on.bot.last()["id"] == reply != root


@pytest.mark.parametrize(
    ("conversation", "kind", "is_group"), [("a:ann", "personal", None), (GROUP, "groupChat", True)]
)
async def test_chats_have_no_threads(on: Peers, conversation: str, kind: str, is_group: bool | None) -> None:
    await on.said("hello", conversation)
    told = on.bot.last()["conversation"]
    assert (told["id"], told["conversationType"], told.get("isGroup")) == (conversation, kind, is_group)
    assert on.bot.last()["channelData"] == {"tenant": {"id": TENANT}}


async def test_person_of_another_tenant_comes_from_there(on: Peers) -> None:
    on.teams.people.say("29:xenia", "a:xenia", "hello")
    await on.teams.settled()
    assert on.bot.last()["conversation"]["tenantId"] == OTHER_TENANT
    assert OTHER_TENANT in on.bot.last()["serviceUrl"]


async def test_other_bots_are_heard_without_an_object_id(on: Peers) -> None:
    on.teams.people.say("28:alerts", ENG, "disk full")
    await on.teams.settled()
    assert on.bot.last()["from"] == {"id": "28:alerts", "name": "Alerts"}


async def test_rich_text_is_flat_in_the_text_and_whole_in_the_html(on: Peers) -> None:
    await on.said(
        "<at>linear</at> see [the log](https://acme.test/?a=1&b=2) & **fix**:\n"
        "- `search`\n- <b>\n\n```python\nif x:\n    pass\n```\nthanks"
    )
    activity = on.bot.last()
    assert activity["text"] == ("<at>linear</at> see the log & fix:\nsearch\n<b>\nif x:\n    pass\nthanks")
    assert activity["attachments"][0]["content"] == (
        '<p><span itemtype="http://schema.skype.com/Mention" itemscope="" itemid="0">linear</span>'
        '&nbsp;see <a href="https://acme.test/?a=1&amp;b=2" title="https://acme.test/?a=1&amp;b=2">'
        "the log</a>"
        " &amp; <strong>fix</strong>:</p>"
        "<ul><li><code>search</code></li><li>&lt;b&gt;</li></ul>"
        '<codeblock class="Python"><code>if x:<br>&nbsp; &nbsp; pass</code></codeblock><p>thanks</p>'
    )


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words = ""
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.words += data


@given(st.text(alphabet="ab<>&'\"`*-[]()1. \n", max_size=40))
def test_nothing_typed_becomes_other_markup(source: str) -> None:
    markup = typed(source, lambda name: Person("29:x", name)).markup
    parser = _Words()
    parser.feed(markup)
    parser.close()
    assert parser.tags <= {"p", "br", "ul", "ol", "li", "code", "strong", "a", "codeblock"}
    assert parser.words.count("<") <= source.count("<")


async def test_own_html_is_handed_on_as_it_is(on: Peers) -> None:
    on.teams.people.say("29:ann", ENG, "hello", html="<p onclick='x'>hello</p>")
    await on.teams.settled()
    assert on.bot.last()["attachments"][0]["content"] == "<p onclick='x'>hello</p>"


async def test_edit_deletion_and_its_end_carry_the_message_id(on: Peers) -> None:
    message = await on.said("one")
    on.clock.advance(5)
    on.teams.people.edit("29:ann", ENG, message, "two")
    await on.teams.settled()
    on.teams.people.delete("29:ann", ENG, message)
    await on.teams.settled()
    assert on.teams.transcript(ENG) == []
    on.teams.people.undelete("29:ann", ENG, message)
    await on.teams.settled()
    told = on.bot.activities()[1:]
    assert {activity["id"] for activity in told} == {message}
    assert [(one["type"], one["channelData"]["eventType"], one.get("text")) for one in told] == [
        ("messageUpdate", "editMessage", "two"),
        ("messageDelete", "softDeleteMessage", None),
        ("messageUpdate", "undeleteMessage", "two"),
    ]
    assert told[0]["timestamp"] == "2023-11-14T22:13:25.000Z"
    assert on.teams.transcript(ENG)[0]["edited"] == 1


async def test_changes_of_what_was_never_told_are_not_told() -> None:
    async with peers(reads_all=False) as on:
        message = await on.said("among us")
        on.teams.people.edit("29:ann", ENG, message, "<at>linear</at> now")
        on.teams.people.delete("29:ann", ENG, message)
        await on.teams.settled()
        assert on.bot.received == []


async def test_reactions_to_the_bot_are_told_without_the_thread(on: Peers) -> None:
    root = await on.said()
    ours = await on.client.post(f"{ENG};messageid={root}")
    on.teams.people.react("29:bob", ENG, root, "like")
    on.teams.people.react("29:bob", ENG, ours, "2705_whiteheavycheckmark")
    on.teams.people.react("29:bob", ENG, ours, "2705_whiteheavycheckmark")
    await on.teams.settled()
    on.teams.people.unreact("29:bob", ENG, ours, "2705_whiteheavycheckmark")
    await on.teams.settled()
    added, removed = on.bot.activities()[1:]
    assert added["reactionsAdded"] == removed["reactionsRemoved"] == [{"type": "2705_whiteheavycheckmark"}]
    assert (added["conversation"]["id"], added["replyToId"]) == (ENG, ours)
    assert added["id"] != removed["id"]


async def test_installation_is_told_twice_over(on: Peers) -> None:
    on.teams.people.create("19:new@thread.tacv2", "new", Kind.CHANNEL, ["29:ann"])
    on.teams.people.install("29:ann", "19:new@thread.tacv2")
    await on.teams.settled()
    on.teams.people.uninstall("29:ann", "19:new@thread.tacv2")
    await on.teams.settled()
    assert [
        (one["type"], one.get("action"), one["channelData"].get("eventType")) for one in on.bot.activities()
    ] == [
        ("installationUpdate", "add", None),
        ("conversationUpdate", None, "teamMemberAdded"),
        ("installationUpdate", "remove", None),
        ("conversationUpdate", None, "teamMemberRemoved"),
    ]
    assert on.bot.activities()[1]["membersAdded"] == [{"id": BOT_ID}]
    assert on.bot.activities()[3]["membersRemoved"] == [{"id": BOT_ID}]


async def test_people_come_and_go(on: Peers) -> None:
    on.teams.people.join("29:xenia", ENG)
    await on.teams.settled()
    on.teams.people.leave("29:bob", ENG)
    await on.teams.settled()
    assert [one.get("membersAdded") or one["membersRemoved"] for one in on.bot.activities()] == [
        [{"id": "29:xenia"}],
        [{"id": "29:bob"}],
    ]
    with pytest.raises(Refused, match="Forbidden"):
        on.teams.people.say("29:bob", ENG, "hello?")


async def test_file_in_a_chat_is_downloaded_by_its_link_for_a_while(on: Peers) -> None:
    on.teams.people.say("29:ann", "a:ann", "see", files={"log.txt": b"boom"})
    await on.teams.settled()
    info, html = on.bot.last()["attachments"]
    assert (info["contentType"], info["name"], info["content"]["fileType"]) == (
        "application/vnd.microsoft.teams.file.download.info",
        "log.txt",
        "txt",
    )
    assert "<attachment id=" in html["content"]
    url = info["content"]["downloadUrl"]
    assert (await on.client.get(url)).body == b"boom"
    assert (await on.client.get(url.partition("?")[0])).status == 401
    assert on.teams.files.leaks == 0
    assert (await on.client.get(url, Authorization=f"Bearer {on.client.token}")).status == 400
    assert on.teams.files.leaks == 1
    assert (await on.client.get(url.replace("0-weu-0001", "0-weu-0009"))).status == 404
    on.clock.advance(3600)
    assert (await on.client.get(url)).status == 401


async def test_picture_in_a_chat_needs_the_token_of_the_bot(on: Peers) -> None:
    on.teams.people.say("29:ann", "a:ann", "see", images={"shot.png": b"png"})
    await on.teams.settled()
    picture, _ = on.bot.last()["attachments"]
    assert picture["contentType"] == "image/png"
    assert picture["contentUrl"].startswith(on.teams.service_url)
    bearer = f"Bearer {on.client.token}"
    assert (await on.client.get(picture["contentUrl"], Authorization=bearer)).body == b"png"
    assert (await on.client.get(picture["contentUrl"])).status == 401
    gone = picture["contentUrl"].replace("0-weu-0001", "0-weu-0009")
    assert (await on.client.get(gone, Authorization=bearer)).status == 404


async def test_files_in_channels_leave_only_traces(on: Peers) -> None:
    on.teams.people.say("29:ann", ENG, "see", files={"log.txt": b"boom"}, images={"a.png": b"png"})
    await on.teams.settled()
    [html] = on.bot.last()["attachments"]
    assert html["contentType"] == "text/html"
    assert "<attachment id=" in html["content"]
    assert "<img src=" in html["content"]


@pytest.mark.parametrize(
    ("user", "conversation", "text", "code"),
    [
        ("29:xenia", ENG, "hello", "Forbidden"),
        ("29:ann", "19:nowhere@thread.v2", "hello", "ConversationNotFound"),
        ("29:ann", ENG, "<at>Nobody</at> hello", "MemberNotFoundInConversation"),
    ],
)
async def test_what_nobody_can_do_is_refused(
    on: Peers, user: str, conversation: str, text: str, code: str
) -> None:
    with pytest.raises(Refused, match=code):
        on.teams.people.say(user, conversation, text)


async def test_threads_exist_only_below_posts_of_channels(on: Peers) -> None:
    message = await on.said("hello", "a:ann")
    for conversation, root in (("a:ann", message), (ENG, "1")):
        with pytest.raises(Refused, match="ConversationNotFound"):
            on.teams.people.say("29:ann", conversation, "hello", root)
    with pytest.raises(Refused, match="ConversationNotFound"):
        on.teams.transcript(ENG, "1")


async def test_only_own_deleted_messages_come_back(on: Peers) -> None:
    message = await on.said()
    with pytest.raises(Refused, match="ActivityNotFound"):
        on.teams.people.undelete("29:ann", ENG, message)
    with pytest.raises(Refused, match="NotEnoughPermissions"):
        on.teams.people.delete("29:bob", ENG, message)
