"""What a code host tells us of its own accord: reasons to look again, and what people say to us there."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from core.activities import Author
from core.events import Incoming, Said
from core.ids import SessionId
from core.ports import CodeHost
from core.pulls import CodeAccount
from core.review.watch import PullWatch
from core.store.pulls import PullStore

log = logging.getLogger(__name__)


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
    """Something happened to these pull requests, or to this branch; what, is read from the code host."""

    repository: str
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
    ) -> None:
        self._host = host
        self._watch = watch
        self._pulls = pulls
        self._accept = accept

    async def heed(self, hint: Hint) -> None:
        """Look again; hand on what was said to us. Done twice, it says nothing twice."""
        if await self._pulls.hint(hint.repository, numbers=hint.numbers, branch=hint.branch):
            self._watch.wake()
        if hint.remark is not None:
            await self._hand_on(hint, hint.remark)

    async def _hand_on(self, hint: Hint, remark: Remark) -> None:
        """Words of people who may push anyway steer; anybody else's on a public repository do not."""
        for number in hint.numbers:
            pull = await self._pulls.by_ref(hint.repository, number)
            if pull is None or remark.is_bot:
                continue
            account = CodeAccount(person="", id=remark.by_id, login=remark.by)
            permission = await self._host.permission(pull.repository, account)
            if not permission.writes:
                log.info("remark of a stranger", extra={"pull": str(pull.ref), "account": remark.by_id})
                continue
            author = Author("github", str(remark.by_id), remark.by)
            said = Incoming(key=remark.key, place="", event=Said(remark.text), author=author)
            await self._accept(pull.session, said)
