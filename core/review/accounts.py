"""Whose account at the code host is whose: what people linked, else what the tracker knows of them."""

import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from core.activities import Author
from core.errors import Refused
from core.people import Identity
from core.ports import Linker
from core.pulls import CodeAccount
from core.store.accounts import AccountStore, Ended, LinkedAccount

log = logging.getLogger(__name__)

NOT_YOURS = "If it is not, write `unlink github`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What chat and tracker know of a person, to compare an account at the code host with.

    Attributes:
        author: As their platform names them now.
        persons: What they are called in the store; the first is for a new link.
        code_id: Their account by the tracker's word; None if it has none.
        emails: Their addresses by the word of chat and tracker.
    """

    author: Author
    persons: tuple[str, ...]
    code_id: int | None = None
    emails: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Unlinked:
    """`is_over`: the code host has confirmed that nothing we hold counts any more."""

    login: str
    is_over: bool


class AccountBook:
    """Implements `core.ports.Accounts`.

    Args:
        named: The person with name and e-mail as their platform tells them; unchanged if it does not.
        identity: Who they are in the tracker; see `core.turn.registry.Registry.identity`.
        code_id: The account that the tracker knows of one of its users, by their id there.
        login: What the account with this number is called today; raises `Refused` if there is none.
        end: Gives back what a link that is stored no more let us do; whether that is certain.

    All raise `DeliveryError`, and so does everything here, or `StoreUnavailable`.
    """

    def __init__(
        self,
        store: AccountStore,
        *,
        named: Callable[[Author], Awaitable[Author]],
        identity: Callable[[Author], Awaitable[Identity | None]],
        code_id: Callable[[str], Awaitable[int | None]],
        login: Callable[[int], Awaitable[str]],
        end: Callable[[Ended], Awaitable[bool]],
    ) -> None:
        self._store = store
        self._named = named
        self._identity = identity
        self._code_id = code_id
        self._login = login
        self._end = end

    async def account_of(self, author: Author) -> CodeAccount | None:
        """See `Accounts.account_of`."""
        if author.surface == "github":
            return await self._at_home(author)
        known = await self._store.of(author)
        if known is not None and known.is_active:
            return known.account
        user = await self._tracker_user(await self._with_address(author))
        if user is None:
            return None
        person = f"linear:{user}"
        known = await self._store.of(author, [person])
        if known is not None and known.is_active:
            return known.account
        return await self._by_evidence(person, user)

    async def person_of(self, account_id: int) -> Author | None:
        """See `Accounts.person_of`."""
        linked = await self._store.by_id(account_id)
        return linked.by if linked is not None and linked.is_active else None

    async def linked(self, author: Author) -> LinkedAccount | None:
        """What they linked, confirmed or not."""
        known = await self._store.of(author)
        if known is None and (user := await self._tracker_user(await self._with_address(author))):
            known = await self._store.of(author, [f"linear:{user}"])
        return known

    async def profile(self, author: Author) -> Profile:
        """What is known of the person now; the platform is asked again."""
        author = await self._named(author)
        identity = None if author.surface == "linear" else await self._identity(author)
        user = author.id if author.surface == "linear" else identity and identity.linear_user
        persons = [f"linear:{user}"] if user else []
        emails = (author.email, identity.email if identity else None)
        return Profile(
            author=author,
            persons=(*persons, f"{author.surface}:{author.id}"),
            code_id=await self._code_id(user) if user else None,
            emails=frozenset(address_key(email) for email in emails if email),
        )

    async def unlink(self, author: Author) -> Unlinked | None:
        """Forget what they linked and give it back; None if there is nothing."""
        user = await self._tracker_user(await self._with_address(author))
        ended = await self._store.unlink(author, [f"linear:{user}"] if user else [])
        over = [await self._end(one) for one in ended]
        for one in ended:
            log.info("code account unlinked", extra={"author": author.id, "account": one.account.id})
        return Unlinked(ended[0].account.login, all(over)) if ended else None

    async def _at_home(self, author: Author) -> CodeAccount | None:
        """Somebody who spoke at the code host: the account is in their name."""
        if not author.id.isdecimal():
            return None
        linked = await self._store.by_id(int(author.id))
        if linked is not None and linked.is_active:
            return linked.account
        return CodeAccount(
            person=f"github:{author.id}", id=int(author.id), login=author.name, evidence="github"
        )

    async def _by_evidence(self, person: str, user: str) -> CodeAccount | None:
        id = await self._code_id(user)
        if id is None:
            return None
        try:
            login = await self._login(id)
        except Refused as error:
            log.warning("code account unknown", extra={"account": id, "error": str(error)})
            return None
        return CodeAccount(person=person, id=id, login=login, evidence="linear")

    async def _tracker_user(self, author: Author) -> str | None:
        if author.surface == "linear":
            return author.id
        identity = await self._identity(author)
        return identity.linear_user if identity else None

    async def _with_address(self, author: Author) -> Author:
        """Events name people by their ids only; who they are in the tracker hangs on the address."""
        if author.email:
            return author
        named = await self._named(author)
        return replace(author, email=named.email, is_external=author.is_external or named.is_external)


class Linkers:
    """Implements `core.ports.Linker` for several providers, each by its name."""

    def __init__(self, linkers: Mapping[str, Linker]) -> None:
        self._linkers = linkers

    async def link_for(self, provider: str, person: Author) -> str:
        """See `Linker.link_for`."""
        if provider not in self._linkers:
            raise Refused(f"accounts at {provider} cannot be linked here")
        return await self._linkers[provider].link_for(provider, person)


def evidence_of(
    profile: Profile, id: int, verified: Iterable[str], *, without_match: bool = False
) -> str | None:
    """Why the account `id`, with these verified addresses, is this person's; None if nothing says so.

    Args:
        without_match: That somebody signed in to it is enough.
    """
    if profile.code_id == id:
        return "oauth+linear"
    if _meet(profile.emails, map(address_key, verified)):
        return "oauth+email"
    return "oauth+admin" if without_match else None


def address_key(email: str) -> str:
    """Equal for addresses of one mailbox. Letters beyond ASCII stay: folded, some of them become others'."""
    text = email.strip()
    return text.lower() if text.isascii() else text


def ask_to_confirm(account: CodeAccount) -> str:
    """What the person is asked, in private, before a new link counts."""
    return f"You signed in to GitHub as @{account.login}. Confirm that this account is yours. {NOT_YOURS}"


def _meet(some: Collection[str], others: Iterable[str]) -> bool:
    return any(one in some for one in others)
