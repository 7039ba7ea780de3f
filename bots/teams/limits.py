"""How many calls Teams allows, and what each is charged to. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from core.ids import ThreadRef
from core.mirror.budget import Limit

TEAMS_LIMITS: Mapping[str, Limit] = MappingProxyType(
    {
        # 80 % of what a bot may send in a thread: 7 messages in a second, 8 in two, 60 in thirty; and, as the
        # longer window, 1800 in an hour. Edits count like messages.
        "send": Limit(5, per_s=0.95, reserve=1, longer=Limit(40, per_s=0.38, reserve=8)),
        # Two reactions in a second over everything; one that moves is two of them.
        "react": Limit(capacity=1, per_s=0.8),
    }
)


def teams_charge(do: str, thread: ThreadRef) -> str:
    """Teams counts what is said by thread, and reactions by app."""
    return f"send:{thread.conversation}/{thread.root}" if do in ("post", "edit") else "react"
