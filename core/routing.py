"""Which repository is meant: an option, a channel or team rule, the default; else people are asked. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository the bot may work in, from `threadline.toml`.

    Attributes:
        name: owner/name on the code host.
        url: Any address git can clone.
        base: Branch that work starts from.
        teams: Linear team keys routed here.
        channels: Chat places routed here, like "slack:T0001/C0001".
        default: Used when no rule matches.
        hosted: It lives at the code host that is set up: work in it becomes a pull request.
        independent_review: A check of ours stays red until somebody approved who did not steer the work.
        fix: "offer" or "auto": whether the agent is asked by itself to fix what checks and reviews say.
        author: "requester" or "bot": who opens the pull request, where the requester is linked.
    """

    name: str
    url: str
    base: str = "main"
    teams: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    default: bool = False
    hosted: bool = False
    independent_review: bool = True
    fix: str = "offer"
    author: str = "requester"


@dataclass(frozen=True, slots=True)
class Route:
    """A choice and why it was made, as people read it after the name: "acme/shop, because ..."."""

    repository: Repository
    reason: str


def choose(
    repositories: Sequence[Repository],
    *,
    named: str | None = None,
    place: str | None = None,
    team: str | None = None,
) -> Route | None:
    """The repository that the rules point to, or None when people must choose.

    Args:
        named: What a person wrote as `repo=`; a bare name matches any owner.
        place: The chat place as in `ThreadRef.place`.
        team: Key of the Linear team that owns the issue.
    """
    if named and (meant := find(repositories, named)):
        return Route(meant, "as you asked")
    for reason, matching in (
        ("because this channel maps to it", [one for one in repositories if place in one.channels]),
        (f"because team {team} maps to it", [one for one in repositories if team in one.teams]),
        ("the default", [one for one in repositories if one.default]),
        ("the only one there is", list(repositories)),
    ):
        if len(matching) == 1:
            return Route(matching[0], reason)
        if matching:
            return None
    return None


def find(repositories: Sequence[Repository], text: str) -> Repository | None:
    """The repository that `text` names, leniently: full name, bare name, any case, with words around it."""
    words = set(re.findall(r"[\w.-]+(?:/[\w.-]+)?", text.lower()))
    for one in repositories:
        if one.name.lower() in words:
            return one
    bare = [one for one in repositories if one.name.lower().rpartition("/")[2] in words]
    return bare[0] if len(bare) == 1 else None
