"""Microsoft Teams in memory: people, conversations, messages with their history. No I/O."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from playground.teams_reading import plain_text
from playground.teams_wire import Refused, Wire

TENANT: Final = "ac3e0000-0000-4000-8000-000000000001"
OTHER_TENANT: Final = "07e40000-0000-4000-8000-000000000002"
APP_ID: Final = "b0700000-0000-4000-8000-00000000000b"
BOT: Final = f"28:{APP_ID}"
TEAM: Final = "19:acme@thread.tacv2"

TARGETED_FOR_S: Final = 24 * 3600


class Kind(StrEnum):
    """`conversation.conversationType`."""

    CHANNEL = "channel"
    GROUP = "groupChat"
    PERSONAL = "personal"


@dataclass(frozen=True, slots=True)
class Person:
    """A member, a guest (`#EXT#` in `principal`), somebody of another tenant, or a bot (id `28:...`)."""

    id: str
    name: str
    email: str | None = None
    principal: str | None = None
    tenant: str = TENANT

    @property
    def is_bot(self) -> bool:
        return self.id.startswith("28:")

    @property
    def object_id(self) -> str:
        """`aadObjectId`: the same for every bot, unlike the id."""
        return str(uuid5(NAMESPACE_URL, self.id))


@dataclass(frozen=True, slots=True)
class Revision:
    """What a message said before its edit at `replaced_at` (seconds since the Unix epoch)."""

    text: str
    cards: tuple[Wire, ...]
    replaced_at: float


@dataclass(slots=True)
class Message:
    """A message; deleted and private ones stay, so that a test can see they existed.

    Attributes:
        text: As the bot gets it: flat, with `<at>`; for a bot's message what it wrote.
        source: What a person typed; None for a bot's message.
        markup: The HTML a person's client made of it; None for a bot's message.
        raw: The activity a bot sent, as it came.
        only_for: The one person who sees it, until `private_until`.
        views: Cards that single people see instead: the answers to their own presses.
        toasts: What single people were told after a press.
        was_told: Whether our bot has heard of it.
    """

    conversation: str
    id: str
    author: Person
    text: str
    sent_at: float
    root: str | None = None
    cards: tuple[Wire, ...] = ()
    source: str | None = None
    markup: str | None = None
    mentions: tuple[Wire, ...] = ()
    attachments: tuple[Wire, ...] = ()
    raw: Wire | None = None
    only_for: str | None = None
    private_until: float = 0.0
    deleted: bool = False
    was_told: bool = False
    reactions: dict[str, list[str]] = field(default_factory=dict)
    revisions: list[Revision] = field(default_factory=list)
    views: dict[str, Wire] = field(default_factory=dict)
    toasts: dict[str, list[str]] = field(default_factory=dict)

    @property
    def thread(self) -> str:
        """The id of the message that began the thread."""
        return self.root or self.id

    @property
    def is_reply(self) -> bool:
        return self.root is not None and self.root != self.id

    def shown_text(self, user: str | None = None) -> str:
        """What one person reads, or everybody."""
        return plain_text(self.source or self.text, self.cards_for(user))

    def cards_for(self, user: str | None = None) -> tuple[Wire, ...]:
        """The cards as one person sees them, or everybody."""
        return (self.views[user],) if user in self.views else self.cards


@dataclass(slots=True)
class Draft:
    """A message about to be posted, or what an edit makes of one."""

    text: str
    cards: tuple[Wire, ...] = ()
    root: str | None = None
    source: str | None = None
    markup: str | None = None
    mentions: tuple[Wire, ...] = ()
    attachments: tuple[Wire, ...] = ()
    raw: Wire | None = None
    only_for: str | None = None


@dataclass(slots=True)
class Conversation:
    """`reads_all`: the owner consented that the bot gets messages which do not mention it."""

    id: str
    kind: Kind
    name: str
    members: set[str]
    reads_all: bool = True
    tenant: str = TENANT
    messages: dict[str, Message] = field(default_factory=dict)

    def shown(self) -> list[Message]:
        """What everybody there can see, oldest first."""
        return [one for one in self.messages.values() if not one.deleted and one.only_for is None]

    def full_id(self, message: Message) -> str:
        """`conversation.id` of an activity about `message`: only channels have threads."""
        return f"{self.id};messageid={message.thread}" if self.kind is Kind.CHANNEL else self.id


@dataclass(frozen=True, slots=True)
class File:
    """`key` is what its link needs, until `link_until`; None for an image, which needs the bot's token."""

    name: str
    content: bytes
    media_type: str
    key: str | None = None
    link_until: float = 0.0


