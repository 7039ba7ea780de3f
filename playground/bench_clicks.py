"""Presses buttons on either platform, and takes the time until something is so."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from playground.bench_numbers import PATIENCE_S
from playground.sides import Side, SlackSide, TeamsSide
from playground.slack_blocks import elements_of
from playground.stage import Stage
from playground.teams_reading import actions_of

LOOK_EVERY_S = 0.01
"""Finer than a stage looks: what is measured takes some hundredths of a second."""


class Clicker(Protocol):
    """Buttons of one platform; a label is a regular expression for the whole of it."""

    @property
    def side(self) -> Side: ...

    def shows(self, person: str, label: str) -> bool:
        """Whether this person could press such a button."""
        ...

    async def press(self, person: str, label: str) -> None:
        """Press the newest of them; returns when the press is acknowledged."""
        ...


class SlackClicker:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.side = SlackSide(stage)

    def shows(self, person: str, label: str) -> bool:
        return next(self._found(person, label), None) is not None

    async def press(self, person: str, label: str) -> None:
        user, (ts, element) = f"U0{person.upper()}", next(self._found(person, label))
        receipt = await self._stage.slack.people.click(
            user, self.side.channel, ts, element["action_id"], value=element.get("value")
        )
        assert receipt.status == 200, receipt

    def _found(self, person: str, label: str) -> Iterator[tuple[str, dict[str, Any]]]:
        messages = self._stage.slack.workspace.channels[self.side.channel].messages
        for one in reversed(messages.values()):
            if one.deleted or one.only_for not in (None, f"U0{person.upper()}"):
                continue
            for _, element in elements_of(one.blocks):
                if element["type"] == "button" and re.fullmatch(label, element["text"]["text"]):
                    yield one.ts, element


class TeamsClicker:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.side = TeamsSide(stage)

    def shows(self, person: str, label: str) -> bool:
        return next(self._found(person, label), None) is not None

    async def press(self, person: str, label: str) -> None:
        user, (message, title) = f"29:{person.lower()}", next(self._found(person, label))
        receipt = await self._stage.teams.people.click(user, self.side.channel, message, title)
        assert receipt.status == 200, receipt

    def _found(self, person: str, label: str) -> Iterator[tuple[str, str]]:
        user = f"29:{person.lower()}"
        messages = self._stage.teams.workspace.conversations[self.side.channel].messages
        for one in reversed(messages.values()):
            if one.deleted or one.only_for not in (None, user):
                continue
            for card in one.cards_for(user):
                for action in actions_of(card):
                    if re.fullmatch(label, action["title"]):
                        yield one.id, action["title"]


class Watch:
    """Times since a press, in milliseconds, by what happened then."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}

    async def press(
        self, clicker: Clicker, person: str, label: str, name: str, **happens: Callable[[], Any]
    ) -> None:
        """Press, and wait until all of this has happened."""
        began = time.perf_counter()

        async def acknowledged() -> None:
            await clicker.press(person, label)
            self._note(f"{name} to acknowledged", began)

        async def happened(what: str, is_so: Callable[[], Any]) -> None:
            await until(is_so, f"{name} to {what}")
            self._note(f"{name} to {what.replace('_', ' ')}", began)

        await asyncio.gather(acknowledged(), *(happened(*one) for one in happens.items()))

    def _note(self, name: str, began: float) -> None:
        self.times.setdefault(name, []).append((time.perf_counter() - began) * 1000)


async def until(is_so: Callable[[], Any], what: str) -> None:
    """Wait with a fine eye; raises TimeoutError that names what did not come."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if is_so():
                    return
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        raise TimeoutError(f"not within {PATIENCE_S} s: {what}") from None
