"""What people write in Teams, as the Markdown that everybody else reads."""

from html import escape
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bots.teams.inbound import NO_ADDRESS, UNSEEN, files_of, is_for_us, message_text
from bots.teams.richtext import GONE, MAX_CHARS, markdown_of
from bots.teams.wire import Activity, parsed
from core.events import Attachment
from playground.teams_html import typed
from playground.teams_seed import acme
from playground.teams_state import BOT
from tests.bots.teams.activities import MENTION, html, mention, message, personal

BOB = {"type": "mention", "text": "<at>Bob</at>", "mentioned": {"id": "29:bob", "name": "Bob"}}
NAMESAKE = {"type": "mention", "text": "<at>linear</at>", "mentioned": {"id": "29:lin", "name": "linear"}}
SHARED = {
    "contentType": "application/vnd.microsoft.teams.file.download.info",
    "name": "report.csv",
    "content": {"downloadUrl": "https://files.test/1?sig=x", "fileType": "csv"},
}
PASTED = {"contentType": "image/png", "contentUrl": "https://smba.test/v3/attachments/1/views/original"}


def span(name: str) -> str:
    return f'<span itemtype="http://schema.skype.com/Mention" itemscope="" itemid="0">{name}</span>'


def text_of(body: dict[str, Any]) -> str:
    return message_text(parsed(Activity, body))


def rich(markup: str, *entities: dict[str, Any]) -> str:
    return text_of(message("flat", attachments=html(markup), entities=list(entities)))


# Mentions


def test_our_name_stays_where_it_is_only_a_word() -> None:
    said = "<at>linear</at> fix the linear webhook so linear retries"
    assert text_of(mention("fix the linear webhook so linear retries")) == said.partition("> ")[2]


@pytest.mark.parametrize(
    ("text", "entities", "read"),
    [
        ("<at>linear</at>&nbsp;fix it", [MENTION], "fix it"),
        ("please <at>linear</at> fix it", [MENTION], "please fix it"),
        ("<at>linear</at>", [MENTION], ""),
        ("<at>linear</at> ask <at>Bob</at>", [MENTION, BOB], "ask @Bob"),
        ('<at id="0">linear</at> fix', [MENTION], "fix"),
        ("<at>linear</at> <at>linear</at> fix", [MENTION, MENTION], "fix"),
        ("<at>linear</at> <at>linear</at> fix", [MENTION], "fix"),
        ("<at>linear</at> and <at>linear</at>", [NAMESAKE, MENTION], "@linear and"),
        ("<at>linear</at> and <at>linear</at>", [MENTION, NAMESAKE], "and @linear"),
        ("<at>Nobody</at> said so", [], "@Nobody said so"),
        ("a &lt;b&gt; &amp;amp;", [], "a <b> &amp;"),
    ],
)
def test_mentions_are_told_apart_by_who_is_meant(
    text: str, entities: list[dict[str, Any]], read: str
) -> None:
    assert text_of(message(text, entities=entities)) == read


def test_mentions_in_rich_text_are_told_apart_in_the_same_way() -> None:
    markup = f"<p>{span('linear')}&nbsp;ask {span('linear')} or {span('Bob')}</p>"
    assert rich(markup, MENTION, NAMESAKE, BOB) == "ask @linear or @Bob"


def test_a_person_may_be_mentioned_by_first_and_last_name() -> None:
    ann = [
        {"type": "mention", "text": f"<at>{part}</at>", "mentioned": {"id": "29:ann", "name": "Ann Lee"}}
        for part in ("Ann", "Lee")
    ]
    assert rich(f"<p>{span('Ann')} {span('Lee')}: ok</p>", *ann) == "@Ann @Lee: ok"


def test_mentioning_somebody_with_our_name_is_not_for_us() -> None:
    assert not is_for_us(parsed(Activity, message("<at>linear</at> hi", entities=[NAMESAKE])))
    assert is_for_us(parsed(Activity, mention()))


# Rich text


