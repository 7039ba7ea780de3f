"""The door of a session: who comes in, who waits, who is turned away; and what a link lets in."""

import asyncio
from dataclasses import dataclass, field, replace

import pytest
import sqlalchemy as sa

from core.activities import AuthAsked, Author
from core.errors import DeliveryError, TryLater
from core.people import Evidence, Guests, Identity, Policy, Unlinked
from core.ports import Account
from core.store.people import OtherLink, PeopleStore
from core.store.tables import held, inbox
from core.turn.registry import Registry
from tests.core.turn.fakes import ANN, BOB, THREAD, FakeReader, Scene, waiting_for_ever

UNA = Author("slack", "T1/UUNA", "UUNA")
GUS = Author("slack", "T1/UGUS", "UGUS")
LINKS = Policy(Unlinked.LINK)


@dataclass
class Town(FakeReader):
    """Ann is known by her address, Una is not; Gus is a guest."""

    async def person(self, author: Author) -> Author:
        self._fail()
        people = {
            ANN.id: replace(author, name="Ann", email="ann@acme.test"),
            BOB.id: replace(author, name="Bob", email="bob@acme.test"),
            UNA.id: replace(author, name="Una", email="una@else.test"),
            GUS.id: replace(author, name="Gus", is_guest=True),
        }
        return people[author.id]


@dataclass
class Addresses:
    errors: list[DeliveryError] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def account(self, email: str) -> Account | None:
        self.asked.append(email)
        if self.errors:
            raise self.errors.pop(0)
        name, _, domain = email.partition("@")
        return Account(f"linear-{name}", name) if domain == "acme.test" else None


@dataclass
class House:
    scene: Scene
    people: PeopleStore
    directory: Addresses
    reader: Town

    async def link(self, account: str = UNA.id, user: str = "linear-una") -> None:
        await self.scene.service.link(identity(account, user))

    async def held(self) -> int:
        async with self.scene.database.read() as connection:
            return (await connection.execute(sa.select(sa.func.count()).select_from(held))).scalar_one()

    def obey(self, policy: Policy) -> None:
        registry = Registry(policy=policy, store=self.people, directory=self.directory, can_link=True)
        self.scene.restart(people=registry, readers={"slack": self.reader}, enqueue=self.scene._enqueue)


def identity(
    account: str, user: str, *, evidence: Evidence = Evidence.OAUTH, surface: str = "slack"
) -> Identity:
    return Identity(
        surface=surface, account=account, linear_user=user, name="Una S.", email=None, evidence=evidence
    )


def mention(by: Author) -> Author:
    """As an event names them: by their id."""
    return Author(by.surface, by.id, by.id.rpartition("/")[2])


@pytest.fixture
async def house(scene: Scene) -> House:
    people = PeopleStore(scene.database, scene.store, now=scene.clock)
    house = House(scene, people, Addresses(), Town())
    house.obey(LINKS)
    return house


async def test_the_unlinked_wait_and_are_asked_and_then_it_runs_by_itself(house: House) -> None:
    scene = house.scene
    await scene.say("fix the search", by=UNA)
    assert await scene.play() == "absorbed"
    assert await scene.story() == ["Una must link Linear (person.unlinked)"]
    assert await scene.fates() == ["100.1 seen", "100.1 queued"]
    assert scene.runner.opened == []

    await house.link()
    assert await scene.play(2) == "done"
    story = await scene.story()
    assert story[1:4] == ["Una S. is linked", "started by Una", "Una: fix the search"]
    assert story[-2].startswith("response: Fixed.")
    assert story[-1] == "ended done"
    assert await house.held() == 0


async def test_what_waits_runs_once_however_often_somebody_links(house: House) -> None:
    scene = house.scene
    await scene.say("fix the search", by=UNA)
    await scene.play()
    await asyncio.gather(*(house.link() for _ in range(5)))
    assert len(scene.queued) == 2
    await scene.play(2)
    await house.link()
    assert len(scene.queued) == 2
    assert len([line for line in await scene.story() if line.startswith("started")]) == 1


