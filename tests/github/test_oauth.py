"""People's tokens: asked for with PKCE, traded once, told apart from failures, given back."""

import base64
import logging
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest

from github.credentials import UserToken
from github.errors import Forbidden, GitHubError, Invalid, RateLimited, Transient, Unauthorized
from github.oauth import GitHubOAuth, Grant, GrantDead, challenge_of
from github.wire import Wire
from tests.github.fakes import API, EVE, Clock, Reply, ScriptedGitHub, ok, refused

WEB = "https://github.test"
SECRET = "client-secret-0123456789"
CODE = "code-0123456789"
VERIFIER = "v" * 64
REFRESH = "ghr_" + "r" * 60
PAIR = {
    "access_token": EVE.token,
    "expires_in": 28800,
    "refresh_token": REFRESH,
    "refresh_token_expires_in": 15811200,
    "token_type": "bearer",
    "scope": "",
}
GRANT = Grant(EVE.token, REFRESH, timedelta(hours=8), timedelta(seconds=15811200))


class TokenPage:
    """github.com's token endpoint: gives the scripted answers, remembers the forms."""

    def __init__(self, *replies: Reply) -> None:
        self._replies = [*replies]
        self.forms: list[dict[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert (request.method, str(request.url)) == ("POST", f"{WEB}/login/oauth/access_token")
        assert request.headers["Accept"] == "application/json"
        self.forms.append(dict(parse_qsl(request.content.decode())))
        reply = self._replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        assert isinstance(reply, httpx.Response)
        return reply


def oauth_of(
    page: Callable[[httpx.Request], httpx.Response], api: ScriptedGitHub | None = None
) -> GitHubOAuth:
    def route(request: httpx.Request) -> httpx.Response:
        return page(request) if request.url.host == "github.test" else (api or ScriptedGitHub())(request)

    http = httpx.AsyncClient(transport=httpx.MockTransport(route))
    wire = Wire(http, API, pace=Clock().pace())
    return GitHubOAuth(http, wire, web_url=f"{WEB}/", client_id="Iv23liABC", client_secret=SECRET)


def told(**fields: Any) -> httpx.Response:
    return httpx.Response(200, json=fields)


def test_the_link_to_github_holds_the_digest_and_not_the_verifier() -> None:
    url = oauth_of(TokenPage()).authorize_url(
        redirect_uri="https://b.test/oauth/github/link/callback", state="s t&a", verifier=VERIFIER
    )
    assert url.startswith(f"{WEB}/login/oauth/authorize?")
    digest = base64.urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    assert parse_qs(urlsplit(url).query) == {
        "client_id": ["Iv23liABC"],
        "redirect_uri": ["https://b.test/oauth/github/link/callback"],
        "state": ["s t&a"],
        "code_challenge": [digest],
        "code_challenge_method": ["S256"],
        "prompt": ["select_account"],
    }
    assert VERIFIER not in url
    assert SECRET not in url


def test_the_challenge_is_that_of_the_standard() -> None:
    # The example of RFC 7636, appendix B.
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


async def test_a_code_is_traded_with_its_verifier() -> None:
    page = TokenPage(told(**PAIR))
    grant = await oauth_of(page).exchange(CODE, verifier=VERIFIER, redirect_uri="https://b.test/cb")
    assert grant == GRANT
    assert page.forms == [
        {
            "client_id": "Iv23liABC",
            "client_secret": SECRET,
            "code": CODE,
            "code_verifier": VERIFIER,
            "redirect_uri": "https://b.test/cb",
        }
    ]


async def test_a_refresh_token_is_traded_for_a_new_pair() -> None:
    page = TokenPage(told(**PAIR))
    assert await oauth_of(page).refresh("ghr_old") == GRANT
    assert page.forms[0]["grant_type"] == "refresh_token"
    assert page.forms[0]["refresh_token"] == "ghr_old"


async def test_tokens_that_never_end_have_no_end() -> None:
    page = TokenPage(told(access_token="gho_x", token_type="bearer", scope=""))
    assert await oauth_of(page).refresh("ghr_old") == Grant("gho_x", None, None, None)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (told(error="bad_verification_code", error_description="x"), GrantDead),
        (told(error="bad_refresh_token"), GrantDead),
        (told(error="incorrect_client_credentials"), Unauthorized),
        (told(error="redirect_uri_mismatch"), Invalid),
        (told(error="something_new"), Invalid),
        (told(access_token=""), Transient),
        (told(), Transient),
        (httpx.Response(200, text="<html>"), Transient),
        (httpx.Response(200, text="access_token=x&scope="), Transient),
        (httpx.Response(200, content=b'{"access_token": "gh'), Transient),
        (httpx.Response(404, text="Not Found"), Transient),
        (httpx.Response(302, headers={"Location": "https://evil.test"}), Transient),
        (httpx.Response(502), Transient),
        (httpx.Response(429), RateLimited),
        (httpx.ReadTimeout("slow"), Transient),
        (httpx.ConnectError("down"), Transient),
    ],
    ids=repr,
)
async def test_only_githubs_own_word_ends_a_grant(reply: Reply, kind: type[GitHubError]) -> None:
    with pytest.raises(GitHubError) as failure:
        await oauth_of(TokenPage(reply)).refresh(REFRESH)
    assert type(failure.value) is kind


