"""The command line as a user meets it: run as a process, judged by what it prints."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest

CKPTSIM = [sys.executable, "-m", "ckptsim"]
LEASE = ["--limit", "6h", "--evictions", "12h", "--write", "4min", "--transfer", "1min"]
FEW = ["--confirm", "500"]
MANY = ["--work", "24h", "--replications", "20000", "--engine", "virtual"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def ckptsim(*words, **settings):
    return subprocess.run(
        [*CKPTSIM, *words], capture_output=True, text=True, timeout=120, check=False, **settings
    )


def answer(*words):
    done = ckptsim(*words, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def mistake(*words):
    """The one line that a mistake is told in."""
    done = ckptsim(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("ckptsim: ")
    return line.removeprefix("ckptsim: ")


# --- plan -----------------------------------------------------------------------------------------


def test_plan_answers_the_manuals_question_with_evictions():
    plan = answer("plan", *LEASE, *FEW, "--intervals", "60min,84min")
    assert plan["best_fixed"]["interval_s"] == 85 * 60
    assert plan["best_fixed"]["checkpoints_fitting"] == 4
    assert plan["best_fixed"]["work_per_lease_s"] == pytest.approx(251.184998 * 60, abs=1e-4)
    assert plan["lease_mean_s"] == pytest.approx(283.297925 * 60, abs=1e-4)
    assert [point["interval_s"] for point in plan["curve"]] == [3600, 5040]
    assert plan["curve"][1]["work_per_lease_s"] == pytest.approx(249.03977 * 60, abs=1e-3)
    assert plan["cliff_above"]["interval_s"] == 5100
    assert plan["within"]["percent"] == 1
    assert plan["classic"]["young_s"] == pytest.approx(84.853 * 60, abs=0.1)
    low, high = plan["simulation"]["useful_fraction_with_gap_ci99"]
    assert low <= plan["best_fixed"]["useful_fraction"] <= high


def test_plan_says_the_makespan_of_a_job_that_ends():
    # theory.md, section 4
    words = ["--gap", "30min", "--work", "2000min", "--intervals", "60min,85min"]
    plan = answer("plan", *LEASE, *FEW, *words)
    makespans = [point["makespan_s"] / 60 for point in plan["curve"]]
    assert makespans == pytest.approx([2676.4556, 2475.9289], abs=1e-3)


def test_plan_says_never():
    words = ["--limit", "6h", "--write", "5min", "--restart-lease", "5min", "--work", "24h"]
    (point,) = answer("plan", *words, *FEW, "--intervals", "355min")["curve"]
    assert (point["never_finishes"], point["makespan_s"]) == (True, None)


def test_plan_for_people_ends_with_the_report(tmp_path):
    done = ckptsim("plan", *LEASE, *FEW, "--interval", "60min")
    assert done.returncode == 0
    assert "Checkpoint every 1 h 25 min of computing." in done.stdout
    assert "against 18.6 % with your present 1 h" in done.stdout
    folder = tmp_path / "reports" / "scenario"
    assert sorted(path.name for path in folder.iterdir()) == [
        "plan-badput.csv",
        "plan-badput.png",
        "plan-curve.csv",
        "plan-curve.png",
        "plan-lease.png",
        "plan-trade-off.png",
        "plan.html",
        "plan.json",
        "plan.md",
    ]
    page = (folder / "plan.md").read_text()
    assert "seed 1" in page
    assert "ckptsim plan --limit 6h --evictions 12h" in page


def test_a_report_is_the_same_when_made_again(tmp_path):
    contents = []
    for _ in range(2):
        assert ckptsim("plan", *LEASE, *FEW, "--out", "there").returncode == 0
        contents.append({path.name: path.read_bytes() for path in (tmp_path / "there").iterdir()})
    assert contents[0] == contents[1]


@pytest.mark.parametrize(
    "words",
    [
        ["--limit", "6h", "--evictions", "12h", "--write", "5min", "--steps", "50min,35min,90min"],
        ["--evictions", "lognormal(median=2min, sigma=1.95)", "--write", "1min", "--gap", "50min"],
        ["--limit", "2h", "--write", "exponential(mean=5min)", "--steps", "30min,1h,20min,1h"],
        ["--limit", "6h", "--evictions", "12h", "--step", "10min"],
        ["--limit", "6h", "--work", "3d", "--write", "5min", "--restart", "3min"],
    ],
)
def test_every_kind_of_plan_has_its_report(words, tmp_path):
    if "lognormal" in words[1]:
        words = [*words, "--transfer", "uniform(0s, 5s)"]
    done = ckptsim("plan", *words, *FEW, "--out", "there")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "there" / "plan.html").stat().st_size > 100_000


def test_a_job_in_steps_whose_checkpoints_are_free_is_told_its_step():
    plan = answer("plan", "--limit", "6h", "--evictions", "12h", "--step", "10min", *FEW)
    assert plan["best_step"]["interval_s"] == plan["recommended"]["interval_s"] == 600


def test_a_job_without_chance_is_told_one_makespan():
    done = ckptsim("plan", "--limit", "6h", "--write", "5min", "--work", "3d", *FEW, "--no-report")
    assert "One job of 3 d, alone: 3 d 1 h, always." in done.stdout


def test_json_writes_no_report_unasked(tmp_path):
    answer("plan", *LEASE, *FEW)
    assert list(tmp_path.iterdir()) == []


def test_plan_from_logs(shared):
    logs = shared / "data" / "condor-logs"
    found = answer("plan", *FEW, "--log", str(logs / "licensed" / "*.log"), "--write", "5min")
    assert found["best_fixed"]["interval_s"] > 0
    assert any("no eviction" in line.lower() or "1 eviction" in line for line in found["evidence"])


LOG = Path(__file__).parent / "data" / "condor-logs" / "htcanalyze_job_evicted.log"


def test_a_plan_from_little_says_so_first():
    done = ckptsim("plan", "--log", str(LOG), "--write", "1min", *FEW, "--no-report")
    assert done.stdout.startswith(
        "Only 1 eviction in 23.7 min of these logs: the best interval may be anywhere between "
        "2 min 1 s and 27 min 26 s (95 %).\nCheckpoint every 6 min 14 s of computing.\n"
    )


def test_a_plan_from_no_eviction_is_for_the_worst_and_tells_other_losses(shared):
    log = shared / "data" / "condor-logs" / "licensed" / "usgs_sleep.log"
    told = ckptsim("plan", "--log", str(log), "--write", "1min", *FEW, "--no-report").stdout
    assert told.startswith(
        "No eviction in the 7.3 min of these logs: the answer is for the worst that they do not "
        "rule out.\n"
    )
    assert "lower end" not in told  # it is what was planned with
    assert (
        "Not planned for: 222 leases that ended otherwise (222 shadow exception); if such jobs go "
        "on, they too lose what was not committed.\n"
    ) in told


@pytest.mark.slow
def test_plan_from_every_log_answers_or_says_why_not(shared):
    logs = sorted((shared / "data" / "condor-logs").glob("*/*.log"))
    assert len(logs) > 20
    for log in logs:
        done = ckptsim("plan", "--log", str(log), "--write", "5s", "--confirm", "0", "--json")
        assert done.returncode in (0, 2), log
        assert len(done.stderr.splitlines()) == (done.returncode == 2), log


# --- simulate and sweep ---------------------------------------------------------------------------


def test_simulate_accounts_for_all_slot_time():
    words = ["--interval", "84min", "--work", "24h", "--replications", "40"]
    ran = answer("simulate", *LEASE, *words, "--restart", "2min", "--power-failures", "50h")
    books = ran["ledger"]
    whole = books.pop("slot_time_s")
    assert sum(books.values()) == pytest.approx(whole, rel=1e-12)
    assert sum(ran["lost_by_cause"].values()) == pytest.approx(books["lost_s"], rel=1e-12)
    assert books["useful_s"] == 40 * 24 * 3600
    assert (ran["jobs"]["completed"], ran["jobs"]["never_finishes"]) == (40, False)
    assert (ran["seed"], ran["engine"]) == (1, "virtual")


def test_simulate_follows_the_table_that_plan_has_printed(tmp_path):
    words = ["--limit", "6h", "--evictions", "12h", "--write", "uniform(3min, 7min)"]
    plan = answer("plan", *words, *FEW)
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    ran = answer("simulate", *words, "--policy", "plan.json", "--leases", "4000")
    low, high = ran["useful_fraction_ci99"]
    assert low < plan["policy"]["useful_fraction"] < high
    assert plan["policy"]["useful_fraction"] > plan["best_fixed"]["useful_fraction"] + 0.005


@pytest.mark.parametrize("text", ["", "[]", '{"policy": null}', '{"policy": {"rows": [{}]}}'])
def test_a_policy_that_is_none_is_one_line(text, tmp_path):
    (tmp_path / "plan.json").write_text(text)
    done = ckptsim("simulate", "--limit", "6h", "--policy", "plan.json", "--leases", "9")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "ckptsim: --policy plan.json: holds no table; expected what `ckptsim plan --json` prints\n"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--limit", "10min", "--write", "8min", "--restart", "5min"], "no interval can work"),
        (["--limit", "6h", "--write", "5min", "--work", "0"], "must be longer than 0"),
        (["--write", "5min", "--evictions", "none"], "nothing ends a lease"),
        (["--limit", "6h", "--write", "5min", "--steps", "10min,7h"], "a step takes 7 h"),
        (["--limit", "6h", "--write", "5min", "--steps", "1h,x"], "--steps: 'x': not a duration"),
        (["--limit", "6h", "--steps", "1h,2h", "--work", "9h"], "add up to 3 h"),
        ([*LEASE, "--objective", "makespan"], "needs a job with an end"),
        ([*LEASE, "--objective", "speed"], "no such objective; expected useful"),
        ([*LEASE, "--objective", "weighted(1s/GB)"], "needs the size of a checkpoint"),
        ([*LEASE, "--work", "9h", "--objective", "deadline(1h)"], "no interval gives the job any"),
        ([*LEASE, "--band", "300%"], "--band: '300%': expected a share"),
        ([*LEASE, "--within", "often"], "--within: 'often': expected a share"),
    ],
)
def test_a_question_without_an_answer_is_one_clear_line(words, told, tmp_path):
    done = ckptsim("plan", *words)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert told in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_simulate_leases_of_the_manuals_example_exactly():
    words = ["--limit", "6h", "--write", "5min", "--interval", "84min", "--leases", "7"]
    ran = answer("simulate", *words)
    assert ran["leases"] == {
        "count": 7,
        "work_mean_s": 336 * 60,
        "work_ci99_s": [336 * 60, 336 * 60],
        "checkpoints_mean": 4,
    }
    assert ran["lost_by_cause"]["limit_s"] == 7 * 4 * 60


def test_simulate_says_never():
    words = ["--limit", "6h", "--write", "5min", "--restart-lease", "5min", "--interval", "355min"]
    assert answer("simulate", *words, "--leases", "3")["jobs"]["never_finishes"] is True
    ran = answer("simulate", *words, "--work", "24h", "--replications", "2")
    assert (ran["jobs"]["completed"], ran["jobs"]["never_finishes"]) == (0, True)
    assert ran["ledger"]["useful_s"] == 2 * 355 * 60  # the cold start has no restart to pay


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_trace_can_be_read_again(tmp_path, form):
    import pandas as pd

    words = ["--limit", "6h", "--write", "5min", "--interval", "84min", "--work", "3h"]
    answer("simulate", *words, "--replications", "1", "--trace", f"trace.{form}")
    path = tmp_path / f"trace.{form}"
    frame = pd.read_csv(path) if form == "csv" else pd.read_parquet(path)
    rows = frame[["time_s", "event", "phase", "saved_s"]].to_numpy().tolist()
    assert rows == [
        [0, "placed", "computing", 0],
        [5040, "elapsed", "writing", 0],
        [5340, "elapsed", "computing", 5040],
        [10380, "elapsed", "writing", 5040],
        [10680, "elapsed", "computing", 10080],
        [11400, "elapsed", "completed", 10800],
    ]


def test_sweep_meets_every_interval_with_the_same_fates():
    points = answer("sweep", *LEASE, "--leases", "400", "--over", "job.interval=84min,85min")[
        "points"
    ]
    assert [point["job.interval_s"] for point in points] == [5040, 5100]
    # Common random numbers: the difference is far surer than either value (theory.md, section 6).
    assert points[0]["work_per_lease_s"] < points[1]["work_per_lease_s"]


def test_sweep_over_two_keys():
    over = ["--over", "job.interval=1h,2h", "--over", "slots.limit=4h:6h:2h"]
    points = answer("sweep", "--write", "5min", *over, "--leases", "10")["points"]
    found = [
        (point["job.interval_s"], point["slots.limit_s"], round(point["work_per_lease_s"]))
        for point in points
    ]
    hour = 3600
    assert found == [
        (hour, 4 * hour, 3 * hour),
        (hour, 6 * hour, 5 * hour),
        (2 * hour, 4 * hour, 2 * hour),
        (2 * hour, 6 * hour, 4 * hour),
    ]


# --- fit, schema ----------------------------------------------------------------------------------


def test_fit_of_a_table_counts_what_is_censored(tmp_path):
    (tmp_path / "lives.csv").write_text("life_s,seen\n100,1\n200,1\n300,0\n")
    (law,) = answer("fit", "lives.csv", "--column", "life_s", "--observed", "seen")["laws"]
    assert (law["ends"], law["censored"], law["exposure_s"]) == (2, 1, 600)
    assert law["law"] == "exponential(mean=5min)"  # T / d


def test_the_schema_is_one():
    done = ckptsim("schema")
    schema = json.loads(done.stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({"job": {"write": "5min"}, "slots": {"limit": "6h"}}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"job": {"wirte": "5min"}}, schema)


# --- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["plan"], "nothing ends a lease"),
        (["plan", "--limit", "6h"], "a checkpoint costs nothing"),
        (
            ["plan", "--write", "5min", "--evictions", "lognormal(median=2h, sigma=10)"],
            "would last longer than a century",
        ),
        (
            ["plan", "--write", "5min", "--evictions", "mixture(0.5: none, 0.5: 3h)"],
            "one lease in 2 would last longer than a century",
        ),
        (["simulate", "--write", "5min", "--interval", "1h"], "nothing ends a lease"),
        (["sweep", *LEASE, "--over", "seed=1,2", "--over", "seed=3"], "seed twice"),
        (["plan", "--limit", "6"], "--limit: 6: no unit; write for example 6min"),
        (["plan", "--limt", "6h"], "No such option '--limt'"),
        (["plan", "--limit", "6h", "--write", "7h"], "no interval can work"),
        (["plan", "--evictions", "weibul(shape=1, mean=3h)"], "did you mean 'weibull'?"),
        (["plan", "--set", "job.intervall=3h"], "did you mean 'interval'?"),
        (["plan", "--set", "nothing"], "found no KEY=VALUE"),
        (["plan", "--pool", "htcondr"], "did you mean 'htcondor'?"),
        (["plan", "no.toml"], "no.toml: no such file"),
        (["plan", "folder"], "folder: cannot be read: Is a directory"),
        (["plan", "binary"], "binary: not a text file in UTF-8"),
        (["plan", "--log", "binary"], "expected an HTCondor job event log"),
        (["plan", "--log", "empty"], "empty: is empty"),
        (["plan", "--log", "folder"], "folder: is a directory"),
        (["plan", "--log", "none*.log"], "none*.log: no file of such a name"),
        (["plan", *LEASE, "--intervals", "3"], "--intervals: 3: no unit"),
        (["plan", *LEASE, "--out", "binary"], "cannot write the report"),
        (["plan", *LEASE, "--out", "/proc/nowhere"], "cannot write the report"),
        (["simulate", "--limit", "6h"], "job.interval: missing"),
        (["simulate", *LEASE, "--interval", "1h", "--trace", "t.txt"], "expected .csv or .parquet"),
        (["simulate", *LEASE, "--interval", "1h", "--trace", "no/t.csv"], "no such folder"),
        (["sweep", *LEASE], "--over: found 0"),
        (["sweep", *LEASE, "--over", "job.intervl=1h,2h"], "did you mean 'interval'?"),
        (["fit", "empty.csv"], "empty.csv: no rows in it"),
        (["fit", "folder"], "folder: is a directory"),
        (["plna"], "no command 'plna'; did you mean 'plan'?"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing_behind(tmp_path, words, expected):
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").write_bytes(bytes(range(256)) * 8)
    (tmp_path / "empty").touch()
    (tmp_path / "empty.csv").touch()
    before = sorted(tmp_path.rglob("*"))
    assert expected in mistake(*words)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_truncated_log_is_read_as_far_as_it_goes(tmp_path):
    whole = Path(__file__).parent / "data" / "condor-logs" / "htcanalyze_job_evicted.log"
    text = whole.read_bytes()
    (tmp_path / "cut.log").write_bytes(text[: len(text) * 2 // 3])
    found = answer("plan", "--log", "cut.log", "--write", "5s", "--confirm", "0")
    assert any("skipped" in line for line in found["evidence"])


def test_ctrl_c_keeps_what_is_finished():
    words = ["simulate", *LEASE, "--interval", "10min", *MANY]
    running = subprocess.Popen(
        [*CKPTSIM, *words, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    time.sleep(10)
    os.killpg(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert err == ""
    ran = json.loads(out)
    assert ran["interrupted"] is True
    assert 0 < ran["jobs"]["completed"] < 20000


def test_a_reader_that_has_seen_enough_is_no_mistake():
    done = subprocess.run(
        f"{sys.executable} -m ckptsim schema | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("{\n", "")


def test_help_names_every_command_and_imports_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ckptsim", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    for name in ("plan", "simulate", "sweep", "fit", "lesson", "schema"):
        assert f"  {name} " in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & {"numpy", "pandas", "scipy", "matplotlib", "simpy", "pydantic", "rich"}


# --- found by people who tried to break it --------------------------------------------------------


def test_a_sweep_point_that_cannot_run_is_told_as_never():
    words = ["--limit", "6h", "--write", "5min", "--cold-start", "5min", "--work", "24h"]
    over = ["--over", "job.interval=60min,356min", "--replications", "2"]
    points = answer("sweep", *words, *over)["points"]
    assert [point["never_finishes"] for point in points] == [False, True]
    assert points[1]["makespan_s"] is None
    assert "never" in ckptsim("sweep", *words, *over, "--no-report").stdout


def test_a_swept_number_is_no_time():
    done = ckptsim(
        "sweep",
        *LEASE,
        "--interval",
        "1h",
        "--over",
        "slots.count=1,2",
        "--leases",
        "9",
        "--no-report",
    )
    assert "at slots.count = 1." in done.stdout


def test_the_makespan_of_jobs_of_which_some_never_finish_is_infinite():
    words = ["--evictions", "1h", "--write", "5min", "--interval", "20h", "--work", "30h"]
    ran = answer("simulate", *words, "--replications", "1")
    assert ran["jobs"]["never_finishes"] is True
    assert ran["jobs"]["makespan_mean_s"] is None


@pytest.mark.parametrize(
    "words",
    [
        ["plan", *LEASE, "--confirm", "0", "--no-report"],
        ["schema"],
        ["plan", "--help"],
    ],
)
def test_a_full_disk_is_one_line(words):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*CKPTSIM, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr == "ckptsim: cannot write the output: no space left on device\n"


def test_a_terminal_without_our_letters_is_no_mistake():
    plain = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    done = ckptsim("plan", *LEASE, *FEW, "--no-report", env=plain)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Checkpoint every 1 h 25 min" in done.stdout


@pytest.mark.parametrize(
    "law",
    [
        "lognormal(median=2h, sigma=3)",
        pytest.param("gamma(mean=12h, cv=20)", marks=pytest.mark.slow),
    ],
)
def test_a_heavy_tail_is_planned_for(law):
    found = answer("plan", "--evictions", law, "--write", "4min", *FEW)["best_fixed"]
    assert 0 < found["useful_fraction"] < 1
    assert 60 < found["interval_s"] < 10 * 365 * 86400


def test_leases_of_a_year_are_simulated_too():
    found = answer("plan", "--evictions", "365d", "--write", "5min")
    low, high = found["simulation"]["useful_fraction_with_gap_ci99"]
    assert found["simulation"]["leases"] > 1000  # as many as 300,000 checkpoints allow
    assert low <= found["best_fixed"]["useful_fraction"] <= high


def test_the_bare_command_is_its_help():
    done = ckptsim()
    assert done.returncode == 0
    assert done.stdout == ckptsim("--help").stdout


def test_a_log_without_evictions_is_answered_for_the_worst_and_says_so():
    log = Path(__file__).parent / "data" / "condor-logs" / "htcondor_recovery_event_check.log"
    assert "expected a log of jobs that ran" in mistake("plan", "--log", str(log), "--write", "5s")


def test_processes_end_with_the_one_they_work_for():
    words = ["simulate", *LEASE, "--interval", "10min", *MANY]
    running = subprocess.Popen([*CKPTSIM, *words, "--json"], stdout=subprocess.DEVNULL)
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not workers(children):
        time.sleep(0.2)
    orphans = workers(children)
    running.kill()
    running.wait()
    while time.monotonic() < deadline and any(Path(f"/proc/{pid}").exists() for pid in orphans):
        time.sleep(0.2)
    assert orphans
    assert not any(Path(f"/proc/{pid}").exists() for pid in orphans)


def workers(children):
    """The processes started by the server that the command has started."""
    found = []
    for child in children.read_text().split():
        below = Path(f"/proc/{child}/task/{child}/children")
        found += below.read_text().split() if below.exists() else []
    return found


# --- what is documented ---------------------------------------------------------------------------

DOCUMENTED = set(
    re.findall(r"`([a-z_0-9]+)`", (Path(__file__).parents[1] / "docs/json.md").read_text())
)
FREE_TEXT = (
    "scenario",
    "makespan_quantiles_s",
    "quantiles_s",
)  # objects with keys of the user's or of numbers


def fields(document):
    """All names in a JSON document."""
    if isinstance(document, list):
        return {name for each in document for name in fields(each)}
    if not isinstance(document, dict):
        return set()
    inner = (fields(value) for name, value in document.items() if name not in FREE_TEXT)
    return set(document) | {name for names in inner for name in names}


@pytest.mark.parametrize(
    "words",
    [
        ["plan", *LEASE, *FEW, "--interval", "1h", "--gap", "5min", "--work", "9h"],
        ["plan", "--pool", "gcp-preemptible", "--write", "5min", *FEW, "--intervals", "1h"],
        ["simulate", *LEASE, "--interval", "1h", "--work", "9h", "--replications", "3"],
        ["sweep", *LEASE, "--over", "job.interval=1h,2h", "--leases", "9"],
        ["fit", str(Path(__file__).parents[1] / "ckptsim/profiles/gcp-preemptible.csv")],
        ["lesson", "84-minutes", "--step", "1"],
    ],
)
def test_every_field_is_documented(words):
    found = fields(answer(*words))
    missing = {name for name in found if name not in DOCUMENTED and "." not in name}
    ledger = {"write_s", "transfer_s", "cold_start_s", "restart_lease_s", "restart_in_place_s"}
    ledger |= {"useful_s", "input_s", "vacating_s", "disconnected_s"}
    ledger |= {"limit_s", "eviction_s", "power_failure_s"}
    assert {
        name
        for name in missing - ledger
        if not re.fullmatch(r"share_.*|.*_(low|high|ci99|beyond)|checkpoints_fitting.*", name)
    } <= lesson_tables(words)


def lesson_tables(words):
    """A lesson's tables have names of their own."""
    if words[0] != "lesson":
        return set()
    return {
        "claim",
        "checkpoints",
        "committed_s",
        "checkpoint_time_s",
        "tail_s",
        "not_committed_s",
        "restart_s",
    }
