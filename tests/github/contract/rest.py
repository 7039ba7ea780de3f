"""Requests and answers of the REST API against GitHub's own description of them."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

HERE: Final = Path(__file__).parent
ENTERPRISE: Final = "/api/v3"

_BASIC_ERROR: Final = {"$ref": "#/components/schemas/basic-error"}
_ANYWHERE: Final = frozenset({301, 302, 307, 401, 403, 404, 408, 429, 500, 502, 503, 504})
"""Statuses that any operation may answer with, described for it or not."""

_PLAIN: Final = {"integer": re.compile(r"-?[0-9]+"), "boolean": re.compile("true|false")}
_SEGMENT: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+")


@dataclass(frozen=True, slots=True)
class Operation:
    """One of GitHub's operations; `path` is a template, `spec` the words of its description."""

    name: str
    method: str
    path: str
    spec: Mapping[str, Any]

    @property
    def pattern(self) -> re.Pattern[str]:
        parts = [_group(part) for part in re.split(r"(\{\w+\})", self.path)]
        return re.compile("".join(parts))


def _group(part: str) -> str:
    return f"(?P<{part[1:-1]}>[^/]+)" if part.startswith("{") else re.escape(part)


@cache
def described() -> dict[str, Any]:
    """GitHub's own words, as far as they are here."""
    words: dict[str, Any] = json.loads((HERE / "openapi.json").read_text(encoding="utf-8"))
    return words


@cache
def operations() -> tuple[Operation, ...]:
    """All that are described, those with fewer names in their path first: `/user` is not `/{org}`."""
    found = [
        Operation(spec["operationId"], method, path, spec)
        for path, methods in described()["paths"].items()
        for method, spec in methods.items()
    ]
    return tuple(sorted(found, key=lambda operation: operation.path.count("{")))


@cache
def _components() -> dict[str, Any]:
    return {"components": _in_json_schema(described()["components"])}


def _in_json_schema(node: Any) -> Any:
    """OpenAPI 3.0 says `nullable` where JSON Schema has the type null."""
    if isinstance(node, list):
        return [_in_json_schema(child) for child in node]
    if not isinstance(node, dict):
        return node
    made = {key: _in_json_schema(value) for key, value in node.items()}
    return {"anyOf": [{"type": "null"}, made]} if made.pop("nullable", False) is True else made


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(_components() | {"allOf": [_in_json_schema(json.loads(schema))]})


