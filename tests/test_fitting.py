"""Laws from censored lifetimes: lifelines, likelihoods by hand and coverage by repetition judge."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines_figures import lifetimes_of
from scipy import integrate, optimize, stats

from ckptsim import families
from ckptsim.conclude import conclude, limit_seen
from ckptsim.families import (
    EXPONENTIAL,
    GAMMA,
    HYPEREXPONENTIAL,
    LOGLOGISTIC,
    LOGNORMAL,
    TWO_REGIMES,
    WEIBULL,
)
from ckptsim.fitting import choose, exponential, exponential_of, fits, fitted
from ckptsim.lawtext import law
from ckptsim.lifetimes import Exponential, HyperExponential, Mixture, Weibull
from ckptsim.observed import Lifetimes
from ckptsim.survival import aalen_johansen, kaplan_meier

HOUR = 3600.0
GCP = Path(__file__).parents[1] / "ckptsim" / "profiles" / "gcp-preemptible.csv"

# Each family with parameters to recover from so many lifetimes, which the end of watching, at any
# time alike up to the last figure, cuts short.
CASES = {
    "exponential": (EXPONENTIAL, (10 * HOUR,), 150, 12 * HOUR),
    "weibull": (WEIBULL, (0.7, 8 * HOUR), 150, 12 * HOUR),
    "lognormal": (LOGNORMAL, (6 * HOUR, 1.2), 150, 24 * HOUR),
    "loglogistic": (LOGLOGISTIC, (6 * HOUR, 2.5), 150, 24 * HOUR),
    "gamma": (GAMMA, (8 * HOUR, 0.7), 150, 16 * HOUR),
    "hyperexponential": (HYPEREXPONENTIAL, (0.4, 0.5 * HOUR, 10 * HOUR), 400, 40 * HOUR),
    "two regimes": (TWO_REGIMES, (0.6, 1.5, 0.1 * HOUR, 8 * HOUR), 400, 40 * HOUR),
}
by_case = pytest.mark.parametrize("name", CASES)

# lifelines 0.30.3 (lifelines_figures.py): parameters, and the log-likelihood.
LIFELINES = [
    ("gcp", "exponential", (30260.6,), -16319.983),
    ("gcp", "weibull", (0.559469, 19427.9), -15854.987),
    ("gcp", "lognormal", (8.83006, 2.171), -15896.881),
    ("gcp", "loglogistic", (7481.32, 0.761134), -15957.782),
    ("titan", "exponential", (6.25201e08,), -108159.491),
    ("titan", "weibull", (2.87937, 2.23219e08), -105119.041),
    ("titan", "lognormal", (19.1926, 0.618872), -105160.757),
    ("titan", "loglogistic", (1.99526e08, 3.21275), -104989.098),
    ("lanl 8", "exponential", (4.31274e07,), -8713.865),
    ("lanl 8", "weibull", (0.474952, 3.58593e07), -8458.717),
    ("lanl 8", "lognormal", (16.3686, 2.8686), -8469.192),
    ("lanl 8", "loglogistic", (1.41628e07, 0.615765), -8465.060),
    ("lanl 20", "exponential", (2.47621e07,), -44359.098),
    ("lanl 20", "weibull", (0.408213, 1.44789e07), -42149.868),
    ("lanl 20", "lognormal", (15.2444, 3.13189), -42157.119),
    ("lanl 20", "loglogistic", (4.69995e06, 0.562727), -42139.562),
    ("utcs early", "exponential", (531.178,), -14433.793),
    ("utcs early", "weibull", (0.539695, 245.701), -13122.471),
    ("utcs early", "lognormal", (4.72377, 1.38862), -12452.811),
    ("utcs early", "loglogistic", (90.8445, 1.46008), -12231.147),
    ("utcs sepa", "exponential", (108.234,), -11533.438),
    ("utcs sepa", "weibull", (0.71171, 76.072), -11135.640),
    ("utcs sepa", "lognormal", (3.78444, 0.922298), -10303.784),
    ("utcs sepa", "loglogistic", (37.5059, 2.41463), -9951.764),
]


def all_observed(durations):
    return Lifetimes(tuple(map(float, durations)), (True,) * len(durations))


def drawn(name, rng):
    """Lifetimes of the case, cut short at random."""
    family, parameters, count, watched = CASES[name]
    ends = family.law(*parameters).quantile(rng.random(count))
    cuts = rng.uniform(0, watched, count)
    return Lifetimes(tuple(np.minimum(ends, cuts).tolist()), tuple((ends < cuts).tolist()))


def fit_of(name, lifetimes, sure):
    family = CASES[name][0]
    return (
        exponential(lifetimes, sure) if name == "exponential" else fitted(family, lifetimes, sure)
    )


# --- families -------------------------------------------------------------------------------------


@by_case
def test_the_density_is_what_the_survival_loses_and_both_are_the_law_s(name):
    family, parameters, *_ = CASES[name]
    times = np.array([60.0, 600.0, HOUR, 6 * HOUR, 30 * HOUR])
    survival = np.exp(family.log_survival(times, parameters))
    assert survival == pytest.approx(family.law(*parameters).survival(times), rel=1e-12)

    def density(t):
        return float(np.exp(family.log_density(np.array([t]), parameters))[0])

    for place in range(len(times) - 1):
        lost, _ = integrate.quad(density, times[place], times[place + 1])
        assert lost == pytest.approx(survival[place] - survival[place + 1], rel=1e-6)


@by_case
def test_a_place_of_the_search_is_its_parameters(name):
    family, parameters, *_ = CASES[name]
    assert family.parameters(family.place(parameters)) == pytest.approx(parameters, rel=1e-12)


def own_words(family, values):
    """lifelines says a lognormal's median by its logarithm."""
    return (math.exp(values[0]), values[1]) if family == "lognormal" else values


