"""Markdown taken apart as far as every surface needs it: code, links and addresses, and prose. Pure."""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, urlsplit

ZERO_WIDTH: Final = "\u200b"
"""Breaks a mention or a tag apart: the text looks the same and does nothing."""

_KEPT: Final = re.compile(
    r"(?P<fenced>^[ ]{0,3}(?P<fence>`{3,}|~{3,})[^\n]*"
    r"(?:\n(?![ \t]*(?P=fence))[^\n]*)*(?:\n[ \t]*(?P=fence)[^\n]*)?)"
    r"|(?P<code>(?<!`)(?P<ticks>`{1,8})(?!`)[^`\n]+(?P=ticks)(?!`))"
    r"|(?P<link>!?\[(?P<label>[^\[\]\n]{0,500})\]\((?P<url>https?://[^()\s<>|]{1,2000})\))"
    r"|(?P<address>https?://[^\s<>|]+)"
    r"|(?P<email>(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+)",
    re.MULTILINE,
)

Replace = Callable[[str], str]
ReplaceKept = Callable[[re.Match[str]], str]
"""Of the groups `fenced`, `code`, `link` (with `label` and `url`), `address` and `email` one is set."""


def around_kept(text: str, prose: Replace, kept: ReplaceKept) -> str:
    """`kept` for code, links, addresses and e-mails; `prose` for what stands between them."""
    parts: list[str] = []
    end = 0
    for found in _KEPT.finditer(text):
        parts += [prose(text[end : found.start()]), kept(found)]
        end = found.end()
    return "".join([*parts, prose(text[end:])])


def web_address(url: str) -> str | None:
    """`url` without characters that would end it early, or None if it is no web address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return None
    return quote(url, safe="%/:=&?~#+!$,;'@()*[]-._")


def clipped(text: str, limit_chars: int) -> str:
    """At most `limit_chars`, with an ellipsis for what is missing."""
    return text if len(text) <= limit_chars else text[: limit_chars - 1].rstrip() + "…"


def clipped_as(escaped: Replace, text: str, limit_chars: int) -> str:
    """`escaped(text)` in at most `limit_chars` (20 at least): cut before, so that no entity is torn."""
    keep = limit_chars
    whole = escaped(clipped(text, keep))
    while len(whole) > limit_chars:
        # Escaping lengthens up to twelve times, so a few rounds are enough.
        keep -= max(1, (len(whole) - limit_chars) // 12)
        whole = escaped(clipped(text, keep))
    return whole
