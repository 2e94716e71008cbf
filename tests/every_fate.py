"""Every fate of a lease, gone through by the rules: a judge that knows nothing of probability.

Where evictions and power failures have a handful of possible ages, a lease has a handful of fates;
the mean over all of them is the truth, without sampling and without mathematics.
"""

from fractions import Fraction
from itertools import product
from math import inf, isclose

from hypothesis import assume
from hypothesis import strategies as st

from ckptsim import ledger
from ckptsim.exact import Solver
from ckptsim.ledger import Category
from ckptsim.lifetimes import Constant, Empirical, Never
from ckptsim.makespan import Whole, blocks_of
from ckptsim.rules import (
    NEVER,
    Costs,
    Event,
    Job,
    Lease,
    Phase,
    begins_round,
    on_slot,
    step,
    upcoming,
)
from ckptsim.scenario import load
from ckptsim.units import MINUTE, SECOND
from ckptsim.world import cost_laws, world_of


def at(**given):
    return load(None, {key.replace("__", "."): value for key, value in given.items()})


def ends_after(*minutes):
    return Empirical(tuple(60.0 * age for age in minutes))


def makespan(scenario, interval):
    """The mean makespan by makespan.py, seconds."""
    solver = Solver(scenario)
    return Whole(solver, blocks_of(solver, interval)).makespan


def fates(scenario):
    """(chance, lease) of all the fates of a lease placed at 0, each written out as instants."""
    slots = scenario.slots
    limit = NEVER if slots.limit is None else slots.limit
    for warned, powered_off in product(ages(slots.evictions), ages(slots.power_failures)):
        noticed = powered_off + slots.contact_lease
        lease = Lease(0, limit, warned, warned + slots.grace, powered_off, noticed)
        yield Fraction(1, len(ages(slots.evictions)) * len(ages(slots.power_failures))), lease


def ages(law):
    return (NEVER,) if isinstance(law, Never) else [round(t * SECOND) for t in law.values]


def spend(plan, lease, job):
    """The job after one lease that begins at 0, how long that took, and the lease's ledger."""
    books, now, event = ledger.opened(), 0, Event.PLACED
    job = job._replace(since=0)
    while True:
        before, job = job, step(plan, plan.usual, lease, job, event, now)
        ledger.charge(books, before, event, job)
        if not on_slot(job.phase):
            return job, now, books
        now, event = upcoming(job, lease)


def from_a_checkpoint():
    return Job(Phase.QUEUED, 0, NEVER, 0, 0, 1, 0)


def ledger_by_enumeration(scenario, interval):
    """Mean nanoseconds of each category, of a lease from a checkpoint in a job without end."""
    plan = world_of(scenario, interval).without_end().plan
    total = [Fraction(0)] * len(Category)
    for chance, lease in fates(scenario):
        _, end, books = spend(plan, lease, from_a_checkpoint())
        assert sum(books) == end
        total = [so_far + chance * spent for so_far, spent in zip(total, books, strict=True)]
    return [float(spent) for spent in total]


def lease_by_enumeration(scenario, interval):
    """Mean work and slot time (ns) of a lease from a checkpoint in a job without end."""
    books = ledger_by_enumeration(scenario, interval)
    return books[Category.USEFUL], sum(books)


def random_costs_by_enumeration(scenario, interval):
    """The ledger where costs are `empirical`: the rules go through every costs there can be too."""
    plan = world_of(scenario, interval).without_end().plan
    rounds = [Costs(*costs) for costs in product(*map(values_of, cost_laws(scenario.job)))]
    total = [Fraction(0)] * len(Category)

    def follow(job, now, event, costs, lease, books, chance):
        while True:
            before, job = job, step(plan, costs, lease, job, event, now)
            ledger.charge(books, before, event, job)
            if not on_slot(job.phase):
                for place, spent in enumerate(books):
                    total[place] += chance * spent
                return
            now, event = upcoming(job, lease)
            if begins_round(before, job):
                for drawn in rounds:
                    follow(job, now, event, drawn, lease, list(books), chance / len(rounds))
                return

    for chance, lease in fates(scenario):
        for drawn in rounds:
            start = from_a_checkpoint(), 0, Event.PLACED
            follow(*start, drawn, lease, ledger.opened(), chance / len(rounds))
    return [float(spent) for spent in total]


