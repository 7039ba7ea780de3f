"""The parts of Teams' activities that we read, as pydantic models. Everything else in them is ignored."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

Wire = Mapping[str, Any]
"""One JSON object as it crosses the wire."""

Model = TypeVar("Model", bound=BaseModel)

HTML: Final = "text/html"
DOWNLOAD_INFO: Final = "application/vnd.microsoft.teams.file.download.info"
ADAPTIVE: Final = "application/vnd.microsoft.card.adaptive"


class MalformedActivity(ValueError):
    """A verified body that does not have Teams' shape; sending it again cannot help."""


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_camel)


class Account(_Wire):
    """A person, bot or channel. Ids of people are `29:...` and differ from bot to bot; of bots, `28:...`.

    `aad_object_id` is a person's in their directory, the same for every bot.
    """

    id: str
    name: str | None = None
    tenant_id: str | None = None
    aad_object_id: str | None = None
    is_targeted: bool | None = None

    @property
    def is_bot(self) -> bool:
        return self.id.startswith("28:")


class Conversation(_Wire):
    """`id` may end in `;messageid=` and the root of a thread."""

    id: str
    conversation_type: str | None = None
    tenant_id: str | None = None


class Identified(_Wire):
    id: str


class ChannelData(_Wire):
    event_type: str | None = None
    tenant: Identified | None = None


class Entity(_Wire):
    """A mention, among others; `text` is how the activity's text writes it."""

    type: str
    text: str | None = None
    mentioned: Account | None = None


class Reaction(_Wire):
    type: str


class Attachment(_Wire):
    content_type: str
    content: Any = None
    content_url: str | None = None
    name: str | None = None


class Activity(_Wire):
    """What every activity has, and what messages, reactions, installs and invokes have beside it."""

    type: str
    id: str | None = None
    timestamp: str = ""
    service_url: str | None = None
    author: Account = Field(alias="from")
    recipient: Account
    conversation: Conversation
    channel_data: ChannelData | None = None
    reply_to_id: str | None = None
    text: str | None = None
    attachments: tuple[Attachment, ...] | None = None
    entities: tuple[Entity, ...] | None = None
    reactions_added: tuple[Reaction, ...] | None = None
    action: str | None = None
    name: str | None = None
    value: Any = None

    @property
    def tenant(self) -> str:
        """Whose conversation it is."""
        named = self.channel_data.tenant.id if self.channel_data and self.channel_data.tenant else None
        tenant = named or self.conversation.tenant_id
        if not tenant:
            raise MalformedActivity("the activity names no tenant")
        return tenant

    @property
    def own_id(self) -> str:
        if not self.id:
            raise MalformedActivity("the activity has no id")
        return self.id

    @property
    def mentions(self) -> tuple[Entity, ...]:
        return tuple(each for each in self.entities or () if each.type == "mention" and each.mentioned)


class DownloadInfo(_Wire):
    """`content` of a shared file; the address is signed, short-lived and needs no token."""

    download_url: str | None = None
    file_type: str | None = None


class Sender(_Wire):
    display_name: str | None = None


class PayloadAuthor(_Wire):
    user: Sender | None = None
    application: Sender | None = None


class Body(_Wire):
    content_type: str = "html"
    content: str | None = None


class MessagePayload(_Wire):
    """The message on which somebody chose a command of ours, in the shape of Graph."""

    id: str
    reply_to_id: str | None = None
    author: PayloadAuthor | None = Field(default=None, alias="from")
    body: Body = Body()

    @property
    def author_name(self) -> str:
        sender = self.author and (self.author.user or self.author.application)
        return (sender and sender.display_name) or ""


class CardAction(_Wire):
    """`value.action` of an Action.Execute."""

    data: Any = None


class CardPress(_Wire):
    """`value` of `adaptiveCard/action`; `trigger` is "automatic" when a card refreshes by itself."""

    action: CardAction
    trigger: str = "manual"


class TaskPress(_Wire):
    """`value` of `task/fetch`, `task/submit` and `composeExtension/*`."""

    data: Any = None
    command_id: str | None = None
    message_payload: MessagePayload | None = None


def parsed(model: type[Model], body: object) -> Model:
    """`body` as `model`; raises `MalformedActivity` without quoting what was sent."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        at = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors(include_input=False))
        raise MalformedActivity(f"{model.__name__} does not fit at: {at}") from None
