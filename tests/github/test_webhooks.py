"""Deliveries: signed by GitHub or refused; whatever stands in them, they are read."""

import json
from collections.abc import Iterator
from copy import deepcopy
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from github.errors import BadSignature, MalformedWebhook
from github.hints import ACTIONS, EVENTS, UNASKED, Checked, Hint, Said
from github.webhooks import TEXT_CHARS, parse_signed_webhook, parse_webhook, verify_signature
from tests.github.fakes import HEAD, OTHER_HEAD
from tests.github.test_signature import SECRET, signature_of
from tests.npm import installed, missing

EXAMPLES = Path(__file__).parent / "examples"
SERVERS = ["api.github.com", "ghes-31", "ghes-32", "ghes-33", "ghes-34", "ghes-35"]
DELIVERY = "72d3162e-cc78-11e3-81ab-4c9367dc0958"

REPOSITORY = {"id": 700, "full_name": "acme/shop", "name": "shop"}
ANN = {"id": 41, "login": "ann", "type": "User"}
BOT = {"id": 90, "login": "threadline[bot]", "type": "Bot"}
PULL = {
    "number": 7,
    "head": {"sha": HEAD, "ref": "eng-1"},
    "updated_at": "2026-11-21T10:00:00Z",
    "user": BOT,
}
SHARED = {"installation": {"id": 5}, "repository": REPOSITORY, "sender": ANN}
COMMON: dict[str, Any] = {
    "installation": 5,
    "repository_id": 700,
    "repository": "acme/shop",
    "sender_id": 41,
    "sender": "ann",
}


def test_nothing_is_read_before_it_is_verified() -> None:
    with pytest.raises(BadSignature):
        parse_signed_webhook(b"not json", signature="", event="", delivery="", secrets=[SECRET])
    signed = signature_of(b"not json")
    with pytest.raises(MalformedWebhook):
        parse_signed_webhook(b"not json", signature=signed, event="", delivery="", secrets=[SECRET])


def parsed(event: str, **fields: Any) -> Hint:
    return parse_webhook(json.dumps(fields).encode(), event=event, delivery=DELIVERY)


def hint(body: dict[str, Any], event: str, **fields: Any) -> Hint:
    digest = sha256(json.dumps(body).encode()).hexdigest()
    return Hint(delivery=DELIVERY, digest=digest, event=event, **fields)


CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "push": (
        "pull_request",
        {"action": "synchronize", "pull_request": PULL, **SHARED},
        {
            "pulls": (7,),
            "head_sha": HEAD,
            "branch": "eng-1",
            "updated_at": "2026-11-21T10:00:00Z",
            **COMMON,
        },
    ),
    "review": (
        "pull_request_review",
        {
            "action": "submitted",
            "review": {"id": 9, "state": "APPROVED", "body": None, "user": ANN},
            "pull_request": PULL,
            **SHARED,
        },
        {
            "pulls": (7,),
            "head_sha": HEAD,
            "branch": "eng-1",
            "updated_at": "2026-11-21T10:00:00Z",
            "said": Said(9, "", "approved", author="ann", author_id=41),
            **COMMON,
        },
    ),
    "line comment": (
        "pull_request_review_comment",
        {
            "action": "created",
            "comment": {"id": 10, "body": "Why?\0", "path": "a.py", "user": BOT},
            "pull_request": PULL,
            **SHARED,
        },
        {
            "pulls": (7,),
            "head_sha": HEAD,
            "branch": "eng-1",
            "updated_at": "2026-11-21T10:00:00Z",
            "said": Said(10, "Why?", path="a.py", author="threadline[bot]", author_id=90, by_bot=True),
            **COMMON,
        },
    ),
    "comment": (
        "issue_comment",
        {
            "action": "created",
            "issue": {"number": 7, "pull_request": {"url": "x"}},
            "comment": {"id": 11, "body": "@threadline fix it", "user": ANN},
            **SHARED,
        },
        {"pulls": (7,), "said": Said(11, "@threadline fix it", author="ann", author_id=41), **COMMON},
    ),
    "check run": (
        "check_run",
        {
            "action": "completed",
            "check_run": {
                "id": 12,
                "name": "build",
                "status": "completed",
                "conclusion": "failure",
                "head_sha": HEAD,
                "app": {"id": 15368},
                "pull_requests": [{"number": 7}, {"number": 8}, {"number": None}],
                "check_suite": {"head_sha": HEAD, "head_branch": "eng-1"},
            },
            **SHARED,
        },
        {
            "pulls": (7, 8),
            "head_sha": HEAD,
            "branch": "eng-1",
            "checked": Checked(12, "build", "completed", "failure", 15368),
            **COMMON,
        },
    ),
    "workflow": (
        "workflow_run",
        {
            "action": "requested",
            "workflow_run": {
                "id": 13,
                "name": "CI",
                "status": "queued",
                "conclusion": None,
                "head_sha": HEAD,
                "head_branch": "eng-1",
                "pull_requests": [],
            },
            **SHARED,
        },
        {"head_sha": HEAD, "branch": "eng-1", "checked": Checked(13, "CI", "queued"), **COMMON},
    ),
    "status": (
        "status",
        {"id": 14, "sha": HEAD, "context": "legacy/ci", "state": "failure", **SHARED},
        {"head_sha": HEAD, "checked": Checked(14, "legacy/ci", "failure"), **COMMON},
    ),
    "queue": (
        "merge_group",
        {
            "action": "checks_requested",
            "merge_group": {
                "head_sha": HEAD,
                "head_ref": f"refs/heads/gh-readonly-queue/main/pr-7-{OTHER_HEAD}",
            },
            **SHARED,
        },
        {
            "pulls": (7,),
            "head_sha": HEAD,
            "branch": f"refs/heads/gh-readonly-queue/main/pr-7-{OTHER_HEAD}",
            **COMMON,
        },
    ),
    "renamed": (
        "repository",
        {"action": "renamed", "changes": {"repository": {"name": {"from": "store"}}}, **SHARED},
        {"renamed_from": "store", **COMMON},
    ),
    "transferred": (
        "repository",
        {"action": "transferred", "changes": {"owner": {"from": {"user": {"login": "ann"}}}}, **SHARED},
        {"renamed_from": "ann/shop", **COMMON},
    ),
    "member": ("member", {"action": "removed", "member": ANN, **SHARED}, {"member_id": 41, **COMMON}),
    "revoked": (
        "github_app_authorization",
        {"action": "revoked", "sender": ANN},
        {"revoked_user": 41, "sender_id": 41, "sender": "ann"},
    ),
    "taken out": (
        "installation_repositories",
        {
            "action": "removed",
            "repositories_added": [],
            "repositories_removed": [{"id": 700, "full_name": "acme/shop"}, {"id": "x"}],
            "installation": {"id": 5},
            "sender": ANN,
        },
        {"installation": 5, "repositories": ((700, "acme/shop"),), "sender_id": 41, "sender": "ann"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_delivery_is_read_whole(name: str) -> None:
    event, body, fields = CASES[name]
    expected = hint(body, event, action=body.get("action", ""), **fields)
    assert parsed(event, **body) == expected
    assert not expected.is_ignorable


def test_a_comment_on_an_issue_is_none_of_ours() -> None:
    body = CASES["comment"][1] | {"issue": {"number": 7}}
    assert parsed("issue_comment", **body).is_ignorable


def test_only_a_revocation_names_a_revoked_user() -> None:
    assert parsed("github_app_authorization", action="other", sender=ANN).revoked_user == 0
    assert parsed("pull_request", action="revoked", sender=ANN).revoked_user == 0


@pytest.mark.parametrize(
    ("event", "action"),
    [("ping", ""), ("pull_request", "sleeping"), ("status", "x"), ("new_event", "created")],
)
def test_what_nobody_knows_is_ignorable(event: str, action: str) -> None:
    assert parsed(event, action=action, pull_request=PULL).is_ignorable


def test_every_event_that_we_ask_for_means_something() -> None:
    assert {*EVENTS, *UNASKED} == ACTIONS.keys()


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"7", b'"x"', b"payload=%7B%7D", b"\xff", b'{"a":', b"[" * 9000]
)
def test_what_is_no_delivery_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedWebhook):
        parse_webhook(body, event="ping", delivery=DELIVERY)


@pytest.mark.parametrize(
    ("event", "delivery"),
    [("", DELIVERY), ("ping", ""), ("Ping!", DELIVERY), ("ping", "x"), ("ping", "a" * 65), ("p\n", DELIVERY)],
)
def test_headers_of_no_delivery_are_malformed(event: str, delivery: str) -> None:
    with pytest.raises(MalformedWebhook):
        parse_webhook(b"{}", event=event, delivery=delivery)


def test_a_long_comment_is_cut_and_can_be_stored() -> None:
    comment = {"id": 10, "body": "\ud800" + "x" * 100_000}
    said = parsed("pull_request_review_comment", action="created", comment=comment).said
    assert said is not None
    assert len(said.text) == TEXT_CHARS
    said.text.encode("utf-8")


ODD: list[Any] = [None, True, -1, 0, 1 << 70, 1.5, "", "x", "\ud800", [], [None], [[]], {}, {"id": {}}]
MISSING = object()


