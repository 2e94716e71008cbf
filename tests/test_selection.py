"""The comparison of candidates: what it promises, kept as often as it says, and what it costs."""

from itertools import chain
from math import floor, inf

import numpy as np
import pytest
from scipy import stats

from ckptsim.estimate import Estimate, anytime_factors
from ckptsim.selection import Goal, Shortfall, Stop, bounds_of, moved, rounds, select

SEED = 20_260_314
RUNS = 400
K = 8


class Table:
    """Candidates whose values are known beforehand; remembers what was asked."""

    def __init__(self, values):
        self.values, self.asked = np.asarray(values, dtype=float), []

    def __call__(self, candidate, replications):
        self.asked.append((candidate, list(replications)))
        return self.values[candidate, self.asked[-1][1]]


def normal(rng, means, count):
    own = rng.normal(0, 0.5, (len(means), count))
    return np.array(means)[:, None] + rng.normal(0, 1, count) + own


def skewed(rng, means, count):
    """Long tails to the left, of unlike lengths: skewness up to 1.4 in the differences."""
    spreads = np.linspace(0.3, 0.7, len(means))[:, None]
    own = spreads * (1 - rng.exponential(1, (len(means), count)))
    return np.array(means)[:, None] + rng.exponential(1, count) + own


CONFIGURATIONS = {
    "slippage": [0.0] + [-0.2] * (K - 1),
    "equal": [0.0] * K,
    "ladder": [-0.1 * i for i in range(K)],
    "mixed": [-1.0, -0.05, -0.3, 0.0, -0.25, -0.02, -2.0, -0.15],
}


def selections(draw, means, goal, runs=RUNS):
    rng = np.random.default_rng(SEED)
    for _ in range(runs):
        yield select(Table(draw(rng, means, goal.replications_max)), len(means), goal)


def often(held, confidence):
    """Not significantly less than in that part of the runs (one-sided, at 1 in 1,000)."""
    assert len(held) == RUNS
    return stats.binomtest(sum(held), RUNS, confidence, alternative="less").pvalue > 0.001


def holds(selection, means):
    """Is all true that it says?"""
    behind = max(means) - np.array(means)
    within = zip(selection.shortfalls, behind, strict=True)
    return (
        int(behind.argmin()) in selection.among
        and all(least <= truth <= most for (least, most), truth in within)
        and behind[selection.best] <= selection.regret
    )


