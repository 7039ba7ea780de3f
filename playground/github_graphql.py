"""GraphQL of the GitHub stand-in: what a card asks about a pull request, and the mutations REST lacks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphql import GraphQLError, GraphQLSchema, build_schema, graphql

from playground import github_git as git
from playground import github_rules as rules
from playground.github_state import Account, CheckRun, Pull, Repository, Review, stamp
from playground.github_tokens import Credential
from playground.github_world import Forge, Refused

SCHEMA = Path(__file__).with_name("github.graphql")

Json = dict[str, Any]


class Endpoint:
    """Answers documents against `playground/github.graphql`, whose names are GitHub's."""

    def __init__(self, forge: Forge) -> None:
        self._forge = forge
        self._schema: GraphQLSchema = build_schema(SCHEMA.read_text("utf-8"))

    async def answer(self, document: str, variables: Mapping[str, Any], who: Credential) -> Json:
        """`{"data": ..., "errors": [...]}` for who asks."""
        root = Root(self._forge, who)
        done = await graphql(self._schema, document, root_value=root, variable_values=dict(variables))
        answer: Json = {"data": done.data}
        if done.errors:
            answer["errors"] = [
                {
                    "type": (error.extensions or {}).get("type", "UNPROCESSABLE"),
                    "path": error.path,
                    "message": error.message,
                }
                for error in done.errors
            ]
        return answer


def _not_found(what: str) -> GraphQLError:
    return GraphQLError(f"Could not resolve to a {what}.", extensions={"type": "NOT_FOUND"})


class Root:
    """Query and Mutation for one caller."""

    def __init__(self, forge: Forge, who: Credential) -> None:
        self._forge = forge
        self._who = who

    def viewer(self, _: Any) -> Json:
        return actor(self._who.account)

    async def repository(self, _: Any, *, owner: str, name: str, **__: Any) -> Json:
        world = self._forge.world
        home = world.repository(f"{owner}/{name}") or world.moved(f"{owner}/{name}")
        if home is None or not self._sees(home):
            raise _not_found(f"Repository with the name '{owner}/{name}'")
        return repository(self._forge, home, self._who.account)

    def _sees(self, home: Repository) -> bool:
        if self._who.kind == "installation":
            return self._who.repositories is None or home.id in self._who.repositories
        return home.permission(self._who.account) != "none"

    def _pull(self, node: str) -> tuple[Repository, Pull]:
        for home in self._forge.world.repositories:
            for one in home.pulls.values():
                if one.node_id == node and self._sees(home):
                    return home, one
        raise _not_found("node with the global id")

    def _acting(self, home: Repository) -> Account:
        """Only people act here, and only those who may push."""
        if self._who.kind not in ("user", "personal"):
            raise GraphQLError("Resource not accessible by integration", extensions={"type": "FORBIDDEN"})
        if not home.writes(self._who.account):
            raise GraphQLError("You do not have permission.", extensions={"type": "FORBIDDEN"})
        return self._who.account

    async def _changed(self, home: Repository, one: Pull) -> Json:
        return {"pullRequest": await pull(self._forge, home, one, self._who.account)}

    async def markPullRequestReadyForReview(self, _: Any, *, input: Json) -> Json:
        home, one = self._pull(input["pullRequestId"])
        account = self._who.account
        if account.id != one.author.id:
            account = self._acting(home)
        self._forge.ready(home, one, account, is_draft=False)
        return await self._changed(home, one)

    async def convertPullRequestToDraft(self, _: Any, *, input: Json) -> Json:
        home, one = self._pull(input["pullRequestId"])
        self._forge.ready(home, one, self._acting(home), is_draft=True)
        return await self._changed(home, one)

    async def enablePullRequestAutoMerge(self, _: Any, *, input: Json) -> Json:
        home, one = self._pull(input["pullRequestId"])
        method = input.get("mergeMethod") or "MERGE"
        await self._try(
            self._forge.auto_merge(
                home, one, self._acting(home), sha=input.get("expectedHeadOid"), method=method
            )
        )
        return await self._changed(home, one)

    async def disablePullRequestAutoMerge(self, _: Any, *, input: Json) -> Json:
        home, one = self._pull(input["pullRequestId"])
        self._acting(home)
        one.auto_merge = None
        return await self._changed(home, one)

    async def enqueuePullRequest(self, _: Any, *, input: Json) -> Json:
        home, one = self._pull(input["pullRequestId"])
        by = self._acting(home)
        await self._try(self._forge.enqueue(home, one, by, sha=input.get("expectedHeadOid")))
        return {"mergeQueueEntry": queue_entry(home, one)}

    async def dequeuePullRequest(self, _: Any, *, input: Json) -> Json:
        home, one = self._pull(input["id"])
        self._acting(home)
        one.is_queued = False
        return {"mergeQueueEntry": None}

    async def _try(self, deed: Any) -> None:
        try:
            await deed
        except Refused as refused:
            raise GraphQLError(str(refused), extensions={"type": "UNPROCESSABLE"}) from refused


