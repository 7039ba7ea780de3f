"""One Slack workspace in memory: people, channels, messages with their history. No I/O."""

from collections.abc import Collection
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final

from playground.slack_blocks import plain_text
from playground.slack_wire import Refused, Wire

TEAM: Final = "T0001"
APP: Final = "A0001"
BOT_USER: Final = "U0BOT"
TRIGGER_LIFETIME_S: Final = 3.0
SCREENS: Final = 3
"""How many forms may lie on top of each other."""

DEFAULT_SUBSCRIPTIONS: Final = frozenset(
    {
        "agent_session_stopped",
        "app_mention",
        "app_uninstalled",
        "message.channels",
        "message.groups",
        "message.im",
        "message.mpim",
        "reaction_added",
        "tokens_revoked",
    }
)


class ChannelKind(StrEnum):
    """The value is what follows `message.` in a subscription; see `scope_prefix` for scopes."""

    PUBLIC = "channels"
    PRIVATE = "groups"
    DM = "im"
    GROUP_DM = "mpim"

    @property
    def event_type(self) -> str:
        """`channel_type` of message events."""
        return {self.PUBLIC: "channel", self.PRIVATE: "group"}.get(self, self.value)


@dataclass(frozen=True, slots=True)
class Person:
    """A member, a guest, somebody of another workspace, or a bot user (then with `bot_id` and `app_id`)."""

    id: str
    name: str
    email: str | None = None
    team_id: str = TEAM
    is_restricted: bool = False
    bot_id: str | None = None
    app_id: str | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """What a message said before its edit at `replaced_at` (a ts)."""

    text: str
    blocks: tuple[Wire, ...]
    replaced_at: str


@dataclass(slots=True)
class Message:
    """A message; deleted and ephemeral ones stay, so that a test can see they existed."""

    channel: str
    ts: str
    author: Person
    text: str
    blocks: tuple[Wire, ...] = ()
    thread_ts: str | None = None
    subtype: str | None = None
    metadata: Wire | None = None
    files: tuple[Wire, ...] = ()
    only_for: str | None = None
    edited_at: str | None = None
    deleted: bool = False
    reactions: dict[str, list[str]] = field(default_factory=dict)
    revisions: list[Revision] = field(default_factory=list)

    @property
    def root(self) -> str:
        return self.thread_ts or self.ts

    @property
    def is_reply(self) -> bool:
        return self.thread_ts is not None and self.thread_ts != self.ts

    def shown_text(self) -> str:
        """What a reader sees: the blocks if there are any, else the text."""
        return plain_text(self.blocks) or self.text


@dataclass(slots=True)
class Channel:
    id: str
    name: str
    kind: ChannelKind
    members: set[str]
    is_archived: bool = False
    messages: dict[str, Message] = field(default_factory=dict)

    def shown(self) -> list[Message]:
        """What everybody in the channel can see, oldest first."""
        return [
            message for message in self.messages.values() if not message.deleted and message.only_for is None
        ]


@dataclass(frozen=True, slots=True)
class Trigger:
    """The right to show one form to `user`, until a moment later."""

    user: str
    until: float


@dataclass(frozen=True, slots=True)
class AgentStatus:
    """What `agents.sessions.setStatus` said last about a thread."""

    status: str
    title: str | None


@dataclass(slots=True)
class Draft:
    """A message about to be posted."""

    text: str
    blocks: tuple[Wire, ...] = ()
    thread_ts: str | None = None
    subtype: str | None = None
    metadata: Wire | None = None
    files: tuple[Wire, ...] = ()
    only_for: str | None = None


