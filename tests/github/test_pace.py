"""Writes come one by one and a second apart; a spent limit is not asked again."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest

from github.errors import RateLimited
from github.pace import ANY, LONGEST_CLOSED_S, Pace
from github.sansio import Quota
from tests.github.fakes import NOW, Clock


async def test_writes_of_one_credential_are_a_second_apart() -> None:
    clock = Clock()
    pace, began = clock.pace(), []
    for _ in range(3):
        async with pace.writing("user/42"):
            began.append(clock.seconds)
            clock.seconds += 0.25
    assert [round(after - before, 2) for before, after in pairwise(began)] == [1.25, 1.25]


async def test_another_credential_does_not_wait() -> None:
    clock = Clock()
    pace = clock.pace()
    for key in ("user/42", "user/43", "app"):
        async with pace.writing(key):
            pass
    assert clock.slept == []


async def test_a_failed_write_makes_the_next_one_wait_as_well() -> None:
    clock = Clock()
    pace = clock.pace()
    with pytest.raises(ValueError, match="no"):
        async with pace.writing("app"):
            raise ValueError("no")
    async with pace.writing("app"):
        pass
    assert clock.slept == [1.0]


async def test_there_is_never_more_than_one_write_with_a_credential() -> None:
    pace, inside, most = Clock().pace(), 0, 0

    async def write() -> None:
        nonlocal inside, most
        async with pace.writing("app"):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(write() for _ in range(20)))
    assert most == 1


async def test_a_cancelled_writer_leaves_its_place() -> None:
    pace = Clock().pace()
    async with pace.writing("app"):
        waiting = asyncio.ensure_future(_write(pace))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with asyncio.timeout(30):
        await _write(pace)


async def _write(pace: Pace) -> None:
    async with pace.writing("app"):
        pass


def test_a_spent_limit_is_known_until_it_is_reset() -> None:
    clock = Clock()
    pace = clock.pace()
    pace.note("app", Quota("core", 0, NOW + timedelta(minutes=5)))
    with pytest.raises(RateLimited) as limited:
        pace.check("app", "core")
    assert limited.value.retry_after_s == 300.0
    pace.check("app", "graphql")
    pace.check("user/42", "core")
    clock.seconds += 301
    pace.check("app", "core")


def test_what_is_left_closes_nothing() -> None:
    pace = Clock().pace()
    pace.note("app", Quota("core", 1, NOW + timedelta(minutes=5)))
    pace.note("app", Quota("core", 0, NOW - timedelta(minutes=5)))
    pace.note("app", None)
    pace.check("app", "core")


def test_a_secondary_limit_closes_every_resource() -> None:
    pace = Clock().pace()
    pace.close("app", 30.0, ANY)
    for resource in ("core", "graphql"):
        with pytest.raises(RateLimited):
            pace.check("app", resource)


def test_a_wrong_clock_does_not_close_for_ever() -> None:
    clock = Clock()
    pace = clock.pace()
    pace.note("app", Quota("core", 0, NOW + timedelta(days=400)))
    clock.seconds += LONGEST_CLOSED_S + 1
    pace.check("app", "core")
