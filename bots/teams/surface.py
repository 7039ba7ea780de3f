"""Teams as a place to talk: posts, edits and reactions, and what we know of a thread."""

import json
import logging
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final
from urllib.parse import quote, urlencode

from bots.teams.address import CHANNEL, CHAT, PERSONAL, SURFACE, Address, conversation_id, root_of
from bots.teams.connector import Connector, Nameless, Spot
from bots.teams.directory import Directory
from bots.teams.doubts import begun_in_doubt, doubted
from bots.teams.events import user_of
from bots.teams.heard import Heard
from bots.teams.mentions import mentioned_in, renamed
from bots.teams.people import People
from bots.teams.whispers import whispered
from core.activities import Author, Fate
from core.errors import DeliveryError, Refused, StoreUnavailable, TargetGone, Throttled, TryLater
from core.events import ThreadMessage
from core.ids import MessageRef, ThreadRef
from core.ports import Payload, PrivateButton, PrivateLink

log = logging.getLogger(__name__)

POSTS_KNOWN: Final = 1_000

_LINK: Final = "https://teams.microsoft.com/l/message"
_REACTIONS: Final[dict[Fate, str | None]] = {
    Fate.SEEN: "1f440_eyes",
    Fate.QUEUED: "231b_hourglassdone",
    Fate.DELIVERED: "1f4e8_incomingenvelope",
    Fate.DONE: "2705_whiteheavycheckmark",
    Fate.WITHDRAWN: None,
}


