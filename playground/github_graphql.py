"""GraphQL of the GitHub stand-in: what a card asks about a pull request, and the mutations REST lacks."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    build_schema,
    graphql,
    parse,
)

from playground import github_rules as rules
from playground.github_rights import Refused, demand_permission, demand_person, demand_right, sees
from playground.github_state import Account, CheckRun, Pull, Repository, Review, stamp
from playground.github_tokens import Credential
from playground.github_views import slug_of
from playground.github_world import Forge

SCHEMA = Path(__file__).with_name("github.graphql")

Json = dict[str, Any]


@cache
def schema() -> GraphQLSchema:
    return build_schema(SCHEMA.read_text("utf-8"))


def described(document: str) -> tuple[str, tuple[str, ...]]:
    """The name of a document's first operation, and the mutations that it makes."""
    try:
        parsed = parse(document)
    except GraphQLError:
        return "", ()
    found = [one for one in parsed.definitions if isinstance(one, OperationDefinitionNode)]
    name = found[0].name.value if found and found[0].name else ""
    deeds = (
        field.name.value
        for one in found
        if one.operation is OperationType.MUTATION
        for field in one.selection_set.selections
        if isinstance(field, FieldNode)
    )
    return name, tuple(deeds)


class Endpoint:
    """Answers documents against `playground/github.graphql`, whose names are GitHub's."""

    def __init__(self, forge: Forge) -> None:
        self._forge = forge

    async def answer(self, document: str, variables: Mapping[str, Any], who: Credential) -> Json:
        """`{"data": ..., "errors": [...]}` for who asks."""
        root = Root(self._forge, who)
        done = await graphql(schema(), document, root_value=root, variable_values=dict(variables))
        answer: Json = {"data": done.data}
        if done.errors:
            answer["errors"] = [_told(error) for error in done.errors]
        return answer


def _told(error: GraphQLError) -> Json:
    """A refusal has a type; what the schema does not take has a code instead."""
    if error.original_error is not None and not isinstance(error.original_error, GraphQLError):
        raise error.original_error
    if kind := (error.extensions or {}).get("type"):
        return {"type": kind, "path": error.path, "message": error.message}
    return {"extensions": {"code": "invalidDocument"}, "message": error.message}


def _not_found(what: str) -> GraphQLError:
    return GraphQLError(f"Could not resolve to a {what}.", extensions={"type": "NOT_FOUND"})


@contextmanager
def _refusing() -> Iterator[None]:
    """GitHub's refusals in the words of GraphQL."""
    try:
        yield
    except Refused as refused:
        kind = "FORBIDDEN" if refused.status == 403 else "UNPROCESSABLE"
        raise GraphQLError(str(refused), extensions={"type": kind}) from refused


class Root:
    """Query and Mutation for one caller."""

    def __init__(self, forge: Forge, who: Credential) -> None:
        self._forge = forge
        self._who = who

    async def repository(self, _: Any, *, owner: str, name: str, followRenames: bool | None = None) -> Json:
        world, full_name = self._forge.world, f"{owner}/{name}"
        home = world.repository(full_name)
        if home is None and followRenames is not False:
            home = world.moved(full_name)
        if home is None or not sees(self._who, home):
            raise _not_found(f"Repository with the name '{full_name}'")
        return repository(self._forge, home)

    def _pull(self, node: str) -> tuple[Repository, Pull]:
        for home in self._forge.world.repositories:
            for one in home.pulls.values():
                if one.node_id == node and sees(self._who, home):
                    return home, one
        raise _not_found(f"node with the global id of '{node}'")

    def _acting(self, home: Repository, right: str, *, or_is: Account | None = None) -> Account:
        """Who acts: those who may push, or who is named; of apps, none but the named."""
        with _refusing():
            demand_right(self._forge.app, self._who, right, "write")
            if self._who.account is not or_is:
                demand_person(self._who)
            demand_permission(self._who, home, "write", or_is=or_is)
        return self._who.account

    async def _changed(self, home: Repository, one: Pull) -> Json:
        return {"pullRequest": await pull(self._forge, home, one)}

    async def markPullRequestReadyForReview(self, _: Any, *, input: Json) -> Json:
        home, one = self._pull(input["pullRequestId"])
        by = self._acting(home, "pull_requests", or_is=one.author)
        self._forge.ready(home, one, by, is_draft=False)
        await self._forge.settle(home, one)
        return await self._changed(home, one)

    async def convertPullRequestToDraft(self, _: Any, *, input: Json) -> Json:
        home, one = self._pull(input["pullRequestId"])
        by = self._acting(home, "pull_requests", or_is=one.author)
        self._forge.ready(home, one, by, is_draft=True)
        return await self._changed(home, one)

    async def enablePullRequestAutoMerge(self, _: Any, *, input: Json) -> Json:
        home, one = self._pull(input["pullRequestId"])
        by, sha = self._acting(home, "contents"), input.get("expectedHeadOid")
        with _refusing():
            await self._forge.auto_merge(home, one, by, sha=sha, method=input.get("mergeMethod") or "MERGE")
        return await self._changed(home, one)

    async def disablePullRequestAutoMerge(self, _: Any, *, input: Json) -> Json:
        home, one = self._pull(input["pullRequestId"])
        self._forge.end_auto_merge(home, one, self._acting(home, "contents"))
        return await self._changed(home, one)

    async def enqueuePullRequest(self, _: Any, *, input: Json) -> Json:
        home, one = self._pull(input["pullRequestId"])
        by = self._acting(home, "contents")
        with _refusing():
            await self._forge.enqueue(home, one, by, sha=input.get("expectedHeadOid"))
        return {"mergeQueueEntry": queue_entry(home, one)}

    async def dequeuePullRequest(self, _: Any, *, input: Json) -> Json:
        home, one = self._pull(input["id"])
        self._forge.dequeue(home, one, self._acting(home, "contents"))
        return {"mergeQueueEntry": None}