@pytest.mark.parametrize(("name", "family", "values", "loglik"), LIFELINES)
def test_real_lifetimes_are_fitted_as_lifelines_does(name, family, values, loglik, request):
    if name == "gcp":
        rows = csv.DictReader(GCP.read_text().splitlines())
        lifetimes = all_observed([float(row["lifetime_s"]) for row in rows])
    else:
        lifetimes = lifetimes_of(request.getfixturevalue("shared") / "data", name)
    found = fit_of(family, lifetimes, 0.95)
    parameters = [parameter.value for parameter in found.parameters]
    assert parameters == pytest.approx(own_words(family, values), rel=1e-3)
    assert found.loglik == pytest.approx(loglik, abs=0.01)


# --- how sure -------------------------------------------------------------------------------------


@by_case
def test_the_law_is_recovered(name):
    """Within four standard errors, as the 95 % interval has them."""
    lifetimes = drawn(name, np.random.default_rng(20))
    found = fit_of(name, lifetimes, 0.95)
    for parameter, true in zip(found.parameters, CASES[name][1], strict=True):
        error = math.log(parameter.high / parameter.low) / (2 * 1.96)
        assert abs(math.log(parameter.value / true)) < 4 * error
        assert parameter.low < parameter.value < parameter.high


def coverage(name, seed, repetitions=500):
    """The shares of 90 % intervals that hold the truth, of each parameter and the mean; the biases
    of their logarithms and standard errors of these; and how often the law is refused at 5 %."""
    family, parameters, *_ = CASES[name]
    truth = np.array([*parameters, family.law(*parameters).mean])
    rng = np.random.default_rng(seed)
    held, off, refused = [], [], []
    for _ in range(repetitions):
        found = fit_of(name, drawn(name, rng), 0.9)
        spans = [(each.low, each.high) for each in found.parameters] + [found.mean_interval_s]
        held.append([low <= true <= high for (low, high), true in zip(spans, truth, strict=True)])
        values = np.array([*(each.value for each in found.parameters), found.law.mean])
        off.append(np.log(values / truth))
        refused.append(found.p < 0.05)
    bias, error = np.mean(off, axis=0), np.std(off, axis=0) / math.sqrt(repetitions)
    return np.mean(held, axis=0), bias, error, np.mean(refused)


def assert_honest(name, seed):
    held, bias, error, refused = coverage(name, seed)
    assert np.all((held >= 0.87) & (held <= 0.93)), held
    # Maximum likelihood is biased by about 1/d: a fifth of a standard deviation is more than that.
    assert np.all(np.abs(bias) < 0.2 * error * math.sqrt(500)), (bias, error)
    assert 0.02 < refused < 0.08, refused  # three standard errors of 5 % in 500


def test_ninety_percent_intervals_hold_the_truth_nine_times_in_ten_exponential():
    assert_honest("exponential", 6)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CASES if name != "exponential"])
def test_ninety_percent_intervals_hold_the_truth_nine_times_in_ten(name):
    assert_honest(name, 6)


