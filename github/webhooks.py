"""GitHub's deliveries: verified over the raw bytes, then read leniently. Pure and total."""

import hmac
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from github.errors import BadSignature, MalformedWebhook
from github.hints import Checked, Hint, Said

SIGNATURE_HEADER: Final = "X-Hub-Signature-256"
EVENT_HEADER: Final = "X-GitHub-Event"
DELIVERY_HEADER: Final = "X-GitHub-Delivery"

TEXT_CHARS: Final = 65_536
NAME_CHARS: Final = 300
MOST_PULLS: Final = 100

_SIGNATURE: Final = re.compile(rb"sha256=([0-9a-f]{64})")
_EVENT: Final = re.compile(r"[a-z0-9_]{1,64}", re.ASCII)
_DELIVERY: Final = re.compile(r"[0-9A-Za-z-]{8,64}", re.ASCII)
_SHA: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII)
_QUEUED: Final = re.compile(r"/pr-([0-9]{1,10})-[0-9a-f]{40}")
_MOST: Final = 1 << 63

_SAID_IN: Final = ("review", "comment")
_CHECKED_IN: Final = ("check_run", "check_suite", "workflow_run")


def verify_signature(body: bytes, *, signature: str, secrets: Sequence[str]) -> None:
    """Check that one of `secrets` signed `body`; two are valid while a secret is being rotated.

    Args:
        body: The request body exactly as received.
        signature: `X-Hub-Signature-256` header; the older SHA-1 header is never looked at.
        secrets: At least one; empty ones sign nothing.

    Raises:
        BadSignature: No secret fits. Answer 401; never log `body`.
    """
    # Its shape first: compare_digest refuses text outside ASCII, and lengths are no secret.
    shaped = _SIGNATURE.fullmatch(signature.encode("utf-8", "replace"))
    if shaped is None:
        raise BadSignature("no signature of the right form")
    fits = [hmac.compare_digest(_signed(body, secret), shaped[1]) for secret in secrets if secret]
    if not any(fits):
        raise BadSignature("signature does not match the body")


def _signed(body: bytes, secret: str) -> bytes:
    return hmac.new(secret.encode(), body, sha256).hexdigest().encode("ascii")


def parse_signed_webhook(
    body: bytes, *, signature: str, event: str, delivery: str, secrets: Sequence[str]
) -> Hint:
    """Verify, then read: nothing in `body` is looked at before its signature is known to be good.

    Args:
        body: The request body exactly as received.
        signature, event, delivery: The headers named above, "" for an absent one.
        secrets: As for `verify_signature`.

    Raises:
        BadSignature: Answer 401.
        MalformedWebhook: Answer 400.
    """
    verify_signature(body, signature=signature, secrets=secrets)
    return parse_webhook(body, event=event, delivery=delivery)


def parse_webhook(body: bytes, *, event: str, delivery: str) -> Hint:
    """Read a delivery whose signature is good. Fields that are absent or odd are as if they were empty.

    Raises:
        MalformedWebhook: Not a JSON object, or a header is no event or no delivery id.
    """
    if not _EVENT.fullmatch(event) or not _DELIVERY.fullmatch(delivery):
        raise MalformedWebhook("headers of no delivery")
    told = _read(body)
    action = _name(told, "action")
    head = _head(told)
    return Hint(
        delivery=delivery,
        digest=sha256(body).hexdigest(),
        event=event,
        action=action,
        installation=_number(told, "installation", "id"),
        repository_id=_number(told, "repository", "id"),
        repository=_name(told, "repository", "full_name"),
        renamed_from=_renamed_from(told),
        pulls=_pulls(told),
        head_sha=head[0],
        branch=head[1],
        sender_id=_number(told, "sender", "id"),
        sender=_name(told, "sender", "login"),
        by_bot=_name(told, "sender", "type") == "Bot",
        said=next(_said(told), None),
        checked=_status(told) if event == "status" else next(_checked(told), None),
        updated_at=_name(told, "pull_request", "updated_at"),
        revoked_user=_revoked(told) if (event, action) == ("github_app_authorization", "revoked") else 0,
        member_id=_number(told, "member", "id"),
        repositories=tuple(_repositories(told)),
    )


