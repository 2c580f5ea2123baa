"""The simulator's time, which tests and the lab can move."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """Seconds since 1970. Runs with the host's clock, or stands still from `frozen_at`; `advance` moves either."""

    def __init__(self, frozen_at: float | None = None) -> None:
        self._frozen_at = frozen_at
        self._offset = 0.0

    def now(self) -> float:
        return (time.time() if self._frozen_at is None else self._frozen_at) + self._offset

    def advance(self, seconds: float) -> None:
        self._offset += seconds

    def local_time(self) -> datetime:
        """The naive date and time by which schedules are judged (UTC)."""
        return datetime.fromtimestamp(self.now(), UTC).replace(tzinfo=None)
