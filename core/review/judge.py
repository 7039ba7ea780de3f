"""Reads everything that a decision about a wish needs, just then, and asks the policy."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.activities import Author
from core.policy import Actor, Allow, Deny, MustConfirm, MustLink, Rules, decide, independent
from core.policy import Wish as Question
from core.ports import Accounts, CodeHost
from core.pulls import Permission, PullFacts
from core.review.watch import steerers
from core.review.words import steering
from core.routing import Repository
from core.store.acts import Act
from core.store.pulls import Pull
from core.store.sessions import SessionStore


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything a decision needs, read just now."""

    pull: Pull
    facts: PullFacts
    actor: Actor
    is_busy: bool
    is_independent: bool


class Judge:
    """Whether a wish may be done, by whom, as things are at this moment.

    Args:
        repositories: By name.
        reads_only: Whether somebody may look on and nothing else.
    """

    def __init__(
        self,
        host: CodeHost,
        accounts: Accounts,
        sessions: SessionStore,
        *,
        repositories: Mapping[str, Repository],
        reads_only: Callable[[Author], bool],
    ) -> None:
        self._host = host
        self._accounts = accounts
        self._sessions = sessions
        self._repositories = repositories
        self._reads_only = reads_only

    async def scene(self, act: Act, pull: Pull) -> Scene:
        """Read it; raises `DeliveryError`."""
        assert pull.ref is not None
        by = act.wish.by
        facts = await self._host.facts(pull.ref)
        account = await self._accounts.account_of(by)
        permission = Permission.NONE
        if account is not None:
            permission = await self._host.permission(facts.ref.repository, account)
        record, who = await self._sessions.load(act.session), steering(await self._sessions.log(act.session))
        steered = await steerers(self._accounts, who)
        spoke = any((one.surface, one.id) == (by.surface, by.id) for one in who.everybody)
        actor = Actor(
            name=by.name,
            account=account,
            permission=permission,
            reads_only=self._reads_only(by),
            # The same person may have steered from another side.
            steered=spoke or (account is not None and account.id in steered),
        )
        is_independent = independent(facts, steered).passed is True
        return Scene(pull, facts, actor, record.session.turn is not None, is_independent)

    def decision(self, act: Act, scene: Scene) -> Allow | Deny | MustLink | MustConfirm:
        """What happens to the wish."""
        wish = act.wish
        repository = self._repositories.get(scene.pull.repository)
        rules = Rules(independent_review=repository.independent_review if repository else True)
        question = Question(
            action=wish.action, shown_sha=wish.sha, text=wish.text, sure=wish.sure, method=None
        )
        return decide(
            scene.facts,
            scene.actor,
            question,
            rules,
            is_independent=scene.is_independent,
            busy=scene.is_busy,
        )
