"""Every write, with every kind of failure, is done once; and done again by the next call it is still once."""

from collections.abc import Awaitable, Callable

import pytest

from github.acts import GitHubActs
from github.checks import GitHubChecks
from github.client import GitHubClient
from github.errors import Transient
from github.merging import GitHubMerging
from tests.github.fakes import APP, EVE, HEAD, OP, REPO, Clock, wire_of
from tests.github.forge import Fault, Forge


class World:
    """The whole client on one forge."""

    def __init__(self, forge: Forge) -> None:
        self.forge = forge
        wire = wire_of(forge, Clock())
        self.client = GitHubClient(wire)
        self.checks = GitHubChecks(wire)
        self.acts = GitHubActs(wire, self.client)
        self.merging = GitHubMerging(wire, self.client, self.acts)


async def create_pull(world: World) -> object:
    return await world.client.create_pull(APP, REPO, head="eng-1", base="main", title="T", body="B")


async def comment(world: World) -> object:
    return await world.client.comment(APP, REPO, 7, body="Hello", op=OP)


async def put_check(world: World) -> object:
    return await world.checks.put_check(
        APP,
        REPO,
        HEAD,
        name="independent-review",
        external_id="x1",
        title="T",
        summary="S",
        conclusion=None,
    )


async def review(world: World) -> object:
    return await world.acts.review(EVE, REPO, 7, sha=HEAD, event="APPROVE", body="", op=OP)


async def mark_ready(world: World) -> object:
    return await world.acts.mark_ready(EVE, REPO, 7)


async def convert_to_draft(world: World) -> object:
    world.forge.state["isDraft"] = False
    return await world.acts.convert_to_draft(EVE, REPO, 7)


async def enable_auto_merge(world: World) -> object:
    return await world.acts.enable_auto_merge(EVE, REPO, 7, sha=HEAD, method="squash")


async def disable_auto_merge(world: World) -> object:
    if not world.forge.effects["no auto"]:
        world.forge.state["autoMergeRequest"] = {"mergeMethod": "SQUASH"}
    return await world.acts.disable_auto_merge(EVE, REPO, 7)


async def enqueue(world: World) -> object:
    return await world.acts.enqueue(EVE, REPO, 7, sha=HEAD)


async def dequeue(world: World) -> object:
    if not world.forge.effects["out of the queue"]:
        world.forge.state["isInMergeQueue"] = True
    return await world.acts.dequeue(EVE, REPO, 7)


async def update_branch(world: World) -> object:
    await world.acts.update_branch(EVE, REPO, 7, sha=HEAD)
    return None


async def merge(world: World) -> object:
    return await world.merging.merge(EVE, REPO, 7, sha=HEAD, method="squash")


WRITES: dict[str, tuple[str, str, Callable[[World], Awaitable[object]]]] = {
    "create pull": ("pulls/create", "pull", create_pull),
    "comment": ("issues/create-comment", "comment", comment),
    "check": ("checks/create", "check", put_check),
    "review": ("pulls/create-review", "review", review),
    "ready": ("MarkReady", "ready", mark_ready),
    "draft": ("ConvertToDraft", "draft", convert_to_draft),
    "auto-merge": ("EnableAutoMerge", "auto", enable_auto_merge),
    "no auto-merge": ("DisableAutoMerge", "no auto", disable_auto_merge),
    "queue": ("Enqueue", "queued", enqueue),
    "out of the queue": ("Dequeue", "out of the queue", dequeue),
    "update branch": ("pulls/update-branch", "updated", update_branch),
    "merge": ("pulls/merge-async", "merge", merge),
    "merge directly": ("pulls/merge", "merge", merge),
}


def world_of(name: str, fault: Fault | None) -> World:
    return World(Forge(at=WRITES[name][0], fault=fault, has_async_merge=name != "merge directly"))


@pytest.mark.parametrize("fault", [*Fault, None], ids=str)
@pytest.mark.parametrize("name", WRITES)
async def test_a_write_is_done_once_whatever_fails(name: str, fault: Fault | None) -> None:
    world = world_of(name, fault)
    operation, effect, act = WRITES[name]
    if fault is Fault.NOT_CONNECTED:  # Surely not done: for the caller to try again.
        with pytest.raises(Transient) as failure:
            await act(world)
        assert not failure.value.maybe_done
        assert world.forge.effects[effect] == 0
    await act(world)
    assert world.forge.effects[effect] == 1
    assert operation in world.forge.operations


AGAIN = sorted(WRITES.keys() - {"draft", "update branch"})
"""What may be asked for again after it was done: a draft is set up anew, an update names the old head."""


@pytest.mark.parametrize("name", AGAIN)
async def test_a_write_that_was_done_is_not_done_again(name: str) -> None:
    world = world_of(name, None)
    for _ in range(3):
        await WRITES[name][2](world)
    assert world.forge.effects[WRITES[name][1]] == 1


@pytest.mark.parametrize("name", WRITES)
async def test_a_write_that_nobody_can_look_up_may_have_been_done(name: str) -> None:
    operation, _, act = WRITES[name]
    world = World(Forge(at=operation, is_lost=True, has_async_merge=name != "merge directly"))
    with pytest.raises(Transient) as failure:
        await act(world)
    assert failure.value.maybe_done
