"""Fields of a control call, typed; what is missing or of the wrong kind is refused."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from playground.teams_wire import Refused, Wire

Choice = TypeVar("Choice", bound=StrEnum)


class Fields:
    """What a control call brought, from JSON, a form or a query."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    def text(self, name: str) -> str:
        found = self.optional(name)
        if found is None:
            raise Refused("MissingProperty", name)
        return found

    def optional(self, name: str) -> str | None:
        value = self._fields.get(name)
        return None if value in (None, "") else str(value)

    def flag(self, name: str) -> bool:
        return self._fields.get(name) in (True, 1, "1", "true", "True")

    def number(self, name: str, default: int) -> int:
        try:
            return int(self._fields.get(name, default))
        except (TypeError, ValueError):
            raise Refused("BadArgument", name) from None

    def choice(self, name: str, among: type[Choice]) -> Choice:
        try:
            return among(self.text(name))
        except ValueError:
            raise Refused("BadArgument", name) from None

    def items(self, name: str) -> list[str]:
        value = self._fields.get(name) or []
        if not isinstance(value, list):
            raise Refused("BadArgument", name)
        return [str(each) for each in value]

    def mapping(self, name: str) -> Wire:
        value = self._fields.get(name) or {}
        if not isinstance(value, dict):
            raise Refused("BadArgument", name)
        return value

    def contents(self, name: str) -> dict[str, bytes]:
        """Name -> content of files, written as texts."""
        return {file: str(text).encode() for file, text in self.mapping(name).items()}
