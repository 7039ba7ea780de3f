"""What groups of settings have in common."""

import re
from collections.abc import Iterator

from pydantic import AfterValidator, BaseModel, ConfigDict


class Group(BaseModel):
    """Settings that are read together; immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    @property
    def on(self) -> bool:
        """Whether there are credentials for it."""
        return False

    def half_set(self) -> Iterator[tuple[str, str]]:
        """Fields that must be set because others are, and why."""
        yield from ()


def matching(pattern: str, message: str) -> AfterValidator:
    """The whole text must match `pattern`; `message` fits behind the key."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(message)
        return value

    return AfterValidator(check)
