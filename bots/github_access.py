"""GitHub as the settings ask for it: the app or a personal token, people's own accounts, webhooks."""

import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx
from aiohttp import web

from bots.chats import plain, plain_all
from bots.linear_access import Misconfigured
from bots.settings import Settings
from core.errors import StoreUnavailable, ThreadlineError, TryLater
from core.review.hints import Hint, Hints, Remark
from core.store.database import Database
from core.store.deliveries import DeliveryStore
from core.workspace.message import OURS, GitIdentity
from github import hints
from github.acts import GitHubActs
from github.app import GitHubApp
from github.checks import GitHubChecks
from github.client import GitHubClient
from github.credentials import PersonalToken
from github.errors import GitHubError
from github.host import GitHubHost, GitHubReviewer, UserTokens
from github.ingress import PATH, github_webhooks
from github.merging import GitHubMerging
from github.oauth import GitHubOAuth
from github.pace import Pace
from github.wire import Wire

log = logging.getLogger(__name__)

REDELIVER_EVERY_S = 300.0


class GitHubAccess:
    """Makes the parts of GitHub's adapter from the settings; `settings.github.on` holds.

    Raises:
        Misconfigured: The private key cannot be read.
    """

    def __init__(self, settings: Settings, database: Database, http: httpx.AsyncClient) -> None:
        github = settings.github
        self._settings = settings
        self._http = http
        self.wire = Wire(http, github.api_url, pace=Pace())
        self.client = GitHubClient(self.wire)
        self.app: GitHubApp | None = None
        if github.app_id and github.private_key:
            try:
                self.app = GitHubApp(self.wire, app_id=github.app_id, private_key=plain(github.private_key))
            except ValueError as error:
                raise Misconfigured(f"THREADLINE_GITHUB__PRIVATE_KEY: {error}") from error
        self._slug = ""
        self._deliveries = DeliveryStore(database, now=time.time)
        self._since = datetime.now(UTC)

    def host(self, tokens: UserTokens | None) -> GitHubHost:
        """GitHub as ourselves."""
        personal = PersonalToken(plain(self._settings.github.token)) if self.app is None else None
        return GitHubHost(
            self.client,
            GitHubChecks(self.wire),
            app=self.app,
            personal=personal,
            git_url=self._settings.github.git_url,
            slug=self.slug,
            tokens=tokens,
        )

    async def slug(self) -> str:
        """How the app is called at GitHub; "" with a personal token."""
        if self.app is not None and not self._slug:
            self._slug = (await self.app.about()).slug
        return self._slug

    async def bot(self) -> GitIdentity:
        """Who writes our commits; raises `core.errors.DeliveryError`."""
        try:
            slug = await self.slug()
        except GitHubError as error:
            raise TryLater(str(error)) from error
        if not slug:
            return OURS
        return GitIdentity(
            f"{slug}[bot]", self.address_of(int(self._settings.github.app_id or 0), f"{slug}[bot]")
        )

    def address_of(self, account: int, login: str) -> str:
        """The address that stands for an account at this GitHub."""
        host = urlsplit(self._settings.github.signed_in_at).hostname or "github.com"
        return f"{account}+{login}@users.noreply.{host}"

    def reviewer(self, tokens: UserTokens) -> GitHubReviewer:
        """GitHub as people."""
        acts = GitHubActs(self.wire, self.client)
        return GitHubReviewer(self.client, acts, GitHubMerging(self.wire, self.client, acts), tokens)

    def oauth(self) -> GitHubOAuth | None:
        """How people sign in, if the app has what it takes."""
        github = self._settings.github
        if not (github.is_linkable and self._settings.public_url and self.app):
            return None
        return GitHubOAuth(
            self._http,
            self.wire,
            web_url=github.signed_in_at,
            client_id=github.client_id or "",
            client_secret=plain(github.client_secret),
        )

    def routes(self, heed: Hints, *, revoked: Callable[[int], Awaitable[None]]) -> Sequence[web.RouteDef]:
        """Where GitHub reaches us, if a secret for its webhooks is set.

        Args:
            revoked: Told the number of an account whose owner took our rights back.
        """
        github = self._settings.github
        secrets = plain_all(github.webhook_secret, github.webhook_secret_previous)
        if not secrets:
            return []

        async def on_hint(told: hints.Hint) -> None:
            if await self._deliveries.is_known(told.delivery):
                return
            if told.revoked_user:
                await revoked(told.revoked_user)
            elif told.repository:
                slug = await self._known_slug()
                try:
                    await heed.heed(hint_of(told, slug))
                except StoreUnavailable:
                    raise
                except ThreadlineError as error:
                    # Not noted as done: it comes again with what went astray.
                    raise StoreUnavailable(str(error)) from error
            await self._deliveries.done(told.delivery, told.digest)

        return [web.post(PATH, github_webhooks(on_hint, secrets))]

    async def _known_slug(self) -> str:
        try:
            return await self.slug()
        except GitHubError as error:
            raise StoreUnavailable(f"the app's name is not known: {error}") from error

    async def redeliver(self) -> int:
        """Ask again for webhooks that did not arrive since the last time; how many.

        What they tell is read from GitHub anyway; what people wrote to us in comments is only in them.
        """
        if self.app is None:
            return 0
        since, self._since = self._since, datetime.now(UTC)
        asked = 0
        try:
            told = await self.app.deliveries(since)
            arrived = {one.guid for one in told if one.arrived}
            for guid, one in {one.guid: one for one in told if one.guid not in arrived}.items():
                if not await self._deliveries.is_known(guid):
                    await self.app.redeliver(one.id)
                    asked += 1
        except GitHubError as error:
            self._since = since
            log.warning("missed webhooks not asked for", extra={"error": str(error)})
        return asked


def hint_of(told: hints.Hint, slug: str) -> Hint:
    """What a webhook means for pull requests of ours; a comment that names the app is said to it."""
    return Hint(
        repository=told.repository,
        numbers=told.pulls,
        branch=told.branch,
        remark=_remark(told, slug) if slug else None,
    )


def _remark(told: hints.Hint, slug: str) -> Remark | None:
    said = told.said
    if said is None or told.action not in ("created", "submitted") or not said.text.strip():
        return None
    mention = re.compile(rf"(?<![\w/])@{re.escape(slug)}(?:\[bot\])?(?![\w-])", re.IGNORECASE)
    if not mention.search(said.text):
        return None
    where = f" (about {said.path})" if said.path else ""
    text = f"{mention.sub('', said.text).strip()}{where}"
    return Remark(
        key=f"github/{told.event}/{said.id}",
        by=said.author,
        by_id=said.author_id,
        text=text,
        is_bot=said.by_bot,
    )
