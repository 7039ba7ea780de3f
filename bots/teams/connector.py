"""The Bot Connector: the calls that a bot makes, one request each, failures in the core's words."""

import logging
from collections.abc import Awaitable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from bots.teams.faults import delivery_error
from bots.teams.hosts import is_trusted
from bots.teams.http import HTTP_ERRORS, Answer, ask
from bots.teams.tokens import BotToken
from core.errors import DeliveryError, Refused, TryLater
from core.ports import Payload

log = logging.getLogger(__name__)

MUTE: Final = (
    "nothing can be said in Teams: check THREADLINE_TEAMS__APP_ID and THREADLINE_TEAMS__APP_PASSWORD"
)
"""For whoever runs us, when we get no token: a secret ends after two years at the latest."""

_TARGETED: Final = "?isTargetedActivity=true"
_MEMBER_PAGE: Final = "?pageSize=50"
_NOT_SENT: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
_PASSING: Final = frozenset({401, 408, 412, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Spot:
    """A conversation, perhaps with a thread of it (`;messageid=`), and the address it is served from."""

    service_url: str
    conversation: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A conversation that was created; `message` is the id of the one sent along with it."""

    conversation: str
    message: str | None


class Nameless(Refused):
    """The call was executed, but the answer gives no id: the message can never be changed."""


class Connector:
    """Nothing is repeated here, but for a call that Teams did not admit because our token had ended.

    All methods raise `DeliveryError`; see `delivery_error`. Ids go into addresses percent-encoded, whatever
    they hold.

    Args:
        service_hosts: Where our token may go; see `is_trusted`.

    Source: "Bot Connector REST API reference" and the Teams pages beside it in Microsoft's documentation.
    """

    def __init__(
        self, http: aiohttp.ClientSession, token: BotToken, *, service_hosts: Collection[str]
    ) -> None:
        self._http = http
        self._token = token
        self._service_hosts = service_hosts
        self._trouble = ""

    async def trouble(self) -> str:
        """Why Microsoft gives us no token now; empty if it does."""
        with suppress(TryLater):
            await self._minted(self._token.current())
            return ""
        return self._trouble

    async def send(self, at: Spot, activity: Payload, *, targeted: bool = False) -> str:
        """Post a message and return its id; may raise `Nameless`.

        Args:
            targeted: Only `recipient` sees it, who must carry `isTargeted`.
        """
        path = f"{_at(at)}/activities{_TARGETED if targeted else ''}"
        answer = await self._call("send", "POST", at.service_url, path, activity)
        return _text(answer, "id", "send")

    async def update(self, at: Spot, message: str, activity: Payload, *, targeted: bool = False) -> None:
        """Replace a message of ours. A targeted one is named without its recipient."""
        path = f"{_message(at, message)}{_TARGETED if targeted else ''}"
        await self._call("update", "PUT", at.service_url, path, activity)

    async def delete(self, at: Spot, message: str, *, targeted: bool = False) -> None:
        """Take a message of ours away; one that is away already raises `Refused`."""
        path = f"{_message(at, message)}{_TARGETED if targeted else ''}"
        await self._call("delete", "DELETE", at.service_url, path)

    async def react(self, at: Spot, message: str, reaction: str) -> bool:
        """Add a reaction; false where Teams will not have it."""
        return await self._reaction("PUT", at, message, reaction)

    async def unreact(self, at: Spot, message: str, reaction: str) -> None:
        """Take a reaction of ours away; where there is none, nothing happens."""
        await self._reaction("DELETE", at, message, reaction)

    async def member(self, at: Spot, user: str) -> Mapping[str, Any]:
        """What Teams tells of a person in the conversation; `Refused` if they are not in it."""
        path = f"{_at(at)}/members/{_segment(user)}"
        answer = await self._call("member", "GET", at.service_url, path)
        return answer if isinstance(answer, Mapping) else {}

    async def members(self, at: Spot, after: str = "") -> tuple[list[Mapping[str, Any]], str]:
        """A page of the people in the conversation, and what asks for the next one: empty after the last."""
        more = f"&continuationToken={quote(after, safe='')}" if after else ""
        path = f"{_at(at)}/pagedmembers{_MEMBER_PAGE}{more}"
        page = await self._call("members", "GET", at.service_url, path)
        people = page.get("members") if isinstance(page, Mapping) else None
        if not isinstance(people, list):
            raise Refused("members: none in the answer")
        token = page.get("continuationToken")
        return [each for each in people if isinstance(each, Mapping)], token if isinstance(token, str) else ""

    async def open_conversation(self, service_url: str, parameters: Payload) -> Opened:
        """Create a chat with a person, or a thread in a channel, as the parameters say."""
        answer = await self._call("create", "POST", service_url, "", parameters)
        message = answer.get("activityId") if isinstance(answer, Mapping) else None
        return Opened(_text(answer, "id", "create"), message if isinstance(message, str) else None)

    async def _reaction(self, method: str, at: Spot, message: str, reaction: str) -> bool:
        path = f"{_message(at, message)}/reactions/{_segment(reaction)}"
        answer = await self._ask("react", method, at.service_url, path, None)
        if answer.status >= 300 and answer.status in _PASSING:
            raise delivery_error("react", answer.status, answer.body, answer.headers)
        return answer.status < 300

    async def _call(
        self, call: str, method: str, service_url: str, path: str, body: Payload | None = None
    ) -> Any:
        answer = await self._ask(call, method, service_url, path, body)
        if not 200 <= answer.status < 300:
            raise delivery_error(call, answer.status, answer.body, answer.headers)
        return answer.body

    async def _ask(self, call: str, method: str, service_url: str, path: str, body: Payload | None) -> Answer:
        if not is_trusted(service_url, self._service_hosts):
            raise TryLater(f"{call}: the serviceUrl is not among the service hosts")
        url = f"{service_url.rstrip('/')}/v3/conversations{path}"
        token = await self._minted(self._token.current())
        answer = await self._try(call, method, url, body, token)
        if answer.status == 401:
            answer = await self._try(call, method, url, body, await self._minted(self._token.renew(token)))
        self._note("Teams refuses our token" if answer.status == 401 else "")
        return answer

    async def _minted(self, token: Awaitable[str]) -> str:
        try:
            return await token
        except TryLater as error:
            self._note(str(error))
            raise

    def _note(self, trouble: str) -> None:
        """Say what keeps us from saying anything, once: every call is made again for as long as it lasts."""
        if trouble and not self._trouble:
            log.error(MUTE, extra={"reason": trouble})
        elif self._trouble and not trouble:
            log.warning("things can be said in Teams again")
        self._trouble = trouble

    async def _try(self, call: str, method: str, url: str, body: Payload | None, token: str) -> Answer:
        try:
            return await ask(self._http, method, url, body=body, headers={"Authorization": f"Bearer {token}"})
        except HTTP_ERRORS as error:
            raise _broken(call, error) from error


def _broken(call: str, error: Exception) -> DeliveryError:
    if isinstance(error, _NOT_SENT):
        return TryLater(f"{call}: no connection to Teams", maybe_done=False)
    return TryLater(f"{call}: the connection to Teams broke ({type(error).__name__})", maybe_done=True)


def _at(at: Spot) -> str:
    return f"/{_segment(at.conversation)}"


def _message(at: Spot, message: str) -> str:
    return f"{_at(at)}/activities/{_segment(message)}"


def _segment(id: str) -> str:
    """One part of a path. Dots alone would change the path, and nothing has such an id."""
    if not id.strip("."):
        raise Refused("an id of Teams is empty")
    return quote(id, safe="")


def _text(answer: Any, name: str, call: str) -> str:
    text = answer.get(name) if isinstance(answer, Mapping) else None
    if not isinstance(text, str) or not text:
        raise Nameless(f"{call}: no {name} in the answer")
    return text
