"""People's accounts at the code host, and the tokens for acting there as them, sealed."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.activities import Author
from core.errors import ThreadlineError
from core.pulls import CodeAccount
from core.store.audit import append
from core.store.database import Database
from core.store.tables import code_accounts
from core.store.vault import Place, Sealed, Vault, VaultError

log = logging.getLogger(__name__)

UNCONFIRMED, ACTIVE = "unconfirmed", "active"


class OtherAccount(ThreadlineError):
    """One of the two has another link already; `with_name` is what that one leads to."""

    def __init__(self, with_name: str) -> None:
        super().__init__(f"already linked to {with_name}")
        self.with_name = with_name


@dataclass(frozen=True, slots=True)
class Pair:
    """The tokens of one grant; times are aware, None for what does not expire."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: datetime | None
    refresh_expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedAccount:
    """A link without its tokens.

    Attributes:
        person: Ours; see `core.store.tables.code_accounts`.
        id, login: The account's number at the code host, and its name when it was linked.
        by: Who linked it, as named where they did.
        browser: Digest of the cookie of the browser that signed in; "" once it is confirmed.
        is_active: The person has confirmed it; until then nothing is done with it.
        linked_at: Aware.
    """

    person: str
    id: int
    login: str
    by: Author
    evidence: str
    browser: str = ""
    is_active: bool = False
    linked_at: datetime

    @property
    def account(self) -> CodeAccount:
        """As the core knows it."""
        return CodeAccount(
            person=self.person,
            id=self.id,
            login=self.login,
            can_act=self.is_active,
            evidence=self.evidence,
        )


@dataclass(frozen=True, slots=True)
class Ended:
    """A link that is stored no more; its tokens may count on. `pair` None: nobody can read them."""

    account: LinkedAccount
    pair: Pair | None


