"""The stand-in's clock: real time that can be pushed forward, or time that only moves when told."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Tells the time; `advance` moves it forward.

    Without `start` it follows the machine, so that retries happen by themselves in hand use. With `start`
    (aware) it stands still between calls of `advance`, so that tests need no sleeping.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._start = start
        self._ahead = timedelta()

    @property
    def is_manual(self) -> bool:
        return self._start is not None

    def now(self) -> datetime:
        return (self._start or datetime.now(UTC)) + self._ahead

    def advance(self, step: timedelta) -> None:
        if step < timedelta():
            raise ValueError("time does not run backwards")
        self._ahead += step


def iso(moment: datetime) -> str:
    """UTC in the form Linear writes: milliseconds and a Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def epoch_ms(moment: datetime) -> int:
    """Whole milliseconds since the Unix epoch."""
    return int(moment.timestamp() * 1000)
