"""What people read while they link an account at GitHub; each page names both accounts if it can. Pure."""

from core import web_pages
from core.activities import Author
from core.composer import place_name

AGAIN = "Write “link github” to Threadline in chat to get a new link."
RETRY = "Open the link again."


def ask(person: Author, ticket: str, shown: str, action: str) -> str:
    """The first page: whose chat account it is, and what is about to happen.

    Args:
        shown: Digest of the cookie that goes along.
        action: Where the button leads.
    """
    place = place_name(person.surface)
    lines = [
        f"{called(person)} asks to be linked to the account that you choose at GitHub. Reviews, merges and"
        " whatever else they ask Threadline for is then done at GitHub as that account.",
        f"Go on only if you are {person.name}, and asked for this yourself. If somebody sent you this link,"
        " close this page.",
    ]
    fields = {"ticket": ticket, "page": shown}
    return web_pages.confirm(f"Link your {place} account to GitHub", lines, "Go on to GitHub", action, fields)


def one_step_left(person: Author, login: str) -> str:
    """After GitHub, before the person has confirmed it."""
    lines = [
        f"You signed in to GitHub as @{login}, to be linked to {called(person)}.",
        f"Go back to {place_name(person.surface)} and confirm there, in private, that @{login} is yours. Open"
        " that link in this browser. If you see none, write “link github” there.",
    ]
    return web_pages.page("One step is left", lines)


def ask_to_confirm(person: Author, login: str, ticket: str, shown: str, action: str) -> str:
    """What the link leads to that the person gets in chat then; arguments as in `ask`."""
    lines = [
        f"Reviews, merges and whatever else {called(person)} asks Threadline for will be done at GitHub as"
        f" @{login}.",
        "Confirm only if both are yours. If not, close this page and write “unlink github” in"
        f" {place_name(person.surface)}.",
    ]
    fields = {"ticket": ticket, "page": shown}
    title = f"Is @{login} your GitHub account?"
    return web_pages.confirm(title, lines, f"Yes, link @{login}", action, fields)


def done(person: Author, login: str) -> str:
    """The end of a link that counts."""
    lines = [
        f"{called(person)} is @{login} at GitHub.",
        "What you asked for goes on by itself. You can close this page.",
    ]
    return web_pages.page("Your account is linked", lines)


def no_evidence(person: Author, login: str) -> str:
    """Why an account was not linked, for a page that says that it was not."""
    return (
        f"Nothing shows that @{login} belongs to {called(person)}: Linear does not know it as theirs, and"
        " none of its verified addresses is theirs. Either connect it in Linear (Settings,"
        " Connected accounts), or add and verify at GitHub the address"
        f" that {place_name(person.surface)} knows. {AGAIN}"
    )


def called(person: Author) -> str:
    """Somebody's chat account, so that they know whether it is theirs."""
    return f"{person.name} in {place_name(person.surface)} (account {person.id})"
