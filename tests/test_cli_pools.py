"""Pools as a user meets them on the command line: what is told and drawn, what is a mistake."""

import json
import sys
from typing import NamedTuple

import pandas as pd
import pytest

from ckptsim.cli import main

# Six runs that have the link for 400 s in each 2,200 s, could they have it; twelve that ask for
# little.
FILE = """
replications = 2

[link]
bandwidth = "15 MB/s"

[slots]
count = 8
evictions = "10h"

[classes.large]
user = "ann"
count = 6
work = "10h"
interval = "30min"
size = "6 GB"

[classes.small]
user = "ben"
count = 12
work = "1h"
interval = "20min"
size = "100 MB"
arrivals = "exponential(mean=30min)"
"""
STEADY = ["--jobs", "6", "--slots", "6", "--interval", "30min", "--write", "1min"]
STEADY += ["--evictions", "6h", "--duration", "6d", "--warm-up", "1d"]


class Done(NamedTuple):
    """How a command ended."""

    status: int | None
    stdout: str
    stderr: str


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pool.toml").write_text(FILE)


@pytest.fixture
def ckptsim(monkeypatch, capsys):
    """The command, in this process, which knows all that it imports already."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["ckptsim", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def told(ckptsim):
    def run(*words):
        done = ckptsim(*words)
        assert (done.status or 0, done.stderr) == (0, "")
        return done.stdout

    return run


@pytest.fixture
def answer(told):
    return lambda *words: json.loads(told(*words, "--json"))


# --- simulate -------------------------------------------------------------------------------------


def test_simulate_tells_people_of_each_class_and_of_the_saturated_link(told, tmp_path):
    lines = told("simulate", "pool.toml").splitlines()
    assert lines[0].endswith("with a checkpoint every 30 min (large), every 20 min (small).")
    rows = {line.split()[0]: line.split() for line in lines if line}
    assert rows["large"][1] == "ann"
    assert rows["small"][1] == "ben"
    [saturated] = [line for line in lines if line.startswith("The link is saturated")]
    assert "the jobs ask for 1." in saturated
    assert "make the intervals" in saturated
    assert lines[-3] == "Simulated with SimPy, seed 1, 2 replications."
    folder = tmp_path / "reports" / "pool"
    pictures = {path.name for path in folder.glob("*.png")}
    named = {"ledger", "course", "makespan", "slots"}
    assert pictures == {f"simulate-{name}.png" for name in named}
    course = pd.read_csv(folder / "simulate-course.csv")
    assert course["busy"].max() <= 8
    assert course["link_busy"].between(0, 1).all()
    assert saturated in (folder / "simulate.md").read_text()


def test_a_longer_interval_is_what_the_sentence_says_it_is(told):
    longer = told("simulate", "pool.toml", "--no-report", "--set", "classes.large.interval=2h")
    assert "saturated" not in longer


def test_simulate_tells_programs(answer):
    found = answer("simulate", "pool.toml")
    assert {"classes", "users", "kinds", "link", "queue", "steady"} <= set(found)
    assert found["classes"]["large"]["interval_s"] == 1800
    assert found["users"]["ben"]["jobs"]["completed"] == 24
    assert found["link"]["saturated"]
    assert found["link"]["demand"] == pytest.approx(1.2, abs=0.2)
    assert found["ledger"]["pending_s"] == 0
    assert found["steady"] is None
    assert found["engine"] == "virtual"
    whole = found["ledger"]["slot_time_s"]
    assert sum(each["ledger"]["slot_time_s"] for each in found["kinds"].values()) == whole


def test_one_long_run_is_read_by_batch_means(told):
    lines = told("simulate", *STEADY, "--replications", "1", "--no-report").splitlines()
    [steady] = [line for line in lines if line.startswith("Steady state")]
    assert steady == (
        "Steady state: the first 1 d are left out, means of 20 batches of 6 h, for there are fewer "
        "than 5 replications."
    )
    assert any(line.startswith("pending") for line in lines)


def test_several_runs_are_read_by_their_means(answer):
    found = answer("simulate", *STEADY, "--replications", "5")
    assert found["steady"]["method"] == "replications"
    assert found["steady"]["count"] == 5
    assert found["steady"]["batches_lag_1"] is None
    assert found["kinds"]["slot"]["committed_slot_hours_per_slot_hour"] == pytest.approx(
        found["useful_fraction"], abs=1e-3
    )  # no slot is ever idle


def test_a_pool_that_does_not_say_has_ten_replications(answer):
    assert answer("simulate", *STEADY)["replications"] == 10


def test_jobs_of_a_class_that_never_finish_are_counted_and_told_why(told):
    words = ["--set", "slots.limit=1h", "--set", "classes.large.interval=2h"]
    lines = told("simulate", "pool.toml", "--no-report", *words).splitlines()
    [never] = [line for line in lines if "never finish" in line]
    assert never == (
        "12 of 12 jobs of the class 'large' never finish: with the cold start, interval, write and "
        "transfer take 2 h 6 min 40 s, but no lease is longer than 1 h. Choose a shorter interval."
    )


def test_leases_of_a_lone_job_know_no_pool(answer):
    found = answer("simulate", "--interval", "1h", "--limit", "6h", "--leases", "10")
    assert [found[name] for name in ("classes", "users", "kinds", "link", "queue", "steady")] == (
        [None] * 6
    )


# --- sweep ----------------------------------------------------------------------------------------


def test_sweep_over_a_class_and_the_link_marks_where_it_is_saturated(told, tmp_path):
    over = ["--over", "classes.large.interval=30min,2h", "--over", "link.bandwidth=15MB/s"]
    lines = told("sweep", "pool.toml", *over, "--replications", "1").splitlines()
    assert "At 1 of 2 points the link is saturated: more is asked of it than it can carry." in lines
    marked = [line.split()[:3] for line in lines if line.endswith("saturated")]
    assert marked == [["30", "min", "15MB/s"]]
    table = pd.read_csv(tmp_path / "reports" / "pool" / "sweep-points.csv")
    assert table["link_saturated"].tolist() == [True, False]
    assert (tmp_path / "reports" / "pool" / "sweep-map.png").exists()


def test_sweep_says_which_engine_ran_each_point(answer):
    found = answer("sweep", *STEADY, "--over", "job.interval=20min,1h", "--replications", "1")
    assert found["engine"] == "virtual"
    assert [point["engine"] for point in found["points"]] == ["virtual", "virtual"]
    assert "link_demand" not in found["points"][0]


# --- mistakes -------------------------------------------------------------------------------------

LINKED = ["--link", "1Gb/s", "--interval", "1h", "--work", "10h"]
ONE_CLASS = ["--set", "classes.b.interval=1h"]
NO_INTERVAL = (
    "classes.a.interval: missing; expected a time, for example --set classes.a.interval=84min, or "
    "--interval 84min for all classes"
)
FAST = ["--set", "slots.speed=2"]
MISTAKES = [
    (
        ["simulate", "--work", "5h", "--set", "classes.a.count=2", *ONE_CLASS],
        NO_INTERVAL,
    ),
    (["simulate", "pool.toml", "--leases", "5"], "--leases: runs one job without end, alone"),
    (
        ["simulate", "pool.toml", "--policy", "plan.json"],
        "is for one class of jobs, and there",
    ),
    (["simulate", "pool.toml", "--engine", "fast"], "'fast' is not one of"),
    (["simulate", "pool.toml", "--interval", "1h"], "has no effect, for each class has its own"),
    (["simulate", "pool.toml", "--set", "classes.lrge.count=2"], "did you mean 'large'?"),
    (["simulate", "pool.toml", "--warm-up", "1d"], "has no effect without duration"),
    (["simulate", *STEADY, "--warm-up", "7d"], "no shorter than the duration of 6 d"),
    (["simulate", "--interval", "1h", "--link", "1Gb/s", "--jobs", "2"], "the [link] moves it"),
    (["simulate", *LINKED, "--transfer", "1min"], "given besides a [link]"),
    (["simulate", *LINKED, "--size", "1GB", "--mode", "delayed"], "not modelled over a [link]"),
    (["simulate", *LINKED, "--size", "1GB", "--set", "link.at_most=0"], "link.at_most"),
    (["simulate", *STEADY, "--set", "queue.order=fair"], "fair share"),
    (
        ["simulate", *STEADY, "--set", "domains.rack.size=4"],
        "domains.rack.power_failures: missing",
    ),
    (
        ["simulate", "--interval", "1h", "--jobs", "4", *FAST],
        "duration: missing",
    ),
    (["sweep", "pool.toml", "--over", "classes.large.intervall=1h,2h"], "interval"),
    (["sweep", "pool.toml", "--over", "classes.large.interval=1h", "--engine", "simpy"], "'simpy'"),
    (["simulate", "pool.toml", "--trace", "run.txt"], "expected .csv or .parquet"),
]


@pytest.mark.parametrize(("words", "expected"), MISTAKES)
def test_a_mistake_is_one_line_and_leaves_nothing_behind(ckptsim, tmp_path, words, expected):
    before = sorted(tmp_path.iterdir())
    done = ckptsim(*words)
    assert done.status == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("ckptsim: ")
    assert expected in line
    assert sorted(tmp_path.iterdir()) == before
