"""What Linear checks by hand behind its untyped scalars: activities, plans, summaries. Pure."""

from collections.abc import Mapping
from typing import Any

from playground.linear_errors import invalid

BODY_TYPES = ("thought", "elicitation", "response", "error")
EPHEMERAL_TYPES = ("thought", "action")
COMMENT_TYPES = ("response", "elicitation", "error")
PLAN_STATUSES = ("pending", "inProgress", "completed", "canceled")
SUMMARY_LIMIT_CHARS = 255

STATUS_AFTER = {
    "thought": "active",
    "action": "active",
    "elicitation": "awaitingInput",
    "response": "complete",
    "error": "error",
    "prompt": "active",
}


def check_activity(
    content: object, *, ephemeral: bool, signal: str | None, metadata: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the content of an app's activity in stored form, or raise `Refusal`."""
    if not isinstance(content, Mapping):
        raise invalid("content must be an object")
    kind = content.get("type")
    if ephemeral and kind not in EPHEMERAL_TYPES:
        raise invalid("only thought and action activities can be ephemeral")
    _check_signal(kind, signal, metadata)
    match kind:
        case "action":
            return _action(content)
        case str() if kind in BODY_TYPES:
            return {"type": kind, "body": _text(content, "body", kind)}
        case "prompt":
            raise invalid("prompt activities are created by people, not by apps")
        case _:
            raise invalid(f"content.type must be one of action, {', '.join(BODY_TYPES)}")


def _action(content: Mapping[str, Any]) -> dict[str, Any]:
    action = {
        "type": "action",
        "action": _text(content, "action", "action"),
        "parameter": _text(content, "parameter", "action"),
    }
    result = content.get("result")
    if result is None:
        return action
    if not isinstance(result, str):
        raise invalid("content.result of an action must be a string")
    return {**action, "result": result}


def _text(content: Mapping[str, Any], name: str, kind: str) -> str:
    value = content.get(name)
    if not isinstance(value, str) or not value.strip():
        raise invalid(f"content.{name} of an activity of type {kind} must be a non-empty string")
    return value


def _check_signal(kind: object, signal: str | None, metadata: Mapping[str, Any] | None) -> None:
    match signal:
        case None:
            return
        case "select" | "auth" if kind != "elicitation":
            raise invalid(f"signal {signal} is only allowed on an elicitation")
        case "select" if not _are_options((metadata or {}).get("options")):
            raise invalid("signal select needs signalMetadata.options, a list of {value, label?}")
        case "auth" if not isinstance((metadata or {}).get("url"), str):
            raise invalid("signal auth needs signalMetadata.url")
        case "select" | "auth":
            return
        case _:
            raise invalid(f"signal {signal} is not for apps")


def _are_options(options: object) -> bool:
    return isinstance(options, list) and bool(options) and all(_is_option(each) for each in options)


def _is_option(option: object) -> bool:
    return (
        isinstance(option, Mapping)
        and set(option) <= {"value", "label"}
        and all(isinstance(text, str) and text for text in option.values())
        and "value" in option
    )


def check_plan(plan: object) -> list[dict[str, Any]]:
    """A plan is a list of {content, status}, although the schema calls its scalar an object."""
    if not isinstance(plan, list):
        raise invalid("plan must be a list of steps")
    return [_step(step) for step in plan]


def _step(step: object) -> dict[str, Any]:
    match step:
        case {"content": str(text), "status": str(status)} if text and status in PLAN_STATUSES:
            return {"content": text, "status": status}
        case _:
            raise invalid(f"each step of a plan needs content and a status of {', '.join(PLAN_STATUSES)}")


def check_summary(summary: str | None) -> str | None:
    if summary is None or (1 <= len(summary) <= SUMMARY_LIMIT_CHARS and not set(summary) & set("\n\r\0")):
        return summary
    raise invalid(f"summary must have 1 to {SUMMARY_LIMIT_CHARS} characters and no line breaks")
