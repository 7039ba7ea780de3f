"""SDK messages in few words."""

from typing import Any

from claude_agent_sdk import (
    AssistantMessage,
    ContentBlock,
    ResultMessage,
    SystemMessage,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)


def said(uuid: str, *blocks: ContentBlock, subagent: bool = False) -> AssistantMessage:
    parent = "toolu_parent" if subagent else None
    return AssistantMessage(content=list(blocks), model="m", uuid=uuid, parent_tool_use_id=parent)


def text(uuid: str, words: str) -> AssistantMessage:
    return said(uuid, TextBlock(words))


def thinking(uuid: str, words: str) -> AssistantMessage:
    return said(uuid, ThinkingBlock(words, "signature"))


def call(uuid: str, tool: str, **arguments: Any) -> AssistantMessage:
    """The call's id is `t-` and the message's."""
    return said(uuid, ToolUseBlock(f"t-{uuid}", tool, arguments))


def returned(uuid: str, content: Any = "", *, failed: bool = False, details: Any = None) -> UserMessage:
    """The result of the call in the message `uuid`."""
    block = ToolResultBlock(f"t-{uuid}", content, failed)
    return UserMessage(content=[block], uuid=f"r-{uuid}", tool_use_result=details)


def prompt(uuid: str) -> UserMessage:
    return UserMessage(content="words", uuid=uuid)


def system(subtype: str, **data: Any) -> SystemMessage:
    return SystemMessage(subtype=subtype, data={"type": "system", "subtype": subtype, "uuid": "s", **data})


def retry(attempt: int, error: str, status: int | None) -> SystemMessage:
    return system("api_retry", attempt=attempt, error=error, error_status=status, max_retries=10)


def result(answer: str | None, *prompts: str, **facts: Any) -> ResultMessage:
    """A result that covers `prompts`."""
    standard: dict[str, Any] = {
        "subtype": "success",
        "duration_ms": 1,
        "duration_api_ms": 1,
        "is_error": False,
        "num_turns": 1,
        "session_id": "session",
        "terminal_reason": "completed",
        "total_cost_usd": 0.5,
        "uuid": "result",
        "user_message_uuids": list(prompts) or None,
    }
    return ResultMessage(**{**standard, "result": answer, **facts})


def aborted(*prompts: str) -> ResultMessage:
    return result(
        None,
        *prompts,
        subtype="error_during_execution",
        is_error=True,
        terminal_reason="aborted_tools",
        errors=["[ede_diagnostic] internal"],
    )
