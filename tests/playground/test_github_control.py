"""GitHub's stand-in played by hand: everything that people do there is a call, and seen on a page."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio

from playground.github_control import ACTIONS
from tests.playground.github_town import Town, town

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with town(tmp_path_factory.mktemp("github")) as made:
        yield made


class Hand:
    """POST /_control/<name>, about the repository of the test; what was not called yet is in `left`."""

    def __init__(self, place: Town) -> None:
        self._place = place
        self.left = set(ACTIONS)

    async def __call__(self, name: str, status: int = 200, /, **body: Any) -> Any:
        if "repository" in ACTIONS[name][0].model_fields:
            body.setdefault("repository", self._place.home.full_name)
        answer = await self._place.http.post(f"{self._place.there.url}/_control/{name}", json=body)
        assert answer.status_code == status, answer.text
        self.left.discard(name)
        return answer.json()


async def test_a_whole_life_can_be_played_by_hand(place: Town) -> None:
    home = await place.use()
    play = Hand(place)
    await play("person", login="zoe", may="write", emails=["zoe@acme.test"])
    await play("token", login="zoe")
    await play("rules", reviews=1, checks={"build": None})
    pushed = await play("push", branch="work", by="zoe", files={"a.py": "1\n"})
    opened = await play("open", branch="work", title="<b>Work</b>", draft=True, by="zoe")
    assert (opened["head"], opened["state"]) == (pushed["head"], "draft")
    number = opened["number"]
    await play("merge", 405, pull=number, by="eve")
    await play("ready", pull=number, by="zoe")
    assert (await play("review", 422, pull=number, by="zoe", event="APPROVE"))["errors"]
    await play("review", pull=number, by="eve", event="APPROVE")
    await play("comment", pull=number, text="nice", by="bob")
    await play("comment", pull=number, text="<i>here</i>", path="a.py", by="bob")
    checked = await play("check", pull=number, name="build", conclusion="success")
    assert (checked["decision"], checked["blocked"]) == ("APPROVED", [])
    await play("close", pull=number)
    await play("reopen", pull=number)
    page = (await place.http.get(f"{place.there.url}/{home.full_name}/pull/{number}")).text
    for told in ("&lt;b&gt;Work&lt;/b&gt;", "CLEAN", "build: success", "eve: APPROVED", "a.py +1", "here"):
        assert told in page
    assert "<b>Work" not in page
    assert "<i>here" not in page
    assert (await play("merge", pull=number, by="eve", method="squash"))["mergedBy"] == "eve"
    listed = (await place.http.get(place.there.url)).text
    assert f"/{home.full_name}/pull/{number}" in listed
    assert "merged" in listed
    await play("rules", has_queue=True)
    await play("merge_queue")
    await play("push", branch="gone", files={"b.py": "1\n"})
    await play("delete_branch", branch="gone")
    await play("fault", kind="GET /rate_limit", status=502)
    await play("forgive")
    assert (await play("switch", computes=True))["computes"] is True
    await play("switch", computes=False)
    await play("install", action="suspend")
    await play("install", action="unsuspend")
    await play("webhooks", hold=True)
    await play("release")
    await play("redeliver", id=1)
    await play("revoke", login="zoe")
    await play("rename", name="renamed")
    await play("advance", seconds=1)
    place.there.tokens.ahead_s = 0
    assert play.left == set()
    moved = await place.http.get(f"{place.there.url}/acme/renamed/pull/{number}")
    assert moved.status_code == 200
    state = (await place.http.get(f"{place.there.url}/_state")).json()
    [mine] = [each for each in state["repositories"] if each["name"] == "acme/renamed"]
    assert [each["state"] for each in mine["pulls"]] == ["merged"]
    assert {"login": "zoe", "type": "User"}.items() <= state["people"][-1].items()


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("dance", {}, 404),
        ("merge", {}, 400),
        ("merge", {"pull": 1}, 404),
        ("push", {"branch": "x", "files": {}, "by": "nobody"}, 404),
        ("person", {"login": "x", "may": "everything"}, 400),
        ("fault", {"kind": "x", "surprise": 1}, 400),
        ("rename", {"repository": "acme/none", "name": "x"}, 404),
        ("redeliver", {"id": 10_000}, 404),
        ("revoke", {"login": "nobody"}, 404),
    ],
)
async def test_what_is_not_there_is_said(
    place: Town, name: str, body: Mapping[str, Any], status: int
) -> None:
    await place.use()
    answer = await place.http.post(f"{place.there.url}/_control/{name}", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]


async def test_there_is_no_page_of_what_is_not_there(place: Town) -> None:
    home = await place.use()
    for path in ("acme/none/pull/1", f"{home.full_name}/pull/1", f"{home.full_name}/pull/x"):
        assert (await place.http.get(f"{place.there.url}/{path}")).status_code == 404
