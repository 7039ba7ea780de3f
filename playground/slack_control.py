"""The control side over HTTP: acting as people, ordering trouble, moving the clock."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from aiohttp import web

from playground.slack_api import WebApi
from playground.slack_args import Args
from playground.slack_clock import Clock, VirtualClock
from playground.slack_delivery import DeliveryOptions, Dispatcher
from playground.slack_faults import Fault
from playground.slack_forms import Forms
from playground.slack_page import home_page, messages_page, state_wire, transcript
from playground.slack_people import People
from playground.slack_socket import SocketHub
from playground.slack_state import ChannelKind, Workspace
from playground.slack_wire import Refused, Wire


@dataclass(frozen=True, slots=True)
class Parts:
    """What the control side steers."""

    workspace: Workspace
    clock: Clock
    people: People
    forms: Forms
    api: WebApi
    dispatcher: Dispatcher
    sockets: SocketHub


async def say(parts: Parts, args: Args) -> Wire:
    files = args.mapping("files", "invalid_arguments")
    place, text = (args.text("user"), args.text("channel")), args.optional("text") or ""
    thread_ts, subtype = args.optional("thread_ts"), args.optional("subtype")
    return {"ts": parts.people.say(*place, text, thread_ts, files=files, subtype=subtype)}


async def edit(parts: Parts, args: Args) -> Wire:
    parts.people.edit(args.text("user"), args.text("channel"), args.text("ts"), args.text("text"))
    return {}


async def unfurl(parts: Parts, args: Args) -> Wire:
    parts.people.unfurl(args.text("channel"), args.text("ts"))
    return {}


async def delete(parts: Parts, args: Args) -> Wire:
    parts.people.delete(args.text("user"), args.text("channel"), args.text("ts"))
    return {}


async def react(parts: Parts, args: Args) -> Wire:
    parts.people.react(args.text("user"), args.text("channel"), args.text("ts"), args.text("name"))
    return {}


async def unreact(parts: Parts, args: Args) -> Wire:
    parts.people.unreact(args.text("user"), args.text("channel"), args.text("ts"), args.text("name"))
    return {}


async def click(parts: Parts, args: Args) -> Wire:
    place = (args.text("user"), args.text("channel"), args.text("ts"))
    receipt = await parts.people.click(*place, args.text("action_id"), value=args.optional("value"))
    return {"status": receipt.status, "reason": receipt.reason}


async def submit_form(parts: Parts, args: Args) -> Wire:
    """`inputs` by label, into the form on top of the person's screen; with `close`, dismiss it."""
    user = args.text("user")
    if args.flag("close"):
        parts.forms.close(user)
        return {}
    inputs = args.mapping("inputs", "invalid_arguments") or {}
    receipt = await parts.forms.submit(user, {label: str(text) for label, text in inputs.items()})
    return {"status": receipt.status, "reason": receipt.reason}


async def stop_session(parts: Parts, args: Args) -> Wire:
    parts.people.stop_session(args.text("user"), args.text("channel"), args.text("thread_ts"))
    return {}


async def uninstall(parts: Parts, args: Args) -> Wire:
    if args.flag("tokens_only"):
        parts.people.revoke_tokens()
    else:
        parts.people.uninstall()
    return {}


async def membership(parts: Parts, args: Args) -> Wire:
    change = parts.people.leave if args.flag("leave") else parts.people.join
    change(args.text("user"), args.text("channel"))
    return {}


async def create_channel(parts: Parts, args: Args) -> Wire:
    """`channel` (its id), `name`, `kind` (`channels`, `groups` or `mpim`) and `members` (user ids)."""
    members = [str(user) for user in args.items("members", "invalid_arguments")]
    parts.people.create_channel(args.text("channel"), args.text("name"), _kind(args), members)
    return {}


async def archive(parts: Parts, args: Args) -> Wire:
    parts.people.archive(args.text("channel"), is_archived=not args.flag("undo"))
    return {}


async def fail(parts: Parts, args: Args) -> Wire:
    """`method`, `times`, and one of `error`, `status`, `drop` (`before` or `after`); see `Fault`."""
    fault = Fault(
        error=args.optional("error"),
        status=args.number("status", 0) or None,
        drop=_drop(args),
        retry_after_s=args.number("retry_after_s", 1),
    )
    parts.api.faults.fail_next(args.text("method"), fault, args.number("times", 1))
    return {}


