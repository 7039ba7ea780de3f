"""The Bolt app: every listener stores what it read before Slack is answered."""

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.error import BoltUnhandledRequestError
from slack_sdk.web.async_client import AsyncWebClient

from bots.slack.buttons import CHOICE_ACTION, CONFIRM_ACTION, PULL_ACTION, STOP_ACTION
from bots.slack.events import (
    MEMBERS_ONLY,
    START_SHORTCUT,
    Admission,
    parse_action,
    parse_event,
    parse_shortcut,
)
from bots.slack.forms import REVIEW_FORM, FormAsked, missing_in, parse_form_asked, parse_submission
from bots.slack.wire import MalformedEvent, Wire
from core.errors import DeliveryError, StoreUnavailable
from core.events import Incoming
from core.ports import Inbox

log = logging.getLogger(__name__)

_CHOICES: Final = re.compile(f"^{CHOICE_ACTION}(/|$)")
_PULLS: Final = re.compile(f"^({PULL_ACTION}|{CONFIRM_ACTION})/")

OpenForm = Callable[[FormAsked], Awaitable[None]]
"""Shows the form to who asked for it, or tells them what to do instead; raises `DeliveryError` if neither."""

Admits = Callable[[Wire], Awaitable[bool]]
"""Whether a message's menu was opened where we are, see `Threshold.admits`."""


def build_app(
    inbox: Inbox,
    open_form: OpenForm,
    admits: Admits,
    *,
    api_url: str,
    admission: Admission = MEMBERS_ONLY,
) -> AsyncApp:
    """A Bolt app whose dispatch ends after the listener has ended.

    It holds no token and calls no API: requests are verified before they get here, and there is one install.
    """
    app = AsyncApp(
        name="threadline",
        # A client without a token, else Bolt asks Slack who it is before the first event.
        client=AsyncWebClient(base_url=api_url),
        authorize=_authorize,
        process_before_response=True,
        raise_error_for_unhandled_request=True,
        request_verification_enabled=False,
        ssl_check_enabled=False,
        url_verification_enabled=False,
        ignoring_self_events_enabled=False,
        attaching_function_token_enabled=False,
        attaching_conversation_kwargs_enabled=False,
    )
    register(app, inbox, open_form, admits, admission)
    app.error(_answer_to)
    return app


def register(app: AsyncApp, inbox: Inbox, open_form: OpenForm, admits: Admits, admission: Admission) -> None:
    """Attach every listener to `app`, the busiest first: Bolt tries them in this order."""

    @app.event("message")
    @app.event("app_mention")
    @app.event("reaction_added")
    @app.event("agent_session_stopped")
    async def on_event(body: dict[str, Any]) -> None:
        await _accept(inbox, parse_event(body, admission))

    @app.action(STOP_ACTION)
    @app.action(_CHOICES)
    async def on_click(ack: AsyncAck, body: dict[str, Any]) -> None:
        await _accept(inbox, parse_action(body, admission))
        await ack()

    @app.action(_PULLS)
    async def on_pull(ack: AsyncAck, body: dict[str, Any]) -> None:
        if asked := parse_form_asked(body):
            await open_form(asked)
        else:
            await _accept(inbox, parse_action(body, admission))
        await ack()

    @app.view(REVIEW_FORM)
    async def on_review(ack: AsyncAck, body: dict[str, Any]) -> None:
        if errors := missing_in(body):
            await ack(response_action="errors", errors=errors)
            return
        await _accept(inbox, parse_submission(body, admission))
        await ack()

    @app.message_shortcut(START_SHORTCUT)
    async def on_shortcut(ack: AsyncAck, body: dict[str, Any]) -> None:
        if await admits(body):
            await _accept(inbox, parse_shortcut(body, admission))
        await ack()


async def _accept(inbox: Inbox, incoming: Incoming | None) -> None:
    if incoming is not None:
        receipt = await inbox.accept(incoming)
        log.debug("slack event stored", extra={"key": incoming.key, "receipt": receipt.value})


async def _authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
    return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id)


async def _answer_to(error: Exception) -> BoltResponse:
    """What Slack is told when nobody listened or the listener failed."""
    match error:
        case BoltUnhandledRequestError():
            # Not an error of Slack's: it would repeat the event, and switch a failing subscription off.
            return BoltResponse(status=200)
        case MalformedEvent():
            log.warning("slack event malformed", extra={"reason": str(error)})
            return BoltResponse(status=200)
        case StoreUnavailable():
            log.warning("slack event not stored", extra={"reason": str(error)})
            return BoltResponse(status=503)
        case DeliveryError():
            log.warning("slack could not be asked", extra={"reason": str(error)})
            return BoltResponse(status=502)
        case _:
            log.error("slack listener failed", exc_info=error)
            return BoltResponse(status=500)
