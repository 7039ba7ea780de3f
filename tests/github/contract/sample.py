"""Answers that GitHub could give, with no more in them than its description asks for."""

from collections.abc import Mapping
from typing import Any, Final

from tests.github.contract.rest import check_response, operation_of, resolved, schema_of

_STRINGS: Final = {
    "date-time": "2026-11-21T10:00:00Z",
    "uri": "https://github.test/x",
    "email": "ada@example.com",
}


def sample(method: str, url_path: str, status: int, /, *, items: int = 1, **fields: Any) -> Any:
    """The poorest answer that fits, with `fields` put over it (two underscores go down: `head__sha`).

    For a list, each of `items` is such an answer.

    Raises:
        AssertionError: `fields` made it something that GitHub could not answer.
    """
    operation, _ = operation_of(method, url_path)
    schema = schema_of(operation, status)
    assert schema is not None, f"{operation.name} {status}: has no JSON"
    made = _made({key: value for key, value in resolved(schema).items() if key != "nullable"})
    if isinstance(made, list):
        made = [_over(_made(resolved(schema)["items"]), fields) for _ in range(items)]
    else:
        made = _over(made, fields)
    check_response(method, url_path, status, made)
    return made


def _over(made: Any, fields: Mapping[str, Any]) -> Any:
    for name, value in fields.items():
        inner, place = made, name.split("__")
        for step in place[:-1]:
            inner = inner.setdefault(step, {})
        inner[place[-1]] = value
    return made


def _made(schema: Mapping[str, Any]) -> Any:
    schema = resolved(schema)
    if schema.get("nullable"):
        return None
    if "enum" in schema:
        return schema["enum"][0]
    for one_of in ("oneOf", "anyOf"):
        if one_of in schema and "properties" not in schema:
            return _made(schema[one_of][0])
    if "allOf" in schema:
        parts = [_made(part) for part in schema["allOf"]]
        return {key: value for part in parts if isinstance(part, dict) for key, value in part.items()}
    return _plain(schema)


def _plain(schema: Mapping[str, Any]) -> Any:
    match schema.get("type"):
        case "string":
            text = _STRINGS.get(schema.get("format", ""), "text")
            return text.ljust(schema.get("minLength", 0), "0")
        case "integer" | "number":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return False
        case "array":
            return []
        case _:
            needed = schema.get("required", ())
            return {name: _made(schema.get("properties", {}).get(name, {})) for name in needed}
