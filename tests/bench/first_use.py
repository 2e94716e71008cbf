"""What one waits for when the compiled driver is used for the first time, and the second."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from told import Effort, at_least, at_most, elsewhere

FIRST_CALL = """
import json, sys, time
sys.path.insert(0, {folder!r})
from settings import S1, s2, world
given = world({given})
wall, cpu = time.perf_counter(), time.process_time()
from ckptsim.drivers.compiled import driver
driver.simulate(given, 0, stays=False)
print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu]))
"""
ROUNDS = 3
WORLDS = {"a lone job": "S1", "a pool": "s2(10)"}


def rows(_: Effort) -> Iterator[str]:
    for what, given in WORLDS.items():
        rounds = [both(given) for _ in range(ROUNDS)]
        cold, cold_cpu, warm, warm_cpu = map(median, zip(*rounds, strict=True))
        yield (
            f"| first use, {what} | {cold:.1f} s on the wall, {cold_cpu:.1f} s of CPU "
            f"{at_most(cold_cpu, 15)} |"
        )
        less = median(first / second for _, first, _, second in rounds)
        yield f"| from the cache | {warm:.2f} s, {warm_cpu:.2f} s of CPU |"
        yield f"| first use / from the cache | {less:.0f} × {at_least(less, 10)} |"


def both(given: str) -> tuple[float, float, float, float]:
    """Seconds of the first use, wall and CPU, and of the next, in processes of their own."""
    code = FIRST_CALL.format(folder=str(Path(__file__).parent), given=given)
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"XDG_CACHE_HOME": cache}
        environment.pop("NUMBA_CACHE_DIR", None)
        first, second = elsewhere(code, environment), elsewhere(code, environment)
    return (*first, *second)
