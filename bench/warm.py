"""What one response costs a process that already runs: `python -m bench.warm [RESPONSES]`.

Prints one JSON object: {"cpu_ms": [per response, user and system], "wall_ms": [per response]}. The processor time is
the whole process's, every thread of the engine included; what finishes late is charged to the next response.
The lab has to run in another process without latency: `bench.driver.respond_once` sees to it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable

from bench import driver

WARM_UP = 3
RESPONSES = 30

Call = Callable[[int], Awaitable[None]]


async def measure(respond_once: Call, responses: int) -> dict[str, list[float]]:
    """Milliseconds of processor time and of the clock for each response after the warm-up.

    Args:
        respond_once: answers one new case; its argument counts up from 0, warm-up included.
        responses: how many to measure.
    """
    for n in range(WARM_UP):
        await respond_once(n)
    cpu_ms: list[float] = []
    wall_ms: list[float] = []
    cpu, wall = time.process_time(), time.perf_counter()
    for n in range(WARM_UP, WARM_UP + responses):
        await respond_once(n)
        cpu_now, wall_now = time.process_time(), time.perf_counter()
        cpu_ms.append((cpu_now - cpu) * 1000)
        wall_ms.append((wall_now - wall) * 1000)
        cpu, wall = cpu_now, wall_now
    return {"cpu_ms": cpu_ms, "wall_ms": wall_ms}


def main() -> None:
    """Measure `bench.driver.respond_once` in this process and print the raw figures."""
    responses = int(sys.argv[1]) if len(sys.argv) > 1 else RESPONSES

    async def whole() -> dict[str, list[float]]:
        try:
            return await measure(driver.respond_once, responses)
        finally:
            await driver.close()

    sys.stdout.write(json.dumps(asyncio.run(whole())) + "\n")


if __name__ == "__main__":
    main()
