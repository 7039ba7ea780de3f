"""The real command line against the model stand-in."""

import asyncio
import os
import signal
import sys
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from core.activities import Blocker, Option, PlanStep, StepStatus
from core.errors import AgentError
from core.events import (
    AgentAsked,
    AgentDied,
    AgentEvent,
    AgentReady,
    AgentThought,
    AgentWaits,
    Image,
    PlanChanged,
    PromptTaken,
    RunFailed,
    RunInterrupted,
    RunSucceeded,
    ToolFinished,
    ToolStarted,
)
from core.ids import EntryKey
from core.ports import RunSpec
from core.runner.claude import ClaudeRunner
from core.runner.options import ClaudeSettings
from core.workspace.processes import marked
from playground.model import ModelPlayground
from tests.core.runner.conftest import (
    Opener,
    environment,
    exists,
    gone,
    lingering,
    living,
    program,
    runs,
    script,
    transcript_of,
)

pytestmark = [
    pytest.mark.cli,
    pytest.mark.skipif(sys.platform != "linux", reason="the process tree is looked up in /proc"),
]

ASK = [
    "AskUserQuestion",
    {
        "questions": [
            {
                "question": "Which greeting?",
                "header": "Greeting",
                "multiSelect": False,
                "options": [{"label": "Hi", "description": ""}, {"label": "Hello", "description": ""}],
            }
        ]
    },
]
PIXEL = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
EDIT = ["Edit", {"file_path": "{{WORKSPACE}}/hello.py", "old_string": "'hello'", "new_string": "'hi'"}]


def todo(status: str) -> list[object]:
    return ["TodoWrite", {"todos": [{"content": "Greet", "status": status, "activeForm": "Greeting"}]}]


def bash(command: str) -> list[object]:
    return ["Bash", {"command": command}]


async def test_a_run_with_plan_read_edit_and_command_tells_each_step(
    open_agent: Opener, spec: RunSpec, workspace: Path
) -> None:
    agent = await open_agent(spec)
    prompt = await agent.prompt(
        script(
            {
                "think": "Hm.",
                "text": "I look first.",
                "tools": [todo("pending"), ["Read", {"file_path": "{{WORKSPACE}}/hello.py"}]],
            },
            {"tools": [EDIT]},
            {"tools": [bash("python3 -c 'import hello; print(hello.hello())'"), todo("completed")]},
            {"text": "It says hi."},
        )
    )
    seen = await agent.finish()
    assert [type(event) for event in seen[:2]] == [AgentReady, PromptTaken]
    assert [(e.text, e.lasting) for e in seen if isinstance(e, AgentThought)] == [
        ("Hm.", False),
        ("I look first.", True),
    ]
    assert [e.steps for e in seen if isinstance(e, PlanChanged)] == [
        (PlanStep("Greet", StepStatus.PENDING),),
        (PlanStep("Greet", StepStatus.COMPLETED),),
    ]
    assert [(e.action, e.parameter) for e in seen if isinstance(e, ToolStarted)][:2] == [
        ("Reading", "hello.py"),
        ("Editing", "hello.py"),
    ]
    assert [(e.action, e.parameter, e.result) for e in seen if isinstance(e, ToolFinished)] == [
        ("Edited", "hello.py", "(+1 −1)"),
        ("Ran", "`python3 -c 'import hello; print(hello.hello())'`", "```\nhi\n```"),
    ]
    assert isinstance(last := seen[-1], RunSucceeded)
    assert (last.text, last.prompts) == ("It says hi.", (prompt,))
    assert "'hi'" in (workspace / "hello.py").read_text()


async def test_the_model_sees_the_images_of_a_prompt(
    open_agent: Opener, spec: RunSpec, model: ModelPlayground
) -> None:
    image = Image("shot.png", "image/png", PIXEL)
    agent = await open_agent(spec)
    prompt = await agent.prompt(script({"text": "A red dot."}), images=[image, image])
    (last,) = [event for event in await agent.finish() if isinstance(event, RunSucceeded)]
    assert (last.text, last.prompts) == ("A red dot.", (prompt,))
    shown = [
        block["source"]
        for message in model.bodies[-1]["messages"]
        for block in message["content"]
        if isinstance(block, dict) and block["type"] == "image"
    ]
    assert [(one["media_type"], b64decode(one["data"])[:8]) for one in shown] == [
        ("image/png", PIXEL[:8])
    ] * 2
    await agent.run.close()
    # The transcript tells it again without asking the model.
    again = await open_agent(replace(spec, resume=True))
    await again.prompt("the same prompt", prompt, [image])
    assert [event.text for event in await again.finish() if isinstance(event, RunSucceeded)] == ["A red dot."]


