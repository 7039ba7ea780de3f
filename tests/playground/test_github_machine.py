"""Whatever people and tokens do in whatever order, GitHub's stand-in lets through what the rules allow.

The rules are written once more here, in their own way; git itself is asked what moved and what was merged.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from playground.github_git import head_of, run
from playground.github_state import Pull
from tests.playground.github_town import Town, git, town

T = TypeVar("T")

BOT = "threadline[bot]"
WRITERS = ("ann", "bob", "eve", "root")
OTHERS = ("tim", "guest", "stranger")
BRANCHES = ("one", "two")
MUTATION = "mutation M($input: {type}Input!) {{ {field}(input: $input) {{ {asked} }} }}"

ready_to_act = st.sampled_from([f"{kind}:{login}" for login in WRITERS for kind in ("user", "personal")])
strange = st.sampled_from([f"{kind}:{login}" for login in OTHERS for kind in ("user", "personal")])
anybody = st.integers(0, 5).flatmap(lambda n: [strange, st.just("installation"), *[ready_to_act] * 4][n])
"""Mostly those who may."""
pulls = st.sampled_from([-1, -1, -1, 0])
approvals = st.sampled_from([None, 0, 1, 2, 3])
"""How many are given right before or right behind; None where nothing is seen to."""

RULES: dict[str, dict[str, Any]] = {
    "the last push": {"reviews": 1, "last_push": True},
    "checks": {"checks": {"build": None}, "is_strict": True},
    "a queue": {"reviews": 1, "checks": {"build": None}, "has_queue": True},
    "owners": {"reviews": 2, "owners": ("bob",), "dismiss_stale": False},
}
branches = st.sampled_from(BRANCHES)


def login_of(who: str) -> str:
    return who.partition(":")[2] or BOT


def writes(who: str) -> bool:
    """People need the permission; the app's installation has the right."""
    return login_of(who) in (*WRITERS, BOT)


@dataclass(slots=True)
class Known:
    """What has to be true of a pull request. `reviews`: number -> [login, state], as they were handed in."""

    real: Pull
    branch: str
    author: str
    head: str
    is_draft: bool
    state: str = "open"
    reviews: dict[int, list[str]] = field(default_factory=dict)
    pending: dict[str, int] = field(default_factory=dict)
    auto: str | None = None
    queued: str | None = None

    def opinions(self) -> dict[str, str]:
        return {login: state for login, state in self.reviews.values() if state != "COMMENTED"}


