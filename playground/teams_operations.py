"""The calls a bot may make, from what it sent to an answer. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from playground.teams_checks import draft_of
from playground.teams_state import APP_ID, BOT, Conversation, Kind, Message, Person, Workspace, personal_chat
from playground.teams_wire import Refused, Wire

REACTIONS: Final = {
    "like",
    "heart",
    "laugh",
    "surprised",
    "sad",
    "angry",
    "launch",
    "think",
    "yes",
    "no",
    "fire",
    "clappinghands",
    "handsinair",
    "foldedhands",
}
"""Reactions whose id is only a name; all others begin with the code points, like `1f440_eyes`."""

CODED: Final = re.compile(r"[0-9a-f]{2,6}(-[0-9a-f]{2,6})*_[a-z0-9]+(-tone[1-5])?")
MAX_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Call:
    """One call by the bot, after token and rate were checked.

    `path` has `conversation`, `activity`, `user` and `reaction` as far as the address names them.
    """

    workspace: Workspace
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    now: float

    @property
    def is_targeted(self) -> bool:
        return self.query.get("isTargetedActivity", "").lower() == "true"

    def place(self) -> tuple[Conversation, str | None]:
        """Where the call is about, if the bot is there."""
        home, root = self.workspace.place(self.path["conversation"])
        self.workspace.home_of(BOT, home.id)
        return home, root

    def message(self) -> Message:
        """The message that the path names, in the thread that it names."""
        home, root = self.place()
        found = self.workspace.message(home.id, self.path["activity"])
        if root is not None and found.thread != root:
            raise Refused("ActivityNotFoundInConversation", found.id)
        return found

    def own_message(self) -> Message:
        found = self.message()
        if (found.only_for is not None) != self.is_targeted or self._has_vanished(found):
            raise Refused("ActivityNotFoundInConversation", found.id)
        return self.workspace.own(self.workspace.bot, found.conversation, found.id)

    def _has_vanished(self, message: Message) -> bool:
        return message.only_for is not None and self.now >= message.private_until


@dataclass(frozen=True, slots=True)
class Done:
    status: int = 200
    answer: Wire | list[Wire] | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """`kind` counts for limits, faults and the log; `path` is below `/{region}/{tenant}/v3`."""

    kind: str
    verb: str
    path: str
    run: Callable[[Call], Done]


def send(call: Call) -> Done:
    home, root = call.place()
    draft = draft_of(call.body, home, is_targeted=call.is_targeted, is_edit=False)
    if call.body["type"] == "typing":
        return Done(201, {"id": call.workspace.next_id(call.now)})
    draft.root = root
    return Done(201, {"id": call.workspace.post(call.workspace.bot, home.id, draft, call.now).id})


def update(call: Call) -> Done:
    message = call.own_message()
    home = call.workspace.conversation(message.conversation)
    draft = draft_of(call.body, home, is_targeted=call.is_targeted, is_edit=True)
    call.workspace.rewrite(message, draft, call.now)
    return Done(200, {"id": message.id})


def delete(call: Call) -> Done:
    call.own_message().deleted = True
    return Done()


def create(call: Call) -> Done:
    """A chat with one person, or a new thread in a channel."""
    match call.body:
        case {"isGroup": True, "channelData": {"channel": {"id": str(channel)}}, "activity": dict(activity)}:
            return _new_thread(call, channel, activity)
        case {"members": [{"id": str(user)}]} if not call.body.get("isGroup"):
            return _personal_chat(call, user)
        case _:
            raise Refused("BadSyntax", "needs one member, or isGroup with a channel and an activity")


def add_reaction(call: Call) -> Done:
    call.workspace.react(BOT, call.message().conversation, call.path["activity"], _reaction(call))
    return Done()


def remove_reaction(call: Call) -> Done:
    call.workspace.unreact(BOT, call.message().conversation, call.path["activity"], _reaction(call))
    return Done()


def members(call: Call) -> Done:
    return Done(200, [account(person) for person in _roster(call)])


def member(call: Call) -> Done:
    """One member by the id, the Entra object id or the principal name."""
    wanted = call.path["user"]
    for person in _roster(call):
        if wanted in (person.id, person.object_id, person.principal):
            return Done(200, account(person))
    raise Refused("MemberNotFoundInConversation", wanted)


def paged_members(call: Call) -> Done:
    people = _roster(call)
    try:
        length, start = int(call.query.get("pageSize", 200)), int(call.query.get("continuationToken", 0))
    except ValueError:
        raise Refused("BadArgument", "pageSize and continuationToken") from None
    if not 1 <= length <= MAX_PAGE or start < 0:
        raise Refused("BadArgument", f"pageSize must be 1 to {MAX_PAGE}")
    page: Wire = {"members": [account(person) for person in people[start : start + length]]}
    if start + length < len(people):
        page["continuationToken"] = str(start + length)
    return Done(200, page)


def account(person: Person) -> Wire:
    """A member as the connector shows it."""
    known = {"email": person.email, "userPrincipalName": person.principal}
    return {
        "id": person.id,
        "name": person.name,
        "aadObjectId": person.object_id,
        "objectId": person.object_id,
        "tenantId": person.tenant,
        "userRole": "guest" if "#EXT#" in (person.principal or "") else "user",
        **{name: value for name, value in known.items() if value is not None},
    }


OPERATIONS: Final = (
    Operation("create", "POST", "/conversations", create),
    Operation("send", "POST", "/conversations/{conversation}/activities", send),
    # The id of what is replied to means nothing: only the conversation's id says which thread it is.
    Operation("send", "POST", "/conversations/{conversation}/activities/{activity}", send),
    Operation("update", "PUT", "/conversations/{conversation}/activities/{activity}", update),
    Operation("delete", "DELETE", "/conversations/{conversation}/activities/{activity}", delete),
    Operation(
        "react",
        "PUT",
        "/conversations/{conversation}/activities/{activity}/reactions/{reaction}",
        add_reaction,
    ),
    Operation(
        "unreact",
        "DELETE",
        "/conversations/{conversation}/activities/{activity}/reactions/{reaction}",
        remove_reaction,
    ),
    Operation("members", "GET", "/conversations/{conversation}/members", members),
    Operation("member", "GET", "/conversations/{conversation}/members/{user}", member),
    Operation("paged_members", "GET", "/conversations/{conversation}/pagedmembers", paged_members),
)


def _new_thread(call: Call, channel: str, activity: Wire) -> Done:
    home, root = call.workspace.place(channel)
    if home.kind is not Kind.CHANNEL or root is not None:
        raise Refused("BadArgument", "threads begin in channels")
    call.workspace.home_of(BOT, home.id)
    draft = draft_of(activity, home, is_targeted=False, is_edit=False)
    message = call.workspace.post(call.workspace.bot, home.id, draft, call.now)
    return Done(201, {"id": home.full_id(message), "activityId": message.id})


def _personal_chat(call: Call, user: str) -> Done:
    person = call.workspace.person(user)
    match call.body.get("bot"):
        case None:
            pass
        case {"id": bot} if bot in (BOT, APP_ID):
            pass
        case _:
            raise Refused("BadArgument", "bot must be the caller")
    match call.body:
        case {"tenantId": tenant} | {"channelData": {"tenant": {"id": tenant}}} if tenant == person.tenant:
            pass
        case _:
            raise Refused("BadSyntax", "needs the person's tenant")
    home = call.workspace.home_of(BOT, personal_chat(user))
    activity = call.body.get("activity")
    if activity is None:
        return Done(201, {"id": home.id})
    draft = draft_of(activity, home, is_targeted=False, is_edit=False)
    message = call.workspace.post(call.workspace.bot, home.id, draft, call.now)
    return Done(201, {"id": home.id, "activityId": message.id})


def _reaction(call: Call) -> str:
    reaction = call.path["reaction"]
    if reaction not in REACTIONS and not CODED.fullmatch(reaction):
        raise Refused("BadArgument", f"unknown reaction {reaction}")
    return reaction


def _roster(call: Call) -> list[Person]:
    """The people of the conversation; bots are not on it."""
    home, _ = call.place()
    people = sorted(home.members)
    return [call.workspace.people[user] for user in people if not call.workspace.people[user].is_bot]
