"""Makes the least that GitHub's description lets each answer be: `python -m tests.github.contract.shapes`.

The stand-in fills its own values into these, so that its answers have all the fields that GitHub's have.
"""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TARGET = HERE.parents[2] / "playground" / "github_shapes.json"

ANSWERS = {
    "app": ("get", "/app", "200"),
    "delivery": ("get", "/app/hook/deliveries", "200"),
    "token": ("post", "/app/installations/{installation_id}/access_tokens", "201"),
    "authorization": ("post", "/applications/{client_id}/token", "200"),
    "repository": ("get", "/repos/{owner}/{repo}", "200"),
    "jobs": ("get", "/repos/{owner}/{repo}/actions/runs/{run_id}/jobs", "200"),
    "check_run": ("post", "/repos/{owner}/{repo}/check-runs", "201"),
    "annotation": ("get", "/repos/{owner}/{repo}/check-runs/{check_run_id}/annotations", "200"),
    "permission": ("get", "/repos/{owner}/{repo}/collaborators/{username}/permission", "200"),
    "installation": ("get", "/repos/{owner}/{repo}/installation", "200"),
    "comment": ("post", "/repos/{owner}/{repo}/issues/{issue_number}/comments", "201"),
    "pull": ("get", "/repos/{owner}/{repo}/pulls/{pull_number}", "200"),
    "pull_simple": ("get", "/repos/{owner}/{repo}/pulls", "200"),
    "line_comment": ("get", "/repos/{owner}/{repo}/pulls/{pull_number}/comments", "200"),
    "file": ("get", "/repos/{owner}/{repo}/pulls/{pull_number}/files", "200"),
    "merged": ("put", "/repos/{owner}/{repo}/pulls/{pull_number}/merge", "200"),
    "review": ("post", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews", "200"),
    "user": ("get", "/user", "200"),
    "email": ("get", "/user/emails", "200"),
    "account": ("get", "/users/{username}", "200"),
}
WORDS = {"uri": "https://github.test", "date-time": "2026-11-21T10:00:00Z", "email": "nobody@github.test"}


def least(schema: dict[str, Any], whole: dict[str, Any]) -> Any:
    """The least instance of a schema: what is required and nothing else, null where it may be."""
    if ref := schema.get("$ref"):
        place: Any = whole
        for step in ref.removeprefix("#/").split("/"):
            place = place[step]
        return least(place, whole)
    kind = schema.get("type")
    if schema.get("nullable") or (isinstance(kind, list) and "null" in kind):
        return None
    if parts := schema.get("allOf"):
        return {name: value for part in parts for name, value in least(part, whole).items()}
    choices = schema.get("oneOf") or schema.get("anyOf")
    if choices and "properties" not in schema:
        return least(choices[0], whole)
    return schema["enum"][0] if "enum" in schema else _plain(schema, whole)


def _plain(schema: dict[str, Any], whole: dict[str, Any]) -> Any:
    known = schema.get("properties", {})
    match schema.get("type") or ("object" if known else None):
        case "object":
            return {name: least(known.get(name, {}), whole) for name in schema.get("required", ())}
        case "array":
            return []
        case "string":
            return WORDS.get(schema.get("format", ""), "")
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return False
        case _:
            return None


def shapes() -> dict[str, Any]:
    """All of them, by name; of lists, one item."""
    whole = json.loads((HERE / "openapi.json").read_text("utf-8"))
    found = {}
    for name, (method, path, status) in ANSWERS.items():
        answer = whole["paths"][path][method]["responses"][status]
        while ref := answer.get("$ref"):
            answer = whole["components"]["responses"][ref.rsplit("/", 1)[1]]
        schema = answer["content"]["application/json"]["schema"]
        while ref := schema.get("$ref"):
            schema = whole["components"]["schemas"][ref.rsplit("/", 1)[1]]
        item = schema["items"] if schema.get("type") == "array" else schema
        found[name] = least({**item, "nullable": False, "type": item.get("type") or "object"}, whole)
    return found


if __name__ == "__main__":
    TARGET.write_text(json.dumps(shapes(), indent=1) + "\n", "utf-8")
