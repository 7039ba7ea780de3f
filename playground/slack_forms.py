"""Forms on people's screens: who has which open, and what the app hears when one is sent."""

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from typing import Any

from playground.slack_clock import Clock
from playground.slack_delivery import Dispatcher, Receipt
from playground.slack_events import view_submission
from playground.slack_state import TRIGGER_LIFETIME_S, Trigger, Workspace
from playground.slack_views import filled, inputs_of
from playground.slack_wire import Refused, Wire


class Forms:
    """Fills in forms as any person; raises `Refused` if that person could not."""

    def __init__(self, workspace: Workspace, clock: Clock, dispatcher: Dispatcher) -> None:
        self._workspace = workspace
        self._clock = clock
        self._dispatcher = dispatcher
        self._numbers = count(1)

    def shown(self, user: str) -> Wire | None:
        """The form on top of this person's screen."""
        ids = self._workspace.screens.get(user, [])
        return self._workspace.views[ids[-1]] if ids else None

    def close(self, user: str) -> None:
        """Dismiss it."""
        self._top(user)
        self._workspace.screens[user].pop()

    async def submit(self, user: str, inputs: Mapping[str, str]) -> Receipt:
        """Fill in fields by their labels and send the form; it closes if the app takes it."""
        view = self._top(user)
        values = filled(view, inputs)
        trigger_id = f"{next(self._numbers)}.form"
        self._workspace.triggers[trigger_id] = Trigger(user, self._clock.now() + TRIGGER_LIFETIME_S)
        person = self._workspace.person(user)
        receipt = await self._dispatcher.interact(
            view_submission(person, view | {"state": {"values": values}}, trigger_id=trigger_id)
        )
        return self._taken(receipt, user, view)

    def _top(self, user: str) -> Wire:
        view = self.shown(user)
        if view is None:
            raise Refused("no_form")
        return view

    def _taken(self, receipt: Receipt, user: str, view: Wire) -> Receipt:
        """Carry out the answer; what Slack cannot use leaves the form open, and becomes `bad_answer`."""
        if receipt.reason is not None:
            return receipt
        match _parsed(receipt.answer):
            case "" | {"response_action": "clear"}:
                self._workspace.screens[user].clear()
            case dict() as answer if not answer:
                self._workspace.screens[user].pop()
            case {"response_action": "errors", "errors": {**errors}} if errors and errors.keys() <= {
                block["block_id"] for block in inputs_of(view)
            }:
                self._workspace.views[view["id"]] = view | {"errors": errors}
            case _:
                return replace(receipt, reason="bad_answer")
        return receipt


def _parsed(answer: str) -> Any:
    """Nothing at all closes a form."""
    try:
        return json.loads(answer) if answer else ""
    except ValueError:
        return None
