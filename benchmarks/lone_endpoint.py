"""The endpoint of `servers.py` as a process of its own: `python -m benchmarks.lone_endpoint PORT`.

It answers until it is told to end, and does nothing else.
"""

import asyncio
import signal
import sys

import uvloop

from benchmarks.servers import endpoint


async def main(port: int) -> None:
    """Answer until SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with endpoint(port):
        await stopped.wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
