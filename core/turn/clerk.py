"""Answers the words that are for us and not for the agent: where they were said, and nowhere else."""

import logging
from dataclasses import replace
from datetime import UTC, datetime

from core.activities import Answered, Author, Elicitation, Fate, FateChanged, Logged, Notice
from core.commands import Act, Aside, Command, Follow, Help, Link, New, Status, Stop, Unlink, Why
from core.composer import line_of
from core.errors import DeliveryError
from core.events import Chosen, Incoming, Said, UnseenFile
from core.ids import EntryKey, ThreadRef
from core.intake import label_of, why_unseen
from core.people import Evidence, Identity, refusal
from core.reports import HELP, LINKING, REVIEWING, UNHEARD, status, why
from core.review.accounts import AccountBook, ask_to_confirm
from core.store.accounts import LinkedAccount
from core.turn.desk import TurnDesk
from core.turn.doorkeeper import Doorkeeper
from core.turn.reading import name_unseen

log = logging.getLogger(__name__)

GITHUB = "GitHub"
NO_LINKING = "Accounts cannot be linked here; people are known by their e-mail address."
NO_LINKING_CODE = "Accounts at GitHub cannot be linked here."
GRANT_LEFT = "GitHub has not confirmed that my rights are over: see there, Settings, Applications."


