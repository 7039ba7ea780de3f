"""Who a commit is by, and what it says. Pure.

Names and texts come from chats and trackers: nothing in them may become a header, a trailer or another one.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from core.activities import Author

NAME_CHARS = 64
EMAIL_CHARS = 254

_EMAIL = re.compile(r"[^\s<>@\"'(),:;\\]+@[A-Za-z0-9.-]+")
_CRUD = " .,:;<>\"\\'"
_TRAILER = re.compile(
    r"^\s*[A-Za-z][A-Za-z0-9-]*-by\s*:|^\s*(?:linear-issue|agent-session)\s*:", re.IGNORECASE
)
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_BREAKS = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class GitIdentity:
    """A name and an e-mail address as commits carry them; made safe when they are used."""

    name: str
    email: str

    @property
    def line(self) -> str:
        """As a trailer has it: "Ann <ann@acme.test>"; "" if there is nobody in it."""
        name, email = safe_name(self.name), safe_email(self.email)
        return f"{name} <{email}>" if name and email else ""


OURS = GitIdentity("Threadline", "threadline@localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credits:
    """Whom a commit names.

    Attributes:
        author: Whose work it is; `OURS` stands in for what is missing.
        co_authors: Named as `Co-authored-by`; the author is not named twice.
        trailers: Further ones, like ("Linear-Issue", "ENG-123") and ("Agent-Session", "https://...").
        at: Its date, seconds since the epoch. With it, the same tree on the same parents is the same commit
            however often it is made; None for the time at which it is made.
    """

    author: GitIdentity = OURS
    committer: GitIdentity = OURS
    co_authors: tuple[GitIdentity, ...] = ()
    trailers: tuple[tuple[str, str], ...] = ()
    at: int | None = None


def by(author: Author, **trailers: str) -> Credits:
    """A person's commit; the keywords are trailers, "_" in them stands for "-"."""
    return Credits(
        author=GitIdentity(author.name, author.email or ""),
        trailers=tuple((key.replace("_", "-"), value) for key, value in trailers.items()),
    )


def message_of(text: str, credits_: Credits) -> str:
    """The whole message of a commit: `text` (subject, blank line, body), then the trailers.

    Lines of `text` that would count as trailers are quoted.
    """
    lines = _BREAKS.sub("\n", text.replace("\0", "")).split("\n")
    body = "\n".join(f"> {line.strip()}" if _TRAILER.match(line) else line.rstrip() for line in lines)
    trailers = "\n".join(f"{key}: {value}" for key, value in _trailers(credits_))
    return "\n\n".join(part for part in (body.strip("\n"), trailers) if part) + "\n"


def variables(credits_: Credits) -> dict[str, str]:
    """What tells git who made a commit, and when."""
    found = {}
    for role, identity in (("AUTHOR", credits_.author), ("COMMITTER", credits_.committer)):
        found[f"GIT_{role}_NAME"] = safe_name(identity.name) or OURS.name
        found[f"GIT_{role}_EMAIL"] = safe_email(identity.email) or OURS.email
        if credits_.at is not None:
            found[f"GIT_{role}_DATE"] = f"@{credits_.at} +0000"
    return found


def safe_name(text: str) -> str:
    """One line of at most 64 visible characters without brackets; "" if git would refuse it."""
    shown = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text)
    name = " ".join(re.sub(r"[<>]", " ", shown).split())[:NAME_CHARS].strip()
    return name if name.strip(_CRUD) else ""


def safe_email(text: str) -> str:
    """The address if it is one, else ""."""
    return text if len(text) <= EMAIL_CHARS and text.isprintable() and _EMAIL.fullmatch(text) else ""


def _trailers(credits_: Credits) -> Iterator[tuple[str, str]]:
    known = {safe_email(credits_.author.email)}
    for one in credits_.co_authors:
        if one.line and safe_email(one.email) not in known:
            known.add(safe_email(one.email))
            yield "Co-authored-by", one.line
    for key, value in credits_.trailers:
        line = " ".join("".join(char if char.isprintable() else " " for char in value).split())
        if _KEY.fullmatch(key) and line:
            yield key, line[:500]