def weibull_loglik(lifetimes, shape, scale):
    """Written anew, with SciPy's Weibull law."""
    judge = stats.weibull_min(shape, scale=scale)
    durations, seen = np.array(lifetimes.durations_s), np.array(lifetimes.observed)
    return float(judge.logpdf(durations[seen]).sum() + judge.logsf(durations[~seen]).sum())


def ends_of(profile, top, at, sure=0.9):
    """Where a profile likelihood is no longer within the likelihood-ratio test's quantile."""
    level = top - stats.chi2.ppf(sure, 1) / 2
    return (
        optimize.brentq(lambda x: profile(x) - level, at / 5, at),
        optimize.brentq(lambda x: profile(x) - level, at, at * 5),
    )


def test_the_intervals_are_those_of_the_profile_likelihood():
    lifetimes = drawn("weibull", np.random.default_rng(8))
    found = fitted(WEIBULL, lifetimes, 0.9)
    shape, scale = found.parameters
    durations = np.array(lifetimes.durations_s)

    def of_shape(k):  # the likeliest scale for a shape has a closed form
        best = (np.sum(durations**k) / lifetimes.ends) ** (1 / k)
        return weibull_loglik(lifetimes, k, best)

    def of_mean(mean):
        def cost(k):
            return -weibull_loglik(lifetimes, k, mean / math.gamma(1 + 1 / k))

        return -optimize.minimize_scalar(cost, (shape.value, 1.1 * shape.value)).fun

    top = weibull_loglik(lifetimes, shape.value, scale.value)
    assert found.loglik == pytest.approx(top, rel=1e-12)
    assert (shape.low, shape.high) == pytest.approx(ends_of(of_shape, top, shape.value), rel=1e-4)
    assert found.mean_interval_s == pytest.approx(ends_of(of_mean, top, found.law.mean), rel=1e-4)


def test_a_mean_that_the_lifetimes_do_not_bound_has_no_upper_end():
    rng = np.random.default_rng(2)
    found = fitted(LOGLOGISTIC, all_observed(stats.fisk(1.1, scale=HOUR).rvs(20, random_state=rng)))
    assert found.law.mean < math.inf
    assert found.parameters[1].low < 1  # of such shapes there is no mean
    assert found.mean_interval_s[1] == math.inf


def test_a_law_without_a_mean_is_shown_and_not_chosen():
    rng = np.random.default_rng(1)
    found = conclude(all_observed(stats.fisk(0.6, scale=HOUR).rvs(400, random_state=rng)))
    best = min(found.tried, key=lambda fit: fit.aicc)
    assert (best.family, best.law.mean, best.mean_interval_s) == ("loglogistic", math.inf, None)
    assert found.chosen.law.mean < math.inf
    assert found.sentences[-1] == (
        "By AICc a log-logistic law of median 52.5 min, shape 0.614 would be better (8,458.2 "
        "against 8,465.1), but it has no mean: it says nothing of late ends, and is not used."
    )


def test_of_numbers_alone_there_is_a_rate_and_how_sure_it_is():
    found = exponential_of(3, 2927 * HOUR)
    assert found.law == Exponential(2927 * HOUR / 3)
    assert (
        found.mean_interval_s
        == exponential(
            Lifetimes((927 * HOUR, 1000 * HOUR, 1000 * HOUR), (True,) * 3)
        ).mean_interval_s
    )


# --- which law, and does it fit -------------------------------------------------------------------


def test_a_wrong_law_is_refused_by_chance_of_less_than_one_in_a_thousand():
    rng = np.random.default_rng(4)
    ends, cuts = HOUR * rng.weibull(2.0, 300), HOUR * rng.uniform(0, 2, 300)
    lifetimes = Lifetimes(tuple(np.minimum(ends, cuts)), tuple(ends < cuts))
    assert exponential(lifetimes).p < 0.001
    assert fitted(WEIBULL, lifetimes).p > 0.05


def test_with_few_ends_nothing_is_said_of_the_fit():
    assert exponential(all_observed(range(1, 18))).p is None  # 17 ends: two parts of six
    assert exponential(all_observed(range(1, 19))).p is not None


def test_two_regimes_are_found_and_can_be_planned_with():
    """Most starts die in minutes, as in real logs: mixture, in the words of a scenario."""
    found = conclude(drawn("two regimes", np.random.default_rng(3)), "eviction")
    assert found.chosen.family == "two regimes"
    assert law(found.chosen.law.describe(), "hazard", Path()) == found.chosen.law
    assert isinstance(found.chosen.law, Mixture)
    assert "two regimes: " in found.sentences[0]