class Clerk:
    """Carries out commands for one session. Doing one twice, after a crash, says the same thing once."""

    def __init__(self, desk: TurnDesk) -> None:
        self._desk = desk
        self._crew = desk.crew
        self._door = Doorkeeper(desk)

    async def obey(self, incoming: Incoming, command: Command) -> None:
        """Do what the command says; its message shows that it was understood."""
        match command:
            case Status():
                await self._reply(incoming, status(await self._log(), self._now()))
            case Why():
                shown = await self._crew.progress(self._desk.record.id)
                await self._reply(incoming, why(await self._log(), shown, self._now()))
            case Help():
                reviewing = REVIEWING if self._crew.reviews else ""
                linking = LINKING if self._can_link(incoming) else ""
                # Elsewhere whoever lets us in lets us read along.
                unheard = UNHEARD if incoming.author.surface == "teams" else ""
                await self._reply(incoming, HELP + reviewing + linking + unheard)
            case Follow(identifier=identifier):
                await self._reply(incoming, await self._follow(incoming, identifier))
            case Link(provider=provider):
                await (self._link_code(incoming) if provider == GITHUB else self._link(incoming))
            case Unlink(provider=provider):
                unlink = self._unlink_code if provider == GITHUB else self._unlink
                await self._reply(incoming, await unlink(incoming))
            case New(text=text):
                await self._start_over(incoming, text)
                return
            case Aside() | Stop() | Act():  # Nothing to say: for people, or done elsewhere.
                pass
        await self._settle(incoming, Fate.WITHDRAWN if isinstance(command, Aside) else Fate.DONE)

    async def late_choice(self, incoming: Incoming, chosen: Chosen) -> Incoming | None:
        """A button of a question that is not open any more: what it says, in words that stand alone.

        None if it is what was answered already; whoever pressed it is told.
        """
        log = [one.entry for one in await self._log()]
        questions = [one for one in log if isinstance(one, Elicitation) and one.id == chosen.elicitation]
        if not questions:
            return incoming
        label = label_of(questions[0], chosen.value)
        for one in log:
            if isinstance(one, Answered) and one.elicitation == chosen.elicitation and one.answer == label:
                await self._reply(incoming, f"Answered already, by {one.by.name}: {label}")
                return None
        return replace(incoming, event=Said(f"About your question “{line_of(questions[0].body)}”: {label}"))

    async def name_unseen(self, incoming: Incoming) -> None:
        """Tell people of files that came with a message and that the agent surely does not get."""
        files = incoming.event.attachments if isinstance(incoming.event, Said) else ()
        unseen = [UnseenFile(one.name, why) for one in files if (why := why_unseen(one))]
        await name_unseen(self._desk, EntryKey(f"unseen/{incoming.key}"), unseen)

    async def _follow(self, incoming: Incoming, identifier: str) -> str:
        record = self._desk.record
        if not isinstance(incoming.place, ThreadRef):
            return "A session of Linear is shown there already; write `follow` in a chat thread."
        if record.issue is not None:
            return f"This thread shows {record.issue.identifier} already; write `follow` in another one."
        followed = await self._crew.store.follow(incoming.place, identifier)
        if followed is None:
            return f"I have no session on {identifier}. Mention me with what to do there."
        self._crew.wake_mirror(followed)
        return f"This thread follows {identifier} now; what you write here reaches its session."

    def _can_link(self, incoming: Incoming) -> bool:
        people = self._crew.people
        return people is not None and people.can_link and isinstance(incoming.place, ThreadRef)

    async def _link(self, incoming: Incoming) -> None:
        if not self._can_link(incoming):
            await self._reply(incoming, NO_LINKING)
        elif identity := await self._identity(incoming):
            await self._reply(
                incoming, f"{incoming.author.name} is {identity.name} in Linear{_why(identity)}."
            )
        else:
            await self._door.ask(incoming, "Link your account in Linear to the one here.")

    async def _unlink(self, incoming: Incoming) -> str:
        people, author = self._crew.people, incoming.author
        gone = await people.store.unlink(author.surface, author.id) if people else None
        if gone is None:
            return f"{author.name} has no link to remove."
        if gone.evidence is Evidence.EMAIL:
            return f"{author.name} is {gone.name} in Linear{_why(gone)}; there is no link to remove."
        return f"{author.name} is not linked to {gone.name} in Linear any more."

    async def _link_code(self, incoming: Incoming) -> None:
        people, author = self._crew.people, incoming.author
        is_reached = isinstance(incoming.place, ThreadRef) or author.surface == "linear"
        if people is None or people.code is None or not is_reached:
            await self._reply(incoming, NO_LINKING_CODE)
        elif author.is_guest or author.is_external:
            await self._reply(incoming, refusal(author))
        elif (known := await self._code_account(people.code, author)) is None:
            await self._door.ask(incoming, "Link your account at GitHub to the one here.", provider=GITHUB)
        elif known.is_active:
            await self._reply(incoming, f"{author.name} is @{known.login} at GitHub.")
        else:
            await self._door.ask(incoming, ask_to_confirm(known.account), provider=GITHUB)

    async def _code_account(self, code: AccountBook, author: Author) -> LinkedAccount | None:
        try:
            return await code.linked(author)
        except DeliveryError as error:
            log.warning("code account unknown", extra={"author": author.id, "error": str(error)})
            return None  # A second link of the same account does no harm, and of another one is refused.

    async def _unlink_code(self, incoming: Incoming) -> str:
        people, author = self._crew.people, incoming.author
        try:
            gone = await people.code.unlink(author) if people and people.code else None
        except DeliveryError as error:
            log.warning("code account unknown", extra={"author": author.id, "error": str(error)})
            return f"I cannot find out what {author.name} has linked right now; try again."
        if gone is None:
            return f"{author.name} has no link to GitHub to remove."
        rest = "" if gone.is_over else f" {GRANT_LEFT}"
        return f"{author.name} is not linked to @{gone.login} at GitHub any more.{rest}"

    async def _identity(self, incoming: Incoming) -> Identity | None:
        people = self._crew.people
        try:
            return await people.identity(incoming.author) if people else None
        except DeliveryError as error:
            log.warning("person unknown", extra={"author": incoming.author.id, "error": str(error)})
            return None  # A link does no harm to somebody whom Linear would have known.

    async def _start_over(self, incoming: Incoming, text: str) -> None:
        await self._settle(incoming, Fate.WITHDRAWN)
        started = await self._crew.store.start_over(incoming, text, self._crew.enqueue)
        if started is None:
            await self._reply(incoming, "A new session can only be started in a chat thread.")
        else:
            self._crew.wake_mirror(started)

    async def _reply(self, incoming: Incoming, body: str) -> None:
        notice = Notice(body=body, surface=incoming.author.surface)
        await self._crew.store.say(self._desk.record.id, EntryKey(f"reply/{incoming.key}"), notice)
        self._crew.wake_mirror(self._desk.record.id)

    async def _settle(self, incoming: Incoming, fate: Fate) -> None:
        if incoming.message:
            key = EntryKey(f"fate/{incoming.key}/{fate}")
            entry = FateChanged(message=incoming.message, fate=fate)
            await self._crew.store.say(self._desk.record.id, key, entry)
            self._crew.wake_mirror(self._desk.record.id)

    async def _log(self) -> list[Logged]:
        return await self._crew.store.log(self._desk.record.id)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._crew.now(), UTC)


def _why(identity: Identity) -> str:
    return ", by e-mail address" if identity.evidence is Evidence.EMAIL else ""
