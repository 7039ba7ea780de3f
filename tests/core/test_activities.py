"""What the log holds survives the store."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.activities import Author, Elicitation, Entry, Prompt, Thought, dump_entry, load_entry

KINDS = get_args(Entry)


@given(st.one_of([st.from_type(kind) for kind in KINDS]))
def test_an_entry_survives_the_store(entry: Entry) -> None:
    assert load_entry(dump_entry(entry)) == entry


def test_every_kind_has_a_name_of_its_own() -> None:
    names = [kind.__dataclass_fields__["kind"].default for kind in KINDS]
    assert len(set(names)) == len(KINDS)


def test_a_question_of_an_earlier_version_knows_people_by_name() -> None:
    entry = load_entry({"kind": "elicitation", "id": "q1", "body": "Which?", "asked": ["Ann"]})
    assert isinstance(entry, Elicitation)
    assert entry.asked == (Author("", "", "Ann"),)


def test_what_is_not_an_entry_is_refused() -> None:
    with pytest.raises(ValidationError):
        load_entry({"kind": "telegram", "body": "stop"})


def test_entries_of_one_shape_are_told_apart_by_their_kind() -> None:
    assert isinstance(load_entry({"kind": "thought", "body": "Hm."}), Thought)
    with pytest.raises(ValidationError):
        load_entry({"kind": "prompt", "body": "Hm."})
    assert Prompt.__slots__
