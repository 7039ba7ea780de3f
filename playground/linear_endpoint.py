"""The GraphQL endpoint: authentication, quotas, faults, execution, and webhooks around the answer."""

import asyncio
import math
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any, Literal

from aiohttp import web
from graphql import ExecutionResult, GraphQLError, GraphQLSchema, OperationDefinitionNode, execute_sync
from pydantic import BaseModel, ValidationError

from playground.linear_documents import Document, complexity, document_reader, names_of
from playground.linear_errors import Refusal
from playground.linear_events import Event
from playground.linear_faults import Fault, Faults
from playground.linear_model import User
from playground.linear_mutations import MUTATIONS
from playground.linear_quota import Quota
from playground.linear_schema import Call, executable_schema, resolve_field
from playground.linear_tokens import Tokens
from playground.linear_webhooks import Courier, Delivery
from playground.linear_workspace import Workspace

QUERY_LIMIT_POINTS = 10_000
ANONYMOUS_OPERATION = "(anonymous)"


class GraphqlRequest(BaseModel):
    query: str
    variables: dict[str, Any] | None = None
    operationName: str | None = None


@dataclass(slots=True)
class Echo:
    """When the app hears of sessions that its own mutations opened, and how many times."""

    order: Literal["before", "after"] = "after"
    copies: int = 1


@dataclass(slots=True)
class Limits:
    """Hourly allowances, and the HTTP status under which exhaustion is reported."""

    app: tuple[float, float] = (5_000, 2_000_000)
    member: tuple[float, float] = (2_500, 3_000_000)
    status: int = 400


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    payload: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class GraphqlCall:
    """One request as tests name it: its operation and root fields, and what it was given."""

    names: set[str]
    variables: dict[str, Any]


@cache
def _schema() -> GraphQLSchema:
    return executable_schema(MUTATIONS)


_read_document = document_reader(_schema())


