"""Identifiers. Only the adapter that makes a platform's id may take it apart; everybody else compares."""

from dataclasses import dataclass
from hashlib import sha256
from typing import NewType
from uuid import UUID

SessionId = NewType("SessionId", str)
"""Ours: one conversation with an agent. A UUID, also the name of its folder."""

TurnId = NewType("TurnId", str)
"""One turn of a session; also the id of its durable workflow."""

EntryKey = NewType("EntryKey", str)
"""Names one entry of a session's log. The same fact has the same key after a crash."""

ElicitationId = NewType("ElicitationId", str)


@dataclass(frozen=True, slots=True)
class ThreadRef:
    """A thread on a chat surface.

    `surface` is "slack" or "teams"; `install` the workspace or tenant; `conversation` the channel or
    chat; `root` the message that the thread hangs under.
    """

    surface: str
    install: str
    conversation: str
    root: str

    @property
    def place(self) -> str:
        """The channel or chat, as `threadline.toml` names it: "slack:T0001/C0001"."""
        return f"{self.surface}:{self.install}/{self.conversation}"

    def __str__(self) -> str:
        return f"{self.place}/{self.root}"


@dataclass(frozen=True, slots=True)
class IssueRef:
    """An issue in Linear, by its id: stands for every session that works on it."""

    id: str


@dataclass(frozen=True, slots=True)
class MessageRef:
    """One message in a thread."""

    thread: ThreadRef
    id: str


def uuid_for(name: str) -> str:
    """A UUID that depends on `name` only, in the v4 form that Linear and the agent ask for."""
    return str(UUID(bytes=sha256(name.encode()).digest()[:16], version=4))
