import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ckptsim import units
from ckptsim.errors import ScenarioError
from ckptsim.lawtext import PROFILES
from ckptsim.lifetimes import Constant, Empirical, Exponential, Never, Uniform, Weibull
from ckptsim.scenario import Job, Scenario, Slots, describe, load, profiles, schema

MIN = units.MINUTE
NIGHT = """
# Overnight desktops: long nights, owners come back without much notice.
seed = 7
replications = 200
[job]
count = 40
work = "20 h"
interval = 00:30:00
write = "60 s"
transfer = { uniform = ["10s", "30s"] }
restart = "2 min"
restart_lease = "5min"
last_checkpoint = "yes"
[slots]
count = 16
limit = "6h"
evictions = { weibull = { shape = 0.7, mean = "3 h" } }
grace = 0
claim_worklife = "none"
"""


@pytest.fixture
def night(tmp_path):
    path = tmp_path / "night.toml"
    path.write_text(NIGHT)
    return path


def test_a_file_is_read_as_it_says(night):
    assert load(night, {}) == Scenario(
        name="night",
        seed=7,
        replications=200,
        job=Job(
            count=40,
            work=1200 * MIN,
            interval=30 * MIN,
            write=Constant(60),
            transfer=Uniform(10, 30),
            restart=Constant(120),
            restart_in_place=Constant(120),
            restart_lease=Constant(300),
            last_checkpoint=True,
        ),
        slots=Slots(count=16, limit=360 * MIN, evictions=Weibull.of_mean(0.7, 10800)),
    )


def test_defaults():
    found = load(None, {})
    assert found == Scenario()
    assert (found.name, found.seed, found.replications) == ("scenario", 1, 1000)
    assert (found.job.work, found.job.interval, found.job.step) == (None, None, None)
    assert found.job.write == found.job.transfer == found.job.restart_lease == Constant(0)
    assert found.slots.evictions == found.slots.power_failures == Never()
    assert found.slots.contact_lease == 40 * MIN


def test_overrides_come_last_and_none_is_left_out(night):
    found = load(
        night,
        {
            "job.interval": "90min",
            "slots.evictions": "12h",
            "job.leave_early": True,
            "job.count": "3",
            "slots.limit": None,
            "slots.gap": Uniform(1.0, 2.0),
        },
    )
    assert found.job.interval == 90 * MIN
    assert found.slots.evictions == Exponential(43200)
    assert found.job.leave_early
    assert found.job.count == 3
    assert found.slots.limit == 360 * MIN
    assert found.slots.gap == Uniform(1.0, 2.0)


@pytest.mark.parametrize(
    ("interval", "step", "computed"),
    [("90min", None, 90), ("90min", "20min", 100), ("80min", "20min", 80), ("1min", "1h", 60)],
)
def test_the_interval_is_rounded_up_to_whole_steps(interval, step, computed):
    job = load(None, {"job.interval": interval, "job.step": step}).job
    assert job.computed_interval == computed * MIN


def test_no_interval_is_none_computed():
    assert load(None, {"job.step": "1min"}).job.computed_interval is None


def test_size_and_bandwidth_make_the_transfer():
    job = load(None, {"job.size": "2 GB", "job.bandwidth": "1 Gb/s"}).job
    assert (job.size, job.bandwidth) == (2 * 10**9, 125 * 10**6)
    assert job.transfer == Constant(16)


