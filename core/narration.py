"""Agent events -> what happens to the session, and failures -> what people are told. Pure."""

from core.activities import Action, Author, Blocked, Blocker, Elicitation, Error, Plan, Thought
from core.events import (
    AgentAsked,
    AgentEvent,
    AgentThought,
    PlanChanged,
    ToolFinished,
    ToolStarted,
)
from core.session import Asked, Noted, SessionEvent

HINTS = {
    Blocker.MODEL_KEY: "For admins: check THREADLINE_CLAUDE__API_KEY.",
    Blocker.MODEL_LIMIT: "For admins: THREADLINE_CLAUDE__MAX_BUDGET_USD sets it.",
    Blocker.REPO_UNREACHABLE: "For admins: check the repository's address in threadline.toml and its access.",
    Blocker.REPO_UNKNOWN: "For admins: add a [[repositories]] entry to threadline.toml.",
    Blocker.RUN_TIMEOUT: "Say continue to go on.",
    Blocker.AGENT_CRASHED: "Say retry to try again.",
    Blocker.LINEAR_REVOKED: "For admins: connect Linear again.",
    Blocker.LINEAR_REFUSED: "For admins: see the log of the service.",
    Blocker.PERSON_DENIED: "Ask an owner of the repository.",
}

WAITING = {
    Blocker.LINEAR_DOWN: "Linear does not answer; I keep this and catch up there.",
    Blocker.LINEAR_QUOTA: "Linear is throttling us; updates there are slower.",
    Blocker.LINEAR_REVOKED: "Linear access was revoked; I keep this and catch up when it is back.",
    Blocker.LINEAR_GONE: "The session was removed in Linear; I go on here.",
    Blocker.CHAT_THROTTLED: "Chat is throttling us; updates in the thread are slower.",
    Blocker.CHAT_GONE: "The thread or the bot was removed from the channel.",
    Blocker.RESTART: "I was restarted and continue.",
    Blocker.AGENT_SILENT: "No sign of life for a while; restarting it from where it was.",
    Blocker.AGENT_CRASHED: "The agent crashed; restarting it from where it was.",
    Blocker.GITHUB_UNLINKED: "Work here needs write access: waiting for an account at GitHub to be linked.",
    Blocker.GITHUB_DOWN: "GitHub does not answer; trying again.",
}


def narrate(event: AgentEvent, *, requester: Author | None) -> SessionEvent | None:
    """What an agent event means for the session; None for what only the conductor of the run cares about."""
    match event:
        case AgentThought(key=key, text=text, lasting=lasting):
            return Noted(key, Thought(body=text, ephemeral=not lasting))
        case ToolStarted(key=key, action=action, parameter=parameter):
            return Noted(key, Action(action=action, parameter=parameter, ephemeral=True))
        case ToolFinished(key=key, action=action, parameter=parameter, result=result):
            return Noted(key, Action(action=action, parameter=parameter, result=result))
        case PlanChanged(key=key, steps=steps):
            return Noted(key, Plan(steps=steps))
        case AgentAsked(question=question, body=body, options=options, multiple=multiple):
            asked = (requester,) if requester else ()
            return Asked(Elicitation(id=question, body=body, options=options, asked=asked, multiple=multiple))
        case _:
            return None


def failure(code: Blocker, sentence: str) -> Error:
    """The terminal activity of a turn that a named blocker ended."""
    return Error(code=code, body=sentence, action=HINTS.get(code, ""))


def waiting(code: Blocker) -> Blocked:
    """The progress line while something named is in the way."""
    return Blocked(code=code, body=WAITING[code], action=HINTS.get(code, ""))


def in_the_way(code: Blocker) -> str:
    """The same, as a message before there is a progress line."""
    return f"{WAITING[code]} {HINTS.get(code, '')}".rstrip()


def gone_from(sink: str, code: Blocker) -> str:
    """What the other places of a session are told when one of them is gone."""
    if code is not Blocker.CHAT_GONE:
        return WAITING[code]
    return f"{WAITING[code]} This session is not shown in {sink.capitalize()} any more."


def queued(ahead: int) -> Blocked:
    """The progress line of a session that waits for its turn."""
    return Blocked(code=Blocker.QUEUED, body=f"Queued: {ahead} ahead.")
