"""Everything about pull requests, as turns and the edges use it."""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

from core.activities import Notice
from core.commands import Act
from core.errors import Refused, Throttled, TryLater, WorkspaceError
from core.events import Incoming, Pressed, Said
from core.ids import EntryKey, SessionId, ThreadRef, TurnId
from core.intake import act_in
from core.policy import offer
from core.pulls import PullAction
from core.review.acting import Acting
from core.review.credits import Crediting
from core.review.guard import Guard
from core.review.ship import Shipped, Shipper
from core.review.watch import PullWatch
from core.routing import Repository
from core.session import Session
from core.store.acts import Wish
from core.store.pulls import Pull, PullStore
from core.store.sessions import SessionStore

log = logging.getLogger(__name__)

SHIP_PAUSES_S = (1.0, 2.0, 4.0)
"""How long a turn waits for the code host before it ends without; the work is shipped later then."""

SKEW_S = 1.0
"""By how much a platform's clock may be behind ours; nobody reads a card and answers it in less."""

_FOR_THE_AGENT = frozenset({PullAction.FIX, PullAction.COMMENT, PullAction.REQUEST_CHANGES})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviews:
    """Ships, watches, and acts; says who may work.

    `repositories`: by name, those that live at the code host.
    """

    shipper: Shipper
    watch: PullWatch
    acting: Acting
    pulls: PullStore
    sessions: SessionStore
    repositories: Mapping[str, Repository]
    guard: Guard
    crediting: Crediting

    async def ship(
        self, session_id: SessionId, repository: str | None, branch: str, *, sha: str, stat: str, turn: TurnId
    ) -> str | None:
        """Push what the turn committed and show it as a pull request; the line that says where the work is.

        None where the repository does not live at the code host.
        """
        if repository is None or repository not in self.repositories:
            return None
        known = await self.pulls.of(session_id)
        if known is not None and known.is_shipped and known.wanted_sha == sha:
            return f"Pull request {known.ref} · {stat}"  # Its card stays where it is.
        await self.pulls.want(session_id, repository, branch, sha=sha, turn=turn)
        try:
            shipped = await self._insist(session_id)
        except WorkspaceError as error:
            await self.pulls.look_later(session_id, None)
            return f"Branch `{branch}` · {stat} · not pushed: {error.last_line}"
        except Refused as error:
            await self.pulls.look_later(session_id, None)
            return f"Branch `{branch}` · {stat} · not pushed, GitHub refused: {error}"
        except (TryLater, Throttled) as error:
            log.warning("shipping is left for later", extra={"session": session_id, "error": str(error)})
            await self.pulls.hint_session(session_id)
            self.watch.wake()
            return f"Branch `{branch}` · {stat} · GitHub does not answer; the pull request follows by itself"
        if shipped.conflicts:
            await self.pulls.look_later(session_id, None)
            paths = ", ".join(f"`{path}`" for path in shipped.conflicts[:5])
            return f"Branch `{branch}` · {stat} · not pushed: people changed the same lines of {paths}"
        return f"Pull request {shipped.pull.ref} · {stat}"

    async def _insist(self, session_id: SessionId) -> Shipped:
        for pause_s in SHIP_PAUSES_S:
            try:
                return await self.shipper.ship(session_id)
            except TryLater:
                await asyncio.sleep(pause_s)
        return await self.shipper.ship(session_id)

    async def closed(self, session_id: SessionId) -> None:
        """A turn is over: its pull request is shown below its answer."""
        pull = await self.pulls.of(session_id)
        if pull is not None and pull.is_shipped:
            await self.pulls.hint_session(session_id)
            self.watch.wake()

    async def take(self, session_id: SessionId, incoming: Incoming, session: Session) -> bool:
        """Take in what somebody wants done with the pull request; False for anything else."""
        thread = incoming.place if isinstance(incoming.place, ThreadRef) else None
        match incoming.event:
            case Pressed(card=id, action=action, text=text, confirmed=sure):
                card = await self.pulls.card(id)
                if card is None:
                    body = "This button belongs to no pull request of mine."
                    notice = Notice(body=body, surface=incoming.author.surface)
                    await self.sessions.say(session_id, EntryKey(f"reply/{incoming.key}"), notice)
                    return True
                wish = Wish(
                    by=incoming.author, action=action, sha=card.head_sha, text=text, sure=sure, thread=thread
                )
                await self.acting.want(card.session, incoming.key, wish)
                return True
            case _:
                act = act_in(incoming, session)
                pull = await self.pulls.of(session_id) if act else None
                if act is None or _is_for_the_agent(act, pull):
                    return False
                wish = Wish(
                    by=incoming.author,
                    action=act.action,
                    sha=await self._seen(session_id, act.sha, incoming),
                    text=act.text,
                    sure=bool(act.sha),
                    thread=thread,
                    message=incoming.message,
                )
                await self.acting.want(session_id, incoming.key, wish)
                return True

    async def _seen(self, session_id: SessionId, named: str, incoming: Incoming) -> str:
        """The head that somebody means: that of the newest card when they wrote, or the one they name.

        "" if it can be none or several: whoever pushes may choose how a commit's name begins.
        """
        said_at = incoming.event.at if isinstance(incoming.event, Said) else None
        until = time.time() if said_at is None else said_at + SKEW_S
        heads = await self.pulls.heads(session_id, until=until)
        meant = {head for head in heads if head.startswith(named)} if named else set(heads[:1])
        return meant.pop() if len(meant) == 1 else ""

    def start(self) -> None:
        """Go on with what an earlier process left."""
        self.watch.start()
        self.acting.start()

    async def stop(self) -> None:
        """Begin nothing more. Safe to repeat."""
        await self.acting.stop()
        await self.watch.stop()


def _is_for_the_agent(act: Act, pull: Pull | None) -> bool:
    """Words that mean the agent where the pull request gives no cause for them."""
    if pull is None:
        return act.action in _FOR_THE_AGENT
    return act.action is PullAction.FIX and not (pull.facts and offer(pull.facts, 0))