class TeamsSurface:
    """`ChatSurface`, `ThreadReader`, `ThreadOpener`, `Whisperer` of our tenants. No call is repeated here.

    Whatever is said goes to the address that the conversation's newest activity told, never into the answer
    to an activity: by the time an agent has something to say, that is long gone.

    Teams takes no key for a post and lets a bot read nothing back. A post of which nobody knows whether it
    got through is not made again: what follows it is a message that says so, and holds the words for whoever
    misses them (see `doubted`). An answer that this process saw counts. And nothing follows before Teams has
    answered a harmless question about the same conversation: while posts arrive and answers do not, there is
    one such message and not one for each attempt.
    """

    def __init__(
        self,
        connector: Connector,
        directory: Directory,
        people: People,
        heard: Heard,
        *,
        bot_id: str,
        service_url: str,
    ) -> None:
        """`bot_id`: our account, `28:...`; `service_url`: where channels are that we never heard of."""
        self._bot_id = bot_id
        self._service_url = service_url
        self._connector = connector
        self._directory = directory
        self._people = people
        self._heard = heard
        self._posted: OrderedDict[str, str] = OrderedDict()

    async def post(self, thread: ThreadRef, payload: Payload, *, key: str, again: bool) -> str:
        """See `ChatSurface.post`; the id is the activity's."""
        if again and key in self._posted:
            return self._posted[key]
        address = await self._address(thread)
        if again:
            await self._sign_of_life(address, thread.conversation)
        spot, said = _spot(address, thread), doubted(payload) if again else payload
        said = await self._reaching(said, thread.install)
        id = await self._connector.send(spot, _activity(said, address, spot))
        self._remember(key, id)
        if text := payload.get("text"):
            self._heard.put(thread, ThreadMessage(address.bot_name, text, id, from_us=True))
        return id

    async def open_thread(
        self, place: str, payload: Payload, *, key: str, tried_at: float | None
    ) -> ThreadRef:
        """See `ThreadOpener.open_thread`. A thread that may be the second one says so."""
        install, _, channel = place.removeprefix(f"{SURFACE}:").partition("/")
        if tried_at is not None and key in self._posted:
            return ThreadRef(SURFACE, install, channel, self._posted[key])
        address = await self._channel(install, channel)
        if tried_at is not None:
            await self._sign_of_life(address, channel)
            payload = begun_in_doubt(payload)
        wanted = {
            "isGroup": True,
            "bot": {"id": address.bot_id},
            "tenantId": install,
            "channelData": {"channel": {"id": channel}, "tenant": {"id": install}},
            "activity": {**payload, "from": {"id": address.bot_id, "name": address.bot_name}},
        }
        opened = await self._connector.open_conversation(address.service_url, wanted)
        root = opened.message or root_of(opened.conversation)
        if root is None:
            raise Nameless("create: no thread in the answer")
        self._remember(key, root)
        return ThreadRef(SURFACE, install, channel, root)

    async def edit(self, message: MessageRef, payload: Payload) -> None:
        """See `ChatSurface.edit`. A message that somebody removed raises `Refused`: it stays removed."""
        address = await self._address(message.thread)
        spot = _spot(address, message.thread)
        await self._connector.update(spot, message.id, _activity(payload, address, spot))

    async def react(self, message: MessageRef, *, add: Fate | None, remove: Fate | None) -> None:
        """See `ChatSurface.react`. The new reaction comes first: a message in work never looks forgotten.

        Where Teams will not have reactions, of a bot or of anybody, there are none: then we are seen typing
        when a message came in.
        """
        shown = _REACTIONS[add] if add else None
        gone = _REACTIONS[remove] if remove else None
        address = await self._address(message.thread)
        spot = _spot(address, message.thread)
        if shown and not await self._connector.react(spot, message.id, shown) and add is Fate.SEEN:
            await self._type(address, spot)
        if gone and gone != shown:
            try:
                await self._connector.unreact(spot, message.id, gone)
            except (Throttled, TryLater) as error:
                # The new one is there: another plan would not know of it, and leave it for ever.
                error.maybe_done = error.maybe_done or shown is not None
                raise

    async def whisper(
        self,
        thread: ThreadRef,
        to: Author,
        text: str,
        link: PrivateLink | None = None,
        buttons: Sequence[PrivateButton] = (),
    ) -> None:
        """See `Whisperer.whisper`: in the thread for a day; where Teams will not, in their chat with us.

        A person who cannot be reached at all raises `Refused`: the thread is not gone by that.
        """
        first = user_of(to)
        if first is None:
            raise Refused(f"{to.surface} is not Teams")
        user = await self._id_now(thread.install, first)
        address, payload = await self._address(thread), whispered(text, link, buttons)
        spot = _spot(address, thread)
        activity = _activity(payload, address, spot)
        if address.conversation_type == PERSONAL:
            await self._connector.send(spot, activity)
            return
        try:
            to_them = {"recipient": {"id": user, "isTargeted": True}}
            await self._connector.send(spot, {**activity, **to_them}, targeted=True)
        except Nameless:
            return
        except (Refused, TargetGone) as error:
            # Not every Teams has private messages in conversations; nothing is said of the thread by that.
            log.info("not whispered in the thread", extra={"reason": str(error)})
            try:
                await self._tell_beside(address, user, whispered(text, link))
            except TargetGone as gone:
                raise Refused(str(gone)) from gone

    async def history(self, thread: ThreadRef) -> Sequence[ThreadMessage]:
        """See `ThreadReader.history`: what Teams told us since we started, which may be little or nothing."""
        return self._heard.of(thread)

    async def permalink(self, message: MessageRef) -> str:
        """See `ThreadReader.permalink`; asks nobody."""
        thread = message.thread
        about = (
            {"context": json.dumps({"contextType": "chat"}, separators=(",", ":"))}
            if thread.root == CHAT
            else {"parentMessageId": thread.root}
        )
        query = urlencode({"tenantId": thread.install, **about})
        return f"{_LINK}/{quote(thread.conversation, safe='')}/{quote(message.id, safe='')}?{query}"

    async def person(self, author: Author) -> Author:
        """See `ThreadReader.person`; unchanged if it is no Teams account or Teams will not tell."""
        user = user_of(author)
        person = await self._people.find(author.id.partition("/")[0], user) if user else None
        if person is None:
            return author
        return replace(
            author,
            name=person.name,
            email=person.email or author.email,
            is_guest=author.is_guest or person.is_guest,
            is_external=author.is_external or person.is_stranger,
        )

    async def _reaching(self, payload: Payload, tenant: str) -> Payload:
        """The message as Teams takes it now: people are mentioned by the ids that it has for them."""
        users = mentioned_in(payload)
        if not users:
            return payload
        return renamed(payload, {each: await self._id_now(tenant, each) for each in users})

    async def _id_now(self, tenant: str, first: str) -> str:
        try:
            return await self._directory.id_now(tenant, first)
        except StoreUnavailable as error:
            raise TryLater(f"no id: {error}") from error

    async def _sign_of_life(self, address: Address, conversation: str) -> None:
        """Any answer will do, but trouble and the end of the conversation."""
        with suppress(Refused):
            await self._connector.members(Spot(address.service_url, conversation))

    async def _type(self, address: Address, spot: Spot) -> None:
        """Shown for a moment, and not worth a second try."""
        try:
            await self._connector.send(spot, _activity({"type": "typing"}, address, spot))
        except DeliveryError as error:
            log.info("neither a reaction nor typing is shown", extra={"reason": str(error)})

    async def _tell_beside(self, address: Address, user: str, payload: Payload) -> None:
        chat = {
            "isGroup": False,
            "bot": {"id": address.bot_id},
            "members": [{"id": user}],
            "tenantId": address.tenant,
            "channelData": {"tenant": {"id": address.tenant}},
        }
        opened = await self._connector.open_conversation(address.service_url, chat)
        spot = Spot(address.service_url, opened.conversation)
        await self._connector.send(spot, _activity(payload, address, spot))

    async def _address(self, thread: ThreadRef) -> Address:
        address = await self._known(thread)
        if address is None:
            raise TryLater("no address: Teams has not told where the conversation is")
        return address

    async def _channel(self, install: str, channel: str) -> Address:
        """Where the channel is, remembered for all that follows; Teams' general address if it never told."""
        known = await self._known(ThreadRef(SURFACE, install, channel, ""))
        if known is not None:
            return known
        address = Address(install, self._service_url, channel, CHANNEL, self._bot_id, "")
        try:
            await self._directory.remember(address, None)
        except StoreUnavailable as error:
            raise TryLater(f"no address: {error}") from error
        return address

    async def _known(self, thread: ThreadRef) -> Address | None:
        try:
            return await self._directory.of(thread)
        except StoreUnavailable as error:
            raise TryLater(f"no address: {error}") from error

    def _remember(self, key: str, id: str) -> None:
        self._posted[key] = id
        while len(self._posted) > POSTS_KNOWN:
            self._posted.popitem(last=False)


def _spot(address: Address, thread: ThreadRef) -> Spot:
    return Spot(address.service_url, conversation_id(thread))


def _activity(payload: Payload, address: Address, spot: Spot) -> Payload:
    return {
        **payload,
        "from": {"id": address.bot_id, "name": address.bot_name},
        "conversation": {"id": spot.conversation},
    }
