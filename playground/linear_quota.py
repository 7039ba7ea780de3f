"""Linear's two leaky buckets per caller: requests and complexity points, constantly refilled. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from playground.linear_clock import epoch_ms

PERIOD = timedelta(hours=1)


@dataclass(slots=True)
class Bucket:
    limit: float
    remaining: float
    at: datetime

    def refill(self, now: datetime) -> None:
        gained = self.limit * ((now - self.at) / PERIOD)
        self.remaining = min(self.limit, self.remaining + gained)
        self.at = now

    def wait(self, amount: float) -> timedelta:
        """How long until `amount` is there."""
        return PERIOD * max(0.0, (amount - self.remaining) / self.limit)


class Quota:
    """What one caller may still ask for.

    Args:
        requests: Requests per hour.
        points: Complexity points per hour.
    """

    def __init__(self, requests: float, points: float, now: datetime) -> None:
        self.requests = Bucket(requests, requests, now)
        self.points = Bucket(points, points, now)

    def take(self, points: int, now: datetime) -> timedelta | None:
        """Take one request and `points`, or nothing if one of them is short: then say how long to wait."""
        self.requests.refill(now)
        self.points.refill(now)
        wait = max(self.requests.wait(1), self.points.wait(points))
        if wait > timedelta():
            return wait
        self.requests.remaining -= 1
        self.points.remaining -= points
        return None

    def headers(self, points: int) -> dict[str, str]:
        return {
            "X-Complexity": str(points),
            **_headers("Requests", self.requests),
            **_headers("Complexity", self.points),
        }


def _headers(name: str, bucket: Bucket) -> dict[str, str]:
    return {
        f"X-RateLimit-{name}-Limit": str(int(bucket.limit)),
        f"X-RateLimit-{name}-Remaining": str(int(bucket.remaining)),
        f"X-RateLimit-{name}-Reset": str(epoch_ms(bucket.at + bucket.wait(bucket.limit))),
    }