def actor(one: Account) -> Json:
    kind = "Bot" if one.type == "Bot" else "User"
    return {"__typename": kind, "login": one.login, "databaseId": one.id}


def repository(forge: Forge, home: Repository) -> Json:
    async def pull_request(_: Any, *, number: int) -> Json:
        one = home.pulls.get(number)
        if one is None:
            raise _not_found(f"PullRequest with the number of {number}")
        return await pull(forge, home, one)

    return {
        "databaseId": home.id,
        "nameWithOwner": home.full_name,
        "isArchived": False,
        "autoMergeAllowed": home.auto_merge_allowed,
        "mergeCommitAllowed": "merge" in home.methods,
        "squashMergeAllowed": "squash" in home.methods,
        "rebaseMergeAllowed": "rebase" in home.methods,
        "viewerDefaultMergeMethod": home.methods[0].upper(),
        "pullRequest": pull_request,
    }


async def pull(forge: Forge, home: Repository, one: Pull) -> Json:
    """Everything about a pull request that our schema names."""
    change = await forge.change(home, one)
    reviews = list(rules.latest(one).values())
    opinions = [each for each in rules.opinions(one).values() if home.writes(each.by)]
    method = one.auto_merge[1] if one.auto_merge else ""
    return {
        **await forge.state(home, one),
        "id": one.node_id,
        "number": one.number,
        "url": f"{forge.url}/{home.full_name}/pull/{one.number}",
        "title": one.title,
        "body": one.body,
        "isDraft": one.is_draft,
        "isCrossRepository": False,
        "state": "MERGED" if one.is_merged else one.state.upper(),
        "merged": one.is_merged,
        "mergedAt": stamp(one.merged_at) if one.merged_at else None,
        "closedAt": stamp(one.closed_at) if one.closed_at else None,
        "updatedAt": stamp(one.updated_at),
        "headRefName": one.branch,
        "headRefOid": one.head_sha,
        "baseRefName": one.base,
        "baseRefOid": one.base_sha,
        "additions": change.additions,
        "deletions": change.deletions,
        "changedFiles": len(change.files),
        "files": {"nodes": [{"path": path} for path, _, _ in change.files[:100]]},
        "reviewDecision": rules.decision(home, one),
        "isInMergeQueue": one.is_queued,
        "isMergeQueueEnabled": home.rules_of(one).has_queue,
        "mergeQueueEntry": queue_entry(home, one),
        "autoMergeRequest": (
            {"mergeMethod": method.upper(), "enabledBy": actor(one.auto_merge[0])} if one.auto_merge else None
        ),
        "author": actor(one.author),
        "mergedBy": actor(one.merged_by) if one.merged_by else None,
        "mergeCommit": {"oid": one.merge_sha} if one.merge_sha else None,
        "latestOpinionatedReviews": {"nodes": [review(each) for each in opinions]},
        "latestReviews": {"nodes": [review(each) for each in reviews]},
        "reviewRequests": {
            "nodes": [
                {"asCodeOwner": True, "requestedReviewer": actor(forge.world.account(owner))}
                for owner in rules.missing_owners(home, one)
            ]
        },
        "timelineItems": {
            "nodes": ([{"__typename": "ClosedEvent", "actor": actor(one.closed_by)}] if one.closed_by else [])
        },
        "statusCheckRollup": checks(forge, home, one),
    }


def review(one: Review) -> Json:
    return {
        "fullDatabaseId": str(one.id),
        "state": one.state,
        "submittedAt": stamp(one.at),
        "authorCanPushToRepository": one.may_push,
        "author": actor(one.by),
        "commit": {"oid": one.sha},
    }


def queue_entry(home: Repository, one: Pull) -> Json | None:
    if not one.is_queued:
        return None
    waiting = [each for each in home.pulls.values() if each.is_queued]
    place = waiting.index(one) + 1
    return {"id": one.node_id, "position": place, "state": "QUEUED", "estimatedTimeToMerge": 60}


def checks(forge: Forge, home: Repository, one: Pull) -> Json | None:
    runs = rules.newest_checks(home, one.head_sha)
    required = home.rules_of(one).checks

    def context(run: CheckRun) -> Json:
        needed = run.name in required and required[run.name] in (None, run.app_id)
        slug = slug_of(run.app_id, forge.app)
        return {
            "__typename": "CheckRun",
            "databaseId": run.id,
            "name": run.name,
            "status": run.status.upper(),
            "conclusion": run.conclusion.upper() if run.conclusion else None,
            "detailsUrl": f"{forge.url}/{home.full_name}/runs/{run.id}",
            "startedAt": stamp(run.at),
            "isRequired": lambda _, **__: needed,
            "checkSuite": {"app": {"databaseId": run.app_id, "slug": slug}},
        }

    nodes = [context(run) for run in runs]
    for name, app in required.items():
        if not any(run.name == name and app in (None, run.app_id) for run in runs):
            nodes.append(
                {
                    "__typename": "StatusContext",
                    "context": name,
                    "state": "EXPECTED",
                    "targetUrl": None,
                    "createdAt": stamp(one.updated_at),
                    "isRequired": lambda _, **__: True,
                }
            )
    if not nodes:
        return None
    page = {"hasPreviousPage": False, "startCursor": None}
    missing = list(rules.missing_checks(home, one))
    state = rules.rollup(runs) or "PENDING"
    return {
        "state": "PENDING" if missing and state == "SUCCESS" else state,
        "contexts": {"nodes": nodes, "pageInfo": page},
    }
