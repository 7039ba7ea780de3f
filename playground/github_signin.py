"""Signing in at the GitHub stand-in: the authorize page, on which anybody may be anybody, and the tokens."""

import html
import json
from urllib.parse import parse_qs, urlencode

from aiohttp import web

from playground.github_rest import Answer
from playground.github_state import World
from playground.github_tokens import AppIdentity, Tokens

AUTHORIZE_PATH = "/login/oauth/authorize"
TOKEN_PATH = "/login/oauth/access_token"


class SignIn:
    def __init__(self, world: World, app: AppIdentity, tokens: Tokens) -> None:
        self._world = world
        self._app = app
        self._tokens = tokens

    async def page(self, request: web.Request) -> web.Response:
        """Who may be anybody here picks who they are."""
        query = request.query
        if query.get("client_id") != self._app.client_id or query.get("code_challenge_method") != "S256":
            return web.Response(status=404, text="Not Found")
        people = [one for one in self._world.accounts.values() if one.type == "User"]
        names = [html.escape(one.login) for one in people]
        buttons = "".join(f"<button name=login value='{one}'>Authorize as {one}</button>" for one in names)
        text = f"<title>Authorize Threadline</title><form method=post>{buttons}</form>"
        return web.Response(text=text, content_type="text/html")

    async def pressed(self, request: web.Request) -> web.Response:
        form, query = await request.post(), request.query
        account = self._world.named(str(form.get("login", "")))
        if account is None or not {"code_challenge", "redirect_uri", "state"} <= query.keys():
            return web.Response(status=422, text="Unprocessable Entity")
        code = self._tokens.agree(
            account, challenge=query["code_challenge"], redirect_uri=query["redirect_uri"]
        )
        back = f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"
        return web.Response(status=302, headers={"Location": back})

    async def token(self, request: web.Request) -> Answer:
        """The pair of tokens for a code or a refresh token; GitHub says no with status 200."""
        sent = await _fields(request)
        if (sent.get("client_id"), sent.get("client_secret")) != (
            self._app.client_id,
            self._app.client_secret,
        ):
            return Answer(200, _flaw("incorrect_client_credentials"))
        if sent.get("grant_type") == "refresh_token":
            pair = self._tokens.refresh(sent.get("refresh_token", ""))
            return Answer(200, pair or _flaw("bad_refresh_token"))
        pair = self._tokens.exchange(
            sent.get("code", ""), sent.get("code_verifier", ""), sent.get("redirect_uri", "")
        )
        return Answer(200, pair or _flaw("bad_verification_code"))


async def _fields(request: web.Request) -> dict[str, str]:
    body = await request.text()
    if request.content_type != "application/json":
        return {name: values[0] for name, values in parse_qs(body).items()}
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return {name: str(value) for name, value in told.items()} if isinstance(told, dict) else {}


def _flaw(error: str) -> dict[str, object]:
    return {
        "error": error,
        "error_description": error.replace("_", " "),
        "error_uri": "https://docs.github.test",
    }
