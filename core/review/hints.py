"""What a code host tells us of its own accord: reasons to look again, and what people say to us there."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from core.activities import Author
from core.commands import Act, Aside, Stop, command_of
from core.events import Incoming, Said
from core.ids import SessionId
from core.ports import CodeHost
from core.pulls import CodeAccount, PullAction, PullRef
from core.review.watch import PullWatch
from core.store.pulls import PullStore

log = logging.getLogger(__name__)

ELSEWHERE = (
    "Here I read what is for the agent, and `stop`. Other commands count in chat and in Linear; to review and"
    " merge here, use GitHub's own buttons."
)
STOPPING = "I have told the agent to stop, if it was at work."

_FOR_THE_AGENT = frozenset({PullAction.FIX, PullAction.COMMENT, PullAction.REQUEST_CHANGES})


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What somebody wrote to us at a pull request. `key` is the same for the same words."""

    key: str
    by: str
    by_id: int
    text: str
    is_bot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """Something happened to these pull requests, or to this branch; what, is read from the code host.

    Attributes:
        repository: As it is called now. `was`: as it was called before, if that is the news.
    """

    repository: str
    was: str = ""
    numbers: tuple[int, ...] = ()
    branch: str = ""
    remark: Remark | None = None


class Hints:
    """Takes hints in; raises `StoreUnavailable`, or `DeliveryError` where the code host has to be asked."""

    def __init__(
        self,
        host: CodeHost,
        watch: PullWatch,
        pulls: PullStore,
        *,
        accept: Callable[[SessionId, Incoming], Awaitable[object]],
        reply: Callable[[PullRef, str, str], Awaitable[None]],
    ) -> None:
        """`reply`: says something below a pull request, once for each UUID that names it."""
        self._host = host
        self._watch = watch
        self._pulls = pulls
        self._accept = accept
        self._reply = reply

    async def heed(self, hint: Hint) -> None:
        """Look again; hand on what was said to us. Done twice, it says nothing twice."""
        if await self._pulls.hint(hint.repository, numbers=hint.numbers, branch=hint.branch):
            self._watch.wake()
        if hint.was and await self._pulls.hint_all(hint.was):
            self._watch.wake()
        if hint.remark is not None:
            await self._hand_on(hint, hint.remark)

    async def _hand_on(self, hint: Hint, remark: Remark) -> None:
        """Words of people who may push anyway steer; anybody else's on a public repository do not."""
        for number in hint.numbers:
            pull = await self._pulls.by_ref(hint.repository, number)
            if pull is None or pull.ref is None or remark.is_bot:
                continue
            account = CodeAccount(person="", id=remark.by_id, login=remark.by)
            permission = await self._host.permission(pull.repository, account)
            if not permission.writes:
                log.info("remark of a stranger", extra={"pull": str(pull.ref), "account": remark.by_id})
                continue
            author = Author("github", str(remark.by_id), remark.by)
            text, answer = meant(remark.text, pull.ref)
            if text is not None:
                said = Incoming(key=remark.key, place="", event=Said(text), author=author)
                await self._accept(pull.session, said)
            if answer is not None:
                await self._reply(pull.ref, answer, str(uuid5(NAMESPACE_URL, remark.key)))


def meant(text: str, pull: PullRef) -> tuple[str | None, str | None]:
    """What of a remark goes into the session, and what is answered below the pull request.

    Replies of the session are not shown at the code host, so no command that needs one counts there.
    """
    match command_of(text):
        case None:
            return text, None
        case Stop():
            return text, STOPPING
        case Aside():
            return None, None
        case Act(action=action) if action in _FOR_THE_AGENT:
            return f"About {pull}: {text}", None  # No command any more.
        case _:
            return None, ELSEWHERE
