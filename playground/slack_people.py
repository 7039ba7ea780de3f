"""The people's side: what members of the workspace do, and what the app then hears."""

from collections.abc import Callable, Iterable, Mapping
from itertools import count

from playground.slack_blocks import elements_of
from playground.slack_clock import Clock
from playground.slack_delivery import Dispatcher, Receipt
from playground.slack_events import (
    block_action,
    changed,
    message_action,
    message_wire,
    posted,
    reaction,
    removed,
    session_stopped,
    tokens_gone,
)
from playground.slack_responses import ResponseUrls
from playground.slack_state import (
    BOT_USER,
    TRIGGER_LIFETIME_S,
    Channel,
    ChannelKind,
    Draft,
    Message,
    Trigger,
    Workspace,
)
from playground.slack_wire import Refused, Wire


class People:
    """Acts as any user of the workspace; except for `click`, methods return before the events are delivered.

    Raises `Refused` with Slack's own error word when the person could not do that.
    """

    def __init__(
        self,
        workspace: Workspace,
        clock: Clock,
        dispatcher: Dispatcher,
        responses: ResponseUrls,
        *,
        base_url: Callable[[], str],
        kill_tokens: Callable[[str], None],
    ) -> None:
        self._workspace = workspace
        self._clock = clock
        self._dispatcher = dispatcher
        self._responses = responses
        self._base_url = base_url
        self._kill_tokens = kill_tokens
        self._numbers = count(1)

    def say(
        self,
        user: str,
        channel: str,
        text: str,
        thread_ts: str | None = None,
        *,
        files: Mapping[str, str] | None = None,
        subtype: str | None = None,
    ) -> str:
        """Post as `user` (or another app's bot, `U0ALERT`) with `files` (name -> content); returns the ts."""
        shared = tuple(self._file(user, name, content) for name, content in (files or {}).items())
        draft = Draft(text, thread_ts=thread_ts, files=shared, subtype="file_share" if shared else subtype)
        message = self._workspace.post(self._workspace.person(user), channel, draft, self._clock.now())
        self._dispatcher.publish(posted(self._workspace, message))
        return message.ts

    def edit(self, user: str, channel: str, ts: str, text: str) -> None:
        before = message_wire(self._workspace, self._workspace.message(channel, ts))
        now = self._clock.now()
        message = self._workspace.edit(self._workspace.person(user), channel, ts, text, (), now)
        self._dispatcher.publish(changed(self._workspace, message, before, message.edited_at or ts))

    def unfurl(self, channel: str, ts: str) -> None:
        """Slack attaches a link preview: a `message_changed` that is nobody's edit."""
        message = self._workspace.message(channel, ts)
        before = message_wire(self._workspace, message)
        event_ts = self._workspace.next_ts(self._clock.now())
        self._dispatcher.publish(changed(self._workspace, message, before, event_ts))

    def delete(self, user: str, channel: str, ts: str) -> None:
        before = message_wire(self._workspace, self._workspace.message(channel, ts))
        message = self._workspace.delete(self._workspace.person(user), channel, ts)
        event_ts = self._workspace.next_ts(self._clock.now())
        self._dispatcher.publish(removed(self._workspace, message, before, event_ts))

    def react(self, user: str, channel: str, ts: str, name: str) -> None:
        message = self._workspace.react(user, channel, ts, name)
        event_ts = self._workspace.next_ts(self._clock.now())
        self._dispatcher.publish(reaction("reaction_added", message, user, name, event_ts))

    def unreact(self, user: str, channel: str, ts: str, name: str) -> None:
        message = self._workspace.unreact(user, channel, ts, name)
        event_ts = self._workspace.next_ts(self._clock.now())
        self._dispatcher.publish(reaction("reaction_removed", message, user, name, event_ts))

    async def click(
        self, user: str, channel: str, ts: str, action_id: str, *, value: str | None = None
    ) -> Receipt:
        """Press the button, or choose the option `value`; returns how the app acknowledged it.

        Two buttons may share an action id; then `value` tells them apart.
        """
        self._workspace.channel_for(channel, user)
        message = self._workspace.message(channel, ts)
        if message.only_for not in (None, user):
            raise Refused("message_not_found")
        action = self._action(message, user, action_id, value)
        trigger_id = f"{next(self._numbers)}.trigger"
        self._workspace.triggers[trigger_id] = Trigger(user, self._clock.now() + TRIGGER_LIFETIME_S)
        payload = block_action(
            self._workspace,
            self._workspace.person(user),
            message,
            action,
            trigger_id=trigger_id,
            response_url=self._base_url() + self._responses.issue(message, user),
        )
        return await self._dispatcher.interact(payload)

    async def use_shortcut(self, user: str, channel: str, ts: str, callback_id: str) -> Receipt:
        """Choose the app's entry in the menu of a message; returns how the app acknowledged it."""
        self._workspace.channel_for(channel, user)
        message = self._workspace.message(channel, ts)
        trigger_id = f"{next(self._numbers)}.trigger"
        self._workspace.triggers[trigger_id] = Trigger(user, self._clock.now() + TRIGGER_LIFETIME_S)
        payload = message_action(
            self._workspace,
            self._workspace.person(user),
            message,
            callback_id,
            action_ts=self._workspace.next_ts(self._clock.now()),
            trigger_id=trigger_id,
            response_url=self._base_url() + self._responses.issue(message, user),
        )
        return await self._dispatcher.interact(payload)

    def stop_session(self, user: str, channel: str, thread_ts: str) -> None:
        """Press the native Stop button of an agent session."""
        event_ts = self._workspace.next_ts(self._clock.now())
        self._dispatcher.publish(session_stopped(channel, user, thread_ts, event_ts))

    def uninstall(self) -> None:
        """Remove the app: its tokens die, then it hears both events."""
        self._kill_tokens("account_inactive")
        self._dispatcher.publish(tokens_gone("tokens_revoked", [BOT_USER]))
        self._dispatcher.publish(tokens_gone("app_uninstalled", []))

    def revoke_tokens(self) -> None:
        self._kill_tokens("token_revoked")
        self._dispatcher.publish(tokens_gone("tokens_revoked", [BOT_USER]))

    def create_channel(self, channel: str, name: str, kind: ChannelKind, members: Iterable[str]) -> None:
        """Make a channel with the id `channel`; the bot is in it only if it is among `members`."""
        if channel in self._workspace.channels:
            raise Refused("name_taken")
        people = {self._workspace.person(user).id for user in members}
        self._workspace.channels[channel] = Channel(channel, name, kind, people)

    def join(self, user: str, channel: str) -> None:
        self._channel(channel, user).members.add(user)

    def leave(self, user: str, channel: str) -> None:
        self._channel(channel, user).members.discard(user)

    def archive(self, channel: str, *, is_archived: bool = True) -> None:
        self._workspace.channel(channel).is_archived = is_archived

    def _channel(self, channel: str, user: str) -> Channel:
        self._workspace.person(user)
        return self._workspace.channel(channel)

    def _action(self, message: Message, user: str, action_id: str, value: str | None) -> Wire:
        for block, element in elements_of(message.blocks):
            if element["action_id"] != action_id or not _may_use(element, user):
                continue
            picked = _picked(element, value)
            if picked is not None:
                action_ts = self._workspace.next_ts(self._clock.now())
                common = {
                    "action_id": action_id,
                    "block_id": block.get("block_id", ""),
                    "action_ts": action_ts,
                }
                return {"type": element["type"], **common, **picked}
        raise Refused("no_such_action")

    def _file(self, user: str, name: str, content: str) -> Wire:
        file_id = f"F{next(self._numbers):04d}"
        self._workspace.files[file_id] = content
        url = f"{self._base_url()}/files/{file_id}/{name}"
        return {
            "id": file_id,
            "name": name,
            "title": name,
            "user": user,
            "mode": "hosted",
            "mimetype": "text/plain",
            "size": len(content.encode()),
            "url_private": url,
            "url_private_download": url,
        }


def _may_use(element: Wire, user: str) -> bool:
    return "visible_to_user_ids" not in element or user in element["visible_to_user_ids"]


def _picked(element: Wire, value: str | None) -> Wire | None:
    """The part of an action that says what was pressed or chosen; None if `value` is not on offer."""
    if element["type"] == "button":
        if value is not None and element.get("value") != value:
            return None
        return {"text": element["text"], **({"value": element["value"]} if "value" in element else {})}
    for option in element.get("options", ()):
        if option["value"] == value:
            return {"selected_option": option}
    return None
