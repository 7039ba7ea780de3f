from collections.abc import AsyncIterator

import pytest

from tests.playground.linear_world import World, linear_world


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with linear_world() as world:
        yield world


async def test_a_whole_conversation_can_be_led_by_hand(world: World) -> None:
    issue = await world.control("create_issue", title="Fix the login page", by="eve")
    session = await world.control("delegate", issue=issue["identifier"], by="ann")
    await world.act(
        world.linear.workspace.session(session["id"]),
        {"type": "elicitation", "body": "Which branch?"},
        signal="select",
        signalMetadata={"options": [{"value": "main"}]},
    )
    await world.control("answer", session=session["id"], text="main", by="bob")
    await world.control("prompt", session=session["id"], text="and add a test")
    await world.control("stop", session=session["id"], by="bob")
    await world.control("move", issue=issue["identifier"], state="in review")
    await world.control("undelegate", issue=issue["identifier"])
    (row,) = (await world.state())["issues"]
    assert (row["creator"], row["state"], row["delegate"]) == ("Eve", "In Review", None)
    assert [(each["type"], each["body"], each["user"]) for each in row["sessions"][0]["feed"]] == [
        ("elicitation", "Which branch?", "Threadline"),
        ("prompt", "main", "Bob"),
        ("prompt", "and add a test", "Ann"),
        ("prompt", "Stop", "Bob"),
    ]


async def test_the_state_lists_deliveries_with_their_attempts(world: World) -> None:
    await world.control("create_issue", title="Fix")
    await world.linear.settled()
    (delivery,) = (await world.state())["deliveries"]
    assert (delivery["type"], delivery["action"], delivery["delivered"]) == ("Issue", "create", True)
    assert [each["status"] for each in delivery["attempts"]] == [200]


async def test_a_mention_and_a_comment_can_be_written_by_hand(world: World) -> None:
    await world.control("create_issue", title="Fix")
    comment = await world.control("comment", issue="ENG-142", text="It breaks")
    session = await world.control("mention", issue="ENG-142", text="fix it", reply_to=comment["id"])
    assert session["status"] == "pending"


async def test_time_moves_when_told(world: World) -> None:
    await world.control("create_issue", title="Fix")
    await world.control("delegate", issue="ENG-142", by=None)
    await world.control("advance", seconds=1800)
    assert (await world.state())["issues"][0]["sessions"][0]["status"] == "stale"


async def test_the_webhook_can_be_connected_later(world: World) -> None:
    url = world.linear.settings.webhook_url
    await world.control("webhook", url="", secret="other")
    await world.control("create_issue", title="Unheard")
    await world.control("webhook", url=url, secret="other")
    await world.control("create_issue", title="Heard")
    await world.linear.settled()
    assert [each.payload["data"]["title"] for each in world.app.received] == ["Heard"]


@pytest.mark.parametrize(
    ("action", "body", "status"),
    [
        ("dance", {}, 404),
        ("delegate", {}, 400),
        ("delegate", {"issue": "ENG-1"}, 400),
        ("move", {"issue": "ENG-142", "state": "Nowhere"}, 400),
        ("undelegate", {"issue": "ENG-142"}, 400),
        ("create_issue", {"title": "Fix", "by": "nobody"}, 400),
        ("create_issue", {"title": "Fix", "team": "NOPE"}, 400),
        ("fault", {"operation": "*", "kind": "explode"}, 400),
        ("redeliver", {"delivery": "unknown"}, 400),
        ("advance", {"seconds": -1}, 400),
    ],
)
async def test_a_wrong_command_says_what_is_wrong(
    world: World, action: str, body: dict[str, object], status: int
) -> None:
    world.issue()
    answer = await world.http.post(f"{world.linear.url}/_control/{action}", json=body)
    assert answer.status_code == status
    assert answer.json()["error"]


async def test_an_answer_needs_an_open_elicitation(world: World) -> None:
    session = world.session()
    answer = await world.http.post(
        f"{world.linear.url}/_control/answer", json={"session": session.id, "text": "main"}
    )
    assert (answer.status_code, answer.json()) == (400, {"error": "the session is not waiting for input"})


async def test_the_page_shows_issues_and_feeds_and_escapes_what_people_wrote(world: World) -> None:
    session = world.linear.people.delegate(world.issue("<script>alert(1)</script>").identifier)
    await world.act(session, {"type": "action", "action": "Searching", "parameter": "<b>login</b>"})
    page = await world.http.get(f"{world.linear.url}/")
    assert page.headers["content-type"].startswith("text/html")
    assert "ENG-142 &lt;script&gt;" in page.text
    assert "Searching &lt;b&gt;login&lt;/b&gt;" in page.text
    assert "<script>" not in page.text
