"""Words that are for us and not for the agent: status, why, help, new, aside, approve, merge. Pure."""

import re
from dataclasses import dataclass

from core.pulls import PullAction


@dataclass(frozen=True, slots=True)
class Stop:
    pass


@dataclass(frozen=True, slots=True)
class Status:
    pass


@dataclass(frozen=True, slots=True)
class Why:
    pass


@dataclass(frozen=True, slots=True)
class Help:
    pass


@dataclass(frozen=True, slots=True)
class Aside:
    """For people; the agent must not see it."""


@dataclass(frozen=True, slots=True)
class Follow:
    """Show the session on this issue here as well."""

    identifier: str


@dataclass(frozen=True, slots=True)
class Link:
    """Link an account at `provider` to one's own here."""

    provider: str = "Linear"


@dataclass(frozen=True, slots=True)
class Unlink:
    """Forget which account at `provider` is one's own."""

    provider: str = "Linear"


@dataclass(frozen=True, slots=True)
class Act:
    """Do something with the pull request of this session.

    `sha` is the commit that it is meant for, if the word names one: then it is sure.
    """

    action: PullAction
    text: str = ""
    sha: str = ""


@dataclass(frozen=True, slots=True)
class New:
    """Start another session in this thread."""

    text: str


Command = Stop | Status | Why | Help | Aside | Follow | Link | Unlink | New | Act

_STOP = r"(please\s+)?(stop|halt|cancel|abort)(\s+(it|this|that|now|please|working))*"
_STATUS = r"status|(what('|’)?s|what is) (the|your) status|how('|’)?s it going|how far are you|where are we"
_WHY = (
    r"why|why (is|are) (it|you|this) (waiting|stuck|slow|blocked)|what are you waiting for"
    r"|what('|’)?s (blocking|the hold-?up)|why is nothing happening"
)
_HELP = r"help|what can you do|commands"
_LINK = r"link( me| linear| my( linear)? account)?"
_LINK_GITHUB = r"link (my )?github( account)?"
_UNLINK = r"unlink( me| linear| my( linear)? account)?"
_UNLINK_GITHUB = r"unlink (my )?github( account)?"

_WORDS: tuple[tuple[re.Pattern[str], Command], ...] = tuple(
    (re.compile(rf"(?:{pattern})\s*[?.!]*", re.IGNORECASE), command)
    for pattern, command in (
        (_STOP, Stop()),
        (_STATUS, Status()),
        (_WHY, Why()),
        (_HELP, Help()),
        (_LINK, Link()),
        (_LINK_GITHUB, Link("GitHub")),
        (_UNLINK, Unlink()),
        (_UNLINK_GITHUB, Unlink("GitHub")),
    )
)
_ASIDE = re.compile(r"(!aside|\(aside\)|aside)(\b|\s|:).*", re.IGNORECASE | re.DOTALL)
_FOLLOW = re.compile(
    r"follow\s+(?:\S*/issue/)?([A-Za-z][A-Za-z0-9]{0,9}-\d{1,7})(?:/\S*)?\s*[.!]*", re.IGNORECASE
)
_NEW = re.compile(r"new(?:\s+session)?\s*[:,]?\s+(\S.*)", re.IGNORECASE | re.DOTALL)
_SHA = r"(?:\s+([0-9a-f]{7,40}))?"
_ACTS: tuple[tuple[re.Pattern[str], PullAction], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), action)
    for pattern, action in (
        (rf"approve{_SHA}[.!]*", PullAction.APPROVE),
        (r"(?:ready|ready for review|mark (?:it )?(?:as )?ready)[.!]*", PullAction.READY),
        (rf"merge{_SHA}[.!]*", PullAction.MERGE),
        (rf"(?:auto-?merge|merge when (?:green|ready)){_SHA}[.!]*", PullAction.MERGE_WHEN_GREEN),
        (r"update (?:the )?branch[.!]*", PullAction.UPDATE_BRANCH),
        (rf"close (?:the )?(?:pr|pull request){_SHA}[.!]*", PullAction.CLOSE),
        (r"fix (?:it|this|the (?:checks|build|conflicts?|review))[.!]*", PullAction.FIX),
    )
)
_REMARKS: tuple[tuple[re.Pattern[str], PullAction], ...] = (
    (re.compile(r"request changes\s*:\s*(\S.*)", re.IGNORECASE | re.DOTALL), PullAction.REQUEST_CHANGES),
    (re.compile(r"comment\s*:\s*(\S.*)", re.IGNORECASE | re.DOTALL), PullAction.COMMENT),
)
_PLAN = re.compile(
    # The word for us, in front of everything; after other words only if nothing but a full stop follows.
    r"^\s*plan(?:\s+(?:it|this|that))?\s+first\b"
    r"|(?:[.,;:!(\n]\s*|\b(?:and|but|please|you|let.?s|to)\s+)plan(?:\s+(?:it|this|that))?\s+first(?=\s*(?:[.,;:!)\n]|then\b|$))"
    r"|(?:[.,;:!(\n]\s*|\b(?:and|but|please)\s+|^\s*)?(?:\b(?:i\s+want|i.d\s+like)\s+(?:to\s+see\s+)?|\b(?:make|show|give|write)\s+)"
    r"(?:me\s+|us\s+)?(?:a|the|your)\s+plan\s+first(?=\s*(?:[.,;:!)\n]|then\b|$))"
    r"|^\s*(?:first|start\s+with)[,:]?\s+(?:(?:make|show|give|write)\s+)?(?:me\s+|us\s+)?(?:a\s+)?plan(?=\s*(?:[.,;:!)\n]|then\b|$))",
    re.IGNORECASE,
)


def wants_plan(text: str) -> bool:
    """Whether a message asks for a plan that people agree to before anything is changed."""
    return _PLAN.search(text) is not None


def without_plan(text: str) -> str:
    """The message without its wish for a plan."""
    return re.sub(r"^[\s,;:.]+|[\s,;:.]+$", "", _PLAN.sub(" ", text)) if wants_plan(text) else text


def command_of(text: str) -> Command | None:
    """The command that a message is, if it is one; anything else is for the agent."""
    plain = text.strip()
    for pattern, command in _WORDS:
        if pattern.fullmatch(plain):
            return command
    if _ASIDE.fullmatch(plain):
        return Aside()
    if found := _FOLLOW.fullmatch(plain):
        return Follow(found[1].upper())
    if found := _NEW.fullmatch(plain):
        return New(found[1])
    return _act_in(plain)


def _act_in(plain: str) -> Act | None:
    for pattern, action in _ACTS:
        if found := pattern.fullmatch(plain):
            return Act(action, sha=(found[1] or "").lower() if pattern.groups else "")
    for pattern, action in _REMARKS:
        if found := pattern.fullmatch(plain):
            return Act(action, text=found[1].strip())
    return None
