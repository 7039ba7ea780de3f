"""Slack and Teams under one interface."""

from collections.abc import Mapping
from typing import Final

from tests.conformance.slack_room import SlackRoom
from tests.conformance.teams_room import TeamsRoom

ROOMS: Final[Mapping[str, type[SlackRoom] | type[TeamsRoom]]] = {"Slack": SlackRoom, "Teams": TeamsRoom}
