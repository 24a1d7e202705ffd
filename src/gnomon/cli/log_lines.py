"""How the operator tells what it does: lines for a person at a terminal, JSON for everything else."""

import json
import logging
import os
import sys
from datetime import UTC, datetime

from gnomon.cli.output import cell_text
from gnomon.errors import UsageError

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_CHATTY = ("alembic", "sqlalchemy", "uvicorn", "httpx")
_TOLD_AS_EVENTS = frozenset({"source_unavailable", "commit_taken_up", "pass", "routes_written", "gateway_started"})


def configure_logging() -> None:
    """Let the operator's log go to standard error. ``GNOMON_LOG`` sets the least level.

    Raises:
        UsageError: ``GNOMON_LOG`` is no level.
    """
    level = os.environ.get("GNOMON_LOG", "INFO").upper()
    if level not in _LEVELS:
        raise UsageError(f"GNOMON_LOG is {level!r}, which is no level", f"set it to one of {', '.join(_LEVELS)}")
    handler = logging.StreamHandler(sys.stderr)
    if sys.stderr.isatty():
        handler.setFormatter(PlainLines())
        handler.addFilter(News(everything=level == "DEBUG"))
    else:
        handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler])
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, event, fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"at": at, "level": record.levelname.lower(), "event": record.getMessage(), **_fields(record)}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class PlainLines(logging.Formatter):
    """A line for a person: the time here, what it is about, what happened."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        mark = "!" if record.levelno >= logging.WARNING else " "
        line = f"{at} {mark} {_spoken(record)}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class News(logging.Filter):
    """Passes what a person has not read yet: no warning twice in a row, and nothing that an event tells as well."""

    def __init__(self, *, everything: bool = False) -> None:
        super().__init__()
        self._everything = everything
        self._last = ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is news."""
        if self._everything:
            return True
        spoken = _spoken(record)
        is_news = record.getMessage() not in _TOLD_AS_EVENTS and spoken != self._last
        if is_news:
            self._last = spoken
        return is_news


def _spoken(record: logging.LogRecord) -> str:
    fields = _fields(record)
    if record.getMessage() == "event":
        return cell_text(f"{fields['resource']}: {fields['reason']}: {fields['text']}")
    what = record.getMessage().replace("_", " ")
    cause, mend = fields.pop("cause", None), fields.pop("mend", None)
    if cause:
        what += f": {cause}" + (f" ({mend})" if mend else "")
    return cell_text(what + "".join(f"  {name}={value}" for name, value in fields.items()))


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}