def values_of(law):
    values = law.values if isinstance(law, Empirical) else [law.mean]
    return [round(value * SECOND) for value in values]


def makespan_by_enumeration(scenario, interval):
    """Mean time (ns) from first queueing to completion, as a Markov chain over what is saved."""
    plan = world_of(scenario, interval).plan._replace(fruitless_max=NEVER)
    gap = round(scenario.slots.gap.mean * SECOND)
    known = {}

    def to_come(saved, checkpoints):
        """From a state the same again has chance `stay`; all others have more saved."""
        key = saved, checkpoints > 0
        if key not in known:
            stay, total = Fraction(0), 0
            for chance, lease in fates(scenario):
                job = Job(Phase.QUEUED, 0, NEVER, saved, 0, checkpoints, 0)
                after, end, _ = spend(plan, lease, job)
                total += chance * end
                if after.phase != Phase.COMPLETED:
                    total += chance * gap
                    if after.saved == saved:
                        stay += chance
                    else:
                        total += chance * to_come(after.saved, 1) if total < inf else 0
            known[key] = inf if stay == 1 else total / (1 - stay)
        return known[key]

    first = gap if scenario.slots.first_gap else 0
    return float(first + to_come(0, 0))


# Whole minutes, few of them: commits tie with limits, warnings, hard kills and power failures.
COST = st.integers(0, 6)
NO_WORK = st.none()
NO_POWER_FAILURES = st.just(Never())
AGES = st.just(Never()) | st.lists(st.integers(0, 60), min_size=1, max_size=4).map(
    lambda found: Empirical(tuple(60.0 * age for age in found))
)


@st.composite
def scenarios(draw, grace_most=12, work=NO_WORK, power_failures=AGES):
    def time(strategy):
        return draw(strategy) * MINUTE

    limit = draw(st.none() | st.integers(1, 60))
    evictions, failures = draw(AGES), draw(power_failures)
    assume(limit or isinstance(evictions, Empirical) or isinstance(failures, Empirical))
    worklife = draw(st.none() | st.integers(0, 40))
    interval = time(st.integers(1, 30))
    job_work = draw(work)
    costs = ("input", "cold_start", "restart_lease", "restart_in_place", "write", "transfer")
    given_costs = {f"job.{name}": Constant(60.0 * draw(COST)) for name in costs}
    scenario = load(
        None,
        {
            **given_costs,
            "job.restart_in_place": Constant(60.0 * draw(st.sampled_from([0, 1, 7, 40]))),
            "job.transfer": Constant(60.0 * draw(st.sampled_from([0, 1, 5, 15]))),
            "job.work": f"{job_work} min" if job_work else "none",
            "job.leave_early": draw(st.booleans()),
            "job.last_checkpoint": draw(st.booleans()),
            "slots.limit": f"{limit} min" if limit else "none",
            "slots.evictions": evictions,
            "slots.power_failures": failures,
            "slots.grace": f"{draw(st.integers(0, grace_most))} min",
            "slots.contact_lease": f"{draw(st.integers(0, 20))} min",
            "slots.claim_worklife": "none" if worklife is None else f"{worklife} min",
            "slots.gap": Constant(60.0 * draw(st.integers(0, 9))),
            "slots.first_gap": draw(st.booleans()),
        },
    )
    return scenario, interval


def close(found, true):
    return isclose(found, true, rel_tol=1e-9, abs_tol=1e-6)


@st.composite
def random_costs(draw):
    """A scenario with two or three random costs of whole minutes, and few rounds in a lease."""

    def law(most):
        return Empirical(tuple(60.0 * draw(st.integers(0, most)) for _ in range(2)))

    worklife = draw(st.none() | st.integers(5, 30))
    scenario = at(
        job__write=law(5),
        job__transfer=draw(st.sampled_from([Constant(0.0), Constant(120.0), law(4)])),
        job__restart_in_place=draw(st.sampled_from([Constant(0.0), law(3)])),
        job__restart_lease=Constant(60.0 * draw(st.integers(0, 4))),
        job__leave_early=draw(st.booleans()),
        slots__limit=f"{draw(st.integers(10, 40))} min",
        slots__evictions=draw(AGES),
        slots__claim_worklife="none" if worklife is None else f"{worklife} min",
    )
    return scenario, draw(st.integers(6, 20)) * MINUTE
