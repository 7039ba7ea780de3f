"""Reading Linear's answers and checking its signatures."""

import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from linear.errors import (
    AlreadyExists,
    BadSignature,
    Forbidden,
    LinearError,
    NotFound,
    RateLimited,
    Rejected,
    StaleDelivery,
    Transient,
    Unauthorized,
)
from linear.sansio import (
    Allowance,
    Quota,
    authorization_header,
    build_request,
    classify,
    parse_quota,
    verify_webhook,
)

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
OUR_ID = "18a2b3c4-d5e6-4f70-a182-93a4b5c6d70b"


def errors_body(message: str = "no", **extensions: object) -> bytes:
    return json.dumps({"data": None, "errors": [{"message": message, "extensions": extensions}]}).encode()


def failure(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> LinearError:
    with pytest.raises(LinearError) as caught:
        classify(status, headers or {}, body)
    return caught.value


def facts(error: LinearError) -> dict[str, Any]:
    return {"type": type(error), **vars(error)}


def test_an_answer_without_errors_is_its_data() -> None:
    assert classify(200, {}, b'{"data":{"issue":{"id":"1"}}}') == {"issue": {"id": "1"}}


TRANSIENT_DONE = {"type": Transient, "maybe_done": True}
TRANSIENT_NOT_DONE = {"type": Transient, "maybe_done": False}
LIMITED = {"type": RateLimited, "retry_at": None, "retry_after_s": None}


@pytest.mark.parametrize("status", [200, 400, 429])
def test_an_exceeded_limit_is_read_from_the_body_under_any_status(status: int) -> None:
    assert facts(failure(status, errors_body(code="RATELIMITED"))) == LIMITED


@pytest.mark.parametrize(
    ("extensions", "expected"),
    [
        ({"type": "feature not accessible"}, {"type": Forbidden}),
        ({"type": "invalid input", "code": "INPUT_ERROR"}, {"type": Rejected}),
        ({"type": "ratelimited"}, LIMITED),
        ({"type": "network error"}, TRANSIENT_DONE),
        ({"type": "authentication error", "code": "AUTHENTICATION_ERROR"}, {"type": Unauthorized}),
        ({"type": "forbidden", "code": "FORBIDDEN"}, {"type": Forbidden}),
        ({"type": "bootstrap error"}, TRANSIENT_DONE),
        ({"type": "unknown"}, {"type": Rejected}),
        ({"type": "internal error", "code": "INTERNAL_SERVER_ERROR"}, TRANSIENT_DONE),
        ({"code": "INTERNAL"}, TRANSIENT_DONE),
        ({"type": "other"}, {"type": Rejected}),
        ({"type": "user error", "userError": True}, {"type": Rejected}),
        ({"type": "graphql error", "code": "GRAPHQL_VALIDATION_FAILED"}, {"type": Rejected}),
        ({"type": "lock timeout", "code": "LOCK_TIMEOUT"}, TRANSIENT_NOT_DONE),
        ({"type": "usage limit exceeded"}, {"type": Forbidden}),
        ({"code": "A_CODE_OF_NEXT_YEAR"}, {"type": Rejected}),
        ({}, {"type": Rejected}),
    ],
    ids=lambda value: str(value.get("code") or value.get("type") or "nothing"),
)
def test_every_error_type_of_linear_says_what_to_do_next(
    extensions: dict[str, Any], expected: dict[str, object]
) -> None:
    assert facts(failure(200, errors_body(**extensions))) == expected


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, errors_body(code="GRAPHQL_VALIDATION_FAILED"), {"type": Rejected}),
        (401, b"<html>", {"type": Unauthorized}),
        (401, errors_body(), {"type": Unauthorized}),
        (403, b'{"message":"no"}', {"type": Forbidden}),
        (403, errors_body(), {"type": Forbidden}),
        (403, b"<html>blocked", TRANSIENT_NOT_DONE),
        (404, b"<html>", TRANSIENT_NOT_DONE),
        (408, b"{}", TRANSIENT_NOT_DONE),
        (413, b"<html>", {"type": Rejected}),
        (422, b"{}", {"type": Rejected}),
        (429, b"<html>", LIMITED),
        (429, errors_body(), LIMITED),
        (302, b"", TRANSIENT_NOT_DONE),
        (500, errors_body(), TRANSIENT_DONE),
        (502, b"<html>", TRANSIENT_DONE),
        (503, b'{"data":{}}', TRANSIENT_DONE),
        (200, b"<html>", TRANSIENT_DONE),
        (200, b'{"data":{"issue', TRANSIENT_DONE),
        (200, b"", TRANSIENT_DONE),
        (200, b"[]", TRANSIENT_DONE),
        (200, b'{"data":null}', TRANSIENT_DONE),
        (200, b'{"errors":[],"data":null}', TRANSIENT_DONE),
        (200, b'{"errors":["odd"]}', {"type": Rejected}),
        (200, b"[" * 100_000, TRANSIENT_DONE),
        (200, b'{"data":{"issueCreate":{"success":false,"issue":null}}}', {"type": Rejected}),
    ],
)
def test_the_status_decides_where_the_body_does_not(
    status: int, body: bytes, expected: dict[str, object]
) -> None:
    assert facts(failure(status, body)) == expected


