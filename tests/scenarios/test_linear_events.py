"""What else Linear tells a running service: people see what comes of it, or the log has a line."""

import json
from typing import Any

import pytest

from playground import linear_events as events
from playground.linear_clock import epoch_ms
from playground.linear_events import Event
from playground.linear_sessions import Prompt, add_prompt, open_session
from playground.scripts import Reply, run
from playground.stage import Stage
from tests.scenarios.scripts import script
from tests.scenarios.test_edge import LINEAR_PATH, PAYLOADS, linear_headers, post
from tests.scenarios.test_followups import stored
from tests.scenarios.test_linear_delegation import at_work, ended, heard, history, issue_of, new_issue
from tests.scenarios.thread import Thread

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOTIFICATION = json.loads((PAYLOADS / "app_user_notification.json").read_text())
TEAMS = json.loads((PAYLOADS / "team_access_changed.json").read_text())


def held(name: str) -> Reply:
    """A step that waits until it is released; each name counts once."""
    return {"tools": [run("true")], "hold": name}


async def tell(stage: Stage, payload: dict[str, Any]) -> str:
    """Send it as Linear would; what the log says of it."""
    body = json.dumps(payload | {"webhookTimestamp": epoch_ms(stage.linear.clock.now())}).encode()
    log_before = stage.log
    assert await post(stage, LINEAR_PATH, body, linear_headers(body)) == 200
    return stage.log.removeprefix(log_before)


def comment_on(stage: Stage, identifier: str, text: str, action: str = "create") -> Event:
    """As Linear tells of a comment to an app that asked for comments."""
    comment = stage.linear.people.comment(identifier, text, by="eve")
    row = {"id": comment.id, "body": text, "issueId": comment.issue.id, "userId": stage_user(stage, "eve")}
    organization = stage.linear.workspace.organization.id
    return Event(
        "Comment", {"type": "Comment", "action": action, "organizationId": organization, "data": row}
    )


def stage_user(stage: Stage, name: str) -> str:
    return stage.linear.workspace.person(name).id


async def test_a_notification_that_the_issue_was_taken_away_stops_the_work_without_issue_events(
    stage: Stage,
) -> None:
    identifier = new_issue(stage)
    await at_work(stage, identifier)
    workspace = stage.linear.workspace
    taken = events.unassigned_from_app(workspace, workspace.issue(identifier), workspace.person("eve"))
    await tell(stage, taken.payload)

    branch = issue_of(stage, identifier)["branchName"]
    assert await ended(stage, identifier) == (
        f"Stopped: Eve took the delegation away. The work so far is on branch `{branch}` · 1 file +1 −0."
    )


async def test_the_same_told_twice_over_is_one_stop(stage: Stage) -> None:
    identifier = new_issue(stage)
    await at_work(stage, identifier)
    stage.linear.people.undelegate(identifier, by="eve")
    await stage.linear.settled()

    told = [one.type for one in stage.linear.courier.deliveries if one.is_delivered][-2:]
    assert sorted(told) == ["AppUserNotification", "Issue"]
    assert (await ended(stage, identifier)).startswith("Stopped: Eve took the delegation away.")


@pytest.mark.parametrize(
    "action",
    [
        "issueMention",
        "issueCommentMention",
        "issueNewComment",
        "issueAssignedToYou",
        "issueStatusChanged",
        "pullRequestApproved",
        "hologram",
    ],
)
async def test_other_notifications_are_recorded_and_change_nothing(stage: Stage, action: str) -> None:
    stored_before = stored(stage)
    notification = NOTIFICATION["notification"] | {"type": action}
    said = await tell(stage, NOTIFICATION | {"action": action, "notification": notification})

    assert "linear delivery ignored" in said
    assert f"type=AppUserNotification action={action}" in said
    assert stored(stage) == stored_before