@pytest.mark.parametrize(
    ("reply", "maybe_done"),
    [
        (httpx.ConnectError("down"), False),
        (httpx.Response(404, text="Not Found"), False),
        (httpx.ReadTimeout("slow"), True),
        (httpx.Response(502), True),
        (httpx.Response(200, text="<html>"), True),
    ],
    ids=repr,
)
async def test_a_refresh_token_may_have_been_used_up(reply: Reply, maybe_done: bool) -> None:
    with pytest.raises(Transient) as failure:
        await oauth_of(TokenPage(reply)).refresh(REFRESH)
    assert failure.value.maybe_done is maybe_done


@pytest.mark.parametrize(
    "reply",
    [
        told(error=f"bad {REFRESH} {SECRET}"),
        told(access_token=["x", REFRESH]),
        httpx.Response(500, text=REFRESH),
        httpx.ReadTimeout(f"{REFRESH} {SECRET}"),
    ],
    ids=["error", "shape", "500", "timeout"],
)
async def test_no_secret_is_raised_or_logged(reply: Reply, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(GitHubError) as failure:
        await oauth_of(TokenPage(reply)).refresh(REFRESH)
    error = failure.value
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None
    for secret in (REFRESH, SECRET):
        assert secret not in f"{error!r} {caplog.text}"
    assert "ghu_" not in repr(GRANT)


async def test_whose_token_it_is() -> None:
    api = ScriptedGitHub(ok("GET", "/user/42", id=42, login="eve"), judged=False)
    assert (await oauth_of(TokenPage(), api).whoami(GRANT.unproven)).id == 42
    assert api.requests[0].headers["Authorization"] == f"Bearer {EVE.token}"


async def test_a_dead_token_is_nobodys() -> None:
    with pytest.raises(Unauthorized):
        await oauth_of(TokenPage(), ScriptedGitHub(refused(401, "Bad credentials"))).whoami(EVE)


async def test_addresses_are_told_with_their_proof() -> None:
    api = ScriptedGitHub(ok("GET", "/user/emails", email="eve@acme.test", verified=True, primary=True))
    (address,) = await oauth_of(TokenPage(), api).emails(EVE)
    assert (address.email, address.verified) == ("eve@acme.test", True)


async def test_addresses_need_a_right() -> None:
    api = ScriptedGitHub(refused(403, "Resource not accessible by integration"))
    with pytest.raises(Forbidden):
        await oauth_of(TokenPage(), api).emails(EVE)


PLACE = "/applications/Iv23liABC"


def owned(by: int) -> httpx.Response:
    owner = ok("GET", "/repos/acme/shop").json()["owner"]
    return ok("POST", f"{PLACE}/token", user=owner | {"id": by})


@pytest.mark.parametrize(("reply", "alive"), [(owned(42), True), (owned(43), False), (refused(404), False)])
async def test_a_token_is_alive_if_it_is_still_that_persons(reply: httpx.Response, alive: bool) -> None:
    api = ScriptedGitHub(reply)
    assert await oauth_of(TokenPage(), api).is_alive(UserToken(EVE.token, 42)) is alive
    pair = base64.b64encode(f"Iv23liABC:{SECRET}".encode()).decode()
    assert api.requests[0].headers["Authorization"] == f"Basic {pair}"
    assert api.bodies == [{"access_token": EVE.token}]


@pytest.mark.parametrize("reply", [httpx.Response(204), refused(422, "invalid"), refused(404)])
async def test_giving_back_twice_is_no_error(reply: httpx.Response) -> None:
    api = ScriptedGitHub(reply)
    await oauth_of(TokenPage(), api).revoke(EVE.token)
    assert api.asked == [f"DELETE {PLACE}/grant"]
