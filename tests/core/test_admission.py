"""A fair queue in front of the machine."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from core.admission import Admission


class Guest:
    """Somebody who wants in; remembers what they were told."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.told: list[int] = []
        self.inside = asyncio.Event()
        self.may_go = asyncio.Event()

    async def visit(self) -> None:
        async with self._admission.place(self.hear):
            self.inside.set()
            await self.may_go.wait()

    async def hear(self, ahead: int) -> None:
        self.told.append(ahead)


async def settle() -> None:
    """Let every task that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_queue_moves_up_in_order_and_is_told() -> None:
    admission = Admission(1)
    guests = [Guest(admission) for _ in range(3)]
    async with asyncio.TaskGroup() as visits:
        for guest in guests:
            visits.create_task(guest.visit())
            await settle()
        assert [guest.told for guest in guests] == [[], [1], [2]]
        guests[0].may_go.set()
        await guests[1].inside.wait()
        await settle()
        assert [guest.told for guest in guests] == [[], [1], [2, 1]]
        assert not guests[2].inside.is_set()
        guests[1].may_go.set()
        guests[2].may_go.set()
    assert guests[2].inside.is_set()


async def test_as_many_as_there_are_places_are_inside_at_once() -> None:
    admission = Admission(3)
    guests = [Guest(admission) for _ in range(5)]
    async with asyncio.TaskGroup() as visits:
        for guest in guests:
            visits.create_task(guest.visit())
        await settle()
        assert [guest.inside.is_set() for guest in guests] == [True, True, True, False, False]
        for guest in guests:
            guest.may_go.set()
    assert all(guest.inside.is_set() for guest in guests)


async def test_who_leaves_the_queue_lets_the_others_move_up() -> None:
    admission = Admission(1)
    first, second, third = guests = [Guest(admission) for _ in range(3)]
    async with asyncio.TaskGroup() as visits:
        tasks = [visits.create_task(guest.visit()) for guest in guests]
        await settle()
        tasks[1].cancel()
        await settle()
        assert third.told == [2, 1]
        first.may_go.set()
        third.may_go.set()
    assert (second.inside.is_set(), third.inside.is_set()) == (False, True)


async def test_a_place_comes_free_when_its_holder_fails() -> None:
    admission = Admission(1)
    with pytest.raises(ZeroDivisionError):
        async with admission.place(Guest(admission).hear):
            raise ZeroDivisionError
    async with asyncio.timeout(10), admission.place(Guest(admission).hear):
        pass


async def test_who_cannot_be_told_gives_up_the_wait() -> None:
    admission = Admission(1)

    async def hang_up(ahead: int) -> None:
        raise ConnectionError(ahead)

    async with admission.place(Guest(admission).hear):
        with pytest.raises(ConnectionError):
            async with admission.place(hang_up):
                pass
    async with asyncio.timeout(10), admission.place(Guest(admission).hear):
        pass


async def test_a_place_that_comes_free_while_somebody_is_told_is_theirs() -> None:
    admission = Admission(1)
    async with AsyncExitStack() as first:
        await first.enter_async_context(admission.place(Guest(admission).hear))

        async def tell_slowly(ahead: int) -> None:
            await first.aclose()

        async with asyncio.timeout(10), admission.place(tell_slowly):
            pass
