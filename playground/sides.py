"""The chat platforms as a story sees them: who says what in a thread, and what is to be read there."""

import json
from collections.abc import Sequence
from typing import Any, Protocol

from playground import slack_state, teams_state
from playground.stage import Stage

Message = dict[str, Any]


class Side(Protocol):
    """One place where people talk; they are called by their names, a thread by its first message."""

    name: str

    def say(self, person: str, text: str, root: str | None = None) -> str:
        """The id of the new message."""
        ...

    def mention(self, person: str, text: str, root: str | None = None) -> str:
        """Say it to the bot."""
        ...

    def thread(self, root: str) -> Sequence[Message]:
        """What people read there now."""
        ...

    def join(self, person: str) -> None:
        """Somebody new comes into the channel."""
        ...

    def private(self, person: str) -> Sequence[str]:
        """What only this person sees, with the addresses in it."""
        ...

    def calls(self) -> int:
        """Calls of the bot so far."""
        ...


class SlackSide:
    """#eng of the Slack stand-in."""

    name = "Slack"
    channel = "C0001"

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def say(self, person: str, text: str, root: str | None = None) -> str:
        return self._stage.slack.people.say(f"U0{person.upper()}", self.channel, text, root)

    def mention(self, person: str, text: str, root: str | None = None) -> str:
        return self.say(person, f"<@U0BOT> {text}", root)

    def thread(self, root: str) -> Sequence[Message]:
        return self._stage.chat(self.channel, root)

    def join(self, person: str) -> None:
        user, workspace = f"U0{person.upper()}", self._stage.slack.workspace
        workspace.people[user] = slack_state.Person(user, person, f"{person.lower()}@acme.test")
        workspace.channels[self.channel].members.add(user)

    def private(self, person: str) -> Sequence[str]:
        messages = self._stage.slack.workspace.channels[self.channel].messages.values()
        return [
            f"{one.text} {json.dumps(one.blocks)}"
            for one in messages
            if one.only_for == f"U0{person.upper()}"
        ]

    def calls(self) -> int:
        return sum(self._stage.slack.api.calls.values())


class TeamsSide:
    """The channel eng of the Teams stand-in."""

    name = "Teams"
    channel = "19:eng@thread.tacv2"

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def say(self, person: str, text: str, root: str | None = None) -> str:
        return self._stage.teams.people.say(f"29:{person.lower()}", self.channel, text, root)

    def mention(self, person: str, text: str, root: str | None = None) -> str:
        return self._stage.teams.people.mention(f"29:{person.lower()}", self.channel, text, root)

    def thread(self, root: str) -> Sequence[Message]:
        return self._stage.teams.transcript(self.channel, root)

    def join(self, person: str) -> None:
        user, email = f"29:{person.lower()}", f"{person.lower()}@acme.test"
        self._stage.teams.workspace.people[user] = teams_state.Person(user, person, email, email)
        self._stage.teams.workspace.conversations[self.channel].members.add(user)

    def private(self, person: str) -> Sequence[str]:
        messages = self._stage.teams.workspace.conversations[self.channel].messages.values()
        return [
            f"{one.text} {json.dumps(one.cards)}"
            for one in messages
            if one.only_for == f"29:{person.lower()}"
        ]

    def calls(self) -> int:
        return sum(self._stage.teams.api.calls.values())
