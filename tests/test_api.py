"""ckptsim from Python: the same questions and answers as on the command line, from one code."""

import doctest
import html.parser
import importlib
import inspect
import json
import pickle
import pkgutil
import pydoc
import re
import subprocess
import sys
import typing
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

import ckptsim as cs
from ckptsim import api
from ckptsim.api.flags import KEYS, Flags
from ckptsim.cli import cli

TOP = Path(__file__).parents[1]
LOG = TOP / "tests/data/condor-logs/htcanalyze_job_evicted.log"
LIVES = "ckptsim/profiles/gcp-preemptible.csv"
COSTS = {"limit": "6h", "evictions": "12h", "write": "4min", "transfer": "1min"}
TYPED = ["--limit", "6h", "--evictions", "12h", "--write", "4min", "--transfer", "1min"]
SMALL_POOL = "scenarios/shared-link.toml"
PAGE = TOP / "docs/python.md"
MODULES = [f"ckptsim.api.{each.name}" for each in pkgutil.iter_modules(api.__path__)]


@pytest.fixture(autouse=True)
def at_the_top(monkeypatch):
    """Where the paths of examples start."""
    monkeypatch.chdir(TOP)


def printed(*arguments):
    """What the command prints with --json."""
    done = CliRunner().invoke(cli, [*arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def planned():
    return cs.plan(**COSTS, confirm=0)


# --- the same as the commands ---------------------------------------------------------------------


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings_run(module):
    found = doctest.testmod(importlib.import_module(module))
    assert found.failed == 0


def test_the_page_of_the_docs_runs():
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    page = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, PAGE.name, str(PAGE), 0)
    assert len(page.examples) > 30
    runner = doctest.DocTestRunner()
    runner.run(page)
    assert runner.failures == 0


def test_every_function_has_an_example():
    for name in ("audit", "fit", "load", "plan", "scenario", "simulate", "sweep"):
        assert ">>> " in getattr(cs, name).__doc__


def test_a_plan_is_what_the_command_prints(planned):
    assert planned.to_dict() == printed("plan", *TYPED, "--confirm", "0")
    assert planned.interval_s == 85 * 60  # 4 blocks of 85 min and 4 times 5 min are 6 h


def test_a_confirmed_plan_of_a_file_with_all_it_can_be_asked():
    found = cs.plan(
        "scenarios/84-minutes.toml",
        intervals=["60min", timedelta(minutes=84)],
        confirm=500,
        objective="useful",
        within="2%",
        band="5%",
        evictions="12h",
        first_gap=True,
        gap="5min",
        settings={"job.restart": "30s"},
    )
    asked = "--intervals 60min,84min --confirm 500 --within 2% --band 5% --evictions 12h"
    more = "--first-gap --gap 5min --set job.restart=30s"
    typed = ["scenarios/84-minutes.toml", *asked.split(), *more.split()]
    assert found.to_dict() == printed("plan", *typed)
    assert [value.interval_s for value in found.curve] == [3600, 5040]
    assert found.within.percent == 2


def test_a_plan_from_logs():
    found = cs.plan(logs=LOG, write="1min", confirm=0)
    typed = ["--log", str(LOG), "--write", "1min", "--confirm", "0"]
    assert found.to_dict() == printed("plan", *typed)
    assert "From the logs: " in str(found)


def test_a_plan_without_an_interval():
    found = cs.plan(**COSTS, mode="none", work="10min", confirm=0)
    typed = [*TYPED, "--mode", "none", "--work", "10min", "--confirm", "0"]
    assert found.to_dict() == printed("plan", *typed)
    assert found.interval_s is None
    assert found.within is None
    assert list(found.to_frame()["mode"])[-1] == "none"
    with pytest.raises(cs.CkptsimError, match=r"Plan\.plot: there is none of this answer"):
        found.plot()


def test_a_plan_of_a_pool():
    jobs = {"jobs": 3, "slots": 2, "work": "2h", "write": "2min", "evictions": "5h"}
    found = cs.plan(
        **jobs,
        settings={"job.arrivals": "exponential(mean=1h)"},
        intervals=["30min", "60min"],
        precision=0.1,
        replications_max=4,
    )
    typed = "--jobs 3 --slots 2 --work 2h --write 2min --evictions 5h --precision 10%"
    more = "--set job.arrivals=exponential(mean=1h) --intervals 30min,60min --replications-max 4"
    assert found.to_dict() == printed("plan", *typed.split(), *more.split())
    assert {1800, 3600} <= {value.interval_s for value in found.curve}
    assert found.interval_s == found.to_dict()["best_common"]["interval_s"]
    assert isinstance(found.plot(), Figure)


def test_a_simulation_is_what_the_command_prints():
    found = cs.simulate(**COSTS, interval="84min", work="24h", replications=50)
    typed = [*TYPED, "--interval", "84min", "--work", "24h", "--replications", "50"]
    assert found.to_dict() == printed("simulate", *typed)
    parts = [time for name, time in found.ledger.items() if name != "slot_time_s"]
    assert found.ledger["slot_time_s"] == pytest.approx(sum(parts), rel=1e-12)


def test_a_sweep_is_what_the_command_prints():
    found = cs.sweep(**COSTS, over={"interval": "80min:85min:5min"}, leases=100)
    typed = [*TYPED, "--over", "job.interval=80min:85min:5min", "--leases", "100"]
    assert found.to_dict() == printed("sweep", *typed)
    assert list(found.to_frame()["job.interval_s"]) == [4800, 5100]


def test_a_fit_is_what_the_command_prints():
    assert cs.fit(LIVES).to_dict() == printed("fit", LIVES)


def test_a_frame_and_an_array_are_fitted_as_the_file_with_them():
    frame = pd.read_csv(LIVES, comment="#")
    known = cs.fit(LIVES).laws[0]
    assert cs.fit(frame).laws[0] == known
    column = "lifetime_s" if "lifetime_s" in frame else "lifetime_h"
    scale = 1 if column == "lifetime_s" else 3600
    assert cs.fit(scale * frame[column].to_numpy()).laws[0].law == known.law


def test_the_name_of_a_series_tells_its_unit():
    hours = pd.Series([1.0, 2, 3], name="lifetime_h")
    assert cs.fit(hours).laws[0].mean_s == cs.fit([3600, 7200, 10800]).laws[0].mean_s == 7200


def test_what_is_no_list_of_lifetimes_is_refused():
    with pytest.raises(cs.CkptsimError, match=r"data:0: lifetime_s is '\[1 2\]'; expected seconds"):
        cs.fit(np.array([[1, 2], [3, 4]]))


def test_a_mistake_in_a_frame_says_where():
    lives = pd.DataFrame({"lifetime_s": [5.0, np.nan], "observed": [True, False]})
    with pytest.raises(cs.CkptsimError, match=r"data:1: lifetime_s is nothing; expected seconds"):
        cs.fit(lives)


def test_an_audit_is_what_the_command_prints():
    assert cs.audit(LOG).to_dict() == printed("audit", str(LOG))


# --- scenarios ------------------------------------------------------------------------------------


def test_each_flag_of_the_command_line_is_a_name():
    assert set(typing.get_type_hints(Flags)) == {*KEYS, "settings"}


def test_help_tells_of_each_flag():
    for function in (cs.plan, cs.simulate, cs.sweep, cs.scenario, cs.load):
        assert {*KEYS, "settings"} <= set(inspect.signature(function).parameters)
    told = pydoc.render_doc(cs.plan, renderer=pydoc.plaintext)
    assert "    write: Wall time to write a checkpoint, a law." in told


def test_times_numbers_and_switches_from_python():
    found = cs.scenario(
        limit=timedelta(hours=1, microseconds=500),
        steps=["10min", timedelta(minutes=5)],
        seed=np.int64(7),
        last_checkpoint=True,
        leave_early=False,
    ).to_dict()
    assert found["slots"]["limit"] == "1h0.0005s"
    assert found["job"]["steps"] == ["10min", "5min"]
    assert found["seed"] == 7
    assert (found["job"]["last_checkpoint"], found["job"]["leave_early"]) == (True, False)


def test_what_is_said_later_counts_and_none_takes_it_back():
    first = cs.scenario(**COSTS)
    assert first.but(limit="8h").to_dict()["slots"]["limit"] == "8h"
    sized = first.but(transfer=None, size="2GB", bandwidth="100MB/s")
    assert sized.to_dict()["job"]["size"] == "2GB"
    assert first.to_dict()["slots"]["limit"] == "6h"  # the first is as it was


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({"limit": 6}, "--limit: 6: no unit; write for example 6min"),
        ({"limit": timedelta(-1)}, "--limit: datetime.timedelta(days=-1): not a duration; "),
        ({"evictoins": "6h"}, "evictoins: no such flag; did you mean 'evictions'?; the flags are "),
        ({"settings": {"queue.ordr": 1}}, "flags: queue.ordr: unknown key; did you mean 'order'?"),
    ],
)
def test_mistakes_are_told_in_one_line(flags, told):
    with pytest.raises(cs.CkptsimError) as mistake:
        cs.plan(**flags)
    assert str(mistake.value).startswith(told)
    assert "\n" not in str(mistake.value)


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: cs.plan(**COSTS, precision="1%"), "--precision: has no effect here: of one job"),
        (lambda: cs.plan(SMALL_POOL, confirm=5), "--confirm: has no effect here: of a pool"),
        (lambda: cs.plan(**COSTS, within=0), "--within: '0': expected a share between 0 and 1"),
        (lambda: cs.plan(**COSTS, confirm=-1), "--confirm: found -1; expected a whole number"),
        (lambda: cs.plan(objectve="makespan"), "objectve: no such flag; did you mean 'objective'?"),
        (lambda: cs.simulate(**COSTS), "job.interval: missing; expected a time"),
        (lambda: cs.sweep(**COSTS, over={}), "--over: found 0; give it once or twice"),
        (lambda: cs.fit([]), "data: no rows in it"),
        (lambda: cs.fit("nowhere.csv"), "nowhere.csv: "),
    ],
)
def test_what_has_no_effect_or_no_answer_is_refused(ask, told):
    with pytest.raises(cs.CkptsimError) as mistake:
        ask()
    assert str(mistake.value).startswith(told)


