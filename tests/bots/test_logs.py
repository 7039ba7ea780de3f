"""A log line is one event with its fields, and holds no secret."""

import io
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from bots.logs import EventFormatter, set_up_logging

SECRET = "hunter2"


def redact(text: str) -> str:
    return text.replace(SECRET, "[redacted]")


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    logger = logging.getLogger("tests.bots.logs")
    logger.propagate = False
    yield logger
    logger.handlers.clear()
    logger.propagate = True


@pytest.fixture
def written(log: logging.Logger) -> io.StringIO:
    """What the log wrote so far."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(EventFormatter(redact))
    log.addHandler(handler)
    return stream


@pytest.fixture
def _as_it_was() -> Iterator[None]:
    """Logging is set up for the whole process: put it back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    chatty = {name: logging.getLogger(name).level for name in ("dbos", "httpx", "slack_sdk")}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, was in chatty.items():
        logging.getLogger(name).setLevel(was)


def test_a_line_has_its_time_level_event_and_fields() -> None:
    record = logging.makeLogRecord(
        {
            "msg": "linear delivery refused",
            "levelname": "WARNING",
            "created": datetime(2026, 1, 31, 10, 2, 11, tzinfo=UTC).timestamp(),
            "status": 401,
            "reason": "signature does not match",
        }
    )
    assert EventFormatter(redact).format(record) == (
        '2026-01-31T10:02:11Z WARNING linear delivery refused status=401 reason="signature does not match"'
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "plain"),
        (7, "7"),
        (None, "None"),
        ("", '""'),
        ("two words", '"two words"'),
        ("a=b", '"a=b"'),
        ('say "hi"', r'"say \"hi\""'),
        ("line\nline", r'"line\nline"'),
        ("Zoë", "Zoë"),
        ("Zoë W", '"Zoë W"'),
    ],
)
def test_a_field_reads_as_one_word(
    value: object, shown: str, log: logging.Logger, written: io.StringIO
) -> None:
    log.warning("event", extra={"field": value})
    assert written.getvalue().endswith(f"WARNING event field={shown}\n")


def test_no_secret_is_written(log: logging.Logger, written: io.StringIO) -> None:
    try:
        raise ValueError(f"bad key {SECRET}")
    except ValueError:
        log.exception("call to %s failed", SECRET, extra={"url": f"https://{SECRET}@host"})
    text = written.getvalue()
    assert "ValueError: bad key [redacted]" in text
    assert "ERROR call to [redacted] failed url=https://[redacted]@host\n" in text
    assert SECRET not in text


@pytest.mark.usefixtures("_as_it_was")
def test_logging_goes_to_standard_error_from_the_level_on(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO", redact)
    logging.getLogger("core.service").info("turn began", extra={"session": SECRET})
    logging.getLogger("core.service").debug("not told")
    logging.getLogger("httpx").info("not told either")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("INFO turn began session=[redacted]\n")
    assert len(err.splitlines()) == 1


@pytest.mark.usefixtures("_as_it_was")
def test_setting_up_twice_writes_once(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO", redact)
    set_up_logging("INFO", redact)
    logging.getLogger("core").warning("event")
    assert len(capsys.readouterr().err.splitlines()) == 1
