"""Looking before writing again: what is not known stays not known."""

from collections.abc import Awaitable, Callable

import pytest

from github.errors import Forbidden, GitHubError, Invalid, RateLimited, Transient, Unauthorized
from github.probe import ATTEMPTS, SETTLE_S, marked, marker, once
from tests.github.fakes import OP, Clock

LOST = Transient("no answer", maybe_done=True)
DOWN = Transient("not connected", maybe_done=False)


def script(*steps: str | Exception | None) -> Callable[[], Awaitable[str | None]]:
    left = [*steps]

    async def step() -> str | None:
        made = left.pop(0)
        if isinstance(made, Exception):
            raise made
        return made

    return step


def acting(*steps: str | Exception) -> Callable[[], Awaitable[str]]:
    step = script(*steps)

    async def act() -> str:
        made = await step()
        assert made is not None
        return made

    return act


async def test_a_good_answer_is_taken_without_a_look() -> None:
    assert await once(Clock().pace(), acting("made"), script()) == "made"


async def test_what_was_done_is_found_after_a_moment() -> None:
    clock = Clock()
    assert await once(clock.pace(), acting(LOST), script("found")) == "found"
    assert clock.slept == [SETTLE_S]


async def test_what_was_not_done_is_done_again() -> None:
    assert await once(Clock().pace(), acting(LOST, "made"), script(None)) == "made"


async def test_a_refusal_needs_no_look() -> None:
    with pytest.raises(Invalid):
        await once(Clock().pace(), acting(Invalid("no")), script())


async def test_what_was_surely_not_done_is_for_the_caller() -> None:
    with pytest.raises(Transient) as failure:
        await once(Clock().pace(), acting(DOWN), script())
    assert not failure.value.maybe_done


@pytest.mark.parametrize("blind", [DOWN, LOST, RateLimited(5), Unauthorized("x"), Forbidden("x")], ids=repr)
async def test_a_look_that_fails_leaves_it_open(blind: GitHubError) -> None:
    with pytest.raises(Transient) as failure:
        await once(Clock().pace(), acting(LOST), script(blind))
    assert failure.value.maybe_done


async def test_it_is_not_tried_for_ever() -> None:
    with pytest.raises(Transient) as failure:
        await once(Clock().pace(), acting(*[LOST] * ATTEMPTS), script(*[None] * ATTEMPTS))
    assert failure.value.maybe_done


@pytest.mark.parametrize("body", ["", "Hello", "<!-- op:another -->"])
def test_the_marker_is_an_invisible_line_at_the_end(body: str) -> None:
    made = marked(body, OP)
    assert made.startswith(body)
    assert made.endswith(marker(OP))
    assert marker(OP) == f"<!-- op:{OP} -->"
