"""Ids as Linear makes and accepts them. Pure, but for random ones."""

import re
from collections.abc import Mapping
from hashlib import sha256
from uuid import UUID, uuid4

from playground.linear_errors import conflict, invalid

SLUG_LIMIT_CHARS = 50


def slug(text: str) -> str:
    """Lower-case words joined by hyphens, as in URLs and branch names."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:SLUG_LIMIT_CHARS].strip("-")


def stable_id(name: str) -> str:
    """The same id for the same seed, so that a restart by hand changes no configuration."""
    return str(UUID(bytes=sha256(f"linear playground {name}".encode()).digest()[:16], version=4))


def fresh_id(taken: Mapping[str, object], entity: str, wanted: str | None) -> str:
    """The id a client chose, if it is a UUID v4 nobody used; a random one without a choice."""
    if wanted is None:
        return str(uuid4())
    if not _is_uuid4(wanted):
        raise invalid("id must be a UUID of version 4")
    if wanted in taken:
        raise conflict(entity, wanted)
    return wanted


def _is_uuid4(text: str) -> bool:
    try:
        parsed = UUID(text)
    except ValueError:
        return False
    return parsed.version == 4 and str(parsed) == text.lower()
