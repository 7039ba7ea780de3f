"""Talks with the agent: hands prompts over, logs what it does, ends the turn in one closing activity."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from core.activities import (
    Answered,
    Author,
    Blocked,
    Blocker,
    Elicitation,
    Error,
    IssueLinked,
    Outcome,
    Response,
    Thought,
    TurnEnded,
    Unblocked,
)
from core.composer import (
    GUIDANCE,
    closing,
    first_prompt,
    prompt_text,
    stopped,
    title_of,
    with_files,
)
from core.errors import AgentError, DeliveryError, WorkspaceError
from core.events import (
    AgentDied,
    AgentEvent,
    AgentWaits,
    File,
    Image,
    RunFailed,
    RunInterrupted,
    RunSucceeded,
    ThreadMessage,
)
from core.ids import ElicitationId, EntryKey, uuid_for
from core.intake import without_options
from core.narration import failure, narrate, waiting
from core.ports import AgentRun, RunSpec
from core.reports import plan_is_agreed, waited_s
from core.review.words import steering
from core.session import (
    ANSWERS,
    AgentGone,
    Asked,
    Given,
    HandedOver,
    Noted,
    Session,
    TurnClosed,
    going_on,
    is_answers,
    unheard,
    value_of,
)
from core.turn.desk import Failed, Stopped, TurnDesk
from core.turn.reading import read_files
from core.workspace.clone import Workspace
from core.workspace.commit import commit, committed
from core.workspace.message import Credits, by

log = logging.getLogger(__name__)

LIVES = 3

RunEnded = RunSucceeded | RunFailed | RunInterrupted | AgentDied


class Conversation:
    """One agent at work on one turn; a crashed or silent agent is resumed where it was."""

    def __init__(self, desk: TurnDesk, workspace: Workspace, issue: IssueLinked) -> None:
        self._desk = desk
        self._crew = desk.crew
        self._workspace = workspace
        self._issue = issue
        self._run: AgentRun | None = None
        self._handing = asyncio.Lock()
        self._sent: set[str] = set()
        self._last_sent: str | None = None
        self._news = asyncio.Event()
        self._waited_s: float | None = None
        self._granted: set[ElicitationId] = set()
        self._waits: Blocked | None = None
        self._was_silent = False

    async def hold(self, model: str | None, *, plan: bool = False) -> TurnClosed:
        """Run the agent until the turn is over.

        Args:
            model: None for the configured default.
            plan: It has to agree on a plan with people before it changes anything.

        Raises:
            Failed: It cannot be started.
            Stopped: Somebody asked to stop while it was starting.
        """
        lives, trouble = LIVES, None
        try:
            while True:
                # What the last agent asked is not asked again by the next one.
                await self._desk.unless_stopped(self._answers())
                if trouble is not None:
                    await self._wait(waiting(trouble))
                ended = await self._live(await self._desk.unless_stopped(self._open(model, plan=plan)))
                match ended:
                    case AgentDied() if lives > 1 and not self._desk.stop.is_set():
                        lives -= 1
                        await self._desk.apply(AgentGone())
                        trouble = Blocker.AGENT_SILENT if self._was_silent else Blocker.AGENT_CRASHED
                    case _:
                        return await self._closed(ended)
        finally:
            await self._close_run()

    async def called_off(self) -> TurnClosed:
        """Close without an agent, because somebody asked to stop; what earlier ones left is kept."""
        return await self._closed(RunInterrupted())

    async def hear(self) -> None:
        """A person said more: steer it into the running agent, if it runs."""
        self._news.set()
        self._waited_s = None
        if self._run is not None:
            await self._hand_over(self._run)

    async def answer(self, question: ElicitationId, answer: str) -> None:
        """The answer to something the agent asked."""
        self._waited_s = None
        if self._run is not None:
            await self._run.answer(question, answer)

    async def _answers(self) -> None:
        """Wait for people to answer what an agent asked that is gone."""
        while (await self._load()).orphaned:
            await self._news.wait()
            self._news.clear()

    async def _open(self, model: str | None, *, plan: bool) -> AgentRun:
        record = self._desk.record
        spec = RunSpec(
            agent_session=record.agent_session,
            workspace=self._workspace.path,
            home=self._workspace.path.parent / "agent",
            guidance=GUIDANCE,
            model=model,
            plan=plan and not plan_is_agreed(await self._crew.store.log(record.id)),
            resume=True,
            given=frozenset(map(_uuid, going_on(await self._load()))),
        )
        try:
            self._run = await self._crew.runner.open(spec)
        except AgentError as error:
            raise Failed(failure(error.code, self._crew.redact(str(error)))) from error
        return self._run

    async def _live(self, run: AgentRun) -> RunEnded:
        """One life of the agent: what it was given, then everything it does until it ends."""
        self._sent, self._last_sent, self._was_silent = set(run.known_prompts), None, False
        await self._hand_over(run)
        events = run.events()
        try:
            while True:
                event = await self._next(run, events)
                if isinstance(event, RunSucceeded) and not await self._covers_everything(run, event):
                    await self._pass_on(event)
                elif isinstance(event, RunSucceeded | RunFailed | RunInterrupted | AgentDied):
                    return event
                else:
                    await self._log(run, event)
        finally:
            await self._close_run()

    async def _covers_everything(self, run: AgentRun, answer: RunSucceeded) -> bool:
        """Whether the answer is to all that was said; what was said just now is handed over."""
        await self._hand_over(run)
        return not answer.prompts or self._last_sent is None or self._last_sent in answer.prompts

    async def _pass_on(self, answer: RunSucceeded) -> None:
        """It was not the last word: somebody spoke when the agent had just finished."""
        key = EntryKey(f"{self._desk.turn}/answer/{answer.prompts[-1]}")
        await self._desk.apply(Noted(key, Thought(body=answer.text)))

    async def _next(self, run: AgentRun, events: AsyncIterator[AgentEvent]) -> AgentEvent:
        """The next event; silence, the end of the time and a stop are turned into events as well."""
        coming = asyncio.ensure_future(anext(events, AgentDied()))
        stopping = asyncio.create_task(self._desk.stop.wait())
        try:
            patience = await self._patience()
            done, _ = await asyncio.wait(
                {coming, stopping}, timeout=patience, return_when=asyncio.FIRST_COMPLETED
            )
            if coming in done:
                return coming.result()
            if stopping in done:
                return await self._interrupt(run, coming, events)
            return await self._out_of_patience()
        finally:
            stopping.cancel()
            if not coming.done():
                coming.cancel()
            await asyncio.gather(coming, stopping, return_exceptions=True)

    async def _interrupt(
        self, run: AgentRun, coming: "asyncio.Future[AgentEvent]", events: AsyncIterator[AgentEvent]
    ) -> AgentEvent:
        """Give the agent a moment to stop by itself; what it still says is not shown."""
        try:
            async with asyncio.timeout(self._crew.limits.stop_grace_s):
                await run.interrupt()
                event = await coming
                while not isinstance(event, RunSucceeded | RunFailed | RunInterrupted | AgentDied):
                    event = await anext(events, AgentDied())
                return event
        except TimeoutError:
            log.info("agent did not stop by itself", extra={"session": self._desk.record.id})
        return RunInterrupted()

    async def _patience(self) -> float | None:
        """Seconds until something is done about a silent agent; None while people are waited for."""
        session = await self._load()
        if session.questions:
            return None
        return max(0.0, min(await self._left_s(session), self._crew.limits.silence_timeout_s))

    async def _left_s(self, session: Session) -> float:
        """What is left of the turn's time; people may take theirs."""
        if self._waited_s is None:
            self._waited_s = waited_s(await self._crew.store.log(self._desk.record.id))
        ends = session.started_at + self._waited_s + self._crew.limits.turn_timeout_s
        return ends - self._crew.now()

    async def _out_of_patience(self) -> AgentEvent:
        if await self._left_s(await self._load()) <= 0:
            minutes = round(self._crew.limits.turn_timeout_s / 60)
            sentence = f"Stopped after {minutes} min as configured; the branch keeps the work."
            return RunFailed(Blocker.RUN_TIMEOUT, sentence)
        self._was_silent = True
        return AgentDied()

    async def _log(self, run: AgentRun, event: AgentEvent) -> None:
        if isinstance(event, AgentWaits):
            await self._wait(Blocked(code=event.code, body=event.text))
            return
        if self._waits is not None:
            await self._desk.note_again("goes on", Unblocked(code=self._waits.code))
            self._waits = None
        session = await self._load()
        match narrate(event, requester=session.requester):
            case Asked(question=question) as asked:
                earlier = await self._answered_before(question)
                if earlier is not None:  # People answered while there was no agent to hear it.
                    await run.answer(question.id, value_of(question, earlier))
                else:
                    await self._desk.apply(asked)
            case None:
                pass
            case happened:
                await self._desk.apply(happened)

    async def _answered_before(self, question: Elicitation) -> str | None:
        """What people answered while there was no agent to hear it; a permission counts once."""
        if (earlier := await self._crew.store.answer_to(self._desk.record.id, question.id)) is not None:
            return earlier
        told = {one.key.removeprefix(ANSWERS) for one in (await self._load()).given if is_answers(one)}
        alike: set[ElicitationId] = set()
        for one in await self._crew.store.log(self._desk.record.id):
            match one.entry:
                case Elicitation(id=id, body=question.body, options=question.options) if id in told:
                    alike.add(id)
                case Answered(elicitation=id, answer=answer) if id in alike - self._granted:
                    self._granted.add(id)
                    return answer
                case _:
                    continue
        return None

    async def _wait(self, blocked: Blocked) -> None:
        if blocked != self._waits:
            self._waits = blocked
            await self._desk.note_again("waits", blocked)

    async def _hand_over(self, run: AgentRun) -> None:
        """Give the agent what it was not given yet; how messages were joined is remembered before they go."""
        async with self._handing:
            session = await self._load()
            if self._run is not run or session.stopping is not None:
                return  # Too late: what was said belongs to the next life of the agent, or to nobody.
            fresh = unheard(session)
            if fresh:
                await self._desk.apply(HandedOver(fresh))
            known = {one.key: one for one in session.given}
            for keys in (*session.handed, *([fresh] if fresh else [])):
                if (uuid := _uuid(keys)) not in self._sent:
                    await self._give(run, uuid, [known[key] for key in keys])

    async def _give(self, run: AgentRun, uuid: str, given: Sequence[Given]) -> None:
        words, files = await self._words(given), await self._files(given)
        if self._desk.stop.is_set():
            return
        self._sent.add(uuid)
        self._last_sent = uuid
        images = [one for one in files if isinstance(one, Image)]
        await run.prompt(uuid, with_files(words, files), images)

    async def _files(self, given: Sequence[Given]) -> Sequence[File]:
        """What people attached; nobody who asks to stop waits for it."""
        try:
            return await self._desk.unless_stopped(read_files(self._desk, given))
        except Stopped:
            return ()

    async def _words(self, given: Sequence[Given]) -> str:
        given = [one if is_answers(one) else replace(one, text=without_options(one.text)) for one in given]
        if self._sent or await self._was_answered_before():
            return prompt_text(given)
        return first_prompt(given, await self._history(given), self._issue)

    async def _was_answered_before(self) -> bool:
        """Whether an earlier turn came to its end: the agent knows issue and thread from then."""
        log = await self._crew.store.log(self._desk.record.id)
        ends = (one.entry for one in log if isinstance(one.entry, TurnEnded))
        return any(end.outcome is Outcome.DONE for end in ends)

    async def _history(self, given: Sequence[Given]) -> Sequence[ThreadMessage]:
        message = given[0].message
        reader = self._crew.readers.get(message.thread.surface) if message else None
        if not message or not reader:
            return ()
        try:
            return await reader.history(message.thread)
        except DeliveryError as error:
            log.warning("thread unread", extra={"session": self._desk.record.id, "error": str(error)})
            return ()

    async def _closed(self, ended: RunEnded) -> TurnClosed:
        changed = await self._commit()
        session = await self._load()
        if session.stopping is not None:
            body = stopped(
                session.stopping,
                branch=self._desk.record.branch,
                stat=changed,
                reason=session.stop_reason,
            )
            return self._close(Response(body=body), Outcome.STOPPED, ended)
        match ended:
            case RunSucceeded(text=text):
                where = await self._shipped(changed)
                body = closing(text, branch=self._workspace.branch, stat=changed, where=where)
                return self._close(Response(body=self._crew.redact(body)), Outcome.DONE, ended)
            case RunFailed(code=code, text=text):
                return self._close(failure(code, self._crew.redact(text)), Outcome.FAILED, ended)
            case AgentDied(last_line=line):
                return self._close(self._dead(line), Outcome.FAILED, ended)
            case RunInterrupted():  # Nobody asked us to: the agent gave up by itself.
                return self._close(
                    failure(Blocker.AGENT_FAILED, "The agent stopped before it was done."),
                    Outcome.FAILED,
                    ended,
                )

    def _dead(self, last_line: str) -> Error:
        if self._was_silent:
            return failure(Blocker.AGENT_SILENT, f"The agent gave no sign of life {LIVES} times in a row.")
        sentence = f"The agent crashed {LIVES} times in a row: {last_line}".rstrip(": ")
        return failure(Blocker.AGENT_CRASHED, f"{sentence.rstrip('.')}.")

    def _close(self, terminal: Response | Error, outcome: Outcome, ended: RunEnded) -> TurnClosed:
        cost = None if isinstance(ended, AgentDied) else ended.cost_usd
        return TurnClosed(
            terminal=terminal,
            outcome=outcome,
            at=self._crew.now(),
            cost_usd=cost if cost is not None else self._desk.record.cost_usd,
        )

    async def _commit(self) -> str | None:
        """Commit what the agent left, and say what the whole session changed; None if that is nothing."""
        session = await self._load()
        asked = next((one.text for one in session.given), "")
        try:
            message = f"{self._issue.identifier}: {title_of(without_options(asked))}"
            await commit(self._workspace, self._crew.redact(message), await self._credits(session))
            done = await committed(self._workspace)
            return done.stat_line if done and done.files else None
        except WorkspaceError as error:
            log.error("commit failed", extra={"session": self._desk.record.id, "git": error.last_line})
            return f"not committed: `{self._crew.redact(error.last_line)}` (git)"

    async def _credits(self, session: Session) -> Credits:
        reviews, issue = self._crew.reviews, self._issue
        if reviews is None or self._desk.record.repository not in reviews.repositories:
            return by(session.requester or Author("", "", ""), Linear_Issue=issue.identifier)
        people = steering(await self._crew.store.log(self._desk.record.id)).everybody
        return await reviews.crediting.credits(people, issue=issue.identifier, session_url=issue.url)

    async def _shipped(self, changed: str | None) -> str | None:
        """Where the work can be seen; None where no code host shows it."""
        reviews, record = self._crew.reviews, self._desk.record
        done = await committed(self._workspace) if changed and reviews else None
        if reviews is None or done is None or not done.files:
            return None
        return await reviews.ship(
            record.id,
            record.repository,
            self._workspace.branch,
            sha=done.sha,
            stat=done.stat_line,
            turn=self._desk.turn,
        )

    async def _load(self) -> Session:
        return (await self._crew.store.load(self._desk.record.id)).session

    async def _close_run(self) -> None:
        if self._run is not None:
            run, self._run = self._run, None
            await run.close()


def _uuid(keys: Sequence[str]) -> str:
    """Of the prompt that these messages are handed over as."""
    return uuid_for("prompt/" + "+".join(keys))
