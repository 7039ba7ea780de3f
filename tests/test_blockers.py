"""Everything that may be in the way has a scenario in which it is: the list, and that it is whole."""

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest

from core.activities import Blocker

ROOT = Path(__file__).parents[1]
PACKAGES = ("bots", "core", "github", "linear")

PRODUCED: Mapping[Blocker, str] = {
    Blocker.QUEUED: "scenarios/test_queue.py::test_sessions_wait_in_line_and_see_how_many_are_ahead",
    Blocker.REPO_UNKNOWN: "scenarios/test_trouble.py"
    "::test_without_any_repository_the_first_mention_says_what_is_missing",
    Blocker.REPO_UNREACHABLE: "scenarios/test_trouble.py"
    "::test_a_repository_that_cannot_be_cloned_is_named_without_its_password",
    Blocker.PERSON_UNLINKED: "scenarios/test_people.py"
    "::test_a_request_of_somebody_unknown_waits_for_a_link_and_runs_by_itself",
    Blocker.PERSON_GUEST: "scenarios/test_people.py::test_guests_and_people_from_elsewhere_read_and_may_stop",
    Blocker.MODEL_KEY: "scenarios/test_trouble.py::test_a_wrong_model_key_is_named_after_one_call",
    Blocker.MODEL_BUSY: "scenarios/test_trouble.py::test_an_overloaded_model_is_waited_for",
    Blocker.MODEL_LIMIT: "scenarios/test_blockers.py::test_a_limit_that_ends_a_turn_is_named_on_both_sides",
    Blocker.AGENT_SILENT: "scenarios/test_blockers.py::test_a_limit_that_ends_a_turn_is_named_on_both_sides",
    Blocker.AGENT_CRASHED: "faults/test_kill_agent.py"
    "::test_an_agent_that_dies_three_times_at_one_place_is_given_up_and_the_next_message_works",
    Blocker.AGENT_FAILED: "scenarios/test_blockers.py::test_a_limit_that_ends_a_turn_is_named_on_both_sides",
    Blocker.RUN_TIMEOUT: "scenarios/test_blockers.py::test_a_limit_that_ends_a_turn_is_named_on_both_sides",
    Blocker.LINEAR_DOWN: "scenarios/test_trouble.py::test_linear_is_down_and_comes_back",
    Blocker.LINEAR_REVOKED: "scenarios/test_linear_delegation.py"
    "::test_revoked_access_is_a_named_blocker_in_the_thread",
    Blocker.LINEAR_REFUSED: "scenarios/test_trouble.py"
    "::test_a_key_of_a_person_cannot_open_sessions_and_says_so",
    Blocker.LINEAR_QUOTA: "scenarios/test_linear_quota.py"
    "::test_a_throttle_is_waited_for_under_any_status_and_is_never_an_error",
    Blocker.LINEAR_GONE: "scenarios/test_blockers.py"
    "::test_a_session_that_is_removed_in_linear_goes_on_in_the_thread",
    Blocker.CHAT_THROTTLED: "faults/test_outages.py"
    "::test_the_other_side_says_what_is_away_and_all_arrives_in_order_afterwards",
    Blocker.CHAT_GONE: "scenarios/test_team_channel.py"
    "::test_a_channel_that_is_gone_is_named_in_linear_and_the_next_turn_tries_again",
    Blocker.CHAT_REFUSED: "conformance/test_refused.py::test_an_answer_that_is_refused",
    Blocker.FILE_UNSEEN: "scenarios/test_conversation.py"
    "::test_a_file_that_cannot_be_read_is_named_to_people_and_to_the_agent",
    Blocker.PERSON_DENIED: "scenarios/test_pull_requests.py::test_who_may_not_write_starts_nothing",
    Blocker.REPO_CONFLICT: "scenarios/test_pull_requests.py"
    "::test_what_the_rules_lack_is_named_before_a_merge",
    Blocker.PUSH_REFUSED: "scenarios/test_pull_requests.py"
    "::test_a_push_that_is_refused_is_told_in_the_answer_and_nothing_is_lost",
    Blocker.PR_STALE: "scenarios/test_pull_requests.py::test_what_the_rules_lack_is_named_before_a_merge",
    Blocker.PR_YOURS: "scenarios/test_pull_requests.py::test_the_whole_way_from_a_mention_to_a_merge",
    Blocker.PR_PROTECTED: "scenarios/test_pull_requests.py::test_what_the_rules_lack_is_named_before_a_merge",
    Blocker.PR_CLOSED: "scenarios/test_pull_requests.py::test_what_the_rules_lack_is_named_before_a_merge",
    Blocker.GITHUB_UNLINKED: "scenarios/test_pull_requests.py::test_the_whole_way_from_a_mention_to_a_merge",
    Blocker.GITHUB_DOWN: "scenarios/test_pull_requests.py"
    "::test_what_github_refuses_or_does_not_answer_is_told_to_who_asked",
    Blocker.GITHUB_REFUSED: "scenarios/test_pull_requests.py"
    "::test_what_github_refuses_or_does_not_answer_is_told_to_who_asked",
    Blocker.RESTART: "scenarios/test_blockers.py::test_a_restart_is_told_in_the_progress_line_alone",
}
"""Each blocker and the scenario, in the folder of the tests, that brings it about."""

UNUSED = frozenset[Blocker]()
"""Codes that nothing gives yet."""


def test_each_blocker_is_listed_once() -> None:
    assert sorted([*PRODUCED, *UNUSED]) == sorted(Blocker)


@pytest.mark.parametrize("place", sorted(set(PRODUCED.values())))
def test_the_scenario_of_a_blocker_is_there(place: str) -> None:
    file, _, name = place.partition("::")
    tree = ast.parse((ROOT / "tests" / file).read_text("utf-8"))
    assert name in [one.name for one in tree.body if isinstance(one, ast.AsyncFunctionDef)]


def test_what_is_called_unused_is_given_nowhere() -> None:
    sources = [path.read_text("utf-8") for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    assert [one.name for one in UNUSED if any(f"Blocker.{one.name}" in text for text in sources)] == []
