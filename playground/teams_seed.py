"""What a Teams stand-in begins with."""

from playground.teams_state import (
    BOT,
    OTHER_TENANT,
    TENANT,
    Conversation,
    Kind,
    Person,
    Workspace,
    personal_chat,
)


def acme(*, reads_all: bool = True) -> Workspace:
    """Tenant Acme: four members, one without mail; a guest, a stranger, an alert bot, and ours."""
    people = [
        Person("29:ann", "Ann", "ann@acme.test", "ann@acme.test"),
        Person("29:bob", "Bob", "bob@acme.test", "bob@acme.test"),
        Person("29:eve", "Eve", "eve@acme.test", "eve@acme.test"),
        Person("29:nia", "Nia", None, "nia@acme.test"),
        Person("29:gus", "Gus", "gus@guest.test", "gus_guest.test#EXT#@acme.test"),
        Person("29:xenia", "Xenia", "xenia@other.test", "xenia@other.test", OTHER_TENANT),
        Person("28:alerts", "Alerts"),
        Person(BOT, "linear"),
    ]
    members = [person.id for person in people if person.tenant == TENANT]
    conversations = [
        Conversation("19:eng@thread.tacv2", Kind.CHANNEL, "eng", set(members), reads_all),
        Conversation("19:ops@thread.tacv2", Kind.CHANNEL, "ops", set(members), reads_all),
        Conversation("19:group@thread.v2", Kind.GROUP, "Search", set(members), reads_all),
        *(
            Conversation(personal_chat(person.id), Kind.PERSONAL, "", {person.id, BOT}, tenant=person.tenant)
            for person in people
            if not person.is_bot
        ),
    ]
    return Workspace({one.id: one for one in people}, {one.id: one for one in conversations})
