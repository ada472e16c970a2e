"""When the worker sweeps: at its start, then at a steady pace. What a sweep does is `services.upkeep`'s."""

import asyncio
import logging

from app.services import upkeep
from app.services.platform import Platform

PACE_SECONDS = 10.0

_log = logging.getLogger(__name__)


async def sweep_for_ever(platform: Platform, *, pace: float = PACE_SECONDS) -> None:
    """Sweep until cancelled. A sweep that fails (the database is away, say) is said, and the next one tries again."""
    while True:
        try:
            swept = await upkeep.sweep(platform)
        except Exception as error:
            _log.warning("a sweep failed, the next one is in %.0f s: %s", pace, error)
        else:
            if swept != upkeep.Swept():
                _log.info("swept: %d runs started, %d events dispatched", swept.runs_started, swept.events_dispatched)
        await asyncio.sleep(pace)
