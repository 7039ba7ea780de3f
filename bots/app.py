"""The composition root: settings -> clients -> sinks -> service -> web application, and the order of life."""

import logging
import os
import random
import socket
import time
from collections.abc import Sequence

import httpx
from aiohttp import web

from bots.chats import open_chats, plain, plain_all
from bots.linear_access import LinearAccess
from bots.reviewing import Around, Reviewing, reviewing
from bots.settings import Repository as RepositorySettings
from bots.settings import Settings
from core.activities import Author, Blocker
from core.admission import Admission
from core.errors import ThreadlineError
from core.events import Incoming
from core.ids import SessionId
from core.mirror.clock import SystemClock
from core.mirror.mirror import Mirror
from core.mirror.opening import ThreadOpenings
from core.people import Guests, Identity, Policy, Unlinked
from core.ports import Linker, Receipt
from core.redact import Redactor
from core.reports import Shown
from core.review.accounts import Linkers
from core.routing import Repository
from core.runner.claude import ClaudeRunner
from core.runner.options import ClaudeSettings
from core.service import SessionService
from core.store import migrate
from core.store.audit import AuditStore, Trail
from core.store.database import Database
from core.store.openings import OpeningStore
from core.store.people import PeopleStore
from core.store.sessions import SessionStore
from core.turn.desk import Crew, Limits
from core.turn.registry import Registry
from core.turns import TurnQueue
from core.turns import migrate as migrate_engine
from core.workspace.clone import Workspaces
from linear.client import LinearClient
from linear.deliveries import AppRevoked, PermissionChanged
from linear.files import LinearFiles
from linear.ingress import PATH as LINEAR_PATH
from linear.ingress import Hooks, linear_webhooks
from linear.link import PROVIDER as LINEAR
from linear.sink import LinearSink
from linear.tracker import LinearTracker

log = logging.getLogger(__name__)


class NotConfigured(ThreadlineError):
    """Something without which no session can run has no credentials; says which variables."""


