"""The executable schema: the hand-written SDL with resolvers over a `Workspace`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from graphql import (
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    get_named_type,
)

from playground.linear_clock import iso
from playground.linear_documents import DEFAULT_PAGE
from playground.linear_errors import invalid
from playground.linear_events import Event
from playground.linear_model import AgentSession, User
from playground.linear_workspace import Workspace

SDL_PATH = Path(__file__).with_name("linear.graphql")
PAGE_LIMIT = 250

Arguments = dict[str, Any]


@dataclass(slots=True)
class Call:
    """One request: who asks, what it works on, and what it made happen."""

    workspace: Workspace
    actor: User
    events: list[Event] = field(default_factory=list)


Resolver = Callable[[Call, Arguments], Any]


def read_sdl() -> str:
    return SDL_PATH.read_text("utf-8")


def executable_schema(mutations: Mapping[str, Resolver]) -> GraphQLSchema:
    """Build the schema and attach the queries of this module and the given mutations."""
    schema = build_schema(read_sdl())
    _attach(schema.query_type, QUERIES)
    _attach(schema.mutation_type, mutations)
    content = schema.get_type("AgentActivityContent")
    if isinstance(content, GraphQLUnionType):
        content.resolve_type = _content_type
    return schema


def resolve_field(source: Any, info: GraphQLResolveInfo, **args: Any) -> Any:
    """Read a field from a stored row by its snake_case name; lists under a connection are cut into a page."""
    if isinstance(source, dict):
        return source.get(info.field_name)
    call: Call = info.context
    if computed := COMPUTED.get(f"{info.parent_type.name}.{info.field_name}"):
        value = computed(call, source)
    else:
        value = getattr(source, _snake(info.field_name))
    if get_named_type(info.return_type).name.endswith("Connection"):
        return page(_filtered(value, args.get("filter")), args)
    return iso(value) if isinstance(value, datetime) else value


def page(rows: list[Any], args: Arguments) -> dict[str, Any]:
    """One page of a connection in Linear's Relay form; cursors are row ids."""
    first, last = args.get("first"), args.get("last")
    for size in (first, last):
        if size is not None and not 1 <= size <= PAGE_LIMIT:
            raise invalid(f"page size must be between 1 and {PAGE_LIMIT}")
    start = _start(rows, args.get("after"))
    rest = rows[start:]
    shown = rest[-last:] if last and not first else rest[: first or DEFAULT_PAGE]
    info = {
        "startCursor": shown[0].id if shown else None,
        "endCursor": shown[-1].id if shown else None,
        "hasPreviousPage": bool(shown) and shown[0] is not rows[0],
        "hasNextPage": bool(shown) and shown[-1] is not rows[-1],
    }
    return {"nodes": shown, "pageInfo": info}


def _start(rows: list[Any], cursor: str | None) -> int:
    if cursor is None:
        return 0
    found = next((index for index, row in enumerate(rows) if row.id == cursor), None)
    if found is None:
        raise invalid("after is not a cursor of this connection")
    return found + 1


def _filtered(rows: list[Any], wanted: Mapping[str, Mapping[str, Any]] | None) -> list[Any]:
    tests = (wanted or {}).items()
    return [row for row in rows if all(_fits(getattr(row, name), test) for name, test in tests)]


def _fits(value: str, test: Mapping[str, Any]) -> bool:
    return all(_compare(value, operator, wanted) for operator, wanted in test.items())


def _compare(value: str, operator: str, wanted: Any) -> bool:
    match operator:
        case "eq":
            return bool(value == wanted)
        case "eqIgnoreCase":
            return value.casefold() == str(wanted).casefold()
        case _:  # The schema leaves only `in`.
            return value in wanted


def _suggestions(call: Call, args: Arguments) -> dict[str, Any]:
    """Rank candidates: a repository that the issue names is more likely than one it does not."""
    issue = call.workspace.issue(args["issueId"])
    text = f"{issue.title} {issue.description or ''}".casefold()
    ranked = [
        {
            **candidate,
            "confidence": 0.9 if candidate["repositoryFullName"].split("/")[-1].casefold() in text else 0.2,
        }
        for candidate in args["candidateRepositories"]
    ]
    return {"suggestions": sorted(ranked, key=lambda each: -each["confidence"])}


QUERIES: dict[str, Resolver] = {
    "viewer": lambda call, _: call.actor,
    "organization": lambda call, _: call.workspace.organization,
    "team": lambda call, args: call.workspace.team(args["id"]),
    "teams": lambda call, args: page(list(call.workspace.teams.values()), args),
    "user": lambda call, args: call.workspace.user(args["id"]),
    "users": lambda call, args: page(
        _filtered(list(call.workspace.users.values()), args.get("filter")), args
    ),
    "issue": lambda call, args: call.workspace.issue(args["id"]),
    "issues": lambda call, args: page(list(call.workspace.issues.values()), args),
    "comment": lambda call, args: call.workspace.comment(args.get("id") or ""),
    "attachments": lambda call, args: page(
        _filtered(list(call.workspace.attachments.values()), args.get("filter")), args
    ),
    "agentSession": lambda call, args: call.workspace.session(args["id"]),
    "agentActivity": lambda call, args: call.workspace.activity(args["id"]),
    "issueRepositorySuggestions": _suggestions,
}

COMPUTED: dict[str, Callable[[Call, Any], Any]] = {
    "Organization.teams": lambda call, _: list(call.workspace.teams.values()),
    "Organization.users": lambda call, _: list(call.workspace.users.values()),
    "User.organization": lambda call, _: call.workspace.organization,
    "User.isMe": lambda call, user: user is call.actor,
    "AgentSession.status": lambda call, session: session.status(call.workspace.clock.now()),
    "AgentSession.activities": lambda _, session: session.feed,
    "AgentSession.externalLink": lambda _, session: _first_link(session),
    "AgentSession.externalUrls": lambda _, session: session.external_links,
}


def _first_link(session: AgentSession) -> str | None:
    return session.external_links[0]["url"] if session.external_links else None


def _attach(root: GraphQLObjectType | None, resolvers: Mapping[str, Resolver]) -> None:
    if root is None or set(root.fields) != set(resolvers):
        raise LookupError("every root field of the SDL needs one resolver, and no resolver is left over")
    for name, resolver in resolvers.items():
        root.fields[name].resolve = _adapted(resolver)


def _adapted(resolver: Resolver) -> Callable[..., Any]:
    def resolve(_root: object, info: GraphQLResolveInfo, **args: Any) -> Any:
        return resolver(info.context, args)

    return resolve


def _content_type(content: Mapping[str, Any], _info: GraphQLResolveInfo, _union: object) -> str:
    return f"AgentActivity{content['type'].capitalize()}Content"


@cache
def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower()
