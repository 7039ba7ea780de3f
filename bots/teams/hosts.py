"""Which addresses of Teams we believe in: our token goes to no others. Pure."""

import re
from collections.abc import Collection
from typing import Final

# Stricter than an address may be: what is read differently by different programs does not match.
_ADDRESS: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+)(?P<port>:[0-9]{1,5})?(?:/[a-z0-9._~/-]*)?", re.IGNORECASE
)
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost"})


def is_trusted(service_url: str, hosts: Collection[str]) -> bool:
    """Whether a `serviceUrl` leads to one of the hosts, over https.

    Args:
        hosts: Names, or `*.example.com` for every name below that. A loopback host that is listed may be
            reached over plain http and on any port: a stand-in.
    """
    found = _ADDRESS.fullmatch(service_url)
    if found is None:
        return False
    host = found["host"].lower()
    if host in _LOOPBACK:
        return host in hosts
    return (
        found["scheme"].lower() == "https"
        and found["port"] in (None, ":443")
        and any(_fits(host, each.lower()) for each in hosts)
    )


def _fits(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) and host != pattern[1:] if pattern.startswith("*.") else host == pattern