# --- as it is shown -------------------------------------------------------------------------------


def test_text_is_what_the_command_prints(planned):
    done = CliRunner().invoke(cli, ["plan", *TYPED, "--confirm", "0", "--no-report"])
    assert str(planned) + "\n" == done.stdout
    assert repr(planned) == "<Plan: Checkpoint every 1 h 25 min of computing.>"


class Tags(html.parser.HTMLParser):
    """Reads a page strictly enough to see that each tag is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.text = [], []

    def handle_starttag(self, tag, attrs):
        assert tag != "script"
        assert not {name for name, _ in attrs} & {"src", "href"}
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_a_notebook_shows_the_sentences_and_tables(planned):
    page = Tags()
    page.feed(planned._repr_html_())
    assert page.open == []
    told = " ".join(" ".join(page.text).split())
    said = [line for line in str(planned).splitlines() if line.endswith((".", "?"))]
    assert len(said) > 5
    assert all(" ".join(line.split()) in told for line in said)
    assert "<td" in planned._repr_html_()
    assert "| ---: |" in planned._repr_markdown_()


def test_what_a_user_named_is_escaped():
    found = cs.scenario(settings={"name": "<b>a|b*</b>"})
    assert "&lt;b&gt;a|b*&lt;/b&gt;" in found._repr_html_()
    assert "<b>" not in found._repr_html_()
    assert r"\<b\>a\|b\*\</b\>" in found._repr_markdown_()


def test_an_answer_can_be_sent_and_kept(planned):
    again = pickle.loads(pickle.dumps(planned))
    assert str(again) == str(planned)


def test_columns_say_their_units(planned):
    frames = [planned.to_frame(kind) for kind in planned.frames]
    frames += [cs.fit(LIVES).to_frame(), cs.audit(LOG).to_frame()]
    times = re.compile("interval|time|work_per|mean|lost|waited")
    for frame in frames:
        for column in frame.columns:
            if times.search(column):
                assert column.endswith("_s"), column


def test_every_picture_is_drawn_without_a_display(planned, tmp_path):
    simulated = cs.simulate(**COSTS, interval="84min", work="12h", replications=20)
    swept = cs.sweep(**COSTS, over={"interval": ["84min"]}, leases=100)
    for found in (planned, simulated, swept, cs.fit(LIVES), cs.audit(LOG)):
        for kind in found.figures:
            assert isinstance(found.plot(kind), Figure)
    picture = planned.plot()
    assert picture._repr_png_().startswith(b"\x89PNG")
    assert picture.canvas.manager is None  # no window
    picture.savefig(tmp_path / "curve.svg")
    assert "useful" in (tmp_path / "curve.svg").read_text()  # letters, not outlines


# --- in a session ---------------------------------------------------------------------------------


def test_importing_costs_nothing_and_finds_everything():
    code = (
        "import sys, ckptsim as cs\n"
        "assert not {'numpy', 'pandas', 'click', 'ckptsim.errors'} & set(sys.modules)\n"
        "assert set(cs.__all__) <= set(dir(cs))\n"
        "import ckptsim.plan, ckptsim.sweep, ckptsim.fit, ckptsim.audit, ckptsim.scenario\n"
        "for name in cs.__all__:\n    assert callable(getattr(cs, name)), name\n"
        "from ckptsim.plan import Advice\n"
        "print(cs.scenario(limit='6h'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "slots.limit" in done.stdout


def test_an_unknown_name_is_missed_as_usual():
    with pytest.raises(AttributeError, match="module 'ckptsim' has no attribute 'plam'"):
        cs.plam  # noqa: B018


def test_ctrl_c_is_not_swallowed(monkeypatch):
    def interrupted(run, numbered):
        for number, item in numbered[:1]:
            yield {number: run(item)}
        raise KeyboardInterrupt

    monkeypatch.setattr("ckptsim.running.one_by_one", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cs.simulate(**COSTS, interval="84min", leases=1000)
    with pytest.raises(KeyboardInterrupt):
        cs.plan(**COSTS, confirm=1000)
    with pytest.raises(KeyboardInterrupt):
        cs.plan(**COSTS, work="2h", jobs=2, settings={"job.arrivals": "1h"}, replications_max=4)


def test_nothing_is_printed(capfd):
    cs.plan(**COSTS, confirm=300)
    assert capfd.readouterr() == ("", "")


def test_a_script_without_a_guard_may_use_all_cores(tmp_path):
    """Processes that share the work must not run the user's script again."""
    script = tmp_path / "script.py"
    script.write_text(
        "import ckptsim as cs\nprint('once')\n"
        "found = cs.sweep(over={'interval': ['60min', '84min']}, leases=50,\n"
        "    limit='6h', write='4min', transfer='1min')\n"
        "print(len(found.points))\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "once\n2\n"
    assert done.stderr == ""
