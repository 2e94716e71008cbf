"""The explorer: the page, what it is asked, and what its modules say besides the solver."""

import json
import math
import random
import re
import shlex

import pytest
import v8
from click.testing import CliRunner
from test_explorer_solver import question, questions

from ckptsim.commands.explore import command as explore
from ckptsim.commands.options import scenario_from
from ckptsim.commands.plan import command as plan
from ckptsim.errors import CkptsimError, OutputError
from ckptsim.explorer.asked import asked
from ckptsim.explorer.page import MODULES, joined, page
from ckptsim.ledger import Category
from ckptsim.plots.looks import LOOKS
from ckptsim.scenario import load
from ckptsim.search import Search
from ckptsim.unequal import best_plan, value_of
from ckptsim.units import HOUR, MINUTE

SIZE_MOST = 500_000
MANUAL = "--limit 6h --evictions 12h --write 4min --transfer 1min --restart 2min"
WITHOUT_SCREEN = MODULES[: MODULES.index("controls")]
ASKED = """
const askedBy = (texts) => questionIn(texts);
function again(texts) {
  const asked = askedBy(texts);
  const fragment = fragmentOf(asked);
  return [textsOf(asked), textsOf(questionIn(textsIn(fragment))), commandLine(asked),
          scenarioFile(asked), fragment];
}
function bestPlanOf(asked) {
  const solver = new Solver(asked);
  const plan = bestPlan(solver, new Search(solver).best);
  return [plan.intervals, plan.worth];
}
function lived(asked, interval, count) {
  const solver = new Solver(asked);
  const spent = {};
  let [work, gaps] = [0, 0];
  for (let n = 0; n < count; n++) {
    const fate = Math.round(solver.law.quantile((n + 0.5) / count) * SECOND);
    const lease = leaseOf(solver, () => interval, fate, solver.threshold(interval));
    work += lease.work;
    let age = 0;
    for (const { kind, from, to } of lease.segments) {
      gaps += Math.abs(from - age);
      age = to;
      spent[kind] = (spent[kind] ?? 0) + (to - from) / SECOND / count;
    }
    gaps += Math.abs(lease.end - age);
  }
  const [value, account] = [solver.value(interval), solver.account(interval)];
  return [work / SECOND / count, gaps, spent, value.work, account];
}
function toldOf(texts) {
  const found = withPlan(findAll(questionIn(texts)));
  return [headline(found), price(found), ground(found), rowsOf(found)];
}
function drawnOf(texts) {
  return findAll(questionIn(texts)).curve.map(({ interval, worth }) => [interval, worth]);
}
function refused(texts) {
  try {
    findAll(questionIn(texts));
  } catch (mistake) {
    return [mistake instanceof Mistake, mistake.message];
  }
  return null;
}
function misread(fragment) {
  try {
    textsIn(fragment);
  } catch (mistake) {
    return [mistake instanceof Mistake, mistake.message];
  }
  return null;
}
function understood(text) {
  return nanosecondsOf(text);
}
function colours() {
  return Object.fromEntries(Object.entries(LOOKS).map(([name, { color }]) => [name, color]));
}
"""


def answers(name, rows):
    """What the page's modules answer."""
    return v8.answers(joined(WITHOUT_SCREEN) + ASKED, name, rows)


def texts_of(flags):
    """The question that flags ask."""
    return asked(of_plan(shlex.split(flags))).question


def of_plan(arguments):
    """The scenario that these arguments of `plan` mean."""
    context = plan.make_context("plan", list(arguments))
    return scenario_from(None, context.params)


def round_texts(chance):
    """A question's texts in round numbers, as people write them."""
    times = ["1s", "90s", "5min", "1h30min", "2h", "1.5h", "250ms"]
    laws = [
        "none",
        "constant(8h)",
        "exponential(mean=12h)",
        "weibull(shape=0.7, mean=12h)",
        "lognormal(median=2h, sigma=1)",
        "loglogistic(median=2h, shape=1.5)",
        "gamma(mean=5h, cv=0.3)",
        "uniform(3h, 7h)",
        "triangular(3h, 4h, 9h)",
        "hyperexponential(p=0.7, mean1=10min, mean2=9h)",
        "bathtub(a=0.45, tau1=1h, tau2=0.8h, b=24h)",
        "12h",
    ]
    keys = "write transfer restart restart-lease input gap grace claim-worklife step interval"
    found = {key: chance.choice(times) for key in keys.split() if chance.random() < 0.5}
    found |= {"limit": "6h", "evictions": chance.choice(laws), "seed": str(chance.randint(1, 99))}
    return found | ({"leave-early": "yes"} if chance.random() < 0.3 else {})


