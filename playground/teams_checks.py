"""Activities of the bot as the connector checks them. Pure."""

import json
from collections.abc import Iterator
from typing import Any, Final

from playground.teams_cards import ADAPTIVE, card_problems, mention_problems
from playground.teams_state import BOT, Conversation, Draft, Kind
from playground.teams_wire import Refused, Wire

MAX_BYTES: Final = 100 * 1024
"""Of the whole activity as UTF-16, images inside of it left out."""

MAX_SUGGESTED: Final = 6
TEXT_FORMATS: Final = {"plain", "markdown", "xml", "extendedmarkdown"}
TYPES: Final = {"message", "typing"}
ENTITIES: Final = {
    "mention",
    "clientInfo",
    "https://schema.org/Message",
    "quotedReply",
    "streaminfo",
    "targetedMessageInfo",
}
OTHER_CARDS: Final = "application/vnd.microsoft."

PROPERTIES: Final = frozenset(
    {
        "attachmentLayout",
        "attachments",
        "channelData",
        "channelId",
        "code",
        "conversation",
        "deliveryMode",
        "entities",
        "expiration",
        "from",
        "id",
        "importance",
        "inputHint",
        "label",
        "locale",
        "name",
        "recipient",
        "relatesTo",
        "replyToId",
        "serviceUrl",
        "speak",
        "suggestedActions",
        "summary",
        "text",
        "textFormat",
        "timestamp",
        "topicName",
        "type",
        "value",
        "valueType",
    }
)

Problems = Iterator[str]


def draft_of(body: object, home: Conversation, *, is_targeted: bool, is_edit: bool) -> Draft:
    """Read what the bot wants to say in `home`.

    Raises:
        Refused: `MessageSizeTooBig`, or `BadSyntax` with everything that is wrong.
    """
    if not isinstance(body, dict):
        raise Refused("BadSyntax", "the activity must be an object")
    if size(body) > MAX_BYTES:
        raise Refused("MessageSizeTooBig", f"{size(body)} bytes, {MAX_BYTES} are allowed")
    problems = [*_problems(body, home), *_recipient(body, home, is_targeted=is_targeted, is_edit=is_edit)]
    if problems:
        raise Refused("BadSyntax", "; ".join(problems))
    attachments = tuple(body.get("attachments") or ())
    return Draft(
        text=body.get("text") or "",
        cards=tuple(one["content"] for one in attachments if one["contentType"] == ADAPTIVE),
        attachments=attachments,
        raw=body,
        only_for=body["recipient"]["id"] if is_targeted and not is_edit else None,
    )


def size(body: Wire) -> int:
    """Bytes of the activity as UTF-16, without images that stand in it as data."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    images = sum(len(url) for url in _texts(body) if url.startswith("data:image/"))
    return len(text.encode("utf-16-le", "surrogatepass")) - 2 * images


def _texts(node: object) -> Iterator[str]:
    match node:
        case str():
            yield node
        case dict():
            for value in node.values():
                yield from _texts(value)
        case list():
            for value in node:
                yield from _texts(value)
        case _:
            return


def _problems(body: Wire, home: Conversation) -> Problems:
    if body.get("type") not in TYPES:
        yield f"type must be one of {' '.join(sorted(TYPES))}"
    for name in sorted(body.keys() - PROPERTIES):
        yield f"unknown property {name}"
    for name in ("text", "summary", "speak"):
        if not isinstance(body.get(name) or "", str):
            yield f"{name} must be a text"
    if body.get("textFormat", "markdown") not in TEXT_FORMATS:
        yield f"textFormat must be one of {' '.join(sorted(TEXT_FORMATS))}"
    if not isinstance(body.get("channelData") or {}, dict):
        yield "channelData must be an object"
    yield from _addressing(body, home)
    yield from _attachments(body)
    yield from _entities(body, home)
    yield from _suggested(body, home)
    if body.get("type") == "message" and not body.get("text") and not body.get("attachments"):
        yield "a message needs text or attachments"


def _addressing(body: Wire, home: Conversation) -> Problems:
    match body.get("from"):
        case None:
            pass
        case {"id": author} if author == BOT:
            pass
        case _:
            yield "from must be the bot"
    match body.get("conversation"):
        case None:
            pass
        case {"id": str(conversation)} if conversation.partition(";")[0] == home.id:
            pass
        case _:
            yield "conversation must be the one of the address"


def _attachments(body: Wire) -> Problems:
    attachments = body.get("attachments") or []
    if not isinstance(attachments, list):
        yield "attachments must be a list"
        return
    for number, attachment in enumerate(attachments):
        match attachment:
            case {"contentType": kind, "content": content} if kind == ADAPTIVE:
                yield from (f"attachments[{number}]: {problem}" for problem in card_problems(content))
            case {"contentType": str(kind), "content": dict()} if kind.startswith(OTHER_CARDS):
                pass
            case {"contentType": str(kind), "contentUrl": str()} if kind.startswith("image/"):
                pass
            case _:
                yield f"attachments[{number}]: needs a card with content, or an image with contentUrl"


def _entities(body: Wire, home: Conversation) -> Problems:
    entities: Any = body.get("entities") or []
    text = body.get("text")
    yield from mention_problems([text] if isinstance(text, str) else [], entities, "activity")
    for entity in entities if isinstance(entities, list) else ():
        if not isinstance(entity, dict) or entity.get("type") not in ENTITIES:
            yield f"unknown entity {entity.get('type') if isinstance(entity, dict) else entity}"
    yield from _strangers(body, home)


def _strangers(body: Wire, home: Conversation) -> Problems:
    """Only who is in the conversation can be mentioned."""
    for node in _objects(body):
        match node:
            case {"type": "mention", "mentioned": {"id": str(user)}} if user not in home.members:
                yield f"{user} is not in the conversation"


def _objects(node: object) -> Iterator[Wire]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from _objects(value)


def _suggested(body: Wire, home: Conversation) -> Problems:
    match body.get("suggestedActions"):
        case None:
            return
        case {"actions": [*actions]} if home.kind is Kind.PERSONAL and len(actions) <= MAX_SUGGESTED:
            return
        case _:
            yield f"suggestedActions: only in a personal chat, no more than {MAX_SUGGESTED} actions"


def _recipient(body: Wire, home: Conversation, *, is_targeted: bool, is_edit: bool) -> Problems:
    recipient = body.get("recipient")
    says_targeted = isinstance(recipient, dict) and recipient.get("isTargeted") is True
    if not is_targeted:
        if says_targeted:
            yield "recipient.isTargeted goes with ?isTargetedActivity=true"
    elif home.kind is Kind.PERSONAL:
        yield "private messages are for channels and group chats"
    elif is_edit:
        if recipient is not None:
            yield "an edit of a private message names no recipient"
    elif not says_targeted or not isinstance(recipient, dict) or recipient.get("id") not in home.members:
        yield "a private message needs a recipient of the conversation with isTargeted"