def resolved(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part of the description, behind its references."""
    while reference := node.get("$ref"):
        _, _, section, name = reference.split("/")
        node = described()["components"][section][name]
    return node


def operation_of(method: str, url_path: str) -> tuple[Operation, dict[str, str]]:
    """Which operation a request is, and the names in its path, decoded.

    Args:
        url_path: As it goes over the wire, percent-encoded; that of an enterprise server is taken, too.

    Raises:
        AssertionError: GitHub describes no such thing, or it is none of those that we use.
    """
    path = _by_name(url_path.removeprefix(ENTERPRISE))
    for segment in path.strip("/").split("/"):
        assert segment not in {".", ".."}, f"{method} {url_path}: a segment leads elsewhere"
        assert _SEGMENT.fullmatch(segment) or path == "/", f"{method} {url_path}: {segment!r} is not encoded"
    for operation in operations():
        found = operation.pattern.fullmatch(path)
        if found and operation.method == method.lower():
            return operation, {name: unquote(value) for name, value in found.groupdict().items()}
    raise AssertionError(f"{method} {url_path}: no operation of ours in GitHub's description")


def _by_name(path: str) -> str:
    # A renamed repository is redirected to its number, below which everything is the same.
    return re.sub(r"\A/repositories/[0-9]+(?=/|\Z)", "/repos/owner/name", path)


def check_request(method: str, url_path: str, query: Mapping[str, str], body: object) -> None:
    """Does GitHub describe this request? Fields and parameters that it does not name are refused.

    Args:
        url_path: As in `operation_of`.
        body: The parsed JSON; None for no body.

    Raises:
        AssertionError: No; it says what is wrong where.
    """
    operation, names = operation_of(method, url_path)
    about = f"{operation.name} ({method} {url_path})"
    parameters = [resolved(each) for each in operation.spec.get("parameters", ())]
    _check_parameters(about, "path", names, parameters)
    _check_parameters(about, "query", query, parameters)
    wanted = resolved(operation.spec.get("requestBody", {}))
    schema = wanted.get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        assert body is None, f"{about}: takes no body"
        return
    if body is None:
        is_needed = wanted.get("required") or resolved(schema).get("required")
        assert not is_needed, f"{about}: needs a body"
        return
    _check(f"{about}: request", schema, body)
    _check_fields(f"{about}: request", resolved(schema), body)


def _check_parameters(
    about: str, where: str, given: Mapping[str, str], described: Iterable[Mapping[str, Any]]
) -> None:
    known = {each["name"]: each for each in described if each["in"] == where}
    assert given.keys() <= known.keys(), f"{about}: {where} has unknown {sorted(given.keys() - known.keys())}"
    absent = [name for name, each in known.items() if each.get("required") and name not in given]
    assert not absent, f"{about}: {where} lacks {absent}"
    for name, text in given.items():
        schema = resolved(known[name].get("schema", {}))
        plain = _PLAIN.get(schema.get("type", ""))
        assert plain is None or plain.fullmatch(text), (
            f"{about}: {where} {name}={text!r} is no {schema['type']}"
        )
        _check(f"{about}: {where} {name}", schema, json.loads(text) if plain else text)


def _check_fields(about: str, schema: Mapping[str, Any], body: object) -> None:
    properties = schema.get("properties")
    if not isinstance(body, dict) or properties is None:
        return
    assert body.keys() <= properties.keys(), f"{about}: unknown {sorted(body.keys() - properties.keys())}"
    for name, value in body.items():
        inner = resolved(properties[name])
        for each in value if isinstance(value, list) else [value]:
            _check_fields(f"{about}.{name}", resolved(inner.get("items", inner)), each)


def check_response(method: str, url_path: str, status: int, body: object) -> None:
    """Could GitHub answer this request so?

    Args:
        url_path: As in `operation_of`.
        body: The parsed JSON; None for no body, or for one that is not JSON.

    Raises:
        AssertionError: No such status is described for it, or no such body.
    """
    operation, _ = operation_of(method, url_path)
    about = f"{operation.name} ({method} {url_path}): answer {status}"
    if str(status) not in operation.spec["responses"]:
        assert status in _ANYWHERE, f"{about}: is not described"
        if body is not None:
            _check(about, _BASIC_ERROR, body)
        return
    schema = schema_of(operation, status)
    if schema is None:
        assert body is None, f"{about}: has no JSON"
        return
    assert body is not None, f"{about}: lacks its JSON"
    _check(about, schema, body)


def schema_of(operation: Operation, status: int) -> Mapping[str, Any] | None:
    """How an answer is described; None for one without JSON. Raises KeyError for an unknown status."""
    answer = resolved(operation.spec["responses"][str(status)])
    schema: Mapping[str, Any] | None = answer.get("content", {}).get("application/json", {}).get("schema")
    return schema


def _check(about: str, schema: Mapping[str, Any], value: object) -> None:
    if error := best_match(_validator(json.dumps(schema, sort_keys=True)).iter_errors(value)):
        raise AssertionError(f"{about}: {'; '.join(_said(error))}")


def _said(error: ValidationError) -> Iterator[str]:
    yield f"{error.json_path}: {error.message[:300]}"
    for inner in sorted(error.context or (), key=lambda each: len(each.path), reverse=True)[:5]:
        yield f"{inner.json_path}: {inner.message[:200]}"
