import pytest

from playground.moments import Moments


class Watcher:
    def __init__(self) -> None:
        self.called = 0

    async def __call__(self) -> None:
        self.called += 1


@pytest.mark.parametrize(
    ("call", "moment", "seen"),
    [("post", "executed", 1), ("post", "before", 0), ("edit", "executed", 0)],
)
async def test_only_the_named_moment_of_the_named_call_calls_back(call: str, moment: str, seen: int) -> None:
    moments, watcher = Moments(), Watcher()
    moments.at("post", "executed", watcher)
    await moments.reach({call}, "before" if moment == "before" else "executed", {})
    assert watcher.called == seen


async def test_only_the_first_call_that_fulfils_the_condition_calls_back() -> None:
    moments, watcher = Moments(), Watcher()
    moments.at("post", "executed", watcher, when=lambda fields: fields["text"] == "b")
    for text in "abb":
        await moments.reach({"post"}, "executed", {"text": text})
    assert watcher.called == 1


async def test_what_was_cleared_is_not_called_back() -> None:
    moments, watcher = Moments(), Watcher()
    moments.at("post", "executed", watcher)
    moments.clear()
    await moments.reach({"post"}, "executed", {})
    assert watcher.called == 0
