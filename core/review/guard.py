"""Who may start and steer work, by what they may do at the code host."""

from collections.abc import Callable, Collection

from core.activities import Author
from core.commands import command_of
from core.events import Deleted, IncomingEvent, Pressed, Said, StopAsked
from core.policy import Work, may_work
from core.ports import Accounts, CodeHost
from core.pulls import Permission

REMEMBERED_S = 60.0
"""What somebody may do is asked anew after a minute; whoever acts on a pull request is asked every time."""


class Guard:
    """Asks the code host.

    Args:
        repositories: Names of those in which write access is needed; work in others needs none.
        now: Seconds since the epoch.
    """

    def __init__(
        self,
        host: CodeHost,
        accounts: Accounts,
        *,
        repositories: Collection[str],
        now: Callable[[], float],
    ) -> None:
        self._host = host
        self._accounts = accounts
        self._repositories = frozenset(repositories)
        self._now = now
        self._known: dict[tuple[str, str, str], tuple[float, Work]] = {}

    async def work(self, author: Author, repository: str | None) -> Work:
        """Whether this person may work there; whether they read only is for others to know.

        Raises:
            DeliveryError: Nobody tells now.
        """
        if repository is None or repository not in self._repositories or author.surface == "github":
            return Work.ALLOWED
        key = (author.surface, author.id, repository)
        known_at, known = self._known.get(key, (0.0, None))
        if known is Work.ALLOWED and self._now() - known_at < REMEMBERED_S:
            return known
        found = await self._asked(author, repository)
        self._known[key] = (self._now(), found)
        return found

    async def _asked(self, author: Author, repository: str) -> Work:
        account = await self._accounts.account_of(author)
        permission: Permission | None = None
        if account is not None:
            permission = await self._host.permission(repository, account)
        return may_work("write", reads_only=False, is_known=True, is_hosted=True, permission=permission)


def steers(event: IncomingEvent) -> bool:
    """Whether it changes what the agent does: to stop it, to ask us, and to review is something else."""
    match event:
        case StopAsked() | Deleted() | Pressed():
            return False
        case Said(text=text):
            return command_of(text) is None  # Words about a pull request are judged when they are obeyed.
        case _:
            return True
