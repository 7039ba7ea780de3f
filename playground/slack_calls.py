"""What a Web API method is: from a call to an answer and events. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from playground.slack_args import Args
from playground.slack_events import Event
from playground.slack_state import BOT_USER, Channel, ChannelKind, Workspace
from playground.slack_wire import Wire


@dataclass(frozen=True, slots=True)
class Call:
    """One call by the app, after token, scope and rate were checked."""

    workspace: Workspace
    args: Args
    now: float
    scopes: frozenset[str]
    team_url: str
    open_socket: Callable[[], str]

    def channel(self) -> Channel:
        return self.workspace.channel_for(self.args.text("channel"), BOT_USER)


@dataclass(frozen=True, slots=True)
class Done:
    """What the caller gets beside `ok`, and what happened in the workspace."""

    answer: Wire
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Method:
    """`scope` may start with `*`: the kind of the channel decides (`channels:history`, `im:history`, ...)."""

    run: Callable[[Call], Done]
    scope: str | None = None
    is_app_level: bool = False

    def needed_scope(self, workspace: Workspace, args: Args) -> str | None:
        if self.scope is None or not self.scope.startswith("*"):
            return self.scope
        channel = workspace.channels.get(args.optional("channel") or "")
        return self.scope.replace("*", channel.kind if channel else ChannelKind.PUBLIC)
