"""What Slack sends, as short to write down as possible."""

from typing import Any

from core.activities import Author
from core.ids import MessageRef, ThreadRef

BOT = "U0BOT"
ANN = Author("slack", "T0001/U0ANN", "U0ANN")


def envelope(event: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """An Events API envelope of workspace T0001, where our bot is U0BOT of app A0001."""
    return {
        "type": "event_callback",
        "team_id": "T0001",
        "api_app_id": "A0001",
        "event_id": "Ev01",
        "event": event,
        "authorizations": [{"team_id": "T0001", "user_id": BOT, "is_bot": True}],
    } | changes


def message(text: str = "hello", **changes: Any) -> dict[str, Any]:
    """A `message` event of Ann's in #eng; a change to None removes the field."""
    base = {
        "type": "message",
        "channel": "C0001",
        "channel_type": "channel",
        "user": "U0ANN",
        "text": text,
        "ts": "17.000100",
    }
    return {name: value for name, value in (base | changes).items() if value is not None}


def reply(text: str = "hello", **changes: Any) -> dict[str, Any]:
    """Ann's answer in the thread under 17.000100."""
    return message(text, **{"ts": "18.000200", "thread_ts": "17.000100"} | changes)


def changed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "message",
        "subtype": "message_changed",
        "channel": "C0001",
        "ts": "20.000000",
        "message": after,
        "previous_message": before,
    }


def edited(text: str, *, by: str = "U0ANN", **fields: Any) -> dict[str, Any]:
    """The reply after an edit."""
    return reply(text, edited={"user": by, "ts": "19.000000"}, **fields)


def deleted(gone: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "message",
        "subtype": "message_deleted",
        "channel": "C0001",
        "ts": "20.000000",
        "deleted_ts": gone["ts"],
        "previous_message": gone,
    }


def reaction(name: str = "x", **changes: Any) -> dict[str, Any]:
    return {
        "type": "reaction_added",
        "user": "U0ANN",
        "reaction": name,
        "item": {"type": "message", "channel": "C0001", "ts": "18.000200"},
        "item_user": BOT,
        "event_ts": "21.000000",
    } | changes


def click(action: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A `block_actions` payload for a message in the thread under 17.000100."""
    return {
        "type": "block_actions",
        "team": {"id": "T0001"},
        "user": {"id": "U0ANN", "name": "ann", "team_id": "T0001"},
        "container": {
            "type": "message",
            "message_ts": "18.000200",
            "channel_id": "C0001",
            "thread_ts": "17.000100",
        },
        "actions": [{"block_id": "b", "action_ts": "22.000000"} | action],
    } | changes


def thread(root: str = "17.000100") -> ThreadRef:
    return ThreadRef("slack", "T0001", "C0001", root)


def ref(ts: str, root: str = "17.000100") -> MessageRef:
    return MessageRef(thread(root), ts)


def sent_form(metadata: str, words: str | None = "Rename it.", **user: str) -> dict[str, Any]:
    """A `view_submission` of the form for changes."""
    return {
        "type": "view_submission",
        "team": {"id": "T0001"},
        "user": {"id": "U0ANN", "name": "ann", "team_id": "T0001"} | user,
        "view": {
            "id": "V1",
            "type": "modal",
            "callback_id": "review",
            "private_metadata": metadata,
            "state": {"values": {"words": {"text": {"type": "plain_text_input", "value": words}}}},
        },
    }
