"""The HTML in which Teams hands on what people wrote -> Markdown. Pure.

An activity's flat `text` has lost code blocks, lists and links; only this form has them. Unknown elements
keep their text, and nothing of the HTML itself gets through.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final
from urllib.parse import quote, urlsplit

MAX_CHARS: Final = 100_000
MAX_DEPTH: Final = 32

_VOID: Final = frozenset({"br", "hr", "img", "input", "meta", "link", "wbr"})
_UNSEEN: Final = frozenset(
    {"script", "style", "head", "title", "template", "attachment", "systemeventmessage"}
)
_HEADINGS: Final = {"h1": "#", "h2": "##", "h3": "###", "h4": "####", "h5": "#####", "h6": "######"}
_TABLES: Final = ("table", "tbody", "thead", "tr")
_BLOCKS: Final = frozenset(
    {"p", "div", "ul", "ol", "li", "blockquote", "pre", "codeblock", "hr", *_HEADINGS, *_TABLES}
)
_SELF_CLOSING: Final = frozenset({"p", "li", "tr", "td", "th"})
_MARKS: Final = {"b": "**", "strong": "**", "i": "_", "em": "_", "s": "~~", "strike": "~~", "del": "~~"}
_NO_TAG: Final = re.compile(r"""<(?!/?[A-Za-z](?:[^<>"']|"[^"<]*"|'[^'<]*')*+>)""")
_LANGUAGE: Final = re.compile(r"(?:language-|lang-)?([A-Za-z0-9+#.-]{1,20})")
_NO_LANGUAGE: Final = frozenset({"plaintext", "plain", "text", "none"})
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

GONE: Final = "\x00"
"""What a mention leaves behind that is not to be read: also the space around it goes."""

NameOf = Callable[[str], str]
"""How to write the mention with this text; called once for each, in order of appearance."""


@dataclass(frozen=True, slots=True)
class Picture:
    alt: str
    src: str


@dataclass(frozen=True, slots=True)
class RichText:
    """`shared` counts the places where the message shows a file."""

    text: str
    pictures: tuple[Picture, ...] = ()
    shared: int = 0


@dataclass(slots=True)
class _Node:
    tag: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    children: "list[_Node | str]" = field(default_factory=list)


def markdown_of(html: str, name_of: NameOf) -> RichText:
    """Read one message; it may be anything, and is cut at `MAX_CHARS`."""
    reader = _Reader()
    reader.feed(_well_formed(html[:MAX_CHARS]))
    reader.close()
    writer = _Writer(name_of)
    text = "\n\n".join(writer.blocks(reader.root.children)).strip()
    pictures = [node for node in _all(reader.root) if node.tag == "img" and not _is_emoji(node)]
    return RichText(
        text=text,
        pictures=tuple(Picture(_attribute(node, "alt"), _attribute(node, "src")) for node in pictures),
        shared=sum(node.tag == "attachment" for node in _all(reader.root)),
    )


def _well_formed(html: str) -> str:
    """`html` without comments, and with every `<` escaped that begins no tag.

    The parser would look for the end of each of them, to the end of the text: minutes for a hostile message.
    """
    first, *others = html.split("<!--")
    return _NO_TAG.sub("&lt;", first + "".join(each.partition("-->")[2] for each in others))


def tidy(line: str) -> str:
    """`line` without `GONE`, and without the spaces that stood around it."""
    return re.sub(rf" ?{GONE}(?: ?{GONE})* ?", " ", line)


def plain(text: str) -> str:
    """`text` without control characters, and with ordinary spaces."""
    return _CONTROL.sub("", text).replace("\xa0", " ").replace("\r\n", "\n").replace("\r", "\n")


class _Reader(HTMLParser):
    """Builds the tree; what is nested absurdly deep ends up flat."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = _Node("")
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SELF_CLOSING and self._open[-1].tag == tag:
            self._open.pop()
        node = _Node(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(node)
        if tag not in _VOID and len(self._open) < MAX_DEPTH:
            self._open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        for at in range(len(self._open) - 1, 0, -1):
            if self._open[at].tag == tag:
                del self._open[at:]
                return

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(plain(data))


class _Writer:
    """Writes nodes as Markdown: `blocks` are paragraphs and their like, `inline` is what stands in a line."""

    def __init__(self, name_of: NameOf) -> None:
        self._name_of = name_of

    def blocks(self, children: "Iterable[_Node | str]") -> list[str]:
        written: list[str] = []
        line = ""
        for child in children:
            if isinstance(child, str) or not _has_blocks(child):
                line += self._inline(child)
            else:
                written += [*_paragraph(line), *self._block(child)]
                line = ""
        return [*written, *_paragraph(line)]

    def _block(self, node: _Node) -> list[str]:
        match node.tag:
            case "pre" | "codeblock":
                return [_fenced(node)]
            case "ul" | "ol":
                return _unless_blank("\n".join(self._items(node)))
            case "blockquote":
                quoted = "\n\n".join(self.blocks(node.children))
                return _unless_blank("\n".join(f"> {line}".rstrip() for line in quoted.splitlines()))
            case "hr":
                return ["---"]
            case "table":
                return _unless_blank("\n".join(self._rows(node)))
            case tag if tag in _HEADINGS:
                return [f"{_HEADINGS[tag]} {line}" for line in _unless_blank(self._line(node.children))]
            case _:
                return self.blocks(node.children)

    def _items(self, node: _Node) -> Iterator[str]:
        number = 1
        for child in node.children:
            if isinstance(child, str) and not child.strip():
                continue
            inner = child.children if isinstance(child, _Node) and child.tag == "li" else [child]
            mark = f"{number}. " if node.tag == "ol" else "- "
            number += 1
            text = "\n".join(self.blocks(inner))
            yield mark + text.replace("\n", "\n" + " " * len(mark))

    def _rows(self, node: _Node) -> Iterator[str]:
        rows = [
            [
                self._line(cell.children).replace("|", "\\|")
                for cell in _nodes(row)
                if cell.tag in ("td", "th")
            ]
            for row in _all(node)
            if row.tag == "tr"
        ]
        for at, cells in enumerate(rows):
            yield f"| {' | '.join(cells)} |"
            if at == 0:
                yield f"|{' --- |' * len(cells)}"

    def _line(self, children: "Iterable[_Node | str]") -> str:
        return " ".join("\n".join(self.blocks(children)).split())

    def _inline(self, node: "_Node | str") -> str:
        if isinstance(node, str):
            return re.sub(r"[ \t\n]+", " ", node)
        match node.tag:
            case "br":
                return "\n"
            case "code":
                return _code(node)
            case "a":
                return _link(_attribute(node, "href"), self._all_inline(node))
            case "img" | "emoji":
                return plain(_attribute(node, "alt")) if node.tag == "emoji" or _is_emoji(node) else ""
            case "at":
                return self._name_of(_raw(node).strip())
            case "span" if _attribute(node, "itemtype").endswith("/Mention"):
                return self._name_of(_raw(node).strip())
            case tag if tag in _UNSEEN:
                return ""
            case tag:
                return _marked(_MARKS.get(tag, ""), self._all_inline(node))

    def _all_inline(self, node: _Node) -> str:
        return "".join(map(self._inline, node.children))


def _paragraph(line: str) -> list[str]:
    text = "\n".join(each.strip() for each in tidy(line).split("\n")).strip("\n")
    return _unless_blank(text)


def _unless_blank(text: str) -> list[str]:
    return [text] if text.strip() else []


def _has_blocks(node: _Node) -> bool:
    return node.tag in _BLOCKS or any(_has_blocks(each) for each in _nodes(node))


def _nodes(node: _Node) -> Iterator[_Node]:
    return (child for child in node.children if isinstance(child, _Node))


def _all(node: _Node) -> Iterator[_Node]:
    for child in _nodes(node):
        yield child
        yield from _all(child)


def _attribute(node: _Node, name: str) -> str:
    return node.attributes.get(name, "")


def _is_emoji(node: _Node) -> bool:
    return "emoji" in (_attribute(node, "itemtype") + _attribute(node, "class")).lower()


def _raw(node: "_Node | str") -> str:
    """The text of code or a name: every space counts, and elements are only line ends."""
    if isinstance(node, str):
        return node
    if node.tag == "br":
        return "\n"
    if node.tag in _UNSEEN:
        return ""
    text = "".join(map(_raw, node.children))
    return f"{text}\n" if node.tag in ("p", "div", "li", "tr") else text


def _fenced(node: _Node) -> str:
    code = _raw(node).strip("\n")
    mark = "`" * max(3, _longest_run(code) + 1)
    return f"{mark}{_language(node)}\n{code}\n{mark}"


def _language(node: _Node) -> str:
    named = [_attribute(each, "class").split() for each in (node, *_all(node))]
    found = next((_LANGUAGE.fullmatch(words[0]) for words in named if words), None)
    language = found[1].lower() if found else ""
    return "" if language in _NO_LANGUAGE else language


def _code(node: _Node) -> str:
    code = " ".join(_raw(node).split("\n"))
    if not code.strip():
        return code
    mark = "`" * (_longest_run(code) + 1)
    room = " " if code[0] == "`" or code[-1] == "`" else ""
    return f"{mark}{room}{code}{room}{mark}"


def _longest_run(code: str) -> int:
    return max(map(len, re.findall("`+", code)), default=0)


def _marked(mark: str, text: str) -> str:
    inner = text.strip()
    if not mark or not inner or GONE in inner:
        return text
    before = text[: len(text) - len(text.lstrip())]
    return f"{before}{mark}{inner}{mark}{text[len(text.rstrip()) :]}"


def _link(url: str, label: str) -> str:
    """A link to the web or to a mail address; of any other only the label is left."""
    label = " ".join(label.split())
    address = quote(url.strip(), safe="%/:=&?~#+!$,;'@*[]-._")
    try:
        scheme = urlsplit(address).scheme
    except ValueError:
        return label
    if scheme not in ("http", "https", "mailto"):
        return label
    bare = address.removeprefix("mailto:").removeprefix("https://").removeprefix("http://").rstrip("/")
    if not label or label.rstrip("/") in (address.rstrip("/"), url.strip().rstrip("/")):
        return bare if scheme == "mailto" else address
    if label.rstrip("/") == bare:
        return label
    return f"[{label.replace('[', '(').replace(']', ')')}]({address})"
