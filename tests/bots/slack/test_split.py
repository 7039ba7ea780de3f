"""Long answers, cut."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.mirror.split import split_markdown


def fences_are_balanced(part: str) -> bool:
    mark: str | None = None
    for line in part.split("\n"):
        found = re.fullmatch(r"\s*(`{3,16}(?!`)|~{3,16}(?!~))(.*)", line)
        if found is None or (found[1][0] == "`" and "`" in found[2]):
            continue
        if mark is None:
            mark = found[1]
        elif found[1].startswith(mark) and not found[2].strip():
            mark = None
    return mark is None


def words(text: str) -> list[str]:
    return [word for word in text.split() if not word.startswith(("```", "~~~"))]


def test_short_text_stays_whole() -> None:
    assert split_markdown("one\n\ntwo", 300) == ["one\n\ntwo"]


def test_empty_text_has_no_parts() -> None:
    assert split_markdown(" \n\n ", 300) == []


def test_cut_falls_between_paragraphs() -> None:
    first, second = "a" * 180, "b" * 100
    assert split_markdown(f"{first}\n\n{second}", 300) == [first, second]


def test_cut_falls_at_a_line_where_the_paragraph_is_too_long() -> None:
    lines = ["a" * 120, "b" * 120, "c" * 120]
    assert split_markdown("\n".join(lines), 300) == ["\n".join(lines[:2]), lines[2]]


def test_fence_is_closed_and_opened_again() -> None:
    code = ["x = 1".ljust(80, "#") for _ in range(5)]
    parts = split_markdown("\n".join(["```python", *code, "```", "after"]), 300)
    assert len(parts) == 2
    assert parts[0].startswith("```python\nx = 1")
    assert parts[0].endswith("#\n```")
    assert parts[1].startswith("```python\nx = 1")
    assert parts[1].endswith("```\nafter")


def test_open_fence_is_closed_at_the_end() -> None:
    assert split_markdown("~~~sh\nls", 300) == ["~~~sh\nls\n~~~"]


@pytest.mark.parametrize(
    "whole",
    [
        "[the docs](https://x.test/a/b/c)",
        "`git commit -m x`",
        "https://x.test/a/b/c/d/e",
        "<https://x.test/a/b>",
    ],
)
@pytest.mark.parametrize("before", range(205, 226, 4))
def test_link_or_code_is_never_cut(whole: str, before: int) -> None:
    line = f"{'word ' * (before // 5)}{'y' * (before % 5)} {whole} {'tail ' * 20}"
    parts = split_markdown(line, 300)
    assert len(parts) > 1
    assert sum(part.count(whole) for part in parts) == 1


def test_word_longer_than_a_part_is_cut_all_the_same() -> None:
    parts = split_markdown("x" * 1_000, 300)
    assert "".join(parts) == "x" * 1_000


pieces = st.sampled_from(
    [
        "word",
        "words and words",
        "`code span`",
        "[a link](https://x.test/y)",
        "```",
        "```python",
        "~~~",
        "````",
        "",
    ]
)
lines = st.builds(lambda piece, times: " ".join([piece] * times), pieces, st.integers(1, 40))


@given(st.lists(lines, max_size=40).map("\n".join), st.integers(200, 400))
def test_parts_fit_balance_and_lose_nothing(text: str, limit: int) -> None:
    parts = split_markdown(text, limit)
    assert all(len(part) <= limit for part in parts)
    assert all(fences_are_balanced(part) for part in parts)
    assert words(" ".join(parts)) == words(text)


@given(st.text(max_size=3_000))
def test_any_text_keeps_its_characters(text: str) -> None:
    parts = split_markdown(text, 200)
    assert all(len(part) <= 200 for part in parts)
    if "```" not in text and "~~~" not in text:
        assert "".join("".join(parts).split()) == "".join(text.split())


def test_very_long_lines_are_cut_in_no_time() -> None:
    for unit in ("[", "`", "word ", "<", "https://"):
        assert len(split_markdown(unit * 20_000, 11_000)) > 1
