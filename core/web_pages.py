"""Pages for people who install the app or link accounts: plain, without scripts, styles or pictures. Pure."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Final
from urllib.parse import urlsplit

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    # The address holds a ticket or a code.
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def page(title: str, lines: Iterable[str]) -> str:
    """A page with one heading and a paragraph for each line; everything is escaped."""
    body = "".join(f"<p>{escape(line)}</p>\n" for line in lines)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title></head>\n<body><h1>{escape(title)}</h1>\n{body}</body></html>\n"
    )


def confirm(title: str, lines: Iterable[str], label: str, action: str, fields: Mapping[str, str]) -> str:
    """A page with one button, which sends `fields` to `action`."""
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
    )
    form = f'<form method="post" action="{escape(action)}">{hidden}<button>{escape(label)}</button></form>\n'
    return page(title, lines).replace("</body>", f"{form}</body>")


def address_of(public_url: str, path: str) -> str:
    """The address of `path` on this server, for people and for those who send them back to us.

    Args:
        public_url: As browsers reach it, without a path: "https://bot.acme.test".

    Raises:
        ValueError: Not https (plain http is for loopback hosts only: a code must not travel in the clear).
    """
    parts = urlsplit(public_url)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not is_safe or not parts.netloc or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("people can sign in only over an https address without a path")
    return f"{parts.scheme}://{parts.netloc}{path}"
