"""Whether we are in a conversation: a command in the menu of messages works where we were never added."""

import asyncio
from typing import Final

from bots.teams.address import Address
from bots.teams.connector import Connector, Spot
from core.errors import DeliveryError, TargetGone

ABSENT: Final = (
    "I am not in this conversation, so I could not answer here. Add me (in its apps, or by mentioning me), "
    "then choose this again."
)
ASKED_WITHIN_S: Final = 2.5
"""Teams waits for about five seconds."""


class Presence:
    """Asks Teams each time: people are added and removed."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    async def is_in(self, address: Address) -> bool:
        """Whether Teams lets us see who is there; in doubt it does."""
        try:
            async with asyncio.timeout(ASKED_WITHIN_S):
                await self._connector.members(Spot(address.service_url, address.conversation))
        except TargetGone:
            return False
        except (DeliveryError, TimeoutError):
            return True
        return True
