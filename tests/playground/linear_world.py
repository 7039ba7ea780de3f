"""The Linear stand-in with a clock that stands still, an app that receives its webhooks, and a client."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import httpx
from aiohttp import web

from playground.linear import LinearPlayground, LinearSettings
from playground.linear_clock import Clock
from playground.linear_model import AgentSession, Issue

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
SECRET = "hook-secret"
APP = "Bearer lin_oauth_playground"
MEMBER = "lin_api_ann"

CREATE_ISSUE = (
    "mutation CreateIssue($input: IssueCreateInput!) { issueCreate(input: $input) { success issue { %s } } }"
)
START_SESSION = """mutation StartSessionOnIssue($input: AgentSessionCreateOnIssue!) {
  agentSessionCreateOnIssue(input: $input) { success agentSession { id status creator { id } } }
}"""
CREATE_ACTIVITY = """mutation CreateActivity($input: AgentActivityCreateInput!) {
  agentActivityCreate(input: $input) { success agentActivity { id } }
}"""
UPDATE_SESSION = """mutation UpdateSession($id: String!, $input: AgentSessionUpdateInput!) {
  agentSessionUpdate(id: $id, input: $input) { success agentSession { plan summary externalLinks { url } } }
}"""
FIND_SESSION = """query FindSession($id: String!, $last: Int) {
  agentSession(id: $id) { status endedAt activities(last: $last) { nodes { id ephemeral content {
    __typename
    ... on AgentActivityThoughtContent { body }
    ... on AgentActivityActionContent { action parameter result }
    ... on AgentActivityElicitationContent { body }
    ... on AgentActivityResponseContent { body }
    ... on AgentActivityErrorContent { body }
    ... on AgentActivityPromptContent { body }
  } } } }
}"""


@dataclass(frozen=True, slots=True)
class Received:
    headers: dict[str, str]
    body: bytes

    @property
    def payload(self) -> dict[str, Any]:
        payload: dict[str, Any] = json.loads(self.body)
        return payload


class App:
    """Stands for the bot's webhook route: keeps what comes, answers the next of `statuses`, else 200."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.statuses: list[int] = []
        self._arrived = asyncio.Event()

    async def receive(self, request: web.Request) -> web.Response:
        self.received.append(Received(dict(request.headers), await request.read()))
        self._arrived.set()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    async def wait_for(self, count: int) -> None:
        """Wait until `count` webhooks have come."""
        while len(self.received) < count:
            self._arrived.clear()
            await self._arrived.wait()

    @property
    def session_events(self) -> list[dict[str, Any]]:
        events = (each.payload for each in self.received)
        return [each for each in events if each["type"] == "AgentSessionEvent"]


@dataclass(frozen=True, slots=True)
class World:
    linear: LinearPlayground
    app: App
    http: httpx.AsyncClient

    async def post(
        self, query: str, variables: dict[str, Any] | None = None, *, token: str = APP
    ) -> httpx.Response:
        body = {"query": query, "variables": variables or {}}
        return await self.http.post(self.linear.graphql_url, json=body, headers={"Authorization": token})

    async def data(self, query: str, variables: dict[str, Any] | None = None, *, token: str = APP) -> Any:
        answer = (await self.post(query, variables, token=token)).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def error(
        self, query: str, variables: dict[str, Any] | None = None, *, token: str = APP
    ) -> dict[str, Any]:
        answer = (await self.post(query, variables, token=token)).json()
        assert answer.get("data") is None
        error: dict[str, Any] = answer["errors"][0]
        return error

    async def control(self, action: str, **body: object) -> Any:
        answer = await self.http.post(f"{self.linear.url}/_control/{action}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def state(self) -> Any:
        return (await self.http.get(f"{self.linear.url}/_state")).json()

    def issue(self, title: str = "Fix the login page") -> Issue:
        return self.linear.people.create_issue(title)

    def session(self) -> AgentSession:
        return self.linear.people.delegate(self.issue().identifier)

    def team_id(self) -> str:
        return self.linear.workspace.team_of_key("ENG").id

    async def act(self, session: AgentSession, content: object, **fields: object) -> str:
        wanted = {"agentSessionId": session.id, "content": content, **fields}
        data = await self.data(CREATE_ACTIVITY, {"input": wanted})
        return str(data["agentActivityCreate"]["agentActivity"]["id"])


@asynccontextmanager
async def linear_world(settings: LinearSettings | None = None) -> AsyncIterator[World]:
    """Everything running on loopback; webhooks go to `World.app`."""
    app = App()
    server = web.Application()
    server.router.add_post("/hook", app.receive)
    runner = web.AppRunner(server, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    chosen = replace(settings or LinearSettings(), webhook_url=url, webhook_secret=SECRET)
    try:
        async with LinearPlayground(chosen, Clock(START)) as linear, httpx.AsyncClient() as http:
            yield World(linear, app, http)
    finally:
        await runner.cleanup()
