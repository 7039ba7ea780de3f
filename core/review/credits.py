"""Whom the commits of a session name: the bot that made them, and everybody who asked for something."""

import logging
from collections.abc import Awaitable, Callable, Iterable

from core.activities import Author
from core.errors import DeliveryError
from core.ports import Accounts
from core.workspace.message import Credits, GitIdentity

log = logging.getLogger(__name__)


class Crediting:
    """Names people as the code host knows them, so that it shows the commits as theirs, too.

    Args:
        bot: Who wrote them, as the code host calls us; raises `DeliveryError`.
        address: The e-mail address that stands for an account, from its number and name.
    """

    def __init__(
        self,
        accounts: Accounts,
        *,
        bot: Callable[[], Awaitable[GitIdentity]],
        address: Callable[[int, str], str],
    ) -> None:
        self._accounts = accounts
        self._bot = bot
        self._address = address

    async def credits(self, people: Iterable[Author], *, issue: str, session_url: str | None) -> Credits:
        """What the next commit carries; who cannot be looked up now is named as chat names them."""
        trailers = [("Linear-Issue", issue)]
        if session_url:
            trailers.append(("Agent-Session", session_url))
        try:
            author = await self._bot()
        except DeliveryError as error:
            log.warning("bot unknown", extra={"error": str(error)})
            author = Credits().author
        named = tuple([await self._named(one) for one in people])
        return Credits(author=author, co_authors=named, trailers=tuple(trailers))

    async def _named(self, person: Author) -> GitIdentity:
        try:
            account = await self._accounts.account_of(person)
        except DeliveryError as error:
            log.warning("account unknown", extra={"author": person.id, "error": str(error)})
            account = None
        if account is not None and account.login:
            return GitIdentity(person.name, self._address(account.id, account.login))
        return GitIdentity(person.name, person.email or "")
