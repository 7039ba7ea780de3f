"""Pull requests as people meet them, to be shown on every surface."""

from dataclasses import replace

from core.activities import Author, PullActed, PullShown
from core.ids import TurnId
from core.mirror.cards import PullItem
from core.pulls import (
    Check,
    CheckState,
    CodeReview,
    Decision,
    MergeMethod,
    MergeState,
    PullAction,
    PullFacts,
    PullRef,
    PullState,
    ReviewState,
)

HEAD = "abc1234" + "0" * 33
NEXT = "def5678" + "0" * 33
CARD = "c" * 32
EVE = Author("linear", "eve", "Eve")
PATHS = ("search/issueSearch.py", "search/filters.py", "tests/search/test_archived.py")
GREEN = tuple(Check(name, CheckState.PASSED, required=name == "build") for name in ("build", "lint", "types"))
OURS = Check("independent-review", CheckState.RUNNING, ours=True)
DRAFT = PullFacts(
    ref=PullRef("acme/shop", 87),
    url="https://github.test/acme/shop/pull/87",
    title="ENG-142: Respect includeArchivedProjects in issue search",
    author="threadline[bot]",
    author_id=1,
    state=PullState.OPEN,
    is_draft=True,
    head_sha=HEAD,
    branch="eng-142-search",
    base="main",
    files=3,
    additions=41,
    deletions=6,
    paths=PATHS,
    checks=(*GREEN, Check("e2e", CheckState.RUNNING)),
    decision=Decision.REVIEW_REQUIRED,
    reviews_needed=1,
    merge_state=MergeState.DRAFT,
)
READY = replace(DRAFT, is_draft=False, checks=(*GREEN, OURS), merge_state=MergeState.BLOCKED)
BY_EVE = CodeReview("eve-codes", 7, ReviewState.APPROVED, HEAD, writes=True, name="Eve")
BY_BOB = CodeReview("bob", 8, ReviewState.CHANGES_REQUESTED, HEAD, writes=True, name="Bob")
APPROVED = replace(
    READY,
    checks=(*GREEN, replace(OURS, state=CheckState.PASSED)),
    reviews=(BY_EVE,),
    decision=Decision.APPROVED,
    merge_state=MergeState.CLEAN,
)
MERGED = replace(
    APPROVED, state=PullState.MERGED, merged_by="eve-codes", merged_as=MergeMethod.SQUASH, paths=PATHS
)
FAILED = replace(
    READY,
    checks=(
        Check("lint", CheckState.FAILED),
        Check("build (3.11)", CheckState.FAILED, required=True),
        Check("e2e", CheckState.RUNNING),
        Check("types", CheckState.PASSED, required=True),
    ),
    reviews=(BY_BOB,),
    decision=Decision.CHANGES_REQUESTED,
)
SENSITIVE = replace(
    READY,
    files=14,
    paths=(".github/workflows/ci.yml", "CODEOWNERS", "app/package-lock.json", "src/" + "deep/" * 30 + "x.py"),
    sensitive=(".github/workflows/ci.yml", "CODEOWNERS", "app/package-lock.json", "CLAUDE.md"),
    missing_owners=("acme/search", "acme/build"),
    reviews_needed=2,
    reviews=(
        replace(BY_EVE, sha=NEXT),
        replace(BY_BOB, state=ReviewState.APPROVED, by_bot=True, by="renovate", name=""),
    ),
)
FORGED = replace(
    DRAFT,
    title=(
        "x](https://evil.test) · merged\n3 files +1 −1 · checks 9 of 9 · approved\u202e"
        "<!channel> <at>all</at> *b*"
    ),
    paths=("Approved by Eve", "a · Approved by Eve\nMerged by Eve", "<b>.py", "`c`.py"),
    base="main\nApproved by Eve",
    merge_state=MergeState.BEHIND,
    checks=(Check("e2e) · approved\nApproved by Eve", CheckState.FAILED), *GREEN),
    reviews=(CodeReview("z", 9, ReviewState.APPROVED, HEAD, name="Eve · Merged by Eve\nMerged"),),
)


def shown(facts: PullFacts, *, offer: str = "", is_stale: bool = False) -> PullShown:
    return PullShown(
        card=CARD, facts=facts, turn=TurnId("t1"), steered_by=("Ann", "Bob"), offer=offer, is_stale=is_stale
    )


def acted(action: PullAction, body: str = "x", *, by: Author = EVE, sha: str = HEAD) -> PullActed:
    return PullActed(by=by, account=7, pull=DRAFT.ref, action=action, sha=sha, body=body)


BY_US = (acted(PullAction.READY), acted(PullAction.APPROVE), acted(PullAction.MERGE))
ITEMS: dict[str, PullItem] = {
    "draft": PullItem(shown(DRAFT)),
    "ready": PullItem(shown(READY)),
    "approved": PullItem(shown(APPROVED)),
    "approved_a_moment_ago": PullItem(shown(READY), unseen=(acted(PullAction.APPROVE),)),
    "failed": PullItem(shown(FAILED, offer="`build (3.11)` failed and Bob asked for changes")),
    "conflicting": PullItem(
        shown(replace(READY, merge_state=MergeState.CONFLICTING), offer="it conflicts with main")
    ),
    "behind": PullItem(shown(replace(READY, merge_state=MergeState.BEHIND))),
    "merges_when_green": PullItem(
        shown(replace(READY, auto_merge="eve-codes")), acts=(acted(PullAction.MERGE_WHEN_GREEN),)
    ),
    "queued": PullItem(shown(replace(APPROVED, has_queue=True, queued_at=2))),
    "sensitive": PullItem(shown(SENSITIVE)),
    "merged": PullItem(shown(MERGED), acts=BY_US),
    "merged_elsewhere": PullItem(shown(replace(MERGED, reviews=(), merged_by="zoe", merged_as=None))),
    "closed": PullItem(shown(replace(READY, state=PullState.CLOSED)), acts=(acted(PullAction.CLOSE),)),
    "stale": PullItem(shown(replace(READY, head_sha=NEXT), is_stale=True)),
    "forged": PullItem(shown(FORGED)),
}
