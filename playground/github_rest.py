"""REST of the GitHub stand-in: which calls there are, who makes one, and what they may see and do."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from playground import github_rights as rights
from playground import github_views as views
from playground.github_rights import Refused
from playground.github_state import Pull, Repository
from playground.github_tokens import Credential, Tokens
from playground.github_views import Json
from playground.github_world import Forge

MOST: Final = 100
"""Items on a page."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One call: who, with which parts of the path, query and body."""

    who: Credential
    parts: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]

    def text(self, name: str) -> str:
        """A field of the body that has to be there."""
        if not isinstance(value := self.body.get(name), str) or not value:
            raise Refused(422, f'Invalid request.\n\n"{name}" wasn\'t supplied.')
        return value

    def maybe(self, name: str) -> str | None:
        """A field of the body that may be left out."""
        value = self.body.get(name)
        if value is not None and not isinstance(value, str):
            raise Refused(422, f"Invalid request.\n\nFor 'properties/{name}', {value!r} is not a string.")
        return value

    def page(self, items: list[Json]) -> list[Json]:
        """The part of a list that was asked for."""
        size, number = (
            int(text) if (text := self.query.get(name, "")).isdecimal() else usual
            for name, usual in (("per_page", 30), ("page", 1))
        )
        size = min(max(size, 1), MOST)
        return items[(max(number, 1) - 1) * size :][:size]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[["Rest", Asked], Awaitable[Answer]]
ROUTES: list[tuple[str, re.Pattern[str], str, Handler]] = []


def on(method: str, template: str) -> Callable[[Handler], Handler]:
    """Answer calls of this kind; `{name}` stands for one part, `{name...}` for all that is left."""
    pattern = re.sub(r"\{(\w+)\.\.\.\}", r"(?P<\1>.+)", template)
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)

    def add(handler: Handler) -> Handler:
        ROUTES.append((method, re.compile(pattern), template, handler))
        return handler

    return add


def kind_of(method: str, path: str) -> tuple[str, Handler, Mapping[str, str]] | None:
    """The name of a call ("PUT /repos/{owner}/{repo}/pulls/{number}/merge"), its handler, and its parts.

    Everything below the name of a repository is below its number, too; `id` is among the parts then.
    """
    numbered = re.fullmatch(r"/repositories/([^/]+)(/.+)", path)
    place = f"/repos/-/-{numbered[2]}" if numbered else path
    for verb, pattern, template, handler in ROUTES:
        if verb == method and (found := pattern.fullmatch(place)):
            parts = {name: unquote(part) for name, part in found.groupdict().items()}
            return f"{verb} {template}", handler, parts | ({"id": numbered[1]} if numbered else {})
    return None


class Rest:
    """What the handlers of the calls share: the state, and who may see and do what."""

    def __init__(self, forge: Forge, tokens: Tokens) -> None:
        self.forge = forge
        self.tokens = tokens
        self.world = forge.world
        self.url = forge.url

    def home(self, asked: Asked, right: str = "metadata", level: str = "read") -> Repository:
        """The repository of a call, if the token may do that there; people are asked for more elsewhere."""
        if asked.who.kind == "app":
            raise Refused(401, "A JSON web token could not be used here")
        home = self.found(asked)
        rights.demand_right(self.forge.app, asked.who, right, level)
        return home

    def found(self, asked: Asked) -> Repository:
        """The repository of a call; for strangers there is none, and none that moved."""
        if "id" in asked.parts:
            home, moved = self.world.numbered(asked.parts["id"]), None
        else:
            full_name = f"{asked.parts['owner']}/{asked.parts['repo']}"
            home, moved = self.world.repository(full_name), self.world.moved(full_name)
        if home is not None and rights.sees(asked.who, home):
            return home
        if home is None and moved is not None and rights.sees(asked.who, moved):
            raise Moved(moved.id)
        raise Refused(404, "Not Found")

    def pull(
        self, asked: Asked, right: str = "pull_requests", level: str = "read"
    ) -> tuple[Repository, Pull]:
        home = self.home(asked, right, level)
        number = asked.parts["number"]
        one = home.pulls.get(int(number)) if number.isdecimal() else None
        if one is None:
            raise Refused(404, "Not Found")
        return home, one

    async def shown(self, home: Repository, one: Pull) -> Json:
        """A pull request with what is computed of it."""
        state = await self.forge.state(home, one)
        change = await self.forge.change(home, one)
        computed = {
            "mergeable": {"MERGEABLE": True, "CONFLICTING": False}.get(state["mergeable"]),
            "mergeable_state": state["mergeStateStatus"].lower(),
            "additions": change.additions,
            "deletions": change.deletions,
            "changed_files": len(change.files),
        }
        return views.pull(one, home, self.url, whole=True, state=computed)


class Moved(Exception):
    """The repository has another name now; everything of it is found below its number."""

    def __init__(self, id: int) -> None:
        super().__init__(f"moved to {id}")
        self.id = id
