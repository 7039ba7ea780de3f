"""Wishes that wait until their person has linked an account at the code host."""

import logging

from core.activities import Author
from core.errors import DeliveryError
from core.ports import Accounts
from core.pulls import CodeAccount
from core.store.acts import Act, ActStore

log = logging.getLogger(__name__)


class HeldWishes:
    """Lets them go on, whichever of their accounts in chat people asked from."""

    def __init__(self, acts: ActStore, accounts: Accounts) -> None:
        self._acts = acts
        self._accounts = accounts

    async def release(self, person: Author) -> None:
        """`person` has linked an account just now."""
        held, account = await self._acts.held(), await self._known(person)
        await self._acts.release([one.act for one in held if await self._is_theirs(one.act, person, account)])

    async def release_all(self) -> None:
        """Those of everybody with an account: somebody may have linked theirs just before we ended."""
        held = [one.act for one in await self._acts.held()]
        await self._acts.release([one for one in held if await self._can_act(one.wish.by)])

    async def overdue(self) -> tuple[list[Act], float | None]:
        """Those that waited too long, and in how many seconds the next one has; None for never."""
        held = await self._acts.held()
        left_s = min((one.left_s for one in held if one.left_s > 0), default=None)
        return [one.act for one in held if one.left_s <= 0], left_s

    async def _is_theirs(self, act: Act, person: Author, account: CodeAccount | None) -> bool:
        by = act.wish.by
        if (by.surface, by.id) == (person.surface, person.id):
            return True
        theirs = await self._known(by)
        return account is not None and theirs is not None and theirs.id == account.id

    async def _can_act(self, person: Author) -> bool:
        account = await self._known(person)
        return account is not None and account.can_act

    async def _known(self, person: Author) -> CodeAccount | None:
        try:
            return await self._accounts.account_of(person)
        except DeliveryError as error:
            log.warning("account unknown", extra={"author": person.id, "error": str(error)})
            return None
