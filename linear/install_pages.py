"""What people see when they have installed the app. Pure."""

from collections.abc import Iterable

from core.web_pages import page


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