async def test_no_process_of_the_agent_sees_our_secrets(
    open_agent: Opener, spec: RunSpec, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THREADLINE_LINEAR__TOKEN", "canary-secret")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "canary-secret")
    agent = await open_agent(spec)
    await agent.prompt(
        script({"tools": [bash("env > env; cat /proc/$PPID/environ > cli; ls")]}, {"text": "ok"})
    )
    await agent.finish()
    environments = [(workspace / name).read_bytes() for name in ("env", "cli")]
    environments += [environment(pid) for pid in marked(spec.agent_session)]
    assert len(environments) >= 4  # The tool's, the command line's twice, the supervisor's.
    assert not [variables for variables in environments if b"canary-secret" in variables]


async def test_questions_come_one_after_the_other_and_answers_reach_the_agent(
    open_agent: Opener, spec: RunSpec, model: ModelPlayground
) -> None:
    questions = [
        {
            "question": "Which greeting?",
            "header": "Greeting",
            "multiSelect": False,
            "options": [{"label": "Hi", "description": "short"}, {"label": "Hello", "description": "long"}],
        },
        {
            "question": "Which languages?",
            "header": "Languages",
            "multiSelect": True,
            "options": [{"label": "English", "description": ""}, {"label": "German", "description": ""}],
        },
    ]
    agent = await open_agent(spec)
    asking = {"text": "I need to know.", "tools": [["AskUserQuestion", {"questions": questions}]]}
    await agent.prompt(script(asking, {"text": "Noted."}))
    *before, first = await agent.until(AgentAsked)
    assert [event.text for event in before if isinstance(event, AgentThought)] == ["I need to know."]
    assert isinstance(first, AgentAsked)
    assert (first.purpose, first.options) == ("question", (Option("1", "Hi"), Option("2", "Hello")))
    await agent.run.answer(first.question, "2")
    second = (await agent.until(AgentAsked))[-1]
    assert isinstance(second, AgentAsked)
    assert second.multiple
    await agent.run.answer(first.question, "too late")
    await agent.run.answer(second.question, "1, 2")
    assert isinstance((await agent.finish())[-1], RunSucceeded)
    answered = model.bodies[-1]["messages"][-1]["content"]
    assert '\\"Hello\\"' in str(answered).replace('"', '\\"')
    assert "English, German" in str(answered)


async def test_what_is_not_allowed_is_asked_and_a_no_is_obeyed(
    open_agent: Opener, spec: RunSpec, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.txt"
    agent = await open_agent(spec)
    await agent.prompt(
        script({"tools": [["Write", {"file_path": str(outside), "content": "x"}]]}, {"text": "No then."})
    )
    asked = (await agent.until(AgentAsked))[-1]
    assert isinstance(asked, AgentAsked)
    assert (asked.purpose, [option.value for option in asked.options]) == (
        "permission",
        ["once", "session", "deny"],
    )
    await agent.run.answer(asked.question, "deny")
    assert isinstance((await agent.finish())[-1], RunSucceeded)
    assert not outside.exists()


async def test_an_interrupt_ends_the_turn_at_once_with_its_tools_and_the_next_prompt_works(
    open_agent: Opener, spec: RunSpec, workspace: Path
) -> None:
    word = f"nap-{uuid4().hex}"
    agent = await open_agent(spec)
    await agent.prompt(script({"text": "Working.", "tools": [bash(lingering(word))]}, {"text": "never"}))
    await exists(workspace / "started")
    await agent.prompt("and this too")
    async with asyncio.timeout(20):
        await agent.run.interrupt()
        seen = await agent.finish()
    assert isinstance(seen[-1], RunInterrupted)
    assert not [event for event in seen if isinstance(event, ToolFinished)]
    assert await gone(f"{word}-tool")
    prompt = await agent.prompt("again")
    last = (await agent.finish())[-1]
    assert isinstance(last, RunSucceeded)
    assert (last.text, last.prompts) == ("ok", (prompt,))
    await agent.run.close()
    assert await gone(word)


async def test_an_interrupt_with_nothing_to_stop_is_over_at_once(open_agent: Opener, spec: RunSpec) -> None:
    agent = await open_agent(spec)
    await agent.run.interrupt()
    assert await agent.finish() == [RunInterrupted()]


async def test_a_follow_up_is_folded_into_the_running_turn(
    open_agent: Opener, spec: RunSpec, model: ModelPlayground, workspace: Path
) -> None:
    agent = await open_agent(spec)
    first = await agent.prompt(
        script(
            {
                "tools": [
                    bash(
                        "touch started; while [ ! -e go ]; do python3 -c 'import time; time.sleep(.05)'; done"
                    )
                ]
            },
            {
                "text": "Ranking changed.",
                "if_told": {"don't touch ranking": [{"text": "Ranking untouched."}]},
            },
        )
    )
    await exists(workspace / "started")
    second = await agent.prompt("don't touch ranking")
    (workspace / "go").touch()
    seen = await agent.finish()
    assert PromptTaken(second) in seen
    last = seen[-1]
    assert isinstance(last, RunSucceeded)
    assert (last.text, last.prompts) == ("Ranking untouched.", (first, second))


async def test_a_follow_up_after_the_text_makes_the_first_answer_a_thought(
    open_agent: Opener, spec: RunSpec, model: ModelPlayground
) -> None:
    model.play([{"match": "^two$", "steps": [{"text": "Second answer."}]}])
    agent = await open_agent(spec)
    first = await agent.prompt(script({"text": "First answer.", "hold": "text"}))
    await model.held("text")
    second = await agent.prompt("two")
    model.release("text")
    seen = await agent.finish()
    assert [e.text for e in seen if isinstance(e, AgentThought) and e.lasting] == ["First answer."]
    assert (seen[-1]) == RunSucceeded("Second answer.", (first, second), cost_of(seen[-1]))


def cost_of(event: object) -> float | None:
    return event.cost_usd if isinstance(event, RunSucceeded) else None


async def test_a_refused_key_fails_at_the_first_try(
    settings: ClaudeSettings, spec: RunSpec, model: ModelPlayground, open_agent: Opener
) -> None:
    open_agent.runner = ClaudeRunner(replace(settings, api_key="sk-wrong"))
    agent = await open_agent(spec)
    prompt = await agent.prompt("hello")
    async with asyncio.timeout(10):
        last = (await agent.finish())[-1]
    assert last == RunFailed(Blocker.MODEL_KEY, "The model refused our key.", (prompt,), None)
    assert len(model.log) <= 2


async def test_an_overloaded_model_is_waited_for_and_then_named(
    settings: ClaudeSettings, spec: RunSpec, open_agent: Opener
) -> None:
    impatient = {**settings.environment, "CLAUDE_CODE_MAX_RETRIES": "3"}
    open_agent.runner = ClaudeRunner(replace(settings, environment=impatient))
    agent = await open_agent(spec)
    await agent.prompt(script({"status": 529, "retry_after": 0.01}))
    seen = await agent.finish()
    assert [e for e in seen if isinstance(e, AgentWaits)] == [
        AgentWaits(Blocker.MODEL_BUSY, "The model is overloaded; trying again.")
    ]
    last = seen[-1]
    assert isinstance(last, RunFailed)
    assert (last.code, last.text) == (Blocker.MODEL_BUSY, "The model is overloaded.")


async def test_a_killed_command_line_is_told_and_leaves_no_process(
    open_agent: Opener, spec: RunSpec, workspace: Path
) -> None:
    word = f"nap-{uuid4().hex}"
    agent = await open_agent(spec)
    await agent.prompt(script({"tools": [bash(lingering(word))]}))
    await exists(workspace / "started")
    for pid in marked(spec.agent_session):
        if program(pid) == "claude":
            os.kill(pid, signal.SIGKILL)
    assert isinstance((await agent.finish())[-1], AgentDied)
    assert await gone(word)
    assert await gone(spec.agent_session)


async def test_a_cut_turn_goes_on_after_a_resume_with_the_same_keys(
    open_agent: Opener, spec: RunSpec, workspace: Path, model: ModelPlayground
) -> None:
    steps = (
        {"text": "First.", "tools": [bash("echo one")]},
        {
            "text": "Then.",
            "tools": [bash("touch started; [ -e go ] && echo two || python3 -c 'input()' < /dev/zero")],
        },
        {"text": "All done."},
    )
    agent = await open_agent(spec)
    prompt = await agent.prompt(script(*steps))
    before = await agent.until(ToolFinished)
    await exists(workspace / "started")
    (workspace / "go").touch()
    await agent.run.close()

    again = await open_agent(replace(spec, resume=True))
    assert again.run.continues
    assert again.run.known_prompts == {prompt}
    await again.prompt(script(*steps), prompt)
    after = await again.finish()
    last = after[-1]
    assert isinstance(last, RunSucceeded)
    assert (last.text, last.prompts) == ("All done.", (prompt,))
    assert lasting_keys(before) == lasting_keys(after)[: len(lasting_keys(before))]
    assert [e.result for e in after if isinstance(e, ToolFinished)] == ["```\none\n```", "```\ntwo\n```"]


def lasting_keys(events: Sequence[AgentEvent]) -> list[EntryKey]:
    return [
        event.key
        for event in events
        if isinstance(event, ToolFinished | PlanChanged)
        or (isinstance(event, AgentThought) and event.lasting)
    ]


async def test_what_was_told_is_in_the_transcript_already(
    open_agent: Opener, spec: RunSpec, workspace: Path
) -> None:
    agent = await open_agent(spec)
    await agent.prompt(script({"text": "First.", "tools": [bash("echo one")]}, {"tools": [bash("echo two")]}))
    for _ in range(3):
        for key in lasting_keys(await agent.until(ToolFinished, AgentThought)):
            assert key.partition(":")[0] in transcript_of(spec)
    await agent.run.close()


async def test_a_turn_cut_before_the_model_answered_goes_on_after_a_resume(
    open_agent: Opener, spec: RunSpec, model: ModelPlayground
) -> None:
    agent = await open_agent(spec)
    words = script({"text": "Here I am.", "hold": "first"})
    prompt = await agent.prompt(words)
    await model.held("first")
    await agent.run.close()
    model.release("first")
    again = await open_agent(replace(spec, resume=True))
    await again.prompt(words, prompt)
    last = (await again.finish())[-1]
    assert isinstance(last, RunSucceeded)
    assert (last.text, last.prompts) == ("Here I am.", (prompt,))


async def test_a_cut_turn_that_is_over_for_everybody_does_not_go_on_after_a_resume(
    open_agent: Opener, spec: RunSpec, workspace: Path
) -> None:
    agent = await open_agent(spec)
    waits = bash("touch started; python3 -c 'input()' < /dev/zero")
    await agent.prompt(script({"tools": [waits]}, {"text": "All done."}))
    await exists(workspace / "started")
    await agent.run.close()
    again = await open_agent(replace(spec, resume=True, given=frozenset()))
    assert not again.run.continues
    prompt = await again.prompt(script({"text": "Something else."}))
    last = (await again.finish())[-1]
    assert isinstance(last, RunSucceeded)
    assert (last.text, last.prompts) == ("Something else.", (prompt,))


async def test_a_finished_turn_is_told_again_without_asking_the_model(
    open_agent: Opener, spec: RunSpec, model: ModelPlayground
) -> None:
    agent = await open_agent(spec)
    prompt = await agent.prompt(script({"tools": [bash("echo one")]}, {"text": "Done."}))
    before = await agent.finish()
    await agent.run.close()
    calls = len(model.log)
    again = await open_agent(replace(spec, resume=True))
    assert not again.run.continues
    await again.prompt("the same prompt", prompt)
    after = await again.finish()
    assert lasting_keys(after) == lasting_keys(before)
    assert after[-1] == RunSucceeded("Done.", (prompt,))
    assert len(model.log) == calls
    fresh = await again.prompt("a new one")
    last = (await again.finish())[-1]
    assert isinstance(last, RunSucceeded)
    assert last.prompts == (fresh,)


async def test_a_prompt_that_a_crash_lost_is_answered_after_a_turn_that_was_finished(
    open_agent: Opener, spec: RunSpec
) -> None:
    agent = await open_agent(spec)
    first = await agent.prompt(script({"text": "Done."}))
    await agent.finish()
    await agent.run.close()
    again = await open_agent(replace(spec, resume=True))
    await again.prompt("the same prompt", first)
    second = await again.prompt(script({"text": "Done, with Bob's wish."}))
    seen = await again.finish()
    assert [event.text for event in seen if isinstance(event, AgentThought)] == ["Done."]
    last = seen[-1]
    assert isinstance(last, RunSucceeded)
    assert (last.text, last.prompts) == ("Done, with Bob's wish.", (second,))


async def test_an_open_question_is_taken_back_by_a_stop(open_agent: Opener, spec: RunSpec) -> None:
    agent = await open_agent(spec)
    await agent.prompt(script({"tools": [ASK]}))
    asked = (await agent.until(AgentAsked))[-1]
    assert isinstance(asked, AgentAsked)
    await agent.run.interrupt()
    assert isinstance((await agent.finish())[-1], RunInterrupted)
    await agent.run.answer(asked.question, "1")


async def test_a_question_that_was_open_at_a_crash_is_asked_again(open_agent: Opener, spec: RunSpec) -> None:
    words = script({"tools": [ASK]}, {"text": "Noted."})
    agent = await open_agent(spec)
    prompt = await agent.prompt(words)
    await agent.until(AgentAsked)
    await agent.run.close()
    again = await open_agent(replace(spec, resume=True))
    await again.prompt(words, prompt)
    asked = (await again.until(AgentAsked))[-1]
    assert isinstance(asked, AgentAsked)
    await again.run.answer(asked.question, "1")
    assert isinstance((await again.finish())[-1], RunSucceeded)


async def test_a_model_that_says_nothing_can_be_interrupted(
    open_agent: Opener, spec: RunSpec, model: ModelPlayground
) -> None:
    agent = await open_agent(spec)
    await agent.prompt(script({"hang": "silence"}))
    await model.held("silence")
    async with asyncio.timeout(20):
        await agent.run.interrupt()
        assert isinstance((await agent.finish())[-1], RunInterrupted)


async def test_a_stopped_turn_is_told_as_stopped_after_a_resume(
    open_agent: Opener, spec: RunSpec, workspace: Path
) -> None:
    agent = await open_agent(spec)
    prompt = await agent.prompt(script({"tools": [bash("touch started; python3 -c 'input()' < /dev/zero")]}))
    await exists(workspace / "started")
    await agent.run.interrupt()
    await agent.finish()
    await agent.run.close()
    again = await open_agent(replace(spec, resume=True))
    await again.prompt("the same prompt", prompt)
    assert isinstance((await again.finish())[-1], RunInterrupted)


async def test_a_resume_without_a_transcript_starts_afresh(open_agent: Opener, spec: RunSpec) -> None:
    agent = await open_agent(spec)
    await agent.run.close()
    again = await open_agent(replace(spec, resume=True))
    await again.prompt("hello")
    assert isinstance((await again.finish())[-1], RunSucceeded)


async def test_the_events_end_with_a_close_and_a_second_close_does_nothing(
    open_agent: Opener, spec: RunSpec
) -> None:
    agent = await open_agent(spec)
    await asyncio.gather(agent.run.close(), agent.run.close())
    assert [event async for event in agent.run.events()] == []
    assert living(spec.agent_session) == []


async def test_an_opening_that_is_cancelled_leaves_no_process(open_agent: Opener, spec: RunSpec) -> None:
    opening = asyncio.create_task(open_agent(spec))
    await runs(spec)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert marked(spec.agent_session) == []


async def test_a_start_that_takes_too_long_fails_and_leaves_no_process(
    settings: ClaudeSettings, spec: RunSpec, open_agent: Opener, tmp_path: Path
) -> None:
    dumb = tmp_path / "dumb"
    dumb.write_text("#!/bin/sh\necho 'not talking today' >&2\nexec python3 -c 'input()' < /dev/zero\n")
    dumb.chmod(0o755)
    open_agent.runner = ClaudeRunner(replace(settings, cli_path=dumb, connect_timeout_s=0.5))
    with pytest.raises(AgentError, match="not talking today"):
        await open_agent(spec)
    assert marked(spec.agent_session) == []


OWNER = """
import asyncio, sys
from pathlib import Path
from core.ports import RunSpec
from core.runner.claude import ClaudeRunner
from core.runner.options import ClaudeSettings

async def main(url, folder, session, prompt):
    folder = Path(folder)
    settings = ClaudeSettings(run_dir=folder / "run", api_key="sk-test-model-key", base_url=url)
    spec = RunSpec(session, folder / "workspace", folder / "home", guidance="")
    run = await ClaudeRunner(settings).open(spec)
    await run.prompt("6b1f3c9e-58d6-4d0e-9a52-6c1c1f0d7a11", prompt)
    async for event in run.events():
        pass

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.fault
async def test_a_killed_owner_leaves_no_process(
    model: ModelPlayground, spec: RunSpec, tmp_path: Path, workspace: Path
) -> None:
    word = f"nap-{uuid4().hex}"
    prompt = script({"tools": [bash(lingering(word))]})
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, model.url, str(tmp_path), spec.agent_session, prompt
    )
    await exists(workspace / "started")
    assert living(word)
    owner.kill()
    await owner.wait()
    assert await gone(word)
    assert await gone(spec.agent_session)
