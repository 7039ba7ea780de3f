"""Secrets at rest: AES-256-GCM, bound to the place they are stored in, with keys that can be replaced."""

import base64
import binascii
import hmac
import json
import os
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.errors import ThreadlineError

KEY_BYTES: Final = 32
KEY_FILE: Final = "secret.key"

_NONCE_BYTES: Final = 12
_READABLE_BY_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class VaultError(ThreadlineError):
    """A secret cannot be kept or read; messages hold no key and no secret."""


class UnusableKey(VaultError):
    """A configured key is none, or its file is open to others: say so at start-up and stop."""


class UnknownKey(VaultError):
    """A secret was sealed with a key that is not configured any more."""


class Tampered(VaultError):
    """A secret is not what was sealed for this place: changed, cut, or moved here from elsewhere."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a secret is stored: a table, the key of a row as text, and a column."""

    table: str
    row: str
    column: str

    def as_bytes(self) -> bytes:
        # JSON, because no two places may look alike, whatever characters their names hold.
        return json.dumps([self.table, self.row, self.column]).encode("ascii")


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret as it is stored: which key opens it, and nonce, ciphertext and tag in one."""

    key_id: str
    data: bytes


class Vault:
    """Seals with the newest key, opens with any.

    Args:
        keys: 32 bytes each, newest first; at least one. See `load_keys`.

    Raises:
        UnusableKey: No key, or one of another length.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise UnusableKey(f"keys must have {KEY_BYTES} bytes each, and there must be one")
        self._ciphers = {_id_of(key): AESGCM(key) for key in keys}
        self._newest = _id_of(keys[0])

    def seal(self, secret: str, place: Place) -> Sealed:
        """Encrypt for one place; sealing twice gives two results."""
        nonce = os.urandom(_NONCE_BYTES)
        data = self._ciphers[self._newest].encrypt(nonce, secret.encode(), place.as_bytes())
        return Sealed(self._newest, nonce + data)

    def open(self, sealed: Sealed, place: Place) -> str:
        """The secret that was sealed for this place.

        Raises:
            UnknownKey: Its key is not among ours.
            Tampered: Anything else than what `seal` returned for this very place.
        """
        cipher = self._ciphers.get(sealed.key_id)
        if cipher is None:
            raise UnknownKey(
                f"{place.table}.{place.column} was sealed with key {sealed.key_id}, which is not configured;"
                " put the old key back, behind the new one"
            )
        nonce, data = sealed.data[:_NONCE_BYTES], sealed.data[_NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, data, place.as_bytes()).decode()
        except (InvalidTag, ValueError):  # ValueError: too short to hold a nonce.
            raise Tampered(f"{place.table}.{place.column} is not what was stored there") from None

    def is_newest(self, sealed: Sealed) -> bool:
        """Whether nothing is gained by `reencrypt`."""
        return sealed.key_id == self._newest

    def reencrypt(self, sealed: Sealed, place: Place) -> Sealed:
        """The same secret under the newest key; errors as in `open`."""
        return sealed if self.is_newest(sealed) else self.seal(self.open(sealed, place), place)


def _id_of(key: bytes) -> str:
    """Names a key without telling anything about it."""
    return hmac.digest(key, b"threadline key id", "sha256")[:6].hex()


def load_keys(configured: str | None, data_dir: Path) -> list[bytes]:
    """The keys to give to `Vault`: from the settings, else from a file that is made at the first start.

    Blocks on the disk: call it before the event loop has work.

    Args:
        configured: Keys in base64, newest first, separated by commas. To replace a key, put the new one in
            front, start, let `reencrypt` of every store run, and take the old one away. To go on from the key
            file to the settings, put the file's text last. None or blank: use the file.
        data_dir: Holds `secret.key` (mode 0600, same text form); created if it is not there.

    Raises:
        UnusableKey: Not base64 of 32 bytes, or the file can be read by others.
        OSError: The file can be neither read nor made.
    """
    if configured and configured.strip():
        return parse_keys(configured, "the configured key")
    path = data_dir / KEY_FILE
    if not path.exists():
        _make_key_file(path)
    return parse_keys(_read_private(path), str(path))


def parse_keys(text: str, source: str) -> list[bytes]:
    """Read base64 keys separated by commas; `source` names them in `UnusableKey`."""
    return [_parse_key(part.strip(), source) for part in text.strip().split(",")]


def _parse_key(text: str, source: str) -> bytes:
    try:
        key = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise UnusableKey(f"{source} is not {KEY_BYTES} bytes in base64 (make one: openssl rand -base64 32)")
    return key


def _read_private(path: Path) -> str:
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if mode & _READABLE_BY_OTHERS:
            raise UnusableKey(f"{path} is open to others (mode {stat.S_IMODE(mode):04o}): chmod 600 {path}")
        return file.read(4096).decode("ascii", "replace")


def _make_key_file(path: Path) -> None:
    """Write a new key so that the file is there as a whole or not at all, and never readable by others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f"{KEY_FILE}.", dir=path.parent)  # Mode 0600 from the start.
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(os.urandom(KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        _publish(draft, path)
    finally:
        draft.unlink()


def _publish(draft: Path, path: Path) -> None:
    try:
        path.hardlink_to(draft)  # Unlike a rename, never replaces the key of a process that was faster.
    except FileExistsError:
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # A key that seals tokens and is lost with the power takes them along.
    finally:
        os.close(folder)
