"""What Teams sends, as short to write down as possible."""

from datetime import UTC, datetime
from typing import Any

from bots.teams.events import Admission
from core.activities import Author
from core.ids import MessageRef, ThreadRef

TENANT = "ac3e0000-0000-4000-8000-000000000001"
BOT = "28:b0700000-0000-4000-8000-00000000000b"
ENG = "19:eng@thread.tacv2"
GROUP = "19:group@thread.v2"
ANN = Author("teams", f"{TENANT}/29:ann", "Ann")
ADMISSION = Admission(tenants=frozenset({TENANT}))
MENTION = {"type": "mention", "text": "<at>linear</at>", "mentioned": {"id": BOT, "name": "linear"}}
CLIENT = {"type": "clientInfo", "locale": "en-GB", "platform": "Web"}

SENT_AT = 1_795_255_331.0
"""When, seconds since the epoch."""

ROOT = MessageRef(ThreadRef("teams", TENANT, ENG, "1700"), "1700")
"""A message of Ann's that begins a thread in the channel."""


def activity(**changes: Any) -> dict[str, Any]:
    """A root message of Ann's in the channel; a change to None removes the field."""
    base = {
        "type": "message",
        "id": "1700",
        "timestamp": datetime.fromtimestamp(SENT_AT, UTC).isoformat(),
        "channelId": "msteams",
        "serviceUrl": f"https://smba.trafficmanager.net/amer/{TENANT}/",
        "from": {"id": "29:ann", "name": "Ann", "aadObjectId": "0a11"},
        "recipient": {"id": BOT, "name": "linear"},
        "conversation": {
            "id": f"{ENG};messageid=1700",
            "conversationType": "channel",
            "tenantId": TENANT,
            "isGroup": True,
        },
        "channelData": {
            "tenant": {"id": TENANT},
            "channel": {"id": ENG},
            "team": {"id": "19:t@thread.tacv2"},
        },
    }
    return {name: value for name, value in (base | changes).items() if value is not None}


def html(markup: str) -> list[dict[str, Any]]:
    return [{"contentType": "text/html", "content": markup}]


def message(text: str = "hello", /, **changes: Any) -> dict[str, Any]:
    """As flat text only."""
    return activity(**{"text": text, "textFormat": "plain", "entities": [CLIENT]} | changes)


def mention(text: str = "fix it", /, **changes: Any) -> dict[str, Any]:
    """With us mentioned at its beginning."""
    fields = {"text": f"<at>linear</at> {text}", "entities": [MENTION, CLIENT]}
    return message(**fields | changes)


def reply(text: str = "hello", /, **changes: Any) -> dict[str, Any]:
    """In the thread under 1700."""
    return message(text, **{"id": "1800"} | changes)


def personal(**changes: Any) -> dict[str, Any]:
    """Ann's chat with us; it has no threads."""
    conversation = {"id": "a:ann", "conversationType": "personal", "tenantId": TENANT}
    return message(**{"conversation": conversation, "channelData": {"tenant": {"id": TENANT}}} | changes)


def group(text: str = "hello", /, **changes: Any) -> dict[str, Any]:
    conversation = {"id": GROUP, "conversationType": "groupChat", "tenantId": TENANT, "isGroup": True}
    return message(
        text, **{"conversation": conversation, "channelData": {"tenant": {"id": TENANT}}} | changes
    )


def reaction(name: str = "274c_crossmark", /, **changes: Any) -> dict[str, Any]:
    """To message 1801; it comes without its thread."""
    fields = {
        "type": "messageReaction",
        "id": "f:react-1",
        "conversation": {"id": ENG, "conversationType": "channel", "tenantId": TENANT},
        "replyToId": "1801",
        "reactionsAdded": [{"type": name}],
    }
    return activity(**fields | changes)


def invoke(name: str, value: object, **changes: Any) -> dict[str, Any]:
    """About the card 1801 in the thread under 1700."""
    fields = {"type": "invoke", "id": "f:invoke-1", "name": name, "value": value, "replyToId": "1801"}
    return activity(**fields | changes)


def executed(data: object, *, trigger: str = "manual", **changes: Any) -> dict[str, Any]:
    """A press of an Action.Execute."""
    action = {"type": "Action.Execute", "verb": "any", "data": data}
    return invoke("adaptiveCard/action", {"action": action, "trigger": trigger}, **changes)


def submitted(data: object, **changes: Any) -> dict[str, Any]:
    """A press of an Action.Submit."""
    return activity(
        **{"id": "f:submit-1", "replyToId": "1801", "value": data, "entities": [CLIENT]} | changes
    )