def places(node: Any, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a payload, itself left out."""
    if isinstance(node, dict | list):
        for step, child in node.items() if isinstance(node, dict) else enumerate(node):
            yield (*above, step)
            yield from places(child, (*above, step))


def changed(payload: dict[str, Any], place: tuple[str | int, ...], value: Any) -> bytes:
    made: Any = deepcopy(payload)
    inner = made
    for step in place[:-1]:
        inner = inner[step]
    if value is MISSING:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return json.dumps(made).encode()


@pytest.mark.parametrize("name", CASES)
def test_each_field_removed_nulled_or_of_another_kind_is_survived(name: str) -> None:
    event, body, _ = CASES[name]
    for place in places(body):
        for value in [*ODD, MISSING]:
            survived(parse_webhook(changed(body, place, value), event=event, delivery=DELIVERY))


def survived(hint: Hint) -> None:
    """Whatever was read is of the kind that it says, and can be stored."""
    numbers = [hint.installation, hint.repository_id, hint.sender_id, hint.revoked_user, hint.member_id]
    numbers += [*hint.pulls, *(number for number, _ in hint.repositories)]
    numbers += [hint.said.id, hint.said.author_id] if hint.said else []
    numbers += [hint.checked.id, hint.checked.app_id] if hint.checked else []
    assert all(type(number) is int and 0 <= number < 1 << 63 for number in numbers)
    texts = [hint.action, hint.repository, hint.renamed_from, hint.head_sha, hint.branch, hint.sender]
    texts += [hint.updated_at, *(name for _, name in hint.repositories)]
    texts += [hint.said.text, hint.said.state, hint.said.path, hint.said.author] if hint.said else []
    texts += [hint.checked.name, hint.checked.state, hint.checked.conclusion] if hint.checked else []
    for text in texts:
        assert type(text) is str
        assert b"\0" not in text.encode("utf-8")
    assert hint.is_ignorable in {True, False}


WORDS = sorted(
    {
        step
        for _, body, _ in CASES.values()
        for place in places(body)
        for step in place
        if isinstance(step, str)
    }
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=25,
)


@given(
    event=st.sampled_from(sorted(ACTIONS)), body=st.dictionaries(st.sampled_from(WORDS), ANYTHING, max_size=8)
)
@example(event="status", body={"id": 10**5000})
def test_anything_in_their_words_is_survived(event: str, body: dict[str, Any]) -> None:
    try:
        text = json.dumps(body).encode()
    except ValueError:  # Python writes no numbers of that size, either.
        text = b'{"id": 1' + b"0" * 5000 + b"}"
    try:
        survived(parse_webhook(text, event=event, delivery=DELIVERY))
    except MalformedWebhook:
        assert len(text) > 4300


@given(body=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        survived(parse_webhook(body, event="push", delivery=DELIVERY))
    except MalformedWebhook:
        return


@pytest.fixture(scope="module")
def examples() -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """GitHub's own, by the server that they are of."""
    folder = installed(EXAMPLES) / "node_modules" / "@octokit" / "webhooks-examples"
    found = {}
    for server in SERVERS:
        listed = json.loads((folder / server / "index.json").read_text(encoding="utf-8"))
        found[server] = [(each["name"], body) for each in listed for body in each["examples"]]
    if not all(found.values()):
        missing("the package has no examples")
    return found


def test_all_of_githubs_examples_are_read(examples: dict[str, list[tuple[str, dict[str, Any]]]]) -> None:
    assert sum(len(each) for each in examples.values()) == 726
    known = 0
    for event, body in chain.from_iterable(examples.values()):
        text = json.dumps(body).encode()
        verify_signature(text, signature=signature_of(text), secrets=[SECRET])
        read = parse_webhook(text, event=event, delivery=DELIVERY)
        survived(read)
        assert read.action == body.get("action", "")
        if "repository" in body:
            assert read.repository_id == body["repository"]["id"]
        if "pull_request" in body:
            assert read.pulls == (body["pull_request"]["number"],)
            assert read.head_sha == body["pull_request"]["head"]["sha"]
        if "review" in body:
            assert read.said is not None
            assert read.said.id == body["review"]["id"]
        known += not read.is_ignorable
    assert known > 100


def test_each_field_of_githubs_examples_may_be_odd(
    examples: dict[str, list[tuple[str, dict[str, Any]]]],
) -> None:
    tried = 0
    first: dict[tuple[str, str], dict[str, Any]] = {}
    for event, body in examples["api.github.com"]:
        if event in ACTIONS:
            first.setdefault((event, body.get("action", "")), body)
    for (event, _), body in first.items():
        for place in places(body):
            if len(place) > 3 or not {step for step in place if isinstance(step, str)} <= {*WORDS}:
                continue  # Not a field that we look at.
            for value in (None, "x", 7, MISSING):
                survived(parse_webhook(changed(body, place, value), event=event, delivery=DELIVERY))
                tried += 1
    assert tried > 5000
