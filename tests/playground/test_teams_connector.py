"""The connector's calls: what they do, answer and refuse."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from playground.teams import APP_ID, BOT, OTHER_TENANT, TENANT
from tests.playground.teams_peer import CARD, ENG, GROUP, Peers, attached, peers

FULL = "conversations/{}/activities/{}"
AT_ANN = {"type": "mention", "text": "<at>Ann</at>", "mentioned": {"id": "29:ann", "name": "Ann"}}
FOR_ANN = {"id": "29:ann", "isTargeted": True}


@pytest.fixture
async def on() -> AsyncIterator[Peers]:
    async with peers() as both:
        yield both


def lines(on: Peers, conversation: str = ENG, root: str | None = None) -> list[str]:
    return [f"{one['author']}: {one['text']}" for one in on.teams.transcript(conversation, root)]


async def test_reply_goes_to_the_thread_that_the_conversation_names(on: Peers) -> None:
    root = await on.said()
    await on.client.post(f"{ENG};messageid={root}", "in the thread")
    reply = FULL.format(f"{ENG};messageid={root}", "any-id")
    assert (await on.client.call("POST", reply, {"type": "message", "text": "too"})).status == 201
    await on.client.post(ENG, "a post of its own")
    assert lines(on, ENG, root) == ["Ann: hello", "linear: in the thread", "linear: too"]
    assert lines(on)[-1] == "linear: a post of its own"


async def test_escaped_conversation_id_is_the_same(on: Peers) -> None:
    root = await on.said()
    await on.client.post(f"19%3Aeng%40thread.tacv2%3Bmessageid%3D{root}", "escaped")
    assert lines(on, ENG, root)[-1] == "linear: escaped"


async def test_edit_replaces_the_message_and_keeps_what_it_said(on: Peers) -> None:
    root = await on.said()
    thread = f"{ENG};messageid={root}"
    message = await on.client.post(thread, "one")
    answer = await on.client.edit(thread, message, "two", attachments=attached(CARD))
    assert (answer.status, answer.body) == (200, {"id": message})
    [_, shown] = on.teams.transcript(ENG, root)
    assert shown["text"] == "two\nENG-1 · Search\n[Stop] [Open in Linear]"
    assert shown["edited"] == 1
    [revision] = on.teams.workspace.message(ENG, message).revisions
    assert (revision.text, revision.cards) == ("one", ())


async def test_deleted_message_is_gone_and_cannot_be_edited(on: Peers) -> None:
    message = await on.client.post(ENG)
    assert (await on.client.call("DELETE", FULL.format(ENG, message))).status == 200
    assert lines(on) == []
    assert (await on.client.edit(ENG, message, "x")).code == "ActivityNotFoundInConversation"


async def test_only_own_messages_can_be_changed(on: Peers) -> None:
    message = await on.said()
    assert (await on.client.edit(ENG, message, "x")).code == "NotEnoughPermissions"
    assert (await on.client.call("DELETE", FULL.format(ENG, message))).status == 403


async def test_message_of_another_thread_is_not_found(on: Peers) -> None:
    one, other = await on.said("one"), await on.said("other")
    message = await on.client.post(f"{ENG};messageid={one}")
    assert (await on.client.edit(f"{ENG};messageid={other}", message, "x")).status == 404


@pytest.mark.parametrize(
    "conversation",
    ["19:nowhere@thread.tacv2", f"{ENG};messageid=1", f"{ENG};x", f"{GROUP};messageid=1"],
    ids=["conversation", "thread", "suffix", "thread-in-group"],
)
async def test_unknown_places_are_not_found(on: Peers, conversation: str) -> None:
    answer = await on.client.send(conversation)
    assert (answer.status, answer.code) == (404, "ConversationNotFound")


async def test_thread_of_a_reply_is_no_thread(on: Peers) -> None:
    root = await on.said()
    reply = await on.said("me too", root=root)
    assert (await on.client.send(f"{ENG};messageid={reply}")).code == "ConversationNotFound"


async def test_removed_bot_may_not_write(on: Peers) -> None:
    on.teams.people.uninstall("29:ann", ENG)
    answer = await on.client.send(ENG)
    assert (answer.status, answer.code) == (403, "BotNotInConversationRoster")


async def test_disabled_bot_may_do_nothing_and_hears_nothing(on: Peers) -> None:
    on.teams.people.block()
    assert (await on.client.send(ENG)).code == "BotDisabledByAdmin"
    await on.said("<at>linear</at> hello")
    assert on.bot.received == []


async def test_typing_leaves_no_message(on: Peers) -> None:
    body = {"type": "typing"}
    assert (await on.client.call("POST", f"conversations/{ENG}/activities", body)).status == 201
    assert lines(on) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("{", "not JSON"),
        ([], "must be an object"),
        ({"text": "x"}, "type must be one of"),
        ({"type": "message"}, "needs text or attachments"),
        ({"type": "message", "text": 5}, "text must be a text"),
        ({"type": "message", "text": "x", "textFormat": "html"}, "textFormat must be"),
        ({"type": "message", "text": "x", "reply_to_id": "1"}, "unknown property reply_to_id"),
        ({"type": "message", "text": "x", "from": {"id": "29:ann"}}, "from must be the bot"),
        ({"type": "message", "text": "x", "conversation": {"id": "a:ann"}}, "the one of the address"),
        ({"type": "message", "attachments": attached({"type": "No"})}, "attachments[0]: card: must be"),
        ({"type": "message", "attachments": [{"content": CARD}]}, "attachments[0]: needs a card"),
        ({"type": "message", "text": "x", "channelData": "x"}, "channelData must be an object"),
        ({"type": "message", "attachments": {"0": CARD}}, "attachments must be a list"),
        ({"type": "message", "text": "hi <at>Ann</at>"}, "<at>Ann</at> has no mention entity"),
        ({"type": "message", "text": "hi Ann", "entities": [AT_ANN]}, "<at>Ann</at> is not in the text"),
        ({"type": "message", "text": "x", "entities": [{"type": "emoji"}]}, "unknown entity emoji"),
        (
            {
                "type": "message",
                "text": "<at>Ann</at>",
                "entities": [AT_ANN | {"mentioned": {"id": "29:xenia", "name": "Ann"}}],
            },
            "29:xenia is not in the conversation",
        ),
        ({"type": "message", "text": "x", "suggestedActions": {"actions": []}}, "only in a personal chat"),
        ({"type": "message", "text": "x", "recipient": FOR_ANN}, "goes with ?isTargetedActivity=true"),
    ],
)
async def test_broken_activity_is_refused_with_the_reason(on: Peers, body: object, problem: str) -> None:
    answer = await on.client.call("POST", f"conversations/{ENG}/activities", body)
    assert (answer.status, answer.code) == (400, "BadSyntax")
    assert problem in answer.body["error"]["message"]
    assert any(problem in told for told in on.teams.api.problems)
    assert lines(on) == []


async def test_mention_with_its_entity_and_labels_are_taken(on: Peers) -> None:
    label = {
        "type": "https://schema.org/Message",
        "@type": "Message",
        "@context": "https://schema.org",
        "additionalType": ["AIGeneratedContent"],
    }
    await on.client.post(ENG, "<at>Ann</at>, done", entities=[AT_ANN, label])
    assert lines(on) == ["linear: @Ann, done"]


async def test_all_that_is_allowed_is_taken(on: Peers) -> None:
    hero = {"contentType": "application/vnd.microsoft.card.hero", "content": {"title": "x"}}
    activity = {
        "type": "message",
        "text": "which?",
        "textFormat": "extendedmarkdown",
        "attachments": [hero],
        "from": {"id": BOT},
        "conversation": {"id": "a:ann"},
        "suggestedActions": {"actions": [{"type": "imBack", "title": "A", "value": "A"}]},
    }
    sent = await on.client.call("POST", "conversations/a:ann/activities", activity)
    assert sent.status == 201


async def test_size_is_counted_as_utf_16_without_pictures(on: Peers) -> None:
    assert (await on.client.send(ENG, "x" * 51_000)).status == 201
    answer = await on.client.send(ENG, "x" * 51_200)
    assert (answer.status, answer.code) == (413, "MessageSizeTooBig")
    picture = {"contentType": "image/png", "contentUrl": "data:image/png;base64," + "A" * 200_000}
    assert (await on.client.send(ENG, "x", attachments=[picture])).status == 201


async def test_members_are_the_people_with_what_is_known_of_them(on: Peers) -> None:
    everybody = (await on.client.call("GET", f"conversations/{ENG}/members")).body
    assert [one["name"] for one in everybody] == ["Ann", "Bob", "Eve", "Gus", "Nia"]
    ann = (await on.client.call("GET", f"conversations/{ENG}/members/29:ann")).body
    assert (ann["email"], ann["userPrincipalName"], ann["tenantId"]) == (
        "ann@acme.test",
        "ann@acme.test",
        TENANT,
    )
    by_object_id = await on.client.call("GET", f"conversations/{ENG}/members/{ann['aadObjectId']}")
    assert by_object_id.body == ann
    gus = (await on.client.call("GET", f"conversations/{ENG}/members/29:gus")).body
    assert ("#EXT#" in gus["userPrincipalName"], gus["userRole"]) == (True, "guest")
    assert "email" not in (await on.client.call("GET", f"conversations/{ENG}/members/29:nia")).body
    stranger = await on.client.call("GET", f"conversations/{ENG}/members/29:xenia")
    assert (stranger.status, stranger.code) == (404, "MemberNotFoundInConversation")


async def test_members_come_in_pages(on: Peers) -> None:
    names, token = [], ""
    for _ in range(3):
        path = f"conversations/{ENG}/pagedmembers?pageSize=2&continuationToken={token or 0}"
        page = (await on.client.call("GET", path)).body
        names += [one["name"] for one in page["members"]]
        token = page.get("continuationToken", "")
    assert (names, token) == (["Ann", "Bob", "Eve", "Gus", "Nia"], "")
    for length in ("none", "0", "501"):
        wrong = await on.client.call("GET", f"conversations/{ENG}/pagedmembers?pageSize={length}")
        assert wrong.code == "BadArgument"


async def test_new_thread_in_a_channel(on: Peers) -> None:
    body = {
        "isGroup": True,
        "channelData": {"channel": {"id": ENG}},
        "activity": {"type": "message", "text": "ENG-1 · started in Linear"},
    }
    answer = await on.client.call("POST", "conversations", body)
    assert answer.status == 201
    assert answer.body["id"] == f"{ENG};messageid={answer.body['activityId']}"
    await on.client.post(answer.body["id"], "below it")
    assert lines(on, ENG, answer.body["activityId"]) == [
        "linear: ENG-1 · started in Linear",
        "linear: below it",
    ]


async def test_chat_with_a_person(on: Peers) -> None:
    body: dict[str, Any] = {
        "isGroup": False,
        "bot": {"id": BOT},
        "members": [{"id": "29:ann"}],
        "tenantId": TENANT,
    }
    first = await on.client.call("POST", "conversations", body)
    assert (first.status, first.body) == (201, {"id": "a:ann"})
    with_activity = body | {"activity": {"type": "message", "text": "hi"}, "bot": {"id": APP_ID}}
    second = await on.client.call("POST", "conversations", with_activity)
    assert second.body["id"] == "a:ann"
    assert on.teams.workspace.message("a:ann", second.body["activityId"]).text == "hi"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "BadSyntax"),
        ({"members": [{"id": "29:ann"}]}, "BadSyntax"),
        ({"members": [{"id": "29:ann"}], "tenantId": OTHER_TENANT}, "BadSyntax"),
        ({"members": [{"id": "29:nobody"}], "tenantId": TENANT}, "MemberNotFoundInConversation"),
        ({"members": [{"id": "29:ann"}], "tenantId": TENANT, "bot": {"id": "28:x"}}, "BadArgument"),
        (
            {"isGroup": True, "channelData": {"channel": {"id": GROUP}}, "activity": {"type": "message"}},
            "BadArgument",
        ),
    ],
)
async def test_conversation_needs_everything_that_is_asked(on: Peers, body: object, code: str) -> None:
    assert (await on.client.call("POST", "conversations", body)).code == code


async def test_reactions_are_idempotent_and_only_own_ones_go(on: Peers) -> None:
    message = await on.said()
    path = FULL.format(f"{ENG};messageid={message}", message) + "/reactions/"
    on.teams.people.react("29:bob", ENG, message, "like")
    for reaction in ("1f440_eyes", "1f440_eyes", "like"):
        assert (await on.client.call("PUT", path + reaction)).status == 200
    assert on.teams.reactions(ENG, message) == {"like": ["29:bob", BOT], "1f440_eyes": [BOT]}
    for _ in range(2):
        assert (await on.client.call("DELETE", path + "like")).status == 200
    [line] = on.teams.transcript(ENG)
    assert line["reactions"] == {"like": ["Bob"], "1f440_eyes": ["linear"]}
    assert on.teams.reaction_history(message) == ["1f440_eyes", "1f440_eyes", "like"]


@pytest.mark.parametrize("reaction", ["eyes", "👀", ":eyes:", "hourglass_flowing_sand"])
async def test_reaction_needs_an_id_of_teams(on: Peers, reaction: str) -> None:
    message = await on.said()
    answer = await on.client.call("PUT", FULL.format(ENG, message) + f"/reactions/{reaction}")
    assert answer.code == "BadArgument"


async def test_private_message_is_for_one_person_and_a_day(on: Peers) -> None:
    query = "?isTargetedActivity=true"
    answer = await on.client.send(ENG, "link your account", query=query, recipient=FOR_ANN)
    path = FULL.format(ENG, answer.body["id"])
    assert lines(on) == []
    assert [one["text"] for one in on.teams.transcript(ENG, seen_by="29:ann")] == ["link your account"]
    assert on.teams.transcript(ENG, seen_by="29:bob") == []
    body = {"type": "message", "text": "linked"}
    assert (await on.client.call("PUT", path + query, body)).status == 200
    assert (await on.client.call("PUT", path + query, body | {"recipient": FOR_ANN})).code == "BadSyntax"
    assert (await on.client.call("PUT", path, body)).code == "ActivityNotFoundInConversation"
    assert (await on.client.call("PUT", path + "/reactions/like")).code == "BadArgument"
    on.clock.advance(24 * 3600)
    await on.client.sign_in()
    assert (await on.client.call("DELETE", path + query)).code == "ActivityNotFoundInConversation"


@pytest.mark.parametrize(
    ("conversation", "recipient"),
    [("a:ann", FOR_ANN), (ENG, {"id": "29:ann"}), (ENG, FOR_ANN | {"id": "29:xenia"}), (ENG, None)],
)
async def test_private_message_needs_a_room_and_its_reader(
    on: Peers, conversation: str, recipient: object
) -> None:
    answer = await on.client.send(conversation, query="?isTargetedActivity=true", recipient=recipient)
    assert answer.code == "BadSyntax"


async def test_address_changes_with_the_region(on: Peers) -> None:
    old = on.teams.service_url
    on.teams.people.move("emea")
    await on.said()
    assert on.bot.last()["serviceUrl"] == on.teams.service_url != old
    path, body = f"conversations/{ENG}/activities", {"type": "message", "text": "x"}
    assert (await on.client.call("POST", path, body, base=old)).status == 201
    on.teams.people.move("emea", retire_old=True)
    assert (await on.client.call("POST", path, body, base=old)).code == "NotFound"
    assert (await on.client.send(ENG)).status == 201


async def test_conversation_is_found_only_in_its_tenant(on: Peers) -> None:
    body = {"type": "message", "text": "x"}
    other = on.teams.workspace.service_url(OTHER_TENANT)
    answer = await on.client.call("POST", f"conversations/{ENG}/activities", body, base=other)
    assert answer.code == "ConversationNotFound"
    answer = await on.client.call("POST", "conversations/a:xenia/activities", body, base=other)
    assert answer.status == 201


async def test_unknown_address_is_counted(on: Peers) -> None:
    answer = await on.client.call("GET", "conversations")
    assert (answer.status, answer.code) == (404, "NotFound")
    assert on.teams.api.calls == {"token": 1, "unknown": 1}
