"""How long things may take in tests, in one place."""

SOON = 0.25
"""Seconds of processor time an expression may take, whatever is written and whatever data comes. The bound is a tenth
of a second on a quiet machine; tests allow two and a half times that, since caches are shared with what runs beside."""

STEP_SOON = 5 * SOON
"""The same for all items of a filter or aggregate step, which may do five times the work of an expression."""