async def test_who_the_address_tells_comes_in_and_is_remembered(house: House) -> None:
    scene = house.scene
    await scene.say("fix the search", by=mention(ANN))
    assert await scene.play() == "done"
    assert house.directory.asked == ["ann@acme.test"]
    stored = await house.people.find("slack", ANN.id)
    assert stored is not None
    assert (stored.linear_user, stored.evidence) == ("linear-ann", Evidence.EMAIL)
    await scene.say("and the toggle", by=mention(ANN))
    assert await scene.play(2) == "done"
    assert house.directory.asked == ["ann@acme.test"]


async def test_who_steers_without_a_link_waits_while_the_turn_goes_on(house: House) -> None:
    scene = house.scene
    scene.runner.lives = [waiting_for_ever]
    await scene.say("fix the search", by=mention(ANN))
    turn = scene.begin()
    run = await scene.runner.run()
    await run.until_prompts()
    await scene.say("with tests", by=UNA)
    await scene.until_told("Una must link Linear")
    assert len(run.prompts) == 1
    await house.link()
    await run.until_prompts(2)
    assert "with tests" in run.texts[1]
    run.succeed()
    assert await turn == "done"


async def test_anybody_may_stop(house: House) -> None:
    scene = house.scene
    for by in (UNA, GUS):
        scene.runner.lives = [waiting_for_ever]
        await scene.say("fix the search", by=mention(ANN))
        turn = scene.begin(len(scene.queued))
        run = await scene.runner.run(len(scene.runner.opened) + 1)
        await run.until_prompts()
        await scene.say("stop", by=by)
        assert await turn == "stopped"


async def test_an_answer_of_the_unlinked_waits_too(house: House) -> None:
    scene = house.scene
    await scene.say("fix the search", by=UNA)
    await scene.say("please", by=UNA)
    await scene.play()
    asked = [one.entry for one in await scene.log() if isinstance(one.entry, AuthAsked)]
    assert [one.is_known for one in asked] == [False, True]
    assert {one.thread for one in asked} == {THREAD}
    await house.link()
    assert await scene.play(3) == "done"
    assert [line for line in await scene.story() if line.startswith("Una: ")] == [
        "Una: fix the search",
        "Una: please",
    ]


async def test_what_was_taken_back_while_it_waited_does_not_run(house: House) -> None:
    scene = house.scene
    message = await scene.say("delete everything", by=UNA)
    await scene.play()
    await scene.delete(message, by=UNA)
    assert await scene.play(2) == "absorbed"
    await house.link()
    for number in (3, 4):
        assert await scene.play(number) == "absorbed"
    assert scene.runner.opened == []


async def test_guests_start_and_steer_nothing_and_are_told_why(house: House) -> None:
    scene = house.scene
    house.obey(Policy())
    await scene.say("fix the search", by=GUS)
    assert await scene.play() == "absorbed"
    assert await scene.story() == [
        "Gus denied person.guest: Guests can read along; they cannot start work here."
    ]
    assert await scene.fates() == ["100.1 seen", "100.1 withdrawn"]
    house.obey(Policy(guests=Guests.FULL))
    await scene.say("fix the search", by=GUS)
    assert await scene.play(2) == "done"


async def test_strangers_are_turned_away_whatever_members_and_guests_may_do(house: House) -> None:
    house.obey(Policy(Unlinked.NAMED, Guests.FULL))
    await house.scene.say("fix it", by=replace(mention(BOB), is_external=True))
    await house.scene.play()
    assert house.scene.runner.opened == []


async def test_who_comes_with_a_name_is_looked_up_all_the_same(house: House) -> None:
    house.obey(Policy(Unlinked.NAMED, Guests.READ))
    await house.scene.say("fix it", by=replace(GUS, name="Gus"))
    await house.scene.play()
    assert house.scene.runner.opened == []


