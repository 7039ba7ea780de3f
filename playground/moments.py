"""Named moments of a call to a stand-in, at which a test may do something: kill the caller, for example."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Moment = Literal["before", "executed", "answered", "streaming"]
"""Known but not executed; executed but not answered; answered; in the middle of a streamed answer."""

Callback = Callable[[], Awaitable[object]]
When = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True, slots=True)
class _Watch:
    call: str
    moment: Moment
    callback: Callback
    when: When


@dataclass(slots=True)
class Moments:
    """Who waits for which moment; each is called back once, and the call goes on when that is over."""

    _watches: list[_Watch] = field(default_factory=list)

    def at(self, call: str, moment: Moment, callback: Callback, *, when: When = lambda _: True) -> None:
        """Await `callback` when the next `call` whose arguments fulfil `when` gets to `moment`."""
        self._watches.append(_Watch(call, moment, callback, when))

    async def reach(self, calls: Collection[str], moment: Moment, arguments: Mapping[str, Any]) -> None:
        """A call that goes by these names has got to `moment`."""
        for watch in list(self._watches):
            if watch.moment == moment and watch.call in calls and watch.when(arguments):
                self._watches.remove(watch)
                await watch.callback()

    def clear(self) -> None:
        self._watches.clear()