def test_a_question_comes_back_from_every_text():
    chance = random.Random(3)
    asked_by = [round_texts(chance) for _ in range(60)]
    found = answers("again", [(texts,) for texts in asked_by])
    for given, (texts, from_fragment, line, _, fragment) in zip(asked_by, found, strict=True):
        assert from_fragment == texts, fragment
        expected = asked(load(None, keys_of(given))).question
        assert texts == plainly(expected)
        assert line.startswith("ckptsim plan ")
        assert asked(of_plan(shlex.split(line)[2:])).question == expected


def plainly(texts):
    """The texts with whole numbers as JavaScript writes them."""
    return texts | {"evictions": re.sub(r"\.0(?=[,)])", "", texts["evictions"])}


def keys_of(texts):
    flags = {"leave-early": "job.leave_early", "limit": "slots.limit", "seed": "seed"}
    slots = ("evictions", "gap", "grace", "claim-worklife")
    flags |= {key: f"slots.{key.replace('-', '_')}" for key in slots}
    return {flags.get(key, f"job.{key.replace('-', '_')}"): text for key, text in texts.items()}


def test_a_scenario_file_asks_the_same(tmp_path):
    chance = random.Random(4)
    asked_by = [round_texts(chance) for _ in range(20)]
    for texts, _, _, file, _ in answers("again", [(texts,) for texts in asked_by]):
        path = tmp_path / "explored.toml"
        path.write_text(file, encoding="utf-8")
        assert plainly(asked(load(path, {})).question) == texts


def test_the_best_plan_is_as_good_as_pythons():
    """Its worth is what Python says of its intervals, and no more than 1e-4 short of Python's."""
    some = [each for each in questions(60, 9) if each[0]["step"] is None][:40]
    found = answers("bestPlanOf", [(question,) for question, _, _ in some])
    for (question_, solver, _), (intervals, worth) in zip(some, found, strict=True):
        valued = value_of(solver, tuple(map(int, intervals)))
        assert worth == pytest.approx(valued.useful_fraction_with_gap, abs=1e-6), question_
        expected = best_plan(solver, Search(solver.scenario).best)
        assert worth > expected.useful_fraction_with_gap - 1e-4, question_


def test_leases_on_average_are_as_the_solver_says():
    """Thousands of leases at even quantiles: work and every category to 0.5 % of a lease."""
    some = [each for each in questions(60, 6) if each[0]["limit"] is not None]
    rows = [
        (question_, intervals[0], 4_000)
        for question_, _, intervals in some
        if question_["evictions"]["law"] != "none"
    ]
    found = answers("lived", rows)
    for row, (work, gaps, spent, expected, account) in zip(rows, found, strict=True):
        lease = sum(account.values())
        assert gaps < 1e3, row  # ns, in thousands of leases
        assert abs(work - expected) < 0.005 * lease, row
        for kind, seconds in account.items():
            assert abs(spent.get(kind, 0.0) - seconds) < 0.005 * lease, (kind, row)


def test_the_page_says_what_plan_says():
    [[headline, price, ground, rows]] = answers("toldOf", [(texts_of(MANUAL + " --interval 2h"),)])
    assert headline == "Checkpoint every 1 h 23 min of computing."
    assert price == "13.4 % of slot time is wasted, against 34.7 % with your 2 h."
    assert ground.startswith("From 1 h 21 min 52 s to 1 h 23 min it is as good to 1 %. It stands")
    assert rows[0] == ["best fixed interval", "1 h 23 min", "4", "4 h 5 min 16 s", "86.6 %", "0.0"]
    assert rows[-2][:2] == ["Young", "1 h 40 min 24 s"]
    assert rows[-1][:2] == ["Daly", "1 h 33 min 32 s"]


def test_every_cliff_in_view_is_drawn_upright():
    """A lease of 6 h with checkpoints of 5 min, and nothing else: cliffs at 360 / k - 5 min."""
    [curve] = answers("drawnOf", [(texts_of("--limit 6h --write 4min --transfer 1min"),)])
    minutes = [interval / MINUTE for interval, _ in curve]
    assert minutes[0] < 20
    worth = dict(curve)
    for k in range(1, 15):
        edge = math.floor((6 * HOUR - 5 * k * MINUTE) / k)
        assert worth[edge + 1] == pytest.approx(worth[edge] * (k - 1) / k, rel=1e-9)


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ({"write": "5min"}, "Nothing ends a lease"),
        ({"limit": "6h"}, "A checkpoint costs nothing"),
        ({"limit": "10min", "write": "9min", "restart": "2min"}, "No interval can work"),
        ({"limit": "soon"}, "is not a time"),
        ({"limit": "101d"}, "more than 100 days"),
        ({"evictions": "uniform(7h, 3h)"}, "must ascend"),
        ({"evictions": "gamma(mean=3h)"}, "cv is missing"),
        ({"evictions": "weibull(shape=30, mean=3h)"}, "shape must be from"),
        ({"evictions": "mixture(1: 3h)"}, "no law that this page knows"),
    ],
)
def test_what_cannot_be_answered_is_told_in_a_sentence(texts, told):
    [[is_mistake, message]] = answers("refused", [(texts,)])
    assert is_mistake
    assert told in message


