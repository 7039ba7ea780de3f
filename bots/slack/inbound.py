"""What people wrote in Slack -> plain Markdown. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from bots.slack.wire import File, Message, Quoted
from core.events import Attachment

_TOKEN: Final = re.compile(r"<([^<>\n]+)>")
_UNSEEN: Final = {
    "tombstone": "it was deleted",
    "hidden_by_limit": "it is beyond the workspace's limit",
    "external": "it is stored outside of Slack",
}


def mentions(text: str, user: str | None) -> bool:
    """Whether `text`, as Slack sends it, mentions `user`."""
    return user is not None and any(_mentioned(token) == user for token in _TOKEN.findall(text))


def mentioned(text: str) -> Iterator[str]:
    """Ids of everybody whom `text`, as Slack sends it, mentions."""
    yield from filter(None, map(_mentioned, _TOKEN.findall(text)))


def markdown_of(text: str, *, without: str | None = None, names: Mapping[str, str] | None = None) -> str:
    """Slack's own notation -> Markdown.

    Args:
        text: As Slack sends it: `& < >` escaped, and `<...>` around links and mentions.
        without: User whose mentions are left out: the bot, which is spoken to and not about.
        names: Names of mentioned users; others stay `@U0123`.
    """
    parts = _TOKEN.split(text)
    parts[1::2] = [
        "" if _mentioned(token) == (without or "") else _said(token, names or {}) for token in parts[1::2]
    ]
    parts[::2] = [_unescaped(part) for part in parts[::2]]
    return "".join(parts).strip()


def message_text(
    message: Message, *, without: str | None = None, names: Mapping[str, str] | None = None
) -> str:
    """Everything a message says: its text, then forwarded messages as quotes."""
    said = markdown_of(message.text or "", without=without, names=names)
    quotes = [
        _quoted(quote, names) for quote in message.attachments or () if quote.is_share or quote.is_msg_unfurl
    ]
    return "\n\n".join(filter(None, [said, *quotes]))


def attachments_of(files: Iterable[File]) -> tuple[Attachment, ...]:
    """The files on a message, each with the reason why it is not read."""
    return tuple(
        Attachment(
            name=file.name or file.title or "file",
            media_type=file.mimetype or "application/octet-stream",
            url=_address(file),
            unseen=_why_unseen(file),
        )
        for file in files
    )


def _mentioned(token: str) -> str | None:
    return token[1:].partition("|")[0] if token.startswith(("@U", "@W")) else None


def _said(token: str, names: Mapping[str, str]) -> str:
    target, _, label = token.partition("|")
    target, label = _unescaped(target), _unescaped(label)
    match target[:1]:
        case "@":
            return "@" + (names.get(target[1:]) or target[1:])
        case "#":
            return "#" + (label or target[1:])
        case "!":
            return _special(target[1:], label)
        case _:
            return _link(target, label)


def _special(command: str, label: str) -> str:
    """`<!here>`, `<!subteam^S1|@team>`, `<!date^...|yesterday>`: as words, which notify nobody."""
    return label or "@" + command.partition("^")[0]


def _link(url: str, label: str) -> str:
    bare = url.removeprefix("mailto:").removeprefix("https://").removeprefix("http://")
    if not label:
        return bare if url.startswith("mailto:") else url
    # Slack links "acme.test" by itself; then the person wrote only the label, maybe as code.
    if not url or label in (bare, url):
        return label
    return f"[{label.replace('[', '(').replace(']', ')')}]({url})"


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _quoted(quote: Quoted, names: Mapping[str, str] | None) -> str:
    text = markdown_of(quote.text or quote.fallback or "", names=names)
    said = f"{quote.author_name}: {text}" if quote.author_name else text
    return "\n".join(f"> {line}".rstrip() for line in said.splitlines())


def _address(file: File) -> str:
    return file.url_private_download or file.url_private or ""


def _why_unseen(file: File) -> str:
    if file.mode in _UNSEEN:
        return _UNSEEN[file.mode]
    if file.file_access in ("check_file_info", "access_denied", "file_not_found"):
        return "it belongs to another organization"
    return "the app lacks files:read" if _address(file) else "Slack names no address for it"
