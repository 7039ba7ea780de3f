"""The parts of Slack's envelopes that we read, as pydantic models. Everything else in them is ignored."""

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

Wire = dict[str, Any]
"""One JSON object as it crosses the wire."""


Model = TypeVar("Model", bound=BaseModel)


class MalformedEvent(ValueError):
    """A signed body that does not have Slack's shape; sending it again cannot help."""


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Authorization(_Wire):
    team_id: str | None = None
    user_id: str | None = None
    is_bot: bool = False


class Envelope(_Wire):
    """What the Events API puts around an event."""

    team_id: str | None = None
    api_app_id: str | None = None
    authorizations: tuple[Authorization, ...] = ()
    event: dict[str, Any]

    @property
    def team(self) -> str:
        """The workspace of our install; the top-level one is the author's in a shared channel."""
        installs = [authorization.team_id for authorization in self.authorizations]
        team = next(filter(None, installs), None) or self.team_id
        if not team:
            raise MalformedEvent("the envelope names no team")
        return team

    @property
    def bot_user(self) -> str | None:
        return next((each.user_id for each in self.authorizations if each.is_bot), None)


class File(_Wire):
    name: str | None = None
    title: str | None = None
    mimetype: str | None = None
    mode: str | None = None
    file_access: str | None = None
    url_private: str | None = None
    url_private_download: str | None = None


class Quoted(_Wire):
    """An entry of `attachments`; a forwarded message is one of them."""

    is_share: bool = False
    is_msg_unfurl: bool = False
    author_name: str | None = None
    text: str | None = None
    fallback: str | None = None


class Edit(_Wire):
    user: str | None = None
    ts: str


class BotProfile(_Wire):
    name: str | None = None


class Metadata(_Wire):
    event_type: str | None = None
    event_payload: dict[str, Any] = {}


class Message(_Wire):
    """A message, in an event of its own, inside of an edit or in a thread's history."""

    ts: str
    user: str | None = None
    bot_id: str | None = None
    app_id: str | None = None
    user_team: str | None = None
    username: str | None = None
    bot_profile: BotProfile | None = None
    subtype: str | None = None
    text: str | None = None
    thread_ts: str | None = None
    edited: Edit | None = None
    files: tuple[File, ...] | None = None
    attachments: tuple[Quoted, ...] | None = None
    metadata: Metadata | None = None


class MessageEvent(Message):
    """A `message` or `app_mention` event."""

    type: str
    channel: str
    channel_type: str | None = None


class ChangeEvent(_Wire):
    """A `message` event of the subtypes `message_changed` and `message_deleted`."""

    channel: str
    message: Message | None = None
    previous_message: Message | None = None


class ReactedItem(_Wire):
    type: str
    channel: str
    ts: str


class ReactionEvent(_Wire):
    user: str
    reaction: str
    item_user: str | None = None
    item: ReactedItem
    event_ts: str


class StopEvent(_Wire):
    """An `agent_session_stopped` event."""

    channel: str
    user: str
    thread_ts: str
    event_ts: str


class Identified(_Wire):
    id: str


class Clicker(_Wire):
    id: str
    name: str | None = None
    username: str | None = None
    team_id: str | None = None


class Container(_Wire):
    message_ts: str
    channel_id: str
    thread_ts: str | None = None


class Selected(_Wire):
    value: str


class Click(_Wire):
    """One entry of `actions`."""

    action_id: str
    block_id: str
    action_ts: str
    value: str | None = None
    selected_option: Selected | None = None


class BlockActions(_Wire):
    """An interaction with a message's buttons or menus."""

    team: Identified
    user: Clicker
    container: Container
    message: Message | None = None
    actions: tuple[Click, ...]
    trigger_id: str = ""


class Field(_Wire):
    """What stands in one field of a form."""

    value: str | None = None


class FormState(_Wire):
    """Fields by the block they stand in and their action id."""

    values: dict[str, dict[str, Field]] = {}


class View(_Wire):
    """A form as it was sent; `private_metadata` is what we gave it."""

    id: str
    callback_id: str
    private_metadata: str = ""
    state: FormState = FormState()


class Submission(_Wire):
    """Somebody sent a form: `view_submission`."""

    team: Identified
    user: Clicker
    view: View


class Shortcut(_Wire):
    """An interaction with a message's menu: `message_action`."""

    team: Identified
    user: Clicker
    channel: Identified
    callback_id: str
    message: Message
    trigger_id: str = ""


def parsed(model: type[Model], body: object) -> Model:
    """`body` as `model`; raises `MalformedEvent` without quoting what was sent."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        at = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors(include_input=False))
        raise MalformedEvent(f"{model.__name__} does not fit at: {at}") from None