def _read(body: bytes) -> Mapping[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):  # Cut, form-encoded, not text, or nesting made to hurt.
        told = None
    if not isinstance(told, dict):
        raise MalformedWebhook("not a JSON object")
    return told


def _head(told: Mapping[str, Any]) -> tuple[str, str]:
    """The commit and the branch that it is about."""
    for place in (
        ("pull_request", "head"),
        ("check_run", "check_suite"),
        ("check_suite",),
        ("workflow_run",),
    ):
        sha = _sha(told, *place, "sha") or _sha(told, *place, "head_sha")
        if sha:
            return sha, _name(told, *place, "ref") or _name(told, *place, "head_branch")
    sha = _sha(told, "check_run", "head_sha") or _sha(told, "merge_group", "head_sha") or _sha(told, "sha")
    return sha, _name(told, "merge_group", "head_ref")


def _pulls(told: Mapping[str, Any]) -> tuple[int, ...]:
    found = [_number(told, "pull_request", "number")]
    if isinstance(_at(told, "issue", "pull_request"), dict):
        found.append(_number(told, "issue", "number"))
    for place in _CHECKED_IN:
        listed = _at(told, place, "pull_requests")
        found += [_number(one, "number") for one in listed[:MOST_PULLS]] if isinstance(listed, list) else []
    if queued := _QUEUED.search(_name(told, "merge_group", "head_ref")):
        found.append(int(queued[1]))
    return tuple(dict.fromkeys(number for number in found if number))


def _said(told: Mapping[str, Any]) -> Iterator[Said]:
    for place in _SAID_IN:
        if number := _number(told, place, "id"):
            yield Said(
                id=number,
                text=_text(told, place, "body"),
                state=_name(told, place, "state").casefold(),
                path=_name(told, place, "path"),
                author=_name(told, place, "user", "login"),
                author_id=_number(told, place, "user", "id"),
                by_bot=_name(told, place, "user", "type") == "Bot",
            )


def _checked(told: Mapping[str, Any]) -> Iterator[Checked]:
    for place in _CHECKED_IN:
        if number := _number(told, place, "id"):
            yield Checked(
                id=number,
                name=_name(told, place, "name"),
                state=_name(told, place, "status"),
                conclusion=_name(told, place, "conclusion"),
                app_id=_number(told, place, "app", "id"),
            )


def _status(told: Mapping[str, Any]) -> Checked:
    return Checked(id=_number(told, "id"), name=_name(told, "context"), state=_name(told, "state"))


def _revoked(told: Mapping[str, Any]) -> int:
    # Whoever revokes is the one that it is about.
    return _number(told, "sender", "id")


def _renamed_from(told: Mapping[str, Any]) -> str:
    owner = _name(told, "changes", "owner", "from", "user", "login") or _name(
        told, "changes", "owner", "from", "organization", "login"
    )
    name = _name(told, "changes", "repository", "name", "from")
    if owner:
        return f"{owner}/{name or _name(told, 'repository', 'name')}"
    return name


def _repositories(told: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    for place in ("repositories_added", "repositories_removed", "repositories"):
        listed = told.get(place)
        for one in listed if isinstance(listed, list) else ():
            if number := _number(one, "id"):
                yield number, _name(one, "full_name")


def _at(told: object, *place: str) -> Any:
    for step in place:
        told = told.get(step) if isinstance(told, dict) else None
    return told


def _number(told: object, *place: str) -> int:
    value = _at(told, *place)
    is_one = isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MOST
    return value if is_one else 0


def _name(told: object, *place: str) -> str:
    return _text(told, *place, chars=NAME_CHARS)


def _sha(told: object, *place: str) -> str:
    text = _name(told, *place)
    return text if _SHA.fullmatch(text) else ""


def _text(told: object, *place: str, chars: int = TEXT_CHARS) -> str:
    value = _at(told, *place)
    if not isinstance(value, str):
        return ""
    # Neither half a surrogate pair nor NUL can be stored.
    return value[:chars].encode("utf-8", "replace").decode("utf-8").replace("\0", "")