def actor(one: Account) -> Json:
    kind = "Bot" if one.type == "Bot" else "User"
    return {"__typename": kind, "login": one.login, "databaseId": one.id, "name": one.name}


def repository(forge: Forge, home: Repository, viewer: Account) -> Json:
    async def pull_request(_: Any, *, number: int) -> Json:
        one = home.pulls.get(number)
        if one is None:
            raise _not_found(f"PullRequest with the number of {number}")
        return await pull(forge, home, one, viewer)

    return {
        "id": f"R_{home.id}",
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


async def pull(forge: Forge, home: Repository, one: Pull, viewer: Account) -> Json:
    """Everything about a pull request that our schema names."""
    change = await git.change_of(home.folder, one.merging.get("base", one.base), one.head_sha)
    if one.is_merged:  # Since then, the base holds it.
        change = await git.change_of(home.folder, f"{one.merge_sha}^", one.head_sha)
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
        "closedAt": stamp(one.updated_at) if one.state == "closed" else None,
        "updatedAt": stamp(one.updated_at),
        "headRefName": one.branch,
        "headRefOid": one.head_sha,
        "baseRefName": one.base,
        "baseRefOid": await git.head_of(home.folder, one.base),
        "additions": change.additions,
        "deletions": change.deletions,
        "changedFiles": len(change.files),
        "files": {"nodes": [{"path": path} for path, _, _ in change.files[:100]]},
        "reviewDecision": rules.decision(home, one),
        "isInMergeQueue": one.is_queued,
        "isMergeQueueEnabled": home.rules.has_queue,
        "mergeQueueEntry": queue_entry(home, one),
        "autoMergeRequest": (
            {"mergeMethod": method.upper(), "enabledBy": actor(one.auto_merge[0])} if one.auto_merge else None
        ),
        "author": actor(one.author),
        "mergedBy": actor(one.merged_by) if one.merged_by else None,
        "mergeCommit": {"oid": one.merge_sha} if one.merge_sha else None,
        "viewerDidAuthor": viewer.id == one.author.id,
        "viewerCanMergeAsAdmin": home.permission(viewer) == "admin",
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
        "body": one.body,
    }


def queue_entry(home: Repository, one: Pull) -> Json | None:
    if not one.is_queued:
        return None
    waiting = [each for each in home.pulls.values() if each.is_queued]
    place = waiting.index(one) + 1
    return {"id": one.node_id, "position": place, "state": "QUEUED", "estimatedTimeToMerge": 60}


def checks(forge: Forge, home: Repository, one: Pull) -> Json | None:
    runs = rules.newest_checks(home, one.head_sha)
    required = home.rules.checks

    def context(run: CheckRun) -> Json:
        needed = run.name in required and required[run.name] in (None, run.app_id)
        slug = forge.app.slug if run.app_id == forge.app.id else "ci"
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
    missing = list(rules.missing_checks(home, one.head_sha))
    state = rules.rollup(runs) or "PENDING"
    return {
        "state": "PENDING" if missing and state == "SUCCESS" else state,
        "contexts": {"nodes": nodes, "pageInfo": page},
    }
