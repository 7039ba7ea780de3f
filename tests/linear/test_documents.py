"""Our GraphQL documents against Linear's schema, the playground's part of it, and our own models."""

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from graphql import (
    GraphQLInputObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    parse,
    validate,
)

from linear.client import LinearClient
from linear.model import CandidateRepository, ExternalLink
from linear.queries import DOCUMENTS
from tests.linear.fakes import SchemaLinear, client_of

ROOT = Path(__file__).parent.parent.parent
SCHEMAS = [
    pytest.param(
        path, id=path.stem, marks=pytest.mark.skipif(not path.exists(), reason="no such schema here")
    )
    for path in (
        ROOT.parent / "shared" / "contracts" / "linear-2026-10.graphql",
        ROOT / "playground" / "linear.graphql",
    )
]
ANY_ID = "11111111-2222-4333-8444-555555555555"


@cache
def schema_of(path: Path) -> GraphQLSchema:
    return build_schema(path.read_text(encoding="utf-8"), assume_valid=True)


@pytest.mark.parametrize("path", SCHEMAS)
@pytest.mark.parametrize("operation", sorted(DOCUMENTS))
def test_a_document_is_valid(path: Path, operation: str) -> None:
    assert validate(schema_of(path), parse(DOCUMENTS[operation])) == []


@pytest.mark.parametrize("path", SCHEMAS)
def test_no_operation_is_named_like_an_input(path: Path) -> None:
    inputs = {
        type_.name for type_ in schema_of(path).type_map.values() if isinstance(type_, GraphQLInputObjectType)
    }
    assert not inputs & DOCUMENTS.keys()


@pytest.mark.parametrize("operation", sorted(DOCUMENTS))
def test_a_file_holds_the_operation_it_is_named_after(operation: str) -> None:
    definitions = parse(DOCUMENTS[operation]).definitions
    names = [
        part.name.value for part in definitions if isinstance(part, OperationDefinitionNode) and part.name
    ]
    assert names == [operation]


@pytest.mark.parametrize("path", SCHEMAS)
async def test_every_method_sends_what_the_schema_takes_and_reads_the_poorest_answer(path: Path) -> None:
    linear = SchemaLinear(schema_of(path))
    await call_everything(client_of(linear))
    assert linear.operations == DOCUMENTS.keys()


async def call_everything(client: LinearClient) -> None:
    link = ExternalLink(label="Thread", url="https://example.com/t")
    await client.workspace()
    await client.viewer()
    await client.prepare_issue(email="ada@example.com", url=link.url)
    await client.find_issue("ENG-1")
    await client.merged_issue(ANY_ID)
    await client.find_user(ANY_ID)
    await client.create_issue(
        id=ANY_ID,
        team_id=ANY_ID,
        title="Title",
        description="Text",
        state_id=ANY_ID,
        assignee_id=ANY_ID,
        priority=2,
        create_as_user="Ada",
        display_icon_url=link.url,
    )
    await client.update_issue(
        ANY_ID, state_id=ANY_ID, assignee_id=ANY_ID, delegate_id=ANY_ID, title="Title", description="Text"
    )
    await client.start_session("ENG-1", [link])
    await client.find_session(ANY_ID)
    await client.sessions_of_issue(ANY_ID)
    await client.update_session(
        ANY_ID,
        plan=[{"content": "Read", "status": "pending"}],
        external_urls=[link],
        added_external_urls=[link],
        summary="Summary",
    )
    await client.create_activity(
        id=ANY_ID,
        session_id=ANY_ID,
        content={"type": "elicitation", "body": "Which?"},
        ephemeral=True,
        signal="select",
        signal_metadata={"options": [{"value": "a"}]},
    )
    await client.find_activity(ANY_ID)
    await client.create_comment(
        id=ANY_ID,
        issue_id=ANY_ID,
        body="Text",
        parent_id=ANY_ID,
        create_as_user="Ada",
        display_icon_url=link.url,
    )
    await client.link_slack_thread(issue_id=ANY_ID, url=link.url, title="Thread", sync_to_comment_thread=True)
    await client.present_session(ANY_ID, summary="Title", issue_id=ANY_ID, slack_url=link.url)
    await client.attach_url(
        issue_id=ANY_ID, url=link.url, title="Thread", subtitle="#general", icon_url=link.url
    )
    await client.suggest_repositories(
        ANY_ID,
        [CandidateRepository(hostname="github.com", repository_full_name="acme/web")],
        session_id=ANY_ID,
    )


def test_the_client_never_loads_the_graphql_library() -> None:
    check = "import sys, linear.client, linear.webhooks; sys.exit('graphql' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=False).returncode == 0
