"""Arguments of a Web API call: form fields, query, or JSON, read the same way."""

import json
from collections.abc import Mapping
from typing import Any

from playground.slack_wire import Refused


class Args:
    """Typed access; what is missing or of the wrong kind raises Slack's refusal."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    def has(self, name: str) -> bool:
        return self._fields.get(name) not in (None, "")

    def text(self, name: str) -> str:
        if not self.has(name):
            raise Refused(
                "invalid_arguments",
                response_metadata={"messages": [f"[ERROR] missing required field: {name}"]},
            )
        return str(self._fields[name])

    def optional(self, name: str) -> str | None:
        return str(self._fields[name]) if self.has(name) else None

    def flag(self, name: str) -> bool:
        return self._fields.get(name) in (True, 1, "1", "true", "True")

    def number(self, name: str, default: int) -> int:
        if not self.has(name):
            return default
        try:
            return int(self._fields[name])
        except (TypeError, ValueError):
            raise Refused("invalid_arguments") from None

    def mapping(self, name: str, refusal: str) -> dict[str, Any] | None:
        value = self._json(name, refusal)
        if value is not None and not isinstance(value, dict):
            raise Refused(refusal)
        return value

    def items(self, name: str, refusal: str) -> list[Any]:
        """A JSON list; empty if it is missing."""
        value = self._json(name, refusal)
        if value is not None and not isinstance(value, list):
            raise Refused(refusal)
        return value or []

    def _json(self, name: str, refusal: str) -> Any:
        value = self._fields.get(name)
        if not isinstance(value, str) or not value:
            return value or None
        try:
            return json.loads(value)
        except ValueError:
            raise Refused(refusal) from None
