"""What a person types, as Teams hands it on: HTML, and a flat text that lost code, lists and links. Pure."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from playground.teams_cards import MENTION
from playground.teams_state import Person
from playground.teams_wire import Wire

_FENCED: Final = re.compile(r"^```(\w*)\n(.*?)\n```$", re.DOTALL | re.MULTILINE)
_ITEM: Final = re.compile(r"(?:[-*]|(\d+)\.) +(.*)")
_BOLD: Final = re.compile(r"\*\*(.+?)\*\*")
_CODE: Final = re.compile(r"`([^`]+)`")
_LINK: Final = re.compile(r"\[([^\]]+)\]\((\S+?)\)")

_SPAN: Final = '<span itemtype="http://schema.skype.com/Mention" itemscope=""'


@dataclass(frozen=True, slots=True)
class Typed:
    """One message: `text` keeps only words and `<at>`; `entities` are its mentions."""

    text: str
    markup: str
    entities: tuple[Wire, ...]


def typed(source: str, named: Callable[[str], Person]) -> Typed:
    """Read what a person typed.

    Args:
        source: Paragraphs, `- ` and `1. ` lists, fenced code, `**bold**`, `` `code` ``, `[links](url)`, and
            mentions as `<at>Name</at>`.
        named: Who is meant by a name.
    """
    names = [found[1] for found in MENTION.finditer(source)]
    entities = tuple(_entity(named(name)) for name in dict.fromkeys(names))
    parts = list(_parts(source))
    numbers = iter(range(len(names)))

    def span(found: re.Match[str]) -> str:
        return f'{_SPAN} itemid="{next(numbers)}">{found[1]}</span>'

    markup = "".join(_markup(kind, text, lines) for kind, text, lines in parts)
    flat = "\n".join(_flat(kind, lines) for kind, _, lines in parts)
    # Teams writes the space after a mention as one that does not break.
    spanned = re.sub(r"&lt;at&gt;(.*?)&lt;/at&gt;", span, markup).replace("</span> ", "</span>&nbsp;")
    return Typed(flat, spanned, entities)


def _entity(person: Person) -> Wire:
    mentioned = {"id": person.id, "name": person.name}
    return {"type": "mention", "text": f"<at>{person.name}</at>", "mentioned": mentioned}


_Part = tuple[str, str, Sequence[str]]
"""Kind (`code`, `ul`, `ol` or `p`), what is known about it, and its lines."""


def _parts(source: str) -> Iterator[_Part]:
    at = 0
    for fenced in _FENCED.finditer(source):
        yield from _prose(source[at : fenced.start()])
        yield "code", fenced[1], fenced[2].split("\n")
        at = fenced.end()
    yield from _prose(source[at:])


def _prose(source: str) -> Iterator[_Part]:
    for block in re.split(r"\n\s*\n", source.strip("\n")):
        lines = block.split("\n") if block.strip() else []
        while lines:
            kind = _kind(lines[0])
            length = next((at for at, line in enumerate(lines) if _kind(line) != kind), len(lines))
            yield kind, "", [_content(line) for line in lines[:length]]
            lines = lines[length:]


def _kind(line: str) -> str:
    found = _ITEM.fullmatch(line)
    if found is None:
        return "p"
    return "ol" if found[1] else "ul"


def _content(line: str) -> str:
    found = _ITEM.fullmatch(line)
    return found[2] if found else line


def _markup(kind: str, language: str, lines: Sequence[str]) -> str:
    if kind == "code":
        code = "<br>".join(escape(line).replace("  ", "&nbsp; ") for line in lines)
        return f'<codeblock class="{language.capitalize()}"><code>{code}</code></codeblock>'
    rich = [_rich(line) for line in lines]
    if kind == "p":
        return f"<p>{'<br>'.join(rich)}</p>"
    return f"<{kind}>{''.join(f'<li>{line}</li>' for line in rich)}</{kind}>"


def _rich(line: str) -> str:
    text = escape(line)
    text = _CODE.sub(r"<code>\1</code>", text)
    text = _BOLD.sub(r"<strong>\1</strong>", text)
    return _LINK.sub(r'<a href="\2" title="\2">\1</a>', text)


def _flat(kind: str, lines: Sequence[str]) -> str:
    if kind == "code":
        return "\n".join(lines)
    return "\n".join(_LINK.sub(r"\1", _BOLD.sub(r"\1", _CODE.sub(r"\1", line))) for line in lines)
