"""Which addresses a process listens on, as the kernel tells it. Linux only."""

from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from sys import byteorder
from typing import Final

_LISTENING: Final = "0A"


def listened_addresses(pid: int) -> list[IPv4Address | IPv6Address]:
    """One for each socket on which the process waits for connections."""
    ours = set(_opened(pid))
    return [address for inode, address in _all_listening(pid) if f"socket:[{inode}]" in ours]


def _opened(pid: int) -> Iterator[str]:
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # Closed in the meantime.
            yield str(each.readlink())


def _all_listening(pid: int) -> Iterator[tuple[str, IPv4Address | IPv6Address]]:
    for table in ("tcp", "tcp6"):
        path = Path(f"/proc/{pid}/net/{table}")
        for row in path.read_text().splitlines()[1:] if path.exists() else ():
            fields = row.split()
            if fields[3] == _LISTENING:
                yield fields[9], _address(fields[1].partition(":")[0])


def _address(written: str) -> IPv4Address | IPv6Address:
    """The kernel writes words of four bytes, each in the order of this machine."""
    words = [int(written[at : at + 8], 16) for at in range(0, len(written), 8)]
    return ip_address(b"".join(word.to_bytes(4, byteorder) for word in words))
