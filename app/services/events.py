"""Events, as the rest of the services and every process use them: what is done with them stands in the modules named
here."""

from app.services.dispatching import UNDISPATCHED_FOR, dispatch_pending
from app.services.emitting import ChainTooDeep, Emitted, dispatch_emitted, emit
from app.services.envelopes import MAX_EVENTS, check, run_key
from app.services.ingesting import Ingested, ingest

__all__ = [
    "MAX_EVENTS", "UNDISPATCHED_FOR", "ChainTooDeep", "Emitted", "Ingested", "check", "dispatch_emitted",
    "dispatch_pending", "emit", "ingest", "run_key",
]  # fmt: skip
