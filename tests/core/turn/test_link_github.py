"""“link github” and “unlink github”, said in a thread."""

import pytest

from core.activities import AuthAsked, Author
from core.errors import DeliveryError, Refused, TryLater
from core.people import Guests, Identity, Policy, Unlinked
from core.ports import Account
from core.review.accounts import AccountBook
from core.store.accounts import AccountStore, Ended, LinkedAccount, Pair
from core.store.people import PeopleStore
from core.turn.registry import Registry
from tests.core.store.fakes import START, vault_of
from tests.core.turn.fakes import FakeReader, Scene

UNA = Author("slack", "T1/UUNA", "UUNA")
GUS = Author("slack", "T1/UGUS", "UGUS")
LINK = LinkedAccount(
    person="slack:T1/UUNA", id=42, login="una-codes", by=UNA, evidence="oauth+email", linked_at=START
)


class Town(FakeReader):
    async def person(self, author: Author) -> Author:
        is_guest = author.id == GUS.id
        return Author(author.surface, author.id, author.id[-3:].title(), "x@else.test", is_guest=is_guest)


class Nobody:
    async def account(self, email: str) -> Account | None:
        return None


class Hall:
    """A session in which accounts can be linked; `error` is what Linear answers."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.error: DeliveryError | None = None
        self.is_over = True
        self.store = AccountStore(scene.database, vault_of("k"), now=lambda: START)
        self.book = AccountBook(
            self.store,
            named=Town().person,
            identity=self._identity,
            code_id=_unconnected,
            login=_unknown,
            end=self._end,
        )
        self.open(self.book)

    def open(self, book: AccountBook | None) -> None:
        people = PeopleStore(self.scene.database, self.scene.store, now=self.scene.clock)
        policy = Policy(Unlinked.NAMED, Guests.READ)
        registry = Registry(policy=policy, store=people, directory=Nobody(), code=book)
        self.scene.restart(people=registry, readers={"slack": Town()}, enqueue=self.scene._enqueue)

    async def hears(self, text: str, by: Author = UNA) -> str:
        await self.scene.say(text, by=by)
        await self.scene.play(len(self.scene.queued))
        return (await self.scene.story())[-1]

    async def link(self) -> None:
        await self.store.link(LINK, Pair("access", None, None, None))

    async def _identity(self, author: Author) -> Identity | None:
        if self.error is not None:
            raise self.error
        return None

    async def _end(self, ended: Ended) -> bool:
        return self.is_over


async def _unconnected(_: str) -> int | None:
    return None


async def _unknown(id: int) -> str:
    raise Refused(f"there is no account {id}")


@pytest.fixture
async def hall(scene: Scene) -> Hall:
    return Hall(scene)


async def test_who_wants_to_link_gets_a_private_link_to_github(hall: Hall) -> None:
    assert await hall.hears("link github") == "Una must link GitHub (None)"
    asked = [one.entry for one in await hall.scene.log() if isinstance(one.entry, AuthAsked)]
    assert [(one.person.id, one.thread is not None) for one in asked] == [(UNA.id, True)]


async def test_who_has_signed_in_is_asked_to_confirm(hall: Hall) -> None:
    await hall.link()
    assert await hall.hears("link my github") == "Una must link GitHub (None)"
    [asked] = [one.entry for one in await hall.scene.log() if isinstance(one.entry, AuthAsked)]
    assert "as @una-codes. Confirm that this account is yours" in asked.body


async def test_who_is_linked_is_told_so_and_can_unlink(hall: Hall) -> None:
    await hall.link()
    await hall.store.confirm(LINK.id, UNA)
    assert await hall.hears("link github") == "notice: Una is @una-codes at GitHub."
    gone = "notice: Una is not linked to @una-codes at GitHub any more."
    assert await hall.hears("unlink github") == gone
    assert await hall.hears("unlink github") == "notice: Una has no link to GitHub to remove."


async def test_a_grant_that_may_live_on_is_not_hidden(hall: Hall) -> None:
    await hall.link()
    hall.is_over = False
    said = await hall.hears("unlink github account")
    assert "any more. GitHub has not confirmed that my rights are over" in said


async def test_guests_cannot_link(hall: Hall) -> None:
    assert "Guests can read along" in await hall.hears("link github", GUS)


async def test_while_linear_is_away_a_link_is_made_all_the_same(hall: Hall) -> None:
    hall.error = TryLater("Linear is away")
    assert await hall.hears("link github") == "Una must link GitHub (None)"


async def test_while_linear_is_away_nothing_is_unlinked_by_halves(hall: Hall) -> None:
    await hall.link()
    hall.error = TryLater("Linear is away")
    assert "cannot find out what Una has linked" in await hall.hears("unlink github")
    assert await hall.store.by_id(LINK.id) is not None


@pytest.mark.parametrize(
    ("word", "reply"),
    [("link github", "cannot be linked here"), ("unlink github", "has no link to GitHub to remove")],
)
async def test_where_github_is_not_set_up_people_are_told(hall: Hall, word: str, reply: str) -> None:
    hall.open(None)
    assert reply in await hall.hears(word)


async def test_links_to_linear_are_another_matter(hall: Hall) -> None:
    await hall.link()
    await hall.store.confirm(LINK.id, UNA)
    assert await hall.hears("unlink") == "notice: Una has no link to remove."
    assert await hall.store.by_id(LINK.id) is not None
