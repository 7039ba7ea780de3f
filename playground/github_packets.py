"""The lines of git's protocol that say which branches a push moves, and the answer to them. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

ZERO = "0" * 40
_HEAD_BYTES = 4
_HEX = frozenset("0123456789abcdef")
_WORDS = 2
"""The side band that people read."""


class BadPackets(ValueError):
    """Not what a git sends."""


@dataclass(frozen=True, slots=True)
class Update:
    """One ref that a push moves; `old` or `new` is `ZERO` where it is made or deleted."""

    old: str
    new: str
    ref: str

    @property
    def branch(self) -> str | None:
        """Its name, if it is one."""
        return self.ref.removeprefix("refs/heads/") if self.ref.startswith("refs/heads/") else None


def updates_of(body: bytes) -> list[Update]:
    """All that a push asks for; what follows the first flush is not looked at.

    Raises:
        BadPackets: The lines are cut, or no updates.
    """
    found = []
    for line in _lines(body):
        told = line.partition(b"\0")[0].removesuffix(b"\n").decode(errors="replace")
        if told.startswith("shallow "):
            continue
        old, _, rest = told.partition(" ")
        new, _, ref = rest.partition(" ")
        if not (_is_sha(old) and _is_sha(new) and ref):
            raise BadPackets(f"no update: {told[:80]!r}")
        found.append(Update(old, new, ref))
    return found


def _is_sha(text: str) -> bool:
    return len(text) in (40, 64) and set(text) <= _HEX


def _lines(body: bytes) -> Iterator[bytes]:
    """The content of each line up to the flush."""
    at = 0
    while True:
        head = body[at : at + _HEAD_BYTES].decode(errors="replace").lower()
        if len(head) != _HEAD_BYTES or not set(head) <= _HEX:
            raise BadPackets("no length")
        size = int(head, 16)
        if size == 0:
            return
        if size < _HEAD_BYTES or at + size > len(body):
            raise BadPackets("cut short")
        yield body[at + _HEAD_BYTES : at + size]
        at += size


def words_in(answer: bytes) -> str:
    """What people are told beside the answer to a push; "" if it cannot be read."""
    try:
        bands = [line for line in _lines(answer) if line]
    except BadPackets:
        return ""
    return b"".join(line[1:] for line in bands if line[0] == _WORDS).decode(errors="replace").strip()


def refusal(updates: Iterable[Update], words: str, why: Mapping[str, str], otherwise: str) -> bytes:
    """A report in which every update was refused: by `why` of its ref, or `otherwise`; `words` beside it."""
    lines = [f"ng {one.ref} {why.get(one.ref, otherwise)}\n" for one in updates]
    report = b"".join(packet(line.encode()) for line in ["unpack ok\n", *lines]) + b"0000"
    told = "".join(f"{line}\n" for line in words.splitlines()).encode()
    return packet(bytes([_WORDS]) + told) + packet(b"\1" + report) + b"0000"


def packet(data: bytes) -> bytes:
    return f"{len(data) + _HEAD_BYTES:04x}".encode() + data
