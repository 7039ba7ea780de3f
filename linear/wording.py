"""What an entry of the log says as an agent activity of Linear's. Pure."""

from collections.abc import Sequence
from typing import Final

from core.activities import (
    Action,
    Answered,
    AuthAsked,
    AuthGiven,
    Blocked,
    Blocker,
    ConfirmAsked,
    Elicitation,
    Entry,
    Error,
    Heartbeat,
    Notice,
    Prompt,
    PullActed,
    PullShown,
    Response,
    Thought,
    TurnStarted,
)
from core.composer import place_name, said_by
from core.mirror.pulls import in_markdown
from core.mirror.story import Story

NAME: Final = "linear"
"""What people's accounts in Linear carry as their surface."""


def activity_of(entry: Entry, story: Story) -> dict[str, object] | None:
    """The parameters of `LinearClient.create_activity` that show `entry`; None if nothing does."""
    match entry:
        case Prompt() | Answered() | Notice() | AuthAsked() | AuthGiven():
            return _of_people(entry, story)
        case PullShown() | PullActed() | ConfirmAsked():
            return _of_pull(entry, story)
        case Action() as action:
            return {"content": _action(action), "ephemeral": action.ephemeral}
        case Elicitation() as question:
            return _elicitation(question)
        case Response(body=body):
            return {"content": {"type": "response", "body": body.strip() or "Done."}}
        case Error(code=code, body=body, action=action):
            return {"content": {"type": "error", "body": f"{body} {action}".strip() or code.value}}
        case Thought(body=body, ephemeral=False) | Blocked(code=Blocker.CHAT_GONE, body=body):
            return _thought(body)
        case _:
            passing = _passing(entry, story)
            return None if passing is None else _thought(passing, ephemeral=True)


def merged(entries: Sequence[Entry]) -> dict[str, object]:
    """Remarks and finished tool calls as one; for people the names of calls matter most: no results."""
    done = [entry for entry in entries if isinstance(entry, Action)]
    if not done:
        return _thought("\n\n".join(one.body for one in entries if isinstance(one, Thought)))
    steps = "1 step" if len(done) == 1 else f"{len(done)} steps"
    lines = [line for entry in entries if (line := _line(entry))]
    content = {"type": "action", "action": "Did", "parameter": steps, "result": "\n".join(lines)}
    return {"content": content}


def _of_people(entry: Prompt | Answered | Notice | AuthAsked | AuthGiven, story: Story) -> dict[str, object]:
    match entry:
        case Prompt(author=author, body=body):
            return _thought(f"{said_by(author)}: {body}")
        case Answered(by=by, answer=answer):
            return _thought(f"Answered by {said_by(by)}: {answer}")
        case Notice(body=body):
            return _reply(body, story)
        case AuthAsked() | AuthGiven():
            return _auth(entry)


def _of_pull(entry: PullShown | PullActed | ConfirmAsked, story: Story) -> dict[str, object]:
    match entry:
        case PullShown(facts=facts):
            return _reply(in_markdown(facts), story)
        case PullActed(body=body):
            return _reply(body, story)
        case ConfirmAsked(body=body, word=word):
            return _reply(f"{body} Reply `{word}` to confirm it.", story)


def _passing(entry: Entry, story: Story) -> str | None:
    """What an ephemeral thought says about `entry`."""
    match entry:
        case TurnStarted() as started:
            return _greeting(started, story)
        case Thought(body=body):
            return body
        case Blocked(code=code, body=body):
            return body.strip() or code.value
        case Heartbeat(elapsed_s=elapsed_s):
            return f"Still working, {elapsed_s // 60} min so far."
        case _:
            return None


def _reply(body: str, story: Story) -> dict[str, object]:
    # What a person writes in Linear opens the session again, and so would a thought; a response closes it.
    return _thought(body) if story.turn else {"content": {"type": "response", "body": body}}


def _thought(body: str, *, ephemeral: bool = False) -> dict[str, object]:
    return {"content": {"type": "thought", "body": body}, "ephemeral": ephemeral}


def _greeting(started: TurnStarted, story: Story) -> str:
    is_first = len(story.cards) == 1
    if started.author.surface == NAME or not is_first:
        return "On it"
    return f"On it: started from {place_name(started.author.surface)} by {started.author.name}"


def _action(action: Action) -> dict[str, object]:
    # Linear refuses an empty name or parameter.
    content: dict[str, object] = {
        "type": "action",
        "action": action.action.strip() or "Did",
        "parameter": action.parameter.strip() or "–",
    }
    if action.result and action.result.strip():
        content["result"] = action.result
    return content


def _line(entry: Entry) -> str:
    match entry:
        case Action(action=action, parameter=parameter):
            return f"- {action} {parameter}".rstrip()
        case Thought(body=body):
            return " ".join(body.split())
        case _:  # Nothing else shares a call.
            return ""


def _elicitation(question: Elicitation) -> dict[str, object]:
    activity: dict[str, object] = {"content": {"type": "elicitation", "body": question.body}}
    if question.options:
        options = [{"value": option.value, "label": option.label} for option in question.options]
        activity["signal_metadata"] = {"options": options}
    return activity


def _auth(asked: AuthAsked | AuthGiven) -> dict[str, object]:
    """A question that only its person can answer; others of Linear's people see whom it waits for."""
    if isinstance(asked, AuthGiven):
        return _thought(f"{said_by(asked.person)} has linked an account; what they asked for goes on.")
    if asked.person.surface != NAME:
        return _thought(f"Waiting for {said_by(asked.person)} to link an account at {asked.provider}.")
    return {
        "content": {"type": "elicitation", "body": asked.body},
        # The address is for one person: made when it is sent, and never stored.
        "auth": {"provider": asked.provider, "person": asked.person.id, "name": asked.person.name},
    }