@pytest.mark.parametrize(
    ("markup", "read"),
    [
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<p>one<br>two</p>", "one\ntwo"),
        ("<div>one</div><div>&nbsp;</div><div>two</div>", "one\n\ntwo"),
        ("<p><strong>bold</strong>, <em>leaning</em>, <s>gone</s></p>", "**bold**, _leaning_, ~~gone~~"),
        ("<p><b> spaced </b>out</p>", "**spaced** out"),
        ("<p>run <code>a `b`</code> now</p>", "run `` a `b` `` now"),
        ("<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>", "- a\n- b\n  - c"),
        ("<ol><li>a</li><li><p>b</p><p>more</p></li></ol>", "1. a\n2. b\n   more"),
        ("<blockquote><p>one</p><p>two</p></blockquote><p>so</p>", "> one\n>\n> two\n\nso"),
        ("<h2>Plan</h2><p>do</p>", "## Plan\n\ndo"),
        ("<p>a</p><hr><p>b</p>", "a\n\n---\n\nb"),
        (
            "<table><tbody><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>x|y</td></tr></tbody></table>",
            "| a | b |\n| --- | --- |\n| 1 | x\\|y |",
        ),
        (
            '<codeblock class="Python"><code>def f():<br>&nbsp; &nbsp; return 1</code></codeblock>',
            "```python\ndef f():\n    return 1\n```",
        ),
        ("<pre>a\n  b</pre>", "```\na\n  b\n```"),
        ('<pre class="language-js"><code>f()</code></pre>', "```js\nf()\n```"),
        ("<pre>```\nx\n```</pre>", "````\n```\nx\n```\n````"),
        ('<codeblock class="Plaintext"><code>x</code></codeblock>', "```\nx\n```"),
        ('<p>yes <img alt="🙂" itemtype="http://schema.skype.com/Emoji"></p>', "yes 🙂"),
        ('<p>yes <emoji alt="👍"></emoji></p>', "yes 👍"),
        ("<p>1 &lt; 2 &amp;&amp; 3</p>", "1 < 2 && 3"),
        ("<p>unclosed <b>tag", "unclosed **tag**"),
        ("<p>one<p>two", "one\n\ntwo"),
        ("just text", "just text"),
    ],
)
def test_rich_text_becomes_markdown(markup: str, read: str) -> None:
    assert rich(markup) == read


@pytest.mark.parametrize(
    ("link", "read"),
    [
        ('<a href="https://acme.test/a">see</a>', "[see](https://acme.test/a)"),
        ('<a href="https://acme.test/a">https://acme.test/a</a>', "https://acme.test/a"),
        ('<a href="https://acme.test/">acme.test</a>', "acme.test"),
        ('<a href="mailto:ann@acme.test">ann@acme.test</a>', "ann@acme.test"),
        ('<a href="https://acme.test/(a) b">[x]</a>', "[(x)](https://acme.test/%28a%29%20b)"),
        ('<a href="javascript:alert(1)">click</a>', "click"),
        ('<a href="data:text/html,x">click</a>', "click"),
        ('<a href="http://[">click</a>', "click"),
        ("<a>click</a>", "click"),
    ],
)
def test_links_lead_to_the_web_or_nowhere(link: str, read: str) -> None:
    assert rich(f"<p>{link}</p>") == read


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<style>p{}</style>",
        "<!-- hidden -->",
        '<iframe src="https://evil.test"></iframe>',
        '<img src="https://evil.test/x.png" onerror="alert(1)">',
        '<attachment id="1"></attachment>',
    ],
)
def test_nothing_of_hostile_html_gets_through(hostile: str) -> None:
    assert rich(f"<p>a{hostile}b</p>") == "ab"


