"""Paths of GitHub's API from names that anybody may have typed: checked, then encoded. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

from github.errors import BadName

# Longer than GitHub's 39 characters: managed users have their company's short name after an underscore.
_OWNER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,100}", re.ASCII)
_LOGIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}(?:\[bot\])?", re.ASCII)
_SHA: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII)
_UUID: Final = re.compile(r"[0-9A-Za-z-]{8,64}", re.ASCII)
_CLIENT: Final = re.compile(r"(?:Iv[0-9]{1,3}\.)?[A-Za-z0-9_-]{4,100}", re.ASCII)
_BRANCH_CHARS: Final = 244
_NOT_IN_BRANCHES: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
_PLACE: Final = re.compile(r"\{(\w+)\}")
_MOST: Final = 1 << 63


def path(template: str, **parts: str | int) -> str:
    """Fill `template` with `parts`, each checked by the rule of its place and percent-encoded.

    `path("/repos/{repo}/pulls/{number}", repo="acme/shop", number=7)` is "/repos/acme/shop/pulls/7". The
    places are `repo` ("owner/name"), `login`, `branch`, `sha`, `number`, `id`, `uuid` and `client_id`.

    Raises:
        BadName: A part cannot be what its place asks for. GitHub's own rules may still be stricter.
        KeyError: A part is absent or has no rule; a defect of ours.
    """

    def filled(place: re.Match[str]) -> str:
        name = place[1]
        return _RULES[name](parts[name])

    return _PLACE.sub(filled, template)


def repo_path(repo: str | int) -> str:
    """A full name like "acme/shop" as it stands in a path.

    Raises:
        BadName: It is no full name of a repository.
    """
    owner, name = split_repo(repo)
    return f"{quote(owner, safe='')}/{quote(name, safe='')}"


def split_repo(repo: str | int) -> tuple[str, str]:
    """Owner and name of "acme/shop".

    Raises:
        BadName: It is no full name of a repository.
    """
    owner, slash, name = str(repo).partition("/")
    if not slash or not _OWNER.fullmatch(owner) or not _NAME.fullmatch(name) or name in {".", ".."}:
        raise BadName("not the name of a repository")
    return owner, name


def sha_of(sha: str | int) -> str:
    """A whole commit id, of SHA-1 or SHA-256, in lower case as GitHub writes them.

    Raises:
        BadName: It is none; what is shortened is none.
    """
    return _matched(_SHA, sha, "not a whole commit id")


def _login(login: str | int) -> str:
    return quote(_matched(_LOGIN, login, "not the name of an account"), safe="")


def _branch(branch: str | int) -> str:
    text = str(branch)
    parts = text.split("/")
    is_odd = any(not part or part.startswith(".") or part.endswith((".", ".lock")) for part in parts)
    if is_odd or len(text) > _BRANCH_CHARS or _NOT_IN_BRANCHES.search(text) or not text.isprintable():
        raise BadName("not the name of a branch")
    return quote(text, safe="")


def _number(number: str | int) -> str:
    # `bool` is an int as well, and "7" may come from a form.
    if type(number) is not int or not 0 < number < _MOST:
        raise BadName("not a number of GitHub's")
    return str(number)


def _uuid(uuid: str | int) -> str:
    return quote(_matched(_UUID, uuid, "not the id of a request"), safe="")


def _client_id(client_id: str | int) -> str:
    return quote(_matched(_CLIENT, client_id, "not a client id"), safe="")


def _matched(rule: re.Pattern[str], value: str | int, complaint: str) -> str:
    text = str(value)
    if not rule.fullmatch(text):
        raise BadName(complaint)
    return text


_RULES: Final[Mapping[str, Callable[[str | int], str]]] = {
    "repo": repo_path,
    "login": _login,
    "branch": _branch,
    "sha": sha_of,
    "number": _number,
    "id": _number,
    "uuid": _uuid,
    "client_id": _client_id,
}
