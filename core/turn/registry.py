"""Who people are in Linear, as far as anybody knows: what was stored, else what the e-mail address tells."""

import logging
from dataclasses import dataclass

from core.activities import Author
from core.people import Evidence, Guests, Identity, Policy, Unlinked, Verdict, verdict
from core.ports import Directory
from core.review.accounts import AccountBook
from core.store.people import OtherLink, PeopleStore

log = logging.getLogger(__name__)

PROVIDER = "Linear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """Answers what a person may do.

    Attributes:
        can_link: People can link their accounts themselves.
        code: Their accounts at the code host; None where they cannot link those.
    """

    policy: Policy
    store: PeopleStore
    directory: Directory
    can_link: bool = False
    code: AccountBook | None = None

    @property
    def is_strict(self) -> bool:
        """Whether it matters at all who somebody is."""
        return self.policy.unlinked is Unlinked.LINK or self.policy.guests is Guests.READ

    async def verdict(self, author: Author) -> Verdict:
        """What this person may do.

        Raises:
            DeliveryError: Linear does not tell now who they are.
        """
        is_known = self.policy.unlinked is not Unlinked.LINK or author.surface == "linear"
        if verdict(self.policy, author, is_known=True) is not Verdict.ALLOWED:
            return Verdict.READS_ONLY
        return verdict(self.policy, author, is_known=is_known or await self.identity(author) is not None)

    async def identity(self, author: Author) -> Identity | None:
        """Who they are in Linear; what their address tells is remembered.

        Raises:
            DeliveryError: Linear does not tell now.
        """
        stored = await self.store.find(author.surface, author.id)
        if stored is not None and stored.holds_for(author):
            return stored
        if not author.email or author.is_external:
            return None
        account = await self.directory.account(author.email)
        if account is None:
            return None
        found = Identity(
            surface=author.surface,
            account=author.id,
            linear_user=account.id,
            name=account.name,
            email=author.email,
            evidence=Evidence.EMAIL,
        )
        try:
            await self.store.link(found)
        except OtherLink as error:
            # Two chat accounts of one person, perhaps; the address speaks for this one all the same.
            log.warning("account linked twice", extra={"account": author.id, "with": error.with_name})
        return found
