"""Installs of the app on a platform: whom we act as there, and the tokens for it, sealed."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import ThreadlineError
from core.store.database import Database
from core.store.tables import installs
from core.store.vault import Place, Sealed, Vault

ACTIVE, REVOKED = "active", "revoked"


class OtherInstall(ThreadlineError):
    """The app is connected to another organization; a server works for one."""

    def __init__(self, organization: str) -> None:
        super().__init__(f"already connected to {organization}")
        self.organization = organization


@dataclass(frozen=True, slots=True)
class Tokens:
    """What one grant gave: `expires_at` (aware) is the access token's; a refresh token may be missing."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Install:
    """The app in one organization: `kind` is the platform, `external_id` the organization's id there."""

    kind: str
    external_id: str
    organization: str
    app_user_id: str
    scopes: tuple[str, ...]
    tokens: Tokens
    is_active: bool = True


class InstallStore:
    """Reads and writes installs. What it returns is read anew each time: another process may have renewed.

    Args:
        now: Current time, aware.

    Raises, beside what methods name: `StoreUnavailable`, and `VaultError` when a token cannot be opened.
    """

    def __init__(self, database: Database, vault: Vault, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._vault = vault
        self._now = now

    async def newest(self, kind: str) -> Install | None:
        """The connected install of this platform, else the last revoked one; None if there was never one."""
        active_first = (sa.desc(installs.c.state == ACTIVE), installs.c.installed_at.desc())
        query = sa.select(installs).where(installs.c.kind == kind).order_by(*active_first).limit(1)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return self._read(row) if row else None

    async def connect(self, install: Install) -> None:
        """Store a new install as active, or new tokens for an organization that installs the app again.

        Raises:
            OtherInstall: Another organization is connected and has not revoked. Nothing is stored.
        """
        async with self._database.write() as connection:
            others = sa.select(installs.c.organization).where(
                installs.c.kind == install.kind,
                installs.c.external_id != install.external_id,
                installs.c.state == ACTIVE,
            )
            if (other := await connection.scalar(others)) is not None:
                raise OtherInstall(other)
            await connection.execute(sa.delete(installs).where(_is(install.kind, install.external_id)))
            await connection.execute(sa.insert(installs).values(self._new_row(install)))

    async def rotate(self, install: Install, tokens: Tokens) -> Install:
        """Replace the tokens of `install`, unless somebody replaced them since it was read.

        Returns the install as it is stored afterwards: with `tokens`, or with those of whoever was faster.
        Raises `LookupError` if it is gone.
        """
        async with self._database.write() as connection:
            stored = await self._find(connection, install.kind, install.external_id)
            if stored.tokens != install.tokens or not stored.is_active:
                return stored
            changed = replace(install, tokens=tokens)
            await connection.execute(
                sa.update(installs)
                .where(_is(install.kind, install.external_id))
                .values(**self._sealed(changed), updated_at=self._now().timestamp())
            )
        return changed

    async def revoke_tokens(self, install: Install) -> bool:
        """Mark as revoked if these tokens are still the stored ones; whether they were."""
        async with self._database.write() as connection:
            stored = await self._find(connection, install.kind, install.external_id)
            if stored.tokens != install.tokens:
                return False
            await self._mark_revoked(connection, _is(install.kind, install.external_id))
        return True

    async def revoke(self, kind: str, external_id: str, *, at: datetime) -> None:
        """The organization threw us out at that moment (aware); an install made later is not meant."""
        async with self._database.write() as connection:
            older = installs.c.installed_at <= at.timestamp()
            await self._mark_revoked(connection, sa.and_(_is(kind, external_id), older))

    async def reencrypt(self) -> int:
        """Seal every token with the newest key; how many installs were not. Old keys can go afterwards."""
        async with self._database.write() as connection:
            rows = (await connection.execute(sa.select(installs))).all()
            old = [row for row in rows if not self._vault.is_newest(Sealed(row.key_id, row.access_token))]
            for row in old:
                await connection.execute(
                    sa.update(installs)
                    .where(_is(row.kind, row.external_id))
                    .values(**self._sealed(self._read(row)))
                )
        return len(old)

    async def _find(self, connection: AsyncConnection, kind: str, external_id: str) -> Install:
        row = (await connection.execute(sa.select(installs).where(_is(kind, external_id)))).first()
        if row is None:
            raise LookupError(f"no install of {kind} for {external_id}")
        return self._read(row)

    async def _mark_revoked(self, connection: AsyncConnection, which: sa.ColumnElement[bool]) -> None:
        values = {"state": REVOKED, "updated_at": self._now().timestamp()}
        await connection.execute(sa.update(installs).where(which).values(values))

    def _new_row(self, install: Install) -> dict[str, Any]:
        now = self._now().timestamp()
        return {
            "kind": install.kind,
            "external_id": install.external_id,
            "organization": install.organization,
            "app_user_id": install.app_user_id,
            "scopes": list(install.scopes),
            "state": ACTIVE,
            "installed_at": now,
            "updated_at": now,
            **self._sealed(install),
        }

    def _sealed(self, install: Install) -> dict[str, Any]:
        tokens = install.tokens
        access = self._vault.seal(tokens.access_token, _place(install, "access_token"))
        refresh = None
        if tokens.refresh_token is not None:
            refresh = self._vault.seal(tokens.refresh_token, _place(install, "refresh_token")).data
        return {
            "access_token": access.data,
            "refresh_token": refresh,
            "key_id": access.key_id,
            "expires_at": tokens.expires_at.timestamp(),
        }

    def _read(self, row: sa.Row[Any]) -> Install:
        access = self._vault.open(Sealed(row.key_id, row.access_token), _place(row, "access_token"))
        refresh = None
        if row.refresh_token is not None:
            refresh = self._vault.open(Sealed(row.key_id, row.refresh_token), _place(row, "refresh_token"))
        return Install(
            kind=row.kind,
            external_id=row.external_id,
            organization=row.organization,
            app_user_id=row.app_user_id,
            scopes=tuple(row.scopes),
            tokens=Tokens(access, refresh, datetime.fromtimestamp(row.expires_at, UTC)),
            is_active=row.state == ACTIVE,
        )


def _is(kind: str, external_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(installs.c.kind == kind, installs.c.external_id == external_id)


def _place(of: Install | sa.Row[Any], column: str) -> Place:
    return Place(installs.name, f"{of.kind}/{of.external_id}", column)
