"""Text that Teams shows as it is meant: no tags, no mentions, nothing that is fetched. Pure."""

import re
from dataclasses import dataclass
from typing import Any, Final

from core.mirror.prose import ZERO_WIDTH, around_kept, web_address

Run = dict[str, Any]
"""A TextRun of a card: literal text, in which Teams looks for no Markdown."""

URL_CHARS: Final = 1_000
RUNS: Final = 20
"""More than these in one line are shown as one: each costs far more than it says."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_MENTION: Final = re.compile(r"<(?=\s*/?\s*at\b)", re.IGNORECASE)
_TAG: Final = re.compile(r"<(?=[A-Za-z/!?]|\Z)")
_BROADCAST: Final = re.compile(r"(?<!\w)@(?=(?:channel|team|here|everyone|group)\b)", re.IGNORECASE)
_IMAGE: Final = re.compile(r"!\[(\]?)")
_LINE_END: Final = re.compile(r"(?:(?<=\S)|\A)[ \t]*\n(?![ \t]*(?:\n|[-*+>#|]|\d{1,9}[.)]|`{3}|~{3}))")
"""Within a paragraph; where a list or another block begins, a line ends by itself."""

_BOLD: Final = re.compile(r"\*\*(?=\S)([^*\n]{1,500}?)(?<=\S)\*\*")


def markdown(text: str) -> str:
    """Markdown from people or a model: no HTML in prose, no notification, no image that is fetched.

    Code keeps what looks like HTML, which Teams shows there as it is. Only its mark for mentions is broken
    everywhere: it counts before Markdown does. Lines end where they end in the text, as they do in Slack and
    Linear; by themselves Teams' paragraphs would flow.
    """
    return _without_mentions(around_kept(cleaned(text), _prose, _kept))


def literal(text: str) -> str:
    """Text of a place where Teams knows no markup: on one line, and without mentions."""
    return silence(_without_mentions(" ".join(cleaned(text).split())))


def cleaned(text: str) -> str:
    """`text` without what nobody can see, and JSON would blow up."""
    return _CONTROL.sub("", text)


def silence(text: str) -> str:
    """`@channel` and its kin without their effect."""
    return _BROADCAST.sub(f"@{ZERO_WIDTH}", text)


def safe_url(url: str) -> str | None:
    """`url` as a button or link can open it, or None if it is no web address or absurdly long."""
    address = web_address(cleaned(url))
    return address if address and len(address) <= URL_CHARS else None


def runs(text: str, **style: object) -> list[Run]:
    """One short piece of Markdown as literal runs: code, bold and links carry over, all else is plain."""
    text = " ".join(cleaned(text).split())
    written: list[Run] = []

    def prose(piece: str) -> str:
        for at, part in enumerate(_BOLD.split(piece)):
            bold = {"weight": "Bolder"} if at % 2 else {}
            written.append(run(part, **{**style, **bold}))
        return ""

    def kept(found: re.Match[str]) -> str:
        if found["link"] is not None:
            written.append(linked(found["label"] or "link", found["url"], **style))
        elif found["code"] is not None:
            written.append(run(found["code"].strip("`"), **style, fontType="Monospace"))
        else:
            written.append(run(found[0], **style))
        return ""

    around_kept(text, prose, kept)
    shown = [each for each in written if each["text"]]
    return shown if len(shown) <= RUNS else [run(text, **style)]


def run(text: str, **style: object) -> Run:
    return {"type": "TextRun", "text": silence(_without_mentions(text)), **style}


def linked(label: str, url: str, **style: object) -> Run:
    """A run that opens `url`; only its label if that is not one that people can open."""
    address = safe_url(url)
    opened = {"selectAction": {"type": "Action.OpenUrl", "url": address}} if address else {}
    return {**run(label, **style), **opened}


@dataclass(frozen=True, slots=True)
class Code:
    """The lines between two fences."""

    text: str
    language: str


def fenced_parts(text: str) -> list[str | Code]:
    """Markdown in pieces: prose, and code that stands between fences."""
    parts: list[str | Code] = []
    pieces: list[str] = []

    def prose(piece: str) -> str:
        pieces.append(piece)
        return ""

    def end_prose() -> None:
        parts.append("".join(pieces).strip("\n"))
        pieces.clear()

    def kept(found: re.Match[str]) -> str:
        if found["fenced"] is None:
            return prose(found[0])
        end_prose()
        parts.append(_code_in(found["fenced"], found["fence"]))
        return ""

    around_kept(text, prose, kept)
    end_prose()
    return [part for part in parts if (part.text if isinstance(part, Code) else part).strip()]


def _code_in(fenced: str, mark: str) -> Code:
    opening, *lines = fenced.split("\n")
    if lines and lines[-1].strip().startswith(mark):
        lines.pop()
    return Code("\n".join(lines), opening.strip().strip("`~").strip().partition(" ")[0])


def _prose(text: str) -> str:
    return _LINE_END.sub("  \n", _quiet_prose(text))


def _quiet_prose(text: str) -> str:
    plain = silence(_IMAGE.sub(lambda found: "[image]" if found[1] else "[", text))
    return _TAG.sub(f"<{ZERO_WIDTH}", plain)


def _kept(found: re.Match[str]) -> str:
    if found["link"] is not None:
        return f"[{_quiet_prose(found['label']) or 'image'}]({found['url']})"
    return found[0]


def _without_mentions(text: str) -> str:
    return _MENTION.sub(f"<{ZERO_WIDTH}", text)
