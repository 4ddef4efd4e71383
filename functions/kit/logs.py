"""Logs as JSON, one line a record."""

import json
import logging
import sys
from typing import Final

# Fields of ours that a record may carry beside its message.
_EXTRA: Final = ("tag", "error", "traceback", "address", "kind")


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object. Never formats an exception: its text may quote a secret."""

    def format(self, record: logging.LogRecord) -> str:
        """Format one record."""
        line: dict[str, object] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update({key: getattr(record, key) for key in _EXTRA if hasattr(record, key)})
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line)


def configure(*, debug: bool) -> None:
    """Send all logs to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.DEBUG if debug else logging.INFO, handlers=[handler], force=True)
