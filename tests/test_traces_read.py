"""Traces of other forms, counted by hand."""

import itertools
import json
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptsim.errors import DataError
from ckptsim.observed import Lifetimes, causes_from_csv, from_csv, unit_of
from ckptsim.traces_read import read_trace
from ckptsim.units import SECOND

DAY = 86_400.0
LANL_HEADER = (
    "System,nodes,nodenumz,node prod,node decom,Prob Started,Prob Fixed,Down Time,"
    "Facilities,Hardware,Human Error,Network,Undetermined,Software\n"
)

CELLS = (
    *("", "0", "1", "2.5", "-1", "nan", "inf", "x", "1-Apr", "13-Foo", "Jan-97", "current", '"'),
    *("4/11/2001 0:00", "13/1/2001 0:00", "1e999", "9" * 30, "\0", "[1, 0]", "}"),
)


def trace_of(tmp_path, text, name="trace.csv"):
    path = tmp_path / name
    path.write_text(text)
    return read_trace(path)


def ticks(*data, tick=10):
    return json.dumps({"metadata": {"gap_seconds": tick}, "data": data})


# --- spot instances, tick by tick -----------------------------------------------------------------


def test_runs_of_ticks_are_lifetimes_and_gaps(tmp_path):
    found = trace_of(tmp_path, ticks(0, 1, 1, 0, 0, 0, 1, 0, 1, 1, 1))
    assert found.lifetimes == Lifetimes((20, 10, 30), (True, True, False))
    assert found.gaps_s == (30, 10)  # the first 0 has no beginning
    assert found.sentences == (
        "11 ticks of 10 s, with an instance in 55 % of them; a lifetime is known to a tick.",
        "The last one was cut short by the end of the trace.",
    )


def test_an_instance_of_unknown_age_is_left_out(tmp_path):
    found = trace_of(tmp_path, ticks(1, 1, 0, 1, 0))
    assert found.lifetimes == Lifetimes((10,), (True,))
    assert "The instance that was there at the start is left out" in found.sentences[1]


def test_an_instance_that_was_never_lost_is_cut_short(tmp_path):
    assert trace_of(tmp_path, ticks(1, 1, 1)).lifetimes == Lifetimes((30,), (False,))


def test_all_nodes_together_are_one(tmp_path):
    found = trace_of(tmp_path, ticks(0, 4, 4, 0))
    assert found.lifetimes == Lifetimes((20,), (True,))


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_of_any_ticks_no_time_is_invented(tmp_path_factory, data):
    found = trace_of(tmp_path_factory.getbasetemp(), ticks(*map(int, data)), "any.json")
    assert found.lifetimes.exposure_s + sum(found.gaps_s) <= 10 * len(data)
    lost = sum(a and not b for a, b in itertools.pairwise(data))
    assert found.lifetimes.ends == lost - (data[0] and not all(data))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "JSON of no form that is known"),
        ('{"metadata": {}, "data": [1]}', "JSON of no form that is known"),
        ('{"metadata": {"gap_seconds": 0}, "data": [1]}', "gap_seconds is '0'"),
        ('{"metadata": {"gap_seconds": 9}, "data": []}', "data is not a list of numbers"),
        ('{"metadata": {"gap_seconds": 9}, "data": [1, "x"]}', "data is not a list of numbers"),
        (
            '{"metadata": {"gap_seconds": 9}, "data": [1, 2]}',
            "numbers of instances between 0 and 2",
        ),
        ("[" * 100_000, None),
    ],
)
def test_json_that_is_no_trace_is_told_in_one_line(tmp_path, text, told):
    if told is None:  # not even an object
        assert trace_of(tmp_path, text, "trace.json") is None
        return
    with pytest.raises(DataError, match=told) as error:
        trace_of(tmp_path, text, "trace.json")
    assert "\n" not in str(error.value)


# --- live instances, drawn as steps ---------------------------------------------------------------


def test_steps_give_losses_and_instance_hours(tmp_path):
    # Two for an hour, then five for two hours, then four for one.
    found = trace_of(tmp_path, "0,0\n0,2\n1,2\n1,5\n3,5\n3,4\n4,4\n")
    assert (found.losses, found.exposure_s) == (1, 3600 * (2 * 1 + 5 * 2 + 4 * 1))
    assert found.sentences[0].startswith(
        "1 preemption and 5 starts of instances in 4.0 h, 16 instance-hours."
    )


def test_two_columns_that_are_no_steps_are_a_table(tmp_path):
    assert trace_of(tmp_path, "1,2\n3,4\n5,6\n") is None


# --- Los Alamos's failures ------------------------------------------------------------------------


def lanl(*rows):
    return LANL_HEADER + "".join(f"8,3,{row}\n" for row in rows)


