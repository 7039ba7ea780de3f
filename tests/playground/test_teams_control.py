"""The stand-in as somebody uses it by hand: control calls, state, transcript, page, command line."""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from playground.teams import TeamsConfig, TeamsPlayground
from tests.playground.teams_peer import ENG, Peers, peers


@pytest.fixture
async def on() -> AsyncIterator[Peers]:
    async with peers() as both:
        yield both


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


class Remote:
    """Control calls over HTTP."""

    def __init__(self, teams: TeamsPlayground, http: aiohttp.ClientSession) -> None:
        self._teams = teams
        self._http = http

    async def __call__(self, control: str, /, **fields: Any) -> Any:
        async with self._http.post(f"{self._teams.url}/_control/{control}", json=fields) as response:
            return await response.json()

    async def get(self, path: str, **query: str) -> Any:
        async with self._http.get(f"{self._teams.url}{path}", params=query) as response:
            return await response.json()

    async def page(self, path: str) -> str:
        async with self._http.get(f"{self._teams.url}{path}") as response:
            assert response.content_type == "text/html"
            return await response.text()


@pytest.fixture
def control(on: Peers, http: aiohttp.ClientSession) -> Remote:
    return Remote(on.teams, http)


async def test_a_conversation_can_be_led_by_control_calls(on: Peers, control: Remote) -> None:
    root = (await control("say", user="29:ann", conversation=ENG, text="<at>linear</at> hello"))["id"]
    fields = {"user": "29:bob", "conversation": ENG}
    reply = (await control("say", **fields, text="me to", root=root))["id"]
    await control("edit", **fields, message=reply, text="me too")
    await control("react", user="29:eve", conversation=ENG, message=reply, name="like")
    assert await control.get("/_transcript", conversation=ENG, root=root) == [
        {"author": "Ann", "text": "@linear hello", "ts": root, "edited": 0, "reactions": {}},
        {"author": "Bob", "text": "me too", "ts": reply, "edited": 1, "reactions": {"like": ["Eve"]}},
    ]
    await control("react", user="29:eve", conversation=ENG, message=reply, name="like", undo=True)
    await control("delete", **fields, message=reply)
    assert len(await control.get("/_transcript", conversation=ENG, root=root)) == 1
    await control("delete", **fields, message=reply, undo=True)
    await on.teams.settled()
    assert len(await control.get("/_transcript", conversation=ENG, root=root)) == 2
    assert sorted(on.bot.types()) == ["message"] * 2 + ["messageDelete"] + ["messageUpdate"] * 2


async def test_files_are_given_as_text(on: Peers, control: Remote) -> None:
    await control("say", user="29:ann", conversation="a:ann", text="see", files={"a.txt": "boom"})
    await on.teams.settled()
    url = on.bot.last()["attachments"][0]["content"]["downloadUrl"]
    assert (await on.client.get(url)).body == b"boom"


async def test_click_answers_with_what_the_bot_said(on: Peers, control: Remote) -> None:
    message = await on.client.post_card(ENG)
    answer = {"statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": "ok"}
    on.bot.answers["adaptiveCard/action"] = answer
    clicked = await control("click", user="29:ann", conversation=ENG, message=message, title="Stop")
    assert clicked == {"ok": True, "status": 200, "reason": None, "answer": answer, "problem": ""}


async def test_world_can_be_changed(on: Peers, control: Remote) -> None:
    workspace = on.teams.workspace
    await control("install", user="29:ann", conversation=ENG, undo=True)
    assert on.teams.workspace.bot.id not in workspace.conversation(ENG).members
    await control("install", user="29:ann", conversation=ENG)
    await control("membership", user="29:xenia", conversation=ENG)
    assert {"29:xenia", workspace.bot.id} <= workspace.conversation(ENG).members
    await control("membership", user="29:xenia", conversation=ENG, leave=True)
    await control("consent", conversation=ENG, undo=True)
    assert not workspace.conversation(ENG).reads_all
    await control("block")
    assert workspace.is_blocked
    await control("block", undo=True)
    moved = await control("move", region="emea", retire_old=True)
    assert moved["service_url"] == on.teams.service_url
    assert "/emea/" in on.teams.service_url
    assert (await control("rotate"))["kid"] == "key-2"
    await control("revoke")
    assert (await on.client.send(ENG)).status == 401
    fields = {"conversation": "19:x@thread.v2", "name": "x", "kind": "groupChat", "members": ["29:ann"]}
    assert (await control("create", **fields))["ok"]
    assert workspace.conversation("19:x@thread.v2").members == {"29:ann"}
    assert (await control("create", **fields))["error"] == "NameTaken"


@pytest.mark.parametrize(
    ("fault", "status"),
    [({"error": "ConversationNotFound"}, 404), ({"status": 502, "executes": True}, 502)],
)
async def test_trouble_can_be_ordered(on: Peers, control: Remote, fault: dict[str, Any], status: int) -> None:
    await control("fail", kind="send", times=1, after=1, **fault)
    assert [(await on.client.send(ENG)).status for _ in range(3)] == [201, status, 201]


async def test_weather_is_for_all_calls_until_it_clears(on: Peers, control: Remote) -> None:
    await control("weather", down=True)
    assert (await on.client.send(ENG)).status == 503
    await control("weather", kind="keys", latency_ms=2500)
    assert on.teams.api.faults.delay_s("keys") == 2.5
    await control("weather", clear=True)
    assert (await on.client.send(ENG)).status == 201
    assert on.teams.api.faults.delay_s("keys") == 0