def test_restart_is_both_restarts_unless_they_are_given():
    job = load(None, {"job.restart": "2min", "job.restart_lease": "5min"}).job
    assert (job.restart_in_place, job.restart_lease) == (Constant(120), Constant(300))


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        ({"slots.limt": "6h"}, "flags: slots.limt: unknown key; did you mean 'limit'?"),
        ({"job.limit": "6h"}, "flags: job.limit: unknown key; did you mean 'slots.limit'?"),
        ({"limit": "6h"}, "flags: limit: unknown key; did you mean 'slots.limit'?"),
        ({"sed": 1}, "flags: sed: unknown key; did you mean 'seed'?"),
        ({"qqq.x": 1}, "flags: qqq.x: unknown key"),
        ({"job.interval.x": 1}, "flags: job.interval.x: unknown key; did you mean 'job.interval'?"),
        ({"job": 3}, "flags: job: 3: expected a table, [job]"),
        ({"job": 3, "job.work": "1h"}, "flags: job: 3: expected a table, [job]"),
        ({"job.work": 90}, "flags: job.work: 90: no unit; write for example 90min"),
        ({"job.work": True}, "flags: job.work: True: not a duration; write for example"),
        ({"job.interval": "0s"}, "flags: job.interval: 0s: must be longer than 0"),
        ({"slots.limit": 0}, "flags: slots.limit: 0: must be longer than 0"),
        ({"slots.evictions": 0}, "flags: slots.evictions: 0: must be longer than 0"),
        ({"seed": -1}, "flags: seed: -1: expected a whole number from 0 to"),
        ({"seed": True}, "flags: seed: True: expected a whole number"),
        ({"seed": "१"}, "flags: seed: '१': expected a whole number"),
        ({"replications": 0}, "flags: replications: 0: expected a whole number from 1 to"),
        ({"job.count": 1.5}, "flags: job.count: 1.5: expected a whole number from 1 to"),
        (
            {"job.last_checkpoint": "maybe"},
            "flags: job.last_checkpoint: 'maybe': expected yes or no",
        ),
        ({"job.leave_early": 1}, "flags: job.leave_early: 1: expected yes or no"),
        ({"name": 3}, "flags: name: 3: expected a text"),
        ({"job.size": "2GB"}, "flags: job.bandwidth: missing, and the transfer of a size needs it"),
        ({"job.bandwidth": "1GB/s"}, "flags: job.bandwidth: has no effect without job.size"),
        ({"job.size": 5}, "flags: job.size: 5: no unit; write for example 500 MB"),
        ({"job.size": [5]}, "flags: job.size: [5]: not an amount; write for example 500 MB"),
        ({"job.size": "0 GB"}, "flags: job.size: 0 GB: must be more than 0"),
        (
            {"job.size": "2GB", "job.bandwidth": "1 Gb/s", "job.transfer": "1min"},
            "flags: job.transfer: given besides job.size and job.bandwidth",
        ),
        (
            {"job.step": "2h", "job.work": "1h"},
            "flags: job.step: 2 h: longer than the whole work of 1 h",
        ),
        ({"pool": "htcondr"}, "flags: pool: 'htcondr': no such profile; known are batch, gcp-"),
        ({"pool": "htcondr"}, "did you mean 'htcondor'?"),
        ({"slots.pool": ["x"]}, "flags: pool: ['x']: no such profile"),
    ],
    ids=str,
)
def test_a_mistake_is_one_line_where_what_and_what_is_right(overrides, line):
    with pytest.raises(ScenarioError, match=re.escape(line)) as caught:
        load(None, overrides)
    assert "\n" not in str(caught.value)


def test_several_mistakes_are_a_line_each_with_their_places(night):
    night.write_text(NIGHT.replace('"60 s"', "60").replace("grace", "grase"))
    with pytest.raises(ScenarioError) as caught:
        load(night, {"job.count": "x"})
    assert str(caught.value).split("\n") == [
        "flags: job.count: 'x': expected a whole number from 1 to 1000000000",
        f"{night}: job.write: 60: no unit; write for example 60min",
        f"{night}: slots.grase: unknown key; did you mean 'grace'?",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"job = [", "not TOML: "),
        (b"[job]\n[job]\n", "not TOML: Cannot declare ('job',) twice"),
        (b"x = " + b"1" * 5000, "not TOML: "),
        (b"x = " + b"[" * 5000, "nested too deeply"),
        (b"\xff\xfe", "not a text file in UTF-8"),
        (b"\x7fELF\x00", "not a text file"),
        (b"job = 3", "job: 3: expected a table, [job]"),
        (b'"a\\nb" = 1', "a b: unknown key"),
        (b"#" * (10**7 + 1), "too large"),
        (b'pool = "x"', "pool: 'x': no such profile"),
        (b"[job]\nwork = 2020-01-01", "job.work: datetime.date(2020, 1, 1): not a duration"),
        (b'[slots]\nevictions = "empirical(x.csv:t)"', "x.csv: no such file"),
    ],
)
def test_a_file_that_is_no_scenario_is_told_in_one_line(tmp_path, content, message):
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(ScenarioError, match=re.escape(message)) as caught:
        load(path, {})
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder(night):
    with pytest.raises(
        ScenarioError, match=r"nigt\.toml: no such file; did you mean 'night\.toml'"
    ):
        load(night.with_name("nigt.toml"), {})
    with pytest.raises(ScenarioError, match="cannot be read: Is a directory"):
        load(night.parent, {})
    with pytest.raises(ScenarioError, match="not a possible file name"):
        load(Path("a\0b.toml"), {})


