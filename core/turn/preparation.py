"""Gets everything ready for the agent: repository, issue, agent session, a place, a clone."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TypeVar

from core.activities import (
    AuthAsked,
    Author,
    Blocker,
    Elicitation,
    Fate,
    FateChanged,
    IssueLinked,
    Option,
    Routed,
    Unblocked,
)
from core.commands import wants_plan
from core.composer import branch_for, draft_issue
from core.errors import DeliveryError, Refused, TargetGone, Throttled, TryLater, WorkspaceError
from core.events import ThreadMessage
from core.ids import ElicitationId, EntryKey, uuid_for
from core.intake import Options, options_of, without_options
from core.narration import failure, queued, waiting
from core.policy import Work, no_write
from core.ports import GitAccess, ThreadReader, TrackedIssue
from core.routing import Repository, Route, choose, find
from core.session import Given, Noted, is_answers
from core.turn.desk import Failed, Settled, TurnDesk
from core.workspace.clone import Workspace

log = logging.getLogger(__name__)

T = TypeVar("T")

# Whoever delivers may be another process.
LOOK_S = 0.02
LINK_LOOK_S = 1.0
CODE_HOST = "GitHub"
NO_ISSUE = "I work on issues: mention or delegate me on one."


class Preparation:
    """Every step looks first whether an earlier attempt has done it, so a crash costs nothing twice."""

    def __init__(self, desk: TurnDesk) -> None:
        self._desk = desk
        self._crew = desk.crew

    async def workspace(self, places: AsyncExitStack) -> tuple[Workspace, IssueLinked]:
        """The clone to work in; holds a place for working until `places` is closed.

        Raises:
            Failed: Something named is missing.
            Settled: There is no work in what was asked.
        """
        await self._first_sign()
        issue = await self._known_issue()
        # Before the question for the repository, so that people in chat can answer it, too.
        linked = await self._present_issue(issue) if issue else None
        route = await self._route(issue)
        await self._may_work(route.repository)
        if issue is None or linked is None:
            issue = await self._create_issue(route)
            linked = await self._present_issue(issue)
        await self._desk.note("route", Routed(repository=route.repository.name, reason=route.reason))
        await self._open_agent_session(issue)
        await places.enter_async_context(self._crew.admission.place(self._queued))
        await self._desk.note_again("admitted", Unblocked(code=Blocker.QUEUED))
        return await self._clone(route.repository, linked, issue.branch_name), linked

    async def _present_issue(self, issue: TrackedIssue) -> IssueLinked:
        await self._desk.remember(issue=issue, issue_id=issue.id)
        await self._show_in_chat(issue)
        linked = IssueLinked(identifier=issue.identifier, title=issue.title, url=issue.url)
        await self._desk.note("issue", linked)
        return linked

    async def left(self) -> tuple[Workspace, IssueLinked] | None:
        """What an earlier attempt or turn had got ready; None if none came that far."""
        issue = self._desk.record.issue
        try:
            workspace = await self._crew.workspaces.existing(self._desk.record.id)
        except WorkspaceError as error:
            log.error("workspace unread", extra={"session": self._desk.record.id, "git": error.last_line})
            return None
        if workspace is None or issue is None:
            return None
        return workspace, IssueLinked(identifier=issue.identifier, title=issue.title, url=issue.url)

    async def options(self) -> Options:
        """What people asked for with `repo=`, `branch=`, `model=` in this turn."""
        return options_of("\n".join(one.text for one in await self._desk.given() if not is_answers(one)))

    async def wants_plan(self) -> bool:
        """Whether what the turn began with asks for a plan; the agent at work does not change its ways."""
        session = (await self._crew.store.load(self._desk.record.id)).session
        first = session.handed[0] if session.handed else [one.key for one in session.given]
        return any(wants_plan(without_options(one.text)) for one in session.given if one.key in first)

    async def _route(self, issue: TrackedIssue | None) -> Route:
        record = self._desk.record
        named = (await self.options()).repo
        if not named and (before := find(self._crew.repositories, record.repository or "")):
            return Route(before, record.route_reason or "as before")
        born_there = any(one.opened for one in await self._desk.given())
        # Of a session from Linear the team decides, not the channel in which we show it.
        place = record.thread.place if record.thread and not born_there else None
        team = issue.team if issue else None
        route = (
            choose(self._crew.repositories, named=named, place=place, team=team) or await self._ask_route()
        )
        await self._desk.remember(repository=route.repository.name, route_reason=route.reason)
        return route

    async def _may_work(self, repository: Repository) -> None:
        """Wait until whoever asks is known at the code host, and may write there.

        Raises:
            Failed: They may not.
        """
        reviews, told = self._crew.reviews, None
        if reviews is None:
            return
        author = (await self._desk.given())[0].author
        while True:
            code: Blocker | None = None
            try:
                match await reviews.guard.work(author, repository.name):
                    case Work.MUST_LINK_CODE_HOST:
                        code = Blocker.GITHUB_UNLINKED
                    case Work.DENIED:
                        raise Failed(failure(Blocker.PERSON_DENIED, no_write(repository.name)))
                    case _:
                        pass
            except (TryLater, Throttled) as error:
                log.warning("rights unknown", extra={"author": author.id, "error": str(error)})
                code = Blocker.GITHUB_DOWN
            if told is not None and told is not code:
                await self._desk.note_again("goes on", Unblocked(code=told))
            if code is None:
                return
            if told is not code:
                await self._desk.note_again("blocked", waiting(code))
                if code is Blocker.GITHUB_UNLINKED:
                    await self._ask_to_link(author)
            told = code
            await asyncio.sleep(LINK_LOOK_S)

    async def _ask_to_link(self, author: Author) -> None:
        record = self._desk.record
        body = f"{author.name}, link your account at GitHub: starting work needs write access there."
        asked = AuthAsked(
            person=author,
            provider=CODE_HOST,
            body=body,
            code=Blocker.GITHUB_UNLINKED,
            thread=record.thread if author.surface != "linear" else None,
            is_known=True,
        )
        await self._desk.note(f"link/{author.surface}/{author.id}", asked)

    async def _ask_route(self) -> Route:
        names = [one.name for one in self._crew.repositories]
        if not names:
            raise Failed(failure(Blocker.REPO_UNKNOWN, "No repository is set up here yet."))
        body, tries = "Which repository is this about?", 0
        options = tuple(Option(name, name) for name in names)
        people = tuple(one.author for one in (await self._desk.given())[:1])
        while True:
            asked = ElicitationId(f"{self._desk.turn}/repository/{tries}")
            question = Elicitation(
                id=asked, body=body, options=options, asked=people, code=Blocker.REPO_UNKNOWN
            )
            answer = await self._desk.ask(question)
            if found := find(self._crew.repositories, answer):
                return Route(found, "as you chose")
            body, tries = f"I don't know “{answer}”. Which repository is this about?", tries + 1

    async def _known_issue(self) -> TrackedIssue | None:
        """The issue that the session has, came with, or was told of; its team may decide the repository."""
        record = self._desk.record
        if record.issue:
            return record.issue
        given = await self._desk.given()
        if record.linear_session_id:
            return await self._issue_of_session(given)
        await self._desk.remember(thread_url=await self._permalink(given))
        text, requester = "\n".join(one.text for one in given), given[0].author
        return await self._insist(
            lambda _: self._crew.tracker.find_meant(
                text=text, thread_url=self._desk.record.thread_url, requester=requester
            )
        )

    async def _issue_of_session(self, given: Sequence[Given]) -> TrackedIssue:
        """The issue on which a session was opened in Linear."""
        known, tracker = self._desk.record.issue_id, self._crew.tracker
        if known is None:
            raise Settled(NO_ISSUE)
        opened = next((one.opened for one in given if one.opened), None)
        # Automations leave triage to people, and who only mentions us keeps the issue.
        begins = opened is not None and opened.by_person and opened.delegated
        return await self._insist(lambda _: tracker.take_on(known) if begins else tracker.find_issue(known))

    async def _first_sign(self) -> None:
        """Linear marks a session that shows nothing for ten seconds: no call of ours goes before that."""
        record, key = self._desk.record, EntryKey(f"{self._desk.turn}/start")
        if record.issue or not record.linear_session_id:
            return
        for _ in range(round(self._crew.limits.first_sign_s / LOOK_S)):
            if await self._crew.store.is_shown(record.id, "linear", key):
                return
            await asyncio.sleep(LOOK_S)

    async def _create_issue(self, route: Route) -> TrackedIssue:
        given = [replace(one, text=without_options(one.text)) for one in await self._desk.given()]
        requester = given[0].author
        draft = draft_issue(given, await self._history(given), permalink=self._desk.record.thread_url)
        team = route.repository.teams[0] if route.repository.teams else self._crew.team
        return await self._insist(
            lambda _: self._crew.tracker.create_issue(
                id=uuid_for(f"issue/{self._desk.record.id}"),
                title=draft.title,
                description=self._crew.redact(draft.description),
                team=team,
                requester=requester,
            )
        )

    async def _permalink(self, given: Sequence[Given]) -> str | None:
        message, reader = given[0].message, self._reader(given)
        if not message or not reader:
            return None
        try:
            return await reader.permalink(message)
        except DeliveryError as error:
            log.warning("no permalink", extra={"session": self._desk.record.id, "error": str(error)})
            return None

    async def _history(self, given: Sequence[Given]) -> Sequence[ThreadMessage]:
        message, reader = given[0].message, self._reader(given)
        if not message or not reader:
            return ()
        try:
            return await reader.history(message.thread)
        except DeliveryError as error:
            log.warning("thread unread", extra={"session": self._desk.record.id, "error": str(error)})
            return ()

    def _reader(self, given: Sequence[Given]) -> ThreadReader | None:
        message = given[0].message
        return self._crew.readers.get(message.thread.surface) if message else None

    async def _show_in_chat(self, issue: TrackedIssue) -> None:
        """What was begun in Linear is shown in the channel of its team, too."""
        if self._desk.record.thread is None and self._crew.open_thread is not None:
            opened = (one for one in await self._desk.given() if one.opened and one.opened.by_person)
            by = next((one.author for one in opened), None)
            await self._crew.open_thread(self._desk.record.id, issue, by)

    async def _open_agent_session(self, issue: TrackedIssue) -> None:
        if self._desk.record.linear_session_id:
            return
        asked_before = self._desk.record.linear_pending_at is not None
        await self._desk.remember(linear_pending_at=self._crew.now())

        async def open_session(again: bool) -> str:
            # The echo of an earlier call may have told us by now.
            echoed = (await self._crew.store.load(self._desk.record.id)).linear_session_id
            return echoed or await self._crew.tracker.open_session(
                issue, thread_url=self._desk.record.thread_url, again=again or asked_before
            )

        try:
            opened = await self._insist(open_session)
        except Failed:
            # No echo is to come: a session that people open on this issue is not ours.
            await self._desk.remember(linear_pending_at=None)
            raise
        await self._desk.remember(linear_session_id=opened)
        self._crew.wake_mirror(self._desk.record.id)
        if thread_url := self._desk.record.thread_url:
            await self._present(opened, issue, thread_url)

    async def _present(self, opened: str, issue: TrackedIssue, thread_url: str) -> None:
        """Nothing hangs on this, so it is tried once."""
        try:
            await self._crew.tracker.present(opened, issue, thread_url=thread_url)
        except DeliveryError as error:
            log.warning("session not presented", extra={"session": self._desk.record.id, "error": str(error)})

    async def _insist(self, attempt: Callable[[bool], Awaitable[T]]) -> T:
        """Until Linear does it: people see what is in the way, and nothing is given up.

        `attempt` is told whether an earlier one may have got through.
        """
        tries, again = 0, False
        told: Blocker | None = None
        while True:
            try:
                result = await attempt(again)
            except TryLater as error:
                code, again, pause = Blocker.LINEAR_DOWN, again or error.maybe_done, self._pause(tries)
            except Throttled as error:
                code, pause = Blocker.LINEAR_QUOTA, error.retry_after_s
            except TargetGone as error:
                code, pause = error.code, self._pause(tries)
            except Refused as error:
                log.warning("linear refused", extra={"session": self._desk.record.id, "error": str(error)})
                raise Failed(failure(Blocker.LINEAR_REFUSED, f"Linear refused this: {error}.")) from error
            else:
                if told:
                    await self._desk.note_again("goes on", Unblocked(code=told))
                return result
            tries += 1
            if told and code != told:
                await self._desk.note_again("goes on", Unblocked(code=told))
            if code != told:
                await self._desk.note_again("blocked", waiting(code))
            told = code
            await asyncio.sleep(pause)

    def _pause(self, tries: int) -> float:
        pauses = self._crew.limits.retries_s
        return pauses[min(tries, len(pauses) - 1)]

    async def _queued(self, ahead: int) -> None:
        await self._desk.note_again("queued", queued(ahead))
        for one in await self._desk.given():
            if one.message:
                fate = FateChanged(message=one.message, fate=Fate.QUEUED)
                await self._desk.apply(Noted(EntryKey(f"fate/{one.key}/queued"), fate))

    async def _clone(self, repository: Repository, issue: IssueLinked, proposed: str | None) -> Workspace:
        wished = (await self.options()).branch
        branch = self._desk.record.branch or branch_for(issue, wished or proposed)
        host = self._crew.code_host

        async def access() -> GitAccess | None:
            return await host.access(repository.name, write=False) if host and repository.hosted else None

        try:
            workspace = await self._crew.workspaces.prepare(
                self._desk.record.id, repository.url, repository.base, branch, access=access
            )
        except DeliveryError as error:
            sentence = f"I cannot clone {repository.name}: {self._crew.redact(str(error))}."
            raise Failed(failure(Blocker.REPO_UNREACHABLE, sentence)) from error
        except WorkspaceError as error:
            sentence = f"I cannot clone {repository.name}: `{self._crew.redact(error.last_line)}` (git)."
            raise Failed(failure(Blocker.REPO_UNREACHABLE, sentence)) from error
        await self._desk.remember(branch=branch, base_sha=workspace.base_sha)
        return workspace