def test_a_repeated_id_already_exists() -> None:
    body = errors_body(
        "conflict on insert of AgentActivity",
        code="INPUT_ERROR",
        userPresentableMessage=f"Entity AgentActivity with id {OUR_ID} already exists.",
    )
    assert facts(failure(200, body)) == {"type": AlreadyExists, "entity": "AgentActivity", "id": OUR_ID}


def test_a_conflict_that_names_no_id_already_exists_under_an_unknown_id() -> None:
    body = errors_body("conflict on insert of Issue", code="INTERNAL")
    assert facts(failure(200, body)) == {"type": AlreadyExists, "entity": "Issue", "id": None}


@pytest.mark.parametrize(
    "message", ["Entity not found: AgentSession", "Entity not found: AgentSession - gone"]
)
def test_a_missing_entity_is_named(message: str) -> None:
    error = failure(400, errors_body(message, code="INPUT_ERROR"))
    assert facts(error) == {"type": NotFound, "entity": "AgentSession"}


def test_the_error_that_stops_everything_wins_over_the_first_one() -> None:
    errors = [{"message": "Entity not found: Issue"}, {"extensions": {"code": "RATELIMITED"}}]
    assert facts(failure(200, json.dumps({"errors": errors}).encode())) == LIMITED


def test_a_refusal_tells_people_what_linear_tells_people() -> None:
    body = errors_body(
        "Argument Validation Error", code="INPUT_ERROR", userPresentableMessage="Title\nis long"
    )
    assert str(failure(400, body)) == "INPUT_ERROR: Title is long"


def test_a_refusal_does_not_repeat_the_variables_and_stays_short() -> None:
    body = errors_body(
        'Variable "$input" got invalid value "my secret plan"',
        code="GRAPHQL_VALIDATION_FAILED",
        userPresentableMessage="long " * 500,
    )
    message = str(failure(400, body))
    assert "secret" not in message
    assert len(message) <= 200


@pytest.mark.parametrize(
    ("headers", "retry_at", "retry_after_s"),
    [
        ({"Retry-After": "17"}, None, 17.0),
        ({"retry-after": "Sat, 21 Nov 2026 10:00:30 GMT"}, NOW + timedelta(seconds=30), None),
        ({"retry-after": "soon"}, None, None),
        ({"retry-after": "Sat, 21 Nov 99999999999999999999 10:00:30 GMT"}, None, None),
        (
            {"X-RateLimit-Requests-Remaining": "0", "X-RateLimit-Requests-Reset": "1795255260000"},
            NOW + timedelta(minutes=1),
            None,
        ),
        (
            {
                "X-RateLimit-Requests-Remaining": "4000",
                "X-RateLimit-Requests-Reset": "1795258800000",
                "X-RateLimit-Complexity-Remaining": "0",
                "X-RateLimit-Complexity-Reset": "1795255320000",
            },
            NOW + timedelta(minutes=2),
            None,
        ),
        ({}, None, None),
    ],
    ids=["seconds", "date", "nonsense", "far-date", "requests", "complexity", "nothing"],
)
def test_a_limit_says_when_to_come_back(
    headers: dict[str, str], retry_at: datetime | None, retry_after_s: float | None
) -> None:
    error = failure(400, errors_body(code="RATELIMITED"), headers)
    assert facts(error) == {"type": RateLimited, "retry_at": retry_at, "retry_after_s": retry_after_s}


@pytest.mark.parametrize(
    ("error", "delay_s"),
    [
        (RateLimited(retry_after_s=17.0, retry_at=NOW), 17.0),
        (RateLimited(retry_at=NOW + timedelta(seconds=9)), 9.0),
        (RateLimited(retry_at=NOW - timedelta(seconds=9)), 0.0),
        (RateLimited(), 30.0),
    ],
    ids=["seconds", "moment", "past", "nothing"],
)
def test_the_delay_takes_the_best_hint(error: RateLimited, delay_s: float) -> None:
    assert error.delay_s(NOW, default_s=30.0) == delay_s


def test_the_quota_is_read_from_the_headers() -> None:
    headers = {
        "X-RateLimit-Requests-Limit": "5000",
        "X-RateLimit-Requests-Remaining": "4991",
        "X-RateLimit-Requests-Reset": "1795255200000",
        "X-Complexity": "12",
        "X-RateLimit-Complexity-Limit": "2000000",
        "X-RateLimit-Complexity-Remaining": "1999988.5",
    }
    assert parse_quota(headers) == Quota(Allowance(5000, 4991, NOW), Allowance(2_000_000, 1_999_988, None))


