"""The control side over HTTP: acting as people, ordering trouble, moving the clock."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from aiohttp import web

from playground.slack_clock import Clock, VirtualClock
from playground.teams_delivery import DeliveryOptions, Dispatcher
from playground.teams_edge import Edge
from playground.teams_faults import Fault
from playground.teams_fields import Fields
from playground.teams_keys import Keys
from playground.teams_limits import RateLimits
from playground.teams_page import home_page, messages_page, state_wire, transcript
from playground.teams_people import People
from playground.teams_state import Kind, Workspace
from playground.teams_tokens import Tokens
from playground.teams_wire import Refused, Wire


@dataclass(frozen=True, slots=True)
class Parts:
    """What the control side steers."""

    workspace: Workspace
    clock: Clock
    people: People
    edge: Edge
    limits: RateLimits
    keys: Keys
    tokens: Tokens
    dispatcher: Dispatcher


async def say(parts: Parts, fields: Fields) -> Wire:
    """`user`, `conversation`, `text`, `root`, and `files` and `images` as name -> text."""
    place = (fields.text("user"), fields.text("conversation"))
    files, images = fields.contents("files"), fields.contents("images")
    root, text = fields.optional("root"), fields.optional("text") or ""
    return {"id": parts.people.say(*place, text, root, files=files, images=images)}


async def edit(parts: Parts, fields: Fields) -> Wire:
    parts.people.edit(*_message(fields), fields.text("text"))
    return {}


async def delete(parts: Parts, fields: Fields) -> Wire:
    """With `undo`, take it back."""
    change = parts.people.undelete if fields.flag("undo") else parts.people.delete
    change(*_message(fields))
    return {}


async def react(parts: Parts, fields: Fields) -> Wire:
    """With `undo`, take the reaction `name` away."""
    change = parts.people.unreact if fields.flag("undo") else parts.people.react
    change(*_message(fields), fields.text("name"))
    return {}


async def click(parts: Parts, fields: Fields) -> Wire:
    """`title` of the button, `inputs` as id -> value, `old_client`."""
    receipt = await parts.people.click(
        *_message(fields),
        fields.text("title"),
        inputs={name: str(value) for name, value in fields.mapping("inputs").items()},
        is_old_client=fields.flag("old_client"),
    )
    return asdict(receipt)


async def install(parts: Parts, fields: Fields) -> Wire:
    """With `undo`, remove the app."""
    change = parts.people.uninstall if fields.flag("undo") else parts.people.install
    change(fields.text("user"), fields.text("conversation"))
    return {}


async def membership(parts: Parts, fields: Fields) -> Wire:
    change = parts.people.leave if fields.flag("leave") else parts.people.join
    change(fields.text("user"), fields.text("conversation"))
    return {}


async def consent(parts: Parts, fields: Fields) -> Wire:
    """With `undo`, the bot gets only what mentions it."""
    parts.people.consent(fields.text("conversation"), reads_all=not fields.flag("undo"))
    return {}


async def block(parts: Parts, fields: Fields) -> Wire:
    parts.people.block(is_blocked=not fields.flag("undo"))
    return {}


async def move(parts: Parts, fields: Fields) -> Wire:
    """To another `region`; with `retire_old` the old address answers no more."""
    parts.people.move(fields.text("region"), retire_old=fields.flag("retire_old"))
    return {"service_url": parts.workspace.service_url()}


async def create(parts: Parts, fields: Fields) -> Wire:
    """`conversation` (its id), `name`, `kind` (`channel`, `groupChat` or `personal`) and `members`."""
    place = (fields.text("conversation"), fields.text("name"))
    parts.people.create(*place, fields.choice("kind", Kind), fields.items("members"))
    return {}


async def rotate(parts: Parts, fields: Fields) -> Wire:
    """A new signing key; with `keep_old` the old one stays valid."""
    parts.keys.rotate(keep_old=fields.flag("keep_old"))
    return {"kid": parts.keys.current}


async def revoke(parts: Parts, _: Fields) -> Wire:
    parts.tokens.revoke()
    return {}


async def fail(parts: Parts, fields: Fields) -> Wire:
    """`kind`, `times`, `after`, and one of `error`, `status`, `drop` (`before` or `after`); see `Fault`."""
    fault = Fault(
        error=fields.optional("error"),
        status=fields.number("status", 0) or None,
        executes=fields.flag("executes"),
        drop=_drop(fields),
        retry_after_s=fields.number("retry_after_s", 1),
    )
    times, after = fields.number("times", 1), fields.number("after", 0)
    parts.edge.faults.fail_next(fields.text("kind"), fault, times, after=after)
    return {}


async def weather(parts: Parts, fields: Fields) -> Wire:
    """`latency_ms` (of `kind` only, if given) and `down` from now on; `clear` forgets every fault first."""
    if fields.flag("clear"):
        parts.edge.faults.clear()
    latency_s, kind = fields.number("latency_ms", 0) / 1000, fields.optional("kind")
    if kind is None:
        parts.edge.faults.latency_s = latency_s
    else:
        parts.edge.faults.delays_s[kind] = latency_s
    parts.edge.faults.is_down = fields.flag("down")
    return {}


async def delivery(parts: Parts, fields: Fields) -> Wire:
    """Replace the delivery options; what is left out goes back to normal."""
    parts.dispatcher.options = DeliveryOptions(
        copies=fields.number("copies", 1),
        reorder=fields.flag("reorder"),
        together=fields.flag("together"),
        drop_answers=fields.number("drop_answers", 0),
        drop_answers_to=fields.optional("drop_answers_to"),
        delay_s=fields.number("delay_ms", 0) / 1000,
    )
    return asdict(parts.dispatcher.options)


async def rate(parts: Parts, fields: Fields) -> Wire:
    """`percent` scales every window; 0 switches the limits off."""
    percent = fields.number("percent", 100)
    parts.limits.reset(percent / 100 if percent > 0 else None)
    return {}


async def advance(parts: Parts, fields: Fields) -> Wire:
    """Move a virtual clock by `seconds`, and wait for what became due."""
    if not isinstance(parts.clock, VirtualClock):
        raise Refused("ClockIsReal")
    parts.clock.advance(fields.number("seconds", 0))
    await parts.dispatcher.settled()
    return {"now": parts.clock.now()}


_Control = Callable[[Parts, Fields], Awaitable[Wire]]

CONTROLS: Final[Mapping[str, _Control]] = {
    control.__name__: control
    for control in (
        advance,
        block,
        click,
        consent,
        create,
        delete,
        delivery,
        edit,
        fail,
        install,
        membership,
        move,
        rate,
        react,
        revoke,
        rotate,
        say,
        weather,
    )
}


def add_routes(app: web.Application, parts: Parts) -> None:
    """The page, the state, the transcript, and one address per control."""

    async def home(_: web.Request) -> web.Response:
        return web.Response(text=home_page(parts.workspace), content_type="text/html")

    async def messages(_: web.Request) -> web.Response:
        return web.Response(text=messages_page(parts.workspace), content_type="text/html")

    async def state(_: web.Request) -> web.Response:
        return web.json_response(full_state(parts))

    async def read(request: web.Request) -> web.Response:
        try:
            asked = Fields(request.query)
            place = (asked.text("conversation"), asked.optional("root"))
            lines = transcript(parts.workspace, *place, seen_by=asked.optional("seen_by"))
        except Refused as refused:
            return _refusal(refused)
        return web.json_response(lines)

    async def control(request: web.Request) -> web.Response:
        return await _control(parts, request)

    app.router.add_get("/", home)
    app.router.add_get("/_messages", messages)
    app.router.add_get("/_state", state)
    app.router.add_get("/_transcript", read)
    app.router.add_post("/_control/{name}", control)


def full_state(parts: Parts) -> Wire:
    """The workspace, how often each kind of call came and was refused, and every delivery."""
    return state_wire(parts.workspace) | {
        "calls": dict(parts.edge.calls),
        "refusals": dict(parts.edge.refusals),
        "problems": list(parts.edge.problems),
        "deliveries": [delivered.wire() for delivered in parts.dispatcher.log],
    }


async def _control(parts: Parts, request: web.Request) -> web.Response:
    run = CONTROLS.get(request.match_info["name"])
    if run is None:
        return web.json_response({"ok": False, "error": "UnknownControl"}, status=404)
    is_form = request.content_type == "application/x-www-form-urlencoded"
    try:
        answer = await run(parts, Fields(await _fields(request, is_form=is_form)))
    except Refused as refused:
        return _refusal(refused)
    if is_form:  # Only the page sends forms; take its reader back.
        return web.Response(status=303, headers={"Location": "/"})
    return web.json_response({"ok": True} | answer)


async def _fields(request: web.Request, *, is_form: bool) -> Mapping[str, Any]:
    if is_form:
        return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    try:
        fields = json.loads(await request.text() or "{}")
    except ValueError:
        raise Refused("BadSyntax", "the body is not JSON") from None
    if not isinstance(fields, dict):
        raise Refused("BadSyntax", "the body is no object")
    return fields


def _refusal(refused: Refused) -> web.Response:
    return web.json_response({"ok": False, "error": refused.code, "message": refused.message}, status=400)


def _message(fields: Fields) -> tuple[str, str, str]:
    return fields.text("user"), fields.text("conversation"), fields.text("message")


def _drop(fields: Fields) -> Literal["before", "after"] | None:
    match fields.optional("drop"):
        case "before":
            return "before"
        case "after":
            return "after"
        case None:
            return None
        case _:
            raise Refused("BadArgument", "drop")
