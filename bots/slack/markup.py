"""Text that Slack shows as it is meant: escaped, and waking nobody up by accident. Pure."""

import re
from typing import Final

from core.mirror.prose import ZERO_WIDTH, around_kept, web_address

URL_CHARS: Final = 1_000

_CONTROL: Final = re.compile(r"<(?=(?i:!(?:channel|here|everyone|group|subteam|date))|@[UWB][A-Z0-9])")
_BROADCAST: Final = re.compile(r"(?<!\w)@(?=(?:channel|here|everyone|group)\b)", re.IGNORECASE)
_IMAGE: Final = re.compile(r"!\[(\]?)")
_BOLD: Final = re.compile(r"\*\*(?=\S)([^*\n]{1,500}?)(?<=\S)\*\*")


def escape(text: str) -> str:
    """Plain text for mrkdwn: no tags, no mentions."""
    return _entities(silence(text))


def mrkdwn(text: str) -> str:
    """One short piece of Markdown as mrkdwn: code, bold and links carry over, everything else is plain."""
    return around_kept(text, lambda prose: _BOLD.sub(r"*\1*", escape(prose)), _kept_in_mrkdwn)


def markdown(text: str) -> str:
    """Markdown from people or a model, for a `markdown` block: no notification, no image that is fetched.

    Slack's own control sequences are broken in code too, where Slack may still read them; a plain `@here` in
    code, addresses and e-mails stays untouched.
    """
    return _CONTROL.sub(f"<{ZERO_WIDTH}", around_kept(text, _quiet_prose, _kept_in_markdown))


def silence(text: str) -> str:
    """`@here` and its kin without their effect."""
    return _BROADCAST.sub(f"@{ZERO_WIDTH}", text)


def link(url: str, label: str) -> str:
    """A mrkdwn link with a plain label; only the label if `url` is not one that people can open."""
    address = safe_url(url)
    return f"<{_entities(address)}|{escape(label)}>" if address else escape(label)


def safe_url(url: str) -> str | None:
    """`url` without characters that would end it early, or None if it is no web address or absurdly long."""
    address = web_address(url)
    return address if address and len(_entities(address)) <= URL_CHARS else None


def _kept_in_mrkdwn(found: re.Match[str]) -> str:
    if found["link"] is not None:
        return link(found["url"], found["label"] or "link")
    return _entities(found[0])


def _kept_in_markdown(found: re.Match[str]) -> str:
    if found["link"] is not None:
        return f"[{silence(found['label']) or 'image'}]({found['url']})"
    return found[0]


def _quiet_prose(text: str) -> str:
    return silence(_IMAGE.sub(lambda found: "[image]" if found[1] else "[", text))


def _entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
