"""Rate limits: a token bucket for each method, and one for the posts of each channel.

Slack publishes the tiers (requests a minute) but not how much burst it tolerates; a bucket here holds one minute's
worth, and ten posts for a channel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from lab.slack.clock import Clock

PER_MINUTE = {1: 1, 2: 20, 3: 50, 4: 100}
SPECIAL = 600
POSTS_PER_SECOND = 1.0
POST_BURST = 10


@dataclass
class Bucket:
    """`level` requests may still be made now; it refills by `rate` a second up to `size`."""

    size: float
    rate: float
    level: float
    at: float

    def take(self, now: float) -> int:
        """0 when the request is within the limit, otherwise the whole seconds to wait."""
        self.level = min(self.size, self.level + (now - self.at) * self.rate)
        self.at = now
        if self.level >= 1:
            self.level -= 1
            return 0
        return math.ceil((1 - self.level) / self.rate)


@dataclass
class Limits:
    clock: Clock
    enabled: bool = False
    buckets: dict[str, Bucket] = field(default_factory=dict)

    def wait(self, method: str, tier: int | None, channel: str | None) -> int:
        """Seconds for Retry-After; 0 when the call may go on."""
        if not self.enabled:
            return 0
        if method == "chat.postMessage" and channel:
            return self.take(f"post:{channel}", POST_BURST, POSTS_PER_SECOND)
        size = PER_MINUTE[tier] if tier else SPECIAL
        return self.take(method, size, size / 60)

    def take(self, name: str, size: float, rate: float) -> int:
        now = self.clock.now()
        return self.buckets.setdefault(name, Bucket(size, rate, size, now)).take(now)
