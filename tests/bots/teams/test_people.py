"""Who people are, as the roster tells."""

import pytest

from bots.teams.address import Address
from bots.teams.connector import Connector
from bots.teams.directory import Directory
from bots.teams.people import KEPT_S, People, Person
from core.errors import TryLater
from core.store.addresses import AddressStore
from playground.slack_clock import VirtualClock
from playground.teams import BOT, OTHER_TENANT, TENANT, TeamsPlayground
from playground.teams_faults import Fault
from tests.core.store.fakes import UnluckyDatabase

ENG = "19:eng@thread.tacv2"


@pytest.fixture
def directory(addresses: AddressStore) -> Directory:
    return Directory(addresses)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def people(connector: Connector, directory: Directory, clock: VirtualClock) -> People:
    return People(connector, directory, now=clock.now)


async def seen(teams: TeamsPlayground, directory: Directory, user: str, conversation: str = ENG) -> None:
    """The person did something there."""
    await directory.remember(Address(TENANT, teams.service_url, conversation, "channel", BOT, "linear"), user)


@pytest.mark.parametrize(
    ("user", "person"),
    [
        ("29:ann", Person("Ann", "ann@acme.test")),
        ("29:nia", Person("Nia", None)),
        ("29:gus", Person("Gus", "gus@guest.test", is_guest=True)),
    ],
)
async def test_members_and_guests_are_told_apart(
    teams: TeamsPlayground, people: People, directory: Directory, user: str, person: Person
) -> None:
    await seen(teams, directory, user)
    assert await people.find(TENANT, user) == person


async def test_what_another_tenant_says_of_a_mail_address_proves_nothing(
    teams: TeamsPlayground, people: People, directory: Directory
) -> None:
    teams.workspace.conversation(ENG).members.add("29:xenia")
    await seen(teams, directory, "29:xenia")
    assert await people.find(TENANT, "29:xenia") == Person("Xenia", None, is_stranger=True)
    assert teams.workspace.person("29:xenia").tenant == OTHER_TENANT


async def test_who_comes_from_a_tenant_that_is_admitted_is_no_stranger(
    teams: TeamsPlayground, connector: Connector, directory: Directory
) -> None:
    teams.workspace.conversation(ENG).members.add("29:xenia")
    await seen(teams, directory, "29:xenia")
    people = People(connector, directory, friends=[OTHER_TENANT])
    assert await people.find(TENANT, "29:xenia") == Person("Xenia", "xenia@other.test")


async def test_each_is_asked_for_once_an_hour(
    teams: TeamsPlayground, people: People, directory: Directory, clock: VirtualClock
) -> None:
    await seen(teams, directory, "29:ann")
    for _ in range(3):
        await people.find(TENANT, "29:ann")
    assert teams.api.calls["member"] == 1
    clock.advance(KEPT_S)
    await people.find(TENANT, "29:ann")
    assert teams.api.calls["member"] == 2


async def test_who_has_left_is_not_asked_for_again_and_again(
    teams: TeamsPlayground, people: People, directory: Directory
) -> None:
    await seen(teams, directory, "29:ann")
    teams.workspace.conversation(ENG).members.remove("29:ann")
    assert [await people.find(TENANT, "29:ann") for _ in range(2)] == [None, None]
    assert teams.api.calls["member"] == 1


async def test_who_was_never_seen_is_unknown(teams: TeamsPlayground, people: People) -> None:
    assert await people.find(TENANT, "29:ann") is None
    assert teams.api.calls["member"] == 0


async def test_passing_trouble_is_not_remembered(
    teams: TeamsPlayground, people: People, directory: Directory
) -> None:
    await seen(teams, directory, "29:ann")
    teams.api.faults.fail_next("member", Fault(status=503))
    with pytest.raises(TryLater):
        await people.find(TENANT, "29:ann")
    assert await people.find(TENANT, "29:ann") == Person("Ann", "ann@acme.test")


async def test_a_person_is_asked_for_where_they_were_last(
    teams: TeamsPlayground, people: People, directory: Directory
) -> None:
    await seen(teams, directory, "29:ann")
    await seen(teams, directory, "29:ann", "a:ann")
    teams.workspace.conversation(ENG).members.discard(BOT)
    assert await people.find(TENANT, "29:ann") == Person("Ann", "ann@acme.test")


# The directory itself


async def test_what_has_not_changed_is_not_written_again(
    teams: TeamsPlayground, directory: Directory, database: UnluckyDatabase
) -> None:
    await seen(teams, directory, "29:ann")
    database.is_full = True
    await seen(teams, directory, "29:ann")


async def test_another_process_finds_what_this_one_stored(
    teams: TeamsPlayground, directory: Directory, addresses: AddressStore
) -> None:
    await seen(teams, directory, "29:ann")
    found = await Directory(addresses).of_person(TENANT, "29:ann")
    assert found == Address(TENANT, teams.service_url, ENG, "channel", BOT, "linear")


async def test_an_address_of_another_version_is_none(directory: Directory, addresses: AddressStore) -> None:
    await addresses.put(TENANT, {"29:ann": {"url": "https://amer.test/"}})
    assert await directory.of_person(TENANT, "29:ann") is None
