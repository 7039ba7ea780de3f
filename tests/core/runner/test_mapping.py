"""What people see of what the agent does."""

import pytest
from claude_agent_sdk import (
    AssistantMessage,
    Message,
    RateLimitEvent,
    RateLimitInfo,
    StreamEvent,
    TextBlock,
    ToolUseBlock,
)
from hypothesis import given
from hypothesis import strategies as st

from core.activities import Blocker, PlanStep, StepStatus
from core.events import (
    AgentEvent,
    AgentReady,
    AgentThought,
    AgentWaits,
    PlanChanged,
    PromptTaken,
    RunFailed,
    RunInterrupted,
    RunSucceeded,
    ToolFinished,
    ToolStarted,
)
from core.ids import EntryKey
from core.runner.mapping import Translation
from tests.core.runner.messages import (
    aborted,
    call,
    prompt,
    result,
    retry,
    returned,
    said,
    system,
    text,
    thinking,
)

HUNKS = {"structuredPatch": [{"lines": ["-a", "+b", "+c", " d"]}, {"lines": ["+e"]}]}


def translated(
    *messages: Message, prompts: tuple[str, ...] = ("p1",), stopping: bool = False
) -> list[AgentEvent]:
    translation = Translation("/ws")
    for uuid in prompts:
        translation.prompted(uuid)
    if stopping:
        translation.stopping()
    return [event for message in messages for event in translation.feed(message)]