async def weather(parts: Parts, args: Args) -> Wire:
    """`latency_ms` and `down` for all calls from now on; `clear` forgets every fault first."""
    if args.flag("clear"):
        parts.api.faults.clear()
    parts.api.faults.latency_s = args.number("latency_ms", 0) / 1000
    parts.api.faults.is_down = args.flag("down")
    return {}


async def delivery(parts: Parts, args: Args) -> Wire:
    """Replace the delivery options; what is left out goes back to normal."""
    parts.dispatcher.options = DeliveryOptions(
        copies=args.number("copies", 1),
        reorder=args.flag("reorder"),
        together=args.flag("together"),
        drop_answers=args.number("drop_answers", 0),
        delay_s=args.number("delay_ms", 0) / 1000,
    )
    return asdict(parts.dispatcher.options)


async def rate(parts: Parts, args: Args) -> Wire:
    """`percent` scales every tier; 0 switches the limits off."""
    percent = args.number("percent", 100)
    parts.api.limits.reset(percent / 100 if percent > 0 else None)
    return {}


async def advance(parts: Parts, args: Args) -> Wire:
    """Move a virtual clock by `seconds`, and wait for what became due."""
    if not isinstance(parts.clock, VirtualClock):
        raise Refused("clock_is_real")
    parts.clock.advance(args.number("seconds", 0))
    await parts.dispatcher.settled()
    return {"now": parts.clock.now()}


async def disconnect(parts: Parts, args: Args) -> Wire:
    """Ask connected sockets to renew themselves; with `cut`, close them without asking."""
    if args.flag("cut"):
        await parts.sockets.cut()
    else:
        await parts.sockets.disconnect(args.optional("reason") or "refresh_requested")
    return {}


async def verify_url(parts: Parts, args: Args) -> Wire:
    return {"verified": await parts.dispatcher.verify_url(args.optional("challenge") or "challenge-1")}


_Control = Callable[[Parts, Args], Awaitable[Wire]]

CONTROLS: Final[Mapping[str, _Control]] = {
    control.__name__: control
    for control in (
        advance,
        archive,
        click,
        create_channel,
        delete,
        delivery,
        disconnect,
        edit,
        fail,
        membership,
        rate,
        react,
        say,
        stop_session,
        submit_form,
        unfurl,
        uninstall,
        unreact,
        verify_url,
        weather,
    )
}


def add_routes(app: web.Application, parts: Parts) -> None:
    """Attach `/`, `/_state`, `/_transcript` and `/_control/<name>`."""

    async def home(_: web.Request) -> web.Response:
        return web.Response(text=home_page(parts.workspace), content_type="text/html")

    async def messages(_: web.Request) -> web.Response:
        return web.Response(text=messages_page(parts.workspace), content_type="text/html")

    async def state(_: web.Request) -> web.Response:
        return web.json_response(full_state(parts))

    async def read(request: web.Request) -> web.Response:
        try:
            args = Args(request.query)
            lines = transcript(parts.workspace, args.text("channel"), args.optional("thread_ts"))
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
    """The workspace, how often each method was called and refused, and every delivery."""
    return state_wire(parts.workspace) | {
        "calls": dict(parts.api.calls),
        "refusals": dict(parts.api.refusals),
        "deliveries": [delivered.wire() for delivered in parts.dispatcher.log],
    }


async def _control(parts: Parts, request: web.Request) -> web.Response:
    run = CONTROLS.get(request.match_info["name"])
    if run is None:
        return web.json_response({"ok": False, "error": "unknown_control"}, status=404)
    is_form = request.content_type == "application/x-www-form-urlencoded"
    try:
        answer = await run(parts, Args(await _fields(request, is_form=is_form)))
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
        raise Refused("invalid_arguments") from None
    if not isinstance(fields, dict):
        raise Refused("invalid_arguments")
    return fields


def _refusal(refused: Refused) -> web.Response:
    return web.json_response({"ok": False, "error": refused.error} | refused.detail, status=400)


def _drop(args: Args) -> Literal["before", "after"] | None:
    match args.optional("drop"):
        case "before":
            return "before"
        case "after":
            return "after"
        case None:
            return None
        case _:
            raise Refused("invalid_arguments")


def _kind(args: Args) -> ChannelKind:
    try:
        return ChannelKind(args.optional("kind") or ChannelKind.PUBLIC)
    except ValueError:
        raise Refused("invalid_arguments") from None
