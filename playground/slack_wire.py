"""What every part of the Slack stand-in shares: the shape of JSON, and how a call is refused."""

from typing import Any

Wire = dict[str, Any]
"""One JSON object as it crosses the wire."""


class Refused(Exception):
    """Slack answers `{"ok": false, "error": ...}`; `detail` is merged into that answer."""

    def __init__(self, error: str, **detail: Any) -> None:
        super().__init__(error)
        self.error = error
        self.detail: Wire = detail