class Threadline:
    """The whole bot in one process. Make it inside the running loop, after `prepare`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._ready = False
        redact = Redactor(settings.secrets())
        self._database = Database(settings.database_url)
        self._http = httpx.AsyncClient()
        self._linear = LinearAccess(settings, self._database, self._http)
        linear = LinearClient(self._http, settings.linear.api_url, self._linear.token)
        self._chats = open_chats(settings, self, self._database)
        self._tracker = LinearTracker(
            linear,
            default_team=settings.linear.team,
            as_app=not self._linear.is_personal,
            linked=self._linear_user_of,
        )
        self._link = self._linear.linking(organization=self._organization, on_link=self._linked)
        self._queue = TurnQueue(self._database, data_dir=settings.data_dir)
        store = SessionStore(self._database, now=time.time, redact=redact)
        self._people = PeopleStore(self._database, store, now=time.time)
        workspaces = Workspaces(settings.data_dir)
        readers = {one.name: one.bot.surface for one in self._chats}
        repositories = [_repository(one, settings) for one in settings.repositories]
        self._readers = readers
        self._code = self._reviewing(settings, store, workspaces, repositories, redact)
        linker = self._linkers()
        self._mirror = Mirror(
            self._database,
            {
                "linear": LinearSink(linear, linker=linker),
                **{chat.name: chat.sink(linker) for chat in self._chats},
            },
            SystemClock(),
            on_gone=self._sink_gone,
            on_trouble=self._sink_in_trouble,
            on_refused=self._sink_refused,
            random=random.random,
        )
        self._openings = ThreadOpenings(
            OpeningStore(self._database),
            store,
            SystemClock(),
            channels={team.key: team.channel for team in settings.linear_teams},
            doors={chat.name: door for chat in self._chats if (door := chat.door())},
            link=self._tracker.link_thread,
            wake_mirror=self._mirror.wake,
        )
        unlinked = settings.people.unlinked or ("link" if self._link else "named")
        self._registry = Registry(
            policy=Policy(Unlinked(unlinked), Guests(settings.people.guests)),
            store=self._people,
            directory=self._tracker,
            can_link=self._link is not None,
            code=self._code.book if self._code else None,
        )
        crew = Crew(
            store=store,
            tracker=self._tracker,
            runner=ClaudeRunner(_claude(settings, redact)),
            workspaces=workspaces,
            readers=readers,
            repositories=repositories,
            admission=Admission(settings.run.max_active),
            wake_mirror=self._mirror.wake,
            redact=redact,
            now=time.time,
            limits=Limits(
                turn_timeout_s=settings.run.turn_timeout_s,
                silence_timeout_s=settings.run.silence_timeout_s,
            ),
            progress=self._progress,
            enqueue=self._queue.enqueue,
            team=settings.linear.team,
            open_thread=self._openings.want,
            people=self._registry,
            reviews=self._code.reviews if self._code else None,
            code_host=self._code.host if self._code else None,
            files=LinearFiles(self._http, self._linear.token, settings.linear.api_url),
            attachments={chat.name: chat.files for chat in self._chats if chat.files},
        )
        holder = f"{socket.gethostname()}/{os.getpid()}"
        self._service = SessionService(crew, enqueue=self._queue.enqueue, holder=holder)

    def _reviewing(
        self,
        settings: Settings,
        store: SessionStore,
        workspaces: Workspaces,
        repositories: list[Repository],
        redact: Redactor,
    ) -> Reviewing | None:
        """Pull requests, where a code host is set up; what it asks of us exists when it asks."""
        if not settings.github.on:
            return None
        guests = Guests(settings.people.guests)
        around = Around(
            sessions=store,
            workspaces=workspaces,
            tracker=self._tracker,
            redact=redact,
            wake_mirror=lambda session: self._mirror.wake(session),
            named=self._named,
            identity=lambda author: self._registry.identity(author),
            code_id=self._tracker.code_account,
            accept=lambda session, incoming: self._service.accept_into(session, incoming),
            let_in=lambda person: self._service.let_in(person),
            reads_only=lambda author: author.is_external or (author.is_guest and guests is Guests.READ),
        )
        return reviewing(settings, self._database, self._http, repositories, around)

    def _linkers(self) -> Linker | None:
        linkers = dict(self._code.linkers()) if self._code else {}
        if self._link is not None:
            linkers[LINEAR] = self._link
        return Linkers(linkers) if linkers else None

    async def _named(self, author: Author) -> Author:
        reader = self._readers.get(author.surface)
        return await reader.person(author) if reader else author

    async def accept(self, incoming: Incoming) -> Receipt:
        """Implements `core.ports.Inbox`: the adapters exist before the service they serve."""
        return await self._service.accept(incoming)

    async def _progress(self, session_id: SessionId) -> Sequence[Shown]:
        shown = await self._mirror.progress(session_id)
        return [Shown(one.sink, one.shown, one.head, one.suppressed) for one in shown]

    async def _sink_gone(self, session_id: SessionId, sink: str, code: Blocker) -> None:
        await self._service.sink_gone(session_id, sink, code)

    async def _sink_in_trouble(self, sink: str, session_id: SessionId, code: Blocker | None) -> None:
        await self._service.sink_in_trouble(sink, session_id, code)

    async def _sink_refused(
        self, session_id: SessionId, key: str, words: str, surfaces: Sequence[str]
    ) -> None:
        await self._service.sink_refused(session_id, key, words, surfaces)

    async def _organization(self) -> str:
        return (await self._tracker.workspace()).viewer.organization.id

    async def _linear_user_of(self, author: Author) -> str | None:
        identity = await self._people.find(author.surface, author.id)
        return identity.linear_user if identity and identity.holds_for(author) else None

    async def _linked(self, identity: Identity) -> None:
        await self._service.link(identity)

    async def _linear_revoked(self, revoked: AppRevoked) -> None:
        self._tracker.forget()
        await self._linear.revoked(revoked.organization_id, revoked.sent_at)

    async def _linear_teams_changed(self, _: PermissionChanged) -> None:
        self._tracker.forget()

    def troubles(self) -> dict[str, str]:
        """By platform, why nothing can be said there; nothing of those where all is well."""
        return {chat.name: trouble for chat in self._chats if (trouble := chat.trouble())}

    def application(self) -> web.Application:
        """Everything that is reached over HTTP."""
        application = web.Application()
        for chat in self._chats:
            application.add_routes(chat.bot.routes())
        linear = self.settings.linear
        if secrets := plain_all(linear.webhook_secret, linear.webhook_secret_previous):
            hooks = Hooks(
                app_user=lambda: self._tracker.app_user,
                on_revoked=self._linear_revoked,
                on_permissions=self._linear_teams_changed,
            )
            application.router.add_post(LINEAR_PATH, linear_webhooks(self, secrets, hooks=hooks))
        application.add_routes(self._linear.routes())
        if self._link is not None:
            application.add_routes(self._link.routes())
        if self._code is not None:
            application.add_routes(self._code.routes())
        application.router.add_get("/healthz", self._healthz)
        application.router.add_get("/readyz", self._readyz)
        return application

    async def start(self) -> str | None:
        """Go on where an earlier process stopped, then take events in.

        Raises:
            SlotTaken: Another process works in this data folder.

        Returns a link for installing the app in Linear, if that is still to be done.
        """
        self._queue.claim()
        strays = await self._service.recover()
        self._mirror.start()
        self._openings.start()
        if self._code is not None:
            await self._code.start()
        await self._queue.start(self._service.run_turn)
        for chat in self._chats:
            await chat.bot.start()
        self._ready = True
        if strays:
            log.warning("ended agents of an earlier process", extra={"processes": strays})
        if self._linear.warning:
            log.warning(self._linear.warning)
        return await self._linear.start()

    async def stop(self) -> None:
        """Take nothing more in, end agents, finish calls in the air; open turns go on at the next start."""
        self._ready = False
        await self._service.halt()
        if self._code is not None:
            await self._code.stop()
        await self._openings.stop()
        await self._mirror.stop()
        for chat in self._chats:
            await chat.bot.stop()
        await self._http.aclose()
        await self._queue.stop()
        await self._database.close()

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _readyz(self, _: web.Request) -> web.Response:
        ready = self._ready and await self._database.is_writable()
        return web.json_response({"ready": ready}, status=200 if ready else 503)


def prepare(settings: Settings, *, offline: bool = False) -> None:
    """Check that everything needed is configured, and bring the database to this version's shape.

    Args:
        offline: Only the database is needed.

    Raises:
        NotConfigured: Something is not configured.
    """
    if not offline:
        _require(settings)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    migrate.upgrade(settings.database_url)
    migrate_engine(settings.database_url)


async def install_link(settings: Settings) -> str:
    """A link that connects a Linear workspace, beside a service that may be running."""
    database = Database(settings.database_url)
    async with httpx.AsyncClient() as http:
        link = await LinearAccess(settings, database, http).setup_link()
    await database.close()
    return link


async def audit_log(settings: Settings) -> Trail:
    """What was done with somebody's authority, beside a service that may be running."""
    database = Database(settings.database_url)
    trail = await AuditStore(database, now=time.time).trail()
    await database.close()
    return trail


def _require(settings: Settings) -> None:
    missing = {
        "SLACK__BOT_TOKEN": not (settings.slack.on or settings.teams.on),
        "LINEAR__TOKEN": not settings.linear.on,
        "CLAUDE__API_KEY": not settings.claude.on,
    }
    if names := [f"THREADLINE_{name}" for name, is_missing in missing.items() if is_missing]:
        raise NotConfigured(", ".join(names))


def _claude(settings: Settings, redact: Redactor) -> ClaudeSettings:
    claude = settings.claude
    return ClaudeSettings(
        run_dir=settings.data_dir / "run",
        api_key=plain(claude.api_key),
        base_url=claude.base_url,
        model=claude.model,
        max_turns=claude.max_turns,
        max_budget_usd=claude.max_budget_usd,
        redact=redact,
    )


def _repository(one: RepositorySettings, settings: Settings) -> Repository:
    return Repository(
        name=one.name,
        url=one.url,
        base=one.base,
        teams=one.teams,
        channels=one.channels,
        default=one.default,
        hosted=settings.github.on and one.url == f"{settings.github.git_url}/{one.name}.git",
        independent_review=one.independent_review,
        fix=one.fix,
        author=one.author,
    )
