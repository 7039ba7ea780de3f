"""Transcripts, whole and broken."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.events import AgentEvent, RunFailed, RunInterrupted, RunSucceeded
from core.runner.mapping import Translation
from core.runner.transcript import (
    Ending,
    RecordedTurn,
    Transcript,
    TranscriptTail,
    read_transcript,
    transcript_path,
)

Entry = dict[str, Any]


def prompt(uuid: str, content: object = "words", **facts: Any) -> Entry:
    return {"type": "user", "uuid": uuid, "message": {"role": "user", "content": content}, **facts}


def said(uuid: str, *blocks: Entry, stop: str | None = "tool_use", **facts: Any) -> Entry:
    message = {"role": "assistant", "model": "m", "content": list(blocks), "stop_reason": stop}
    return {"type": "assistant", "uuid": uuid, "message": message, **facts}


def text(words: str) -> Entry:
    return {"type": "text", "text": words}


def answer(uuid: str, words: str) -> Entry:
    return said(uuid, text(words), stop="end_turn")


CALL = {"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": "ls"}}
RETURNED = prompt(
    "r", [{"type": "tool_result", "tool_use_id": "t", "content": "x"}], toolUseResult={"stdout": "x"}
)
FOLDED = {"type": "attachment", "uuid": "f", "attachment": {"type": "queued_command", "source_uuid": "p2"}}
CONTINUED = prompt("c", [text("Continue from where you left off.")], isMeta=True)
STOPPED = prompt("s", [text("[Request interrupted by user for tool use]")])
FAILED = said("e", text("API Error"), stop="stop_sequence", isApiErrorMessage=True, error="billing_error")


def read(folder: Path, *entries: Entry | str) -> Transcript:
    lines = [entry if isinstance(entry, str) else json.dumps(entry) for entry in entries]
    path = folder / "session.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return read_transcript(path)


@pytest.mark.parametrize(
    ("entries", "prompts", "ending"),
    [
        ([prompt("p1")], ["p1"], Ending.CUT),
        ([prompt("p1"), said("a", CALL)], ["p1"], Ending.CUT),
        ([prompt("p1"), said("a", CALL), RETURNED], ["p1"], Ending.CUT),
        ([prompt("p1"), said("a", CALL), RETURNED, FOLDED], ["p1", "p2"], Ending.CUT),
        ([prompt("p1"), said("a", text("half"), stop=None)], ["p1"], Ending.CUT),
        ([prompt("p1"), answer("a", "Done.")], ["p1"], Ending.ANSWERED),
        ([prompt("p1"), said("a", CALL), CONTINUED, answer("b", "Done.")], ["p1"], Ending.ANSWERED),
        ([prompt("p1"), said("a", CALL), STOPPED], ["p1"], Ending.STOPPED),
        ([prompt("p1"), FAILED], ["p1"], Ending.FAILED),
        ([prompt("p1"), prompt("p2"), answer("a", "Done.")], ["p1", "p2"], Ending.ANSWERED),
        ([prompt("p0"), answer("z", "Old."), prompt("p1"), said("a", CALL)], ["p1"], Ending.CUT),
        ([prompt("p1"), said("a", CALL, isSidechain=True)], ["p1"], Ending.CUT),
        ([prompt("p1"), answer("a", "Done."), '{"type": "assi'], ["p1"], Ending.ANSWERED),
    ],
)
def test_the_last_turn_knows_its_prompts_and_how_it_ended(
    tmp_path: Path, entries: list[Entry | str], prompts: list[str], ending: Ending
) -> None:
    last = read(tmp_path, *entries).last
    assert last is not None
    assert (last.prompts, last.ending) == (prompts, ending)


def told(turn: RecordedTurn) -> list[AgentEvent]:
    translation = Translation("/ws")
    for uuid in turn.prompts:
        translation.prompted(uuid)
    if turn.ending is Ending.STOPPED:
        translation.stopping()
    return [event for message in [*turn.messages, *turn.end()] for event in translation.feed(message)]


def test_a_recorded_end_is_told_as_it_was(tmp_path: Path) -> None:
    ends = [
        told(turn)[-1]
        for turn in read(
            tmp_path,
            prompt("p1"),
            answer("a", "Done."),
            prompt("p2"),
            FAILED,
            prompt("p3"),
            said("b", CALL),
            STOPPED,
        ).turns
    ]
    assert [type(end) for end in ends] == [RunSucceeded, RunFailed, RunInterrupted]
    assert isinstance(ends[0], RunSucceeded)
    assert (ends[0].text, ends[0].prompts) == ("Done.", ("p1",))
    assert isinstance(ends[1], RunFailed)
    assert ends[1].text == "The model account has no credit left."


def test_a_prompt_is_found_in_its_turn(tmp_path: Path) -> None:
    transcript = read(tmp_path, prompt("p1"), answer("a", "One."), prompt("p2"), answer("b", "Two."))
    assert transcript.turn_of("p1") is transcript.turns[0]
    assert transcript.turn_of("unknown") is None


def test_a_transcript_of_nothing_has_no_turn(tmp_path: Path) -> None:
    assert read(tmp_path, {"type": "queue-operation"}, "", "[]", "3", answer("a", "x")).last is None


def test_the_file_is_found_by_the_session_s_name(tmp_path: Path) -> None:
    assert transcript_path(tmp_path, "abc") is None
    path = tmp_path / "projects" / "-some-folder" / "abc.jsonl"
    path.parent.mkdir(parents=True)
    path.touch()
    assert transcript_path(tmp_path, "abc") == path


def test_a_growing_transcript_tells_what_it_holds_in_whole_lines(tmp_path: Path) -> None:
    tail = TranscriptTail(tmp_path, "abc")
    assert not tail.holds("p1")
    path = tmp_path / "projects" / "folder" / "abc.jsonl"
    path.parent.mkdir(parents=True)
    with path.open("w") as file:
        file.write('{"uuid":"p1"}\n{"attachment":{"source_uuid":"p2"},"uu')
        file.flush()
        assert tail.holds("p1")
        assert not tail.holds("p2")
        file.write('id":"p3"}\n')
        file.flush()
        assert tail.holds("p2")
        assert tail.holds("p3")


values = st.recursive(
    st.none()
    | st.text(max_size=5)
    | st.sampled_from(["text", "tool_use", "user", "assistant", "attachment"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "uuid", "message", "content", "text", "attachment", "id", "input"]),
            inner,
        )
    ),
    max_leaves=10,
)


@given(st.lists(values, max_size=6))
def test_no_file_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, entries: list[Any]) -> None:
    path = tmp_path_factory.mktemp("transcript") / "x.jsonl"
    path.write_text("\n".join(json.dumps(entry) for entry in [prompt("p1"), *entries]))
    assert read_transcript(path).turns[0].prompts[0] == "p1"