def test_an_address_with_a_broken_code_is_a_mistake_and_no_error():
    [[is_mistake, message]] = answers("misread", [("limit=6h&write=%zz",)])
    assert is_mistake
    assert message == "write: “%zz” is no part of an address; write for example write=4min"


def test_times_are_read_as_people_write_them():
    texts = ["90min", "1h30m", "1.5 h", "2d 3h", "500ms", "1:30:00", "1-12:00:00", "0"]
    expected = [5400, 5400, 5400, 183_600, 0.5, 5400, 129_600, 0]
    found = answers("understood", [(text,) for text in texts])
    assert found == [seconds * 10**9 for seconds in expected]


def test_colours_are_those_of_all_pictures():
    [found] = answers("colours", [()])
    named = {category.name.lower(): look.color for category, look in LOOKS.items()}
    assert Category.USEFUL.name.lower() in found
    assert {**found, "gap": None} == {name: named.get(name) for name in found}


def test_the_page_is_one_small_file_that_asks_for_nothing():
    made = page(
        "a <name>", {"limit": "6h", "evictions": "none"}, ["a & b"], "ckptsim explore"
    ).decode()
    assert len(made.encode()) < SIZE_MOST
    assert "a &lt;name&gt;" in made
    assert "a &amp; b" in made
    assert not re.search(r"@[a-z]+@", made)
    assert not re.search(r"\bimport\b.*\bfrom\b|^export ", made, re.MULTILINE)
    addresses = set(re.findall(r"https?://[^\s\"'<>]+", made))
    assert addresses == {"http://www.w3.org/2000/svg"}  # the name of a language, not an address
    assert "default-src 'none'" in made


def test_every_question_of_the_solvers_test_is_one_of_the_page():
    chance = random.Random(1)
    assert set(question(chance)) == {
        *("limit", "evictions", "grace", "gap", "worklife", "leaveEarly", "write", "transfer"),
        *("restartInPlace", "restartLease", "input", "step"),
    }


def run(*arguments):
    return CliRunner().invoke(explore, shlex.split(" ".join(arguments)))


def test_explore_writes_a_page(tmp_path):
    out = tmp_path / "page.html"
    found = run(MANUAL, f"--out {out}")
    assert found.exit_code == 0, found.output
    assert found.output.split() == ["Page:", str(out)]
    start = re.search(r'id="start">(.*?)</script>', out.read_text())[1]
    assert json.loads(start)["question"] == {
        "evictions": "exponential(mean=12h)",
        "limit": "6h",
        "write": "4min",
        "transfer": "1min",
        "restart": "2min",
    }


def test_where_it_cannot_write_it_says_so_and_leaves_nothing(tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").write_text("mine")
    for out in ("taken", "file/page.html"):
        found = run(MANUAL, f"--out {tmp_path / out}")
        assert isinstance(found.exception, OutputError)
        assert "cannot write the report: " in str(found.exception)
    assert {path.name for path in tmp_path.iterdir()} == {"taken", "file"}
    assert run(MANUAL, f"--out {tmp_path}/new/folder/page.html").exit_code == 0
    assert (tmp_path / "new/folder/page.html").stat().st_size > 50_000


def test_what_the_page_leaves_out_is_told(tmp_path):
    out = tmp_path / "page.html"
    found = run(MANUAL, "--gap 'uniform(1min, 3min)' --work 48h", f"--out {out}")
    assert "The job's 2 d of work is left out" in found.output
    found = run("--limit 6h --write 'gamma(mean=4min, cv=0.3)'", f"--out {out}")
    told = "write is gamma(mean=4min, cv=0.3); here it always takes its mean of 4 min."
    assert told in " ".join(found.output.split())
    assert f"<li>{told}</li>" in out.read_text()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("--slots 4 --jobs 4 --set job.stagger=yes --work 9h", "a pool of jobs"),
        ("--mode 'periodic signal'", "the page knows exit code and exit signal"),
        ("--power-failures 9h", "slots.power_failures: the page knows none"),
        ("--evictions 'mixture(0.5: 3h, 0.5: 9h)'", "does not know the law mixture"),
        ("--evictions 'weibull(shape=50, mean=3h)'", "knows shape from 0.2 to 20"),
        ("--limit 200d", "up to 100 d"),
        ("--steps 1h,2h", "no steps of their own"),
    ],
)
def test_what_the_page_cannot_ask_is_refused(tmp_path, flags, told):
    out = tmp_path / "page.html"
    found = run("--limit 6h --write 4min", flags, f"--out {out}")
    assert isinstance(found.exception, CkptsimError)
    assert told in str(found.exception)
    assert len(str(found.exception).splitlines()) == 1
    assert not out.exists()