@dataclass(slots=True)
class Workspace:
    """All state of the stand-in; every method either does what Teams would or raises `Refused`.

    `region` is part of every `serviceUrl` and may change, `regions` still answer; `is_blocked` says that an
    admin disabled the bot.
    """

    people: dict[str, Person]
    conversations: dict[str, Conversation]
    base_url: str = ""
    region: str = "amer"
    regions: set[str] = field(default_factory=lambda: {"amer"})
    is_blocked: bool = False
    files: dict[str, File] = field(default_factory=dict)
    _last_id: int = 0

    @property
    def bot(self) -> Person:
        return self.people[BOT]

    def service_url(self, tenant: str = TENANT) -> str:
        """Where a bot reaches the conversations of a tenant now."""
        return f"{self.base_url}/{self.region}/{tenant}/"

    def next_id(self, now: float) -> str:
        """Milliseconds since the Unix epoch: unique, and never smaller than the one before."""
        self._last_id = max(self._last_id + 1, int(now * 1000))
        return str(self._last_id)

    def person(self, user: str) -> Person:
        if user not in self.people:
            raise Refused("MemberNotFoundInConversation", user)
        return self.people[user]

    def named(self, name: str) -> Person:
        """Who a person means with `@name`."""
        for person in self.people.values():
            if person.name == name:
                return person
        raise Refused("MemberNotFoundInConversation", name)

    def conversation(self, conversation: str) -> Conversation:
        """By its id without a thread."""
        if conversation not in self.conversations:
            raise Refused("ConversationNotFound", conversation)
        return self.conversations[conversation]

    def place(self, full_id: str) -> tuple[Conversation, str | None]:
        """A conversation and the thread in it that `full_id` names."""
        base, _, suffix = full_id.partition(";")
        home = self.conversation(base)
        if not suffix:
            return home, None
        root = suffix.removeprefix("messageid=")
        if home.kind is not Kind.CHANNEL or root == suffix or not self._is_root(home, root):
            raise Refused("ConversationNotFound", full_id)
        return home, root

    def home_of(self, user: str, conversation: str) -> Conversation:
        """The conversation, if `user` is in it."""
        home = self.conversation(conversation)
        if user not in home.members:
            raise Refused("BotNotInConversationRoster" if user == BOT else "Forbidden", conversation)
        return home

    def message(self, conversation: str, message: str) -> Message:
        found = self.conversation(conversation).messages.get(message)
        if found is None or found.deleted:
            raise Refused("ActivityNotFoundInConversation", message)
        return found

    def thread(self, conversation: str, root: str) -> list[Message]:
        """The root and its replies, oldest first."""
        home = self.conversation(conversation)
        if not self._is_root(home, root):
            raise Refused("ConversationNotFound", root)
        return [one for one in home.shown() if one.thread == root]

    def post(self, author: Person, conversation: str, draft: Draft, now: float) -> Message:
        """Add a message, as its author could."""
        home = self.home_of(author.id, conversation)
        # A reply to a reply splits a conversation silently in Teams; here it fails, so that a test notices.
        if draft.root is not None and (home.kind is not Kind.CHANNEL or not self._is_root(home, draft.root)):
            raise Refused("ConversationNotFound", draft.root)
        message = Message(
            conversation=conversation,
            id=self.next_id(now),
            author=author,
            text=draft.text,
            sent_at=now,
            root=draft.root,
            cards=draft.cards,
            source=draft.source,
            markup=draft.markup,
            mentions=draft.mentions,
            attachments=draft.attachments,
            raw=draft.raw,
            only_for=draft.only_for,
            private_until=now + TARGETED_FOR_S if draft.only_for else 0.0,
        )
        home.messages[message.id] = message
        return message

    def rewrite(self, message: Message, draft: Draft, now: float) -> None:
        """Replace what a message says, for everybody; the old wording goes to its revisions."""
        message.revisions.append(Revision(message.source or message.text, message.cards, now))
        message.text, message.source, message.cards = draft.text, draft.source, draft.cards
        message.markup, message.mentions, message.raw = draft.markup, draft.mentions, draft.raw
        message.views.clear()

    def own(self, author: Person, conversation: str, message: str) -> Message:
        """A message that `author` wrote, and so may edit or delete."""
        self.home_of(author.id, conversation)
        found = self.message(conversation, message)
        if found.author.id != author.id:
            raise Refused("NotEnoughPermissions", "the message is somebody else's")
        return found

    def react(self, user: str, conversation: str, message: str, reaction: str) -> bool:
        """Whether that changed anything: reactions are idempotent."""
        users = self._reactable(user, conversation, message).reactions.setdefault(reaction, [])
        if user in users:
            return False
        users.append(user)
        return True

    def unreact(self, user: str, conversation: str, message: str, reaction: str) -> bool:
        """Whether that changed anything: nobody misses a reaction that is not there."""
        found = self._reactable(user, conversation, message)
        if user not in found.reactions.get(reaction, ()):
            return False
        found.reactions[reaction].remove(user)
        if not found.reactions[reaction]:
            del found.reactions[reaction]
        return True

    def _reactable(self, user: str, conversation: str, message: str) -> Message:
        self.home_of(user, conversation)
        found = self.message(conversation, message)
        if found.only_for is not None:
            raise Refused("BadArgument", "private messages take no reactions")
        return found

    def _is_root(self, home: Conversation, root: str) -> bool:
        found = home.messages.get(root)
        return found is not None and not found.is_reply and found.only_for is None


def personal_chat(user: str) -> str:
    """The id of the chat between a person (`29:ann`) and the bot: `a:ann`."""
    return f"a:{user.partition(':')[2]}"
