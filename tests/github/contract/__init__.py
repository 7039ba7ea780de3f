"""The judge of everything that is said to GitHub or in its name: GitHub's own descriptions of its two APIs.

All of it raises AssertionError with what is wrong where. `subset` makes the files that are read here.
"""

from collections.abc import Mapping
from typing import Final

from tests.github.contract import rest
from tests.github.contract.graph import check_graphql_data, check_graphql_request
from tests.github.contract.rest import operation_of
from tests.github.contract.sample import sample

__all__ = [
    "check_graphql_data",
    "check_graphql_request",
    "check_request",
    "check_response",
    "operation_of",
    "sample",
]

GRAPHQL_PATHS: Final = frozenset({"/graphql", "/api/graphql"})


def check_request(method: str, url_path: str, query: Mapping[str, str], json: object) -> None:
    """Is this a request that GitHub describes? What it does not name is refused.

    Args:
        url_path: As it goes over the wire, percent-encoded, without the query; also below `/api/v3`.
        json: The parsed body; None for no body.
    """
    if url_path not in GRAPHQL_PATHS:
        rest.check_request(method, url_path, query, json)
        return
    assert (method, dict(query)) == ("POST", {}), f"{method} {url_path} {query}: GraphQL is a plain POST"
    check_graphql_request(json)


def check_response(method: str, url_path: str, status: int, json: object) -> None:
    """Could GitHub answer so? For GraphQL only the envelope is looked at; see `check_graphql_data`.

    Args:
        url_path: As in `check_request`.
        json: The parsed body; None for no body, or for one that is not JSON.
    """
    if url_path not in GRAPHQL_PATHS:
        rest.check_response(method, url_path, status, json)
        return
    assert isinstance(json, dict), f"GraphQL answers with an object, not {json!r}"
    if status != 200:
        assert isinstance(json.get("message"), str), f"GraphQL {status}: no message in {json!r}"
        return
    assert json.keys() <= {"data", "errors", "extensions"}, f"GraphQL: unknown {sorted(json)}"
    errors = json.get("errors", [])
    assert all(isinstance(error.get("message"), str) for error in errors), f"GraphQL: {errors!r}"
    assert errors or isinstance(json.get("data"), dict), f"GraphQL: neither data nor errors in {json!r}"
