"""The model stand-in, as a client of the Messages API sees it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from playground.model import ModelPlayground
from playground.model_script import Script, Step, next_step

Message = dict[str, Any]

CWD: Message = {
    "role": "system",
    "content": "# Environment\n - Primary working directory: /repositories/shop\n",
}
FOLDED = "The user sent a new message while you were working:\n{}\n\nThis is how such messages come."


def user(*texts: str) -> Message:
    return {"role": "user", "content": [{"type": "text", "text": text} for text in texts]}


def assistant(text: str = "x") -> Message:
    return {"role": "assistant", "content": [{"type": "text", "text": text}]}


def returned(content: str) -> Message:
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": content}]}


def script(*steps: Message) -> str:
    return f"Please.\n@@SCRIPT {json.dumps(steps)}"


def due(*messages: Message, scripts: tuple[Script, ...] = ()) -> str:
    return next_step({"messages": messages}, scripts).step.text


TWO = script({"text": "one"}, {"text": "two"})
TOLD = script({"text": "one"}, {"text": "two", "if_told": {"ranking": [{"text": "told"}, {"text": "after"}]}})


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([user(TWO)], "one"),
        ([user(TWO), assistant()], "two"),
        ([user(TWO), assistant(), assistant(), assistant()], "two"),
        ([user("hello")], "ok"),
        ([], "ok"),
        ([user(TWO), assistant(), user("thanks")], "ok"),
        ([user("<system-reminder>\nx\n</system-reminder>", TWO), CWD, assistant()], "two"),
        ([user(TWO), assistant(), returned("@@SCRIPT [{}]")], "two"),
        ([user(TWO), assistant(), returned("[Tool call interrupted: unknown]")], "one"),
        (
            [
                user(TWO),
                assistant(),
                returned("[Tool call interrupted]"),
                user("Continue from where you left off."),
            ],
            "one",
        ),
        ([user(TWO), assistant(), user("[Request interrupted by user]")], "two"),
        ([user(TOLD), assistant()], "two"),
        ([user(TOLD), assistant(), {"role": "system", "content": FOLDED.format("mind the Ranking")}], "told"),
        ([user(TOLD), assistant(), user(FOLDED.format("ranking")), assistant()], "after"),
        ([user(TOLD), assistant(), assistant(), user(FOLDED.format("ranking"))], "two"),
        (
            [
                user(script({"text": "one", "if_told": {"message": [{"text": "told"}]}})),
                user(FOLDED.format("x")),
            ],
            "one",
        ),
        ([user("@@SCRIPT nonsense")], "ok"),
        ([user(script({"text": "a @@SCRIPT [oops"}))], "a @@SCRIPT [oops"),
    ],
)
def test_the_transcript_alone_says_which_reply_is_due(messages: list[Message], expected: str) -> None:
    assert due(*messages) == expected


def test_an_ordinary_prompt_plays_the_first_script_that_matches() -> None:
    scripts = tuple(
        Script(match=match, steps=(Step(text=match),)) for match in ("search.*archived", "search", "")
    )
    assert due(user("Fix SEARCH in archived projects"), scripts=scripts) == "search.*archived"
    assert due(user("anything"), scripts=scripts) == ""


def test_blanks_are_filled_from_the_request() -> None:
    step = next_step({"messages": [user(script({"text": "in {{WORKSPACE}} {{PLANFILE}}"})), CWD]}, ()).step
    assert step.text == "in /repositories/shop {{PLANFILE}}"


@given(
    st.lists(
        st.sampled_from(
            [user(TWO), user("x"), assistant(), returned("[Tool call interrupted"), CWD, user(TOLD)]
        )
    )
)
def test_any_transcript_has_a_reply(messages: list[Message]) -> None:
    assert due(*messages) in {"one", "two", "ok"}


@pytest.fixture
async def model() -> AsyncIterator[ModelPlayground]:
    async with ModelPlayground(api_key="right") as model:
        yield model


@pytest.fixture
async def http(model: ModelPlayground) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"x-api-key": "right"}
    async with httpx.AsyncClient(base_url=model.url, headers=headers, trust_env=False, timeout=10) as http:
        yield http


def ask(*messages: Message, stream: bool = False) -> Message:
    return {"model": "m", "max_tokens": 9, "messages": messages, "stream": stream}


async def test_a_reply_streams_its_blocks(http: httpx.AsyncClient) -> None:
    step = {"think": "Hm.", "text": "x" * 50, "tools": [["Bash", {"command": "ls"}]], "in_tok": 7}
    answer = await http.post("/v1/messages?beta=true", json=ask(user(script(step)), stream=True))
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert [delta["type"] for delta in deltas] == [
        "thinking_delta",
        "signature_delta",
        "text_delta",
        "text_delta",
        "input_json_delta",
    ]
    assert json.loads(deltas[-1]["partial_json"]) == {"command": "ls"}
    assert events[0]["message"]["usage"]["input_tokens"] == 7
    assert [event["delta"]["stop_reason"] for event in events if event["type"] == "message_delta"] == [
        "tool_use"
    ]
    assert events[-1]["type"] == "message_stop"


async def test_a_reply_may_come_whole(http: httpx.AsyncClient) -> None:
    answer = (await http.post("/v1/messages", json=ask(user("hello")))).json()
    assert answer["content"] == [{"type": "text", "text": "ok"}]
    assert answer["stop_reason"] == "end_turn"


async def test_another_key_is_refused(http: httpx.AsyncClient, model: ModelPlayground) -> None:
    refused = await http.post("/v1/messages", json=ask(user("x")), headers={"x-api-key": "wrong"})
    assert (refused.status_code, refused.json()["error"]["type"]) == (401, "authentication_error")
    bearer = httpx.AsyncClient(base_url=model.url, headers={"authorization": "Bearer right"}, trust_env=False)
    async with bearer:
        assert (await bearer.post("/v1/messages", json=ask(user("x")))).status_code == 200


async def test_a_failure_is_given_as_often_as_asked(http: httpx.AsyncClient) -> None:
    body = ask(
        user(script({"status": 529, "times": 2, "retry_after": 3, "message": "full", "text": "at last"}))
    )
    answers = [await http.post("/v1/messages", json=body) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [529, 529, 200]
    assert answers[0].headers["retry-after"] == "3"
    assert answers[0].json()["error"] == {"type": "overloaded_error", "message": "full"}


async def test_a_held_reply_comes_when_it_is_released(
    http: httpx.AsyncClient, model: ModelPlayground
) -> None:
    asking = asyncio.create_task(
        http.post("/v1/messages", json=ask(user(script({"text": "x", "hold": "h"}))))
    )
    await model.held("h")
    assert not asking.done()
    assert (await http.post("/_release/h")).status_code == 200
    assert (await asking).json()["content"][0]["text"] == "x"


async def test_a_hanging_request_is_cut_when_released(
    http: httpx.AsyncClient, model: ModelPlayground
) -> None:
    asking = asyncio.create_task(
        http.post("/v1/messages", json=ask(user(script({"hang": "h"})), stream=True))
    )
    await model.held("h")
    model.release("h")
    with pytest.raises(httpx.TransportError):
        await asking


async def test_a_dropped_reply_is_cut_in_its_text(http: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.TransportError):
        await http.post("/v1/messages", json=ask(user(script({"text": "x" * 90, "drop": True})), stream=True))


async def test_scripts_can_be_set_while_it_runs(http: httpx.AsyncClient, model: ModelPlayground) -> None:
    scripts = [{"match": "hello", "steps": [{"text": "hi"}]}]
    assert (await http.post("/_scripts", json=scripts)).json() == {"scripts": 1}
    answer = await http.post("/v1/messages", json=ask(user("hello")))
    assert answer.json()["content"][0]["text"] == "hi"
    assert (await http.post("/_scripts", json=[{"match": "x"}])).status_code == 400
    assert len(model.scripts) == 1


def test_a_misspelt_step_is_refused() -> None:
    with pytest.raises(ValidationError):
        ModelPlayground([{"match": "x", "steps": [{"txt": "hi"}]}])


async def test_the_log_tells_what_was_asked(http: httpx.AsyncClient) -> None:
    await http.post("/v1/messages", json=ask(user("hello"), assistant(), user("again")))
    (entry,) = (await http.get("/_log")).json()
    assert (entry["path"], entry["messages"], entry["prompt"], entry["step"]) == (
        "/v1/messages",
        3,
        "again",
        0,
    )


async def test_tokens_are_counted_roughly(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/messages/count_tokens", json=ask(user("hello")))
    assert answer.json()["input_tokens"] > 0