@pytest.mark.parametrize("value", ["", "many", "-1", "nan", "inf", "9" * 400])
def test_an_absent_or_odd_quota_is_unknown(value: str) -> None:
    headers = {"x-ratelimit-requests-remaining": value, "x-ratelimit-requests-reset": value}
    assert parse_quota(headers) == Quota(Allowance(), Allowance())
    assert not parse_quota(headers).is_known


def test_a_reset_beyond_every_calendar_is_unknown() -> None:
    assert parse_quota({"x-ratelimit-requests-reset": "1e300"}).requests == Allowance()


@pytest.mark.parametrize(
    ("token", "header"),
    [("lin_api_1234", "lin_api_1234"), ("lin_oauth_1234", "Bearer lin_oauth_1234"), ("abc", "Bearer abc")],
)
def test_only_an_api_key_goes_without_bearer(token: str, header: str) -> None:
    assert authorization_header(token) == header


@given(st.text())
@example("\ud83d")
def test_any_text_survives_the_request(text: str) -> None:
    body = build_request("query Q { a }", "Q", {"text": text})
    assert json.loads(body) == {"query": "query Q { a }", "operationName": "Q", "variables": {"text": text}}


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
ERROR = st.fixed_dictionaries(
    {},
    optional={
        "message": JSON,
        "extensions": JSON
        | st.dictionaries(st.sampled_from(["code", "type", "userPresentableMessage"]), JSON),
    },
)
GRAPHQL = st.fixed_dictionaries(
    {}, optional={"data": JSON, "errors": JSON | st.lists(ERROR | JSON, max_size=3)}
)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["retry-after", "x-ratelimit-requests-reset", "x-ratelimit-requests-remaining", "x-complexity"]
    ),
    st.text() | st.floats().map(str) | st.just("Sat, 99 Nov 99999 10:00:30 GMT"),
)


@given(
    status=st.sampled_from([200, 302, 400, 401, 403, 404, 408, 413, 429, 500, 503]),
    headers=HEADERS,
    body=st.binary() | (GRAPHQL | JSON).map(lambda value: json.dumps(value).encode()),
)
def test_classify_raises_nothing_outside_the_tree(status: int, headers: dict[str, str], body: bytes) -> None:
    try:
        classify(status, headers, body)
    except LinearError as raised:
        error: LinearError | None = raised
    else:
        error = None
    assert len(str(error)) < 300 if error else status == 200


BODY = b'{"type":"AgentSessionEvent"}'


def signed(secret: str, body: bytes = BODY) -> str:
    return hmac.new(secret.encode(), body, sha256).hexdigest()


@pytest.mark.parametrize("secret", ["old", "new"])
def test_both_secrets_count_while_one_replaces_the_other(secret: str) -> None:
    verify_webhook(BODY, signature=signed(secret), secrets=["new", "old"], sent_at=NOW, now=NOW)


@pytest.mark.parametrize(
    ("signature", "secrets"),
    [
        (signed("other"), ["new", "old"]),
        (signed("new", BODY + b" "), ["new"]),
        ("sha256=" + signed("new"), ["new"]),
        (signed("new").upper(), ["new"]),
        (signed("new")[:-1], ["new"]),
        ("", ["new"]),
        ("é" * 64, ["new"]),
        ("\ud800" * 64, ["new"]),
        (signed("new"), []),
        (signed(""), [""]),
    ],
    ids=["other", "body", "prefix", "case", "short", "none", "accent", "half", "no-secret", "empty-secret"],
)
def test_any_other_signature_is_refused(signature: str, secrets: list[str]) -> None:
    with pytest.raises(BadSignature):
        verify_webhook(BODY, signature=signature, secrets=secrets, sent_at=NOW, now=NOW)


@pytest.mark.parametrize(
    "age",
    [
        timedelta(0),
        timedelta(minutes=1),
        timedelta(hours=1, minutes=1),
        timedelta(hours=6, minutes=10),
        timedelta(seconds=-60),
    ],
    ids=str,
)
def test_every_redelivery_is_in_time(age: timedelta) -> None:
    verify_webhook(BODY, signature=signed("new"), secrets=["new"], sent_at=NOW - age, now=NOW)


@pytest.mark.parametrize(
    "age", [timedelta(hours=7, minutes=15, seconds=1), timedelta(seconds=-61), timedelta(days=365)], ids=str
)
def test_a_signed_delivery_from_another_time_is_stale(age: timedelta) -> None:
    with pytest.raises(StaleDelivery):
        verify_webhook(BODY, signature=signed("new"), secrets=["new"], sent_at=NOW - age, now=NOW)


def test_a_bad_signature_counts_before_the_age() -> None:
    with pytest.raises(BadSignature):
        verify_webhook(BODY, signature="", secrets=["new"], sent_at=NOW - timedelta(days=1), now=NOW)
