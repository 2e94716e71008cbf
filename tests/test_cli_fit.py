"""`ckptsim fit` as a command: traces, causes, and the scenario it writes."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from ckptsim.cli import main
from ckptsim.lifetimes import Empirical, Exponential
from ckptsim.scenario import load

HERE = Path(__file__).parent
EVICTED = HERE / "data" / "condor-logs" / "htcanalyze_job_evicted.log"
GCP = HERE.parent / "ckptsim" / "profiles" / "gcp-preemptible.csv"


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def ckptsim(monkeypatch, capsys):
    """The command as `main` runs it, in this process: starting Python takes longer than fitting."""
    monkeypatch.setenv("COLUMNS", "150")

    def run(folder, *words):
        monkeypatch.chdir(folder)
        monkeypatch.setattr("sys.argv", ["ckptsim", *map(str, words)])
        with pytest.raises(SystemExit) as exit_:
            main()
        return Done(exit_.value.code or 0, *capsys.readouterr())

    return run


@pytest.fixture
def printed(ckptsim):
    """What `fit` prints where nothing is wrong."""

    def run(folder, *words):
        done = ckptsim(folder, "fit", *words, "--no-report")
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return run


def test_a_scenario_says_where_its_numbers_are_from_and_can_be_planned_with(
    tmp_path, ckptsim, printed
):
    told = printed(tmp_path, EVICTED, "--scenario", "mine.toml")
    assert told.endswith("Scenario: mine.toml\n")
    text = (tmp_path / "mine.toml").read_text()
    assert text.startswith(f"# Written by ckptsim fit from {EVICTED}"[:98])
    assert "# 1 end seen and 1 cut short in 23.7 min: too few to tell the shape of the law" in text
    assert "#   mean 23.7 min (4.25 min to 15.6 h, 95 % confidence)" in text
    assert (
        "# 1 gap from losing or leaving a slot to the next, as measured: no law is fitted." in text
    )
    assert "# NOT measured:" in text
    found = load(tmp_path / "mine.toml", {})
    assert found.slots.evictions == Exponential(1420)
    assert found.slots.gap == Empirical((1.0,))
    done = ckptsim(tmp_path, "plan", "mine.toml", "--no-report", "--confirm", "0")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_limit_posing_as_a_hazard_is_one_in_the_scenario(tmp_path, printed):
    printed(tmp_path, GCP, "--scenario", "mine.toml")
    found = load(tmp_path / "mine.toml", {})
    assert found.slots.limit == 24 * 3600 * 10**9
    text = (tmp_path / "mine.toml").read_text()
    assert "# 1,087 ends seen and 355 cut short in 11,879 h. Law: two regimes, by AICc" in text


def test_measured_lifetimes_are_found_wherever_the_scenario_lies(tmp_path, printed):
    rng = np.random.default_rng(1)
    lumps = np.concatenate([rng.normal(at, at / 10, 40) for at in (100.0, 1000.0, 10_000.0)])
    rows = "\n".join(f"{seconds:.3f}" for seconds in lumps)
    (tmp_path / "lumps.csv").write_text(f"lifetime_s\n{rows}\n")
    (tmp_path / "there").mkdir()
    printed(tmp_path, "lumps.csv", "--scenario", "there/mine.toml")
    assert len(load(tmp_path / "there" / "mine.toml", {}).slots.evictions.values) == 120


@pytest.mark.slow
def test_a_law_without_end_is_cut_off_at_the_longest_lifetime_seen(tmp_path, ckptsim, printed):
    """Plans refuse leases of a century; and no lifetime tells of any."""
    lifetimes = 1e7 * np.random.default_rng(1).weibull(0.3, 60)
    rows = "\n".join(f"{min(s, 1e8)},{int(s < 1e8)}" for s in lifetimes)
    (tmp_path / "t.csv").write_text(f"lifetime_s,observed\n{rows}\n")
    printed(tmp_path, "t.csv", "--scenario", "mine.toml")
    assert "some leases would outlast a century" in (tmp_path / "mine.toml").read_text()
    assert load(tmp_path / "mine.toml", {}).slots.limit == pytest.approx(1e17, rel=1e-3)
    assert ckptsim(tmp_path, "plan", "mine.toml", "--no-report", "--confirm", "0").stderr == ""


def test_only_what_fit_wrote_is_written_over(tmp_path, ckptsim, printed):
    (tmp_path / "mine.toml").write_text("[job]\n")
    done = ckptsim(tmp_path, "fit", EVICTED, "--scenario", "mine.toml", "--no-report")
    assert (done.returncode, done.stdout) == (2, "")
    assert "mine.toml: a file is there that ckptsim fit did not write" in done.stderr
    assert (tmp_path / "mine.toml").read_text() == "[job]\n"
    (tmp_path / "mine.toml").unlink()
    printed(tmp_path, EVICTED, "--scenario", "mine.toml")
    again = printed(tmp_path, EVICTED, "--scenario", "mine.toml")
    assert again.endswith("Scenario: mine.toml (in place of the one written before)\n")


def test_no_folder_to_write_to_is_told_before_anything_is_read(tmp_path, ckptsim):
    done = ckptsim(tmp_path, "fit", "absent.log", "--scenario", "none/mine.toml")
    assert done.returncode == 2
    assert "none/mine.toml: there is no folder none; make it first" in done.stderr


def unwrapped(path):
    """A file whose comments are on one line each."""
    return path.read_text().replace("\n#   ", " ")


CAUSES = "lifetime_h,cause\n1,evicted\n2,power failure\n3,removed\n4,\n30,finished\n"


def test_competing_causes_of_a_table(tmp_path, ckptsim, printed):
    (tmp_path / "t.csv").write_text(CAUSES)
    told = printed(tmp_path, "t.csv")
    assert "1 eviction in 40 h" in told
    assert "1 power failure in 40 h" in told
    rows = [line.split() for line in told.splitlines()]
    assert ["evicted", "1", "25", "20.0", "%", "20.0", "%", "20.0", "%"] in rows
    assert ["none", "yet", "80.0", "%", "40.0", "%", "40.0", "%"] in rows
    found = json.loads(ckptsim(tmp_path, "fit", "t.csv", "--json", "--no-report").stdout)
    assert [law["key"] for law in found["laws"]] == ["slots.evictions", "slots.power_failures"]
    assert [each["cause"] for each in found["incidence"]["causes"]] == [
        "evicted",
        "power failure",
        "removed",
    ]
    assert found["laws"][0]["tried"][0]["parameters"][0]["value"] == 40 * 3600


def test_causes_are_read_as_words_and_told(tmp_path, printed):
    """What denies it is no eviction, and a shutdown does not say that a machine was down."""
    text = (
        "lifetime_h,cause\n1,Preempted\n2,no eviction\n3,not failed\n4,shutdown\n5,node failure\n"
    )
    (tmp_path / "t.csv").write_text(text)
    told = printed(tmp_path, "t.csv")
    assert "1 eviction in 15 h" in told
    assert "1 power failure in 15 h" in told
    assert (
        "Taken as evictions: preempted. As power failures: node failure. As neither: "
        "no eviction, not failed, shutdown."
    ) in told


def test_no_unit_in_the_column_s_name_is_told(tmp_path, printed):
    (tmp_path / "t.csv").write_text("zone,runtime\na,100\nb,200\n")
    told = printed(tmp_path, "t.csv")
    assert "Column runtime names no unit: its lifetimes are taken as seconds." in told
    (tmp_path / "t.csv").write_text("zone,runtime_s\na,100\nb,200\n")
    assert "names no unit" not in printed(tmp_path, "t.csv")


def test_of_a_rate_alone_the_scenario_says_so(tmp_path, printed):
    (tmp_path / "steps.csv").write_text("0,0\n0,2\n1,2\n1,5\n3,5\n3,4\n4,4\n")
    printed(tmp_path, "steps.csv", "--scenario", "mine.toml")
    told = "1 end seen in 16 h: only the rate is known, not lifetimes, so it is exponential."
    assert told in unwrapped(tmp_path / "mine.toml")


def test_few_lifetimes_are_no_empirical_law(tmp_path, printed):
    """The comment says exponential, and so does the key."""
    (tmp_path / "t.csv").write_text("lifetime_s\n100\n100\n100\n9000\n")
    printed(tmp_path, "t.csv", "--scenario", "mine.toml")
    told = "too few to tell the shape of the law, so it is exponential."
    assert told in unwrapped(tmp_path / "mine.toml")
    assert load(tmp_path / "mine.toml", {}).slots.evictions == Exponential(2325)


def test_the_numbers_told_are_those_that_the_law_is_fitted_to(tmp_path, ckptsim):
    """355 of the 1,442 end at the limit, and are cut short by it."""
    done = ckptsim(tmp_path, "fit", GCP, "--json", "--no-report")
    (law,) = json.loads(done.stdout)["laws"]
    assert (law["ends"], law["censored"]) == (1_087, 355)
    assert law["exposure_s"] == pytest.approx(11_879 * 3600, rel=1e-4)


def test_a_trace_of_steps_gives_a_rate(tmp_path, ckptsim):
    (tmp_path / "steps.csv").write_text("0,0\n0,2\n1,2\n1,5\n3,5\n3,4\n4,4\n")
    (law,) = json.loads(ckptsim(tmp_path, "fit", "steps.csv", "--json", "--no-report").stdout)[
        "laws"
    ]
    assert (law["ends"], law["exposure_s"], law["law"]) == (1, 57_600, "exponential(mean=16h)")


@pytest.mark.parametrize(
    ("text", "words", "told"),
    [
        ("lifetime_s,cause\n1,x\n", [], "no cause is an eviction or a failure; found x; expected"),
        (CAUSES, ["--cause", "cuase"], "no column 'cuase'; there are: lifetime_h, cause"),
        (
            CAUSES,
            ["--cause", "cause", "--observed", "cause"],
            "leave out --observed and --censored",
        ),
        ("days,dead\n5,2\n", [], ":2: dead is '2'; expected 1 or 0"),
        ("days,dead\nx,1\n", [], ":2: days is 'x'; expected 0 or more"),
    ],
)
def test_a_mistake_is_told_in_one_line(tmp_path, text, words, told, ckptsim):
    (tmp_path / "t.csv").write_text(text)
    done = ckptsim(tmp_path, "fit", "t.csv", *words, "--no-report")
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