def thought(uuid: str, words: str, *, lasting: bool = False) -> AgentThought:
    return AgentThought(EntryKey(f"{uuid}:0"), words, lasting)


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        pytest.param(
            [text("a", "Done."), result("Done.", "p1")],
            [RunSucceeded("Done.", ("p1",), 0.5)],
            id="the last text is the answer",
        ),
        pytest.param(
            [text("a", "First."), text("b", "Done."), result("Done.", "p1")],
            [thought("a", "First.", lasting=True), RunSucceeded("Done.", ("p1",), 0.5)],
            id="a text before the last becomes a lasting thought",
        ),
        pytest.param(
            [text("a", "I look."), thinking("b", "Hm.")],
            [thought("a", "I look.", lasting=True), thought("b", "Hm.")],
            id="thinking passes by",
        ),
        pytest.param([thinking("a", " "), text("b", "\n")], [], id="blank blocks are nothing"),
        pytest.param(
            [text("a", "Different."), result("Done.", "p1")],
            [thought("a", "Different.", lasting=True), RunSucceeded("Done.", ("p1",), 0.5)],
            id="a held text that is not the answer is kept",
        ),
        pytest.param(
            [text("a", "Done."), result(None, "p1")],
            [RunSucceeded("Done.", ("p1",), 0.5)],
            id="a result without text has the held one",
        ),
        pytest.param(
            [system("init", model="opus"), system("init", model="opus")],
            [AgentReady("opus")],
            id="ready once, though every turn begins with an init",
        ),
        pytest.param(
            [prompt("p1"), prompt("p1"), prompt("px")], [PromptTaken("p1")], id="own prompts are taken once"
        ),
        pytest.param(
            [call("a", "Read", file_path="/ws/x.py"), returned("a", "1\tx")],
            [ToolStarted(EntryKey("a:0"), "Reading", "x.py")],
            id="a read leaves nothing after",
        ),
        pytest.param(
            [
                call("a", "Read", file_path="/ws/x.py"),
                returned("a", "<tool_use_error>No.</tool_use_error>", failed=True),
            ],
            [
                ToolStarted(EntryKey("a:0"), "Reading", "x.py"),
                ToolFinished(EntryKey("t-a:r"), "Could not read", "x.py", "```\nNo.\n```"),
            ],
            id="unless it failed",
        ),
        pytest.param(
            [call("a", "Edit", file_path="/ws/x.py"), returned("a", "ok", details=HUNKS)],
            [
                ToolStarted(EntryKey("a:0"), "Editing", "x.py"),
                ToolFinished(EntryKey("t-a:r"), "Edited", "x.py", "(+3 −1)"),
            ],
            id="an edit says how much",
        ),
        pytest.param(
            [call("a", "Bash", command="pytest -q"), returned("a", "2 passed")],
            [
                ToolStarted(EntryKey("a:0"), "Running", "`pytest -q`"),
                ToolFinished(EntryKey("t-a:r"), "Ran", "`pytest -q`", "```\n2 passed\n```"),
            ],
            id="a command shows its output",
        ),
        pytest.param(
            [
                call("a", "mcp__tracker__find_issue", query="x"),
                returned("a", [{"type": "text", "text": "ENG-1"}]),
            ],
            [
                ToolStarted(EntryKey("a:0"), "Calling", "tracker: find issue"),
                ToolFinished(EntryKey("t-a:r"), "Called", "tracker: find issue", "```\nENG-1\n```"),
            ],
            id="a tool of a server is called",
        ),
        pytest.param(
            [call("a", "AskUserQuestion", questions=[]), returned("a", "answered")],
            [],
            id="a question is shown by its own event",
        ),
        pytest.param(
            [
                call("a", "Bash", command="ls"),
                returned("a", "[Tool call interrupted: outcome unknown]", failed=True),
            ],
            [ToolStarted(EntryKey("a:0"), "Running", "`ls`")],
            id="an interrupted call shows nothing",
        ),
        pytest.param([returned("unknown", "x")], [], id="a result of no call is nothing"),
        pytest.param(
            [
                call(
                    "a",
                    "TodoWrite",
                    todos=[
                        {"content": "A", "status": "completed"},
                        {"content": "B", "status": "in_progress"},
                        {"content": "C", "status": "new"},
                        {"content": " "},
                        "D",
                    ],
                ),
                returned("a", "Todos have been modified"),
            ],
            [
                PlanChanged(
                    EntryKey("a:0"),
                    (
                        PlanStep("A", StepStatus.COMPLETED),
                        PlanStep("B", StepStatus.IN_PROGRESS),
                        PlanStep("C", StepStatus.PENDING),
                    ),
                )
            ],
            id="the checklist is the plan",
        ),
        pytest.param(
            [
                said("a", TextBlock("looking"), subagent=True),
                said("b", ToolUseBlock("t", "Bash", {"command": "ls"}), subagent=True),
            ],
            [thought("a", "↪ looking"), ToolStarted(EntryKey("b:0"), "↪ Running", "`ls`")],
            id="a subagent's chatter is marked",
        ),
        pytest.param(
            [text("a", "Held."), said("b", TextBlock("x"), subagent=True), result("Held.", "p1")],
            [
                thought("a", "Held.", lasting=True),
                thought("b", "↪ x"),
                RunSucceeded("Held.", ("p1",), 0.5),
            ],
            id="anything but the result lets the held text go",
        ),
        pytest.param([retry(1, "overloaded", 529)], [], id="a first retry is not worth a word"),
        pytest.param(
            [retry(3, "overloaded", 529), retry(4, "rate_limit", 429), retry(5, "unknown", None)],
            [
                AgentWaits(Blocker.MODEL_BUSY, "The model is overloaded; trying again."),
                AgentWaits(Blocker.MODEL_BUSY, "The model is limiting our rate; trying again."),
                AgentWaits(Blocker.MODEL_BUSY, "The model does not answer; trying again."),
            ],
            id="later ones are",
        ),
        pytest.param(
            [retry(1, "authentication_failed", 401), retry(2, "authentication_failed", 401), aborted("p1")],
            [RunFailed(Blocker.MODEL_KEY, "The model refused our key.", ("p1",), None)],
            id="a refused key fails at once, and once",
        ),
        pytest.param(
            [
                AssistantMessage([TextBlock("API Error: 529 {...}")], "m", error="server_error"),
                result("API Error", "p1", is_error=True, api_error_status=529, terminal_reason="api_error"),
            ],
            [RunFailed(Blocker.MODEL_BUSY, "The model is overloaded.", ("p1",), 0.5)],
            id="an error's own text is never shown",
        ),
        pytest.param(
            [text("a", "Half."), result(None, "p1", is_error=True, subtype="error_max_turns")],
            [
                thought("a", "Half.", lasting=True),
                RunFailed(
                    Blocker.AGENT_FAILED, "The agent used all the steps that one turn may take.", ("p1",), 0.5
                ),
            ],
            id="what was said before a failure stays",
        ),
        pytest.param([aborted("p1")], [], id="aborted without being asked is nothing"),
        pytest.param([result("", "p1", num_turns=0)], [], id="an empty result without a turn is nothing"),
        pytest.param(
            [result("", "p1", terminal_reason="tool_deferred")], [], id="a deferred tool is nothing"
        ),
        pytest.param(
            [system("compact_boundary"), system("model_fallback", content="Using another model.")],
            [thought("s", "Compacting the conversation"), thought("s", "Using another model.")],
            id="what the client does with the conversation passes by",
        ),
        pytest.param(
            [
                system("session_state_changed", state="idle"),
                system("thinking_tokens"),
                StreamEvent("u", "s", {}),
                RateLimitEvent(RateLimitInfo("allowed"), "u", "s"),
            ],
            [],
            id="the rest is nothing",
        ),
        pytest.param(
            [RateLimitEvent(RateLimitInfo("rejected"), "u", "s")],
            [AgentWaits(Blocker.MODEL_BUSY, "The model account reached its usage limit.")],
            id="a used-up account is waited for",
        ),
    ],
)
def test_messages_become_events(messages: list[Message], expected: list[AgentEvent]) -> None:
    assert translated(*messages) == expected


