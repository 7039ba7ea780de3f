"""The app at GitHub: its own token, those of its installations, and deliveries that went astray."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, TypeVar

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from github.credentials import AppJwt, InstallationToken
from github.errors import Forbidden, Invalid, NotFound, NotInstalled, Unauthorized
from github.model import App, Delivery, Installation, MintedToken, Repository, read, read_all
from github.paths import path, split_repo
from github.sansio import Call
from github.wire import PAGE, Wire

log = logging.getLogger(__name__)

CLOCK_SKEW: Final = timedelta(seconds=60)
JWT_LIFETIME: Final = timedelta(minutes=9)
"""GitHub takes 10 minutes at most, by its own clock."""

TOKEN_USE: Final = timedelta(minutes=50)
"""Of the hour that a token lives; the rest is for whoever has just got it."""

DELIVERY_PAGES: Final = 10

Permissions = Mapping[str, str]

READ: Final[Permissions] = MappingProxyType(
    {
        "actions": "read",
        "checks": "read",
        "contents": "read",
        "merge_queues": "read",
        "metadata": "read",
        "pull_requests": "read",
        "statuses": "read",
    }
)
"""To look at repositories and pull requests, and to clone."""

PUSH: Final[Permissions] = MappingProxyType({"contents": "write", "metadata": "read"})
"""To push a branch; without `workflows` GitHub refuses changes of workflow files."""

PULLS: Final[Permissions] = MappingProxyType(
    {"contents": "read", "metadata": "read", "pull_requests": "write"}
)
"""To open pull requests, describe them and comment on them."""

CHECKS: Final[Permissions] = MappingProxyType({"checks": "write", "metadata": "read"})
"""To report our own check."""

T = TypeVar("T")


@dataclass(slots=True)
class _Kept:
    """One token and the lock of those who wait for it."""

    minting: asyncio.Lock = field(default_factory=asyncio.Lock)
    token: InstallationToken | None = None
    use_until: datetime | None = None


class GitHubApp:
    """Our GitHub App. A token is minted for one repository and one set of rights, once however many ask.

    Every method raises `GitHubError`.

    Args:
        app_id: Number or client id of the app.
        private_key: PEM, as downloaded from GitHub.

    Raises:
        ValueError: That is no private key.
    """

    def __init__(self, wire: Wire, *, app_id: str, private_key: str) -> None:
        self._wire = wire
        self._app_id = app_id
        self._kept: dict[tuple[str, tuple[tuple[str, str], ...]], _Kept] = {}
        key = _rsa_key(private_key)
        if key is None:
            raise ValueError("the private key of the GitHub App cannot be read; it must be the PEM file")
        self._key = key

    def jwt(self) -> AppJwt:
        """A token of the app itself, made here, good for some minutes."""
        now = self._wire.pace.now()
        claims = {"iat": now - CLOCK_SKEW, "exp": now + JWT_LIFETIME, "iss": self._app_id}
        return AppJwt(jwt.encode(claims, self._key, algorithm="RS256"))

    async def about(self) -> App:
        """How the app is called and what it may do at most."""
        answer = await self._wire.send(self.jwt(), Call("GET", "/app"))
        return read(App, answer.json, about="the app")

    async def installation(self, repo: str) -> Installation:
        """The installation that a repository belongs to.

        Raises:
            NotInstalled: The app is not installed there, or there is no such repository.
        """
        call = Call("GET", path("/repos/{repo}/installation", repo=repo))
        try:
            answer = await self._wire.send(self.jwt(), call)
        except NotFound:
            raise NotInstalled("the app is not installed in this repository") from None
        return read(Installation, answer.json, about="an installation")

    async def token(self, repo: str, permissions: Permissions = READ) -> InstallationToken:
        """A token for one repository with no more rights than asked for; the same for 50 minutes.

        A right to read that was not granted is left out, see the log.

        Raises:
            NotInstalled: The app is not installed there.
            Forbidden: Whoever installed it did not grant a right to write, or suspended it.
        """
        kept = self._kept.setdefault(_slot(repo, permissions), _Kept())
        async with kept.minting:
            now = self._wire.pace.now()
            if kept.token is None or kept.use_until is None or kept.use_until <= now:
                kept.token = await self._minted(repo, permissions)
                kept.use_until = min(kept.token.expires_at, now + TOKEN_USE)
            return kept.token

    def forget(self, token: InstallationToken) -> None:
        """Never give out `token` again: GitHub refused it."""
        for kept in self._kept.values():
            if kept.token == token:
                kept.token = None

    def forget_installation(self, installation: int) -> None:
        """Never give out its tokens of before again: what they may do has changed."""
        for kept in self._kept.values():
            if kept.token is not None and kept.token.installation == installation:
                kept.token = None

    async def acting(
        self, repo: str, permissions: Permissions, act: Callable[[InstallationToken], Awaitable[T]]
    ) -> T:
        """Do `act` with a token; once more with a new one if the first was refused."""
        token = await self.token(repo, permissions)
        try:
            return await act(token)
        except Unauthorized:
            self.forget(token)
        return await act(await self.token(repo, permissions))

    async def deliveries(self, since: datetime) -> tuple[Delivery, ...]:
        """GitHub's attempts to deliver webhooks since then (aware), newest first, 1,000 at most.

        GitHub keeps them for three days and repeats none by itself: see `redeliver`.
        """
        found: list[Delivery] = []
        query: dict[str, str | int] = {"per_page": PAGE}
        for _ in range(DELIVERY_PAGES):
            answer = await self._wire.send(self.jwt(), Call("GET", "/app/hook/deliveries", query))
            page = read_all(Delivery, answer.json or [], about="a delivery")
            found += [one for one in page if one.delivered_at >= since]
            if answer.cursor is None or not page or page[-1].delivered_at < since:
                break
            query = {"per_page": PAGE, "cursor": answer.cursor}
        return tuple(found)

    async def redeliver(self, delivery: int) -> None:
        """Have GitHub deliver it again, under the same `guid`; twice does no harm."""
        place = path("/app/hook/deliveries/{id}/attempts", id=delivery)
        await self._wire.send(self.jwt(), Call("POST", place))

    async def _minted(self, repo: str, permissions: Permissions) -> InstallationToken:
        installation = await self.installation(repo)
        _, name = split_repo(repo)
        fields = {"repositories": [name], "permissions": _granted(installation, permissions)}
        try:
            return await self._mint(repo, installation, fields)
        except Invalid as refused:
            if "permissions" in refused.words.casefold():
                raise
            # Tokens are not given out for a name of before, under which everything else finds a repository.
            _, today = split_repo(await self._name_today(repo, installation))
            if today.casefold() == name.casefold():
                raise
            log.warning("repository was renamed", extra={"repository": repo, "why": refused.words})
        return await self._mint(repo, installation, fields | {"repositories": [today]})

    async def _mint(
        self, repo: str, installation: Installation, fields: Mapping[str, object]
    ) -> InstallationToken:
        place = path("/app/installations/{id}/access_tokens", id=installation.id)
        answer = await self._wire.send(self.jwt(), Call("POST", place, body=fields))
        minted = read(MintedToken, answer.json, about="a token")
        return InstallationToken(minted.token, repo, installation.id, minted.expires_at)

    async def _name_today(self, repo: str, installation: Installation) -> str:
        """Asked with a token that reads names and nothing else."""
        token = await self._mint(repo, installation, {"permissions": {"metadata": "read"}})
        answer = await self._wire.send(token, Call("GET", path("/repos/{repo}", repo=repo)))
        return read(Repository, answer.json, about="a repository").full_name


def _granted(installation: Installation, asked: Permissions) -> dict[str, str]:
    """Those of `asked` that were granted: GitHub gives no token at all for one right too many.

    What may only be read is done without; what is to be written is needed.

    Raises:
        Forbidden: A right to write was not granted.
    """
    granted = installation.permissions
    if not granted:  # An older server does not tell.
        return dict(asked)
    absent = [name for name, level in asked.items() if granted.get(name) not in {level, "write", "admin"}]
    if needed := [name for name in absent if asked[name] == "write"]:
        raise Forbidden(f"the app was not granted {', '.join(needed)} (write) here")
    if absent:
        log.warning("github app lacks rights", extra={"installation": installation.id, "rights": absent})
    return {name: level for name, level in asked.items() if name not in absent}


def _slot(repo: str, permissions: Permissions) -> tuple[str, tuple[tuple[str, str], ...]]:
    return repo.casefold(), tuple(sorted(permissions.items()))


def _rsa_key(pem: str) -> RSAPrivateKey | None:
    """Read once: that takes a hundred times as long as signing. Errors stay here: they may repeat the key."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPrivateKey) else None
