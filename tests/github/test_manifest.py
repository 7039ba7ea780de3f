"""The app's manifest asks for exactly what the code uses, in a form that GitHub takes."""

import json
from html.parser import HTMLParser
from typing import Any

import pytest

from github.app import CHECKS, PULLS, PUSH, READ
from github.hints import EVENTS, UNASKED
from github.ingress import PATH
from github.manifest import NAME_CHARS, PERMISSIONS, WEB_URL, github_manifest, registration_form
from github.oauth import LINK_CALLBACK_PATH
from tests.github.contract.rest import described

URL = "https://bot.acme.test"
BEHIND = {
    "check_run": "checks",
    "check_suite": "checks",
    "issue_comment": "issues",
    "member": "members",
    "merge_group": "merge_queues",
    "pull_request": "pull_requests",
    "pull_request_review": "pull_requests",
    "pull_request_review_comment": "pull_requests",
    "pull_request_review_thread": "pull_requests",
    "repository": "metadata",
    "status": "statuses",
    "workflow_run": "actions",
}
"""The permission without which GitHub refuses a manifest that asks for the event."""


def manifest(url: str = URL, **name: str) -> dict[str, Any]:
    return github_manifest(url, **name)


def test_addresses_are_under_the_public_one() -> None:
    made = manifest(f"{URL}/")
    assert made["url"] == URL
    assert made["hook_attributes"] == {"url": URL + PATH, "active": True}
    assert made["callback_urls"] == [URL + LINK_CALLBACK_PATH]
    assert "threadline.example" not in json.dumps(made)


def test_it_asks_for_the_events_that_the_code_reads() -> None:
    assert manifest()["default_events"] == [*EVENTS]
    assert not {*manifest()["default_events"]} & {*UNASKED}


def test_behind_every_event_stands_a_permission() -> None:
    made = manifest()
    assert BEHIND.keys() == {*made["default_events"]}
    assert {*BEHIND.values()} <= made["default_permissions"].keys()


def test_it_asks_for_the_rights_that_the_code_uses_and_no_others() -> None:
    asked = manifest()["default_permissions"]
    assert asked == {**PERMISSIONS}
    used = {name for rights in (READ, PUSH, PULLS, CHECKS) for name in rights}
    assert asked.keys() == used | {*BEHIND.values(), "emails"}
    written = {name for name, level in asked.items() if level == "write"}
    assert written == {
        name for rights in (PUSH, PULLS, CHECKS) for name, level in rights.items() if level == "write"
    }


@pytest.mark.parametrize("right", ["workflows", "administration", "secrets", "organization_administration"])
def test_it_never_asks_for_power_over_the_repository(right: str) -> None:
    assert right not in manifest()["default_permissions"]


def test_the_rights_are_some_that_github_knows() -> None:
    known = described()["components"]["schemas"]["app-permissions"]["properties"]
    for name, level in manifest()["default_permissions"].items():
        # The manifest calls it otherwise than the API.
        assert level in known["email_addresses" if name == "emails" else name]["enum"]


def test_it_is_private_and_nobody_links_by_installing() -> None:
    made = manifest()
    assert (made["public"], made["request_oauth_on_install"]) == (False, False)


def test_the_name_is_the_one_that_was_asked_for() -> None:
    assert manifest()["name"] == "Threadline"
    assert manifest(name="Robo ü")["name"] == "Robo ü"


@pytest.mark.parametrize("name", ["", " ", "x" * (NAME_CHARS + 1), "My GitHub bot"])
def test_a_name_that_github_would_refuse_is_refused_here(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        manifest(name=name)


@pytest.mark.parametrize("url", ["", "http://localhost:8080", "bot.acme.test", f"{URL}/sub", f"{URL}?x=1"])
def test_an_address_that_github_cannot_use_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        manifest(url)


class Form(HTMLParser):
    """Where a page's only form goes, and what it sends."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.method = self.action = ""
        self.sent: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.method, self.action = told["method"], told["action"]
        if tag == "input":
            self.sent[told["name"]] = told["value"]


@pytest.mark.parametrize(
    ("organization", "web_url", "action"),
    [
        ("acme", WEB_URL, "https://github.com/organizations/acme/settings/apps/new"),
        ("", WEB_URL, "https://github.com/settings/apps/new"),
        ("a-1", "https://ghe.acme.test", "https://ghe.acme.test/organizations/a-1/settings/apps/new"),
    ],
)
def test_the_form_brings_the_manifest_to_github(organization: str, web_url: str, action: str) -> None:
    made = manifest(name='Robo "ü" <b>')
    page = registration_form(made, organization, web_url=web_url)
    form = Form(page)
    assert (form.method, form.action) == ("post", action)
    assert {name: json.loads(value) for name, value in form.sent.items()} == {"manifest": made}
    assert "<b>" not in page


@pytest.mark.parametrize("organization", ["a/b", "../x", "-acme", 'a"b', "a b", "x" * 40, "ü"])
def test_no_name_leads_the_manifest_elsewhere(organization: str) -> None:
    with pytest.raises(ValueError, match="organisation"):
        registration_form(manifest(), organization)


@pytest.mark.parametrize("web_url", ["http://ghe.acme.test", "ghe.acme.test", "https://ghe.acme.test/x"])
def test_the_manifest_does_not_travel_in_the_clear(web_url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        registration_form(manifest(), web_url=web_url)
