from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.playground.linear_world import APP, CREATE_ISSUE, MEMBER, World, linear_world

ISSUE_FIELDS = (
    "id identifier title url branchName priority state { name type } delegate { id } creator { name }"
)
UUID1 = "5f3c1c1e-8b1e-11ef-9f0a-0242ac120002"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with linear_world() as world:
        yield world


async def create(world: World, *, token: str = APP, **fields: object) -> Any:
    wanted = {"teamId": world.team_id(), "title": "Fix the login page", **fields}
    data = await world.data(CREATE_ISSUE % ISSUE_FIELDS, {"input": wanted}, token=token)
    return data["issueCreate"]["issue"]


async def refused(world: World, *, token: str = APP, **fields: object) -> dict[str, Any]:
    wanted = {"teamId": world.team_id(), "title": "Fix the login page", **fields}
    return await world.error(CREATE_ISSUE % "id", {"input": wanted}, token=token)


async def test_the_viewer_is_the_app_for_a_bearer_token_and_the_member_for_a_key(world: World) -> None:
    query = "{ viewer { name app isMe } }"
    assert await world.data(query) == {"viewer": {"name": "Threadline", "app": True, "isMe": True}}
    assert await world.data(query, token=MEMBER) == {"viewer": {"name": "Ann", "app": False, "isMe": True}}


@pytest.mark.parametrize(
    "token", ["", "Bearer nonsense", "lin_api_nobody", "lin_oauth_playground", "Bearer lin_api_ann"]
)
async def test_an_unknown_token_is_401(world: World, token: str) -> None:
    answer = await world.post("{ viewer { id } }", token=token)
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["extensions"]["code"] == "AUTHENTICATION_ERROR"


async def test_a_new_client_credentials_token_kills_the_one_before(world: World) -> None:
    settings = world.linear.settings
    form = {
        "grant_type": "client_credentials",
        "client_id": settings.client_id,
        "client_secret": settings.client_secret,
    }
    granted = (await world.http.post(world.linear.token_url, data=form)).json()
    assert granted["token_type"] == "Bearer"
    assert granted["expires_in"] == 2_591_999
    assert (await world.post("{ viewer { id } }")).status_code == 401
    fresh = f"Bearer {granted['access_token']}"
    assert (await world.post("{ viewer { id } }", token=fresh)).status_code == 200


@pytest.mark.parametrize(
    ("grant", "secret", "status", "error"),
    [
        ("client_credentials", "wrong", 401, "invalid_client"),
        ("password", "threadline-client-secret", 400, "unsupported_grant_type"),
    ],
)
async def test_a_bad_grant_is_refused_and_kills_nothing(
    world: World, grant: str, secret: str, status: int, error: str
) -> None:
    form = {"grant_type": grant, "client_id": "threadline-client", "client_secret": secret}
    answer = await world.http.post(world.linear.token_url, data=form)
    assert (answer.status_code, answer.json()) == (status, {"error": error})
    assert (await world.post("{ viewer { id } }")).status_code == 200


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ viewer {", "GRAPHQL_PARSE_FAILED"),
        ("{ viewer { shoeSize } }", "GRAPHQL_VALIDATION_FAILED"),
        ("query Q($id: String!) { issue(id: $id) { id } }", "BAD_USER_INPUT"),
        ("query A { viewer { id } } query B { viewer { id } }", "OPERATION_RESOLUTION_FAILURE"),
    ],
    ids=["syntax", "unknown field", "missing variable", "ambiguous operation"],
)
async def test_an_invalid_document_is_400(world: World, query: str, code: str) -> None:
    answer = await world.post(query)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == code


async def test_a_body_that_is_no_request_is_400(world: World) -> None:
    answer = await world.http.post(world.linear.graphql_url, content=b"[]", headers={"Authorization": APP})
    assert answer.status_code == 400


async def test_the_workspace_is_seeded_with_two_teams_and_their_states(world: World) -> None:
    data = await world.data(
        "{ teams(first: 50) { nodes { key name states(first: 30) { nodes { name type } } } } }"
    )
    teams = data["teams"]["nodes"]
    assert [(team["key"], team["name"]) for team in teams] == [("ENG", "Engineering"), ("OPS", "Operations")]
    assert [(state["name"], state["type"]) for state in teams[0]["states"]["nodes"]] == [
        ("Triage", "triage"),
        ("Backlog", "backlog"),
        ("Todo", "unstarted"),
        ("In Progress", "started"),
        ("In Review", "started"),
        ("Done", "completed"),
        ("Canceled", "canceled"),
    ]


