import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptsim.errors import ScenarioError
from ckptsim.lawtext import NAMES, law
from ckptsim.lifetimes import (
    Bathtub,
    Constant,
    Empirical,
    Exponential,
    Gamma,
    HyperExponential,
    LogLogistic,
    LogNormal,
    Mixture,
    Never,
    Triangular,
    Uniform,
    Weibull,
)

HERE = Path()
HOUR = 3600.0


@pytest.mark.parametrize(
    ("text", "cost", "hazard"),
    [
        ("5min", Constant(300), Exponential(300)),
        ("none", Constant(0), Never()),
        ("None", Constant(0), Never()),
        ("1:00:00", Constant(HOUR), Exponential(HOUR)),
    ],
)
def test_a_bare_time_is_a_constant_cost_or_the_mean_of_a_hazard(text, cost, hazard):
    assert law(text, "cost", HERE) == cost
    assert law(text, "hazard", HERE) == hazard


def test_no_cost_is_0_without_a_unit():
    assert law(0, "cost", HERE) == law("0", "cost", HERE) == Constant(0)


LAWS = [
    ("constant(5min)", Constant(300)),
    ("exponential(mean=12h)", Exponential(12 * HOUR)),
    ("Exponential( 12 h )", Exponential(12 * HOUR)),
    ("weibull(shape=0.7, mean=12h)", Weibull.of_mean(0.7, 12 * HOUR)),
    ("weibull(scale=10h, shape=2)", Weibull(2, 10 * HOUR)),
    ("lognormal(median=30min, sigma=0.5)", LogNormal(1800, 0.5)),
    ("gamma(mean=2h, cv=.5)", Gamma(2 * HOUR, 0.5)),
    ("loglogistic(median=2h, shape=1.5)", LogLogistic(2 * HOUR, 1.5)),
    ("uniform(3min, 7min)", Uniform(180, 420)),
    ("uniform(0, high=7min)", Uniform(0, 420)),
    ("uniform(a=3min, b=7min)", Uniform(180, 420)),
    ("triangular(2min, 3min, 7min)", Triangular(120, 180, 420)),
    ("triangular(a=2min, mode=3min, b=7min)", Triangular(120, 180, 420)),
    ("hyperexponential(p=0.3, mean1=10min, mean2=12h)", HyperExponential(0.3, 600, 12 * HOUR)),
    ("bathtub(a=.45, tau1=1h, tau2=.8h, b=24h)", Bathtub(0.45, HOUR, 0.8 * HOUR, 24 * HOUR)),
    ("empirical(30s, 90s, 1:00:00)", Empirical((30, 90, HOUR))),
    (
        "mixture(0.75: exponential(mean=2h), 0.25: constant(24h))",
        Mixture((0.75, 0.25), (Exponential(2 * HOUR), Constant(24 * HOUR))),
    ),
]
TABLES = [
    ({"constant": "5min"}, Constant(300)),
    ({"exponential": {"mean": "12h"}}, Exponential(12 * HOUR)),
    ({"weibull": {"shape": 0.7, "mean": "12h"}}, Weibull.of_mean(0.7, 12 * HOUR)),
    ({"uniform": ["3min", "7min"]}, Uniform(180, 420)),
    ({"uniform": [0, "7min"]}, Uniform(0, 420)),
    ({"empirical": ["30s", "90s"]}, Empirical((30, 90))),
    (
        {"mixture": [{"weight": 0.75, "law": "uniform(1h, 2h)"}, {"weight": 0.25, "law": "none"}]},
        Mixture((0.75, 0.25), (Uniform(HOUR, 2 * HOUR), Never())),
    ),
]


@pytest.mark.parametrize(("value", "expected"), [*LAWS, *TABLES], ids=str)
def test_laws_as_text_and_as_table(value, expected):
    assert law(value, "hazard", HERE) == expected


def test_every_law_has_an_example_here():
    assert {text.partition("(")[0].strip().lower() for text, _ in LAWS} == set(NAMES)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("wiebull(shape=1, mean=1h)", "'wiebull': no such law; known are constant,"),
        ("wiebull(shape=1, mean=1h)", "did you mean 'weibull'?"),
        ("weibull(shape=1)", "weibull: needs either mean or scale; write for example weibull("),
        ("weibull(shape=1, mean=1h, scale=1h)", "weibull: needs either mean or scale"),
        ("weibull(mean=1h)", "weibull: shape missing"),
        ("weibull(0.7, 12h)", "weibull: '0.7': parameters need their names"),
        ("weibull(shap=1, mean=1h)", "'shap': no such parameter; did you mean 'shape'?"),
        ("weibull(shape=0, mean=1h)", "shape: 0: must be from 0.05 to 100"),
        ("weibull(shape=x, mean=1h)", "shape: 'x': not a number"),
        ("weibull(shape=1, shape=2, mean=1h)", "shape is given twice"),
        ("exponential(mean=12)", "mean: 12: no unit; write for example exponential(mean=12h)"),
        ("exponential(mean=0)", "mean: 0: must be longer than 0"),
        ("exponential(mean=-1h)", "mean: '-1h': negative"),
        ("exponential(1h, 2h)", "too many parameters"),
        ("exponential(1h, mean=2h)", "mean is given twice"),
        ("exponential()", "mean missing"),
        ("exponential", "'exponential': needs its parameters"),
        ("exponential(mean=1h", "not of the form name(…)"),
        ("uniform(1h, (2h)", "the parentheses do not match"),
        ("uniform(7min, 3min)", "the first time must be less than the second"),
        ("triangular(1h, 3h, 2h)", "in order: least, most common, greatest"),
        ("hyperexponential(p=1, mean1=1h, mean2=2h)", "p: 1: must be less than 1"),
        ("hyperexponential(p=1.5, mean1=1h, mean2=2h)", "p: 1.5: must be above 0 and at most 1"),
        ("mixture(0.5: 1h, 0.4: 2h)", "the weights add up to 0.9, not 1"),
        ("mixture(1h, 2h)", "'1h': no weight before it"),
        ("mixture()", "the weights add up to 0, not 1"),
        ("mixture(1: mixture(1: 2h))", "a mixture in a mixture"),
        ("mixture(x: 2h)", "mixture: weight 'x': not a number"),
        ("empirical()", "empirical: empty"),
        ("90", "90: no unit; write for example 90min"),
        (True, "True: not a law"),
        ({"weibull": {}, "gamma": {}}, "a law is a table of one name"),
        ({"weibul": {}}, "did you mean 'weibull'?"),
        ({"mixture": 3}, "mixture: not a list of"),
        ({"empirical": 3}, "empirical: 3: write for example"),
        ({"uniform": {"low": True, "high": "1h"}}, "low: True: not a time"),
    ],
    ids=str,
)
def test_what_is_no_law_is_told_in_one_line(value, message):
    with pytest.raises(ScenarioError, match=re.escape(message)) as caught:
        law(value, "cost", HERE)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["0", "constant(0)", "empirical(0, 0)", "constant(0s)"])