@pytest.mark.parametrize("means", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
@pytest.mark.parametrize("draw", [normal, skewed])
def test_all_it_says_is_true_as_often_as_it_says(draw, means):
    found = list(selections(draw, means, Goal(0.2, 3000, confidence=0.95)))
    assert often([holds(one, means) for one in found], 0.95)
    assert all(one.stop is Stop.TOLD and one.regret <= 0.2 for one in found)


@pytest.mark.parametrize("draw", [normal, skewed])
def test_with_little_allowed_it_is_as_true(draw):
    means = CONFIGURATIONS["mixed"]
    found = list(selections(draw, means, Goal(0.01, 40, confidence=0.95)))
    assert often([holds(one, means) for one in found], 0.95)
    assert all(one.stop is Stop.BUDGET for one in found)


def test_true_too_where_one_stops_as_soon_as_one_likes_what_one_sees():
    """After each round, for as long as the truth is in it: it hardly ever leaves."""
    rng, goal, means = np.random.default_rng(SEED), Goal(0.0, 400, 0.95), [0.0] * 4
    tables = (Table(normal(rng, means, 400)) for _ in range(RUNS))
    held = [all(holds(one, means) for one in rounds(table, 4, goal)) for table in tables]
    assert often(held, 0.95)


@pytest.mark.parametrize("draw", [normal, skewed])
def test_the_best_is_chosen_where_it_leads_by_the_indifference(draw):
    found = selections(draw, CONFIGURATIONS["slippage"], Goal(0.2, 3000, confidence=0.95))
    assert often([one.best == 0 for one in found], 0.95)


def long_tailed(rng, means, count):
    """Lognormal (σ = 1, skewness 6.2), of unlike spreads."""
    spreads = np.linspace(0.2, 1, len(means))[:, None]
    own = spreads * (np.exp(0.5) - rng.lognormal(0, 1, (len(means), count)))
    return np.array(means)[:, None] + rng.normal(0, 1, count) + own


def rare(rng, means, count):
    """One replication in ten goes wrong, for some more so; nothing else differs."""
    harm = np.linspace(0.5, 3, len(means))[:, None]
    wrong = rng.random((len(means), count)) < 0.1
    return np.array(means)[:, None] + rng.normal(0, 1, count) + harm * (0.1 - wrong)


@pytest.mark.parametrize(("draw", "first_stage"), [(long_tailed, 20), (rare, 50)])
def test_differences_far_from_normal_are_told_as_truly(draw, first_stage):
    means = CONFIGURATIONS["slippage"]
    found = list(selections(draw, means, Goal(0.2, 3000, 0.95, first_stage)))
    assert often([holds(one, means) for one in found], 0.95)


@pytest.mark.parametrize("beta", [-0.3, -1e-12, 0.0, 1e-12, 0.05, 0.3])
def test_willinks_bounds_undo_his_transformation(beta):
    """Its inverse is ζ = G + 2βG² + 4β²G³/3 + β (Hall 1992 in Willink's notation)."""
    for zeta in (-5.0, -2.0, 1.0, 6.0):
        g = moved(zeta, beta)
        assert g + 2 * beta * g**2 + 4 * beta**2 * g**3 / 3 + beta == pytest.approx(zeta, abs=1e-3)


def test_a_bound_is_wider_on_the_side_of_the_tail_and_never_narrower_than_the_normal():
    values = np.random.default_rng(SEED).exponential(1, 40)
    least, most = bounds_of(values, 0.01, 80)
    width = anytime_factors(np.array([40.0]), 0.01, 80)[0] * values.std(ddof=1)
    assert values.mean() - least == pytest.approx(width, rel=1e-12)
    assert most - values.mean() > 1.1 * width
    assert bounds_of(-values, 0.01, 80) == pytest.approx((-most, -least), rel=1e-12)


def kim_nelson_constants(k, first, alpha):
    """η and h² with common random numbers and c = 1 (Kim and Nelson 2001)."""
    eta = ((2 * alpha / (k - 1)) ** (-2 / (first - 1)) - 1) / 2
    return eta, 2 * eta * (first - 1)


def kim_nelson(values, goal):
    """Kim and Nelson's procedure, one replication after the other: the chosen, and all it used."""
    first, r = goal.first_stage, goal.first_stage
    _, h2 = kim_nelson_constants(len(values), first, 1 - goal.confidence)
    start = values[:, :first]
    variances = np.array([(one - start).var(axis=1, ddof=1) for one in start])
    left, used = np.arange(len(values)), np.full(len(values), first)
    while True:
        means = values[left, :r].mean(axis=1)
        allowed = h2 * variances[np.ix_(left, left)] / goal.indifference - r * goal.indifference
        left = left[(means[:, None] >= means - np.maximum(0, allowed) / (2 * r)).all(axis=1)]
        if len(left) == 1 or r > floor(h2 * variances.max() / goal.indifference**2):
            return left[values[left, :r].mean(axis=1).argmax()], used.sum()
        r += 1
        used[left] = r


def test_kim_and_nelsons_constants_are_theirs():
    eta, h2 = kim_nelson_constants(8, 20, 0.05)
    assert round(eta, 6) == 0.281971
    assert round(h2, 5) == 10.71491


@pytest.mark.parametrize(
    ("means", "most"),
    [
        ([0.0] + [-0.2] * (K - 1), 1.25),
        ([0.0] + [-1.0] * (K - 1), 1.25),
        ([-0.2 * i for i in range(K)], 1.25),
        ([0.0] * K, 1.75),
    ],
    ids=["slippage", "far", "ladder", "equal"],
)
def test_what_it_costs_beside_kim_and_nelson(means, most):
    """At our 99 %; they promise less (see the module)."""
    rng, goal = np.random.default_rng(SEED), Goal(0.2, 5000)
    ours, theirs = 0, 0
    for _ in range(100):
        values = normal(rng, means, goal.replications_max)
        ours += sum(select(Table(values), K, goal).replications)
        theirs += kim_nelson(values, goal)[1]
    assert ours <= most * theirs


def test_a_scenario_without_chance_is_told_at_once():
    values = np.repeat([[3.1], [2.0], [3.1], [0.7]], 100, axis=1)
    selection = select(Table(values), 4, Goal(0.0, 100))
    assert selection.best == 0
    assert selection.among == selection.equal == (0, 2)
    assert selection.shortfalls == (
        Shortfall(0, 0),
        Shortfall(pytest.approx(1.1), pytest.approx(1.1)),
        Shortfall(0, 0),
        Shortfall(pytest.approx(2.4), pytest.approx(2.4)),
    )
    assert selection.means[1] == Estimate(2.0, 0.0)
    assert selection.replications == (20, 20, 20, 20)
    assert selection.stop is Stop.TOLD


def test_candidates_that_share_all_their_chance_are_told_at_once():
    """However much it moves them, if it moves them alike."""
    shared = np.random.default_rng(SEED).normal(0, 1, 50)
    selection = select(Table([shared, shared + 1, shared]), 3, Goal(0.0, 50))
    assert selection.best == 1
    assert selection.among == (1,)
    assert selection.shortfalls[0] == pytest.approx((1, 1), abs=1e-6)
    assert selection.replications == (20, 20, 20)


def test_equals_among_the_different():
    values = normal(np.random.default_rng(SEED), [0, 0, -3], 100)
    values[1] = values[0]
    selection = select(Table(values), 3, Goal(0.1, 100))
    assert selection.best == 0
    assert selection.equal == (0, 1)
    assert "No replication shows a difference between one hour, an hour." in selection.statement(
        ["one hour", "an hour", "two hours"]
    )


def test_one_candidate_is_the_best():
    selection = select(Table([np.arange(50.0)]), 1, Goal(0.1, 50))
    assert selection.best == 0
    assert selection.among == selection.equal == (0,)
    assert selection.shortfalls == (Shortfall(0, 0),)
    assert selection.regret == 0
    assert selection.replications == (20,)
    assert selection.means[0].mean == 9.5
    assert selection.statement(["1 h"]) == "1 h is the only candidate."


def test_the_mean_of_each_has_a_bound_for_any_time_too():
    values = normal(np.random.default_rng(SEED), [0, -9], 60)
    mean = select(Table(values), 2, Goal(0.1, 60)).means[0]
    low, high = stats.ttest_1samp(values[0, :20], 0).confidence_interval(0.99)
    assert mean.mean == pytest.approx(values[0, :20].mean(), rel=1e-12)
    assert mean.interval[0] < low < high < mean.interval[1] < inf


def test_an_exhausted_budget_still_says_all_that_is_known():
    values = normal(np.random.default_rng(SEED), [0, 0, -5], 30)
    selection = select(Table(values), 3, Goal(0.001, 30))
    assert selection.stop is Stop.BUDGET
    assert selection.among == (0, 1)
    assert selection.replications[:2] == (30, 30)
    assert selection.regret > 0.001
    assert selection.shortfalls[2].least > 3
    assert "more than the 0.001 asked for: all replications allowed are used" in (
        selection.statement()
    )


def test_of_too_few_replications_it_says_that_they_do_not_tell():
    values = normal(np.random.default_rng(SEED), [0.0] * 9, 3)
    selection = select(Table(values), 9, Goal(0.1, 3, first_stage=3))
    assert selection.regret == inf
    assert (
        "the best of 9 is one of 9 from 0 to 8, which cannot be told apart; how much worse than "
        f"the best {selection.best} is, so few replications do not tell: all replications allowed "
        "are used. Differences"
    ) in selection.statement()


def test_each_replication_is_asked_for_once_in_order_and_many_at_a_time():
    table = Table(normal(np.random.default_rng(SEED), CONFIGURATIONS["mixed"], 700))
    selection = select(table, K, Goal(0.02, 700, batch=30))
    for candidate, used in enumerate(selection.replications):
        asked = [reps for who, reps in table.asked if who == candidate]
        assert list(chain.from_iterable(asked)) == list(range(used))
        assert all(len(reps) >= 30 or reps[-1] == 699 for reps in asked[1:])
    assert max(selection.replications) == 700
    assert min(selection.replications) < 200


def test_a_round_that_was_the_last_says_so():
    values = normal(np.random.default_rng(SEED), [0, 0], 500)
    first = next(rounds(Table(values), 2, Goal(0.01, 500)))
    assert first.stop is Stop.ASKED
    assert "the comparison was not finished" in first.statement()


def test_the_statement_in_full():
    values = normal(np.random.default_rng(SEED), [0, -0.02, -4], 2000)
    selection = select(Table(values), 3, Goal(0.1, 2000))
    assert selection.among == (0, 1)
    chosen = "84 min" if selection.best == 0 else "85 min"
    regret = f"{selection.regret:.4f}"
    assert selection.statement(["84 min", "85 min", "9 h"], "{:.4f}".format) == (
        "With 99 % confidence, all of it together and whenever stopped: the best of 3 is one of "
        f"84 min, 85 min, which cannot be told apart; {chosen} is at most {regret} worse than the "
        "best. That is within the 0.1000 asked for. "
        "Differences between replications are taken to be normal."
    )


def test_the_best_alone():
    values = normal(np.random.default_rng(SEED), [-4, 0, -4], 2000)
    selection = select(Table(values), 3, Goal(0.1, 2000, confidence=0.995))
    assert selection.among == (1,)
    assert selection.regret == 0
    assert selection.statement().startswith(
        "With 99.5 % confidence, all of it together and whenever stopped: 1 is the best of 3; "
        "1 is at most 0 worse than the best."
    )
