"""A GitHub that keeps what is written, and fails once at one operation, before or after it was written."""

from collections import Counter
from enum import StrEnum
from typing import Any

import httpx

from tests.github.contract import check_request, operation_of, sample
from tests.github.fakes import EVE, HEAD, OTHER_HEAD, body_of, data, judge_answer, path_of, refused, state

USER_OF = {EVE.authorization: EVE.user_id}


class Fault(StrEnum):
    """What goes wrong with an answer, and whether it was done all the same."""

    TIMEOUT_BEFORE = "timeout before"
    TIMEOUT_AFTER = "timeout after"
    RESET_AFTER = "reset after"
    HTTP_502_BEFORE = "502 before"
    HTTP_502_AFTER = "502 after"
    CUT_AFTER = "cut after"
    HTML_AFTER = "html after"
    NOT_CONNECTED = "not connected"

    @property
    def is_done(self) -> bool:
        return self.value.endswith("after")


class Forge:
    """Handler for `httpx.MockTransport`. One pull request, number 7; `effects` counts what was written.

    Args:
        fault: Happens at the first `at`, an operation of GitHub's or the name of a document of ours.
        is_lost: With the answer to the first `at` the connection is lost for good.
    """

    def __init__(
        self, *, at: str = "", fault: Fault | None = None, has_async_merge: bool = True, is_lost: bool = False
    ) -> None:
        self.effects: Counter[str] = Counter()
        self.state = state(isDraft=True)
        self.pulls: list[dict[str, Any]] = []
        self.reviews: list[dict[str, Any]] = []
        self.comments: list[dict[str, Any]] = []
        self.checks: list[dict[str, Any]] = []
        self.operations: list[str] = []
        self._at = at
        self._fault = fault
        self._has_async_merge = has_async_merge
        self._is_lost = is_lost

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path, body = path_of(request), body_of(request)
        check_request(request.method, path, dict(request.url.params), body)
        name = body["operationName"] if path == "/graphql" else operation_of(request.method, path)[0].name
        self.operations.append(name)
        fault, self._fault = (self._fault, None) if name == self._at else (None, self._fault)
        if fault is not None and not fault.is_done:
            return _failed(fault, request)
        answer = self._answer(name, request, body)
        judge_answer(request, answer)
        if self._is_lost and self._at in self.operations:
            raise httpx.ReadError("gone", request=request)
        return answer if fault is None else _failed(fault, request, answer)

    def _answer(self, name: str, request: httpx.Request, body: Any) -> httpx.Response:
        answer: httpx.Response = getattr(self, f"_{name.replace('/', '_').replace('-', '_')}")(request, body)
        return answer

    def _made(self, request: httpx.Request, status: int, /, **fields: Any) -> dict[str, Any]:
        made: dict[str, Any] = sample(request.method, path_of(request), status, **fields)
        return made

    # Reading.

    def _pulls_list(self, request: httpx.Request, _: Any) -> httpx.Response:
        branch = request.url.params["head"].partition(":")[2]
        return httpx.Response(200, json=[each for each in self.pulls if each["head"]["ref"] == branch])

    def _pulls_list_reviews(self, request: httpx.Request, _: Any) -> httpx.Response:
        return httpx.Response(200, json=self.reviews)

    def _issues_list_comments(self, request: httpx.Request, _: Any) -> httpx.Response:
        return httpx.Response(200, json=self.comments)

    def _checks_list_for_ref(self, request: httpx.Request, _: Any) -> httpx.Response:
        return httpx.Response(200, json={"total_count": len(self.checks), "check_runs": self.checks})

    def _PullState(self, request: httpx.Request, _: Any) -> httpx.Response:
        return data(repository={"pullRequest": self.state})

    # Writing.

    def _pulls_create(self, request: httpx.Request, body: Any) -> httpx.Response:
        if any(each["head"]["ref"] == body["head"] for each in self.pulls):
            return refused(422, "A pull request already exists")
        self.effects["pull"] += 1
        made = self._made(request, 201, number=7, head__ref=body["head"], base__ref=body["base"])
        simple = sample("GET", path_of(request), 200, number=7, head__ref=body["head"])[0]
        self.pulls.append(simple)
        return httpx.Response(201, json=made)

    def _pulls_create_review(self, request: httpx.Request, body: Any) -> httpx.Response:
        self.effects["review"] += 1
        fields = {"state": "APPROVED", "body": body["body"], "commit_id": body["commit_id"]}
        self.reviews.append(self._made(request, 200, id=len(self.reviews) + 1, user=_user(request), **fields))
        return httpx.Response(200, json=self.reviews[-1])

    def _issues_create_comment(self, request: httpx.Request, body: Any) -> httpx.Response:
        self.effects["comment"] += 1
        self.comments.append(self._made(request, 201, body=body["body"]))
        return httpx.Response(201, json=self.comments[-1])

    def _checks_create(self, request: httpx.Request, body: Any) -> httpx.Response:
        self.effects["check"] += 1
        told = {key: body[key] for key in ("name", "head_sha", "external_id", "status")}
        self.checks.append(self._made(request, 201, id=len(self.checks) + 1, **told))
        return httpx.Response(201, json=self.checks[-1])

    def _checks_update(self, request: httpx.Request, body: Any) -> httpx.Response:
        self.effects["check updated"] += 1
        self.checks[0] |= {"status": body["status"], "conclusion": body.get("conclusion")}
        return httpx.Response(200, json=self.checks[0])

    def _pulls_merge_async(self, request: httpx.Request, body: Any) -> httpx.Response:
        if not self._has_async_merge:
            return refused(404, "Not Found")
        if self.state["merged"]:
            details = {"message": "merged", "sha": OTHER_HEAD}
            return httpx.Response(200, json={"status": "merged", "details": details})
        self._merged()
        details = {"message": "on its way", "uuid": "u-1234567", "merge_method": "squash"}
        details |= {"merge_action": "default", "expected_head_sha": body["sha"]}
        return httpx.Response(202, json={"status": "pending", "details": details})

    def _pulls_get_merge_async_result(self, request: httpx.Request, _: Any) -> httpx.Response:
        details = {"message": "merged", "sha": OTHER_HEAD}
        return httpx.Response(200, json={"status": "merged", "details": details})

    def _pulls_merge(self, request: httpx.Request, body: Any) -> httpx.Response:
        if self.state["merged"]:
            return refused(405, "Pull Request is not mergeable")
        self._merged()
        return httpx.Response(200, json={"merged": True, "sha": OTHER_HEAD, "message": "merged"})

    def _merged(self) -> None:
        self.effects["merge"] += 1
        self.state |= {"merged": True, "state": "MERGED"}

    def _pulls_update_branch(self, request: httpx.Request, body: Any) -> httpx.Response:
        if body["expected_head_sha"] != self.state["headRefOid"]:
            return refused(422, "expected head sha didn't match current head ref")
        self.effects["updated"] += 1
        self.state["headRefOid"] = OTHER_HEAD
        return httpx.Response(202, json={"message": "Updating", "url": "https://github.test"})

    def _pulls_update(self, request: httpx.Request, body: Any) -> httpx.Response:
        self.effects["edited"] += 1
        return httpx.Response(200, json=self._made(request, 200, number=7, state=body.get("state", "open")))

    def _MarkReady(self, request: httpx.Request, _: Any) -> httpx.Response:
        self.effects["ready"] += 1
        self.state["isDraft"] = False
        return data(markPullRequestReadyForReview={"pullRequest": {"id": "PR_7"}})

    def _ConvertToDraft(self, request: httpx.Request, _: Any) -> httpx.Response:
        self.effects["draft"] += 1
        self.state["isDraft"] = True
        return data(convertPullRequestToDraft={"pullRequest": {"id": "PR_7"}})

    def _EnableAutoMerge(self, request: httpx.Request, body: Any) -> httpx.Response:
        assert body["variables"]["input"]["expectedHeadOid"] == HEAD
        self.effects["auto"] += 1
        self.state["autoMergeRequest"] = {"mergeMethod": body["variables"]["input"]["mergeMethod"]}
        return data(enablePullRequestAutoMerge={"pullRequest": {"id": "PR_7"}})

    def _DisableAutoMerge(self, request: httpx.Request, _: Any) -> httpx.Response:
        self.effects["no auto"] += 1
        self.state["autoMergeRequest"] = None
        return data(disablePullRequestAutoMerge={"pullRequest": {"id": "PR_7"}})

    def _Enqueue(self, request: httpx.Request, body: Any) -> httpx.Response:
        assert body["variables"]["input"]["expectedHeadOid"] == HEAD
        self.effects["queued"] += 1
        self.state["isInMergeQueue"] = True
        return data(enqueuePullRequest={"mergeQueueEntry": {"id": "MQE_1"}})

    def _Dequeue(self, request: httpx.Request, _: Any) -> httpx.Response:
        self.effects["out of the queue"] += 1
        self.state["isInMergeQueue"] = False
        return data(dequeuePullRequest={"mergeQueueEntry": None})


def _user(request: httpx.Request) -> dict[str, Any]:
    owner: dict[str, Any] = sample("GET", "/repos/acme/shop", 200)["owner"]
    return owner | {"id": USER_OF.get(request.headers["Authorization"], 99)}


def _failed(fault: Fault, request: httpx.Request, answer: httpx.Response | None = None) -> httpx.Response:
    match fault:
        case Fault.TIMEOUT_BEFORE | Fault.TIMEOUT_AFTER:
            raise httpx.ReadTimeout("no answer", request=request)
        case Fault.RESET_AFTER:
            raise httpx.RemoteProtocolError("cut", request=request)
        case Fault.NOT_CONNECTED:
            raise httpx.ConnectError("down", request=request)
        case Fault.HTTP_502_BEFORE | Fault.HTTP_502_AFTER:
            return httpx.Response(502, text="<html>Bad Gateway</html>")
        case Fault.HTML_AFTER:
            return httpx.Response(200, text="<html>hello</html>")
        case Fault.CUT_AFTER:
            assert answer is not None
            return httpx.Response(answer.status_code, content=answer.content[:-3])
