"""Response URLs: what an app may do to a message after somebody clicked in it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from playground.slack_blocks import check_blocks
from playground.slack_clock import Clock
from playground.slack_events import Event, changed, message_wire, posted, removed
from playground.slack_state import Draft, Message, Workspace
from playground.slack_wire import Refused, Wire

USES: Final = 5
LIFETIME_S: Final = 30 * 60


@dataclass(slots=True)
class _Right:
    message: Message
    user: str
    uses_left: int
    until: float


class ResponseUrls:
    """Issues the right to answer a click five times within half an hour, and carries the answers out."""

    def __init__(
        self, workspace: Workspace, clock: Clock, publish: Callable[[Sequence[Event]], None]
    ) -> None:
        self._workspace = workspace
        self._clock = clock
        self._publish = publish
        self._rights: dict[str, _Right] = {}
        self._numbers = count(1)

    def issue(self, message: Message, user: str) -> str:
        """A path below the server's address."""
        key = f"r{next(self._numbers)}"
        self._rights[key] = _Right(message, user, USES, self._clock.now() + LIFETIME_S)
        return f"/actions/{key}"

    def answer(self, key: str, body: Wire) -> None:
        """Carry out one answer; raises `Refused` when the right is used up."""
        right = self._rights.get(key)
        if right is None or right.uses_left == 0:
            raise Refused("used_url")
        if self._clock.now() > right.until:
            raise Refused("expired_url")
        blocks = body.get("blocks") or []
        check_blocks(blocks)
        right.uses_left -= 1
        if body.get("delete_original"):
            self._delete(right.message)
        elif body.get("replace_original"):
            self._replace(right.message, body.get("text") or "", tuple(blocks))
        else:
            self._post(right, body, tuple(blocks))

    def _delete(self, message: Message) -> None:
        before = message_wire(self._workspace, message)
        message.deleted = True
        if message.only_for is None:
            now = self._clock.now()
            self._publish(removed(self._workspace, message, before, self._workspace.next_ts(now)))

    def _replace(self, message: Message, text: str, blocks: tuple[Any, ...]) -> None:
        before = message_wire(self._workspace, message)
        self._workspace.rewrite(message, text, blocks, self._clock.now())
        if message.only_for is None and message.edited_at is not None:
            self._publish(changed(self._workspace, message, before, message.edited_at))

    def _post(self, right: _Right, body: Wire, blocks: tuple[Any, ...]) -> None:
        in_channel = body.get("response_type") == "in_channel"
        draft = Draft(
            text=body.get("text") or "",
            blocks=blocks,
            thread_ts=body.get("thread_ts") or right.message.thread_ts,
            only_for=None if in_channel else right.user,
        )
        message = self._workspace.post(self._workspace.bot, right.message.channel, draft, self._clock.now())
        self._publish(posted(self._workspace, message))
