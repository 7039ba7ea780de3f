"""Slack's notation, as Markdown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.slack.inbound import markdown_of, mentioned, mentions, message_text
from bots.slack.wire import Message


@pytest.mark.parametrize(
    ("slack", "markdown"),
    [
        ("a &lt;b&gt; &amp; c", "a <b> & c"),
        ("&amp;lt; stays", "&lt; stays"),
        ("<@U0BOT> fix it", "fix it"),
        ("<@U0BOT|linear>", ""),
        ("ask <@U0ANN>", "ask @Ann"),
        ("ask <@W0XYZ|x>", "ask @W0XYZ"),
        ("see <#C0001|eng> and <#C0002>", "see #eng and #C0002"),
        ("<!here> <!channel|channel>", "@here channel"),
        ("<!subteam^S01|@shop-team>", "@shop-team"),
        ("<!date^1392734382^{date}|18 Feb>", "18 Feb"),
        ("<https://acme.test/a?b=1&amp;c=2>", "https://acme.test/a?b=1&c=2"),
        ("<https://acme.test|the [docs]>", "[the (docs)](https://acme.test)"),
        ("<http://acme.test|acme.test>", "acme.test"),
        ("<mailto:ann@acme.test|ann@acme.test>", "ann@acme.test"),
        ("<mailto:ann@acme.test>", "ann@acme.test"),
        ("x <|y> z", "x y z"),
        ("  spaced  ", "spaced"),
    ],
)
def test_notation_becomes_markdown(slack: str, markdown: str) -> None:
    assert markdown_of(slack, without="U0BOT", names={"U0ANN": "Ann"}) == markdown


@given(st.text(alphabet="<>@#!|^UWC1&;alt\n ", max_size=40))
def test_any_text_can_be_read(text: str) -> None:
    assert isinstance(markdown_of(text, without="U1", names={"U11": "x"}), str)


def test_mentions_are_found_in_both_forms() -> None:
    text = "<@U0BOT> and <@U0ANN|ann>, not <#C0001> or @U0BOB"
    assert list(mentioned(text)) == ["U0BOT", "U0ANN"]
    assert mentions(text, "U0ANN")
    assert not mentions(text, "U0BOB")
    assert not mentions(text, None)


def test_forwarded_messages_follow_as_quotes() -> None:
    message = Message.model_validate(
        {
            "ts": "1.0",
            "text": "look",
            "attachments": [
                {
                    "is_share": True,
                    "author_name": "Bob",
                    "text": "search is broken\nsince <https://x.test|Tuesday>",
                },
                {"is_msg_unfurl": True, "fallback": "no text"},
                {"text": "a link preview"},
            ],
        }
    )
    assert message_text(message) == (
        "look\n\n> Bob: search is broken\n> since [Tuesday](https://x.test)\n\n> no text"
    )
