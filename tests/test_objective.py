"""What is to be best: how it is written, and what comes out, against theory.md and brute force."""

from functools import cache
from itertools import pairwise
from math import inf

import numpy as np
import pytest
from every_fate import at, makespan
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptsim.drivers.virtual import simulate
from ckptsim.errors import ScenarioError
from ckptsim.exact import Solver
from ckptsim.makespan import Whole, blocks_of
from ckptsim.makespan_law import makespan_law
from ckptsim.objective import LAW_POINTS, Kind, Objective, objective
from ckptsim.search import Search, worth
from ckptsim.units import HOUR, MINUTE, SECOND
from ckptsim.world import world_of

# How it is written.


@pytest.mark.parametrize(
    ("text", "kind", "parameter", "per_bytes"),
    [
        ("useful", Kind.USEFUL, 0, None),
        (" Makespan ", Kind.MAKESPAN, 0, None),
        ("quantile(0.9)", Kind.QUANTILE, 0.9, None),
        ("quantile( .95 )", Kind.QUANTILE, 0.95, None),
        ("quantile(95%)", Kind.QUANTILE, 0.95, None),
        ("quantile(99.5 %)", Kind.QUANTILE, 0.995, None),
        ("deadline(48h)", Kind.DEADLINE, 48 * HOUR, None),
        ("DEADLINE(2d 3h)", Kind.DEADLINE, 51 * HOUR, None),
        ("deadline(36:00:00)", Kind.DEADLINE, 36 * HOUR, None),
        ("weighted(30s)", Kind.WEIGHTED, 30 * SECOND, None),
        ("weighted(0s)", Kind.WEIGHTED, 0, None),
        ("weighted(30s/GiB)", Kind.WEIGHTED, 30 * SECOND, 2**30),
        ("weighted(30s / 1.5 GB)", Kind.WEIGHTED, 30 * SECOND, 1_500_000_000),
        ("weighted(1min/500MB)", Kind.WEIGHTED, MINUTE, 500_000_000),
    ],
)
def test_all_forms(text, kind, parameter, per_bytes):
    found = objective(text)
    assert (found.kind, found.per_bytes) == (kind, per_bytes)
    assert found.parameter == pytest.approx(parameter, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no such objective"),
        ("fastest", "no such objective"),
        ("quantil(0.9)", "no such objective"),
        ("useful(3)", "useful takes no parameter"),
        ("makespan()", "makespan takes no parameter"),
        ("quantile", "incomplete"),
        ("quantile(0.9", "incomplete"),
        ("quantile(0.9)x", "incomplete"),
        ("quantile()", "a share between 0 and 1"),
        ("quantile(0)", "a share between 0 and 1"),
        ("quantile(1)", "a share between 0 and 1"),
        ("quantile(90)", "a share between 0 and 1"),
        ("quantile(-0.5)", "a share between 0 and 1"),
        ("quantile(nan)", "a share between 0 and 1"),
        ("quantile(100%)", "a share between 0 and 1"),
        ("quantile(p)", "a share between 0 and 1"),
        ("deadline", "incomplete"),
        ("deadline()", "empty"),
        ("deadline(48)", "no unit"),
        ("deadline(-2h)", "negative"),
        ("deadline(2 parsecs)", "no unit of time"),
        ("weighted", "incomplete"),
        ("weighted()", "empty"),
        ("weighted(GiB)", "not a duration"),
        ("weighted(30s/)", "how many bytes"),
        ("weighted(30s/min)", "no unit of size"),
        ("weighted(30s/0 GB)", "more than 0"),
        ("deadline(0s)", "more than 0"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(text, told):
    with pytest.raises(ScenarioError, match=told) as caught:
        objective(text)
    assert "\n" not in str(caught.value)


@given(
    st.one_of(
        st.sampled_from(["useful", "makespan"]),
        st.floats(0.001, 0.999).map(lambda p: f"quantile({p!r})"),
        st.integers(1, 10**7).map(lambda n: f"deadline({n} s)"),
        st.integers(0, 10**6).map(lambda n: f"weighted({n} ms)"),
        st.tuples(st.integers(0, 10**6), st.integers(1, 10**12)).map(
            lambda pair: f"weighted({pair[0]} ms/{pair[1]} B)"
        ),
    )
)
def test_what_is_described_is_read_back(text):
    assert objective(objective(text).describe()) == objective(text)


def test_as_one_would_say_it():
    assert objective("quantile(0.9)").told() == "90 % of such jobs done soonest"
    assert objective("deadline(48h)").told() == "the most jobs done within 2 d"


# A job soon done: theory.md §4, 2,000 min of work, L = 360, c = 5, gap 30, M = 720.


def theory(restart, **more):
    return at(
        job__work="2000min",
        job__write="5min",
        job__restart_lease=f"{restart} min",
        slots__limit="6h",
        slots__evictions="12h",
        slots__gap="30min",
        **more,
    )


@pytest.mark.parametrize(("restart", "best", "mean"), [(0, 85, 2475.9289), (5, 66, 2532.0950)])
def test_the_best_whole_minutes_for_a_makespan(restart, best, mean):
    scenario = theory(restart, job__step="1min")
    found = Search(scenario, objective("makespan")).best
    assert found.interval == best * MINUTE
    assert round(makespan(scenario, found.interval) / 60, 4) == mean


@pytest.mark.parametrize("restart", [0, 5])
def test_no_interval_of_a_grid_is_sooner_done(restart):
    scenario = theory(restart)
    best = Search(scenario, objective("makespan")).best
    grid = [makespan(scenario, 10 * n * SECOND) for n in range(60, 2_200)]
    assert makespan(scenario, best.interval) <= min(grid) * (1 + 1e-7)


def test_goodness_is_work_in_the_mean_makespan():
    scenario = theory(5)
    solver = Solver(scenario)
    found = objective("makespan").goodness(solver, solver.value(84 * MINUTE))
    assert found == pytest.approx(2000 / 2997.1738, rel=1e-7)
    never = objective("makespan").goodness(solver, solver.value(355 * MINUTE))
    assert (never, makespan(scenario, 355 * MINUTE)) == (0, inf)


# A deadline, and a quantile: against brute force over a grid, each interval's law by itself.

SHORT = {
    "job__work": "9h",
    "job__write": "5min",
    "slots__limit": "4h",
    "slots__evictions": "5h",
    "slots__gap": "exponential(mean=15min)",
}
WIDE = [
    SHORT,
    SHORT | {"job__restart": "4min", "slots__evictions": "weibull(shape=0.7, mean=5h)"},
]


def law_of(scenario, interval):
    return makespan_law(Whole(Solver(scenario), blocks_of(Solver(scenario), interval)), LAW_POINTS)


@cache
def every_law(number):
    scenario = at(**WIDE[number])
    laws = {n: law_of(scenario, n * MINUTE) for n in range(8, 231, 2)}
    return {n: law for n, law in laws.items() if law is not None}


@pytest.mark.parametrize("number", range(len(WIDE)))
def test_no_interval_of_a_grid_meets_a_deadline_oftener(number):
    """The lattice's step is some 40 s: a share may be off by what is complete in that time."""
    scenario, laws = at(**WIDE[number]), every_law(number)
    for hours in (12, 16):
        search = Search(scenario, objective(f"deadline({hours}h)"))
        best = law_of(scenario, search.best.interval).by(hours * 3600)
        assert search.goodness(search.best) == best
        assert best >= max(law.by(hours * 3600) for law in laws.values()) - 2e-3
        assert best > np.median([law.by(hours * 3600) for law in laws.values()])


@pytest.mark.parametrize("number", range(len(WIDE)))
def test_no_interval_of_a_grid_has_a_shorter_quantile(number):
    scenario, laws = at(**WIDE[number]), every_law(number)
    for share in (0.5, 0.95):
        search = Search(scenario, objective(f"quantile({share})"))
        best = law_of(scenario, search.best.interval).quantile(share)
        assert best <= min(law.quantile(share) for law in laws.values()) * (1 + 2e-3)
        assert search.goodness(search.best) == pytest.approx(9 * 3600 / best, rel=1e-12)


def test_a_deadline_that_can_hardly_be_met_wants_few_checkpoints():
    """9 h of work within 10 h: at best no loss, so as little as possible for checkpoints."""
    scenario = at(**SHORT | {"slots__limit": "12h", "job__step": "5min"})
    hasty = Search(scenario, objective("deadline(9h 30min)")).best
    steady = Search(scenario, objective("makespan")).best
    assert hasty.interval > 1.5 * steady.interval


def test_the_share_that_meets_the_deadline_is_what_is_simulated():
    """1,500 jobs: within 3.3 standard errors (0.1 %) of a share, and a step of the lattice."""
    scenario = at(**SHORT, seed=20_250_616)
    search = Search(scenario, objective("deadline(14h)"))
    world = world_of(scenario, search.best.interval)
    met = [simulate(world, n).makespans[0] <= 14 * HOUR for n in range(1_500)]
    share = search.goodness(search.best)
    assert abs(np.mean(met) - share) < 3.3 * (share * (1 - share) / 1_500) ** 0.5 + 2e-3


# Little moved: a price on checkpoints.

PRICED = [
    {"slots__limit": "6h", "slots__evictions": "12h"},
    {"slots__evictions": "9h", "job__restart": "3min", "slots__gap": "10min"},
    {"slots__limit": "12h", "slots__evictions": "weibull(shape=0.6, mean=9h)"},
    {"slots__limit": "6h", "slots__evictions": "12h", "job__write": "uniform(3min, 7min)"},
]


def an_hour(value):
    return value.checkpoints / (value.lease_s + value.gap_s)


@pytest.mark.parametrize("given_", PRICED)
def test_the_dearer_a_checkpoint_the_fewer_an_hour(given_):
    """As it must be: of two best ones at two prices, the one of the higher has no more (but for
    what a search that stops short of the top by 1e-7 may mistake)."""
    scenario = at(**{"job__write": "5min"} | given_)
    prices = [0, 10, 60, 120, 300, 900, 1_800]
    found = [Search(scenario, objective(f"weighted({price}s)")).best for price in prices]
    for cheap, dear in pairwise(found):
        assert an_hour(dear) <= an_hour(cheap) * (1 + 1e-3)
    assert an_hour(found[-1]) < 0.8 * an_hour(found[0])


@pytest.mark.parametrize("given_", PRICED)
def test_a_price_of_nothing_is_the_useful_fraction(given_):
    scenario = at(**{"job__write": "5min"} | given_)
    free, useful = (Search(scenario, objective(text)).best for text in ("weighted(0s)", "useful"))
    assert free == useful


def test_no_interval_of_a_grid_is_better_at_a_price():
    scenario = at(job__write="5min", slots__limit="6h", slots__evictions="12h")
    best = Search(scenario, objective("weighted(2min)")).best
    solver = Solver(scenario)

    def less_the_price(value):
        return (value.work_s - 120 * value.checkpoints) / (value.lease_s + value.gap_s)

    grid = [solver.value(10 * n * SECOND) for n in range(30, 2_150)]
    assert less_the_price(best) >= max(map(less_the_price, grid)) * (1 - 1e-7)


def test_a_price_for_bytes_is_one_for_checkpoints_of_that_size():
    scenario = at(
        job__write="5min",
        job__size="3 GB",
        job__bandwidth="100 MB/s",
        slots__limit="6h",
        slots__evictions="12h",
    )
    each, bytewise = objective("weighted(90s)"), objective("weighted(30s/GB)")
    solver = Solver(scenario)
    assert bytewise.price_s(solver) == each.price_s(solver) == 90
    assert Search(scenario, bytewise).best == Search(scenario, each).best


@settings(max_examples=30)
@given(st.integers(1, 355), st.integers(0, 3_600))
def test_goodness_is_never_negative_nor_more_than_is_useful(minutes, price):
    solver = Solver(at(job__write="5min", slots__limit="6h", slots__evictions="12h"))
    value = solver.value(minutes * MINUTE)
    found = Objective(Kind.WEIGHTED, float(price * SECOND)).goodness(solver, value)
    assert 0 <= found <= worth(value)
