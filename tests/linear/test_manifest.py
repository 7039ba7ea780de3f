"""The OAuth app's manifest asks for exactly what the code reads, within Linear's limits."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from linear.manifest import CREATE_URL, creation_link, render_manifest

EVENTS = {"AgentSessionEvent", "AppUserNotification", "Issue", "PermissionChange"}


def manifest(url: str = "https://bot.acme.test", **name: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(render_manifest(url, **name))
    return parsed


def test_addresses_are_under_the_public_one() -> None:
    made = manifest("https://bot.acme.test/")
    assert made["oauth"]["client_uri"] == "https://bot.acme.test"
    assert made["oauth"]["redirect_uris"] == [
        "https://bot.acme.test/oauth/linear/callback",
        "https://bot.acme.test/oauth/linear/link/callback",
    ]
    assert made["webhook"]["url"] == "https://bot.acme.test/api/webhooks/linear"
    assert "threadline.example" not in json.dumps(made)


def test_the_form_is_the_documented_one() -> None:
    made = manifest()
    assert made["schemaVersion"] == "1.0.0"
    assert made["distribution"] == "private"
    assert set(made) == {
        "$schema",
        "schemaVersion",
        "distribution",
        "display",
        "developer",
        "oauth",
        "webhook",
    }
    assert set(made["oauth"]) == {"client_name", "client_uri", "redirect_uris", "grant_types"}
    assert made["oauth"]["grant_types"] == ["authorization_code", "client_credentials"]
    assert made["webhook"]["enabled"] is True


def test_the_events_are_those_that_the_service_lives_on() -> None:
    assert set(manifest()["webhook"]["resourceTypes"]) == EVENTS


def test_the_name_is_the_one_that_was_asked_for() -> None:
    assert manifest()["oauth"]["client_name"] == "Threadline"
    assert manifest(name='Robo "Bob" ü')["oauth"]["client_name"] == 'Robo "Bob" ü'


@pytest.mark.parametrize(
    "name", ["", "x", " x ", "x" * 81, "Linear bot", "my LINEAR", "see http://x.test", "https://x.test"]
)
def test_a_name_that_linear_would_refuse_is_refused_here(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        render_manifest("https://bot.acme.test", name)


@pytest.mark.parametrize("url", ["", "http://localhost:8080", "bot.acme.test", "https://bot.acme.test/sub"])
def test_an_address_that_linear_cannot_reach_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        render_manifest(url)


def test_the_link_holds_the_whole_manifest() -> None:
    text = render_manifest("https://bot.acme.test", "Robo & Söhne")
    link = creation_link(text)
    assert link.startswith(f"{CREATE_URL}?manifest=")
    assert json.loads(parse_qs(urlsplit(link).query)["manifest"][0]) == json.loads(text)
