"""Looks at a pull request, reviews of it, and people who want something done with it."""

from dataclasses import dataclass, replace

from core.policy import Actor
from core.pulls import (
    Check,
    CheckState,
    CodeAccount,
    CodeReview,
    Decision,
    MergeMethod,
    MergeState,
    Permission,
    PullFacts,
    PullRef,
    PullState,
    ReviewState,
)

HEAD, OTHER, OLD = "a" * 40, "b" * 40, "c" * 40
AUTHOR, PERSON, INDEPENDENT = 1, 7, 8

FACTS = PullFacts(
    ref=PullRef("acme/shop", 87),
    url="https://github.test/acme/shop/pull/87",
    title="Search",
    author="author",
    author_id=AUTHOR,
    state=PullState.OPEN,
    is_draft=False,
    head_sha=HEAD,
    branch="eng-1",
    base="main",
    files=3,
    additions=41,
    deletions=6,
    methods=(MergeMethod.SQUASH, MergeMethod.MERGE),
    reviews_needed=1,
)
GREEN = replace(FACTS, merge_state=MergeState.CLEAN, decision=Decision.APPROVED)
RED = (Check("build", CheckState.FAILED, required=True), Check("lint", CheckState.RUNNING, required=True))


def review(id: int, state: ReviewState = ReviewState.APPROVED, sha: str = HEAD, **more: object) -> CodeReview:
    """By somebody who may push."""
    return replace(CodeReview(f"user{id}", id, state, sha, writes=True), **more)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Kind:
    """A kind of person."""

    known: bool = True
    linked: bool = True
    permission: Permission = Permission.WRITE
    steered: bool = False
    is_author: bool = False
    reads_only: bool = False
    bot: bool = False


def actor(kind: Kind) -> Actor:
    id = AUTHOR if kind.is_author else PERSON
    account = CodeAccount(person="linear:eve", id=id, login="eve", can_act=kind.linked)
    return Actor(
        name="Eve",
        account=account if kind.known else None,
        permission=kind.permission,
        reads_only=kind.reads_only,
        steered=kind.steered,
        is_bot=kind.bot,
    )
