"""The workspace in memory: timestamps, threads, who may do what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.slack_state import BOT_USER, ChannelKind, Draft, Workspace, acme, order
from playground.slack_wire import Refused


@pytest.fixture
def workspace() -> Workspace:
    return acme()


def said(workspace: Workspace, text: str = "hello", thread_ts: str | None = None, user: str = "U0ANN") -> str:
    return workspace.post(workspace.person(user), "C0001", Draft(text, thread_ts=thread_ts), 0.0).ts


@given(st.lists(st.floats(0, 2e9), min_size=2, max_size=20))
def test_timestamps_are_unique_and_increase_even_when_the_clock_does_not(times: list[float]) -> None:
    workspace = acme()
    stamps = [workspace.next_ts(now) for now in times]
    assert stamps == sorted(set(stamps), key=order)


def test_timestamp_looks_like_slacks() -> None:
    assert acme().next_ts(1_700_000_000.7) == "1700000000.000100"


def test_reply_joins_the_thread_of_its_root(workspace: Workspace) -> None:
    root = said(workspace)
    reply = said(workspace, "me too", root)
    said(workspace, "something else")
    assert [message.ts for message in workspace.thread("C0001", root)] == [root, reply]


def test_thread_cannot_hang_from_a_reply_or_from_nothing(workspace: Workspace) -> None:
    reply = said(workspace, "me too", said(workspace))
    for nowhere in (reply, "1.000100"):
        with pytest.raises(Refused, match="thread_not_found"):
            said(workspace, "lost", nowhere)


def test_deleted_root_keeps_a_thread_that_has_replies(workspace: Workspace) -> None:
    lonely, root = said(workspace), said(workspace)
    said(workspace, "me too", root)
    for ts in (lonely, root):
        workspace.delete(workspace.person("U0ANN"), "C0001", ts)
    said(workspace, "still here", root)
    with pytest.raises(Refused, match="thread_not_found"):
        said(workspace, "gone", lonely)


def test_edit_keeps_every_earlier_wording(workspace: Workspace) -> None:
    ts = said(workspace, "one")
    for text in ("two", "three"):
        workspace.edit(workspace.person("U0ANN"), "C0001", ts, text, (), 0.0)
    message = workspace.message("C0001", ts)
    assert (message.text, [revision.text for revision in message.revisions]) == ("three", ["one", "two"])


def test_nobody_changes_what_somebody_else_wrote(workspace: Workspace) -> None:
    ts, bob = said(workspace), workspace.person("U0BOB")
    with pytest.raises(Refused, match="cant_update_message"):
        workspace.edit(bob, "C0001", ts, "mine", (), 0.0)
    with pytest.raises(Refused, match="cant_delete_message"):
        workspace.delete(bob, "C0001", ts)


def test_reaction_counts_once_per_person(workspace: Workspace) -> None:
    ts = said(workspace)
    workspace.react("U0BOB", "C0001", ts, "eyes")
    with pytest.raises(Refused, match="already_reacted"):
        workspace.react("U0BOB", "C0001", ts, "eyes")
    workspace.unreact("U0BOB", "C0001", ts, "eyes")
    assert workspace.message("C0001", ts).reactions == {}
    with pytest.raises(Refused, match="no_reaction"):
        workspace.unreact("U0BOB", "C0001", ts, "eyes")


def test_archived_channel_takes_no_message(workspace: Workspace) -> None:
    workspace.channel("C0001").is_archived = True
    with pytest.raises(Refused, match="is_archived"):
        said(workspace)


@pytest.mark.parametrize(
    ("kind", "refusal"), [(ChannelKind.PUBLIC, "not_in_channel"), (ChannelKind.PRIVATE, "channel_not_found")]
)
def test_outsider_learns_of_a_private_channel_nothing(
    workspace: Workspace, kind: ChannelKind, refusal: str
) -> None:
    channel = workspace.channel("C0001")
    channel.kind = kind
    channel.members.discard(BOT_USER)
    with pytest.raises(Refused, match=refusal):
        workspace.channel_for("C0001", BOT_USER)


def test_blocks_without_a_name_get_one(workspace: Workspace) -> None:
    blocks = ({"type": "divider"}, {"type": "divider", "block_id": "mine"})
    message = workspace.post(workspace.bot, "C0001", Draft("t", blocks=blocks), 0.0)
    assert message.blocks[0]["block_id"]
    assert message.blocks[1]["block_id"] == "mine"


def test_channel_with_somebody_from_outside_is_shared(workspace: Workspace) -> None:
    assert not workspace.is_shared("C0001")
    workspace.channel("C0001").members.add("U0EXT")
    assert workspace.is_shared("C0001")
