"""The HTTP side of the GitHub stand-in: who calls what, with which fault, and what is kept of it."""

import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

# Their calls are known once they are imported.
from playground import github_rest_app, github_rest_pulls, github_rest_repositories  # noqa: F401
from playground.github_faults import Call, Faults, spoiled
from playground.github_graphql import Endpoint, described
from playground.github_page import home_page, pull_page
from playground.github_remote import Remote
from playground.github_rest import Answer, Asked, Moved, Rest, kind_of
from playground.github_rights import Refused
from playground.github_signin import AUTHORIZE_PATH, TOKEN_PATH, SignIn
from playground.github_state import World
from playground.github_tokens import Credential, Tokens
from playground.github_world import Forge
from playground.moments import Moments

DOCS = "https://docs.github.test"


class Front:
    """Everything that is asked of the stand-in, but for its control API."""

    def __init__(
        self, forge: Forge, tokens: Tokens, faults: Faults, calls: list[Call], moments: Moments
    ) -> None:
        self._forge = forge
        self._world: World = forge.world
        self._tokens = tokens
        self._faults = faults
        self._calls = calls
        self._moments = moments
        self._rest = Rest(forge, tokens)
        self._endpoint = Endpoint(forge)
        self._remote = Remote(forge, tokens, faults, calls, moments)
        self._sign_in = SignIn(forge.world, forge.app, tokens)

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get(AUTHORIZE_PATH, self._sign_in.page)
        app.router.add_post(AUTHORIZE_PATH, self._sign_in.pressed)
        app.router.add_post(TOKEN_PATH, self._token)
        app.router.add_post("/graphql", self._graphql)
        app.router.add_post("/api/graphql", self._graphql)
        app.router.add_get("/_files/logs/{id}", self._log)
        app.router.add_get("/", self._home)
        app.router.add_get("/{owner}/{repo}/pull/{number}", self._pull)
        app.router.add_route("*", "/{path:.*}", self._anything)

    async def _anything(self, request: web.Request) -> web.StreamResponse:
        path = request.raw_path.partition("?")[0]
        if ".git/" in path:
            return await self._remote.handle(request, path)
        path = path.removeprefix("/api/v3")
        found = kind_of(request.method, path)
        if found is None:
            return _json(Answer(404, _words(404, "Not Found")))
        kind, handler, parts = found
        who, body = self._who(request, kind), await request.read()

        async def answer() -> Answer:
            if who is None:
                raise Refused(401, "Bad credentials")
            asked = Asked(who, parts, dict(request.query), _object(body))
            try:
                return await handler(self._rest, asked)
            except Moved as moved:
                return self._moved(request, path, moved)

        call = Call(kind, _name(who), 0, _sent(body), None, path, dict(request.query))
        return await self._answered(call, answer)

    def _who(self, request: web.Request, kind: str) -> Credential | None:
        header = request.headers.get("Authorization", "")
        if "/applications/" not in kind:
            return self._tokens.whose(header)
        app = self._forge.app
        wanted = base64.b64encode(f"{app.client_id}:{app.client_secret}".encode()).decode()
        is_app = header.partition(" ")[2] == wanted
        return self._tokens.of_app() if is_app else None

    def _moved(self, request: web.Request, path: str, moved: Moved) -> Answer:
        """A read may go on by itself; a write keeps its method and its body."""
        rest = "".join(f"/{part}" for part in path.split("/")[4:])
        query = f"?{request.query_string}" if request.query_string else ""
        place = f"{self._forge.url}/repositories/{moved.id}{rest}{query}"
        status = 301 if request.method in ("GET", "HEAD") else 307
        told = {"message": "Moved Permanently", "url": place, "documentation_url": DOCS}
        return Answer(status, told, headers={"Location": place})

    async def _answered(self, call: Call, answer: Callable[[], Awaitable[Answer]]) -> web.StreamResponse:
        """What a call comes to, unless a fault waits for it; either is kept."""
        name = described(call.body["query"])[0] if call.kind == "graphql" and call.body else ""
        kinds = [f"{call.kind}:{name}", call.kind] if name else [call.kind]
        told_of = {"path": call.path, "sent": call.body}
        await self._moments.reach(kinds, "before", told_of)
        fault = self._faults.take(*kinds)
        if fault is not None and fault.comes_first:
            self._keep(call, Answer(fault.status))
            return spoiled(fault)
        try:
            done = await answer()
        except Refused as refused:
            told = _words(refused.status, str(refused)) | refused.more
            done = Answer(refused.status, told)
        self._keep(call, done)
        await self._moments.reach(kinds, "executed", told_of)
        return _json(done) if fault is None else spoiled(fault)

    def _keep(self, call: Call, done: Answer) -> None:
        kept = Call(call.kind, call.who, done.status, call.body, done.json, call.path, call.query, call.deeds)
        self._calls.append(kept)

    async def _graphql(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        sent = _sent(body)
        who = self._tokens.whose(request.headers.get("Authorization", ""))
        document = sent.get("query") if isinstance(sent, dict) else None
        is_asked = isinstance(document, str)

        async def answer() -> Answer:
            if who is None or who.kind == "app":
                raise Refused(401, "Bad credentials")
            variables = _object(body).get("variables") or {}
            if not is_asked:
                raise Refused(400, "A query attribute must be specified and must be a string.")
            return Answer(200, await self._endpoint.answer(str(document), variables, who))

        deeds = described(str(document))[1] if is_asked else ()
        call = Call("graphql", _name(who), 0, sent if is_asked else None, path="/graphql", deeds=deeds)
        return await self._answered(call, answer)

    async def _token(self, request: web.Request) -> web.StreamResponse:
        return await self._answered(
            Call("token", "nobody", 0, path=TOKEN_PATH), lambda: self._sign_in.token(request)
        )

    async def _log(self, request: web.Request) -> web.Response:
        """A store of files takes no credential of somebody else's."""
        runs = [run for home in self._world.repositories for run in home.checks]
        found = next((run for run in runs if str(run.id) == request.match_info["id"]), None)
        if "Authorization" in request.headers:
            return web.Response(status=400, text="Authentication information is not in the right form")
        return web.Response(text=found.log) if found else web.Response(status=404)

    async def _home(self, _request: web.Request) -> web.Response:
        return web.Response(text=home_page(self._world), content_type="text/html")

    async def _pull(self, request: web.Request) -> web.Response:
        names = request.match_info
        full_name = f"{names['owner']}/{names['repo']}"
        home = self._world.repository(full_name) or self._world.moved(full_name)
        number = names["number"]
        one = home.pulls.get(int(number)) if home and number.isdecimal() else None
        if home is None or one is None:
            return web.Response(status=404, text="Not Found")
        state, change = await self._forge.state(home, one), await self._forge.change(home, one)
        text = pull_page(home, one, state["mergeStateStatus"], change)
        return web.Response(text=text, content_type="text/html")


def _name(who: Credential | None) -> str:
    return who.name if who else "nobody"


def _sent(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None


def _object(body: bytes) -> Mapping[str, Any]:
    """The fields of a body. Raises Refused: It is not a JSON object."""
    try:
        told = json.loads(body) if body else {}
    except ValueError:
        raise Refused(400, "Problems parsing JSON") from None
    if told is not None and not isinstance(told, dict):
        raise Refused(400, "Body should be a JSON object")
    return told or {}


def _words(status: int, message: str) -> dict[str, Any]:
    return {"message": message, "documentation_url": DOCS, "status": str(status)}


def _json(done: Answer) -> web.Response:
    if done.json is None:
        return web.Response(status=done.status, headers=done.headers)
    return web.json_response(done.json, status=done.status, headers=done.headers)