class GraphqlEndpoint:
    """Answers POST /graphql.

    `calls` counts the operations that got past authentication, by name; `requests` holds each with what it
    was given, in the order they came.
    """

    def __init__(
        self, workspace: Workspace, tokens: Tokens, courier: Courier, faults: Faults, limits: Limits
    ) -> None:
        self.calls: Counter[str] = Counter()
        self.requests: list[tuple[str, Mapping[str, Any]]] = []
        self.echo = Echo()
        self._workspace = workspace
        self._tokens = tokens
        self._courier = courier
        self._faults = faults
        self._limits = limits
        self._quotas: dict[str, Quota] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(self._faults.latency_s)
        if self._faults.down:
            return web.Response(status=503, text="down")
        actor = self._tokens.actor_of(request.headers.get("Authorization", ""))
        if actor is None:
            return web.json_response(_failure("not authenticated", "AUTHENTICATION_ERROR"), status=401)
        asked = await _parse_request(request)
        if isinstance(asked, Answer):
            return web.json_response(asked.payload, status=asked.status)
        document = _read_document(asked.query)
        operation = document.operation(asked.operationName)
        call = GraphqlCall(names_of(operation) if operation else set(), asked.variables or {})
        await self._faults.moments.reach(call.names, "before", call.variables)
        fault = self._note(document, operation, call)
        if fault and fault.kind == "drop_before":
            return _drop(request)
        answer = self._answer(asked, document, operation, actor, fault)
        is_lost = fault is not None and fault.kind == "drop_after"
        return await self._reply(request, call, answer, is_lost=is_lost)

    def limit(self, limits: Limits) -> None:
        """Change the allowances; every caller starts again with a full one."""
        self._limits = limits
        self._quotas.clear()

    def _note(
        self, document: Document, operation: OperationDefinitionNode | None, call: GraphqlCall
    ) -> Fault | None:
        if operation is None or document.errors:
            return None
        name = operation.name.value if operation.name else ANONYMOUS_OPERATION
        self.calls[name] += 1
        self.requests.append((name, call.variables))
        return self._faults.next_for(names_of(operation))

    def _answer(
        self,
        asked: GraphqlRequest,
        document: Document,
        operation: OperationDefinitionNode | None,
        actor: User,
        fault: Fault | None,
    ) -> Answer:
        variables = asked.variables or {}
        points = 0
        if operation and document.ast and not document.errors:
            points = complexity(_schema(), document.ast, operation, variables)
        quota = self._quota(actor)
        wait = quota.take(points, self._workspace.clock.now())
        headers = quota.headers(points)
        if wait is not None:
            return self._rate_limited(wait, headers)
        if refusal := _refusal(document, operation, points, fault):
            return Answer(refusal.status, refusal.payload, headers | refusal.headers)
        return self._execute(document, asked, actor, headers)

    def _execute(
        self, document: Document, asked: GraphqlRequest, actor: User, headers: dict[str, str]
    ) -> Answer:
        if document.ast is None:
            raise LookupError("only a parsed document can be executed")
        call = Call(self._workspace, actor)
        result = execute_sync(
            _schema(),
            document.ast,
            context_value=call,
            variable_values=asked.variables,
            operation_name=asked.operationName,
            field_resolver=resolve_field,
        )
        status = 400 if any(error.path is None for error in result.errors or []) else 200
        return Answer(status, _payload(result), headers, call.events)

    def _quota(self, actor: User) -> Quota:
        if actor.id not in self._quotas:
            requests, points = self._limits.app if actor.app else self._limits.member
            self._quotas[actor.id] = Quota(requests, points, self._workspace.clock.now())
        return self._quotas[actor.id]

    def _rate_limited(self, wait: timedelta, headers: dict[str, str]) -> Answer:
        retry_after = {"Retry-After": str(math.ceil(wait.total_seconds()))}
        failure = _failure("rate limit exceeded", "RATELIMITED", kind="ratelimited")
        return Answer(self._limits.status, failure, {**headers, **retry_after})

    async def _reply(
        self, request: web.Request, call: GraphqlCall, answer: Answer, *, is_lost: bool
    ) -> web.StreamResponse:
        echoes = [each for event in answer.events if (each := self._courier.prepare(event))]
        if self.echo.order == "before":
            await asyncio.gather(*(self._courier.send(each) for each in self._copies(echoes)))
        await self._faults.moments.reach(call.names, "executed", call.variables)
        response = _drop(request) if is_lost else await _send(request, answer)
        await self._faults.moments.reach(call.names, "answered", call.variables)
        if self.echo.order == "after":
            for each in self._copies(echoes):
                self._courier.send_soon(each)
        return response

    def _copies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Only session events are repeated; the rest goes out once."""
        return [
            each
            for each in deliveries
            for _ in range(self.echo.copies if each.type == "AgentSessionEvent" else 1)
        ]


async def _send(request: web.Request, answer: Answer) -> web.Response:
    response = web.json_response(answer.payload, status=answer.status, headers=answer.headers)
    with suppress(ConnectionResetError):  # Whoever asked is gone; what was done stays done.
        await response.prepare(request)
        await response.write_eof()
    return response


async def _parse_request(request: web.Request) -> GraphqlRequest | Answer:
    try:
        return GraphqlRequest.model_validate_json(await request.read())
    except ValidationError:
        return Answer(400, _failure("the body is not a GraphQL request", "BAD_REQUEST"))


def _refusal(
    document: Document, operation: OperationDefinitionNode | None, points: int, fault: Fault | None
) -> Answer | None:
    """Why a request is not executed, if it is not."""
    if document.errors:
        return Answer(400, {"errors": [_formatted(each, document.code) for each in document.errors]})
    if operation is None:
        return Answer(400, _failure("operationName names no operation", "OPERATION_RESOLUTION_FAILURE"))
    if points > QUERY_LIMIT_POINTS:
        return Answer(400, _failure("the query is too complex", "INPUT_ERROR"))
    if fault and fault.kind == "answer":
        hint = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
        return Answer(fault.status, _failure(fault.message, fault.code), hint)
    return None


def _payload(result: ExecutionResult) -> dict[str, Any]:
    if not result.errors:
        return {"data": result.data}
    for error in result.errors:
        if error.original_error and not isinstance(error.original_error, Refusal):
            raise error.original_error  # A fault of the stand-in itself must not look like Linear's answer.
    return {"data": result.data, "errors": [_formatted(each, "BAD_USER_INPUT") for each in result.errors]}


def _formatted(error: GraphQLError, code: str) -> dict[str, Any]:
    extensions: Mapping[str, Any] = error.extensions or {
        "code": code,
        "type": "graphql error",
        "userError": True,
        "userPresentableMessage": error.message,
    }
    return {**error.formatted, "extensions": dict(extensions)}


def _failure(message: str, code: str, *, kind: str = "") -> dict[str, Any]:
    refusal = Refusal(message, code=code, kind=kind or code.lower().replace("_", " "))
    return {"errors": [{"message": message, "extensions": refusal.extensions}]}


def _drop(request: web.Request) -> web.Response:
    """Close the connection; what is returned finds nobody to read it."""
    if request.transport:
        request.transport.close()
    return web.Response(status=503)
