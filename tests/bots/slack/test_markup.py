"""Text on its way out: escaped and silent."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.slack.markup import URL_CHARS, escape, link, markdown, mrkdwn, safe_url
from core.mirror.prose import clipped, clipped_as

Z = "\u200b"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("<!channel> look", f"<{Z}!channel> look"),
        ("<!HERE|here>", f"<{Z}!HERE|here>"),
        ("<!subteam^S1> <@U0ANN>", f"<{Z}!subteam^S1> <{Z}@U0ANN>"),
        ("@here and @Channel, (@everyone)", f"@{Z}here and @{Z}Channel, (@{Z}everyone)"),
        ("@hereafter", "@hereafter"),
        ("ann@here.test and x@channel", "ann@here.test and x@channel"),
        ("`@here` and ``@channel``", "`@here` and ``@channel``"),
        ("`<!here>`", f"`<{Z}!here>`"),
        ("```\n@here\n<!DOCTYPE html>\n```\n@here", f"```\n@here\n<!DOCTYPE html>\n```\n@{Z}here"),
        ("~~~\n@here", "~~~\n@here"),
        ("`open @here", f"`open @{Z}here"),
        ("https://x.test/@here?a=<b>", "https://x.test/@here?a=<b>"),
        ("[@here](https://x.test/@here)", f"[@{Z}here](https://x.test/@here)"),
        ("![chart](https://x.test/a.png)", "[chart](https://x.test/a.png)"),
        ("![](https://x.test/a.png?q=secret)", "[image](https://x.test/a.png?q=secret)"),
        ("![alt][ref] ![][ref]", "[alt][ref] [image][ref]"),
        ("`![alt](https://x.test)`", "`![alt](https://x.test)`"),
        ("a < b && #define <#C0001>", "a < b && #define <#C0001>"),
    ],
)
def test_markdown_keeps_everything_but_its_effects(text: str, shown: str) -> None:
    assert markdown(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a < b & c", "a &lt; b &amp; c"),
        ("Running `pytest <x> @here`", "Running `pytest &lt;x&gt; @here`"),
        ("**two words** and *one*", "*two words* and *one*"),
        ("see [the docs](https://x.test/?a=1&b=2)", "see <https://x.test/?a=1&amp;b=2|the docs>"),
        ("`[a](https://x.test)`", "`[a](https://x.test)`"),
        ("[a|b>](https://x.test)", "<https://x.test|a|b&gt;>"),
        ("[bad](javascript:alert)", "[bad](javascript:alert)"),
        ("https://x.test?a&b", "https://x.test?a&amp;b"),
        ("<!channel> <@U1> @here", f"&lt;!channel&gt; &lt;@U1&gt; @{Z}here"),
    ],
)
def test_short_markdown_becomes_mrkdwn(text: str, shown: str) -> None:
    assert mrkdwn(text) == shown


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://linear.test/acme/issue/ENG-142/a-b", "https://linear.test/acme/issue/ENG-142/a-b"),
        ("https://x.test/a|b>c d", "https://x.test/a%7Cb%3Ec%20d"),
        ("https://x.test/%20", "https://x.test/%20"),
        ("javascript:alert(1)", None),
        ("//x.test", None),
        ("https://", None),
        ("https://[broken", None),
        ("https://x.test/" + "a" * URL_CHARS, None),
    ],
)
def test_only_web_addresses_are_linked(url: str, safe: str | None) -> None:
    assert safe_url(url) == safe
    assert link(url, "a>b").startswith(
        "<https://x" if safe and "x.test" in safe else ("<" if safe else "a&gt;b")
    )


def test_clipped_text_ends_with_an_ellipsis() -> None:
    assert clipped("twelve chars", 12) == "twelve chars"
    assert clipped("thirteen char", 10) == "thirteen…"


@given(st.text(alphabet="&<>@here !ab`*[](https:/x.t)é", max_size=400), st.integers(20, 60))
def test_clipped_text_is_never_too_long_and_no_entity_is_torn(text: str, limit: int) -> None:
    for escaped in (escape, mrkdwn):
        shown = clipped_as(escaped, text, limit)
        assert len(shown) <= limit
        assert not re.search(r"&(?!(amp|lt|gt);)", shown)


hostile = st.lists(
    st.sampled_from(
        [
            "<!channel>",
            "<!here|x>",
            "<@U0ANN>",
            "@here",
            "@everyone",
            "`",
            "```",
            "~~~",
            "\n",
            " ",
            "a",
            "<",
            "!",
            "&lt;",
        ]
    ),
    max_size=30,
).map("".join)
ACTIVE = re.compile(r"<!(channel|here|everyone|subteam)|<@[UW]", re.IGNORECASE)


@given(hostile)
def test_no_text_wakes_anybody(text: str) -> None:
    assert not ACTIVE.search(markdown(text))
    assert not ACTIVE.search(mrkdwn(text))
    assert not ACTIVE.search(escape(text))
    assert not re.search(r"(?<!\w)@(here|everyone)\b", escape(text))


@given(hostile)
def test_markdown_adds_nothing_that_can_be_seen(text: str) -> None:
    assert markdown(text).replace(Z, "") == text.replace("![", "[")


def test_long_hostile_text_is_read_in_no_time() -> None:
    for unit in ("`", "[", "**a", "```\n", "\n\n", "a@", "![](", "https://", "<@"):
        assert len(markdown(unit * 5_000)) >= 5_000
