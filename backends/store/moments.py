"""Moments as both stores keep them: whole microseconds since 1970, so that nothing is rounded on the way."""

from datetime import UTC, datetime, timedelta

from bot.engine.ports import Stored

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_microseconds(moment: datetime) -> int:
    """Microseconds since 1970 of an aware moment."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def stored(seq: int, at: str | int, body: str) -> Stored:
    """A record as it was read. One from no time is none of ours: it comes empty, for the journal to call it damaged."""
    try:
        return Stored(seq=seq, at=from_microseconds(int(at)), body=body)
    except (ValueError, OverflowError):
        return Stored(seq=seq, at=_EPOCH, body="")
