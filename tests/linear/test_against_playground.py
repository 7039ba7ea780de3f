"""The client and the webhook reader against the playground's Linear, over HTTP on loopback."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest
from aiohttp import web

from core.events import File, TextFile, UnseenFile
from linear.client import LinearClient, StaticToken
from linear.deliveries import IssueChanged, SessionCreated, SessionPrompted, Webhook
from linear.errors import AlreadyExists, LinearError, NotFound, RateLimited, Transient, Unauthorized
from linear.files import LinearFiles
from linear.model import CandidateRepository, ExternalLink, Issue
from linear.webhooks import parse_signed_webhook
from playground.linear import LinearPlayground
from playground.linear_faults import Fault

SECRET = "signing secret"
LINK = ExternalLink(label="Thread", url="https://acme.slack.com/archives/C1/p1")


@dataclass
class Receiver:
    """Listens where the webhooks go, and reads them as the product does."""

    url: str = ""
    webhooks: list[Webhook] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        webhook = parse_signed_webhook(
            await request.read(),
            signature=request.headers["Linear-Signature"],
            secrets=[SECRET],
            now=datetime.now(UTC),
        )
        self.webhooks.append(webhook)
        return web.Response()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver, app = Receiver(), web.Application()
    app.router.add_post("/", receiver.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield receiver
    await runner.cleanup()


@pytest.fixture
async def linear(receiver: Receiver) -> AsyncIterator[LinearPlayground]:
    async with LinearPlayground() as linear:
        linear.courier.connect(receiver.url, SECRET)
        yield linear


@pytest.fixture
async def client(linear: LinearPlayground) -> AsyncIterator[LinearClient]:
    async with httpx.AsyncClient() as http:
        yield LinearClient(http, linear.graphql_url, StaticToken(linear.settings.app_token))


async def create_issue(client: LinearClient, id: str) -> Issue:
    workspace = await client.workspace()
    team = workspace.team("ENG")
    assert team is not None
    return await client.create_issue(
        id=id, team_id=team.id, title="Login loses its way", description="It does."
    )


async def test_an_issue_is_created_once_however_often_it_is_asked_for(client: LinearClient) -> None:
    id = str(uuid4())
    issue = await create_issue(client, id)
    with pytest.raises(AlreadyExists) as caught:
        await create_issue(client, id)
    assert caught.value.id == id
    assert await client.find_issue(issue.identifier) == issue == await client.find_issue(id)


async def test_a_session_is_started_worked_and_read_back(client: LinearClient) -> None:
    issue = await create_issue(client, str(uuid4()))
    session = await client.start_session(issue.id, [LINK])
    activity_id = str(uuid4())
    await client.update_session(session.id, plan=[{"content": "Read", "status": "completed"}])
    for content in (
        {"type": "action", "action": "Ran", "parameter": "make"},
        {"type": "response", "body": "Done."},
    ):
        await client.create_activity(id=activity_id, session_id=session.id, content=content)
        activity_id = str(uuid4())
    found = await client.find_session(session.id)
    assert found is not None
    assert [each.content.kind for each in found.activities] == ["action", "response"]
    assert (found.status, found.plan) == ("complete", [{"content": "Read", "status": "completed"}])
    assert [each.id for each in await client.sessions_of_issue(issue.id)] == [session.id]


async def test_an_activity_is_kept_once_even_when_its_answer_was_lost(
    client: LinearClient, linear: LinearPlayground
) -> None:
    session = await client.start_session((await create_issue(client, str(uuid4()))).id)
    thought, id = {"type": "thought", "body": "Looking."}, str(uuid4())
    linear.faults.add(Fault("CreateActivity", "drop_after"))
    with pytest.raises(Transient) as lost:
        await client.create_activity(id=id, session_id=session.id, content=thought)
    with pytest.raises(AlreadyExists):
        await client.create_activity(id=id, session_id=session.id, content=thought)
    found = await client.find_activity(id)
    assert lost.value.maybe_done
    assert found is not None
    assert found.id == id


async def test_a_thread_is_found_again_through_its_link(client: LinearClient) -> None:
    issue = await create_issue(client, str(uuid4()))
    await client.link_slack_thread(issue_id=issue.id, url=LINK.url, title="Thread")
    await client.attach_url(issue_id=issue.id, url="https://acme.example/run", title="Run")
    groundwork = await client.prepare_issue(email="ann@acme.test", url=LINK.url)
    assert groundwork.linked_issues == (issue,)
    assert groundwork.requester is not None
    assert groundwork.requester == await client.find_user(groundwork.requester.id)


PAGE = "Linear shows a page in its place"


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (
            "lin_oauth_playground",
            [TextFile("the log", "it broke"), UnseenFile("gone", "Linear answered 404")],
        ),
        ("lin_oauth_dead", [UnseenFile("the log", PAGE), UnseenFile("gone", PAGE)]),
    ],
    ids=["living token", "dead token"],
)
async def test_files_are_read_with_the_token_only(
    linear: LinearPlayground, token: str, expected: list[File]
) -> None:
    url = linear.upload("log.txt", b"it broke", "text/plain")
    async with httpx.AsyncClient() as http:
        files = LinearFiles(http, StaticToken(token), linear.graphql_url)
        seen = await files.read([f"See [the log]({url}) and ![gone]({linear.url}/uploads/1/gone.png)"])
    assert list(seen) == expected
    assert len(linear.uploads.asked) == 2


async def test_an_issue_is_moved_delegated_and_commented(client: LinearClient) -> None:
    issue = await create_issue(client, str(uuid4()))
    workspace = await client.workspace()
    team = workspace.team("ENG")
    assert team is not None
    started = team.first_started_state()
    assert started is not None
    moved = await client.update_issue(issue.id, state_id=started.id)
    comment = await client.create_comment(id=str(uuid4()), issue_id=issue.id, body="Hello")
    assert moved.state == started
    assert comment.body == "Hello"


async def test_candidates_are_weighed(client: LinearClient) -> None:
    issue = await create_issue(client, str(uuid4()))
    candidate = CandidateRepository(hostname="github.com", repository_full_name="acme/web")
    (suggestion,) = await client.suggest_repositories(issue.id, [candidate])
    assert suggestion.repository_full_name == "acme/web"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("*", "drop_before"), Transient),
        (Fault("*", "answer", status=200), Transient),
        (Fault("*", "answer", status=400, code="RATELIMITED"), RateLimited),
        (Fault("*", "answer", status=200, code="LOCK_TIMEOUT"), Transient),
        (Fault("*", "answer", status=200, code="INPUT_ERROR", message="Entity not found: Team"), NotFound),
        (Fault("*", "answer", status=401, code="AUTHENTICATION_ERROR"), Unauthorized),
    ],
    ids=["dropped", "internal", "limit", "lock", "gone", "token"],
)
async def test_faults_are_told_apart(
    client: LinearClient, linear: LinearPlayground, fault: Fault, expected: type[LinearError]
) -> None:
    linear.faults.add(fault)
    with pytest.raises(expected):
        await client.workspace()


async def test_the_quota_is_told_with_every_answer(client: LinearClient) -> None:
    await client.workspace()
    assert client.quota is not None
    assert client.quota.requests.remaining == 4999
    assert client.quota.complexity.reset_at is not None


async def test_what_people_do_arrives_as_facts(
    client: LinearClient, linear: LinearPlayground, receiver: Receiver
) -> None:
    issue = await create_issue(client, str(uuid4()))
    session = linear.people.delegate(issue.identifier)
    await linear.settled()
    activities = [linear.people.prompt(session.id, "Also the logout."), linear.people.stop(session.id)]
    linear.people.undelegate(issue.identifier)
    await linear.settled()
    created = [each for each in receiver.webhooks if isinstance(each, SessionCreated)]
    prompted = [each for each in receiver.webhooks if isinstance(each, SessionPrompted)]
    changed = [each for each in receiver.webhooks if isinstance(each, IssueChanged)]
    assert [(each.key, each.session.issue_id) for each in created] == [
        (f"linear/session/{session.id}", issue.id)
    ]
    assert {(each.key, each.is_stop) for each in prompted} == {
        (f"linear/activity/{activities[0].id}", False),
        (f"linear/activity/{activities[1].id}", True),
    }
    assert [each.was_taken_from(linear.workspace.app_user.id) for each in changed][-1]