@pytest.mark.parametrize(
    "unit",
    [
        "<",
        "<a ",
        "<!--",
        '<a href="',
        "<a b='>",
        "</x",
        "<div>",
        "<script>",
        "<p>",
        "<pre>",
        "&#",
        "<![CDATA[",
    ],
)
def test_hostile_html_of_any_length_is_read_in_no_time(unit: str) -> None:
    # The plain parser takes minutes for some of these; the test's own time limit is the judge.
    assert len(rich(unit * (MAX_CHARS // len(unit)))) <= 4 * MAX_CHARS


pieces = st.one_of(
    st.text(max_size=10),
    st.sampled_from(
        [
            "<p>",
            "</p>",
            "<b>",
            "</b>",
            "<ul>",
            "<li>",
            "</ul>",
            "<pre>",
            "</pre>",
            "<code>",
            "</code>",
            "<br>",
        ]
    ),
    st.sampled_from(
        ["<at>linear</at>", span("linear"), "<", ">", '"', "&lt;", "&#0;", "\x00", "```", "<table><tr>"]
    ),
)


@given(st.lists(pieces, max_size=20).map("".join))
@example("<b><at>linear</at></b>")
@example("&#0;\x00")
def test_any_markup_is_read_and_leaves_no_mark_of_ours(markup: str) -> None:
    assert GONE not in rich(markup, MENTION)
    assert GONE not in text_of(message(markup, entities=[MENTION]))


@given(
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"]), min_size=1)
)
def test_words_survive(word: str) -> None:
    assert markdown_of(f"<p>{escape(word)}</p>", str).text == word


@given(st.text("ab `~\n<&>", min_size=1, max_size=60))
def test_code_survives_letter_by_letter(code: str) -> None:
    if not code.strip("\n"):
        return
    read = markdown_of(f"<pre>{escape(code)}</pre>", str).text
    mark = read.partition("\n")[0]
    assert read == f"{mark}\n{code.strip(chr(10))}\n{mark}"
    assert set(mark) == {"`"}
    assert mark not in code


def test_what_the_stand_in_types_comes_back_as_it_was_typed() -> None:
    source = (
        "<at>linear</at> search **ignores** `toggle`, see [it](https://acme.test/a)\n\n"
        "- one\n- two\n\n```python\ndef f():\n    return 1\n```"
    )
    as_typed = typed(source, acme().named)
    body = message(as_typed.text, attachments=html(as_typed.markup), entities=list(as_typed.entities))
    body["recipient"] = {"id": BOT}
    assert text_of(body) == source.removeprefix("<at>linear</at> ")


def test_empty_rich_text_leaves_the_flat_one() -> None:
    assert text_of(message("hello", attachments=html(" "))) == "hello"


# Files


def files(body: dict[str, Any], *attachments: dict[str, Any], markup: str = "<p>see</p>") -> Any:
    body["attachments"] = [*attachments, *html(markup)]
    return files_of(parsed(Activity, body))


def test_rich_text_is_no_file() -> None:
    assert files(personal()) == ()


def test_files_in_a_personal_chat_can_be_read() -> None:
    assert files(personal(), SHARED, PASTED, markup='<attachment id="1"></attachment><img src="x">') == (
        Attachment("report.csv", "text/csv", "https://files.test/1?sig=x"),
        Attachment("image", "image/png", str(PASTED["contentUrl"])),
    )


def test_file_without_an_address_says_so() -> None:
    (shared,) = files(personal(), SHARED | {"content": None})
    assert shared == Attachment("report.csv", "text/csv", "", NO_ADDRESS)


def test_traces_of_files_in_a_channel_are_told_honestly() -> None:
    markup = '<p>see</p><attachment id="1"></attachment><img src="https://graph.test/1" alt="chart.png">'
    assert files(message(), markup=markup) == (
        Attachment("chart.png", "image/*", "", UNSEEN),
        Attachment("file", "application/octet-stream", "", UNSEEN),
    )


def test_a_file_in_a_channel_is_named_once() -> None:
    shared = {"contentType": "reference", "name": "plan.md", "contentUrl": "https://sharepoint.test/plan.md"}
    assert files(message(), shared, markup='<attachment id="1"></attachment>') == (
        Attachment("plan.md", "text/markdown", "", UNSEEN),
    )
    assert files(message(), PASTED, markup=f'<img src="{PASTED["contentUrl"]}">') == (
        Attachment("image", "image/png", "", UNSEEN),
    )


def test_emoji_and_cards_are_no_files() -> None:
    card = {"contentType": "application/vnd.microsoft.card.adaptive", "content": {}}
    markup = '<img class="emoji" alt="🙂"><attachment id="1"></attachment>'
    assert files(message(), card, markup=markup) == ()
