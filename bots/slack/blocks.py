"""Block Kit, as far as the story needs it. Pure."""

from collections.abc import Sequence
from typing import Any, Final

from core.mirror.prose import clipped
from core.ports import Payload

Block = dict[str, Any]

SECTION_CHARS: Final = 3_000
LABEL_CHARS: Final = 75
BLOCK_ID_CHARS: Final = 255
BUTTON_VALUE_CHARS: Final = 2_000
MENU_OPTIONS: Final = 100
MENU_VALUE_CHARS: Final = 150


def button(action_id: str, label: str, **extra: str) -> Block:
    return {"type": "button", "action_id": action_id, "text": plain_text(label), **extra}


def plain_text(text: str) -> Block:
    return {"type": "plain_text", "text": clipped(" ".join(text.split()), LABEL_CHARS), "emoji": False}


def context(text: str) -> Block:
    return {"type": "context", "elements": [mrkdwn_text(text)]}


def mrkdwn_text(text: str) -> Block:
    # Verbatim: Slack must not look for mentions and addresses of its own.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def sections(lines: Sequence[str]) -> list[Block]:
    """As few sections as the lines fit in; every line is far shorter than a section."""
    chunks: list[str] = []
    for line in filter(None, lines):
        if chunks and len(chunks[-1]) + 1 + len(line) <= SECTION_CHARS:
            chunks[-1] += f"\n{line}"
        else:
            chunks.append(line)
    return [{"type": "section", "text": mrkdwn_text(chunk)} for chunk in chunks]


def literal(lines: Sequence[str]) -> list[Block]:
    """Lines in which Slack finds no markup, no emoji and nothing to escape."""
    text = "\n".join(filter(None, lines))
    if not text:
        return []
    plain = {"type": "plain_text", "text": clipped(text, SECTION_CHARS), "emoji": False}
    return [{"type": "section", "text": plain}]


def payload(fallback: str, blocks: Sequence[Block]) -> Payload:
    return {"text": fallback, "blocks": list(blocks)}
