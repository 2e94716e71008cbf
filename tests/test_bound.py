"""The lower bound for a shared link: the authors' numbers, and a minimiser as outside judge."""

from itertools import pairwise
from math import exp, expm1, inf, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from ckptsim.bound import (
    Bound,
    BoundClass,
    NodeClass,
    counts_at_once,
    exponential_bound,
    platform_bound,
    pool_bound,
)
from ckptsim.classic import poisson_optimum, young

HOUR = 3600.0
NODES = 17_784  # Cielo: 16 cores and 32 GB each
SIZES = [1024, 256, 2048, 1875]  # EAP, LAP, Silverton, VPIC: 16384, 4096, 32768, 30000 cores
OF_MEMORY = [1.60, 1.85, 3.50, 0.85]
SHARES = [0.66, 0.055, 0.155, 0.12]
RUNS = [262.4, 64, 128, 157.2]  # hours


def checkpoints(bandwidth=40.0):
    """Seconds, at GB/s."""
    return [nodes * 32 * part / bandwidth for nodes, part in zip(SIZES, OF_MEMORY, strict=True)]


def apex(bandwidth=40.0):
    counts = counts_at_once(SHARES, RUNS, SIZES, NODES)
    costs = checkpoints(bandwidth)
    return [NodeClass(*its) for its in zip(counts, SIZES, costs, costs, strict=True)]


def cielo(hours, bandwidth=40.0):
    """The bound where the whole machine has a failure every so many hours."""
    return platform_bound(apex(bandwidth), NODES, hours * HOUR * NODES)


def as_pool(hours, bandwidth=40.0):
    return [
        BoundClass(
            one.at_once,
            one.nodes / NODES,
            hours * HOUR * NODES / one.nodes,
            one.checkpoint,
            one.recovery,
        )
        for one in apex(bandwidth)
    ]


def test_checkpoints_of_apex_on_cielo():
    assert checkpoints() == pytest.approx([1310.72, 378.88, 5734.40, 1275.00], rel=1e-12)


def test_the_counts_fill_the_machine_by_share_and_run():
    counts = counts_at_once(SHARES, RUNS, SIZES, NODES)
    assert [round(count, 3) for count in counts] == [8.167, 11.161, 1.966, 1.354]
    assert np.dot(counts, SIZES) == pytest.approx(NODES, rel=1e-12)


@pytest.mark.parametrize(("hours", "waste"), [(2, 0.2344), (8, 0.1066), (24, 0.0598)])
def test_the_platforms_waste_is_the_authors(hours, waste):
    assert round(cielo(hours).waste, 4) == waste


def test_the_link_is_saturated_at_2_h_only():
    often, seldom, rarely = cielo(2), cielo(8), cielo(24)
    assert often.demand > 1
    assert often.saturation == pytest.approx(1, rel=1e-9)
    assert often.nu > 0
    for bound in (seldom, rarely):
        assert bound.saturation == bound.demand < 1
        assert bound.nu == 0


@pytest.mark.parametrize("hours", [0.5, 2, 24])
def test_the_waste_depends_on_bandwidth_times_mtbf_alone(hours):
    here, there = cielo(hours, 40), cielo(hours * 40 / 7, 7)
    assert there.waste == pytest.approx(here.waste, rel=1e-9)
    assert there.demand == pytest.approx(here.demand, rel=1e-9)


def test_an_idle_link_leaves_each_its_youngs_period():
    for period, one in zip(cielo(24).periods, as_pool(24), strict=True):
        assert period == pytest.approx(young(one.checkpoint, one.loss_mean), rel=1e-12)


def test_a_busy_link_makes_all_periods_longer_small_jobs_most():
    bound, longer = cielo(1), []
    for period, one in zip(bound.periods, as_pool(1), strict=True):
        longer.append(period / young(one.checkpoint, one.loss_mean))
        assert longer[-1] == pytest.approx(sqrt(1 + bound.nu / one.share), rel=1e-12)
    by_size = [ratio for _, ratio in sorted(zip(SIZES, longer, strict=True))]
    assert all(small > large > 1 for small, large in pairwise(by_size))


def first_order(one, period):
    whole = one.checkpoint + one.besides
    return whole / period + (period / 2 + one.recovery) / one.loss_mean


def exact(one, period):
    """1 − work / mean time to the next safe checkpoint; a lost restart is begun again."""
    takes = one.loss_mean * exp(one.recovery / one.loss_mean) * expm1(period / one.loss_mean)
    return 1 - (period - one.checkpoint - one.besides) / takes


def of_link_first_order(one, period):
    return one.checkpoint / period


def of_link_exact(one, period):
    takes = one.loss_mean * exp(one.recovery / one.loss_mean) * expm1(period / one.loss_mean)
    return one.checkpoint / takes


JUDGED = {
    pool_bound: (first_order, of_link_first_order),
    exponential_bound: (exact, of_link_exact),
}
POOLS = {
    "apex, 1 h": as_pool(1),
    "apex, 2 h": as_pool(2),
    "apex, 24 h": as_pool(24),
    "one class": [BoundClass(100, 0.01, 8 * HOUR, 30.0, 120.0)],
    "idle beside busy": [
        BoundClass(90, 0.01, 4 * HOUR, 90.0, 90.0),
        BoundClass(1, 0.1, 400 * HOUR, 1.0, 0.0),
    ],
    "written before it is sent": [
        BoundClass(150, 0.004, 8 * HOUR, 24.0, 24.0, 60.0),
        BoundClass(100, 0.004, 4 * HOUR, 48.0, 48.0, 600.0),
    ],
}


def total(classes, periods, priced):
    pairs = zip(classes, periods, strict=True)
    return sum(one.at_once * one.share * priced(one, period) for one, period in pairs)


