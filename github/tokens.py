"""Tokens of people who linked their accounts: kept alive, given out, and given back."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from core.errors import DeliveryError, LinkLost, Refused, Throttled, TryLater
from core.pulls import CodeAccount
from core.store.accounts import AccountStore, Ended, Pair
from core.store.vault import VaultError
from github.credentials import UserToken
from github.errors import GitHubError, RateLimited, Transient, Unauthorized
from github.oauth import GitHubOAuth, Grant, GrantDead

log = logging.getLogger(__name__)

RENEW_EARLY: Final = timedelta(minutes=10)
"""A token lives for 8 hours; what is left must outlast what is done with it, and a clock that goes wrong."""

PAUSE_S: Final = 60.0
"""How long to pause when GitHub throttles us without saying for how long."""

_ENDED: Final = "the link has ended"


class LinkedTokens:
    """Gives out tokens of active links, as `github.host.UserTokens` says.

    A refresh token counts once. So a pair is renewed once however many ask, by a task of its own that nobody
    who waits can cut short, and the new pair is stored before anybody gets it. If the process dies between
    the two, the stored one is spent: GitHub says so the next time, the link is removed, and the person has to
    make it again. One process for one database, as everywhere here.

    Args:
        now: Current time, aware.

    Raises `core.errors.DeliveryError` or `StoreUnavailable`; `LinkLost` where no link is left.
    """

    def __init__(
        self,
        store: AccountStore,
        oauth: GitHubOAuth,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._oauth = oauth
        self._now = now
        self._renewing: dict[int, asyncio.Task[Pair]] = {}
        # What GitHub gave and the store did not take: the pair it replaces, and the new one.
        self._unstored: dict[int, tuple[Pair, Pair]] = {}

    async def token(self, account: CodeAccount) -> UserToken:
        """A token that counts for a while yet."""
        pair = await self._stored(account.id)
        if account.id in self._unstored or self._is_over(pair.expires_at, RENEW_EARLY):
            pair = await self._renewed(account.id, pair)
        return UserToken(pair.access_token, account.id)

    async def refused(self, account: CodeAccount, token: UserToken) -> None:
        """GitHub does not take this token any more: renew it, or lose the link.

        Raises:
            LinkLost: The person took it back, or it cannot be renewed; the link is removed.
            TryLater: There is another token now; nothing was done with the old one.
        """
        pair = await self._stored(account.id)
        if pair.access_token == token.token:
            pair = await self._renewed(account.id, pair)
        raise TryLater("the token was renewed")

    async def revoked(self, id: int) -> None:
        """GitHub tells that the owner of this account took all our rights back, now or a while ago.

        It may have been before the link of today was made: then its token lives.
        """
        linked = await self._store.by_id(id)
        if linked is None:
            return
        try:
            pair = await self._store.pair(id)
            is_alive = pair is not None and await self._counts(UserToken(pair.access_token, id))
        except (VaultError, GitHubError) as error:
            log.warning("token not checked", extra={"account": id, "error": str(error)})
            pair, is_alive = None, False
        if is_alive:
            log.info("revocation is older than the link", extra={"account": id})
            return
        if pair is None:
            await self._store.forget(id)
        else:  # Not a link that was made while we asked.
            await self._store.lose(id, pair)
        log.info("link revoked at github", extra={"account": id})

    async def end(self, ended: Ended) -> bool:
        """Give back what a link let us do that is stored no more; whether GitHub says that it is over.

        With the grant, every token of this account ends. So it stays while there is a newer link of it.
        """
        id, pair = ended.account.id, ended.pair
        if pair is None or await self._store.by_id(id) is not None:
            return False
        return await self._give_back(id, pair)

    async def discard(self, id: int, grant: Grant) -> None:
        """Give back a grant of this account that did not become a link, unless another link stands on it."""
        if await self._store.by_id(id) is None:
            await self._give_back(id, pair_of(grant, self._now()))

    async def close(self) -> None:
        """Wait until everything that was renewed is stored. Safe to repeat."""
        await asyncio.gather(*self._renewing.values(), return_exceptions=True)

    async def _counts(self, token: UserToken) -> bool:
        try:
            return (await self._oauth.whoami(token)).id == token.user_id
        except Unauthorized:
            return False

    async def _stored(self, id: int) -> Pair:
        try:
            pair = await self._store.pair(id)
        except VaultError as error:
            # Nothing is removed: whoever runs this may have the key.
            log.error("token cannot be opened", extra={"account": id, "error": str(error)})
            raise Refused("the stored token cannot be opened") from error
        if pair is None:
            raise LinkLost(_ENDED)
        return pair

    async def _renewed(self, id: int, used: Pair) -> Pair:
        task = self._renewing.get(id)
        if task is None:
            task = self._renewing[id] = asyncio.create_task(self._renew(id, used), name=f"renew/{id}")
            task.add_done_callback(lambda done: self._done(id, done))
        # Somebody who does not wait any more must not spend the refresh token for nothing.
        return await asyncio.shield(task)

    def _done(self, id: int, task: asyncio.Task[Pair]) -> None:
        del self._renewing[id]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.warning("token not renewed", extra={"account": id, "error": str(error)})

    async def _renew(self, id: int, used: Pair) -> Pair:
        if id in self._unstored:
            return await self._keep(id)
        stored = await self._stored(id)
        if stored.access_token != used.access_token:
            return stored  # By somebody between our look and this one.
        if stored.refresh_token is None or self._is_over(stored.refresh_expires_at):
            return await self._lost(id, stored)
        try:
            grant = await self._oauth.refresh(stored.refresh_token)
        except GrantDead:
            return await self._lost(id, stored)
        except GitHubError as error:
            raise _for_the_core(error) from error
        self._unstored[id] = stored, pair_of(grant, self._now())
        return await self._keep(id)

    async def _keep(self, id: int) -> Pair:
        """Store what GitHub gave; it stays at hand until that works."""
        used, fresh = self._unstored[id]
        try:
            stored = await self._store.rotate(id, used, fresh)
        except VaultError as error:
            raise Refused("the stored token cannot be opened") from error
        del self._unstored[id]
        if stored is None:  # Unlinked meanwhile, with the tokens of before.
            if await self._store.by_id(id) is None:
                await self._give_back(id, fresh)
            raise LinkLost(_ENDED)
        return stored

    async def _lost(self, id: int, dead: Pair) -> Pair:
        try:
            is_gone = await self._store.lose(id, dead)
        except VaultError as error:
            raise Refused("the stored token cannot be opened") from error
        if not is_gone:
            return await self._stored(id)
        log.warning("link lost", extra={"account": id})
        raise LinkLost(_ENDED)

    async def _give_back(self, id: int, pair: Pair) -> bool:
        try:
            token = pair.access_token
            if self._is_over(pair.expires_at) and pair.refresh_token is not None:
                token = (await self._oauth.refresh(pair.refresh_token)).access_token
            await self._oauth.revoke(token)
        except GrantDead:
            return True
        except GitHubError as error:
            log.warning("grant not given back", extra={"account": id, "reason": str(error)})
            return False
        return True

    def _is_over(self, at: datetime | None, margin: timedelta = timedelta(0)) -> bool:
        return at is not None and at - margin <= self._now()


def pair_of(grant: Grant, now: datetime) -> Pair:
    """A grant of this moment (aware) as it is stored."""
    return Pair(
        grant.access_token,
        grant.refresh_token,
        now + grant.lifetime if grant.lifetime else None,
        now + grant.refresh_lifetime if grant.refresh_lifetime else None,
    )


def _for_the_core(error: GitHubError) -> DeliveryError:
    match error:
        case Transient(maybe_done=maybe_done):
            return TryLater(str(error), maybe_done=maybe_done)
        case RateLimited(retry_after_s=pause_s):
            return Throttled(str(error), retry_after_s=pause_s or PAUSE_S)
        case _:  # The app's own credentials.
            return Refused(str(error))