def test_times_in_a_csv_file_are_beside_the_scenario_or_the_flags(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "seen.csv").write_text("t_s\n60\n")
    (tmp_path / "seen.csv").write_text("t_s\n90\n")
    path = tmp_path / "sub" / "x.toml"
    path.write_text('[slots]\nevictions = "empirical(seen.csv:t_s)"\n')
    monkeypatch.chdir(tmp_path)
    assert load(path, {}).slots.evictions == Empirical((60,))
    assert load(path, {"slots.evictions": "empirical(seen.csv:t_s)"}).slots.evictions == Empirical(
        (90,)
    )


def test_a_profile_lies_under_the_file_and_the_flags(night):
    night.write_text('pool = "htcondor"\n[slots]\ngrace = "1min"\n')
    found = load(night, {"slots.gap": "1min"})
    assert found.name == "night"
    assert found.slots == Slots(claim_worklife=20 * MIN, grace=MIN, gap=Constant(60))
    assert load(night, {"pool": "batch"}).slots.limit == 24 * 60 * MIN
    night.write_text('[slots]\npool = "htcondor"\nclaim_worklife = "none"\n')
    assert load(night, {}).slots.claim_worklife is None


def test_what_the_profiles_say():
    assert profiles() == ("batch", "gcp-preemptible", "htcondor", "manual", "ospool")
    assert load(None, {"pool": "manual"}).slots == Slots(limit=360 * MIN)
    assert load(None, {"pool": "batch"}).slots == Slots(limit=24 * 60 * MIN)
    assert load(None, {"pool": "htcondor"}).slots == Slots(
        grace=10 * MIN, claim_worklife=20 * MIN, gap=Uniform(30, 110)
    )
    assert load(None, {"pool": "ospool"}).slots.limit == 20 * 60 * MIN
    gcp = load(None, {"pool": "gcp-preemptible"}).slots
    assert gcp.limit == 24 * 60 * MIN
    assert isinstance(gcp.evictions, Empirical)
    assert gcp.evictions.mean == pytest.approx(30_260.622, abs=0.001)  # awk's mean of the column


def test_values_are_frozen_and_checked_in_python_too():
    with pytest.raises(ValidationError):
        Scenario().job.count = 3
    with pytest.raises(ValidationError):
        Job(interval=0)
    with pytest.raises(ValidationError):
        Slots(grace=-1)
    with pytest.raises(ValidationError):
        Job(write=5.0)


TIMES = st.integers(1, units.LONGEST)
LONGER_OR_NONE = st.none() | TIMES
SECONDS = st.floats(1e-3, 1e8)
COSTS = (
    SECONDS.map(Constant)
    | st.builds(Uniform, st.just(0.0), SECONDS)
    | st.lists(SECONDS, min_size=1, max_size=3).map(lambda values: Empirical(tuple(values)))
)
HAZARDS = SECONDS.map(Exponential) | st.builds(Weibull, st.floats(0.2, 9), SECONDS) | COSTS
JOBS = st.builds(
    Job,
    count=st.integers(1, 1000),
    work=LONGER_OR_NONE,
    interval=LONGER_OR_NONE,
    write=COSTS,
    transfer=COSTS,
    restart=COSTS,
    restart_lease=COSTS,
    cold_start=COSTS,
    input=COSTS,
    last_checkpoint=st.booleans(),
    leave_early=st.booleans(),
) | st.builds(Job, size=st.integers(1, 10**12), bandwidth=st.integers(1, 10**12), restart=COSTS)
SLOTS = st.builds(
    Slots,
    count=st.integers(1, 1000),
    limit=LONGER_OR_NONE,
    evictions=HAZARDS | st.just(Never()),
    grace=TIMES,
    power_failures=HAZARDS,
    contact_lease=TIMES,
    gap=COSTS,
    first_gap=st.booleans(),
    absence=COSTS,
    claim_worklife=LONGER_OR_NONE,
)
SCENARIOS = st.builds(
    Scenario, name=st.text(), seed=st.integers(0, 2**63 - 1), job=JOBS, slots=SLOTS
)


