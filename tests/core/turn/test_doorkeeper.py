"""Who may not steer is told so, wherever they wrote."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from core.activities import Author, Denied, Notice
from core.events import Incoming, Said
from core.ids import ThreadRef, TurnId
from core.intake import Waiting
from core.people import Policy, Unlinked
from core.policy import Work, no_write
from core.store.people import PeopleStore
from core.turn.desk import TurnDesk
from core.turn.doorkeeper import Doorkeeper
from core.turn.registry import Registry
from tests.core.turn.fakes import ANN, EVE, THREAD, Scene


class Strict:
    """Nobody may write there."""

    async def work(self, author: Author, repository: str | None) -> Work:
        return Work.DENIED


class Unasked:
    """Nobody has to be looked up."""

    async def account(self, email: str) -> None:
        raise AssertionError(email)


@pytest.fixture
async def door(scene: Scene) -> Doorkeeper:
    await scene.say("fix it")
    people = Registry(
        policy=Policy(Unlinked.NAMED),
        store=PeopleStore(scene.database, scene.store, now=scene.clock),
        directory=cast(Any, Unasked()),
        can_link=False,
    )
    scene.restart(people=people, reviews=cast(Any, SimpleNamespace(guard=Strict())))
    record = await scene.store.load(scene.session)
    return Doorkeeper(TurnDesk(scene.crew, replace(record, repository="acme/shop"), TurnId("turn:1")))


def said(key: str, place: ThreadRef | str, by: Author) -> Waiting:
    return Waiting(1, Incoming(key=key, place=place, event=Said("and the toggle"), author=by))


async def test_who_prompts_in_linear_without_the_right_is_told_there_each_time(
    scene: Scene, door: Doorkeeper
) -> None:
    for key in ("linear/1", "linear/2", "linear/2"):
        assert await door.admit(said(key, "as0", EVE)) is None
    told = [one.entry for one in await scene.log() if isinstance(one.entry, Notice | Denied)]
    assert told == [Notice(body=no_write("acme/shop"), surface="linear")] * 2


async def test_who_writes_in_a_thread_without_the_right_is_told_in_private_once(
    scene: Scene, door: Doorkeeper
) -> None:
    for key in ("m8", "m9"):
        assert await door.admit(said(key, THREAD, ANN)) is None
    told = [one.entry for one in await scene.log() if isinstance(one.entry, Notice | Denied)]
    assert [(type(one), one.body) for one in told] == [(Denied, no_write("acme/shop"))]
