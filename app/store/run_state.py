"""The states of a run that mean something to queries."""

ENDED = ("completed", "failed", "cancelled", "timed_out")
"""Statuses a run never leaves."""
UNDER_WAY = ("running", "waiting", "paused", "held")
"""Statuses of a run that Temporal has: it has begun and not ended."""