class People(RuleBasedStateMachine):
    """One repository with two branches beside the protected one; every rule is something that is tried."""

    runner: ClassVar[asyncio.Runner]
    place: ClassVar[Town]
    wanted: ClassVar[dict[str, Any]]

    def __init__(self) -> None:
        super().__init__()
        self.pulls: list[Known] = []
        self.heads: dict[str, str] = {}
        self.pushers: dict[str, str] = {}
        self.builds: dict[str, str | None] = {}
        self.pushes = 0
        self.merged_by_hand: Known | None = None

    def now(self, doing: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(doing)

    def git(self, *arguments: str) -> str:
        return self.now(run(self.home.folder, *arguments, ok=(0, 1)))

    @initialize(author=st.one_of(ready_to_act, st.just("installation")), waits=st.booleans())
    def begins(self, author: str, waits: bool) -> None:
        self.home = self.now(self.place.use(**self.wanted))
        self.demands = self.home.rules
        self.tree = self.now(self.place.tree({}))
        self.main = self.first = self.git("rev-parse", "main")
        self.pushes_work("user:ann", "one", is_shared=True, with_main=False)
        self.opens(author, "one", is_draft=False)
        if waits:
            self.has_it_merged_by_itself("user:eve", 0, is_seen=True, approvals=None)

    # What the rules say.

    def is_content(self, one: Known) -> bool:
        """Whether reviews and checks are as the branch asks."""
        if self.demands.reviews or self.demands.owners:
            seen = {login: state for login, state in one.opinions().items() if login in WRITERS}
            given = {login for login, state in seen.items() if state == "APPROVED"} - {one.author}
            if self.demands.last_push:
                given.discard(self.pushers[one.branch])
            enough = len(given) >= self.demands.reviews and given >= set(self.demands.owners)
            if "CHANGES_REQUESTED" in seen.values() or not enough:
                return False
        return not self.demands.checks or self.builds.get(one.head) == "success"

    def is_behind(self, one: Known, base: str) -> bool:
        return self.demands.is_strict and self.git("rev-list", "--count", f"{one.head}..{base}") != "0"

    def conflicts(self, one: Known) -> bool:
        return "CONFLICT" in self.git("merge-tree", "--write-tree", "main", one.head)

    def lets_merge(self, one: Known, login: str) -> bool:
        if one.state != "open" or one.is_draft or self.conflicts(one):
            return False
        return login == "root" or (self.is_content(one) and not self.is_behind(one, "main"))

    def pull(self, number: int) -> Known:
        return self.pulls[number % len(self.pulls)]

    def open_on(self, branch: str) -> Known | None:
        return next((one for one in self.pulls if one.branch == branch and one.state == "open"), None)

    def moved(self, one: Known) -> None:
        one.head, one.queued = self.heads[one.branch], None
        if self.demands.dismiss_stale:
            for review in one.reviews.values():
                review[1] = "DISMISSED" if review[1] == "APPROVED" else review[1]

    def mutate(self, who: str, one: Known, name: str, asked: str = "pullRequest { id }", **more: str) -> bool:
        document = MUTATION.format(type=name[0].upper() + name[1:], field=name, asked=asked)
        told = self.now(self.place.graphql(who, document, input={"pullRequestId": one.real.node_id, **more}))
        return "errors" not in told

    def see_to(self, number: int, approvals: int) -> None:
        """All that a usual pull request needs, perhaps with too few approvals."""
        self.makes_ready("user:root", number, is_draft=False)
        self.builds_it(number, "success")
        for login in ("bob", "eve", "ann")[:approvals]:
            self.nothing_merges_by_itself_that_must_not()
            self.reviews(f"user:{login}", number, "APPROVE", is_known=True)
        self.nothing_merges_by_itself_that_must_not()
        self.what_is_told_is_true()

    # What is tried.

    @rule(
        who=anybody, branch=branches, is_shared=st.booleans(), with_main=st.sampled_from([False] * 3 + [True])
    )
    def pushes_work(self, who: str, branch: str, is_shared: bool, with_main: bool) -> None:
        self.pushes += 1
        self.now(git(self.tree, "checkout", "--quiet", "--detach", self.heads.get(branch, self.first)))
        for path in [f"{branch}.txt", *(["shared.txt"] if is_shared else [])]:
            (self.tree / path).write_text(f"{self.pushes}\n")
        self.now(git(self.tree, "add", "--all"))
        self.now(git(self.tree, "commit", "--quiet", f"--message={self.pushes}"))
        refs = [f"HEAD:refs/heads/{branch}", *(["HEAD:refs/heads/main"] if with_main else [])]
        code, said = self.now(git(self.tree, "push", "--force", self.place.address(who), *refs))
        assert (code == 0) == (writes(who) and not with_main), said
        if code == 0:
            self.heads[branch] = self.now(git(self.tree, "rev-parse", "HEAD"))[1].strip()
            self.pushers[branch] = login_of(who)
            if one := self.open_on(branch):
                self.moved(one)

    @rule(who=anybody, branch=branches, is_draft=st.booleans())
    def opens(self, who: str, branch: str, is_draft: bool) -> None:
        sent = {"head": branch, "base": "main", "title": "Work", "draft": is_draft}
        answer = self.now(self.place.call(who, "POST", "pulls", sent))
        is_new = branch in self.heads and self.open_on(branch) is None
        has_changes = is_new and bool(self.git("diff", "--name-only", f"main...{branch}"))
        assert (answer.status_code == 201) == (writes(who) and has_changes), answer.text
        if answer.status_code == 201:
            real = self.home.pulls[answer.json()["number"]]
            self.pulls.append(Known(real, branch, login_of(who), self.heads[branch], is_draft))

    @rule(
        who=anybody,
        number=pulls,
        event=st.sampled_from(["APPROVE"] * 4 + ["REQUEST_CHANGES", "COMMENT", ""]),
        is_known=st.sampled_from([True] * 4 + [False]),
    )
    def reviews(self, who: str, number: int, event: str, is_known: bool) -> None:
        one, login = self.pull(number), login_of(who)
        sent = {"body": "b", "commit_id": one.head if is_known else self.first}
        sent |= {"event": event} if event else {}
        answer = self.now(self.place.call(who, "POST", f"pulls/{one.real.number}/reviews", sent))
        is_own = login == one.author and event in ("APPROVE", "REQUEST_CHANGES")
        is_late = one.state == "merged" and event != "COMMENT"
        is_taken = is_known and login != "stranger" and login not in one.pending and not is_own
        assert (answer.status_code == 200) == (is_taken and not is_late), answer.text
        if answer.status_code == 200:
            told = answer.json()
            if event:
                one.reviews[told["id"]] = [login, told["state"]]
            else:
                one.pending[login] = told["id"]

    @rule(who=anybody, number=pulls, event=st.sampled_from(["APPROVE", "REQUEST_CHANGES"]))
    def hands_in(self, who: str, number: int, event: str) -> None:
        one, login = self.pull(number), login_of(who)
        mine = one.pending.get(login, 0)
        answer = self.now(
            self.place.call(who, "POST", f"pulls/{one.real.number}/reviews/{mine}/events", {"event": event})
        )
        assert (answer.status_code == 200) == (mine > 0 and login != one.author and one.state != "merged")
        if answer.status_code == 200:
            del one.pending[login]
            one.reviews[mine] = [login, answer.json()["state"]]

    @rule(who=anybody, number=pulls, which=st.integers(0, 5))
    def dismisses(self, who: str, number: int, which: int) -> None:
        one = self.pull(number)
        if not one.reviews:
            return
        id = list(one.reviews)[which % len(one.reviews)]
        place = f"pulls/{one.real.number}/reviews/{id}/dismissals"
        answer = self.now(self.place.call(who, "PUT", place, {"message": "m"}))
        has_opinion = one.reviews[id][1] in ("APPROVED", "CHANGES_REQUESTED")
        assert (answer.status_code == 200) == (writes(who) and has_opinion), answer.text
        if answer.status_code == 200:
            one.reviews[id][1] = "DISMISSED"

    @rule(number=pulls, conclusion=st.sampled_from(["success", "success", "failure", None]))
    def builds_it(self, number: int, conclusion: str | None) -> None:
        one = self.pull(number)
        self.builds[one.head] = conclusion
        self.now(self.place.there.check(self.home, one.head, "build", conclusion))

    @rule(who=anybody, number=pulls, is_draft=st.sampled_from([False, False, True]))
    def makes_ready(self, who: str, number: int, is_draft: bool) -> None:
        one = self.pull(number)
        name = "convertPullRequestToDraft" if is_draft else "markPullRequestReadyForReview"
        is_done = self.mutate(who, one, name)
        assert is_done == (login_of(who) in (*WRITERS, one.author) and login_of(who) != "stranger")
        if is_done:
            one.is_draft = is_draft

    @rule(who=anybody, number=pulls, state=st.sampled_from(["open", "open", "open", "closed"]))
    def closes_or_reopens(self, who: str, number: int, state: str) -> None:
        one = self.pull(number)
        answer = self.now(self.place.call(who, "PATCH", f"pulls/{one.real.number}", {"state": state}))
        may = writes(who) or login_of(who) == "tim"
        stays = one.state == "merged" and state == "open"
        other = self.open_on(one.branch) if state == "open" else one
        assert (answer.status_code == 200) == (may and not stays and other in (None, one)), answer.text
        if answer.status_code == 200 and one.state not in (state, "merged"):
            one.state = state
            if state == "closed":
                one.auto = one.queued = None
            elif one.head != self.heads[one.branch]:
                self.moved(one)

    @rule(
        who=st.one_of(ready_to_act, anybody),
        number=pulls,
        method=st.sampled_from(["merge", "squash", "rebase"]),
        is_async=st.booleans(),
        is_seen=st.sampled_from([True] * 4 + [False]),
        approvals=approvals,
        then=st.sampled_from(["", "", "push", "draft"]),
    )
    def merges(
        self,
        who: str,
        number: int,
        method: str,
        is_async: bool,
        is_seen: bool,
        approvals: int | None,
        then: str,
    ) -> None:
        if approvals is not None:
            self.see_to(number, approvals)
        if then == "push":
            self.pushes_work("user:eve", self.pull(number).branch, is_shared=False, with_main=False)
        elif then == "draft":
            self.makes_ready("user:root", number, is_draft=True)
        one = self.pull(number)
        is_allowed = writes(who) and self.lets_merge(one, login_of(who)) and is_seen
        sent = {"merge_method": method, "sha": one.head if is_seen else self.first}
        place = f"pulls/{one.real.number}/{'merge-async' if is_async else 'merge'}"
        answer = self.now(self.place.call(who, "PUT", place, sent))
        if self.demands.has_queue and is_async:
            assert (answer.status_code == 200) == is_allowed, answer.text
            one.queued = login_of(who) if is_allowed else one.queued
            return
        if self.demands.has_queue and login_of(who) != "root":
            is_allowed = False
        is_replayed = "rebased" not in answer.text
        assert (answer.status_code == 200) == (is_allowed and (method != "rebase" or is_replayed)), (
            answer.text
        )
        if answer.status_code == 200:
            self.merged_by_hand = one

    @rule(who=st.one_of(ready_to_act, anybody), number=pulls, is_seen=st.booleans(), approvals=approvals)
    def has_it_merged_by_itself(self, who: str, number: int, is_seen: bool, approvals: int | None) -> None:
        one = self.pull(number)
        more = {"expectedHeadOid": one.head} if is_seen else {}
        if self.mutate(who, one, "enablePullRequestAutoMerge", mergeMethod="SQUASH", **more):
            assert login_of(who) in WRITERS
            assert one.state == "open"
            one.auto = login_of(who)
        if approvals is not None:
            self.see_to(number, approvals)

    @rule()
    def queue_gets_round(self) -> None:
        self.now(self.place.there.forge.merge_queue(self.home))

    @rule()
    def is_renamed(self) -> None:
        self.place.there.forge.rename(self.home, f"{self.home.name}x")

    # What always holds.

    @invariant()
    def nothing_merges_by_itself_that_must_not(self) -> None:
        found = [one for one in self.pulls if one.real.is_merged and one.state != "merged"]
        for one in sorted(found, key=lambda one: str(one.real.merged_at)):
            base, by = one.real.base_sha, one.real.merged_by
            assert by is not None
            if one is not self.merged_by_hand:
                assert by.login in {one.auto, one.queued}
                assert self.is_content(one) or (one.queued == "root")
                assert not self.is_behind(one, base) or one.queued == "root"
            assert self.main == base
            self.main = one.real.merge_sha or ""
            for path in self.git("diff", "--name-only", f"{base}...{one.head}").splitlines():
                assert self.git("show", f"{self.main}:{path}") == self.git("show", f"{one.head}:{path}")
            one.state, one.auto, one.queued = "merged", None, None
        self.merged_by_hand = None
        assert self.git("rev-parse", "main") == self.main

    @invariant()
    def what_is_told_is_true(self) -> None:
        for one in self.pulls:
            assert one.real.state == ("open" if one.state == "open" else "closed")
            assert (one.real.head_sha, one.real.is_draft) == (one.head, one.is_draft)
            if one.state == "open":
                assert self.now(head_of(self.home.folder, one.branch)) == one.head
                self.follow(one)

    def follow(self, one: Known) -> None:
        """Auto-merge goes on as soon as the rules are content, into the queue if there is one."""
        real = one.real
        if one.queued is None and real.queued_by is not None:
            assert real.queued_by.login == one.auto
            assert self.is_content(one)
        one.queued = real.queued_by.login if real.queued_by else None
        one.auto = real.auto_merge[0].login if real.auto_merge else None
        if one.auto:
            assert (
                not self.is_content(one) or one.is_draft or self.is_behind(one, "main") or self.conflicts(one)
            )


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[type[People]]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        People.runner = runner
        folder = tmp_path_factory.mktemp("github")
        People.place = runner.run(stack.enter_async_context(town(folder)))
        yield People
        runner.run(stack.aclose())


@pytest.mark.parametrize("wanted", list(RULES.values()), ids=list(RULES))
def test_the_rules_hold_whatever_is_done(people: type[People], wanted: dict[str, Any]) -> None:
    people.wanted = wanted
    run_state_machine_as_test(
        people,
        settings=settings(
            max_examples=5,
            report_multiple_bugs=False,
            phases=[Phase.generate],
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
