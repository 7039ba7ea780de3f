"""Text that Slack shows as it is meant: escaped, and waking nobody up by accident. Pure."""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, urlsplit

ZERO_WIDTH: Final = "\u200b"
"""Breaks a mention apart: the text looks the same and notifies nobody."""

URL_CHARS: Final = 1_000

_KEPT: Final = re.compile(
    r"(?P<fenced>^[ ]{0,3}(?P<fence>`{3,}|~{3,})[^\n]*"
    r"(?:\n(?![ \t]*(?P=fence))[^\n]*)*(?:\n[ \t]*(?P=fence)[^\n]*)?)"
    r"|(?P<code>(?<!`)(?P<ticks>`{1,8})(?!`)[^`\n]+(?P=ticks)(?!`))"
    r"|(?P<link>!?\[(?P<label>[^\[\]\n]{0,500})\]\((?P<url>https?://[^()\s<>|]{1,2000})\))"
    r"|(?P<address>https?://[^\s<>|]+)"
    r"|(?P<email>(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+)",
    re.MULTILINE,
)
_CONTROL: Final = re.compile(r"<(?=(?i:!(?:channel|here|everyone|group|subteam|date))|@[UWB][A-Z0-9])")
_BROADCAST: Final = re.compile(r"(?<!\w)@(?=(?:channel|here|everyone|group)\b)", re.IGNORECASE)
_IMAGE: Final = re.compile(r"!\[(\]?)")
_BOLD: Final = re.compile(r"\*\*(?=\S)([^*\n]{1,500}?)(?<=\S)\*\*")

_Replace = Callable[[str], str]
_ReplaceKept = Callable[[re.Match[str]], str]


def escape(text: str) -> str:
    """Plain text for mrkdwn: no tags, no mentions."""
    return _entities(silence(text))


def mrkdwn(text: str) -> str:
    """One short piece of Markdown as mrkdwn: code, bold and links carry over, everything else is plain."""
    return _around_kept(text, lambda prose: _BOLD.sub(r"*\1*", escape(prose)), _kept_in_mrkdwn)


def markdown(text: str) -> str:
    """Markdown from people or a model, for a `markdown` block: no notification, no image that is fetched.

    Slack's own control sequences are broken in code too, where Slack may still read them; a plain `@here` in
    code, addresses and e-mails stays untouched.
    """
    return _CONTROL.sub(f"<{ZERO_WIDTH}", _around_kept(text, _quiet_prose, _kept_in_markdown))


def silence(text: str) -> str:
    """`@here` and its kin without their effect."""
    return _BROADCAST.sub(f"@{ZERO_WIDTH}", text)


def link(url: str, label: str) -> str:
    """A mrkdwn link with a plain label; only the label if `url` is not one that people can open."""
    address = safe_url(url)
    return f"<{_entities(address)}|{escape(label)}>" if address else escape(label)


def safe_url(url: str) -> str | None:
    """`url` without characters that would end it early, or None if it is no web address or absurdly long."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return None
    address = quote(url, safe="%/:=&?~#+!$,;'@()*[]-._")
    return address if len(_entities(address)) <= URL_CHARS else None


def clipped(text: str, limit_chars: int) -> str:
    """At most `limit_chars`, with an ellipsis for what is missing."""
    return text if len(text) <= limit_chars else text[: limit_chars - 1].rstrip() + "…"


def clipped_as(escaped: _Replace, text: str, limit_chars: int) -> str:
    """`escaped(text)` in at most `limit_chars` (20 at least): cut before, so that no entity is torn."""
    keep = limit_chars
    whole = escaped(clipped(text, keep))
    while len(whole) > limit_chars:
        # Escaping lengthens up to twelve times, so a few rounds are enough.
        keep -= max(1, (len(whole) - limit_chars) // 12)
        whole = escaped(clipped(text, keep))
    return whole


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


def _around_kept(text: str, prose: _Replace, kept: _ReplaceKept) -> str:
    """`kept` for code, links, addresses and e-mails; `prose` for what stands between them."""
    parts: list[str] = []
    end = 0
    for found in _KEPT.finditer(text):
        parts += [prose(text[end : found.start()]), kept(found)]
        end = found.end()
    return "".join([*parts, prose(text[end:])])


def _entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
