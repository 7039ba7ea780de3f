"""Stand-ins for Linear's server and for a token that can be renewed."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from graphql import (
    GraphQLEnumType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    get_nullable_type,
    graphql_sync,
    is_list_type,
)

from linear.client import LinearClient, StaticToken, TokenSource
from linear.errors import Unauthorized
from linear.sansio import Quota

API_URL = "https://linear.invalid/graphql"
PAYLOADS = Path(__file__).parent.parent / "payloads" / "linear"
SENT_AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
"""When the recorded payloads say they were sent."""

Answer = httpx.Response | Exception


def payload(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


def data(**fields: object) -> httpx.Response:
    return httpx.Response(200, json={"data": fields})


def refusal(message: str, *, status: int = 200, **extensions: object) -> httpx.Response:
    return httpx.Response(status, json={"errors": [{"message": message, "extensions": extensions}]})


class ScriptedLinear:
    """Gives the scripted answers in order and remembers the requests."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = [*answers]
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def tokens(self) -> list[str]:
        return [request.headers["Authorization"] for request in self.requests]

    @property
    def variables(self) -> Any:
        return json.loads(self.requests[-1].content)["variables"]


class SchemaLinear:
    """Executes what it is sent on a schema, and answers as little as that schema allows.

    Variables are checked by the schema. What may be null is null, except what a mutation made.
    """

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self.operations: set[str] = set()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        result = graphql_sync(
            self._schema,
            body["query"],
            variable_values=body["variables"],
            operation_name=body["operationName"],
            field_resolver=_poorest,
            type_resolver=lambda value, *_: value["__typename"],
        )
        if result.errors:
            return httpx.Response(400, json={"errors": [error.formatted for error in result.errors]})
        self.operations.add(body["operationName"])
        return httpx.Response(200, json={"data": result.data})


def _poorest(_source: object, info: GraphQLResolveInfo, **_arguments: object) -> object:
    if info.parent_type.name.endswith("Payload") and not isinstance(info.return_type, GraphQLNonNull):
        return {}
    return _poorest_of(info.return_type)


def _poorest_of(type_: GraphQLOutputType) -> object:
    if not isinstance(type_, GraphQLNonNull):
        return None
    if is_list_type(get_nullable_type(type_)):
        return [_poorest_of(type_.of_type.of_type)]
    match get_named_type(type_):
        case GraphQLUnionType(types=members):
            return {"__typename": members[0].name}
        case GraphQLObjectType():
            return {}
        case GraphQLEnumType(values=values):
            return next(iter(values))
        case scalar:
            return _SCALARS[scalar.name]


_SCALARS: dict[str, object] = {
    "ID": "11111111-2222-4333-8444-555555555555",
    "String": "text",
    "Int": 1,
    "Float": 0.5,
    "Boolean": True,
    "DateTime": "2026-11-21T10:00:00.000Z",
    "JSON": {},
    "JSONObject": {},
}


class RenewableToken:
    """Holds `first` until it is refused, then `second`, and nothing after that."""

    def __init__(self, first: str, second: str) -> None:
        self._tokens = [first, second]
        self.dead: list[str] = []

    async def current(self) -> str:
        return self._tokens[0]

    async def renew(self, dead: str) -> str:
        self.dead.append(dead)
        if len(self._tokens) == 1:
            raise Unauthorized("no other token")
        self._tokens.pop(0)
        return self._tokens[0]


def client_of(
    server: Callable[[httpx.Request], httpx.Response],
    token: TokenSource | None = None,
    on_quota: Callable[[Quota], None] | None = None,
) -> LinearClient:
    http = httpx.AsyncClient(transport=httpx.MockTransport(server))
    return LinearClient(http, API_URL, token or StaticToken("lin_api_key"), on_quota=on_quota)
