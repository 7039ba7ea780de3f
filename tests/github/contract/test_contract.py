"""The judge judges: what is committed is what was cut, good things pass, and each kind of wrong is caught."""

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from graphql import build_schema, parse, validate

from github.queries import DOCUMENTS
from tests.github.contract import (
    check_graphql_data,
    check_graphql_request,
    check_request,
    check_response,
    operation_of,
    sample,
)
from tests.github.contract.rest import operations, schema_of
from tests.github.contract.subset import MAX_BYTES, OPERATIONS, graphql_subset, openapi_subset

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SOURCES = json.loads((HERE / "sources.json").read_text())
SHA = "a" * 40
CHECK = {"name": "independent-review", "head_sha": SHA}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source["file"])
def test_what_is_committed_is_what_was_cut(source: dict[str, str]) -> None:
    text = (HERE / source["file"]).read_bytes()
    assert sha256(text).hexdigest() == source["sha256"]
    assert len(text) <= MAX_BYTES
    assert source["integrity"].startswith("sha512-")


def test_every_operation_of_ours_is_there_and_no_other() -> None:
    assert {operation.name for operation in operations()} == OPERATIONS


def test_cutting_again_changes_nothing() -> None:
    whole = json.loads((HERE / "openapi.json").read_text())
    assert openapi_subset(whole) == whole
    sdl = (HERE / "schema.graphql").read_text()
    assert graphql_subset(sdl, DOCUMENTS) == sdl


@pytest.mark.parametrize("operation", sorted(DOCUMENTS))
def test_a_document_is_valid(operation: str) -> None:
    schema = build_schema((HERE / "schema.graphql").read_text())
    assert validate(schema, parse(DOCUMENTS[operation])) == []


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.name)
def test_the_poorest_answer_to_everything_passes(operation: Any) -> None:
    path = operation.path
    for name in operation.pattern.groupindex:
        path = path.replace(f"{{{name}}}", "7")
    described = [int(status) for status in operation.spec["responses"]]
    assert described
    for status in described:
        if schema_of(operation, status) is None:
            check_response(operation.method, path, status, None)
        else:
            sample(operation.method, path, status)


GOOD_REQUESTS: list[tuple[str, str, dict[str, str], Any]] = [
    ("GET", "/repos/acme/shop/rules/branches/feature%2Fx", {"per_page": "100"}, None),
    ("GET", "/repositories/7/pulls/1", {}, None),
    ("GET", "/api/v3/repos/acme/shop", {}, None),
    ("GET", "/user", {}, None),
    ("PUT", "/repos/acme/shop/pulls/7/merge", {}, {"sha": SHA, "merge_method": "squash"}),
    ("POST", "/repos/acme/shop/check-runs", {}, CHECK | {"output": {"title": "t", "summary": "s"}}),
    (
        "POST",
        "/graphql",
        {},
        {"query": DOCUMENTS["MarkReady"], "variables": {"input": {"pullRequestId": "x"}}},
    ),
]