def test_two_kinds_of_exponential_stays_are_found():
    found = conclude(drawn("hyperexponential", np.random.default_rng(3)))
    assert isinstance(found.chosen.law, HyperExponential)
    assert found.chosen.law.mean1 < found.chosen.law.mean2


def test_of_laws_as_good_the_most_usual_is_chosen():
    rng = np.random.default_rng(0)
    tried = fits(all_observed(rng.exponential(HOUR, 200)))
    assert isinstance(choose(tried).law, Exponential)
    assert min(fit.aicc for fit in tried) > choose(tried).aicc - 2


# --- a limit posing as a hazard -------------------------------------------------------------------


def test_a_limit_is_seen_though_machines_take_their_time_to_go():
    """As of cloud machines with a limit of 24 h, which end up to 50 minutes later."""
    rng = np.random.default_rng(9)
    hazard, late = rng.exponential(20 * HOUR, 500), rng.uniform(0, 0.8 * HOUR, 500)
    lifetimes = all_observed(np.where(hazard < 24 * HOUR, hazard, 24 * HOUR + late))
    found = conclude(lifetimes, "preemption")
    assert found.limit_s == pytest.approx(24 * HOUR, rel=0.002)
    assert "of 24 h, and they are taken as cut off by it." in found.sentences[0]
    low, high = found.chosen.mean_interval_s
    assert low < 20 * HOUR < high


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: rng.exponential(1, 1000),
        lambda rng: rng.weibull(5, 1000),
        lambda rng: rng.uniform(0, 1, 1000),
        lambda rng: rng.normal(10, 1, 1000),
    ],
    ids=["exponential", "weibull", "uniform", "normal"],
)
@pytest.mark.parametrize("seed", range(5))
def test_no_limit_is_seen_in_lifetimes_that_only_grow_old(draw, seed):
    assert limit_seen(all_observed(draw(np.random.default_rng(seed)))) is None


# --- competing risks ------------------------------------------------------------------------------


def test_incidences_of_a_table_worked_by_hand():
    # At risk 5, 4, 3, 2, 1; survival 4/5, 4/5 (cut short), 8/15, 4/15, 0.
    found = aalen_johansen([1, 2, 3, 4, 5], ["evicted", None, "removed", "evicted", "removed"])
    assert (found.causes, found.counts) == (("evicted", "removed"), (2, 2))
    assert found.survival == pytest.approx([4 / 5, 4 / 5, 8 / 15, 4 / 15, 0])
    assert found.by_cause[0] == pytest.approx([1 / 5, 1 / 5, 1 / 5, 7 / 15, 7 / 15])
    assert found.by_cause[1] == pytest.approx([0, 0, 4 / 15, 4 / 15, 8 / 15])
    assert found.at(0.5).tolist() == [0, 0]
    assert found.at(3.5) == pytest.approx([1 / 5, 4 / 15])
    assert found.at(5.1) is None


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.sampled_from(["a", "b", "c", None])),
        min_size=1,
        max_size=60,
    )
)
def test_incidences_and_survival_add_up_to_one_and_the_survival_is_kaplan_meier_s(pairs):
    durations, causes = zip(*pairs, strict=True)
    found = aalen_johansen(durations, causes)
    assert found.by_cause.sum(axis=0) + found.survival == pytest.approx(1)
    whole = Lifetimes(tuple(map(float, durations)), tuple(cause is not None for cause in causes))
    assert sum(found.counts) == whole.ends
    if whole.ends:
        judge = kaplan_meier(whole)
        steps = dict(zip(found.times_s, found.survival, strict=True))
        assert [steps[t] for t in judge.times_s] == pytest.approx(judge.survival)


def test_every_family_has_its_name_and_its_case():
    assert {family.name for family in (EXPONENTIAL, *families.SHAPED)} == set(CASES)


def test_a_weibull_is_as_likely_however_its_lifetimes_are_ordered():
    lifetimes = drawn("weibull", np.random.default_rng(5))
    turned = Lifetimes(lifetimes.durations_s[::-1], lifetimes.observed[::-1])
    assert fitted(WEIBULL, lifetimes).law == fitted(WEIBULL, turned).law
    assert isinstance(fitted(WEIBULL, turned).law, Weibull)