async def test_an_app_s_issue_lands_in_triage_with_number_branch_and_url(world: World) -> None:
    issue = await create(world, priority=2)
    assert UUID(issue.pop("id")).version == 4
    assert issue == {
        "identifier": "ENG-142",
        "title": "Fix the login page",
        "url": "https://linear.test/acme/issue/ENG-142/fix-the-login-page",
        "branchName": "threadline/eng-142-fix-the-login-page",
        "priority": 2,
        "state": {"name": "Triage", "type": "triage"},
        "delegate": None,
        "creator": {"name": "Threadline"},
    }


async def test_a_member_s_issue_lands_in_the_backlog_on_their_branch(world: World) -> None:
    issue = await create(world, token=MEMBER)
    assert issue["state"]["name"] == "Backlog"
    assert issue["branchName"] == "ann/eng-142-fix-the-login-page"


async def test_an_issue_is_found_by_id_and_by_identifier(world: World) -> None:
    issue = await create(world)
    for reference in (issue["id"], "ENG-142", "eng-142"):
        found = await world.data("query F($id: String!) { issue(id: $id) { id } }", {"id": reference})
        assert found == {"issue": {"id": issue["id"]}}


async def test_a_chosen_id_is_kept_and_its_repetition_is_a_conflict(world: World) -> None:
    chosen = str(uuid4())
    assert (await create(world, id=chosen))["id"] == chosen
    answer = await world.post(
        CREATE_ISSUE % "id", {"input": {"teamId": world.team_id(), "title": "Again", "id": chosen}}
    )
    assert answer.status_code == 200
    assert answer.json()["data"] is None
    error = answer.json()["errors"][0]
    assert error["message"] == "conflict on insert of Issue"
    assert error["extensions"] == {
        "code": "INPUT_ERROR",
        "type": "invalid input",
        "userError": True,
        "userPresentableMessage": f"Entity Issue with id {chosen} already exists.",
    }
    assert len(world.linear.workspace.issues) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "not-a-uuid"},
        {"id": UUID1},
        {"title": "  "},
        {"teamId": "nowhere"},
        {"stateId": "nowhere"},
        {"assigneeId": "nobody"},
        {"priority": 5},
    ],
    ids=lambda fields: next(iter(fields)),
)
async def test_a_bad_issue_is_refused_and_uses_no_number(world: World, fields: dict[str, Any]) -> None:
    assert (await refused(world, **fields))["extensions"]["code"] == "INPUT_ERROR"
    assert (await create(world))["identifier"] == "ENG-142"


async def test_a_state_of_another_team_is_refused(world: World) -> None:
    foreign = world.linear.workspace.team_of_key("OPS").states[0].id
    assert "another team" in (await refused(world, stateId=foreign))["message"]


async def test_only_people_are_assignees_and_only_apps_are_delegates(world: World) -> None:
    app, ann = world.linear.workspace.app_user.id, world.linear.workspace.person("ann").id
    assert "delegate" in (await refused(world, assigneeId=app))["message"]
    assert "app" in (await refused(world, delegateId=ann))["message"]


async def test_create_as_user_is_for_the_app_only(world: World) -> None:
    assert (await refused(world, token=MEMBER, createAsUser="Gil"))["extensions"]["code"] == "FORBIDDEN"
    await create(world, createAsUser="Gil")
    assert (await world.state())["issues"][0]["createdAsUser"] == "Gil"


async def test_an_update_changes_what_it_names_and_null_clears(world: World) -> None:
    issue = await create(world, description="old", delegateId=world.linear.workspace.app_user.id)
    data = await world.data(
        "mutation U($id: String!, $input: IssueUpdateInput!) "
        "{ issueUpdate(id: $id, input: $input) { success issue { title description delegate { id } } } }",
        {"id": issue["identifier"], "input": {"title": "New", "delegateId": None}},
    )
    assert data["issueUpdate"] == {
        "success": True,
        "issue": {"title": "New", "description": "old", "delegate": None},
    }


