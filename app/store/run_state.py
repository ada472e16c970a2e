"""The states of a run that mean something to queries."""

ENDED = ("completed", "failed", "cancelled", "timed_out")
"""Statuses a run never leaves."""