@pytest.mark.parametrize("request_", GOOD_REQUESTS, ids=lambda request: request[1])
def test_a_good_request_passes(request_: tuple[str, str, dict[str, str], Any]) -> None:
    check_request(*request_)


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        (("GET", "/repos/acme/shop/branches/a/b", {}, None), "no operation"),
        (("GET", "/repos/acme/../pulls/7", {}, None), "leads elsewhere"),
        (("GET", "/repos/acme/a b", {}, None), "not encoded"),
        (("POST", "/repos/acme/shop/pulls/7/merge", {}, {}), "no operation"),
        (("GET", "/repos/acme/shop/pulls/x", {}, None), "no integer"),
        (("GET", "/repos/acme/shop/pulls", {"per_page": "many"}, None), "no integer"),
        (("GET", "/repos/acme/shop/pulls", {"bogus": "1"}, None), "unknown ['bogus']"),
        (("GET", "/repos/acme/shop/pulls", {"state": "bogus"}, None), "state"),
        (("GET", "/user", {}, {"a": 1}), "takes no body"),
        (("POST", "/repos/acme/shop/pulls", {}, None), "needs a body"),
        (("POST", "/repos/acme/shop/pulls", {}, {"head": "x"}), "'base' is a required"),
        (("PUT", "/repos/acme/shop/pulls/7/merge", {}, {"merge_method": "bogus"}), "merge_method"),
        (("PUT", "/repos/acme/shop/pulls/7/merge", {}, {"sha1": SHA}), "unknown ['sha1']"),
        (("POST", "/repos/acme/shop/check-runs", {}, CHECK | {"output": {"titel": "t"}}), "output"),
        (("POST", "/graphql", {}, {"query": "{ viewer { login } }"}), "viewer"),
        (("POST", "/graphql", {}, {"query": DOCUMENTS["MarkReady"], "variables": {}}), "input"),
        (
            ("POST", "/graphql", {}, {"query": DOCUMENTS["MarkReady"], "variables": {"input": {"id": 1}}}),
            "pullRequestId",
        ),
        (("GET", "/graphql", {}, None), "plain POST"),
    ],
)
def test_a_wrong_request_is_refused(request_: tuple[str, str, dict[str, str], Any], complaint: str) -> None:
    with pytest.raises(AssertionError) as refused:
        check_request(*request_)
    assert complaint in str(refused.value)


@pytest.mark.parametrize(
    ("status", "body", "complaint"),
    [
        (200, {"merged": True}, "required"),
        (200, {"merged": "yes", "sha": SHA, "message": "m"}, "merged"),
        (200, None, "lacks its JSON"),
        (418, {"message": "tea"}, "not described"),
        (409, {"message": 7}, "message"),
    ],
)
def test_a_wrong_answer_is_refused(status: int, body: Any, complaint: str) -> None:
    with pytest.raises(AssertionError) as refused:
        check_response("PUT", "/repos/acme/shop/pulls/7/merge", status, body)
    assert complaint in str(refused.value)


@pytest.mark.parametrize("status", [401, 403, 429, 500, 502])
def test_what_any_operation_may_answer_passes(status: int) -> None:
    check_response("PUT", "/repos/acme/shop/pulls/7/merge", status, {"message": "no"})
    check_response("PUT", "/repos/acme/shop/pulls/7/merge", 502, None)


def test_the_narrower_path_wins() -> None:
    assert operation_of("GET", "/user/emails")[0].name == "users/list-emails-for-authenticated-user"
    assert operation_of("GET", "/user/42") == (
        operation_of("GET", "/user/1")[0],
        {"account_id": "42"},
    )


READY = {"markPullRequestReadyForReview": {"pullRequest": {"id": "PR_1"}}}


def test_data_of_a_document_passes() -> None:
    check_graphql_data(DOCUMENTS["MarkReady"], READY)
    check_graphql_data(DOCUMENTS["MarkReady"], {"markPullRequestReadyForReview": None})


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"markPullRequestReadyForReview": {"pullRequest": {}}},
        {"markPullRequestReadyForReview": {"pullRequest": {"id": None}}},
        {"markPullRequestReadyForReview": {"pullRequest": {"id": 7}}},
        {"markPullRequestReadyForReview": {"pullRequest": [{"id": "PR_1"}]}},
        READY | {"more": 1},
    ],
)
def test_wrong_data_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        check_graphql_data(DOCUMENTS["MarkReady"], wrong)


def test_a_graphql_request_with_two_operations_is_refused() -> None:
    with pytest.raises(AssertionError, match="one operation"):
        check_graphql_request({"query": DOCUMENTS["MarkReady"] + DOCUMENTS["Dequeue"], "variables": {}})


def test_the_client_never_loads_what_only_the_judge_needs() -> None:
    check = (
        "import sys, github.client, github.merging, github.app, github.oauth, github.ingress;"
        "sys.exit(bool({'graphql', 'jsonschema'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=False).returncode == 0
