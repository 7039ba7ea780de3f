"""The control API: people's actions, faults, quotas and time as JSON under POST /_control/<name>."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from playground.linear_clock import Clock
from playground.linear_endpoint import Echo, GraphqlEndpoint, Limits
from playground.linear_errors import Refusal
from playground.linear_faults import Fault, FaultKind, Faults
from playground.linear_page import activity_view, comment_view, issue_view, session_view
from playground.linear_people import People
from playground.linear_tokens import Tokens
from playground.linear_webhooks import Courier

Json = dict[str, Any]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CreateIssue(Body):
    title: str
    by: str = "ann"
    team: str = "ENG"
    description: str | None = None


class OnIssue(Body):
    issue: str
    by: str = "ann"


class Delegate(Body):
    issue: str
    by: str | None = "ann"


class Move(OnIssue):
    state: str


class Say(OnIssue):
    text: str


class Mention(Say):
    reply_to: str | None = None


class OnSession(Body):
    session: str
    by: str = "ann"


class Tell(OnSession):
    text: str


class FaultPlan(Body):
    operation: str
    kind: FaultKind = "answer"
    times: int = Field(default=1, ge=1)
    status: int = 200
    code: str = "INTERNAL_SERVER_ERROR"
    message: str = "fault injected by the playground"


class Latency(Body):
    ms: int = Field(ge=0)


class Down(Body):
    on: bool


class EchoPlan(Body):
    order: Literal["before", "after"] = "after"
    copies: int = Field(default=1, ge=0)


class LimitPlan(Body):
    requests: float = Field(default=5_000, gt=0)
    points: float = Field(default=2_000_000, gt=0)
    status: int = 400


class Webhook(Body):
    url: str
    secret: str


class Advance(Body):
    seconds: float = Field(ge=0)


class Redeliver(Body):
    delivery: str


class Nothing(Body):
    pass


@dataclass(frozen=True, slots=True)
class Controls:
    """The parts of a stand-in that can be reached from outside."""

    clock: Clock
    people: People
    courier: Courier
    faults: Faults
    endpoint: GraphqlEndpoint
    tokens: Tokens


Action = tuple[type[Body], Callable[[Controls, Any], Awaitable[Json]]]


def add_control_routes(app: web.Application, controls: Controls) -> None:
    """Add POST /_control/<name> for every action; the answer is what the action made or changed."""

    async def handle(request: web.Request) -> web.Response:
        if (action := ACTIONS.get(request.match_info["name"])) is None:
            return web.json_response({"error": f"actions: {', '.join(ACTIONS)}"}, status=404)
        model, perform = action
        try:
            body = model.model_validate_json(await request.read() or b"{}")
            return web.json_response(await perform(controls, body))
        except ValidationError as error:
            return web.json_response({"error": error.errors(include_url=False)}, status=400)
        except Refusal as refusal:
            return web.json_response({"error": refusal.message}, status=400)

    app.router.add_post("/_control/{name}", handle)


async def _create_issue(it: Controls, body: CreateIssue) -> Json:
    issue = it.people.create_issue(body.title, by=body.by, team=body.team, description=body.description)
    return issue_view(issue, it.clock.now())


async def _delegate(it: Controls, body: Delegate) -> Json:
    return session_view(it.people.delegate(body.issue, by=body.by), it.clock.now())


async def _undelegate(it: Controls, body: OnIssue) -> Json:
    return issue_view(it.people.undelegate(body.issue, by=body.by), it.clock.now())


async def _move(it: Controls, body: Move) -> Json:
    return issue_view(it.people.move(body.issue, body.state, by=body.by), it.clock.now())


async def _comment(it: Controls, body: Say) -> Json:
    return comment_view(it.people.comment(body.issue, body.text, by=body.by))


async def _mention(it: Controls, body: Mention) -> Json:
    session = it.people.mention(body.issue, body.text, by=body.by, reply_to=body.reply_to)
    return session_view(session, it.clock.now())


async def _prompt(it: Controls, body: Tell) -> Json:
    return activity_view(it.people.prompt(body.session, body.text, by=body.by))


async def _answer(it: Controls, body: Tell) -> Json:
    return activity_view(it.people.answer(body.session, body.text, by=body.by))


async def _stop(it: Controls, body: OnSession) -> Json:
    return activity_view(it.people.stop(body.session, by=body.by))


async def _fault(it: Controls, body: FaultPlan) -> Json:
    it.faults.add(Fault(**body.model_dump()))
    return {"planned": len(it.faults.planned)}


async def _latency(it: Controls, body: Latency) -> Json:
    it.faults.latency_s = body.ms / 1000
    return {"ms": body.ms}


async def _down(it: Controls, body: Down) -> Json:
    it.faults.down = body.on
    return {"on": body.on}


async def _clear_faults(it: Controls, _body: Nothing) -> Json:
    it.faults.clear()
    return {"planned": 0}


async def _echo(it: Controls, body: EchoPlan) -> Json:
    it.endpoint.echo = Echo(body.order, body.copies)
    return body.model_dump()


async def _limit(it: Controls, body: LimitPlan) -> Json:
    allowance = (body.requests, body.points)
    it.endpoint.limit(Limits(app=allowance, member=allowance, status=body.status))
    return body.model_dump()


async def _webhook(it: Controls, body: Webhook) -> Json:
    it.courier.connect(body.url, body.secret)
    return {"url": body.url}


async def _advance(it: Controls, body: Advance) -> Json:
    await it.courier.advance(timedelta(seconds=body.seconds))
    return {"now": it.clock.now().isoformat()}


async def _redeliver(it: Controls, body: Redeliver) -> Json:
    await it.courier.redeliver(body.delivery)
    return {"delivery": body.delivery}


async def _revoke(it: Controls, _body: Nothing) -> Json:
    it.courier.emit(it.tokens.revoke())
    return {"revoked": True}


ACTIONS: dict[str, Action] = {
    "create_issue": (CreateIssue, _create_issue),
    "delegate": (Delegate, _delegate),
    "undelegate": (OnIssue, _undelegate),
    "move": (Move, _move),
    "comment": (Say, _comment),
    "mention": (Mention, _mention),
    "prompt": (Tell, _prompt),
    "answer": (Tell, _answer),
    "stop": (OnSession, _stop),
    "fault": (FaultPlan, _fault),
    "latency": (Latency, _latency),
    "down": (Down, _down),
    "clear_faults": (Nothing, _clear_faults),
    "echo": (EchoPlan, _echo),
    "limit": (LimitPlan, _limit),
    "webhook": (Webhook, _webhook),
    "advance": (Advance, _advance),
    "redeliver": (Redeliver, _redeliver),
    "revoke": (Nothing, _revoke),
}
