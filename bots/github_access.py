"""GitHub as the settings ask for it: the app or a personal token, people's own accounts, webhooks."""

import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
from aiohttp import web

from bots.chats import plain, plain_all
from bots.linear_access import Misconfigured
from bots.settings import Settings
from core.errors import StoreUnavailable, ThreadlineError, TryLater
from core.pulls import PullRef
from core.review.hints import Hint, Hints, Remark
from core.store.audit import AuditStore
from core.store.database import Database
from core.store.deliveries import DeliveryStore
from core.workspace.message import OURS, GitIdentity
from github import errors, hints
from github.acts import GitHubActs
from github.app import PULLS, GitHubApp
from github.checks import GitHubChecks
from github.client import GitHubClient, wherever
from github.credentials import InstallationToken, PersonalToken
from github.errors import GitHubError
from github.host import GitHubHost, GitHubReviewer, UserTokens
from github.ingress import PATH, github_webhooks
from github.merging import GitHubMerging
from github.oauth import GitHubOAuth
from github.pace import Pace
from github.wire import Wire

log = logging.getLogger(__name__)

REDELIVER_EVERY_S = 300.0
REDELIVERED_AT_ONCE = 100

KEPT = timedelta(days=3)
"""How long GitHub knows its deliveries."""

_LESS = frozenset({"deleted", "suspend", "removed"})


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
        self._bot: GitIdentity | None = None
        self._deliveries = DeliveryStore(database, now=time.time)
        self._audit = AuditStore(database, now=time.time)
        # Of what was sent while we were down, nobody told us.
        self._since = datetime.now(UTC) - KEPT
        self._missed: dict[str, datetime] = {}

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

    async def bot(self, number_of: Callable[[str], Awaitable[int]]) -> GitIdentity:
        """Who writes our commits, as GitHub knows them: our bot, which has another number than the app.

        Args:
            number_of: The account that is called so; raises `core.errors.DeliveryError`, which comes through.
        """
        try:
            slug = await self.slug()
        except GitHubError as error:
            raise TryLater(str(error)) from error
        if not slug:
            return OURS
        if self._bot is None:
            login = f"{slug}[bot]"
            self._bot = GitIdentity(login, self.address_of(await number_of(login), login))
        return self._bot

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
            known = await self._deliveries.digest(told.delivery)
            if known == told.digest:
                return
            if known is not None:  # GitHub signed both, so both count; but it does not send such a thing.
                about = {
                    "delivery": told.delivery,
                    "event": told.event,
                    "known": known,
                    "digest": told.digest,
                }
                log.error("github delivery came with another body", extra=about)
            if told.revoked_user:
                await revoked(told.revoked_user)
            elif told.event in ("installation", "installation_repositories"):
                await self._access_changed(told)
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

    async def _access_changed(self, told: hints.Hint) -> None:
        """Where the app is installed, or what it may do there, is not what it was."""
        names = [name for _, name in told.repositories]
        about = {"installation": told.installation, "action": told.action, "by": told.sender, "where": names}
        log.log(
            logging.WARNING if told.action in _LESS else logging.INFO,
            "github installation changed",
            extra=about,
        )
        if self.app is not None:
            self.app.forget_installation(told.installation)
        record = {
            "who": f"github:{told.sender_id}",
            "name": told.sender,
            "account": told.sender_id,
            "action": f"{told.event} {told.action}",
            "installation": told.installation,
            "repositories": names,
            "result": "told",
        }
        await self._audit.note(record, once=f"delivery/{told.delivery}/{told.digest}")

    async def comment(self, pull: PullRef, body: str, op: str) -> None:
        """Say something below a pull request, as the app, once for each `op` (a UUID).

        Raises:
            TryLater: GitHub did not do it now. What it refuses is in the log.
        """
        if self.app is None:
            return

        async def say(token: InstallationToken) -> None:
            async def there(repo: str) -> None:
                await self.client.comment(token, repo, pull.number, body=body, op=op)

            await wherever(self.client, token, pull.repository, there)

        try:
            await self.app.acting(pull.repository, PULLS, say)
        except errors.Refusal as error:
            log.warning("no answer at github", extra={"pull": str(pull), "error": str(error)})
        except GitHubError as error:
            raise TryLater(str(error)) from error

    async def _known_slug(self) -> str:
        try:
            return await self.slug()
        except GitHubError as error:
            raise StoreUnavailable(f"the app's name is not known: {error}") from error

    async def redeliver(self) -> int:
        """Ask again for webhooks that did not arrive since the last time; how many.

        What they tell is read from GitHub anyway; what people wrote to us in comments is only in them. The
        first time it is about all that GitHub still knows.
        """
        if self.app is None:
            return 0
        now = datetime.now(UTC)
        since, self._since = self._since, now
        asked = 0
        try:
            for guid, delivery in (await self._lost(self.app, since, now)).items():
                if asked == REDELIVERED_AT_ONCE:
                    self._since = since  # The rest next time.
                    break
                self._missed.setdefault(guid, now)
                await self.app.redeliver(delivery)
                asked += 1
        except GitHubError as error:
            self._since = since
            log.warning("missed webhooks not asked for", extra={"error": str(error)})
        if asked:
            log.info("missed webhooks asked for", extra={"number": asked})
        return asked

    async def _lost(self, app: GitHubApp, since: datetime, now: datetime) -> dict[str, int]:
        """Deliveries that mean something to us and never arrived, oldest first: an attempt for each."""
        told = [
            one
            for one in reversed(await app.deliveries(since))
            if one.action in hints.ACTIONS.get(one.event, ())
        ]
        arrived = {one.guid for one in told if one.arrived}
        lost = {one.guid: one.id for one in told if one.guid not in arrived}
        # What is refused each time is asked for no longer than GitHub would keep it.
        old = {guid for guid, first in self._missed.items() if now - first > KEPT}
        return {
            guid: id
            for guid, id in lost.items()
            if guid not in old and await self._deliveries.digest(guid) is None
        }


def hint_of(told: hints.Hint, slug: str) -> Hint:
    """What a webhook means for pull requests of ours; a comment that names the app is said to it."""
    return Hint(
        repository=told.repository,
        was=_full_name_before(told),
        numbers=told.pulls,
        branch=told.branch,
        remark=_remark(told, slug) if slug else None,
    )


def _full_name_before(told: hints.Hint) -> str:
    """Of a repository that was renamed, or given to somebody else; "" for any other."""
    was = told.renamed_from
    return f"{told.repository.partition('/')[0]}/{was}" if was and "/" not in was else was


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
