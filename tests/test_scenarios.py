"""The scenarios that come with ckptsim: each tells its story, is valid, and has a sane answer."""

import json
import runpy
import subprocess
import sys
import tomllib
from functools import lru_cache
from pathlib import Path

import jsonschema
import pytest

from ckptsim.plan import plan
from ckptsim.scenario import describe, load, schema
from ckptsim.search import Search
from ckptsim.units import MINUTE, SECOND
from ckptsim.world import unless_none

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "scenarios"
NAMES = [
    "500-jobs",
    "84-minutes",
    "84-minutes-evictions",
    "84-minutes-restart",
    "gcp-preemptible",
    "htcondor-defaults",
    "overnight-desktops",
    "power-failures",
]
POOLS = ["apex-cielo", "shared-link"]  # which have no exact answer
CKPTSIM = Path(sys.executable).with_name("ckptsim")


@lru_cache
def search(name):
    return Search(load(FOLDER / f"{name}.toml", {}))


def minutes(value):
    return value.work_s / 60


def run(*words, cwd=ROOT):
    done = subprocess.run([CKPTSIM, *words], cwd=cwd, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done


def test_all_are_here():
    assert sorted(path.stem for path in FOLDER.glob("*.toml")) == sorted([*NAMES, *POOLS])


@pytest.mark.parametrize("name", [*NAMES, *POOLS])
def test_a_story_comes_first(name):
    lines = (FOLDER / f"{name}.toml").read_text().splitlines()
    story = lines[: next(n for n, line in enumerate(lines) if not line.startswith("# "))]
    assert len(story) >= 3
    assert story[-1].endswith(".")
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("name", [*NAMES, *POOLS])
def test_valid_by_the_schema_and_by_the_door(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    path = Path("scenarios") / f"{name}.toml"
    jsonschema.validate(tomllib.loads(path.read_text()), schema())
    scenario = load(path, {})
    assert scenario.name == name
    assert scenario.is_pool == (name in POOLS)
    jobs = scenario.job_classes.values()
    assert all(job.interval is not None for job in jobs)  # so that simulate runs it as it is
    assert str(ROOT) not in json.dumps(describe(scenario))


@pytest.mark.parametrize("name", NAMES)
def test_the_answer_is_sane(name):
    found = search(name)
    present = found.value(found.scenario.job.interval)
    assert 0.8 < found.best.useful_fraction < 1
    assert present.useful_fraction_with_gap <= found.best.useful_fraction_with_gap
    assert MINUTE < found.best.interval < unless_none(found.scenario.slots.limit)


# theory.md, section 1


@pytest.mark.parametrize(
    ("name", "interval", "checkpoints", "committed"),
    [
        ("84-minutes", 60, 5, 300),
        ("84-minutes", 84, 4, 336),
        ("84-minutes", 355, 1, 355),
        ("84-minutes-restart", 60, 5, 300),
        ("84-minutes-restart", 84, 3, 252),
        ("84-minutes-restart", 355, 0, 0),
    ],
)
def test_the_manuals_lease(name, interval, checkpoints, committed):
    value = search(name).value(interval * MINUTE)
    assert (value.fitting, value.checkpoints) == (checkpoints, checkpoints)
    assert (value.work_s, value.lease_s) == (committed * 60, 21_600)


def test_without_evictions_the_longest_that_fits_is_best():
    assert search("84-minutes").best.interval == 355 * MINUTE
    assert search("84-minutes-restart").best.interval == 350 * MINUTE


# theory.md, section 2: M = 12 h, R = 0


@pytest.mark.parametrize(
    ("interval", "committed"),
    [(60, 230.69232), (84, 249.03977), (85, 251.18500), (115, 249.49752)],
)
def test_the_manuals_lease_with_evictions(interval, committed):
    value = search("84-minutes-evictions").value(interval * MINUTE)
    assert abs(minutes(value) - committed) < 1e-5
    assert abs(value.lease_s / 60 - 283.297925) < 1e-6


def test_the_answer_with_evictions_is_85_at_the_edge():
    found = search("84-minutes-evictions")
    assert found.best.interval == 85 * MINUTE
    assert abs(minutes(found.best) - 251.184998) < 1e-6
    over = found.value(85 * MINUTE + MINUTE // 100)
    assert round(100 * (1 - over.work_s / found.best.work_s), 1) == 20.5


# The others


def test_the_real_lifetimes_are_1442_and_pass_the_limit_by_at_most_50_minutes():
    scenario = search("gcp-preemptible").scenario
    values = scenario.slots.evictions.values
    assert len(values) == 1_442
    assert 24 * 3600 < max(values) < (24 * 60 + 50) * 60
    assert scenario.slots.limit == 24 * 3600 * SECOND


def test_the_real_lifetimes_answer_is_confirmed_by_redrawing_them():
    advice = plan(search("gcp-preemptible").scenario)
    assert advice.spread.interval_low <= advice.best.interval <= advice.spread.interval_high
    assert advice.spread.regret_high < 0.01


def test_the_htcondor_defaults_are_those_of_the_profile_and_cost_what_the_story_says():
    found = search("htcondor-defaults")
    slots = found.scenario.slots
    assert (slots.grace, slots.contact_lease) == (10 * MINUTE, 40 * MINUTE)
    assert slots.claim_worklife == 20 * MINUTE
    assert found.value(60 * MINUTE).fitting == 1  # each checkpoint ends its lease
    without = Search(load(FOLDER / "htcondor-defaults.toml", {"slots.claim_worklife": "none"}))
    assert without.best.useful_fraction_with_gap > found.best.useful_fraction_with_gap
    within = found.value(13 * MINUTE)
    assert within.fitting == 2
    assert within.useful_fraction_with_gap < found.best.useful_fraction_with_gap


def test_overnight_18_leases_in_100_are_evicted_before_the_limit():
    slots = search("overnight-desktops").scenario.slots
    assert round(1 - float(slots.evictions.survival(slots.limit / SECOND)), 2) == 0.18


def test_power_failures_have_no_cliffs():
    assert search("power-failures").cliffs == []


# By the command line, as a user would


def test_plan_by_the_command_line(tmp_path):
    path = FOLDER / "84-minutes-evictions.toml"
    done = run("plan", path, "--json", "--confirm", "0", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["best_fixed"]["interval_s"] == 5_100
    assert found["present"]["interval_s"] == 3_600
    assert list(tmp_path.iterdir()) == []


def test_never_finishing_by_the_command_line(tmp_path):
    path = FOLDER / "84-minutes-restart.toml"
    done = run(
        "plan", path, "--json", "--confirm", "0", "--intervals", "60min,355min", cwd=tmp_path
    )
    often, seldom = json.loads(done.stdout)["curve"]
    assert (often["makespan_s"], often["never_finishes"]) == (102_000, False)
    assert (seldom["makespan_s"], seldom["never_finishes"]) == (None, True)


def test_simulate_by_the_command_line(tmp_path):
    done = run("simulate", FOLDER / "84-minutes-restart.toml", "--json", cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["jobs"]["makespan_mean_s"] == 102_000


def test_the_reports_are_made_by_relative_commands_two_for_each_scenario():
    commands = list(runpy.run_path(str(FOLDER / "make_reports.py"))["commands"]())
    for name in (*NAMES, *POOLS):
        assert ["plan", f"scenarios/{name}.toml"] in commands
        assert ["simulate", f"scenarios/{name}.toml"] in commands
    assert not [word for command in commands for word in command if word.startswith("/")]
