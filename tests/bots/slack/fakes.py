"""Fakes for the Slack adapter's tests."""

from core.errors import StoreUnavailable
from core.events import Incoming
from core.ports import Receipt


class FakeInbox:
    """Keeps what it accepts, once per key; refuses while `is_down`."""

    def __init__(self) -> None:
        self.accepted: dict[str, Incoming] = {}
        self.asked: list[str] = []
        self.is_down = False
        self.fails_with: Exception | None = None

    async def accept(self, incoming: Incoming) -> Receipt:
        self.asked.append(incoming.key)
        if self.fails_with is not None:
            raise self.fails_with
        if self.is_down:
            raise StoreUnavailable("the disk is full")
        if incoming.key in self.accepted:
            return Receipt.DUPLICATE
        self.accepted[incoming.key] = incoming
        return Receipt.ACCEPTED