def test_a_hazard_takes_some_time(text):
    with pytest.raises(ScenarioError, match="must be longer than 0"):
        law(text, "hazard", HERE)


WORDS = st.sampled_from(
    ["mixture(", "empirical(", "uniform(", "weibull(", ")", ",", ":", "=", "0.5", "1h", "mean", " "]
)


@settings(deadline=None)  # the first example imports and compiles
@given(st.text(max_size=30) | st.lists(WORDS, max_size=12).map("".join))
def test_any_text_is_a_law_or_refused(text):
    found, message = None, ""
    try:
        found = law(text, "hazard", HERE)
    except ScenarioError as mistake:
        message = str(mistake)
    assert (found is None) != (message == "")
    if found is not None:
        assert law(found.describe(), "hazard", HERE) == found


def test_a_column_of_a_file_beside_the_scenario(tmp_path):
    (tmp_path / "seen.csv").write_text("\ufeffslot, lifetime_s \na,30\n\nb, 90 \r\nc,1e2\n")
    found = law("empirical(seen.csv:lifetime_s)", "hazard", tmp_path)
    assert found == Empirical((30, 90, 100))
    assert found.describe() == f"empirical({tmp_path}/seen.csv:lifetime_s)"
    assert law({"empirical": "seen.csv:lifetime_s"}, "hazard", tmp_path) == found
    assert law('empirical("seen.csv:lifetime_s")', "hazard", tmp_path) == found


def test_a_file_that_comes_with_ckptsim_needs_no_folder(tmp_path):
    found = law("empirical(gcp-preemptible.csv:lifetime_s)", "hazard", tmp_path)
    assert isinstance(found, Empirical)
    assert len(found.values) == 1442
    assert found.describe() == "empirical(gcp-preemptible.csv:lifetime_s)"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "seen.csv: no such file; did you mean 'sean.csv'?"),
        (b"", "seen.csv: empty"),
        (b"\n\n", "seen.csv: empty"),
        (b"t_s\n", "seen.csv: a header and no rows"),
        (b"time,slot\n1,2\n", "seen.csv: no column 't_s'; it has time, slot"),
        (b"tt_s,slot\n1,2\n", "did you mean 'tt_s'?"),
        (b"t_s\n1\n\nx\n", "seen.csv: line 4: 'x' is not a number"),
        (b"a,t_s\n1,2\n3\n", "seen.csv: line 3: '' is not a number"),
        (b"t_s\n-1\n", "seen.csv: line 2: -1 is not a time"),
        (b"t_s\nnan\n", "seen.csv: line 2: nan is not a time"),
        (b"t_s\ninf\n", "seen.csv: line 2: inf is not a time"),
        (b"\xff\xfe\x00", "seen.csv: not a text file in UTF-8"),
        (b"t_s\n\x00\n", "seen.csv: not a text file"),
        (b"t_s\n" + b"1" * 200_000, "seen.csv: field larger than field limit"),
    ],
)
def test_a_file_without_such_times_is_told_in_one_line(tmp_path, content, message):
    (tmp_path / "sean.csv").touch()
    if content is not None:
        (tmp_path / "seen.csv").write_bytes(content)
    with pytest.raises(ScenarioError, match=re.escape(message)) as caught:
        law("empirical(seen.csv:t_s)", "hazard", tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_a_null_byte_and_a_missing_column(tmp_path):
    (tmp_path / "d.csv").mkdir()
    (tmp_path / "seen.csv").write_text("slot,t_s\na,1\n")
    with pytest.raises(ScenarioError, match=r"d\.csv: cannot be read: Is a directory"):
        law("empirical(d.csv:t_s)", "hazard", tmp_path)
    with pytest.raises(ScenarioError, match="not a possible file name"):
        law("empirical(\0.csv:t_s)", "hazard", tmp_path)
    with pytest.raises(ScenarioError, match=r"which column of seen\.csv\? It has slot, t_s"):
        law("empirical(seen.csv)", "hazard", tmp_path)
