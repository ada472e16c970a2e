"""Event types and the patterns that listen to them. How a pattern is looked up in the database is not known here."""


def fits(pattern: str, event_type: str) -> bool:
    """Whether the pattern hears the type: exact, or with a trailing `*` for any rest (`crm.deal.*`, `*`)."""
    return event_type.startswith(pattern[:-1]) if pattern.endswith("*") else event_type == pattern
