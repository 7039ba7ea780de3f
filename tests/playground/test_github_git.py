"""The git half of GitHub's stand-in: every branch of a push is looked at, whatever it is packed with."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from playground.github import Fault
from playground.github_git import head_of, run
from tests.playground.github_town import Town, git, town

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with town(tmp_path_factory.mktemp("github")) as made:
        yield made


async def test_the_protected_branch_is_not_moved_by_a_push_of_two(place: Town) -> None:
    home = await place.use()
    tree, before = await place.tree({"a.py": "1\n"}), await head_of(home.folder, "main")
    code, said = await git(tree, "push", place.address("user:root"), "HEAD:refs/heads/one", "HEAD:main")
    assert code == 1
    assert "GH006: Protected branch update failed" in said
    assert (await head_of(home.folder, "main"), await head_of(home.folder, "one")) == (before, None)
    assert sorted(place.there.calls[-1].body) == ["refs/heads/main", "refs/heads/one"]
    code, _ = await git(tree, "push", place.address("user:root"), "HEAD:refs/pull/1/head")
    assert code == 1


async def test_a_push_of_two_moves_and_tells_of_both_and_a_deleted_branch_closes(place: Town) -> None:
    home = await place.use()
    one, two = await place.open("one"), await place.open("two")
    tree, sent = await place.tree({"a.py": "1\n"}), ("HEAD:refs/heads/one", "HEAD:refs/heads/two")
    code, said = await git(tree, "push", "--force", place.address("installation"), *sent)
    assert code == 0, said
    assert one.head_sha == two.head_sha == await head_of(home.folder, "one")
    assert place.events.count("pull_request.synchronize") == 2
    await git(tree, "push", place.address("installation"), ":refs/heads/two")
    assert (one.state, two.state) == ("open", "closed")
    assert two.closed_at is not None


async def test_workflows_are_changed_by_nobody_without_the_right(place: Town) -> None:
    """In neither of two branches, nor below a commit that takes it back."""
    home = await place.use()
    tree = await place.tree({".github/workflows/ci.yml": "on: push\n"})
    await git(tree, "rm", "--quiet", ".github/workflows/ci.yml")
    await git(tree, "commit", "--quiet", "--message=back")
    sent = ("origin/main:refs/heads/one", "HEAD:refs/heads/two")
    code, said = await git(tree, "push", place.address("installation"), *sent)
    assert code == 1
    assert "`.github/workflows/ci.yml` without `workflows` permission" in said
    assert await head_of(home.folder, "one") is None
    assert (await git(tree, "push", place.address("personal:ann"), *sent))[0] == 0
    assert (await git(tree, "push", place.address("installation"), "HEAD:refs/heads/three"))[0] == 0


async def test_who_may_not_push_may_not_and_strangers_see_nothing(place: Town) -> None:
    await place.use()
    tree = await place.tree({"a.py": "1\n"})
    said = {}
    for who in ("user:guest", "personal:tim", "user:stranger", "user:ann"):
        said[who] = (await git(tree, "push", place.address(who), f"HEAD:refs/heads/{who[-3:]}"))[1]
    assert "403" in said["user:guest"]
    assert "403" in said["personal:tim"]
    assert "not found" in said["user:stranger"]
    assert "new branch" in said["user:ann"]


async def test_git_is_led_to_the_new_name_if_it_follows(place: Town) -> None:
    home = await place.use()
    tree, old = await place.tree({"a.py": "1\n"}), home.full_name
    place.there.forge.rename(home, f"{home.name}-new")
    address = place.address("user:ann", old)
    code, said = await git(tree, "-c", "http.followRedirects=false", "ls-remote", address)
    assert (code, "301" in said) == (128, True)
    assert (await git(tree, "push", address, "HEAD:refs/heads/one"))[0] == 0
    assert await head_of(home.folder, "one")
    said = (await git(tree, "ls-remote", place.address("user:stranger", old)))[1]
    assert f"{home.name}-new" not in said


async def test_pushes_and_fetches_that_fail_are_remembered(place: Town) -> None:
    await place.use()
    tree = await place.tree({"a.py": "1\n"})
    place.there.fail("push", Fault(status=502))
    place.there.fail("fetch", Fault(status=503))
    assert (await git(tree, "ls-remote", place.address("user:ann")))[0] == 128
    assert (await git(tree, "push", place.address("user:ann"), "HEAD:refs/heads/one"))[0] == 1
    assert [(one.kind, one.who, one.status) for one in place.there.calls] == [
        ("fetch", "user:ann", 503),
        ("push", "user:ann", 502),
    ]


async def test_a_rebase_replays_each_commit_and_a_squash_makes_one(place: Town) -> None:
    for method, commits in (("rebase", ["second", "first"]), ("squash", ["ENG-1: Search (#87)"])):
        home = await place.use()
        await place.there.push(home, "main", "bob", {"other.py": "1\n"})
        tree = await place.tree({"a.py": "1\n"})
        await git(tree, "commit", "--quiet", "--amend", "--message=first", "--author=Bob <bob@acme.test>")
        (tree / "a.py").write_text("2\n")
        await git(tree, "commit", "--quiet", "--all", "--message=second")
        await git(tree, "push", "--quiet", place.address("user:ann"), "HEAD:refs/heads/work")
        sent = {"head": "work", "base": "main", "title": "ENG-1: Search"}
        assert (await place.call("user:ann", "POST", "pulls", sent)).status_code == 201
        before = await head_of(home.folder, "main")
        [one] = home.pulls.values()
        answer = await place.merge("user:eve", one, sha=one.head_sha, merge_method=method)
        assert answer.status_code == 200, answer.text
        told = await run(home.folder, "log", "--format=%s", f"{before}..main")
        assert told.splitlines() == commits
        assert await run(home.folder, "show", "main:a.py") == "2"
        assert await run(home.folder, "show", "main:other.py") == "1"
        assert one.base_sha == before


async def test_the_people_of_replayed_commits_stay_and_a_conflict_is_refused(place: Town) -> None:
    home = await place.use()
    one = await place.open()
    await place.there.push(home, "work", "ann", {"work.py": "x = 2\n"})
    await place.there.push(home, "main", "bob", {"other.py": "1\n"})
    authors = await run(home.folder, "log", "--format=%an %aI", "main..work")
    assert (await place.merge("user:eve", one, merge_method="rebase")).status_code == 200
    assert await run(home.folder, "log", "-2", "--format=%an %aI", "main") == authors
    other = await place.open("other")
    await place.there.push(home, "main", "bob", {"other.py": "9\n"})
    assert (await place.merge("user:eve", other, merge_method="rebase")).status_code == 405
    assert other.state == "open"
