"""Where in Teams something is: threads of ours, and what a bot must know to write there. Pure.

Only here are conversation ids put together and taken apart. Channels have threads, named by
`;messageid=` and their root; a personal or group chat is one thread.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bots.teams.wire import Activity, MalformedActivity, parsed
from core.ids import ThreadRef

SURFACE: Final = "teams"
PATH: Final = "/api/messages"
"""Where Teams reaches us."""
CHAT: Final = "chat"
"""The root of a conversation without threads."""

CHANNEL: Final = "channel"
PERSONAL: Final = "personal"
GROUP: Final = "groupChat"
_SUFFIX: Final = ";messageid="
_ABOUT_MESSAGES: Final = frozenset({"message", "messageUpdate", "messageDelete", "messageReaction", "invoke"})


@dataclass(frozen=True, slots=True)
class Address:
    """What the newest activity told of a conversation; `service_url` may change from one to the next.

    Attributes:
        conversation: Its id without a thread.
        conversation_type: "channel", "groupChat" or "personal".
        bot_id: Our account there, `28:...`.
    """

    tenant: str
    service_url: str
    conversation: str
    conversation_type: str
    bot_id: str
    bot_name: str


def address_of(body: Mapping[str, Any]) -> Address:
    """The address that an activity came from; raises `MalformedActivity`."""
    activity = parsed(Activity, body)
    if not activity.service_url:
        raise MalformedActivity("the activity names no serviceUrl")
    return Address(
        tenant=activity.tenant,
        service_url=activity.service_url,
        conversation=base_of(activity.conversation.id),
        conversation_type=kind_of(activity),
        bot_id=activity.recipient.id,
        bot_name=activity.recipient.name or "",
    )


def thread_ref(body: Mapping[str, Any]) -> ThreadRef:
    """The thread that an activity belongs to; raises `MalformedActivity`."""
    return thread_of(parsed(Activity, body))


def thread_of(activity: Activity) -> ThreadRef:
    """The same for one that is parsed already."""
    return ThreadRef(SURFACE, activity.tenant, base_of(activity.conversation.id), _root(activity))


def conversation_id(thread: ThreadRef) -> str:
    """What the connector calls the thread."""
    return thread.conversation if thread.root == CHAT else f"{thread.conversation}{_SUFFIX}{thread.root}"


def root_of(conversation: str) -> str | None:
    """The root that a conversation's id names; None if it names no thread."""
    _, _, suffix = conversation.partition(_SUFFIX)
    root = suffix.partition(";")[0]
    return _checked(root) if root else None


def base_of(conversation: str) -> str:
    """A conversation's id without its thread."""
    return conversation.partition(";")[0]


def kind_of(activity: Activity) -> str:
    """The type of the conversation. One that is not named is taken for a group: there we wait to be asked."""
    return activity.conversation.conversation_type or GROUP


def _root(activity: Activity) -> str:
    if kind_of(activity) != CHANNEL:
        return CHAT
    if root := root_of(activity.conversation.id):
        return root
    if activity.type in _ABOUT_MESSAGES:
        # Some come without the suffix: then they are about the message they reply to, or begin a thread.
        return _checked(activity.reply_to_id or activity.own_id)
    return CHAT


def _checked(root: str) -> str:
    if "/" in root:
        raise MalformedActivity("the id of a thread's root has a slash in it")
    return root
