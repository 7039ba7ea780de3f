"""What is remembered of threads."""

from bots.teams.heard import HISTORY, TEXT_CHARS, THREADS, Heard
from core.events import ThreadMessage
from core.ids import ThreadRef

ONE = ThreadRef("teams", "t", "c", "1")


def said(id: str, text: str = "hello") -> ThreadMessage:
    return ThreadMessage("Ann", text, id)


def test_messages_stay_in_order_and_change_in_place() -> None:
    heard = Heard()
    for message in (said("1"), said("2"), said("1", "changed")):
        heard.put(ONE, message)
    assert heard.of(ONE) == [said("1", "changed"), said("2")]


def test_what_was_taken_back_is_forgotten() -> None:
    heard = Heard()
    heard.put(ONE, said("1"))
    heard.remove(ONE, "1")
    heard.remove(ONE, "never there")
    heard.remove(ThreadRef("teams", "t", "c", "2"), "1")
    assert heard.of(ONE) == []


def test_of_a_thread_the_last_messages_are_kept_and_of_a_message_its_beginning() -> None:
    heard = Heard()
    for number in range(HISTORY + 3):
        heard.put(ONE, said(str(number), "x" * (TEXT_CHARS + 1)))
    kept = heard.of(ONE)
    assert [message.id for message in kept] == [str(number) for number in range(3, HISTORY + 3)]
    assert {len(message.text) for message in kept} == {TEXT_CHARS}


def test_the_threads_that_were_last_active_are_kept() -> None:
    heard = Heard()
    threads = [ThreadRef("teams", "t", "c", str(number)) for number in range(THREADS)]
    for thread in (*threads, threads[0], ThreadRef("teams", "t", "c", "new")):
        heard.put(thread, said(thread.root))
    assert (len(heard.of(threads[0])), len(heard.of(threads[1]))) == (1, 0)