async def test_the_word_why_names_who_is_waited_for(house: House) -> None:
    scene = house.scene
    await scene.say("fix the search", by=UNA)
    await scene.play()
    await scene.say("why", by=UNA)
    await scene.play(2)
    assert "for Una to link an account at Linear" in (await scene.story())[-1]


async def test_nobody_is_judged_before_the_platforms_tell_who_they_are(house: House) -> None:
    scene = house.scene
    house.directory.errors = [TryLater("away"), TryLater("away")]
    await scene.say("fix the search", by=mention(ANN))
    assert await scene.play() == "done"
    assert (await scene.story())[0].startswith("notice: I cannot find out who you are right now")
    assert len(house.directory.asked) == 3


async def test_a_crash_between_link_and_replay_loses_nothing(house: House) -> None:
    scene = house.scene
    await scene.say("fix the search", by=UNA)
    await scene.play()
    await house.people.link(identity(UNA.id, "linear-una"))
    house.obey(LINKS)
    await scene.service.recover()
    assert await scene.play(2) == "done"
    await scene.service.recover()
    assert len(scene.queued) == 2


async def test_a_link_that_comes_while_the_request_is_put_aside_counts(house: House) -> None:
    scene = house.scene
    await scene.say("fix the search", by=UNA)
    held_before = house.people.hold

    async def linked_meanwhile(*given: object) -> None:
        await house.link()
        await held_before(*given)  # type: ignore[arg-type]  # Passed on as they are.

    house.people.hold = linked_meanwhile  # type: ignore[method-assign,assignment]  # The moment in between.
    await scene.play()
    assert await scene.play(2) == "done"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (identity(UNA.id, "u1"), identity(GUS.id, "u1")),
        (identity(UNA.id, "u1"), identity(UNA.id, "u2")),
        (identity(UNA.id, "u1", evidence=Evidence.EMAIL), identity(GUS.id, "u1")),
    ],
    ids=["one Linear account for two", "another Linear account", "somebody else's address"],
)
async def test_accounts_are_linked_one_to_one(house: House, first: Identity, second: Identity) -> None:
    await house.people.link(first)
    with pytest.raises(OtherLink):
        await house.people.link(second)
    assert await house.people.find(first.surface, first.account) == first


async def test_another_surface_is_another_account_of_the_same_person(house: House) -> None:
    await house.people.link(identity(UNA.id, "u1"))
    await house.people.link(identity("tenant/una", "u1", surface="teams"))
    assert await house.people.find("teams", "tenant/una") is not None


async def test_signing_in_counts_more_than_an_address_and_is_forgotten_on_demand(house: House) -> None:
    await house.people.link(identity(UNA.id, "u1", evidence=Evidence.EMAIL))
    await house.people.link(identity(UNA.id, "u2"))
    gone = await house.people.unlink("slack", UNA.id)
    assert gone is not None
    assert gone.linear_user == "u2"
    assert await house.people.unlink("slack", UNA.id) is None


async def test_what_is_held_is_taken_and_marked(house: House) -> None:
    await house.scene.say("fix the search", by=UNA)
    await house.scene.play()
    async with house.scene.database.read() as connection:
        [mode] = (await connection.execute(sa.select(inbox.c.mode))).scalars()
    assert mode == "held"
    assert await house.held() == 1


async def test_link_and_unlink_are_words_for_us(house: House) -> None:
    scene = house.scene
    for word, reply in [
        ("unlink", "notice: Una has no link to remove."),
        ("link", "Una must link Linear (None)"),
        ("help", "notice: "),
    ]:
        await scene.say(word, by=UNA)
        await scene.play(len(scene.queued))
        assert (await scene.story())[-1].startswith(reply)
    assert "`link`" in (await scene.story())[-1]
    await house.link()
    for word, reply in [
        ("link", "notice: Una is Una S. in Linear."),
        ("unlink", "notice: Una is not linked to Una S. in Linear any more."),
    ]:
        await scene.say(word, by=UNA)
        await scene.play(len(scene.queued))
        assert (await scene.story())[-1] == reply
