"""What the GitHub stand-in knows: accounts, repositories with their rules, pull requests, reviews, checks."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Literal

PERMISSIONS = ("none", "read", "triage", "write", "maintain", "admin")
METHODS = ("merge", "squash", "rebase")


@dataclass(slots=True, eq=False)
class Account:
    """A person or a bot. `emails`: (address, whether it was verified)."""

    id: int
    login: str
    name: str = ""
    emails: tuple[tuple[str, bool], ...] = ()
    type: Literal["User", "Bot"] = "User"


@dataclass(slots=True, eq=False)
class Review:
    id: int
    by: Account
    state: str
    sha: str
    body: str
    at: datetime
    may_push: bool


@dataclass(slots=True, eq=False)
class CheckRun:
    """`status`: queued, in_progress, completed; `conclusion` None until then.

    `annotations` are lines of files with words about them, as the API tells them; `log` is what the job said.
    """

    id: int
    name: str
    app_id: int
    sha: str
    status: str
    conclusion: str | None = None
    external_id: str = ""
    title: str = ""
    summary: str = ""
    annotations: list[dict[str, Any]] = field(default_factory=list)
    log: str = ""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(slots=True, eq=False)
class Comment:
    id: int
    by: Account
    body: str
    at: datetime
    path: str = ""


@dataclass(slots=True, eq=False)
class Merging:
    """A merge in the background: what was asked, whether somebody looked at it since, and its end."""

    uuid: str
    by: Account
    sha: str
    method: str
    was_asked_for: bool = False
    outcome: dict[str, Any] | None = None


@dataclass(slots=True, eq=False)
class Pull:
    """`base_sha`: where the base was when the head last moved; of a merged one, right before.

    `heads`: all that it ever had. `looked`: the head and base that were asked about last.
    """

    number: int
    id: int
    title: str
    body: str
    branch: str
    base: str
    head_sha: str
    author: Account
    is_draft: bool
    at: datetime
    updated_at: datetime
    state: Literal["open", "closed"] = "open"
    merged_by: Account | None = None
    merge_sha: str | None = None
    closed_by: Account | None = None
    merged_at: datetime | None = None
    closed_at: datetime | None = None
    base_sha: str = ""
    heads: list[str] = field(default_factory=list)
    looked: tuple[str, str] | None = None
    reviews: list[Review] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    line_comments: list[Comment] = field(default_factory=list)
    auto_merge: tuple[Account, str] | None = None
    queued_by: Account | None = None
    merging: Merging | None = None

    @property
    def is_queued(self) -> bool:
        return self.queued_by is not None

    @property
    def is_merged(self) -> bool:
        return self.merge_sha is not None

    @property
    def node_id(self) -> str:
        return f"PR_{self.id}"


@dataclass(slots=True)
class Rules:
    """Of the default branch. `checks`: required ones, with the app that must make them or None for any."""

    reviews: int = 0
    checks: dict[str, int | None] = field(default_factory=dict)
    dismiss_stale: bool = True
    last_push: bool = False
    is_strict: bool = False
    has_queue: bool = False
    owners: tuple[str, ...] = ()


NO_RULES = Rules(dismiss_stale=False)


@dataclass(slots=True)
class Switches:
    """How this GitHub behaves where GitHubs differ.

    `computes`: the first look after a change tells nothing of mergeability yet. `has_merge_async`: old
    servers lack it. `merges_later`: it answers before the merge is done. `short_tokens`: installation tokens
    as they were before 2026.
    """

    computes: bool = False
    has_merge_async: bool = True
    merges_later: bool = False
    short_tokens: bool = False


@dataclass(slots=True, eq=False)
class Repository:
    """`old_names`: "owner/name" of before; they lead here."""

    id: int
    owner: str
    name: str
    folder: Path
    base: str = "main"
    is_private: bool = True
    may: dict[int, str] = field(default_factory=dict)
    rules: Rules = field(default_factory=Rules)
    methods: tuple[str, ...] = METHODS
    auto_merge_allowed: bool = True
    pulls: dict[int, Pull] = field(default_factory=dict)
    checks: list[CheckRun] = field(default_factory=list)
    pushers: dict[str, int] = field(default_factory=dict)
    old_names: set[str] = field(default_factory=set)

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    def permission(self, account: Account) -> str:
        return self.may.get(account.id, "none" if self.is_private else "read")

    def may_as(self, account: Account, least: str) -> bool:
        """Whether somebody has that permission, or more."""
        return PERMISSIONS.index(self.permission(account)) >= PERMISSIONS.index(least)

    def writes(self, account: Account) -> bool:
        return self.may_as(account, "write")

    def rules_of(self, pull: Pull) -> Rules:
        """Only the default branch is protected."""
        return self.rules if pull.base == self.base else NO_RULES


class World:
    """Everything there is; numbers are never used twice."""

    def __init__(self) -> None:
        self.accounts: dict[int, Account] = {}
        self.repositories: list[Repository] = []
        self.switches = Switches()
        self._ids = count(1001)
        self._second = 0

    def next_id(self) -> int:
        return next(self._ids)

    def now(self) -> datetime:
        """Never the same twice: everything that happens has its place in time."""
        self._second += 1
        return datetime.now(UTC).replace(microsecond=self._second % 1_000_000)

    def account(self, login: str) -> Account:
        """Raises KeyError: Nobody has that name."""
        if (found := self.named(login)) is None:
            raise KeyError(login)
        return found

    def named(self, login: str) -> Account | None:
        return next((one for one in self.accounts.values() if one.login.lower() == login.lower()), None)

    def add_account(
        self, login: str, *, emails: Iterable[tuple[str, bool]] = (), name: str = "", is_bot: bool = False
    ) -> Account:
        made = Account(self.next_id(), login, name or login, tuple(emails), "Bot" if is_bot else "User")
        self.accounts[made.id] = made
        return made

    def repository(self, full_name: str) -> Repository | None:
        """By its name of today."""
        named = (one for one in self.repositories if one.full_name.lower() == full_name.lower())
        return next(named, None)

    def numbered(self, id: str) -> Repository | None:
        """By its number, which it keeps for ever."""
        return next((one for one in self.repositories if str(one.id) == id), None)

    def moved(self, full_name: str) -> Repository | None:
        """By a name of before."""
        return next((one for one in self.repositories if full_name.lower() in one.old_names), None)


def stamp(at: datetime) -> str:
    """As GitHub writes times."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