async def test_delivery_options_are_replaced_as_a_whole(on: Peers, control: Remote) -> None:
    await control("delivery", copies=2, reorder=True, together=True, drop_answers=1)
    answer = await control("delivery", delay_ms=1500)
    assert answer == {
        "ok": True,
        "copies": 1,
        "reorder": False,
        "together": False,
        "drop_answers": 0,
        "drop_answers_to": None,
        "delay_s": 1.5,
    }
    await control("say", user="29:ann", conversation=ENG, text="hello")
    assert on.bot.received == []
    await control("advance", seconds=2)
    assert on.bot.types() == ["message"]


async def test_rate_limits_can_be_switched(on: Peers, control: Remote) -> None:
    await control("rate", percent=5)
    assert on.teams.limits.factor == 0.05
    await control("rate", percent=0)
    assert on.teams.limits.factor is None


@pytest.mark.parametrize(
    ("name", "fields", "error"),
    [
        ("dance", {}, "UnknownControl"),
        ("say", {"conversation": ENG, "text": "t"}, "MissingProperty"),
        ("say", {"user": "29:ann", "conversation": "19:x", "text": "t"}, "ConversationNotFound"),
        ("say", {"user": "29:ann", "conversation": ENG, "files": "t"}, "BadArgument"),
        ("create", {"conversation": "c", "name": "n", "kind": "club"}, "BadArgument"),
        ("create", {"conversation": "c", "name": "n", "kind": "channel", "members": "all"}, "BadArgument"),
        ("fail", {"kind": "send", "drop": "sometimes"}, "BadArgument"),
        ("advance", {"seconds": "soon"}, "BadArgument"),
    ],
)
async def test_wrong_control_call_says_what_is_wrong(
    control: Remote, name: str, fields: dict[str, Any], error: str
) -> None:
    answer = await control(name, **fields)
    assert (answer["ok"], answer["error"]) == (False, error)


@pytest.mark.parametrize("body", ["{", "[]"])
async def test_control_call_is_a_json_object(on: Peers, http: aiohttp.ClientSession, body: str) -> None:
    headers = {"Content-Type": "application/json"}
    async with http.post(f"{on.teams.url}/_control/say", data=body, headers=headers) as response:
        assert (await response.json())["error"] == "BadSyntax"


async def test_real_clock_cannot_be_advanced(http: aiohttp.ClientSession) -> None:
    async with TeamsPlayground() as teams:
        assert (await Remote(teams, http)("advance", seconds=1))["error"] == "ClockIsReal"


async def test_real_clock_delays_for_real_and_forgets_on_close() -> None:
    async with peers() as on, TeamsPlayground(TeamsConfig(messaging_url=on.bot.url)) as teams:
        teams.dispatcher.options.delay_s = 0.01
        teams.people.say("29:ann", ENG, "soon")
        teams.dispatcher.options.delay_s = 3600
        teams.people.say("29:ann", ENG, "never")
        await asyncio.wait_for(on.bot.called.wait(), 30)
    assert [activity["text"] for activity in on.bot.activities()] == ["soon"]


async def test_state_shows_threads_calls_and_deliveries(on: Peers, control: Remote) -> None:
    root = await on.said()
    ours = await on.client.post(f"{ENG};messageid={root}", "hello")
    await on.client.edit(ENG, ours, "hi")
    await on.client.send(ENG, "")
    await on.said("in the chat", "a:ann")
    state = await control.get("/_state")
    thread = state["conversations"][ENG]["threads"][root]
    assert [message["text"] for message in thread] == ["hello", "hi"]
    assert thread[1]["activity"] == {"type": "message", "text": "hi"}
    assert state == on.teams.state()
    assert len(state["conversations"]["a:ann"]["threads"]["chat"]) == 1
    assert thread[1]["edits"] == [{"text": "hello", "cards": [], "replaced_at": "2023-11-14T22:13:20.000Z"}]
    assert state["calls"] == {"token": 1, "send": 2, "update": 1}
    assert state["refusals"] == {"send BadSyntax": 1}
    assert state["problems"] == ["send BadSyntax: a message needs text or attachments"]
    assert [delivery["name"] for delivery in state["deliveries"]] == ["message", "message"]


async def test_transcript_of_nowhere_is_refused(control: Remote) -> None:
    assert (await control.get("/_transcript", conversation="19:x"))["error"] == "ConversationNotFound"


async def test_page_escapes_what_people_write(on: Peers, control: Remote) -> None:
    message = await on.said("<script>alert('x')</script> & more")
    await on.said("<b>reply</b>", root=message)
    on.teams.people.edit("29:ann", ENG, message, "<script>two</script>")
    on.teams.people.react("29:bob", ENG, message, "<i>")
    recipient = {"id": "29:ann", "isTargeted": True}
    await on.client.send(ENG, "psst", query="?isTargetedActivity=true", recipient=recipient)
    page = await control.page("/_messages")
    assert "<script>" not in page
    assert "<i>" not in page
    assert "&lt;script&gt;two&lt;/script&gt;" in page
    assert "#eng" in page
    assert "edited 1 times" in page
    assert "only for Ann" in page


async def test_form_on_the_page_posts_and_returns(
    on: Peers, control: Remote, http: aiohttp.ClientSession
) -> None:
    page = await control.page("/")
    assert "<option value='29:ann'>Ann</option>" in page
    assert "Chat of Ann and linear" in page
    fields = {"user": "29:ann", "conversation": ENG, "text": "by hand", "root": ""}
    url = f"{on.teams.url}/_control/say"
    async with http.post(url, data=fields, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, "/")
    assert on.teams.transcript(ENG)[0]["text"] == "by hand"


async def test_command_line_serves_until_it_is_stopped() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "playground.teams", "--port", "0", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        url = line.split()[3]
        async with aiohttp.ClientSession() as http, http.get(url) as response:
            assert response.status == 200
    finally:
        process.terminate()
        await process.wait()
