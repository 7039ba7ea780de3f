"""What can be in the way has a name that both sides show, and work goes on where it can."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from playground.linear_faults import Fault
from playground.shop import make_repository
from playground.stage import Stage, free_port
from tests.scenarios.conftest import on_stage
from tests.scenarios.scripts import script
from tests.scenarios.thread import ENDED, Thread, new_channel

pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSWORD = "hunter2-of-the-build-bot"

ONE_GONE = """\
[[repositories]]
name = "acme/shop"
url = "{url}"
default = true

[[repositories]]
name = "acme/gone"
url = "https://build-bot:{password}@127.0.0.1:{port}/acme/gone.git"
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Two repositories; nobody is there for the second one."""
    remote = make_repository(tmp_path_factory.mktemp("remote") / "other.git")
    config = ONE_GONE.format(url=remote, password=PASSWORD, port=free_port())
    async with on_stage(tmp_path_factory.mktemp("trouble"), config=config) as stage:
        await stage.serve()
        yield stage


async def test_linear_is_down_and_comes_back(thread: Thread, stage: Stage) -> None:
    stage.model.play([script({"text": "Done."})])
    stage.linear.faults.down = True
    thread.mention("fix the search")
    await thread.until_shown("Linear does not answer; I keep this and catch up there.")
    stage.linear.faults.down = False

    await thread.ended()
    assert not thread.shows("does not answer")
    thread.same_story()


async def test_linears_refusal_of_our_token_is_named_until_it_is_good_again(
    thread: Thread, stage: Stage
) -> None:
    stage.model.play([script({"text": "Done."})])
    stage.linear.faults.add(Fault("*", "answer", times=1000, status=401, code="AUTHENTICATION_ERROR"))
    thread.mention("fix the search")
    await thread.until_shown("Linear access was revoked")
    stage.linear.faults.clear()

    await thread.ended()
    thread.same_story()


async def test_a_repository_that_cannot_be_cloned_is_named_without_its_password(
    thread: Thread, stage: Stage
) -> None:
    thread.mention("fix the search repo=acme/gone")

    await thread.ended()
    (error,) = thread.told("error")
    assert error.startswith("I cannot clone acme/gone: `")
    assert "127.0.0.1" in error
    assert "` (git). For admins: check the repository's address" in error
    assert thread.answers() == [f"<@U0ANN>\n{error}"]
    assert " · failed after " in thread.cards()[0]
    assert PASSWORD not in f"{stage.log}{thread.transcript()}"
    assert thread.session()["status"] == "error"


async def test_a_wrong_model_key_is_named_after_one_call(thread: Thread, stage: Stage) -> None:
    refusal = {"status": 401, "message": "invalid x-api-key"}
    stage.model.play([script(refusal)])
    calls_before = len(stage.model.log)
    thread.mention("fix the search")

    await thread.ended()
    sentence = "The model refused our key. For admins: check THREADLINE_CLAUDE__API_KEY."
    assert thread.told("error") == [sentence]
    assert thread.answers() == [f"<@U0ANN>\n{sentence}"]
    assert len(stage.model.log) == calls_before + 1


async def test_an_overloaded_model_is_waited_for(thread: Thread, stage: Stage) -> None:
    stage.model.play([script({"status": 529, "times": 2, "retry_after": 2.5, "text": "Done at last."})])
    thread.mention("fix the search")
    await thread.until_shown("The model is overloaded")

    await thread.ended()
    assert thread.told("response")[0].startswith("Done at last.")
    assert not thread.told("error")
    thread.same_story()


async def test_a_key_of_a_person_cannot_open_sessions_and_says_so(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    key: dict[str, str | None] = {"THREADLINE_LINEAR__TOKEN": "lin_api_ann"}
    async with on_stage(tmp_path_factory.mktemp("member"), environment=key) as stage:
        await stage.serve()
        thread = Thread(stage, new_channel(stage))
        thread.mention("fix the search")
        await thread.until_shown("Only OAuth applications")
        assert thread.answers()[0].startswith("<@U0ANN>\nLinear refused this: Only OAuth applications")
        await thread.until(lambda: " · failed after " in thread.cards()[0], "the turn is over")


async def test_without_any_repository_the_first_mention_says_what_is_missing(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with on_stage(tmp_path_factory.mktemp("empty"), config="") as stage:
        await stage.serve()
        thread = Thread(stage, new_channel(stage))
        thread.mention("fix the search")
        await thread.until_shown("No repository is set up here yet.")
        await thread.until(lambda: ENDED.search(thread.cards()[0]), "the turn is over")
        assert "add a [[repositories]] entry to threadline.toml" in thread.answers()[0]