def of_link(classes, periods, priced):
    pairs = zip(classes, periods, strict=True)
    return sum(one.at_once * priced(one, period) for one, period in pairs)


@pytest.mark.parametrize("classes", POOLS.values(), ids=POOLS)
@pytest.mark.parametrize("bound_of", JUDGED, ids=["first order", "exponential"])
def test_a_minimiser_finds_the_same_waste(bound_of, classes):
    """SLSQP over the logarithms of the periods, from twice and from half of a common period."""
    wasted, linked = JUDGED[bound_of]
    bound = bound_of(classes)
    assert bound.waste == pytest.approx(total(classes, bound.periods, wasted), rel=1e-9)
    assert bound.saturation == pytest.approx(of_link(classes, bound.periods, linked), rel=1e-9)
    found = []
    for start in (0.5, 2.0):
        first = [np.log(start * young(one.checkpoint, one.loss_mean)) for one in classes]
        result = minimize(
            lambda logs: total(classes, np.exp(logs), wasted),
            first,
            method="SLSQP",
            constraints={
                "type": "ineq",
                "fun": lambda logs: 1 - of_link(classes, np.exp(logs), linked),
            },
            options={"ftol": 1e-14, "maxiter": 1000},
        )
        found.append(result.fun)
    assert min(found) == pytest.approx(bound.waste, rel=1e-6)


@pytest.mark.parametrize("classes", POOLS.values(), ids=POOLS)
@pytest.mark.parametrize("bound_of", JUDGED, ids=["first order", "exponential"])
def test_karush_kuhn_and_tucker_hold(bound_of, classes):
    """d(waste)/dP = −ν d(link)/dP for every class, ν ≥ 0, and 0 unless the link is full."""
    wasted, linked = JUDGED[bound_of]
    bound = bound_of(classes)
    assert bound.nu >= 0
    assert bound.saturation <= 1 + 1e-9
    assert bound.nu == 0 or bound.saturation == pytest.approx(1, rel=1e-9)
    for one, period in zip(classes, bound.periods, strict=True):
        step = 1e-4 * period
        up, down = period + step, period - step
        waste_slope = one.share * (wasted(one, up) - wasted(one, down))
        link_slope = linked(one, up) - linked(one, down)
        scale = one.share * wasted(one, period) * step / period
        assert abs(waste_slope + bound.nu * link_slope) <= 1e-4 * scale


CLASS = st.builds(
    BoundClass,
    st.floats(0.1, 1000),
    st.floats(1e-5, 1),
    st.floats(100, 1e7),
    st.floats(0.01, 1000),
    st.floats(0, 1000),
    st.floats(0, 1000),
)


@given(st.lists(CLASS, min_size=1, max_size=5))
def test_in_any_pool(classes):
    """Full at most; no period shorter than the job's own best; the exact waste a share of time."""
    bound, whole = pool_bound(classes), exponential_bound(classes)
    for found in (bound, whole):
        assert found.saturation <= 1 + 1e-9
        assert found.saturation <= found.demand * (1 + 1e-9)
        assert (found.nu > 0) == (found.demand > 1)
    for one, period, exactly in zip(classes, bound.periods, whole.periods, strict=True):
        cost = one.checkpoint + one.besides
        assert period >= young(cost, one.loss_mean) * (1 - 1e-12)
        own = poisson_optimum(cost, one.loss_mean) + cost
        assert exactly >= own * (1 - 1e-9)
    assert all(0 <= waste <= 1 for waste in whole.wastes)


def test_alone_on_the_link_the_exponential_bound_is_the_exact_optimum():
    """theory.md §3: M = 6 h, c = 5 min, R = 10 min: τ = 56.7140 min, 500 h take 610.2164 h."""
    bound = exponential_bound([BoundClass(1, 1.0, 360.0, 5.0, 10.0)])
    assert bound.periods[0] - 5 == pytest.approx(56.7140, abs=1e-4)
    assert round(500 / (1 - bound.waste), 4) == 610.2164


def test_the_first_order_is_not_below_the_exact_waste_where_periods_are_long():
    """The authors' 0.2344 counts losses in what would not have been useful anyway: 0.2002."""
    assert round(exponential_bound(as_pool(2)).waste, 4) == 0.2002
    assert exponential_bound(as_pool(24)).waste < cielo(24).waste
    rare = as_pool(24_000)
    assert exponential_bound(rare).waste == pytest.approx(pool_bound(rare).waste, rel=2e-3)


def test_no_periods_tried_at_random_waste_less():
    classes, bound = as_pool(2), exponential_bound(as_pool(2))
    rng, tried = np.random.default_rng(20_260_316), 0
    for factors in np.exp(rng.normal(0, 0.3, (5000, 4))):
        periods = bound.periods * factors
        if of_link(classes, periods, of_link_exact) <= 1:
            tried += 1
            assert total(classes, periods, exact) >= bound.waste
    assert tried > 1000


@pytest.mark.parametrize("bound_of", JUDGED, ids=["first order", "exponential"])
def test_no_losses_and_free_checkpoints(bound_of):
    """No losses: no checkpoints. Free ones: all the time, and only recoveries cost."""
    never = BoundClass(5, 0.1, inf, 60.0, 600.0)
    free = BoundClass(5, 0.1, 1e6, 0.0, 100.0)
    bound = bound_of([never, free])
    assert bound.periods == (inf, 0.0)
    assert bound.wastes == (0.0, pytest.approx(1e-4, rel=1e-3))
    assert bound.waste == pytest.approx(5e-5, rel=1e-3)
    assert bound[3:] == (0.0, 0.0, 0.0)


def test_nobody_wastes_nothing():
    assert pool_bound([]) == Bound((), (), 0, 0, 0, 0.0)
