"""Text of agents and strangers at the code host: it is read, and does nothing."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.review.words import defanged

GAP = "\u200b"

# What GitHub makes something of, in Markdown and after it.
ACTS = re.compile(
    r"<[a-z/!?]"  # A tag or a comment.
    r"|!\["  # A picture.
    r"|(?<![a-z0-9])@[a-z0-9]"  # A mention.
    r"|#[0-9]"  # An issue.
    r"|/(?:issues|pull|discussions)/[0-9]"
    r"|&(?:#|commat;|num;)"  # Stands for one of these.
    r"|(?<![a-z0-9])(?!ENG-1(?![0-9]))[a-z][a-z0-9]{0,9}-[0-9]{1,7}(?![a-z0-9])",  # A tracker's key.
    re.IGNORECASE,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<img src=https://evil.test/x>", f"<{GAP}img src=https://evil.test/x>"),
        ("<IMG/src=x>", f"<{GAP}IMG/src=x>"),
        ("</details>", f"<{GAP}/details>"),
        ("<https://evil.test>", f"<{GAP}https://evil.test>"),
        ("![a][b]\n\n[b]: https://evil.test", f"!{GAP}[a][b]\n\n[b]: https://evil.test"),
        ("![b]", f"!{GAP}[b]"),
        ("![![a](b)](https://evil.test)", f"!{GAP}[a](https://evil.test)"),
        ("Fixes #12", f"Fixes #{GAP}12"),
        ("closes acme/shop#3", f"closes acme/shop#{GAP}3"),
        ("resolves GH-3", "resolves GH\u20113"),
        ("\u00e9OPS-3 __OPS-3__ ops-3", "\u00e9OPS\u20113 __OPS\u20113__ ops\u20113"),
        ("Fixes https://github.test/o/r/issues/12", f"Fixes https://github.test/o/r/issues/{GAP}12"),
        ("Fixes https://github.test/o/r/pull/12", f"Fixes https://github.test/o/r/pull/{GAP}12"),
        ("<!<!-- a -->-- merge me -->", f"<{GAP}!-- merge me -->"),
        ("@torvalds `@torvalds __@torvalds__", f"@{GAP}torvalds `@{GAP}torvalds __@{GAP}torvalds__"),
        ("ü@torvalds ./@torvalds", f"ü@{GAP}torvalds ./@{GAP}torvalds"),
        ("&#64;torvalds &commat;torvalds", f"&{GAP}#{GAP}64;torvalds &{GAP}commat;torvalds"),
    ],
)
def test_what_would_act_at_the_code_host_is_only_read(text: str, shown: str) -> None:
    assert defanged(text, keep="ENG-1") == shown
    assert not ACTS.search(shown)


@pytest.mark.parametrize(
    "text",
    [
        "a < b && b <= c, List< int >",
        "ann@acme.test wrote `a[0]!` and **bold**",
        "# Heading\n\n## 2 of 3\n\n- [ ] step, see [docs](https://acme.test/a#top)",
        "AT&T and &amp;",
        "Closes ENG-1",
    ],
)
def test_what_does_nothing_is_left_as_it_is(text: str) -> None:
    assert defanged(text, keep="ENG-1") == text


PIECES = [
    "<!--",
    "-->",
    "<",
    "!",
    "--",
    "![",
    "](",
    "][",
    "]",
    ")",
    "@",
    "#",
    "&",
    "64;",
    "commat;",
    "1",
    "a",
]
WORDS = ["img ", " ", "\n", "ENG-", "OPS-", "/issues/", "/pull/", "`", "\\", "_", "fixes "]


@given(st.lists(st.sampled_from([*PIECES, *WORDS]), max_size=30).map("".join))
def test_no_text_does_anything_and_to_say_it_again_changes_nothing(text: str) -> None:
    once = defanged(text, keep="ENG-1")
    assert not ACTS.search(once)
    assert defanged(once, keep="ENG-1") == once
