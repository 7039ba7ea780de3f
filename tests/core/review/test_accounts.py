"""Whose account at the code host is whose, by links, by Linear's word, and by neither."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.activities import Author
from core.errors import DeliveryError, Refused, TryLater
from core.people import Evidence, Identity
from core.ports import Accounts, Linker
from core.pulls import CodeAccount
from core.review.accounts import AccountBook, Linkers, Profile, Unlinked, address_key, evidence_of
from core.store.accounts import AccountStore, Ended, LinkedAccount, Pair
from tests.core.store.fakes import START, opened, vault_of

ANA = Author("slack", "T1/UANA", "UANA")
ANA_IN_TEAMS = Author("teams", "tenant/ana", "ana")
ANA_IN_LINEAR = Author("linear", "u-ana", "Ana")
BEN = Author("slack", "T1/UBEN", "UBEN")
PAIR = Pair("access", "refresh", None, None)


@dataclass
class Town:
    """Ana is known in Linear by her address; what is asked is counted."""

    code_ids: dict[str, int] = field(default_factory=dict)
    logins: dict[int, str] = field(default_factory=lambda: {42: "ana-codes"})
    ended: list[Ended] = field(default_factory=list)
    is_over: bool = True
    error: DeliveryError | None = None

    async def named(self, author: Author) -> Author:
        self._fail()
        name = author.id.rpartition("/")[2].lower().removeprefix("u")
        return replace(author, name=name.title(), email=f"{name}@acme.test")

    async def identity(self, author: Author) -> Identity | None:
        self._fail()
        if author.email != "ana@acme.test":
            return None
        return Identity(
            surface=author.surface,
            account=author.id,
            linear_user="u-ana",
            name="Ana",
            email="Ana@linear.test",
            evidence=Evidence.OAUTH,
        )

    async def code_id(self, user: str) -> int | None:
        self._fail()
        return self.code_ids.get(user)

    async def login(self, id: int) -> str:
        self._fail()
        if id not in self.logins:
            raise Refused("Not Found")
        return self.logins[id]

    async def end(self, ended: Ended) -> bool:
        self.ended.append(ended)
        return self.is_over

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error


@dataclass
class Registrar:
    town: Town
    store: AccountStore
    book: AccountBook

    async def link(self, person: str, by: Author, *, id: int = 42, confirm: bool = True) -> None:
        link = LinkedAccount(
            person=person, id=id, login="ana-codes", by=by, evidence="oauth+email", linked_at=START
        )
        await self.store.link(link, PAIR)
        if confirm:
            assert await self.store.confirm(id, by) is not None


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[Registrar]:
    async with opened(tmp_path) as database:
        town, store = Town(), AccountStore(database, vault_of("k"), now=lambda: START)
        book = AccountBook(
            store,
            named=town.named,
            identity=town.identity,
            code_id=town.code_id,
            login=town.login,
            end=town.end,
        )
        yield Registrar(town, store, book)


async def test_a_link_counts_on_every_side_of_a_person(there: Registrar) -> None:
    await there.link("linear:u-ana", ANA)
    book: Accounts = there.book
    account = await book.account_of(ANA)
    assert account == CodeAccount(
        person="linear:u-ana", id=42, login="ana-codes", can_act=True, evidence="oauth+email"
    )
    for side in (ANA_IN_TEAMS, ANA_IN_LINEAR, Author("github", "42", "ana-codes")):
        assert await book.account_of(side) == account
    assert await book.account_of(BEN) is None
    person = await book.person_of(42)
    assert person is not None
    assert (person.surface, person.id) == (ANA.surface, ANA.id)
    assert await book.person_of(43) is None


async def test_the_own_link_counts_while_linear_is_away(there: Registrar) -> None:
    await there.link("linear:u-ana", ANA)
    there.town.error = TryLater("Linear is away")
    account = await there.book.account_of(ANA)
    assert account is not None
    assert account.can_act
    with pytest.raises(TryLater):
        await there.book.account_of(ANA_IN_TEAMS)


async def test_a_link_made_before_linear_knew_the_person_stays_theirs(there: Registrar) -> None:
    await there.link("slack:T1/UANA", ANA)
    account = await there.book.account_of(ANA)
    assert account is not None
    assert account.id == 42


async def test_what_nobody_confirmed_is_nobodys(there: Registrar) -> None:
    await there.link("linear:u-ana", ANA, confirm=False)
    for side in (ANA, ANA_IN_TEAMS, ANA_IN_LINEAR):
        assert await there.book.account_of(side) is None
    assert await there.book.person_of(42) is None
    linked = await there.book.linked(ANA_IN_TEAMS)
    assert linked is not None
    assert not linked.is_active


async def test_linears_word_tells_whose_it_is_but_not_to_act_as_them(there: Registrar) -> None:
    there.town.code_ids["u-ana"] = 42
    known = CodeAccount(person="linear:u-ana", id=42, login="ana-codes", can_act=False, evidence="linear")
    for side in (ANA, ANA_IN_TEAMS, ANA_IN_LINEAR):
        assert await there.book.account_of(side) == known
    assert await there.book.account_of(BEN) is None
    del there.town.logins[42]
    assert await there.book.account_of(ANA) is None


async def test_whoever_speaks_at_the_code_host_is_known_there(there: Registrar) -> None:
    account = await there.book.account_of(Author("github", "43", "eve"))
    assert account == CodeAccount(person="github:43", id=43, login="eve", can_act=False, evidence="github")
    assert await there.book.account_of(Author("github", "4³", "eve")) is None


async def test_a_profile_has_every_address_and_name(there: Registrar) -> None:
    there.town.code_ids["u-ana"] = 42
    profile = await there.book.profile(ANA)
    assert profile.author == replace(ANA, name="Ana", email="ana@acme.test")
    assert profile.persons == ("linear:u-ana", "slack:T1/UANA")
    assert profile.code_id == 42
    assert sorted(profile.emails) == ["ana@acme.test", "ana@linear.test"]
    profile = await there.book.profile(BEN)
    assert (profile.persons, profile.code_id) == (("slack:T1/UBEN",), None)


async def test_unlinking_from_any_side_ends_it_and_gives_it_back(there: Registrar) -> None:
    await there.link("linear:u-ana", ANA)
    assert await there.book.unlink(BEN) is None
    assert await there.book.unlink(ANA_IN_TEAMS) == Unlinked("ana-codes", is_over=True)
    assert [one.pair for one in there.town.ended] == [PAIR]
    assert await there.book.account_of(ANA) is None
    assert await there.book.unlink(ANA) is None


async def test_unlinking_says_when_it_may_not_be_over(there: Registrar) -> None:
    await there.link("linear:u-ana", ANA)
    there.town.is_over = False
    assert await there.book.unlink(ANA) == Unlinked("ana-codes", is_over=False)


async def test_links_are_made_by_whom_they_are_for() -> None:
    class Fixed:
        def __init__(self, url: str) -> None:
            self.url = url

        async def link_for(self, provider: str, person: Author) -> str:
            return f"{self.url}/{provider}/{person.id}"

    linkers: Linker = Linkers({"Linear": Fixed("https://a.test"), "GitHub": Fixed("https://b.test")})
    assert await linkers.link_for("GitHub", ANA) == "https://b.test/GitHub/T1/UANA"
    assert await linkers.link_for("Linear", ANA) == "https://a.test/Linear/T1/UANA"
    with pytest.raises(Refused, match="GitLab"):
        await linkers.link_for("GitLab", ANA)


PROFILE = Profile(author=ANA, persons=("linear:u-ana",), code_id=42, emails=frozenset({"ana@acme.test"}))


@pytest.mark.parametrize(
    ("profile", "id", "verified", "lax", "evidence"),
    [
        (PROFILE, 42, [], False, "oauth+linear"),
        (PROFILE, 42, [], True, "oauth+linear"),
        (PROFILE, 43, [" Ana@ACME.test"], False, "oauth+email"),
        (PROFILE, 43, ["x@acme.test", "ana@acme.test"], False, "oauth+email"),
        (PROFILE, 43, ["eve@acme.test"], False, None),
        (PROFILE, 43, [], False, None),
        (PROFILE, 43, [], True, "oauth+admin"),
        (replace(PROFILE, code_id=None), 42, [], False, None),
        (replace(PROFILE, emails=frozenset()), 43, ["ana@acme.test", ""], False, None),
        # The Kelvin sign folds to a "k", a dotless "ı" is upper-cased to "I": other people's mailboxes.
        (replace(PROFILE, emails=frozenset({"kim@acme.test"})), 43, ["\u212aim@acme.test"], False, None),
        (replace(PROFILE, emails=frozenset({"iris@acme.test"})), 43, ["\u0131ris@acme.test"], False, None),
    ],
)
def test_evidence(profile: Profile, id: int, verified: list[str], lax: bool, evidence: str | None) -> None:
    assert evidence_of(profile, id, verified, without_match=lax) == evidence


@given(st.text(), st.text())
def test_two_addresses_are_one_only_if_they_differ_in_the_case_of_plain_letters(one: str, other: str) -> None:
    if address_key(one) == address_key(other):
        pairs = zip(one.strip(), other.strip(), strict=True)
        assert all(a == b or (a.isascii() and b.isascii() and a.lower() == b.lower()) for a, b in pairs)
