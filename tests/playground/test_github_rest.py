"""REST of GitHub's stand-in, as plain HTTP: who may do what, and what is refused in which words."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio

from playground.github_git import head_of
from tests.playground.github_town import Town, git, town

pytestmark = pytest.mark.asyncio(loop_scope="module")

APP_TOKEN = "/app/installations/77/access_tokens"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with town(tmp_path_factory.mktemp("github")) as made:
        yield made


@pytest.mark.parametrize(
    ("who", "sent", "status"),
    [
        ("personal:guest", {"title": "Mine"}, 403),
        ("user:guest", {"body": "Mine"}, 403),
        ("personal:tim", {"title": "Mine"}, 403),
        ("personal:guest", {"state": "closed"}, 403),
        ("personal:tim", {"state": "closed"}, 200),
        ("personal:ann", {"title": "Mine", "state": "closed"}, 200),
        ("installation", {"body": "Ours"}, 200),
        ("user:stranger", {"title": "Mine"}, 404),
        ("user:ann", {"base": "nowhere"}, 422),
        ("user:ann", {"state": "merged"}, 422),
    ],
)
async def test_only_some_may_edit_and_close(
    place: Town, who: str, sent: Mapping[str, Any], status: int
) -> None:
    await place.use()
    one = await place.open()
    answer = await place.call(who, "PATCH", f"pulls/{one.number}", sent)
    assert answer.status_code == status, answer.text
    is_closed = status == 200 and "state" in sent
    assert (one.state, one.closed_at is not None) == (("closed", True) if is_closed else ("open", False))
    assert one.title == (sent.get("title", "ENG-1: Search") if status == 200 else "ENG-1: Search")


async def test_readers_neither_open_nor_dismiss_nor_merge(place: Town) -> None:
    home = await place.use(reviews=1)
    one = await place.open()
    await place.there.push(home, "other", "ann", {"o.py": "1\n"})
    sent = {"head": "other", "base": "main", "title": "t"}
    review = (await place.review("user:eve", one)).json()
    dismissal = f"pulls/{one.number}/reviews/{review['id']}/dismissals"
    for who in ("personal:guest", "personal:tim"):
        assert (await place.call(who, "POST", "pulls", sent)).status_code == 404
        assert (await place.call(who, "PUT", dismissal, {"message": "no"})).status_code == 403
        assert (await place.merge(who, one)).status_code == 403
        update = await place.call(who, "PUT", f"pulls/{one.number}/update-branch", {})
        assert update.status_code == 403
    assert [each.state for each in one.reviews] == ["APPROVED"]
    assert (await place.review("personal:guest", one)).json()["state"] == "APPROVED"
    assert (await place.call("user:ann", "PUT", dismissal, {"message": "no"})).json()["state"] == "DISMISSED"
    assert (await place.merge("user:eve", one)).status_code == 405


async def test_an_app_neither_updates_branches_nor_counts_as_a_reviewer(place: Town) -> None:
    await place.use(reviews=1)
    one = await place.open(author="user:ann")
    assert (await place.review("installation", one)).status_code == 200
    assert (
        await place.call("installation", "PUT", f"pulls/{one.number}/update-branch", {})
    ).status_code == 403
    assert (await place.merge("user:eve", one)).status_code == 405


async def test_a_renamed_repository_leads_on_below_its_number(place: Town) -> None:
    home = await place.use()
    one = await place.open()
    old = f"/repos/{home.full_name}"
    place.there.forge.rename(home, f"{home.name}-new")
    moved = await place.call("user:eve", "GET", f"{old}/pulls/{one.number}/files?per_page=5")
    where = f"/repositories/{home.id}/pulls/{one.number}/files?per_page=5"
    assert (moved.status_code, moved.headers["Location"]) == (301, f"{place.there.url}{where}")
    assert [each["filename"] for each in await place.told("user:eve", where)] == ["work.py"]
    write = await place.call("user:eve", "POST", f"{old}/issues/{one.number}/comments", {"body": "hi"})
    assert (write.status_code, one.comments) == (307, [])
    assert write.headers["Location"].endswith(f"/repositories/{home.id}/issues/{one.number}/comments")
    again = await place.http.post(
        write.headers["Location"], json={"body": "hi"}, headers=place.header("user:eve")
    )
    assert (again.status_code, one.comments[0].body) == (201, "hi")


async def test_strangers_do_not_learn_that_anything_moved(place: Town) -> None:
    home = await place.use()
    old = f"/repos/{home.full_name}"
    place.there.forge.rename(home, f"{home.name}-new")
    for path in (old, f"{old}/pulls", f"/repositories/{home.id}", f"/repositories/{home.id}/pulls"):
        answer = await place.call("user:stranger", "GET", path)
        assert (answer.status_code, answer.headers.get("Location")) == (404, None)
    assert (await place.call("", "GET", old)).status_code == 401


async def test_reviews_are_of_commits_of_the_pull_request(place: Town) -> None:
    home = await place.use()
    one = await place.open()
    first = one.head_sha
    await place.there.push(home, "work", "ann", {"a.py": "2\n"})
    main = await head_of(home.folder, "main")
    for unknown in ("1" * 40, main):
        assert (await place.review("user:eve", one, commit_id=unknown)).status_code == 422
    for known in (first, one.head_sha):
        assert (await place.review("user:eve", one, commit_id=known)).json()["commit_id"] == known
    assert len(one.reviews) == 2


async def test_a_review_without_an_event_waits_and_is_seen_by_its_author_alone(place: Town) -> None:
    await place.use(reviews=1)
    one = await place.open()
    reviews = f"pulls/{one.number}/reviews"
    begun = (await place.call("user:eve", "POST", reviews, {"body": "soon"})).json()
    assert (begun["state"], "submitted_at" in begun) == ("PENDING", False)
    assert (await place.call("user:eve", "POST", reviews, {"body": "again"})).status_code == 422
    assert (await place.review("user:eve", one)).status_code == 422
    assert len(await place.told("user:eve", reviews)) == 1
    assert await place.told("user:ann", reviews) == []
    submit = f"{reviews}/{begun['id']}/events"
    sent = {"event": "APPROVE"}
    for who, status in (("user:ann", 404), ("user:eve", 200), ("user:eve", 422)):
        answer = await place.http.post(
            f"{place.there.url}/repos/{place.home.full_name}/{submit}", json=sent, headers=place.header(who)
        )
        assert answer.status_code == status, answer.text
    assert [each["state"] for each in await place.told("user:ann", reviews)] == ["APPROVED"]
    assert place.events.count("pull_request_review.submitted") == 1


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        (b"{", 400, "Problems parsing JSON"),
        (b"\xff", 400, "Problems parsing JSON"),
        (b"[1]", 400, "Body should be a JSON object"),
        (b'{"event": 1}', 422, "is not a string"),
        (b'{"event": "SHRUG"}', 422, "Unprocessable Entity"),
        (b'{"event": "COMMENT"}', 422, "Unprocessable Entity"),
    ],
)
async def test_what_cannot_be_read_is_said(place: Town, sent: bytes, status: int, words: str) -> None:
    await place.use()
    one = await place.open()
    url = f"{place.there.url}/repos/{place.home.full_name}/pulls/{one.number}/reviews"
    answer = await place.http.post(url, content=sent, headers=place.header("user:eve"))
    assert (answer.status_code, one.reviews) == (status, [])
    assert words in answer.json()["message"]


async def test_graphql_that_cannot_be_read_is_said(place: Town) -> None:
    url = f"{place.there.url}/graphql"
    for sent in (b"{", b"[]", b'{"query": 1}'):
        answer = await place.http.post(url, content=sent, headers=place.header("user:eve"))
        assert answer.status_code == 400, sent


async def test_rules_are_listed_for_the_protected_branch_alone(place: Town) -> None:
    await place.use(reviews=2, checks={"build": 15368}, is_strict=True, has_queue=True, owners=("ann",))
    listed = {one["type"]: one["parameters"] for one in await place.told("user:ann", "rules/branches/main")}
    assert listed.keys() == {"pull_request", "required_status_checks", "merge_queue"}
    assert listed["pull_request"]["required_approving_review_count"] == 2
    assert listed["pull_request"]["require_code_owner_review"] is True
    assert listed["required_status_checks"]["required_status_checks"] == [
        {"context": "build", "integration_id": 15368}
    ]
    assert await place.told("user:ann", "rules/branches/work%2Fone") == []
    await place.use(reviews=1)
    assert [one["type"] for one in await place.told("user:ann", "rules/branches/main")] == ["pull_request"]


async def test_the_base_is_the_one_of_the_last_push_and_the_end_has_a_time(place: Town) -> None:
    home = await place.use()
    one = await place.open()
    before = await head_of(home.folder, "main")
    moved = await place.there.push(home, "main", "bob", {"other.py": "1\n"})
    told = await place.told("user:ann", f"pulls/{one.number}")
    assert (told["base"]["sha"], told["closed_at"]) == (before, None)
    await place.there.push(home, "work", "ann", {"a.py": "2\n"})
    assert (await place.told("user:ann", f"pulls/{one.number}"))["base"]["sha"] == moved
    await place.merge("user:eve", one)
    told = await place.told("user:ann", f"pulls/{one.number}")
    assert told["closed_at"] == told["merged_at"] is not None
    assert (told["base"]["sha"], told["merged_by"]["login"]) == (moved, "eve")
    assert (told["changed_files"], told["mergeable"]) == (2, None)


async def test_mergeable_is_computed_behind_the_first_look_if_that_is_switched_on(place: Town) -> None:
    home = await place.use()
    one = await place.open()
    look = f"pulls/{one.number}"
    assert (await place.told("user:ann", look))["mergeable"] is True
    place.there.switches.computes = True
    try:
        seen = [(await place.told("user:ann", look))["mergeable"] for _ in range(2)]
        await place.there.push(home, "work", "ann", {"a.py": "2\n"})
        seen += [(await place.told("user:ann", look))["mergeable"] for _ in range(2)]
        await place.there.push(home, "main", "ann", {"a.py": "3\n"})
        seen += [(await place.told("user:ann", look))["mergeable"] for _ in range(2)]
    finally:
        place.there.switches.computes = False
    assert seen == [None, True, None, True, None, False]


async def test_people_and_bots_are_found_by_name_and_by_number(place: Town) -> None:
    await place.use()
    for login in ("eve", "EVE", "threadline%5Bbot%5D"):
        told = await place.told("installation", f"/users/{login}")
        assert told == await place.told("user:ann", f"/user/{told['id']}")
    bot = await place.told("installation", "/users/threadline%5Bbot%5D")
    assert (bot["id"], bot["login"], bot["type"]) == (place.there.bot.id, "threadline[bot]", "Bot")
    assert (await place.call("installation", "GET", "/users/nobody")).status_code == 404
    assert (await place.call("installation", "GET", "/user")).status_code == 403
    assert [one["email"] for one in await place.told("user:eve", "/user/emails")] == ["eve@acme.test"]


async def test_installation_tokens_are_long_with_dots_or_short_as_before(place: Town) -> None:
    home = await place.use()
    sent = {"repositories": [home.name], "permissions": {"contents": "read"}}
    long = (await place.call("app", "POST", APP_TOKEN, sent)).json()["token"]
    assert long.startswith("ghs_4242_ey")
    assert (long.count("."), len(long) > 400) == (2, True)
    place.there.switches.short_tokens = True
    try:
        short = (await place.call("app", "POST", APP_TOKEN, sent)).json()["token"]
    finally:
        place.there.switches.short_tokens = False
    assert (len(short), short.count(".")) == (40, 0)
    for token in (long, short):
        url = f"{place.there.url}/repos/{home.full_name}"
        answer = await place.http.get(url, headers={"Authorization": f"Bearer {token}"})
        assert answer.json()["full_name"] == home.full_name
        remote = url.replace("/repos", "").replace("://", f"://x-access-token:{token}@")
        assert (await git(place.folder, "ls-remote", f"{remote}.git"))[0] == 0


async def test_an_app_that_was_taken_away_has_no_tokens(place: Town) -> None:
    await place.use()
    held = place.header("installation")
    try:
        place.there.installs("suspend", "root")
        assert (await place.call("app", "POST", APP_TOKEN, {})).status_code == 403
        place.there.installs("deleted", "root")
        assert (await place.call("app", "POST", APP_TOKEN, {})).status_code == 404
        assert (await place.call("app", "GET", "installation")).status_code == 404
        url = f"{place.there.url}/repos/{place.home.full_name}"
        assert (await place.http.get(url, headers=held)).status_code == 401
    finally:
        place.there.installs("created", "root")
        place.forget("installation")
    assert place.events == ["installation.suspend", "installation.deleted", "installation.created"]
    assert (await place.call("installation", "GET", "pulls")).status_code == 200


async def test_a_job_has_its_log_elsewhere_and_a_check_its_remarks(place: Town) -> None:
    home = await place.use()
    one = await place.open()
    remark = {
        "path": "work.py",
        "start_line": 1,
        "end_line": 1,
        "annotation_level": "failure",
        "message": "x",
    }
    await place.there.check(home, one.head_sha, "build", "failure", annotations=[remark], log="boom\n")
    [run] = (await place.told("installation", f"commits/{one.head_sha}/check-runs"))["check_runs"]
    [told] = await place.told("installation", f"check-runs/{run['id']}/annotations")
    assert {name: told[name] for name in remark} == remark
    suite = run["check_suite"]["id"]
    [job] = (await place.told("installation", f"actions/runs/{suite}/jobs"))["jobs"]
    assert (job["id"], job["conclusion"], job["head_branch"]) == (run["id"], "failure", "work")
    led = await place.call("installation", "GET", f"actions/jobs/{job['id']}/logs")
    assert led.status_code == 302
    assert (await place.http.get(led.headers["Location"])).text == "boom\n"
    with_token = await place.http.get(led.headers["Location"], headers=place.header("installation"))
    assert with_token.status_code == 400
    assert place.events[-3:] == ["check_run.completed", "check_suite.completed", "workflow_run.completed"]
