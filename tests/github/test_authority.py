"""Only a person's own token reviews, approves or merges: by type, at run time, and by what is asked."""

import inspect
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib.resources import files
from typing import Any, get_type_hints

import httpx
import pytest

from github.acts import GitHubActs
from github.app import GitHubApp
from github.checks import GitHubChecks
from github.client import GitHubClient
from github.credentials import AppJwt, ClientSecret, UnprovenToken, UserToken, only_user
from github.errors import GitHubError
from github.merging import GitHubMerging
from tests.github.fakes import (
    APP,
    HEAD,
    OP,
    PAT,
    REPO,
    ScriptedGitHub,
    acts_of,
    merging_of,
    refused,
    wire_of,
)

NOT_PEOPLE = [APP, PAT, AppJwt("eyJ.x.y"), UnprovenToken("ghu_x"), ClientSecret("Iv1", "s"), "ghu_x", None]
VALUES: dict[str, Any] = {
    "repo": REPO,
    "number": 7,
    "sha": HEAD,
    "event": "APPROVE",
    "body": "",
    "op": OP,
    "review": 1,
    "reason": "moved",
    "method": "squash",
}


def methods_of(kind: type) -> dict[str, Callable[..., Awaitable[object]]]:
    return {
        name: method
        for name, method in vars(kind).items()
        if inspect.iscoroutinefunction(method) and not name.startswith("_")
    }


PEOPLE_ACT = [(kind, name) for kind in (GitHubActs, GitHubMerging) for name in methods_of(kind)]


def test_all_acts_are_looked_at() -> None:
    assert {name for _, name in PEOPLE_ACT} == {
        "review",
        "find_review",
        "withdraw",
        "mark_ready",
        "convert_to_draft",
        "enable_auto_merge",
        "disable_auto_merge",
        "enqueue",
        "dequeue",
        "update_branch",
        "close",
        "merge",
    }


@pytest.mark.parametrize(("kind", "name"), PEOPLE_ACT)
def test_an_act_is_typed_for_a_persons_token_alone(kind: type, name: str) -> None:
    assert get_type_hints(methods_of(kind)[name])["as_"] is UserToken


@pytest.mark.parametrize("credential", NOT_PEOPLE, ids=lambda credential: type(credential).__name__)
@pytest.mark.parametrize(("kind", "name"), PEOPLE_ACT)
async def test_no_other_credential_gets_as_far_as_a_request(
    kind: type, name: str, credential: object
) -> None:
    github = ScriptedGitHub()
    subject = acts_of(github) if kind is GitHubActs else merging_of(github)
    method = getattr(subject, name)
    wanted = inspect.signature(method).parameters.keys() & VALUES.keys()
    with pytest.raises(TypeError, match="own token"):
        await method(as_=credential, **{key: VALUES[key] for key in wanted})
    assert github.requests == []


def test_a_kind_of_user_token_is_none() -> None:
    class Disguised(UserToken):
        pass

    with pytest.raises(TypeError):
        only_user(Disguised("ghs_x", 1))


MUTATIONS = {
    "MarkReady",
    "ConvertToDraft",
    "EnableAutoMerge",
    "DisableAutoMerge",
    "Enqueue",
    "Dequeue",
}
MORE_VALUES: dict[str, Any] = VALUES | {
    "as_": APP,
    "head": "eng-1",
    "base": "main",
    "title": "T",
    "branch": "main",
    "login": "ann",
    "id": 41,
    "name": "independent-review",
    "external_id": "x1",
    "summary": "S",
    "conclusion": "success",
    "check_run": 1,
    "job": 1,
}


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in (GitHubClient, GitHubChecks) for name in methods_of(kind)]
)
async def test_what_the_service_does_as_itself_uses_no_authority_of_people(kind: type, name: str) -> None:
    asked: list[str] = []

    def refusing(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url.path} {request.content.decode()}")
        if request.method == "GET":
            return httpx.Response(200, json=[])
        return refused(404)

    method = getattr(kind(wire_of(refusing)), name)
    wanted = inspect.signature(method).parameters.keys() & MORE_VALUES.keys()
    with suppress(GitHubError):
        await method(**{key: MORE_VALUES[key] for key in wanted})
    assert asked
    writes = [line for line in asked if not line.startswith("GET ") and "query Pull" not in line]
    for word in ("/reviews", "/merge", "/update-branch", "/dismissals", "mutation", '"state"'):
        assert not [line for line in writes if word in line]


def test_only_the_two_modules_of_acts_name_what_needs_authority() -> None:
    folder = files("github")
    texts = {
        file.name: file.read_text(encoding="utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".py") and file.name not in {"acts.py", "merging.py"}
    }
    assert {"client.py", "checks.py", "app.py"} <= texts.keys()
    words = {*(f'"{name}"' for name in MUTATIONS), "/merge-async", "}/merge", "/update-branch", "/dismissals"}
    assert [(name, word) for name, text in texts.items() for word in words if word in text] == []


def test_the_app_has_no_act_either() -> None:
    assert methods_of(GitHubApp).keys() == {
        "about",
        "installation",
        "token",
        "acting",
        "deliveries",
        "redeliver",
    }
