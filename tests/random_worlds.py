"""Random scenarios with everything there is, for tests that compare drivers; small ones.

Half of them have all times in small multiples of a minute, so that much happens at once.
"""

import random

from ckptsim.policy import Row
from ckptsim.scenario import load
from ckptsim.units import MINUTE
from ckptsim.world import pool_world

FRUITLESS_MOST = 12  # else a job that fits into the rarest of leases only tries for long
COSTS = ("write", "restart_in_place", "restart_lease", "cold_start")
MODES = ("exit code", "exit signal", "periodic signal", "early exit", "manual")
MODES_WITHOUT_LINK = (*MODES, "delayed", "delayed signal", "none")


class Draw:
    """The choices that make up a scenario."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.ties = self.random.random() < 0.5

    def one(self, *values):
        return self.random.choice(values)

    def maybe(self, share):
        return self.random.random() < share

    def minutes(self, least, most):
        if self.ties:
            return f"{self.random.randint(least, most)}min"
        return f"{self.random.uniform(max(least, 0.01), most):.4f}min"

    def cost(self, most=9):
        constant = self.minutes(0, most)
        if self.ties:
            return constant
        mean = self.random.uniform(0.1, most)
        return self.one(
            constant,
            f"exponential(mean={mean:.3f}min)",
            f"uniform(0, {2 * mean:.3f}min)",
            f"lognormal(median={mean:.3f}min, sigma=1.2)",
            f"gamma(mean={mean:.3f}min, cv=0.7)",
        )

    def hazard(self, least, most):
        constant = f"constant({self.minutes(least, most)})"
        if self.ties:
            return constant
        mean = self.random.uniform(least, most)
        return self.one(
            constant,
            f"exponential(mean={mean:.3f}min)",
            f"weibull(shape=0.7, mean={mean:.3f}min)",
            f"mixture(0.5: constant({mean:.3f}min), 0.5: exponential(mean={mean:.3f}min))",
        )


def job_of(draw, linked, stepped):
    mode = draw.one(*(MODES if linked else MODES_WITHOUT_LINK)) if draw.maybe(0.5) else "exit code"
    given = {"mode": mode, "user": draw.one("ada", "bob", "cy"), "count": draw.one(1, 1, 2, 3, 5)}
    given |= {cost: draw.cost() for cost in COSTS if draw.maybe(0.6)}
    given["work"] = draw.minutes(1, 240)
    if stepped and mode not in ("periodic signal", "delayed signal"):
        given["steps"] = [draw.minutes(1, 40) for _ in range(draw.random.randint(1, 8))]
        del given["work"]
    if linked:
        given["size"] = draw.one("1 MB", "60 MB", "200 MB", "777777777 B")
        given |= {"input_size": draw.one("30 MB", "500 MB")} if draw.maybe(0.5) else {}
        if mode == "none":
            del given["size"]
    else:
        given |= {"transfer": draw.cost(), "input": draw.cost()}
    if mode != "none":
        given["last_checkpoint"] = draw.maybe(0.3)
    if mode not in ("none", "delayed", "delayed signal"):
        given["leave_early"] = draw.maybe(0.3)
    given |= {"priority": draw.random.randint(-2, 2)} if draw.maybe(0.5) else {}
    staggered = draw.maybe(0.3) and mode not in ("none", "delayed signal")
    given |= {"stagger": True} if staggered else {}
    return given | arrivals_of(draw, given["count"])


def arrivals_of(draw, count):
    if draw.maybe(0.5):
        return {}
    if draw.maybe(0.5):
        return {"arrivals": draw.cost(30)}
    times = sorted(draw.random.randint(0, 90) for _ in range(count))
    return {"arrival_times": [f"{time}min" for time in times]}


def slots_of(draw):
    given = {"count": draw.one(1, 1, 2, 3), "limit": draw.one("none", draw.minutes(20, 200))}
    given |= {"evictions": draw.hazard(5, 200)} if draw.maybe(0.6) else {}
    given |= {"power_failures": draw.hazard(30, 300)} if draw.maybe(0.3) else {}
    given |= {"grace": draw.minutes(0, 12)} if draw.maybe(0.5) else {}
    given |= {"retirement": draw.minutes(0, 60)} if draw.maybe(0.4) else {}
    given |= {"absence": draw.cost(30)} if draw.maybe(0.5) else {}
    given |= {"speed": draw.one(1, 2, 0.5, 1.37, 0.333)} if draw.maybe(0.4) else {}
    given["contact_lease"] = draw.minutes(0, 40)
    if draw.maybe(0.3):
        given["availability"] = windows_of(draw, given["count"])
    return given


def windows_of(draw, slots):
    found = []
    for slot in range(slots):
        at = draw.random.randint(0, 60)
        for _ in range(draw.one(0, 1, 4, 12)):
            lasts, away = draw.random.randint(1, 150), draw.random.randint(1, 90)
            found.append((slot, f"{at}min", f"{at + lasts}min"))
            at += lasts + away
    return found or [(0, "0s", "100min")]


def domains_of(draw, kinds):
    found = {}
    for name, size in (("rack", draw.one(1, 2)), ("room", draw.one(2, 4))):
        if draw.maybe(0.7):
            found[name] = {"size": size, "power_failures": draw.hazard(40, 600)}
            found[name] |= {"repair": draw.cost(40)} if draw.maybe(0.8) else {}
            found[name] |= {"kinds": draw.one(*kinds)} if draw.maybe(0.3) else {}
    return found


def link_of(draw):
    given = {"bandwidth": draw.one("1 MB/s", "4 MB/s", "13 MB/s")}
    if draw.maybe(0.6):
        given["at_most"] = draw.one(1, 1, 2, 3)
        given |= {"bypass": "50 MB"} if draw.maybe(0.5) else {}
    given["fetch_checkpoint"] = draw.maybe(0.6)
    return given


def settings_of(draw, stepped):
    linked = draw.maybe(0.5)
    classes = {name: job_of(draw, linked, stepped) for name in "abc"[: draw.one(1, 1, 2, 3)]}
    kinds = {name: slots_of(draw) for name in ("x", "y")[: draw.one(1, 1, 2)]}
    given = {"classes": classes, "kinds": kinds, "seed": draw.random.randrange(2**40)}
    given |= {"link": link_of(draw)} if linked else {}
    given |= {"domains": domains_of(draw, list(kinds))} if draw.maybe(0.35) else {}
    slots = {"gap": draw.cost()} if draw.maybe(0.5) else {}
    slots |= {"first_gap": True} if draw.maybe(0.2) else {}
    slots |= {"claim_worklife": draw.minutes(0, 90)} if draw.maybe(0.4) else {}
    queue = {"order": draw.one("submission", "priority", "fair share")}
    queue |= {"cycle": draw.minutes(1, 10)} if draw.maybe(0.3) else {}
    queue |= {"half_life": draw.minutes(10, 100)} if draw.maybe(0.5) else {}
    given |= {"slots": slots, "queue": queue}
    if draw.maybe(0.3):
        given |= {"duration": draw.minutes(100, 500), "batches": draw.one(2, 5)}
        given |= {"warm_up": draw.minutes(0, 90)} if draw.maybe(0.5) else {}
        for job in classes.values():
            if draw.maybe(0.3) and job["mode"] != "none" and "steps" not in job:
                del job["work"]
    return given


def lone_of(draw, stepped):
    """One job on one slot: the chain."""
    job, slots = job_of(draw, linked=False, stepped=stepped), slots_of(draw)
    for key in ("user", "priority", "stagger", "arrivals", "arrival_times"):
        job.pop(key, None)
    for key in ("speed", "availability"):
        slots.pop(key, None)
    slots |= {"gap": draw.cost()} if draw.maybe(0.5) else {}
    slots |= {"claim_worklife": draw.minutes(0, 90)} if draw.maybe(0.4) else {}
    slots["first_gap"] = draw.maybe(0.3)
    return {
        "job": {**job, "count": 1},
        "slots": {**slots, "count": 1},
        "seed": draw.random.randrange(2**40),
    }


def table_of(draw):
    """What to compute at which age of a lease: a plan that looks at the clock."""
    ages = [0, *sorted({draw.random.randint(1, 200) for _ in range(3)})]
    computes = [draw.random.randint(2, 50) * MINUTE for _ in ages]
    ends = [draw.random.randint(2, 50) * MINUTE for _ in ages]
    rows = zip(ages, computes, ends, strict=True)
    return tuple(Row(age * MINUTE, compute, end) for age, compute, end in rows)


def random_world(seed, *, lone, stepped=False):
    """The world of a seed; with steps and tables, which compiled code takes another type for."""
    draw = Draw(seed)
    given = lone_of(draw, stepped) if lone else settings_of(draw, stepped)
    scenario = load(None, given)
    intervals = [draw.random.randint(3, 80) * MINUTE for _ in scenario.job_classes]
    table, leave = (), None
    if stepped and draw.maybe(0.5):
        table, leave = table_of(draw), draw.one(None, 150 * MINUTE)
    world = pool_world(scenario, intervals, table, leave)
    hasty = (plan._replace(fruitless_max=FRUITLESS_MOST) for plan in world.plans)
    return type(world)(scenario, tuple(hasty))
