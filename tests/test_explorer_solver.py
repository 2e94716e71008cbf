"""The explorer's solver, run in Chromium's engine, says what Python's exact solver says."""

import math
import random

import pytest
import v8

from ckptsim.account import accounts
from ckptsim.errors import ScenarioError
from ckptsim.exact import ROUNDS_EACH, Solver
from ckptsim.explorer.page import SOLVER, joined
from ckptsim.scenario import load
from ckptsim.search import Search, span
from ckptsim.units import HOUR, MINUTE, SECOND

SETTINGS, SEED = 520, 8
CLOSE = 1e-9
PLAIN = {"shape", "sigma", "cv", "p", "a"}  # parameters that are no times
ASKED = """
function valued(question, intervals) {
  const solver = new Solver(question);
  return intervals.map((interval) => [solver.value(interval), solver.account(interval)]);
}
function searched(question) {
  const search = new Search(new Solver(question));
  return [search.best, search.flat(0.01), search.cliffs().map(([at]) => at.interval)];
}
"""


def answers(name, rows):
    """What the solver's very files answer; a row is what one call is given."""
    return v8.answers(joined(SOLVER) + ASKED, name, rows)


def laws(chance):
    """One law of each kind, of any size: hours to weeks."""
    time = math.exp(chance.uniform(math.log(0.2), math.log(200))) * 3600
    low, mode, high = sorted(chance.uniform(0, 2 * time) for _ in range(3))
    return [
        {"law": "none"},
        {"law": "constant", "value": time},
        {"law": "exponential", "mean": time},
        {"law": "weibull", "shape": chance.uniform(0.3, 4), "scale": time},
        {"law": "lognormal", "median": time, "sigma": chance.uniform(0.2, 2.5)},
        {"law": "loglogistic", "median": time, "shape": chance.uniform(1.5, 6)},
        {"law": "gamma", "mean": time, "cv": chance.uniform(0.1, 3)},
        {"law": "uniform", "low": low, "high": high},
        {"law": "triangular", "low": low, "mode": mode, "high": high},
        {
            "law": "hyperexponential",
            "p": chance.uniform(0.05, 0.95),
            "mean1": time,
            "mean2": time * chance.uniform(0.02, 1),
        },
        {
            "law": "bathtub",
            "a": chance.uniform(0.2, 0.6),
            "tau1": time * chance.uniform(0.02, 0.2),
            "tau2": time * chance.uniform(0.01, 0.1),
            "b": time,
        },
    ]


def question(chance):
    """Any question that the page can ask."""

    def time(low, high):
        return round(math.exp(chance.uniform(math.log(low), math.log(high))) * SECOND)

    def perhaps(share, value, other=None):
        return value if chance.random() < share else other

    evictions = chance.choice(laws(chance))
    always = evictions["law"] == "none"
    return {
        "limit": time(1800, 144_000) if always else perhaps(0.6, time(1800, 144_000)),
        "evictions": evictions,
        "grace": perhaps(0.3, time(1, 1200), 0),
        "gap": perhaps(0.5, time(1, 14_400), 0),
        "worklife": perhaps(0.3, time(600, 36_000)),
        "leaveEarly": perhaps(0.3, True, False),
        "write": time(0.1, 900),
        "transfer": time(0.1, 900),
        "restartInPlace": time(0.1, 300),
        "restartLease": time(0.1, 900),
        "input": perhaps(0.3, time(1, 300), 0),
        "step": perhaps(0.2, time(10, 1200)),
    }


def written(law):
    """The law as a scenario has it."""
    parameters = {
        name: value if name in PLAIN else f"{value!r}s"
        for name, value in law.items()
        if name != "law"
    }
    if law["law"] == "constant":
        return f"constant({parameters['value']})"
    inner = ", ".join(f"{name}={value}" for name, value in parameters.items())
    return f"{law['law']}({inner})" if parameters else "none"