def test_lifetimes_between_repairs_and_failures(tmp_path):
    found = trace_of(
        tmp_path,
        lanl(
            "0,1-Apr,current,4/11/2001 0:00,4/12/2001 0:00,1440,,CPU,,,,",
            "0,1-Apr,current,4/11/2001 12:00,4/13/2001 0:00,1440,Power Outage,,,,,",
            "1,1-Apr,current,4/21/2001 0:00,4/21/2001 6:00,360,UPS,,,,,",
        ),
    )
    # Node 0: 10 days up; its second failure is part of the same outage; up again from 13 to 21
    # April, the last day of the records. Node 1: 20 days. Node 2 of 3 never failed.
    assert found.lifetimes == Lifetimes(
        (10 * DAY, 8 * DAY, 20 * DAY, 20 * DAY), (True, False, True, False)
    )
    assert found.causes == ("Hardware", None, "Facilities", None)
    assert found.repairs_s == (DAY, 1.5 * DAY, DAY / 4)
    assert found.key == "slots.power_failures"
    assert found.sentences[0].startswith("3 failures of 2 nodes; 1 more never failed.")
    assert found.sentences[1].startswith("2 of them were of the facilities")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("0,1-Apr,current,soon,4/12/2001 0:00,1,,CPU,,,,", ":2: Prob Started is 'soon'; expected"),
        ("0,later,current,4/11/2001 0:00,4/12/2001 0:00,1,,,,,,", ":2: node prod is 'later'"),
    ],
)
def test_a_mistake_in_the_failures_is_told_in_one_line(tmp_path, row, told):
    with pytest.raises(DataError, match=told):
        trace_of(tmp_path, lanl(row))


# --- the real ones --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "failures", "nodes", "never"),
    [(2, 7104, 49, 0), (8, 475, 119, 45), (18, 3997, 964, 60), (20, 2478, 400, 112)],
)
def test_every_failure_of_los_alamos_is_read(shared, system, failures, nodes, never):
    found = read_trace(shared / f"data/traces/lanl/lanl_system_{system}.csv")
    assert len(found.repairs_s) == failures
    assert found.sentences[0].startswith(
        f"{failures:,} failures of {nodes} nodes; {never} more never failed."
    )
    causes = Counter(cause for cause in found.causes if cause)
    assert found.lifetimes.ends == sum(causes.values()) <= failures


def test_titan_s_lives(shared):
    found = read_trace(shared / "data/traces/titan/titan_gpu_lifetimes.csv.gz")
    assert (len(found.lifetimes.durations_s), found.lifetimes.ends) == (30_207, 5_089)
    assert found.lifetimes.durations_s[0] == pytest.approx(843.9384 * DAY)


def test_every_spot_trace_is_read(shared):
    paths = sorted((shared / "data/traces/spot").iterdir())
    assert len(paths) == 28
    for path in paths:
        found = read_trace(path)
        assert found.losses or found.lifetimes.durations_s, path


@given(
    st.sampled_from([LANL_HEADER, "days,dead\n", "0,0\n", '{"metadata": ', ""]),
    st.lists(st.lists(st.sampled_from(CELLS), max_size=14).map(",".join), max_size=5),
)
def test_any_file_is_a_trace_or_none_or_a_clear_mistake(tmp_path_factory, head, rows):
    try:
        found = trace_of(tmp_path_factory.getbasetemp(), head + "\n".join(rows), "any.csv")
    except DataError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    assert found is None or 0 <= found.lifetimes.exposure_s + found.exposure_s < math.inf


# --- units and causes of a table ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "seconds"),
    [
        *(("lifetime_s", 1), ("lifetime_min", 60), ("life_h", 3600), ("Duration_D", 86_400)),
        *(("days", 86_400), ("up_hours", 3600), ("life_ms", 0.001), ("life_us", 1e-6)),
        *(("lifetime_weeks", 604_800), ("life_hrs", 3600), ("up_sec", 1), ("life_day", 86_400)),
    ],
)
def test_the_unit_is_what_the_name_ends_in(tmp_path, column, seconds):
    path = tmp_path / "t.csv"
    path.write_text(f"zone,{column}\na,3\n")
    assert from_csv(path, column).durations_s == pytest.approx((3 * seconds,), rel=1e-12)
    assert unit_of(column).length == pytest.approx(seconds * SECOND)


@pytest.mark.parametrize("column", ["hours_up", "h", "min", "day", "x", "lifetime", "1"])
def test_a_name_that_ends_in_no_unit_tells_none(tmp_path, column):
    path = tmp_path / "t.csv"
    path.write_text(f"zone,{column}\na,3\n")
    assert unit_of(column) is None
    assert from_csv(path, column).durations_s == (3,)


@pytest.mark.parametrize("column", ["lifetime_years", "Life_yr", "months", "up_month"])
def test_units_that_have_no_one_length_are_refused(tmp_path, column):
    path = tmp_path / "t.csv"
    path.write_text(f"zone,{column}\na,3\n")
    with pytest.raises(DataError, match=f"t.csv:1: column {column}: .* of no one length; .* days"):
        from_csv(path, column)


def test_hours_become_seconds_and_are_no_empirical_law_s(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("zone,lifetime_h,cpus\na,1.5,8\n")
    found = from_csv(path)
    assert (found.durations_s, found.source) == ((5400,), "")
    path.write_text("zone,lifetime_h,cpus\na,x,8\n")
    with pytest.raises(DataError, match=r":2: lifetime_h is 'x'; expected hours, 0 or more"):
        from_csv(path)


def test_causes_in_words(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("lifetime_h,cause\n1,Evicted\n2,\n3,finished\n4,power failure\n")
    durations, causes = causes_from_csv(path)
    assert durations == (3600, 7200, 10_800, 14_400)
    assert causes == ("evicted", None, None, "power failure")
    path.write_text("lifetime_h\n1\n")
    assert causes_from_csv(path) is None
    assert math.isfinite(from_csv(path).exposure_s)
