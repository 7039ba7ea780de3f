"""The people's side: what members and automations do in Linear, with the webhooks it causes."""

from collections.abc import Callable

from playground import linear_events as events
from playground.linear_errors import invalid
from playground.linear_events import Event
from playground.linear_inputs import IssueCreate, IssueUpdate
from playground.linear_model import AgentActivity, AgentSession, Comment, Issue, User
from playground.linear_sessions import Prompt, add_prompt, open_session
from playground.linear_workspace import Workspace

FOLLOW_UP_STATUSES = ("pending", "active", "awaitingInput", "complete")


class People:
    """Acts for the people of the workspace.

    People are named by display name or e-mail address (`ann`), issues by identifier or id, sessions by id.
    Every method raises `Refusal` if what it names does not exist.
    """

    def __init__(self, workspace: Workspace, emit: Callable[[Event], None]) -> None:
        self._workspace = workspace
        self._emit = emit

    def create_issue(
        self, title: str, *, by: str = "ann", team: str = "ENG", description: str | None = None
    ) -> Issue:
        person = self._workspace.person(by)
        team_id = self._workspace.team_of_key(team).id
        wanted = IssueCreate(team_id=team_id, title=title, description=description)
        issue = self._workspace.create_issue(wanted, person)
        self._emit(events.issue_created(self._workspace, issue, person))
        return issue

    def delegate(self, issue: str, *, by: str | None = "ann") -> AgentSession:
        """Delegate to the app, which opens a session; without `by` an automation did it (creator null)."""
        row = self._workspace.issue(issue)
        person = self._workspace.person(by) if by else None
        fields: dict[str, str] = {"delegate_id": self._workspace.app_user.id}
        if person and row.assignee is None:  # Linear makes the delegating person answer for the issue.
            fields["assignee_id"] = person.id
        self._change(row, IssueUpdate.model_validate(fields), person or self._workspace.app_user)
        session = open_session(self._workspace, row, creator=person)
        self._emit(events.session_created(self._workspace, session))
        return session

    def undelegate(self, issue: str, *, by: str = "ann") -> Issue:
        row, person = self._workspace.issue(issue), self._workspace.person(by)
        if row.delegate is None:
            raise invalid("the issue has no delegate")
        self._change(row, IssueUpdate(delegate_id=None), person)
        self._emit(events.unassigned_from_app(self._workspace, row, person))
        return row

    def move(self, issue: str, state: str, *, by: str = "ann") -> Issue:
        """Move an issue to the state of that name in its team."""
        row, person = self._workspace.issue(issue), self._workspace.person(by)
        target = next((each for each in row.team.states if each.name.casefold() == state.casefold()), None)
        if target is None:
            raise invalid(f"team {row.team.key} has no state {state}")
        self._change(row, IssueUpdate(state_id=target.id), person)
        return row

    def mention(self, issue: str, text: str, *, by: str = "ann", reply_to: str | None = None) -> AgentSession:
        """Mention the app in a comment: a follow-up in its latest usable session, else a new session."""
        row, person = self._workspace.issue(issue), self._workspace.person(by)
        parent = self._workspace.comment(reply_to) if reply_to else None
        body = f"@{self._workspace.app_user.display_name} {text}"
        if latest := self._latest_session(row):
            comment = self._workspace.add_comment(row, body, person, parent=parent or latest.comment)
            self._prompt(latest, person, Prompt(text, source_comment=comment))
            return latest
        comment = self._workspace.add_comment(row, body, person, parent=parent)
        session = open_session(self._workspace, row, creator=person, mention=comment)
        self._emit(events.session_created(self._workspace, session))
        return session

    def mention_in_document(self, *, by: str = "ann") -> AgentSession:
        """Mention the app where there is no issue, which opens a session about none."""
        session = open_session(self._workspace, None, creator=self._workspace.person(by))
        self._emit(events.session_created(self._workspace, session))
        return session

    def prompt(self, session: str, text: str, *, by: str = "ann") -> AgentActivity:
        """Write a follow-up into a session; Linear keeps it as a comment in the session's thread too."""
        row, person = self._workspace.session(session), self._workspace.person(by)
        comment = (
            self._workspace.add_comment(row.issue, text, person, parent=row.comment) if row.issue else None
        )
        return self._prompt(row, person, Prompt(text, source_comment=comment))

    def answer(self, session: str, text: str, *, by: str = "ann") -> AgentActivity:
        """Answer the open elicitation, with the text of an option or with anything else."""
        row = self._workspace.session(session)
        if row.status(self._workspace.clock.now()) != "awaitingInput":
            raise invalid("the session is not waiting for input")
        return self.prompt(session, text, by=by)

    def stop(self, session: str, *, by: str = "ann") -> AgentActivity:
        row, person = self._workspace.session(session), self._workspace.person(by)
        return self._prompt(row, person, Prompt("Stop", signal="stop"))

    def comment(self, issue: str, text: str, *, by: str = "ann") -> Comment:
        """Write a comment that mentions nobody; the app does not hear of it."""
        return self._workspace.add_comment(self._workspace.issue(issue), text, self._workspace.person(by))

    def _prompt(self, session: AgentSession, person: User, prompt: Prompt) -> AgentActivity:
        activity = add_prompt(self._workspace, session, person, prompt)
        self._emit(events.session_prompted(self._workspace, activity))
        return activity

    def _change(self, issue: Issue, wanted: IssueUpdate, actor: User) -> None:
        if before := self._workspace.update_issue(issue, wanted):
            self._emit(events.issue_updated(self._workspace, issue, actor, before))

    def _latest_session(self, issue: Issue) -> AgentSession | None:
        now = self._workspace.clock.now()
        usable = (each for each in reversed(issue.agent_sessions) if each.status(now) in FOLLOW_UP_STATUSES)
        return next(usable, None)