async def test_a_comment_that_mentions_nobody_is_no_prompt_and_what_is_prompted_is(
    thread: Thread, stage: Stage
) -> None:
    told: Reply = {"text": "Done, with tests."}
    stage.model.play([script(held("comment"), {"text": "Done.", "if_told": {"with tests": (told,)}})])
    thread.mention("fix the search")
    await thread.until_held("comment")
    await thread.until(lambda: thread.told("thought"), "Linear shows what was asked")
    said = await tell(stage, comment_on(stage, thread.issue()["identifier"], "no rush with this").payload)
    stage.linear.people.prompt(thread.session()["id"], "with tests please", by="eve")
    await thread.until_shown("**Eve in Linear:** with tests please")
    stage.model.release("comment")

    await thread.ended()
    assert "linear delivery ignored" in said
    assert thread.told("response")[0].startswith("Done, with tests.")
    assert "no rush" not in heard(stage)
    assert not thread.shows("no rush")


async def test_after_a_change_of_teams_linear_is_asked_anew_which_there_are(
    thread: Thread, stage: Stage
) -> None:
    stage.model.play([script({"text": "Done."})])
    thread.mention("fix the search")
    await thread.ended()
    asked_before = stage.linear.endpoint.calls["Workspace"]
    thread.mention("and this")
    await thread.ended(2)
    assert stage.linear.endpoint.calls["Workspace"] == asked_before

    said = await tell(stage, TEAMS)
    another = Thread(stage, thread.channel)
    another.mention("fix the export")
    await another.ended()
    assert "linear teams changed" in said
    assert stage.linear.endpoint.calls["Workspace"] == asked_before + 1


@pytest.mark.parametrize(
    ("type", "action", "line"),
    [
        ("AgentSessionEvent", "archived", "WARNING linear session event not known"),
        ("OAuthApp", "upgraded", "INFO linear delivery ignored"),
        ("PermissionChange", "hologram", "INFO linear delivery ignored"),
        ("OAuthAuthorization", "revoked", "INFO linear delivery ignored"),
        ("Hologram", "projected", "INFO linear delivery ignored"),
    ],
)
async def test_kinds_that_nobody_knows_yet_are_recorded_and_change_nothing(
    stage: Stage, type: str, action: str, line: str
) -> None:
    stored_before = stored(stage)
    said = await tell(stage, NOTIFICATION | {"type": type, "action": action})

    assert line in said
    assert f"action={action}" in said
    assert stored(stage) == stored_before


async def test_a_prompt_with_a_signal_of_next_year_is_heard_like_any_other(
    thread: Thread, stage: Stage
) -> None:
    told: Reply = {"text": "Done, with tests."}
    stage.model.play([script(held("signal"), {"text": "Done.", "if_told": {"with tests": (told,)}})])
    thread.mention("fix the search")
    await thread.until_held("signal")
    await thread.until(lambda: thread.told("thought"), "Linear shows what was asked")
    workspace = stage.linear.workspace
    session = workspace.session(thread.session()["id"])
    prompt = Prompt("with tests please", signal="hologram")
    activity = add_prompt(workspace, session, workspace.person("eve"), prompt)
    await tell(stage, events.session_prompted(workspace, activity).payload)
    await thread.until_shown("**Eve in Linear:** with tests please")
    stage.model.release("signal")

    await thread.ended()
    assert thread.told("response")[0].startswith("Done, with tests.")


async def test_a_session_in_a_status_of_next_year_is_worked_on(stage: Stage) -> None:
    stage.model.play([script({"text": "Done as asked."})])
    identifier = new_issue(stage)
    issue = stage.linear.workspace.issue(identifier)
    session = events.session_created(stage.linear.workspace, opened(stage, issue))
    row = session.payload["agentSession"] | {"status": "hologram", "type": "hologram"}
    await tell(stage, session.payload | {"agentSession": row, "fieldOfNextYear": [1]})

    assert (await ended(stage, identifier)).startswith("Done as asked.")
    assert history(stage, identifier)[0]["ephemeral"]


def opened(stage: Stage, issue: Any) -> Any:
    """A session of Eve's that Linear has not told of yet."""
    return open_session(stage.linear.workspace, issue, creator=stage.linear.workspace.person("eve"))
