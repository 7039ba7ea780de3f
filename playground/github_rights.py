"""What a token may do at the GitHub stand-in: never more than its app, nor than its person. Pure."""

from playground.github_state import Account, Repository
from playground.github_tokens import AppIdentity, Credential

PEOPLE = frozenset({"user", "personal"})


class Refused(Exception):
    """GitHub says no, with this status and these words; `more` stands beside them."""

    def __init__(self, status: int, message: str, **more: object) -> None:
        super().__init__(message)
        self.status = status
        self.more = more


def sees(who: Credential, home: Repository) -> bool:
    """Whether the repository exists for a caller."""
    if who.kind == "app":
        return True
    if who.kind == "installation":
        return who.repositories is None or home.id in who.repositories
    return home.permission(who.account) != "none"


def has_right(app: AppIdentity, who: Credential, right: str, level: str) -> bool:
    """Whether a token has "contents" and the like at that level; tokens of people have it of their app."""
    if who.kind == "personal":
        return True
    rights = app.rights if who.rights is None else who.rights
    return rights.get(right) == "write" if level == "write" else right in rights


def demand_right(app: AppIdentity, who: Credential, right: str, level: str) -> None:
    if not has_right(app, who, right, level):
        raise Refused(403, "Resource not accessible by integration")


def demand_permission(who: Credential, home: Repository, least: str, *, or_is: Account | None = None) -> None:
    """People need that permission themselves, unless they are the one who is named."""
    if who.kind in PEOPLE and who.account is not or_is and not home.may_as(who.account, least):
        raise Refused(403, f"Must have {least} access to this repository")


def demand_person(who: Credential) -> Account:
    if who.kind not in PEOPLE:
        raise Refused(403, "Resource not accessible by integration")
    return who.account
