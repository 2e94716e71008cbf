"""APEX on Cielo, simulated: never less waste than the bound, and how much more (theory.md §5)."""

import json
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ckptsim.bound import NodeClass, counts_at_once, platform_bound
from ckptsim.scenario import load

SCRIPT = Path(__file__).parents[1] / "scenarios" / "apex_cielo.py"
SHARES, RUNS = [0.66, 0.055, 0.155, 0.12], [262.4, 64, 128, 157.2]  # of the workload; hours
MACHINES = [(10, 2), (40, 2), (160, 2), (40, 8), (160, 8), (40, 24)]  # GB/s, h


@pytest.fixture(scope="module")
def apex():
    return runpy.run_path(str(SCRIPT))


def ratios(apex, machines, replications):
    parts = [pd.DataFrame(apex["rows"]([gb], [hours], replications)) for gb, hours in machines]
    return pd.concat(parts, ignore_index=True)


def not_below_the_bound(frame):
    return (frame["waste"] + frame["waste_half_width"] >= frame["bound"]).all()


def of(frame, way, bandwidth, hours):
    chosen = frame[
        (frame["way"] == way) & (frame["bandwidth_gb_s"] == bandwidth) & (frame["mtbf_h"] == hours)
    ]
    return chosen.iloc[0]


def test_the_scenario_is_the_authors_workload(apex):
    scenario, nodes = load(apex["SCENARIO"], {}), list(apex["NODES"].values())
    counts = [job.count for job in scenario.classes.values()]
    assert counts == [8, 11, 2, 1]
    exact = counts_at_once(SHARES, RUNS, nodes, apex["MACHINE"])
    assert counts == [round(count) for count in exact]
    assert np.dot(counts, nodes) <= apex["MACHINE"]
    costs = [job.transfer.mean for job in scenario.classes.values()]
    assert costs == pytest.approx([1310.72, 378.88, 5734.40, 1275.00], rel=1e-12)
    assert [kind.count for kind in scenario.kinds.values()] == counts
    for number, name in enumerate(scenario.kinds):
        mean = scenario.kinds[name].power_failures.mean
        assert mean == pytest.approx(8 * 3600 * 17_784 / nodes[number], rel=1e-6)


def test_its_bound_is_near_that_of_the_whole_machine(apex):
    """Whole jobs fill 16,979 of 17,784 nodes: 0.2360 for the authors' 0.2344."""
    _, first_order = apex["bounds"](40, 2)
    classes = apex["bound_classes"](load(apex["SCENARIO"], {}))
    whole = platform_bound(
        [
            NodeClass(one.at_once, nodes, one.checkpoint, one.recovery)
            for one, nodes in zip(classes, apex["NODES"].values(), strict=True)
        ],
        16_979,
        2 * 3600 * 17_784,
    )
    assert first_order.waste == pytest.approx(whole.waste, rel=1e-6)
    assert round(first_order.waste, 4) == 0.2360


def test_one_machine_never_wastes_less_than_the_bound(apex):
    frame = ratios(apex, [(40, 8)], 3)
    assert not_below_the_bound(frame)
    in_turn = of(frame, "Daly, one transfer at a time", 40, 8)
    sharing = of(frame, "Daly, transfers share the link", 40, 8)
    assert 1.1 < in_turn["ratio"] < sharing["ratio"] < 2


def test_its_page_has_the_answer_the_table_and_the_numbers(apex, tmp_path):
    row = {"mtbf_h": 2.0, "bandwidth_gb_s": 40.0, "demand": 0.5, "bound": 0.2}
    row |= {"waste": 0.25, "waste_half_width": 0.01}
    ways = [row | {"way": way.name, "ratio": 1.25 + n} for n, way in enumerate(apex["WAYS"])]
    page = apex["write"](pd.DataFrame(ways), tmp_path).read_text()
    assert "The waste is 1.250 to 5.25 times the least there can be." in page
    assert "| 2 h | 40 GB/s | 50 % | 20.00 % | 25.00 % ± 1.00 % (1.250) |" in page
    found = json.loads((tmp_path / "waste.json").read_text())
    assert [point["ratio"] for point in found["points"]] == [1.25, 2.25, 3.25, 4.25, 5.25]


@pytest.mark.slow
def test_no_machine_wastes_less_than_the_bound_and_a_busy_link_much_more(apex):
    frame = ratios(apex, MACHINES, 20)
    assert not_below_the_bound(frame)
    turn, by_bound = "Daly, one transfer at a time", "bound's periods, one at a time"
    saturated = of(frame, turn, 40, 2), of(frame, by_bound, 40, 2)
    assert saturated[0]["demand"] > 1
    assert saturated[1]["waste"] < saturated[0]["waste"] - 0.02
    assert of(frame, turn, 40, 24)["ratio"] < 1.25


@pytest.mark.slow
def test_it_depends_on_bandwidth_times_mtbf_alone(apex):
    """To the noise: 40 GB/s at 8 h and 160 GB/s at 2 h, whose times are a quarter as long."""
    frame = ratios(apex, [(40, 8), (160, 2)], 20)
    for way in (way.name for way in apex["WAYS"] if not way.staggered):
        slow, fast = of(frame, way, 40, 8), of(frame, way, 160, 2)
        assert slow["bound"] == pytest.approx(fast["bound"], rel=1e-9)
        if "one" in way:  # those that share the link fall into step, and out of it, over months
            noise = slow["waste_half_width"] + fast["waste_half_width"]
            assert abs(slow["waste"] - fast["waste"]) < noise