def test_only_the_result_that_leaves_no_prompt_waiting_is_final() -> None:
    seen = translated(
        text("a", "First."),
        result("First.", "p1"),
        text("b", "Second."),
        result("Second.", "p2"),
        prompts=("p1", "p2"),
    )
    assert seen == [thought("a", "First.", lasting=True), RunSucceeded("Second.", ("p1", "p2"), 0.5)]


def test_a_failure_with_a_prompt_still_waiting_is_a_thought() -> None:
    seen = translated(
        result("x", "p1", is_error=True, subtype="error_max_turns", uuid="e"), prompts=("p1", "p2")
    )
    words = "The agent used all the steps that one turn may take."
    assert seen == [AgentThought(EntryKey("e:e"), words, lasting=True)]


def test_a_result_without_names_covers_what_was_taken() -> None:
    seen = translated(prompt("p1"), result("Done."))
    assert seen[-1] == RunSucceeded("Done.", ("p1",), 0.5)


def test_a_stop_ends_the_turn_and_shows_no_rejected_tool() -> None:
    seen = translated(
        call("a", "Bash", command="ls"),
        returned("a", "The user doesn't want to proceed with this tool use.", failed=True),
        aborted("p1"),
        stopping=True,
    )
    assert seen == [ToolStarted(EntryKey("a:0"), "Running", "`ls`"), RunInterrupted(0.5)]


def test_a_stop_before_the_turn_began_ends_when_the_agent_is_idle() -> None:
    assert translated(system("session_state_changed", state="idle"), stopping=True) == [RunInterrupted()]


def test_a_stop_that_came_too_late_does_not_hide_the_answer() -> None:
    assert translated(result("Done.", "p1"), stopping=True) == [RunSucceeded("Done.", ("p1",), 0.5)]


def test_withdrawn_prompts_end_a_stop_with_nothing_running() -> None:
    translation = Translation("/ws")
    translation.prompted("p1")
    translation.stopping()
    assert list(translation.withdrawn(["p1"])) == [RunInterrupted()]
    assert not translation.busy


words = st.sampled_from(["", " ", "Done.", "`x`", "[Tool call interrupted", "{}"])
uuids = st.sampled_from(["a", "b", "p1", "p2"])
tools = st.sampled_from(["Bash", "Edit", "Read", "TodoWrite", "AskUserQuestion", "mcp__a__b", "New"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
arguments = st.dictionaries(
    st.sampled_from(["command", "file_path", "pattern", "todos", "query"]), values, max_size=3
)
any_message: st.SearchStrategy[Message] = st.one_of(
    st.builds(text, uuids, words),
    st.builds(thinking, uuids, words),
    st.builds(lambda u, t, a: said(u, ToolUseBlock(f"t-{u}", t, a)), uuids, tools, arguments),
    st.builds(lambda u, c, f, d: returned(u, c, failed=f, details=d), uuids, values, st.booleans(), values),
    st.builds(prompt, uuids),
    st.builds(aborted, uuids),
    st.builds(
        lambda w, u, e, r, n: result(w, u, is_error=e, terminal_reason=r, num_turns=n),
        words,
        uuids,
        st.booleans(),
        st.sampled_from(["completed", "api_error", "max_turns", "tool_deferred", None]),
        st.integers(0, 2),
    ),
    st.builds(lambda a, e, s: retry(a, e, s), st.integers(0, 5), words, st.none() | st.integers(400, 600)),
    st.builds(
        lambda s, c: system(s, content=c, state=c, model=c),
        st.sampled_from(["init", "informational", "session_state_changed", "compact_boundary"]),
        values,
    ),
)


@given(st.lists(any_message, max_size=12), st.booleans())
def test_no_order_of_messages_breaks_it_and_none_gives_internals_away(
    messages: list[Message], stopping: bool
) -> None:
    for event in translated(*messages, prompts=("p1", "p2"), stopping=stopping):
        assert "[ede_diagnostic]" not in str(event)
        if isinstance(event, ToolStarted | ToolFinished):
            assert event.action
            assert event.parameter


@given(st.lists(any_message, max_size=12))
def test_equal_messages_give_equal_events(messages: list[Message]) -> None:
    assert translated(*messages) == translated(*messages)


@given(st.lists(any_message, max_size=12))
def test_a_text_that_was_held_back_is_never_lost(messages: list[Message]) -> None:
    seen = translated(text("first", "Only once."), *messages, result("The end.", "p1", "p2"))
    told = [event for event in seen if "Only once." in str(event)]
    assert len(told) == 1
