"""What was said in threads, kept in memory: Teams lets a bot read nothing back. Pure."""

from collections import OrderedDict
from dataclasses import replace
from typing import Final

from core.events import ThreadMessage
from core.ids import ThreadRef

HISTORY: Final = 50
THREADS: Final = 200
TEXT_CHARS: Final = 4_000


class Heard:
    """The last messages of the threads that were last active, since this process started.

    Without consent to read everything that is only what was said to us. It is never stored: a channel's talk
    is not ours to keep.
    """

    def __init__(self) -> None:
        self._threads: OrderedDict[ThreadRef, OrderedDict[str, ThreadMessage]] = OrderedDict()

    def put(self, thread: ThreadRef, message: ThreadMessage) -> None:
        """A new message, or what a known one says now."""
        messages = self._threads.setdefault(thread, OrderedDict())
        messages[message.id] = replace(message, text=message.text[:TEXT_CHARS])
        while len(messages) > HISTORY:
            messages.popitem(last=False)
        self._threads.move_to_end(thread)
        while len(self._threads) > THREADS:
            self._threads.popitem(last=False)

    def remove(self, thread: ThreadRef, message: str) -> None:
        """Its author took it back."""
        self._threads.get(thread, OrderedDict()).pop(message, None)

    def of(self, thread: ThreadRef) -> list[ThreadMessage]:
        """What is known of a thread, oldest first."""
        return list(self._threads.get(thread, OrderedDict()).values())