def scenario(asked):
    """The same question to Python."""

    def ns(name):
        return None if asked[name] is None else f"{asked[name]}ns"

    keys = {
        "slots.evictions": written(asked["evictions"]),
        "slots.limit": ns("limit"),
        "slots.grace": ns("grace"),
        "slots.gap": ns("gap"),
        "slots.claim_worklife": ns("worklife"),
        "job.leave_early": "yes" if asked["leaveEarly"] else "no",
        "job.write": ns("write"),
        "job.transfer": ns("transfer"),
        "job.restart_in_place": ns("restartInPlace"),
        "job.restart_lease": ns("restartLease"),
        "job.input": ns("input"),
        "job.step": ns("step"),
    }
    return load(None, keys)


def questions(count, seed):
    """So many questions that have an answer, with Python's solver and the intervals to look at."""
    chance = random.Random(seed)
    while count:
        asked = question(chance)
        solver = Solver(scenario(asked))
        try:
            low, high = span(solver)
        except ScenarioError:
            continue
        count -= 1
        yield asked, solver, [round(low * (high / low) ** chance.random()) for _ in range(2)]


def off(found, expected):
    return abs(found - expected) / abs(expected) if expected else abs(found)


def test_values_and_accounts_are_those_of_python():
    assert_all_are_those_of_python(answers)


def assert_all_are_those_of_python(answers):
    """Accounts where no lease has very many rounds: there Python's sums cancel to some 1e-8."""
    asked = list(questions(SETTINGS, SEED))
    assert len({question["evictions"]["law"] for question, _, _ in asked}) == len(
        laws(random.Random(0))
    )
    found = answers("valued", [(question, intervals) for question, _, intervals in asked])
    for (question, solver, intervals), rows in zip(asked, found, strict=True):
        for interval, (value, account) in zip(intervals, rows, strict=True):
            assert_same_value(value, solver.value(interval), question)
            if solver.fixed([interval]).number.size <= ROUNDS_EACH:
                assert_same_account(account, accounts(solver, [interval])[0], question)


def assert_same_value(found, value, question):
    assert found["fitting"] == value.fitting, question
    assert off(found["work"], value.work_s) < CLOSE, question
    assert off(found["checkpoints"], value.checkpoints) < CLOSE, question
    assert off(found["lease"], value.lease_s) < CLOSE, question
    assert off(found["useful"], value.useful_fraction) < CLOSE, question
    assert off(found["worth"], value.useful_fraction_with_gap) < CLOSE, question


def assert_same_account(found, account, question):
    for category, spent in account.spent_s.items():
        mine = found.get(category.name.lower(), 0.0)
        assert abs(mine - spent) < CLOSE * account.lease_s, (category, question)


def test_the_search_finds_what_python_finds():
    """The same best value, flat ground to 0.2 s and cliffs."""
    asked = list(questions(40, SEED + 1))
    found = answers("searched", [(question,) for question, _, _ in asked])
    for (question, solver, _), (best, flat, cliffs) in zip(asked, found, strict=True):
        search = Search(solver.scenario)
        assert off(best["worth"], search.best.useful_fraction_with_gap) < CLOSE, question
        borders = [border for each in search.flat() for border in each]
        assert [border for each in flat for border in each] == pytest.approx(
            borders, rel=0, abs=SECOND / 5
        ), question
        every = [each.at.interval for each in search.cliffs]  # the page leaves out hopeless ones
        assert cliffs == every[len(every) - len(cliffs) :], question


def test_the_manuals_84_minutes():
    """A literal: four checkpoints in six hours, and one fewer a nanosecond later."""
    question = dict.fromkeys(("grace", "gap", "input"), 0)
    question |= {"worklife": None, "step": None, "leaveEarly": False}
    question |= {"limit": 6 * HOUR, "evictions": {"law": "exponential", "mean": 43_200.0}}
    question |= {"write": 4 * MINUTE, "transfer": MINUTE}
    question |= {"restartInPlace": 2 * MINUTE, "restartLease": 2 * MINUTE}
    [[best, _, cliffs]] = answers("searched", [(question,)])
    assert best["interval"] == 83 * MINUTE
    assert best["fitting"] == 4
    assert round(best["worth"], 3) == 0.866
    assert 83 * MINUTE in cliffs
