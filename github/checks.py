"""Check runs: our own on a commit, and what those of others say when they fail."""

from typing import Final, Literal

from github.credentials import InstallationToken, Writer
from github.errors import Gone, NotFound
from github.model import Annotation, CheckRun, read, read_all
from github.paths import path, sha_of
from github.probe import once
from github.sansio import Call
from github.wire import Wire

LOG_BYTES: Final = 256 << 10
"""Read of the end of a log; the rest is not kept."""

SUMMARY_CHARS: Final = 60_000
"""GitHub takes 65,535."""

Conclusion = Literal["success", "failure", "neutral", "action_required", "cancelled", "skipped", "timed_out"]


class GitHubChecks:
    """Checks of one GitHub; every method raises `GitHubError`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def put_check(
        self,
        as_: InstallationToken,
        repo: str,
        sha: str,
        *,
        name: str,
        external_id: str,
        title: str,
        summary: str,
        conclusion: Conclusion | None,
        details_url: str | None = None,
    ) -> CheckRun:
        """Make our check of this name on a commit say so, whatever it said before.

        There is one for each `external_id`, which is found again: it may be called any number of times.

        Args:
            as_: With `checks: write`; GitHub takes check runs from apps alone.
            external_id: Ours, at most 100 characters.
            summary: Markdown; its end is cut where it is too long.
            conclusion: None while it is still running.
        """
        fields: dict[str, object] = {
            "status": "in_progress" if conclusion is None else "completed",
            "output": {"title": title, "summary": summary[:SUMMARY_CHARS]},
        }
        fields |= {"conclusion": conclusion} if conclusion else {}
        fields |= {"details_url": details_url} if details_url else {}
        made = {"name": name, "head_sha": sha_of(sha), "external_id": external_id}
        create = Call("POST", path("/repos/{repo}/check-runs", repo=repo), body=made | fields)

        async def find() -> CheckRun | None:
            runs = await self.check_runs(as_, repo, sha, name=name)
            return next((run for run in runs if run.external_id == external_id), None)

        async def act() -> CheckRun:
            answer = await self._wire.send(as_, create)
            return read(CheckRun, answer.json, about="a new check", maybe_done=True)

        existing = await find()
        if existing is None:
            return await once(self._wire.pace, act, find)
        place = path("/repos/{repo}/check-runs/{id}", repo=repo, id=existing.id)
        answer = await self._wire.send(as_, Call("PATCH", place, body=fields))
        return read(CheckRun, answer.json, about="a check", maybe_done=True)

    async def check_runs(
        self, as_: Writer, repo: str, sha: str, *, name: str | None = None
    ) -> tuple[CheckRun, ...]:
        """The newest run of each check on a commit, of every app."""
        place = path("/repos/{repo}/commits/{sha}/check-runs", repo=repo, sha=sha)
        query = {"filter": "latest"} | ({"check_name": name} if name else {})
        found = await self._wire.pages(as_, Call("GET", place, query), within="check_runs")
        return read_all(CheckRun, found, about="a check")

    async def annotations(self, as_: Writer, repo: str, check_run: int) -> tuple[Annotation, ...]:
        """What a check says about single lines, at most 100 remarks."""
        place = path("/repos/{repo}/check-runs/{id}/annotations", repo=repo, id=check_run)
        return read_all(Annotation, await self._wire.pages(as_, Call("GET", place), most=1), about="a remark")

    async def job_log(self, as_: Writer, repo: str, job: int, *, last_bytes: int = LOG_BYTES) -> str:
        """The end of the log of a job of GitHub Actions; its number is that of its check run.

        Untrusted text. "" for a log that is not there any more, or not yet.

        Args:
            as_: With `actions: read`.
        """
        place = path("/repos/{repo}/actions/jobs/{id}/logs", repo=repo, id=job)
        try:
            end = await self._wire.file_behind(as_, Call("GET", place), last_bytes=last_bytes)
        except (NotFound, Gone):
            return ""
        return end.decode("utf-8", "replace")