class AccountStore:
    """Links people and accounts one to one; whatever it returns is read anew.

    What begins or ends a link is in the audit log, in the same transaction.

    Args:
        now: Current time, aware.

    Raises, beside what methods name: `StoreUnavailable`.
    """

    def __init__(self, database: Database, vault: Vault, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._vault = vault
        self._now = now

    async def of(self, author: Author, persons: Sequence[str] = ()) -> LinkedAccount | None:
        """The account that `author` linked, else that of the first of `persons` who has one."""
        async with self._database.read() as connection:
            rows = await _rows(connection, _theirs(author, persons))
        order = {person: n for n, person in enumerate(persons)}
        links = sorted(map(_linked, rows), key=lambda one: order.get(one.person, len(order)))
        return min(links, key=lambda one: not _is_by(one, author), default=None)

    async def by_id(self, id: int) -> LinkedAccount | None:
        """The link of the account with this number."""
        async with self._database.read() as connection:
            rows = await _rows(connection, code_accounts.c.account_id == id)
        return _linked(rows[0]) if rows else None

    async def pair(self, id: int) -> Pair | None:
        """The tokens of an active link.

        Raises:
            VaultError: They cannot be opened.
        """
        async with self._database.read() as connection:
            rows = await _rows(connection, code_accounts.c.account_id == id)
        return self._pair(rows[0]) if rows and rows[0].state == ACTIVE else None

    async def link(self, linked: LinkedAccount, pair: Pair) -> tuple[LinkedAccount, list[Ended]]:
        """Store a link as unconfirmed, or as active if the same one was; and what it took the place of.

        A link that nobody confirmed is in nobody's way.

        Raises:
            OtherAccount: The person has another account, or the account another person. Nothing is stored.
        """
        near = sa.or_(_theirs(linked.by, [linked.person]), code_accounts.c.account_id == linked.id)
        async with self._database.write() as connection:
            rows = await _rows(connection, near)
            known = [_linked(row) for row in rows if row.state == ACTIVE]
            for one in known:
                if one.id != linked.id or not _is_same_person(one, linked):
                    raise OtherAccount(one.by.name if one.id == linked.id else f"@{one.login}")
            await connection.execute(sa.delete(code_accounts).where(near))
            row = self._row(linked, pair, ACTIVE if known else UNCONFIRMED)
            await connection.execute(sa.insert(code_accounts).values(row))
            [stored] = await _rows(connection, code_accounts.c.account_id == linked.id)
            for other in rows:
                if other.account_id != linked.id:
                    await self._note(connection, other, "unlink", "never confirmed")
            await self._note(connection, stored, "link", "done" if known else "to confirm")
        return _linked(stored), [self._ended(row) for row in rows if row.account_id != linked.id]

    async def confirm(self, id: int, by: Author) -> LinkedAccount | None:
        """Let the link count that `by` made with this account; None if there is none any more."""
        mine = sa.and_(code_accounts.c.account_id == id, _is_place(by))
        values = {"state": ACTIVE, "browser": None}
        async with self._database.write() as connection:
            new = sa.and_(mine, code_accounts.c.state == UNCONFIRMED)
            changed = await connection.execute(sa.update(code_accounts).where(new).values(values))
            rows = await _rows(connection, mine)
            if changed.rowcount:
                await self._note(connection, rows[0], "link", "done")
        return _linked(rows[0]) if rows else None

    async def rotate(self, id: int, used: Pair, fresh: Pair) -> Pair | None:
        """Replace the tokens `used`, unless somebody replaced them before.

        Returns what is stored afterwards: `fresh`, or the pair of whoever was faster. None: it is unlinked.

        Raises:
            VaultError: What is stored cannot be opened.
        """
        here = code_accounts.c.account_id == id
        async with self._database.write() as connection:
            rows = await _rows(connection, here)
            if not rows:
                return None
            stored = self._pair(rows[0])
            if stored.access_token != used.access_token:
                return stored
            sealed = self._sealed(rows[0].person, id, fresh)
            await connection.execute(sa.update(code_accounts).where(here).values(sealed))
        return fresh

    async def lose(self, id: int, dead: Pair) -> bool:
        """Forget a link whose tokens count for nothing; False if other tokens are stored by now.

        Raises:
            VaultError: What is stored cannot be opened.
        """
        here = code_accounts.c.account_id == id
        async with self._database.write() as connection:
            rows = await _rows(connection, here)
            if rows and self._pair(rows[0]).access_token != dead.access_token:
                return False
            await connection.execute(sa.delete(code_accounts).where(here))
            for row in rows:
                await self._note(connection, row, "unlink", "lost")
        return True

    async def unlink(self, author: Author, persons: Sequence[str] = ()) -> list[Ended]:
        """Forget every link of theirs, confirmed or not."""
        return await self._remove(_theirs(author, persons), "done")

    async def forget(self, id: int) -> list[Ended]:
        """Forget the link of this account, whoever made it."""
        return await self._remove(code_accounts.c.account_id == id, "lost")

    async def forget_unconfirmed(self, before: datetime) -> list[Ended]:
        """Forget links made before that moment (aware) which nobody confirmed."""
        old = code_accounts.c.linked_at < before.timestamp()
        return await self._remove(sa.and_(code_accounts.c.state == UNCONFIRMED, old), "never confirmed")

    async def reencrypt(self) -> int:
        """Seal every token with the newest key; how many links were not. Old keys can go afterwards.

        Raises:
            VaultError: One of them cannot be opened; nothing is changed.
        """
        async with self._database.write() as connection:
            rows = await _rows(connection, sa.true())
            old = [row for row in rows if not self._vault.is_newest(Sealed(row.key_id, row.access_token))]
            for row in old:
                sealed = self._sealed(row.person, row.account_id, self._pair(row))
                here = code_accounts.c.person == row.person
                await connection.execute(sa.update(code_accounts).where(here).values(sealed))
        return len(old)

    async def _remove(self, which: sa.ColumnElement[bool], result: str) -> list[Ended]:
        gone = sa.delete(code_accounts).where(which).returning(code_accounts)
        async with self._database.write() as connection:
            rows = (await connection.execute(gone)).all()
            for row in rows:
                await self._note(connection, row, "unlink", result)
        return [self._ended(row) for row in rows]

    async def _note(self, connection: AsyncConnection, row: sa.Row[Any], action: str, result: str) -> None:
        """Add it to the audit log."""
        record = {
            "who": f"{row.surface}:{row.account}",
            "name": row.name,
            "account": row.account_id,
            "action": action,
            "login": row.login,
            "person": row.person,
            "evidence": row.evidence,
            "result": result,
        }
        await append(connection, record, at=self._now().timestamp())

    def _ended(self, row: sa.Row[Any]) -> Ended:
        try:
            pair = self._pair(row)
        except VaultError as error:
            log.error("token cannot be opened", extra={"account": row.account_id, "error": str(error)})
            pair = None
        return Ended(_linked(row), pair)

    def _row(self, linked: LinkedAccount, pair: Pair, state: str) -> dict[str, Any]:
        return {
            "person": linked.person,
            "account_id": linked.id,
            "login": linked.login,
            "surface": linked.by.surface,
            "account": linked.by.id,
            "name": linked.by.name,
            "evidence": linked.evidence,
            "state": state,
            "browser": linked.browser if state == UNCONFIRMED else None,
            "linked_at": self._now().timestamp(),
            **self._sealed(linked.person, linked.id, pair),
        }

    def _sealed(self, person: str, id: int, pair: Pair) -> dict[str, Any]:
        access = self._vault.seal(pair.access_token, _place(person, id, "access_token"))
        refresh = None
        if pair.refresh_token is not None:
            refresh = self._vault.seal(pair.refresh_token, _place(person, id, "refresh_token")).data
        return {
            "access_token": access.data,
            "refresh_token": refresh,
            "key_id": access.key_id,
            "expires_at": _stamp(pair.expires_at),
            "refresh_expires_at": _stamp(pair.refresh_expires_at),
        }

    def _pair(self, row: sa.Row[Any]) -> Pair:
        def opened(data: bytes, column: str) -> str:
            place = _place(row.person, row.account_id, column)
            return self._vault.open(Sealed(row.key_id, data), place)

        return Pair(
            opened(row.access_token, "access_token"),
            None if row.refresh_token is None else opened(row.refresh_token, "refresh_token"),
            _moment(row.expires_at),
            _moment(row.refresh_expires_at),
        )


async def _rows(connection: AsyncConnection, which: sa.ColumnElement[bool]) -> Sequence[sa.Row[Any]]:
    return (await connection.execute(sa.select(code_accounts).where(which))).all()


def _theirs(author: Author, persons: Sequence[str]) -> sa.ColumnElement[bool]:
    return sa.or_(_is_place(author), code_accounts.c.person.in_(persons))


def _is_place(author: Author) -> sa.ColumnElement[bool]:
    return sa.and_(code_accounts.c.surface == author.surface, code_accounts.c.account == author.id)


def _is_by(linked: LinkedAccount, author: Author) -> bool:
    return (linked.by.surface, linked.by.id) == (author.surface, author.id)


def _is_same_person(one: LinkedAccount, other: LinkedAccount) -> bool:
    return one.person == other.person or _is_by(one, other.by)


def _linked(row: sa.Row[Any]) -> LinkedAccount:
    return LinkedAccount(
        person=row.person,
        id=row.account_id,
        login=row.login,
        by=Author(row.surface, row.account, row.name),
        evidence=row.evidence,
        browser=row.browser or "",
        is_active=row.state == ACTIVE,
        linked_at=datetime.fromtimestamp(row.linked_at, UTC),
    )


def _place(person: str, id: int, column: str) -> Place:
    # The number as well: a token must not act for another account than the one that it was given for.
    return Place(code_accounts.name, f"{id}/{person}", column)


def _stamp(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _moment(stamp: float | None) -> datetime | None:
    return None if stamp is None else datetime.fromtimestamp(stamp, UTC)
