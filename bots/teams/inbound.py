"""What people wrote in Teams -> plain Markdown, and the files beside it. Pure."""

import re
from collections.abc import Callable, Iterator, Sequence
from html import unescape
from typing import Final

from bots.teams.address import PERSONAL, kind_of
from bots.teams.richtext import GONE, Picture, RichText, markdown_of, plain, tidy
from bots.teams.wire import (
    DOWNLOAD_INFO,
    HTML,
    Activity,
    Attachment,
    DownloadInfo,
    Entity,
    MessagePayload,
    parsed,
)
from core.events import Attachment as File

UNSEEN: Final = "Teams gives apps files in personal chats only"
NO_ADDRESS: Final = "Teams names no address for it"

_AT: Final = re.compile(r"<at(?: [^>]*)?>(.*?)</at>", re.DOTALL | re.IGNORECASE)
_SHARED: Final = "reference"
_MEDIA_TYPES: Final = {
    "csv": "text/csv",
    "gif": "image/gif",
    "html": "text/html",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "log": "text/plain",
    "md": "text/markdown",
    "pdf": "application/pdf",
    "png": "image/png",
    "txt": "text/plain",
    "webp": "image/webp",
    "zip": "application/zip",
}


def is_for_us(activity: Activity) -> bool:
    """Whether the message mentions us, or is shown to nobody else."""
    ours = activity.recipient.id
    return bool(activity.recipient.is_targeted) or any(
        one.mentioned is not None and one.mentioned.id == ours for one in activity.mentions
    )


def message_text(activity: Activity) -> str:
    """What the message says, as Markdown: our own mention taken out, those of others as `@Name`."""
    return _rich(activity).text


def files_of(activity: Activity) -> tuple[File, ...]:
    """The files on a message, each with the reason why it cannot be read, if there is one.

    The HTML of a message is no file. Outside of personal chats it is often all that tells of one.
    """
    is_personal = kind_of(activity) == PERSONAL
    named = [file for each in activity.attachments or () for file in _files_in(each, is_personal)]
    if is_personal:
        return tuple(named)
    traces = _rich(activity)
    addresses = {each.content_url for each in activity.attachments or ()}
    pictures = [picture for picture in traces.pictures if picture.src not in addresses]
    others = [each for each in activity.attachments or () if each.content_type != HTML]
    shared = max(0, traces.shared - len(others))
    return (*named, *map(_picture, pictures), *[_unseen("file", "application/octet-stream")] * shared)


def payload_text(payload: MessagePayload) -> str:
    """What the message says on which somebody chose a command of ours."""
    content = payload.body.content or ""
    if payload.body.content_type.lower() != "html":
        return plain(content).strip()
    return markdown_of(content, "@{}".format).text


def _rich(activity: Activity) -> RichText:
    name_of = _namer(activity.mentions, activity.recipient.id)
    html = next((each.content for each in activity.attachments or () if each.content_type == HTML), None)
    if isinstance(html, str) and html.strip():
        return markdown_of(html, name_of)
    text = _AT.sub(lambda found: name_of(unescape(found[1])), plain(activity.text or ""))
    return RichText(tidy(_decoded(text)).strip())


def _decoded(text: str) -> str:
    """Entities decoded piece by piece, so that nothing decoded can pose as a mention that was taken out."""
    return GONE.join(plain(unescape(piece)) for piece in text.split(GONE))


def _namer(mentions: Sequence[Entity], ours: str) -> Callable[[str], str]:
    """Says for each mention in turn how it is written.

    Names are not unique, and there may be an entity for each mention or only for each name: the third mention
    of a name belongs to its third entity, or to its last. An element without an entity is just a name.
    """
    seen: dict[str, int] = {}
    ids: dict[str, list[str]] = {}
    for one in mentions:
        if one.mentioned is not None:
            ids.setdefault(_name_in(one), []).append(one.mentioned.id)

    def name_of(text: str) -> str:
        name = " ".join(text.split())
        candidates = ids.get(name, [])
        at = seen.get(name, 0)
        seen[name] = at + 1
        if candidates and candidates[min(at, len(candidates) - 1)] == ours:
            return GONE
        return f"@{name}" if name else ""

    return name_of


def _name_in(mention: Entity) -> str:
    """The name as the text writes it, which may be shorter than the person's."""
    found = _AT.search(mention.text or "")
    name = found[1] if found else (mention.mentioned and mention.mentioned.name) or ""
    return " ".join(plain(unescape(name)).split())


def _files_in(attachment: Attachment, is_personal: bool) -> Iterator[File]:
    kind = attachment.content_type
    if kind == DOWNLOAD_INFO:
        info = parsed(DownloadInfo, attachment.content or {})
        name = attachment.name or "file"
        yield _file(name, _media_type(name, info.file_type), info.download_url or "", is_personal)
    elif kind.startswith("image/"):
        yield _file(attachment.name or "image", kind, attachment.content_url or "", is_personal)
    elif kind == _SHARED:
        yield _unseen(attachment.name or "file", _media_type(attachment.name or "", None))


def _file(name: str, media_type: str, url: str, is_personal: bool) -> File:
    if not is_personal:
        return _unseen(name, media_type)
    return File(name, media_type, url, None if url else NO_ADDRESS)


def _unseen(name: str, media_type: str) -> File:
    return File(name, media_type, "", UNSEEN)


def _picture(picture: Picture) -> File:
    return _unseen(plain(picture.alt).strip() or "image", "image/*")


def _media_type(name: str, file_type: str | None) -> str:
    ending = file_type or name.rpartition(".")[2]
    return _MEDIA_TYPES.get(ending.lower(), "application/octet-stream")