@dataclass(slots=True)
class Workspace:
    """All state of the stand-in; every method either does what Slack would or raises `Refused`."""

    people: dict[str, Person]
    channels: dict[str, Channel]
    subscriptions: Collection[str] = DEFAULT_SUBSCRIPTIONS
    is_agent: bool = True
    agent_sessions: dict[tuple[str, str], AgentStatus] = field(default_factory=dict)
    thread_statuses: dict[tuple[str, str], str] = field(default_factory=dict)
    views: dict[str, Wire] = field(default_factory=dict)
    triggers: dict[str, Trigger] = field(default_factory=dict)
    screens: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    _last_ts: int = 0

    @property
    def bot(self) -> Person:
        return self.people[BOT_USER]

    def next_ts(self, now: float) -> str:
        """A timestamp like `1700000000.000100`: unique, and never smaller than the one before."""
        self._last_ts = max(self._last_ts, int(now) * 1_000_000) + 100
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def person(self, user: str) -> Person:
        if user not in self.people:
            raise Refused("user_not_found")
        return self.people[user]

    def channel(self, channel: str) -> Channel:
        if channel not in self.channels:
            raise Refused("channel_not_found")
        return self.channels[channel]

    def channel_for(self, channel: str, user: str) -> Channel:
        """The channel, if `user` may see what is in it."""
        found = self.channel(channel)
        if user not in found.members:
            raise Refused("not_in_channel" if found.kind is ChannelKind.PUBLIC else "channel_not_found")
        return found

    def open_dm(self, user: str) -> Channel:
        """The direct-message channel of the bot and `user`, made on first use."""
        person = self.person(user)
        channel_id = "D" + person.id[1:]
        if channel_id not in self.channels:
            self.channels[channel_id] = Channel(channel_id, "", ChannelKind.DM, {user, BOT_USER})
        return self.channels[channel_id]

    def message(self, channel: str, ts: str) -> Message:
        found = self.channel(channel).messages.get(ts)
        if found is None or found.deleted:
            raise Refused("message_not_found")
        return found

    def thread(self, channel: str, ts: str) -> list[Message]:
        """The root and its replies, oldest first."""
        home = self.channel(channel)
        if ts not in home.messages:
            raise Refused("thread_not_found")
        found = [message for message in home.shown() if message.root == ts or message.ts == ts]
        if not found:
            raise Refused("thread_not_found")
        return found

    def post(self, author: Person, channel: str, draft: Draft, now: float) -> Message:
        """Add a message, as its author could."""
        home = self.channel_for(channel, author.id)
        if home.is_archived:
            raise Refused("is_archived")
        if draft.only_for is not None and draft.only_for not in home.members:
            raise Refused("user_not_in_channel")
        if draft.thread_ts is not None:
            self._open_thread(home, draft.thread_ts)
        message = Message(
            channel=channel,
            ts=self.next_ts(now),
            author=author,
            text=draft.text,
            blocks=_with_ids(draft.blocks, self._last_ts),
            thread_ts=draft.thread_ts,
            subtype=draft.subtype,
            metadata=draft.metadata,
            files=draft.files,
            only_for=draft.only_for,
        )
        home.messages[message.ts] = message
        if author.id == BOT_USER:
            # Slack clears the status line as soon as the app replies.
            self.thread_statuses.pop((channel, message.root), None)
        return message

    def edit(
        self, author: Person, channel: str, ts: str, text: str, blocks: tuple[Wire, ...], now: float
    ) -> Message:
        """Replace what a message says; the old wording goes to its revisions."""
        message = self._own(author, channel, ts, "cant_update_message")
        self.rewrite(message, text, blocks, now)
        return message

    def rewrite(self, message: Message, text: str, blocks: tuple[Wire, ...], now: float) -> None:
        """Replace what a message says without asking who wants it."""
        edited_at = self.next_ts(now)
        message.revisions.append(Revision(message.text, message.blocks, edited_at))
        message.text, message.blocks, message.edited_at = text, _with_ids(blocks, self._last_ts), edited_at

    def delete(self, author: Person, channel: str, ts: str) -> Message:
        message = self._own(author, channel, ts, "cant_delete_message")
        message.deleted = True
        return message

    def react(self, user: str, channel: str, ts: str, name: str) -> Message:
        self.channel_for(channel, user)
        message = self.message(channel, ts)
        users = message.reactions.setdefault(name, [])
        if user in users:
            raise Refused("already_reacted")
        users.append(user)
        return message

    def unreact(self, user: str, channel: str, ts: str, name: str) -> Message:
        self.channel_for(channel, user)
        message = self.message(channel, ts)
        if user not in message.reactions.get(name, ()):
            raise Refused("no_reaction")
        message.reactions[name].remove(user)
        if not message.reactions[name]:
            del message.reactions[name]
        return message

    def is_shared(self, channel: str) -> bool:
        """Whether somebody of another workspace is in the channel."""
        members = self.channel(channel).members
        return any(self.people[user].team_id != TEAM for user in members if user in self.people)

    def _own(self, author: Person, channel: str, ts: str, refusal: str) -> Message:
        home = self.channel_for(channel, author.id)
        message = self.message(channel, ts)
        if message.author.id != author.id or message.only_for is not None:
            raise Refused(refusal)
        if home.is_archived:
            raise Refused("is_archived")
        return message

    def _open_thread(self, home: Channel, thread_ts: str) -> None:
        # Replying to a reply splits a conversation silently in Slack; here it fails, so that a test notices.
        root = home.messages.get(thread_ts)
        if root is None or root.is_reply or root.only_for is not None:
            raise Refused("thread_not_found")
        if root.deleted and not any(message.root == thread_ts for message in home.shown()):
            raise Refused("thread_not_found")


def order(ts: str) -> Decimal:
    """A ts as a number: the text form does not sort across lengths."""
    try:
        return Decimal(ts)
    except ArithmeticError:
        raise Refused("invalid_ts_latest") from None


def acme(subscriptions: Collection[str] = DEFAULT_SUBSCRIPTIONS, *, is_agent: bool = True) -> Workspace:
    """The seed: team Acme with four members, a guest, somebody from outside, an alert bot, and ours."""
    people = [
        Person("U0ANN", "Ann", "ann@acme.test"),
        Person("U0BOB", "Bob", "bob@acme.test"),
        Person("U0EVE", "Eve", "eve@acme.test"),
        Person("U0GST", "Gus", "gus@guest.test", is_restricted=True),
        Person("U0EXT", "Xenia", "xenia@other.test", team_id="T0002"),
        Person("U0ALERT", "Alerts", bot_id="B0ALERT", app_id="A0ALERT"),
        Person(BOT_USER, "linear", bot_id="B0BOT", app_id=APP),
    ]
    members = {person.id for person in people if person.team_id == TEAM}
    workspace = Workspace(
        people={person.id: person for person in people},
        channels={
            "C0001": Channel("C0001", "eng", ChannelKind.PUBLIC, set(members)),
            "C0002": Channel("C0002", "ops", ChannelKind.PUBLIC, set(members)),
        },
        subscriptions=subscriptions,
        is_agent=is_agent,
    )
    for person in people:
        if person.bot_id is None:
            workspace.open_dm(person.id)
    return workspace


def _with_ids(blocks: tuple[Wire, ...], seed: int) -> tuple[Wire, ...]:
    """Slack names the blocks that came without a `block_id`."""
    return tuple({"block_id": f"{seed % 10**9:x}{at:x}", **block} for at, block in enumerate(blocks))
