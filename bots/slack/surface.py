"""Slack as a place to talk: posts, edits and reactions, and what was said in a thread."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from typing import Final

from slack_sdk.web.async_client import AsyncWebClient

from bots.slack.client import call
from bots.slack.events import user_of
from bots.slack.inbound import attachments_of, mentioned, message_text
from bots.slack.people import People
from bots.slack.render import whispered
from bots.slack.wire import MalformedEvent, Message, Wire, parsed
from core.activities import Author, Blocker, Fate
from core.errors import Refused, TargetGone, Throttled, TryLater
from core.events import ThreadMessage
from core.ids import MessageRef, ThreadRef
from core.ports import Payload, PrivateButton, PrivateLink

METADATA_TYPE: Final = "threadline_post"
HISTORY: Final = 50

_PAGE: Final = 200
_CLOCKS_APART_S: Final = 300.0
"""How far Slack's clock may be behind ours."""
_EMOJI: Final[dict[Fate, str | None]] = {
    Fate.SEEN: "eyes",
    Fate.QUEUED: "hourglass_flowing_sand",
    Fate.DELIVERED: "incoming_envelope",
    Fate.DONE: "white_check_mark",
    Fate.WITHDRAWN: None,
}
_NOT_TO_REACT_TO: Final = frozenset(
    {"message_not_found", "not_reactable", "too_many_emoji", "too_many_reactions", "thread_locked"}
)


class SlackSurface:
    """`ChatSurface`, `ThreadReader`, `ThreadOpener`, `Whisperer` of one workspace. No call is repeated here.

    Slack takes no key for a post. Each post carries its own in the message's metadata, where a second attempt
    finds it; so only a post that Slack has not shown in the thread yet when we look could appear twice.
    """

    def __init__(
        self, client: AsyncWebClient, people: People | None = None, *, friends: Collection[str] = ()
    ) -> None:
        """`friends`: ids of other workspaces whose members count as our own."""
        self._client = client
        self._people = people or People(client)
        self._friends = frozenset(friends)
        self._install: str | None = None

    async def post(self, thread: ThreadRef, payload: Payload, *, key: str, again: bool) -> str:
        """See `ChatSurface.post`; the id is the message's ts."""
        if again and (found := await self._find(thread, key)):
            return found
        return await self._post(thread.conversation, thread.root, payload, key)

    async def open_thread(
        self, place: str, payload: Payload, *, key: str, tried_at: float | None
    ) -> ThreadRef:
        """See `ThreadOpener.open_thread`."""
        install, _, channel = place.removeprefix("slack:").partition("/")
        await self._stand_in(install)
        found = None if tried_at is None else await self._find_root(channel, key, tried_at)
        return ThreadRef("slack", install, channel, found or await self._post(channel, None, payload, key))

    async def _stand_in(self, install: str) -> None:
        """Threads are known by their workspace: under a wrong one nobody would be heard."""
        if self._install is None:
            answer = await call("auth.test", self._client.auth_test())
            self._install = str(answer["team_id"])
        if install != self._install:
            raise TargetGone(f"auth.test: this is {self._install}", code=Blocker.CHAT_GONE)

    async def _post(self, channel: str, root: str | None, payload: Payload, key: str) -> str:
        answer = await call(
            "chat.postMessage",
            self._client.chat_postMessage(
                channel=channel,
                thread_ts=root,
                text=payload["text"],
                blocks=payload["blocks"],
                metadata={"event_type": METADATA_TYPE, "event_payload": {"key": key}},
                unfurl_links=False,
                unfurl_media=False,
            ),
        )
        return str(answer["ts"])

    async def whisper(
        self,
        thread: ThreadRef,
        to: Author,
        text: str,
        link: PrivateLink | None = None,
        buttons: Sequence[PrivateButton] = (),
    ) -> None:
        """See `Whisperer.whisper`: an ephemeral message, which is gone when they load Slack again."""
        user = user_of(to)
        if user is None:
            raise Refused(f"{to.surface} is not Slack")
        payload = whispered(text, link, buttons)
        await call(
            "chat.postEphemeral",
            self._client.chat_postEphemeral(
                channel=thread.conversation,
                user=user,
                thread_ts=thread.root,
                text=payload["text"],
                blocks=payload["blocks"],
            ),
        )

    async def edit(self, message: MessageRef, payload: Payload) -> None:
        """See `ChatSurface.edit`. A message that somebody removed raises `Refused`: it stays removed."""
        await call(
            "chat.update",
            self._client.chat_update(
                channel=message.thread.conversation,
                ts=message.id,
                text=payload["text"],
                blocks=payload["blocks"],
            ),
        )

    async def react(self, message: MessageRef, *, add: Fate | None, remove: Fate | None) -> None:
        """See `ChatSurface.react`. The new reaction comes first: a message in work never looks forgotten."""
        channel, ts = message.thread.conversation, message.id
        shown = _EMOJI[add] if add else None
        gone = _EMOJI[remove] if remove else None
        if shown:
            await call(
                "reactions.add",
                self._client.reactions_add(channel=channel, timestamp=ts, name=shown),
                fine=_NOT_TO_REACT_TO | {"already_reacted"},
            )
        if gone and gone != shown:
            removal = self._client.reactions_remove(channel=channel, timestamp=ts, name=gone)
            try:
                await call("reactions.remove", removal, fine=_NOT_TO_REACT_TO | {"no_reaction"})
            except (Throttled, TryLater) as error:
                # The new one is there: another plan would not know of it, and leave it for ever.
                error.maybe_done = error.maybe_done or shown is not None
                raise

    async def history(self, thread: ThreadRef) -> Sequence[ThreadMessage]:
        """See `ThreadReader.history`. Names are filled in as far as Slack tells them now."""
        messages = [message for message in await self._messages(thread) if message.subtype != "tombstone"]
        latest = messages[-HISTORY:]
        names = {user: await self._people.name_of(user) for user in _users_in(latest)}
        return [_thread_message(message, names) for message in latest]

    async def permalink(self, message: MessageRef) -> str:
        """See `ThreadReader.permalink`."""
        answer = await call(
            "chat.getPermalink",
            self._client.chat_getPermalink(channel=message.thread.conversation, message_ts=message.id),
        )
        return str(answer["permalink"])

    async def person(self, author: Author) -> Author:
        """See `ThreadReader.person`; unchanged if it is no Slack account or Slack will not tell."""
        user = user_of(author)
        person = await self._people.find(user) if user else None
        if person is None:
            return author
        home = author.id.rpartition("/")[0]
        is_far = person.is_stranger or person.team not in {None, home}
        return replace(
            author,
            name=person.name,
            email=person.email or author.email,
            is_guest=author.is_guest or person.is_guest,
            is_external=author.is_external or (is_far and person.team not in self._friends),
        )

    async def _find(self, thread: ThreadRef, key: str) -> str | None:
        """The ts of our post with this key. All of the thread is read: nothing tells when we tried before."""
        messages = await self._messages(thread)
        return next((message.ts for message in messages if _key_of(message) == key), None)

    async def _find_root(self, channel: str, key: str, tried_at: float) -> str | None:
        """The ts of our message with this key that stands in the channel itself."""

        async def page(cursor: str | None) -> Wire:
            asked = self._client.conversations_history(
                channel=channel,
                oldest=f"{max(0.0, tried_at - _CLOCKS_APART_S):.6f}",
                limit=_PAGE,
                cursor=cursor,
                include_all_metadata=True,
            )
            return await call("conversations.history", asked)

        messages = await _all_pages(page)
        return next((message.ts for message in messages if _key_of(message) == key), None)

    async def _messages(self, thread: ThreadRef) -> list[Message]:
        """All of the thread, oldest first."""

        async def page(cursor: str | None) -> Wire:
            asked = self._client.conversations_replies(
                channel=thread.conversation,
                ts=thread.root,
                limit=_PAGE,
                cursor=cursor,
                include_all_metadata=True,
            )
            return await call("conversations.replies", asked)

        return await _all_pages(page)


