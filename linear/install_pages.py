"""What people see while they install the app: plain pages without scripts, styles or pictures. Pure."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Final

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    # The address holds a ticket or a code.
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


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


def connected(organization: str, app: str, missing_scopes: Iterable[str]) -> str:
    """The end of an install that worked."""
    lines = [f"It acts there as {app}. The tokens are stored encrypted on this server."]
    if missing := ", ".join(missing_scopes):
        lines.append(f"Linear did not grant: {missing}. What needs it will not work; install the app again.")
    lines += [
        "Next: in Linear, open Settings > Applications and choose the teams it may see.",
        f"Then mention @{app} in an issue, or delegate an issue to it.",
        "If nothing happens: the server needs the webhook signing secret of the OAuth app"
        " (THREADLINE_LINEAR__WEBHOOK_SECRET).",
        "You can close this page.",
    ]
    return page(f"Threadline is connected to {organization}", lines)
