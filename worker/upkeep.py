"""Has upkeep run: at a worker's start, and from then on by the Temporal Schedule. A pass itself is not known here."""

import asyncio
import logging
from datetime import timedelta

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from app.settings import Settings
from app.temporal.names import UPKEEP_SCHEDULE
from app.temporal.schedule import ensure_upkeep, run_upkeep_now

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
REFUSED = (
    RPCStatusCode.PERMISSION_DENIED,
    RPCStatusCode.UNAUTHENTICATED,
    RPCStatusCode.UNIMPLEMENTED,
    RPCStatusCode.INVALID_ARGUMENT,
)

_log = logging.getLogger(__name__)


async def schedule_upkeep(client: Client, settings: Settings) -> None:
    """Make sure of the schedule and begin a pass. Tries again while Temporal is away; a refusal is said and taken."""
    every = timedelta(seconds=settings.upkeep_interval_seconds)
    pause = FIRST_PAUSE
    while True:
        try:
            made = await ensure_upkeep(client, every)
            await run_upkeep_now(client)
        except RPCError as error:
            if error.status in REFUSED:
                _log.error("Temporal refuses; somebody else must make schedule %s: %s", UPKEEP_SCHEDULE, error)
                return
            _log.warning("the schedule %s cannot be made sure of yet: %s", UPKEEP_SCHEDULE, error)
        else:
            how = "made" if made else "there"
            _log.info("upkeep every %d s: schedule %s is %s", settings.upkeep_interval_seconds, UPKEEP_SCHEDULE, how)
            return
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
