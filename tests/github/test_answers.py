"""What answers mean, for every status and every kind of nonsense."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from github import errors
from github.answers import SECONDARY_WAIT_S, graphql_data, read_json, refusal_of, words_of
from github.errors import (
    Conflict,
    Forbidden,
    GitHubError,
    Gone,
    Invalid,
    Moved,
    NotFound,
    NotMergeable,
    RateLimited,
    Transient,
    Unauthorized,
)
from github.sansio import elsewhere, graphql_url, next_cursor, next_hop, parse_quota
from tests.github.fakes import NOW

HTML = b"<html>502 Bad Gateway</html>"
NO = json.dumps({"message": "Nope"}).encode()
RESET = str(int((NOW + timedelta(minutes=7)).timestamp()))


def refusal(status: int, body: bytes = NO, **headers: str) -> GitHubError | None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return refusal_of(status, named, body, now=NOW)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 304])
def test_a_success_is_no_refusal(status: int) -> None:
    assert refusal(status) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, Moved),
        (307, Moved),
        (400, Invalid),
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (405, NotMergeable),
        (408, Transient),
        (409, Conflict),
        (410, Gone),
        (418, Invalid),
        (422, Invalid),
        (429, RateLimited),
        (451, Forbidden),
        (500, Transient),
        (502, Transient),
        (503, Transient),
    ],
)
def test_a_status_says_what_to_do_next(status: int, kind: type[GitHubError]) -> None:
    assert type(refusal(status)) is kind


@pytest.mark.parametrize(("status", "maybe_done"), [(408, False), (425, False), (500, True), (504, True)])
def test_a_failure_says_whether_it_may_have_been_done(status: int, maybe_done: bool) -> None:
    trouble = refusal(status)
    assert isinstance(trouble, Transient)
    assert trouble.maybe_done is maybe_done


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_does_not_come_from_github_ends_nothing(status: int) -> None:
    assert isinstance(refusal(status, HTML), Transient)


@pytest.mark.parametrize(
    ("status", "message", "headers", "wait_s"),
    [
        (429, "", {"Retry_After": "17"}, 17.0),
        (403, "You have exceeded a secondary rate limit.", {}, SECONDARY_WAIT_S),
        (403, "You have exceeded a secondary rate limit.", {"retry_after": "30"}, 30.0),
        (403, "API rate limit exceeded", {"x_ratelimit_remaining": "0", "X_RateLimit_Reset": RESET}, 420.0),
        (403, "no", {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "1"}, 0.0),
        (429, "", {"Retry_After": "soon"}, SECONDARY_WAIT_S),
        (429, "", {"Retry_After": "nan"}, SECONDARY_WAIT_S),
    ],
)
def test_a_limit_says_how_long_to_wait(
    status: int, message: str, headers: dict[str, str], wait_s: float
) -> None:
    limited = refusal(status, json.dumps({"message": message}).encode(), **headers)
    assert isinstance(limited, RateLimited)
    assert limited.retry_after_s == wait_s


def test_a_plain_403_is_no_limit() -> None:
    assert isinstance(refusal(403, x_ratelimit_remaining="12", x_ratelimit_reset=RESET), Forbidden)


def test_single_sign_on_says_where() -> None:
    url = "https://github.com/orgs/acme/sso?authorization_request=A1"
    forbidden = refusal(403, X_GitHub_SSO=f"required; url={url}")
    assert isinstance(forbidden, Forbidden)
    assert forbidden.sso_url == url
    plain = refusal(403)
    assert isinstance(plain, Forbidden)
    assert plain.sso_url is None


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            {"message": "Validation Failed", "errors": [{"message": "No commits between main and x"}]},
            "Validation Failed; No commits between main and x",
        ),
        ({"message": "Bad", "errors": ["Can not approve your own pull request"]}, None),
        ({"message": "Bad", "errors": [{"field": "head", "code": "invalid"}]}, "Bad; head invalid"),
        ({"message": "Bad", "errors": "one"}, "Bad; one"),
        ({"message": "a\nb\x1b[31m\u202ec"}, "a b [31m c"),
        ({"message": 7}, ""),
        ([], ""),
        (None, ""),
    ],
)
def test_the_words_are_githubs_own_in_one_line(told: Any, words: str | None) -> None:
    assert words_of(told) == (words if words is not None else "Bad; Can not approve your own pull request")


@pytest.mark.parametrize(
    "token",
    [
        "ghs_111_eyJh.bGci-x" + "A-b." * 120,
        "ghu_" + "a" * 36,
        "github_pat_" + "a" * 60,
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOjF9.sig-nature",
    ],
)
def test_words_hold_no_token(token: str) -> None:
    said = words_of({"message": f"token {token} is bad"})
    assert said.startswith("token [redacted]")
    assert token[8:20] not in said


@given(body=st.binary(max_size=60) | st.just(b"[" * 100_000), status=st.integers(100, 599))
def test_any_answer_is_a_success_or_one_of_our_errors(body: bytes, status: int) -> None:
    refused = refusal_of(status, {}, body, now=NOW)
    assert refused is None or isinstance(refused, GitHubError)


@pytest.mark.parametrize("body", [HTML, b'{"id": 1', b"\xff", b"[" * 100_000])
def test_an_unreadable_success_may_have_been_done(body: bytes) -> None:
    with pytest.raises(Transient) as trouble:
        read_json(200, body)
    assert trouble.value.maybe_done


def test_an_empty_success_is_none() -> None:
    assert read_json(204, b"") is None


def ask(answer: Any, *, is_read: bool = True) -> tuple[dict[str, Any], tuple[str, ...]]:
    return graphql_data({}, answer, now=NOW, is_read=is_read)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"type": "RATE_LIMITED"}, RateLimited),
        ({"type": "NOT_FOUND", "path": ["repository"]}, NotFound),
        ({"type": "FORBIDDEN", "path": ["repository"]}, Forbidden),
        ({"type": "INSUFFICIENT_SCOPES"}, Forbidden),
        ({"type": "STALE_DATA"}, Conflict),
        ({"type": "UNPROCESSABLE"}, Invalid),
        ({"extensions": {"code": "undefinedField"}}, Invalid),
        ({"message": "Something went wrong"}, Transient),
        ({}, Transient),
        (7, Transient),
    ],
)
def test_a_graphql_error_says_what_to_do_next(error: Any, kind: type[GitHubError]) -> None:
    with pytest.raises(GitHubError) as refused:
        ask({"data": {"repository": None}, "errors": [error]})
    assert type(refused.value) is kind


HIDDEN = {"type": "FORBIDDEN", "message": "no", "path": ["repository", "pullRequest", "reviewRequests", 0]}


def test_what_is_hidden_deep_inside_a_query_is_told_and_left_out() -> None:
    answer = {"data": {"repository": {}}, "errors": [HIDDEN]}
    assert ask(answer) == ({"repository": {}}, ("repository.pullRequest.reviewRequests.0",))


def test_a_mutation_is_never_half_refused() -> None:
    with pytest.raises(Forbidden):
        ask({"data": {"x": {}}, "errors": [HIDDEN]}, is_read=False)


@given(
    answer=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["data", "errors", "type", "path", "message"]), inner, max_size=4
            )
        ),
        max_leaves=12,
    )
)
def test_any_graphql_answer_is_data_or_one_of_our_errors(answer: Any) -> None:
    try:
        found, _ = ask(answer)
    except GitHubError:
        return
    assert isinstance(found, dict)


@pytest.mark.parametrize(
    ("api_url", "url"),
    [
        ("https://api.github.com", "https://api.github.com/graphql"),
        ("https://api.github.com/", "https://api.github.com/graphql"),
        ("https://ghe.acme.test/api/v3", "https://ghe.acme.test/api/graphql"),
        ("https://ghe.acme.test/api/v3/", "https://ghe.acme.test/api/graphql"),
        ("http://127.0.0.1:9", "http://127.0.0.1:9/graphql"),
    ],
)
def test_graphql_is_found_on_every_kind_of_server(api_url: str, url: str) -> None:
    assert graphql_url(api_url) == url


BASE = "https://api.github.test/repos/acme/shop"


@pytest.mark.parametrize(
    ("status", "location", "target"),
    [
        (301, "https://api.github.test/repositories/7", "https://api.github.test/repositories/7"),
        (307, "/repositories/7", "https://api.github.test/repositories/7"),
        (301, "https://evil.test/repositories/7", None),
        (301, "http://api.github.test/repositories/7", None),
        (301, "https://api.github.test:8443/x", None),
        (301, "https://api.github.test@evil.test/x", None),
        (301, "https://api.github.test:port/x", None),
        (301, "//evil.test/x", None),
        (301, "", None),
        (200, "/x", None),
    ],
)
def test_a_token_never_travels_to_another_host(status: int, location: str, target: str | None) -> None:
    assert next_hop(BASE, status, {"Location": location}) == target


@pytest.mark.parametrize(
    ("url", "location", "target"),
    [
        (BASE, "https://store.test/log?sig=1", "https://store.test/log?sig=1"),
        (BASE, "http://store.test/log", None),
        (BASE, "file:///etc/passwd", None),
        (BASE, "https://a:b@store.test/", None),
        ("http://127.0.0.1:9/x", "http://127.0.0.1:9/log", "http://127.0.0.1:9/log"),
        (BASE, "", None),
    ],
)
def test_a_file_elsewhere_is_read_over_https(url: str, location: str, target: str | None) -> None:
    assert elsewhere(url, 302, {"location": location}) == target


@pytest.mark.parametrize(
    ("link", "cursor"),
    [
        ('<https://api.github.test/app/hook/deliveries?cursor=v1_9>; rel="next"', "v1_9"),
        ('<https://a.test/?cursor=x>; rel="prev", <https://a.test/?cursor=y>; rel="next"', "y"),
        ('<https://a.test/?cursor=x>; rel="prev"', None),
        ('<https://[a.test/?cursor=x>; rel="next"', None),
        ("", None),
    ],
)
def test_the_rest_of_a_list_is_where_the_link_says(link: str, cursor: str | None) -> None:
    assert next_cursor({"Link": link}) == cursor


@pytest.mark.parametrize("odd", [{}, {"x-ratelimit-remaining": "x"}, {"x-ratelimit-remaining": "1"}])
def test_an_unreadable_quota_is_none(odd: dict[str, str]) -> None:
    assert parse_quota(odd) is None


@pytest.mark.parametrize("reset", ["1e300", "-1", "nan", ""])
def test_a_limit_that_ends_nowhere_is_none(reset: str) -> None:
    assert parse_quota({"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}) is None


def test_every_error_is_one_tree() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert all(issubclass(kind, GitHubError) for kind in kinds)