async def _all_pages(page: Callable[[str | None], Awaitable[Wire]]) -> list[Message]:
    messages: list[Message] = []
    cursor: str | None = None
    while True:
        answer = await page(cursor)
        messages += _read(answer.get("messages"))
        cursor = (answer.get("response_metadata") or {}).get("next_cursor")
        if not cursor:
            return messages


def _read(messages: object) -> list[Message]:
    if not isinstance(messages, list):
        raise Refused("Slack: no messages in the answer")
    try:
        return [parsed(Message, message) for message in messages]
    except MalformedEvent as error:
        raise Refused(f"Slack: {error}") from error


def _key_of(message: Message) -> object:
    metadata = message.metadata
    return metadata.event_payload.get("key") if metadata and metadata.event_type == METADATA_TYPE else None


def _users_in(messages: Sequence[Message]) -> list[str]:
    authors = [message.user for message in messages if message.user]
    return list(
        dict.fromkeys([*authors, *(user for each in messages for user in mentioned(each.text or ""))])
    )


def _thread_message(message: Message, names: dict[str, str]) -> ThreadMessage:
    profile = message.bot_profile.name if message.bot_profile else None
    author = names.get(message.user or "") or message.username or profile or "a bot"
    files = [f"(attached: {each.name})" for each in attachments_of(message.files or ())]
    text = "\n".join(filter(None, [message_text(message, names=names), *files]))
    return ThreadMessage(author, text, message.ts, from_us=_key_of(message) is not None)