@settings(deadline=None)  # the first example imports and compiles
@given(SCENARIOS)
def test_described_scenarios_come_back_equal_and_fit_the_schema(scenario):
    described = describe(scenario)
    assert load(None, described) == scenario
    VALIDATOR.validate(described)


def test_a_file_described_comes_back_equal(night):
    found = load(night, {"pool": "gcp-preemptible"})
    assert load(None, describe(found)) == found


def test_what_follows_from_other_keys_is_not_described(night):
    job = describe(load(night, {}))["job"]
    assert job["restart_lease"] == "5min"
    assert "restart_in_place" not in job
    assert job["transfer"] == "uniform(10s, 30s)"
    assert job["interval"] == "30min"


VALIDATOR = jsonschema.Draft202012Validator(schema())
SCENARIO_FILES = sorted(
    [*PROFILES.glob("*.toml"), *Path(__file__).parent.parent.glob("scenarios/*.toml")]
)


def test_the_schema_is_one_and_documents_every_key():
    jsonschema.Draft202012Validator.check_schema(schema())
    tables = [schema(), *schema()["$defs"].values()]
    for table in tables:
        assert table["additionalProperties"] is False
        for key, field in table["properties"].items():
            assert field["description"].endswith("."), key
    slots = schema()["$defs"]["Slots"]["properties"]
    assert slots["contact_lease"]["default"] == "40min"
    assert slots["evictions"]["default"] == "none"


@pytest.mark.parametrize("path", SCENARIO_FILES, ids=lambda path: path.name)
def test_our_own_files_fit_the_schema_and_load(path):
    import tomllib

    VALIDATOR.validate(tomllib.loads(path.read_text()))
    load(path, {})


@pytest.mark.parametrize(
    "mistaken",
    [
        {"slots": {"leese": "6h"}},
        {"limit": "6h"},
        {"job": {"interval": 90}},
        {"job": {"interval": "90"}},
        {"job": {"interval": "0"}},
        {"slots": {"evictions": {"wiebull": {"shape": 1}}}},
        {"slots": {"evictions": {"weibull": {"shap": 1}}}},
        {"slots": {"evictions": "12"}},
        {"slots": {"pool": "x"}},
        {"seed": -1},
        {"job": {"count": 0}},
        {"job": {"last_checkpoint": "maybe"}},
        {"job": 3},
    ],
    ids=str,
)
def test_the_schema_and_the_door_refuse_alike(mistaken):
    assert not VALIDATOR.is_valid(mistaken)
    with pytest.raises(ScenarioError):
        load(None, mistaken)


@pytest.mark.parametrize(
    "right",
    [
        {"job": {"interval": "1h 30 min", "write": 0, "size": "2 GB", "bandwidth": "1 Gb/s"}},
        {"slots": {"evictions": {"weibull": {"shape": 0.7, "mean": "12h"}}}},
        {"slots": {"gap": {"uniform": ["1min", "2min"]}}},
        {"slots": {"limit": "none", "grace": 0, "first_gap": "yes", "pool": "batch"}},
        {"slots": {"evictions": "mixture(0.75: exponential(mean=2h), 0.25: constant(24h))"}},
        {"pool": "manual", "job": {"work": "1-12:00:00"}},
    ],
    ids=str,
)
def test_the_schema_and_the_door_accept_alike(right):
    VALIDATOR.validate(right)
    load(None, right)


@settings(deadline=None)  # the first example imports and compiles
@given(
    st.dictionaries(
        st.sampled_from(
            ["job.work", "job.write", "job.count", "slots.evictions", "slots.first_gap"]
        )
        | st.text(max_size=5),
        st.text(max_size=8) | st.integers() | st.floats() | st.booleans() | st.lists(st.integers()),
        max_size=3,
    )
)
def test_any_overrides_are_a_scenario_or_refused_by_us(overrides):
    message = ""
    try:
        load(None, overrides)
    except ScenarioError as mistake:
        message = str(mistake)
    assert all(line.isprintable() and ": " in line for line in message.split("\n") if message)


def test_the_door_is_light():
    heavy = "{'pandas', 'scipy', 'matplotlib', 'simpy', 'numba'}"
    code = f"import sys, ckptsim.scenario; print({heavy} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout == "set()\n"