async def test_people_are_found_by_email(world: World) -> None:
    query = "query P($email: String!) { users(filter: {email: {eq: $email}}, first: 2) { nodes { name } } }"
    assert (await world.data(query, {"email": "bob@acme.test"}))["users"]["nodes"] == [{"name": "Bob"}]
    assert (await world.data(query, {"email": "zoe@acme.test"}))["users"]["nodes"] == []


async def test_an_attachment_is_one_row_per_issue_and_url(world: World) -> None:
    issue = await create(world)
    attach = (
        "mutation A($input: AttachmentCreateInput!) "
        "{ attachmentCreate(input: $input) { attachment { id title } } }"
    )
    wanted = {"issueId": issue["id"], "url": "https://chat.test/1", "title": "Thread"}
    first = await world.data(attach, {"input": wanted})
    second = await world.data(attach, {"input": {**wanted, "title": "Renamed"}})
    attachment = second["attachmentCreate"]["attachment"]
    assert attachment == {"id": first["attachmentCreate"]["attachment"]["id"], "title": "Renamed"}
    found = await world.data(
        "query F($url: String!) { attachments(filter: {url: {eq: $url}}) "
        "{ nodes { issue { identifier } } } }",
        {"url": "https://chat.test/1"},
    )
    assert found["attachments"]["nodes"] == [{"issue": {"identifier": "ENG-142"}}]


async def test_a_slack_thread_syncs_with_one_issue_only(world: World) -> None:
    link = (
        "mutation L($issueId: String!, $sync: Boolean) { attachmentLinkSlack("
        'issueId: $issueId, url: "https://acme.slack.com/archives/C1/p1", syncToCommentThread: $sync'
        ") { success attachment { id } } }"
    )
    first, second = await create(world), await create(world)
    assert (await world.data(link, {"issueId": first["id"], "sync": True}))["attachmentLinkSlack"]["success"]
    error = await world.error(link, {"issueId": second["id"], "sync": True})
    assert "already synced" in error["message"]
    assert (await world.data(link, {"issueId": second["id"]}))["attachmentLinkSlack"]["success"]


async def test_a_comment_with_a_chosen_id_is_written_once(world: World) -> None:
    issue = await create(world)
    comment = (
        "mutation C($input: CommentCreateInput!) { commentCreate(input: $input) { comment { id body } } }"
    )
    wanted = {"issueId": issue["id"], "body": "Hello", "id": str(uuid4())}
    await world.data(comment, {"input": wanted})
    assert (await world.error(comment, {"input": wanted}))["message"] == "conflict on insert of Comment"
    assert [each["body"] for each in (await world.state())["issues"][0]["comments"]] == ["Hello"]


async def test_repositories_named_in_the_issue_are_suggested_first(world: World) -> None:
    issue = await create(world, description="The web repository is broken")
    data = await world.data(
        "query S($id: String!, $candidates: [CandidateRepository!]!) { issueRepositorySuggestions("
        "issueId: $id, candidateRepositories: $candidates) "
        "{ suggestions { repositoryFullName confidence } } }",
        {
            "id": issue["id"],
            "candidates": [
                {"hostname": "github.com", "repositoryFullName": "acme/api"},
                {"hostname": "github.com", "repositoryFullName": "acme/web"},
            ],
        },
    )
    suggestions = data["issueRepositorySuggestions"]["suggestions"]
    assert [each["repositoryFullName"] for each in suggestions] == ["acme/web", "acme/api"]
    assert suggestions[0]["confidence"] > suggestions[1]["confidence"]


async def test_a_connection_is_read_page_by_page(world: World) -> None:
    for title in ("One", "Two", "Three"):
        await create(world, title=title)
    query = (
        "query P($after: String) { issues(first: 2, after: $after) "
        "{ nodes { title } pageInfo { hasNextPage endCursor } } }"
    )
    first = (await world.data(query))["issues"]
    rest = (await world.data(query, {"after": first["pageInfo"]["endCursor"]}))["issues"]
    assert [each["title"] for each in first["nodes"] + rest["nodes"]] == ["One", "Two", "Three"]
    assert (first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)


async def test_calls_are_counted_by_operation_name(world: World) -> None:
    await create(world)
    await create(world)
    await world.post("{ viewer { id } }")
    assert (await world.state())["calls"] == {"CreateIssue": 2, "(anonymous)": 1}
