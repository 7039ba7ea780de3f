"""Who people are in Linear, and what they may do here: members, guests, and people from elsewhere. Pure."""

from dataclasses import dataclass, replace
from enum import StrEnum

from core.activities import Author
from core.commands import Act, Follow, New, command_of
from core.events import Deleted, IncomingEvent, Said, StopAsked

GUEST = "Guests can read along; they cannot start work here."
EXTERNAL = "People from other organisations can read along; they cannot start work here."


class Unlinked(StrEnum):
    """What somebody may do whom we do not know in Linear."""

    NAMED = "named"
    LINK = "link"


class Guests(StrEnum):
    """What guests of the chat workspace may do."""

    READ = "read"
    FULL = "full"


class Evidence(StrEnum):
    """Why we believe that a chat account and a Linear account are one person's."""

    EMAIL = "email"
    OAUTH = "oauth"


class Verdict(StrEnum):
    ALLOWED = "allowed"
    MUST_LINK = "mustLink"
    READS_ONLY = "readsOnly"


@dataclass(frozen=True, slots=True)
class Policy:
    """As `threadline.toml` says under `[people]`."""

    unlinked: Unlinked = Unlinked.NAMED
    guests: Guests = Guests.READ


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A chat account (`Author.surface` and `Author.id`) and the Linear account of the same person.

    `email` is the one it was found by, or the Linear account's.
    """

    surface: str
    account: str
    linear_user: str
    name: str
    email: str | None
    evidence: Evidence

    def holds_for(self, author: Author) -> bool:
        """Whether it still counts: what an e-mail address told ends when the address changes."""
        return self.evidence is Evidence.OAUTH or (self.email is not None and self.email == author.email)


def waiting_for_code(author: Author) -> Author:
    """Under whom messages are put aside that wait for an account at the code host, not in Linear."""
    return replace(author, surface=f"code/{author.surface}")


def acts(event: IncomingEvent) -> bool:
    """Whether it starts or steers work, or shows a session elsewhere; to stop and to ask is free."""
    match event:
        case StopAsked() | Deleted():
            return False
        case Said(text=text):
            command = command_of(text)
            return command is None or isinstance(command, New | Follow | Act)
        case _:
            return True


def verdict(policy: Policy, author: Author, *, is_known: bool) -> Verdict:
    """What `author` may do; `is_known`: we know the Linear account."""
    if author.surface in ("linear", "github"):  # They were asked there who they are.
        return Verdict.ALLOWED
    if author.is_external or (author.is_guest and policy.guests is Guests.READ):
        return Verdict.READS_ONLY
    if policy.unlinked is Unlinked.LINK and not is_known:
        return Verdict.MUST_LINK
    return Verdict.ALLOWED


def refusal(author: Author) -> str:
    """Why somebody may only read, in a sentence."""
    return EXTERNAL if author.is_external else GUEST


def unknown(author: Author) -> str:
    """What somebody is told whom we do not know in Linear."""
    return f"I don't know you in Linear yet, {author.name}."
