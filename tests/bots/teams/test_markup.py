"""Text out: nothing that people or models write is a tag, a mention or an address to fetch."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.teams.markup import Code, fenced_parts, linked, literal, markdown, runs, safe_url
from core.mirror.prose import ZERO_WIDTH as Z

HOSTILE = (
    *(
        "<at>",
        "</at>",
        "<AT id=0>",
        "< at>",
        "<b>",
        "<!--",
        "<",
        ">",
        "&lt;at&gt;",
        "@channel ",
        "https://<at>",
    ),
    *("`", "```", "~~~", "**", "\\", "\n", "\n\n", " ", "x", "![x](https://x.test)", "[a](https://b.test)"),
)
texts = st.text(max_size=40) | st.lists(st.sampled_from(HOSTILE), max_size=25).map("".join)
MENTION = re.compile(r"<\s*/?\s*at\b", re.IGNORECASE)
TAG = re.compile(r"<[A-Za-z/!?]")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "Fixed **it**, see [there](https://x.test/a?b=<c>)",
            f"Fixed **it**, see [there](https://x.test/a?b=<{Z}c>)",
        ),
        ("1 < 2 and a <- b", "1 < 2 and a <- b"),
        ("<b>bold</b>", f"<{Z}b>bold<{Z}/b>"),
        ("<at>Ann</at>", f"<{Z}at>Ann<{Z}/at>"),
        ("`<b>` and `<at>x</at>`", f"`<b>` and `<{Z}at>x<{Z}/at>`"),
        ("```html\n<p>\n```", "```html\n<p>\n```"),
        ("@channel and @everyone", f"@{Z}channel and @{Z}everyone"),
        ("`@channel` ann@team.test", "`@channel` ann@team.test"),
        ("![chart](https://x.test/a.png)", "[chart](https://x.test/a.png)"),
        ("![](https://x.test/a.png)", "[image](https://x.test/a.png)"),
        ("![x]: y", "[x]: y"),
        ("a\x00b\x1bc\ud800d", "abcd"),
        ("one\ntwo `x`\n[y](https://y.test)\nz", "one  \ntwo `x`  \n[y](https://y.test)  \nz"),
        ("one  \ntwo\n\nthree", "one  \ntwo\n\nthree"),
        ("a:\n- b\n- c\n1. d\n> e\n# f\n| g |", "a:\n- b\n- c\n1. d\n> e\n# f\n| g |"),
        ("```\na\nb\n```\n\nc", "```\na\nb\n```\n\nc"),
    ],
)
def test_markdown_keeps_its_look_and_loses_its_teeth(text: str, shown: str) -> None:
    assert markdown(text) == shown


@given(texts)
def test_no_text_mentions_anybody(text: str) -> None:
    for shown in (markdown(text), literal(text), *(run["text"] for run in runs(text))):
        assert not MENTION.search(shown)


@given(texts)
def test_no_html_is_left_outside_of_code(text: str) -> None:
    prose = "".join(part for part in fenced_parts(markdown(text)) if isinstance(part, str))
    assert not TAG.search(re.sub(r"(?<!`)(`{1,8})(?!`)[^`\n]+\1(?!`)", "", prose))


@given(texts.filter(lambda text: "![" not in text))
def test_words_stay(text: str) -> None:
    assert re.findall(r"\w", markdown(text)) == re.findall(r"\w", text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Running `pytest` now", [("Running ", {}), ("pytest", {"fontType": "Monospace"}), (" now", {})]),
        ("a **b** c", [("a ", {}), ("b", {"weight": "Bolder"}), (" c", {})]),
        ("two\nlines", [("two lines", {})]),
        ("*x* _y_ <b>", [("*x* _y_ <b>", {})]),
        ("<at>x</at>", [(f"<{Z}at>x<{Z}/at>", {})]),
        ("`a` " * 11, [("`a` " * 10 + "`a`", {})]),
        ("", []),
    ],
)
def test_runs_are_literal(text: str, shown: list[tuple[str, dict[str, str]]]) -> None:
    assert runs(text) == [{"type": "TextRun", "text": words, **style} for words, style in shown]


def test_links_open_web_addresses_only() -> None:
    opened = {"selectAction": {"type": "Action.OpenUrl", "url": "https://x.test/"}}
    assert runs("[there](https://x.test/)") == [{"type": "TextRun", "text": "there", **opened}]
    assert linked("there", "javascript:alert(1)") == {"type": "TextRun", "text": "there"}


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://x.test/a b", "https://x.test/a%20b"),
        ("http://x.test/<at>", "http://x.test/%3Cat%3E"),
        ("javascript:alert(1)", None),
        ("https:///nowhere", None),
        ("http://[", None),
        ("", None),
        ("https://x.test/" + "a" * 1_000, None),
    ],
)
def test_addresses_are_of_the_web_and_of_sane_length(url: str, safe: str | None) -> None:
    assert safe_url(url) == safe


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("one\n\n```py\nx = 1\n```\ntwo", ["one", Code("x = 1", "py"), "two"]),
        ("```\na\n\nb", [Code("a\n\nb", "")]),
        ("~~~ sh x\nls\n~~~", [Code("ls", "sh")]),
        ("see `code` and [a](https://x.test)", ["see `code` and [a](https://x.test)"]),
        ("```\n```", []),
        ("", []),
    ],
)
def test_code_is_told_from_prose(text: str, parts: list[str | Code]) -> None:
    assert fenced_parts(text) == parts


@given(st.text("abc `<>\n", max_size=40).filter(lambda code: "```" not in code and code.strip()))
def test_fenced_code_keeps_every_letter(code: str) -> None:
    assert fenced_parts(f"a\n\n```js\n{code}\n```\n\nb")[1:2] == [Code(code, "js")]
