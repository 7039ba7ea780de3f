"""The app's manifest asks for exactly what the code uses."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

import bots.slack
from bots.slack.client import SCOPES, Method
from bots.slack.events import BOT_EVENTS, START_SHORTCUT
from bots.slack.manifest import BOT_SCOPES, FEATURE_SCOPES, render_manifest


def manifest(
    url: str | None = "https://bot.acme.test", *, socket_mode: bool = False, **name: str
) -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load(render_manifest(url, socket_mode, **name))
    return parsed


def test_scopes_are_those_of_the_methods_and_events_in_use() -> None:
    assert set(manifest()["oauth_config"]["scopes"]["bot"]) == BOT_SCOPES


def test_every_method_that_is_called_has_its_scopes_named() -> None:
    sources = "".join(path.read_text() for path in Path(bots.slack.__path__[0]).glob("*.py"))
    called = set(re.findall(r'call\(\s*"([\w.]+)"', sources))
    assert called == set(SCOPES) == set(get_args(Method))


def test_subscriptions_are_the_events_that_are_read() -> None:
    assert set(manifest()["settings"]["event_subscriptions"]["bot_events"]) == set(BOT_EVENTS)


def test_features_are_those_with_scopes_of_their_own() -> None:
    assert set(FEATURE_SCOPES) <= set(manifest()["features"])
    assert len(manifest()["features"]["agent_view"]["agent_description"]) <= 300


def test_the_shortcut_is_the_one_that_is_listened_to() -> None:
    (shortcut,) = manifest()["features"]["shortcuts"]
    assert (shortcut["callback_id"], shortcut["type"]) == (START_SHORTCUT, "message")
    assert len(shortcut["name"]) <= 24


def test_http_mode_sends_everything_to_one_address() -> None:
    settings = manifest("https://bot.acme.test/")["settings"]
    assert settings["event_subscriptions"]["request_url"] == "https://bot.acme.test/slack/events"
    assert settings["interactivity"]["request_url"] == "https://bot.acme.test/slack/events"
    assert settings["socket_mode_enabled"] is False


def test_socket_mode_needs_no_address() -> None:
    settings = manifest(None, socket_mode=True)["settings"]
    assert settings["socket_mode_enabled"] is True
    assert "request_url" not in settings["event_subscriptions"]
    assert settings["interactivity"] == {"is_enabled": True}


def test_name_may_hold_anything() -> None:
    named = manifest(name='Ann\'s "bot": #1')
    assert named["display_information"]["name"] == 'Ann\'s "bot": #1'
    assert named["features"]["bot_user"]["display_name"] == 'Ann\'s "bot": #1'


@pytest.mark.parametrize("url", [None, "", "http://bot.acme.test", "bot.acme.test"])
def test_http_mode_needs_an_https_address(url: str | None) -> None:
    with pytest.raises(ValueError, match="https"):
        render_manifest(url, False)


@pytest.mark.parametrize("name", ["", " ", "x" * 36])
def test_name_has_slack_s_length(name: str) -> None:
    with pytest.raises(ValueError, match="35"):
        render_manifest(None, True, name)
