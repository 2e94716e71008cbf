"""The pictures of an answer show what the answer says: each a short story with literal numbers."""

from functools import cache
from itertools import combinations, pairwise
from math import exp

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.text import Annotation

from ckptsim import plots
from ckptsim.exact import Value
from ckptsim.formulas import Formula
from ckptsim.objective import Kind, Objective
from ckptsim.plan import plan
from ckptsim.plots.plan import alike, formulas_name
from ckptsim.rules import NEVER, Row, interval_at
from ckptsim.scenario import load
from ckptsim.search import Range, worth
from ckptsim.units import HOUR, MINUTE, SECOND

LIMITED = {
    "slots.limit": "6h",
    "job.write": "4min",
    "job.transfer": "1min",
    "job.interval": "60min",
}
MANUAL = LIMITED | {"slots.evictions": "12h"}
JITTER = {"slots.limit": "6h", "slots.evictions": "12h", "job.write": "uniform(3min, 7min)"}
PICTURES = {
    "plan": plots.plan_figure,
    "badput": plots.badput_figure,
    "lease": plots.lease_figure,
    "trade-off": plots.trade_off_figure,
}
SCENARIOS = {
    "manual": MANUAL,
    "no cliffs": {"slots.evictions": "12h", "job.write": "15min"},
    "no formulas": {"slots.limit": "6h", "job.write": "4min"},
    "gaps": MANUAL | {"slots.gap": "15min"},
    "steps": MANUAL | {"job.step": "20min"},
    "many steps": MANUAL | {"job.step": "1s"},
    "one step": MANUAL | {"job.step": "6h", "slots.limit": "8h"},
    "random costs": JITTER,
    "random costs without a limit": JITTER | {"slots.limit": "none"},
    "leaving early": JITTER | {"job.leave_early": "yes", "slots.evictions": "3h"},
    "bytes": {
        "slots.limit": "6h",
        "slots.evictions": "12h",
        "job.size": "20 GB",
        "job.bandwidth": "100 MB/s",
    },
    "observed": MANUAL | {"slots.limit": "24h", "slots.evictions": "empirical({}:lifetime_s)"},
    "power failures": {
        "slots.power_failures": "12h",
        "job.write": "15min",
        "slots.contact_lease": "40min",
    },
    "worklife": MANUAL | {"slots.limit": "none", "slots.claim_worklife": "20min"},
    "seconds": {"slots.limit": "90s", "job.write": "1s"},
}


@pytest.fixture(scope="module")
def advised(pytestconfig):
    """The answer to each scenario, found when it is first asked for."""
    observed = pytestconfig.rootpath / "ckptsim/profiles/gcp-preemptible.csv"

    @cache
    def found(name):
        overrides = {key: text.format(observed) for key, text in SCENARIOS[name].items()}
        return plan(load(None, overrides))

    return found


def told(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def names(figure):
    """The texts within the axes."""
    return [text for axes in figure.axes for text in axes.texts if text.get_text()]


# --- any of them ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("picture", PICTURES)
def test_any_advice_can_be_drawn_and_no_name_lies_on_another(name, picture, advised, tmp_path):
    figure = PICTURES[picture](advised(name))
    plots.save(figure, tmp_path / "picture.png", "footer " * 50)
    figure.draw_without_rendering()
    page = figure.bbox
    boxes = {text.get_text(): text.get_window_extent() for text in names(figure)}
    boxes |= {f"legend {n}": each.get_window_extent() for n, each in enumerate(figure.legends)}
    for text, box in boxes.items():
        assert box.x0 >= 0, text
        assert box.x1 <= page.width, text
        assert box.y0 >= 0, text
    overlapping = [pair for pair in combinations(boxes, 2) if lie_on(*map(boxes.get, pair))]
    assert overlapping == []


def lie_on(one, two):
    """By more than a pixel."""
    across = min(one.x1, two.x1) - max(one.x0, two.x0)
    return across > 1 and min(one.y1, two.y1) - max(one.y0, two.y0) > 1


def test_what_is_best_is_told_if_it_is_not_the_usual():
    advice = plan(load(None, MANUAL | {"job.work": "20h"}), objective=Objective(Kind.MAKESPAN))
    setting = plots.plan_figure(advice).axes[0].get_title("left").replace("\n", " ")
    assert setting.endswith(" · best: the shortest mean makespan")


# --- the saw-tooth --------------------------------------------------------------------------------


def drops_of(figure):
    (found,) = [c for c in figure.axes[0].collections if c.get_label() == "_cliffs"]
    assert isinstance(found, LineCollection)
    return found.get_segments()


def test_every_cliff_in_view_is_a_true_drop(advised):
    figure = plots.plan_figure(advised("manual"))
    low, high = (SECOND * edge for edge in figure.axes[0].get_xlim())
    cliffs = advised("manual").cliffs
    inside = [c for c in cliffs if low <= c.at.interval and c.beyond.interval <= high]
    drops = drops_of(figure)
    assert len(drops) == len(inside) > 10
    for cliff, ((x1, y1), (x2, y2)) in zip(inside, drops, strict=True):
        assert x2 - x1 == pytest.approx(1e-9, abs=1e-10)
        assert y1 - y2 == pytest.approx(100 * cliff.loss)


def test_no_line_leads_down_but_at_cliffs(advised):
    figure = plots.plan_figure(advised("manual"))
    curve = next(line for line in figure.axes[0].lines if line.get_label() == "_curve")
    points = list(zip(*curve.get_data(), strict=True))
    steep = [(x2 - x1) for (x1, y1), (x2, y2) in pairwise(points) if y1 - y2 > 1]
    assert len(steep) == len([1 for (_, y1), (_, y2) in drops_of(figure) if y1 - y2 > 1])
    assert max(steep) < 1e-8


def test_a_slope_is_drawn_as_the_curve_it_is(advised):
    advice = advised("random costs")
    assert advice.cliffs
    assert not any(cliff.is_sheer for cliff in advice.cliffs)
    assert len(drops_of(plots.plan_figure(advice))) == 0


def test_the_answers_are_marked(advised):
    figure = plots.plan_figure(advised("manual"))
    assert told(figure) == [
        "within 1 % of the best",
        "present: 1 h, 81.4 %",
        "best: 1 h 25 min, 88.7 %",
        "robust (±10 %): 1 h 24 min 30 s, 88.3 %",
        "Daly, ETTR, Lambert W:\n1 h 20 min – 1 h 22 min",
        "Young: 1 h 25 min",
        "end of reservation: 5 h 55 min",
    ]


def test_the_robust_choice_lies_on_the_curve(advised):
    advice = advised("observed")
    axes = plots.plan_figure(advice).axes[0]
    (mark,) = [line for line in axes.lines if line.get_label().startswith("robust")]
    hedge = advice.robust.expected.value
    assert hedge.interval not in (advice.best.interval, advice.robust.worst.value.interval)
    assert mark.get_xdata().tolist() == [hedge.interval / SECOND]
    assert mark.get_ydata().tolist() == [100 * worth(hedge)]


def test_cliffs_are_named_and_the_flat_part_is_shaded(advised):
    figure = plots.plan_figure(advised("manual"))
    assert "4 → 3\ncheckpoints" in [text.get_text() for text in names(figure)]
    shaded = [patch for patch in figure.axes[0].patches if patch.get_alpha() == 0.28]
    assert len(shaded) == len(advised("manual").flat)
    assert figure.get_suptitle().startswith("Checkpoint every 1 h 25 min: 88.7 %")


def formula(name, minutes):
    value = Value(minutes * MINUTE, None, 1.0, 60.0, 80.0, 0.0)
    return Formula(name.lower(), name, "nothing", value)


def test_formulas_that_agree_share_a_line_of_the_legend():
    daly, higher = formula("Daly, first order", 80), formula("Daly, higher order", 81)
    young = formula("Young", 120)
    groups = alike([young, higher, daly], Range(10 * MINUTE, 6 * HOUR))
    assert groups == [[daly, higher], [young]]
    assert [formulas_name(group) for group in groups] == [
        "Daly: 1 h 20 min – 1 h 21 min",
        "Young: 2 h",
    ]


def test_a_formula_of_no_use_is_named_but_not_shown(advised):
    figure = plots.plan_figure(advised("leaving early"))
    far = [text for text in told(figure) if "out of view" in text]
    assert far == ["end of reservation: 5 h 53 min,\n31.1 %, out of view"]
    assert figure.axes[0].get_xlim()[1] < 5 * 3600


# --- where the slot time goes ---------------------------------------------------------------------


def layers_of(figure):
    """By name the lower and the upper edge at each interval in seconds, from the bottom on."""
    found = {}
    for layer in figure.axes[0].collections:
        assert isinstance(layer, PolyCollection)
        edges = {}
        for x, y in layer.get_paths()[0].vertices.tolist():
            edges.setdefault(x, []).append(y)
        found[layer.get_label().removeprefix("_")] = {
            x: (min(heights), max(heights)) for x, heights in edges.items()
        }
    return found


@pytest.mark.parametrize("name", ["manual", "gaps", "observed", "random costs", "power failures"])
def test_the_layers_add_up_to_all_there_is(name, advised):
    edges = list(layers_of(plots.badput_figure(advised(name))).values())
    intervals = [each.interval / SECOND for each in advised(name).accounts]
    low, high = min(edges[0]), max(edges[0])
    assert set(edges[0]) >= {at for at in intervals if low <= at <= high}
    for at in edges[0]:
        heights = [layer[at] for layer in edges]
        assert heights[0][0] == 0
        assert all(below[1] == above[0] for below, above in pairwise(heights))
        assert heights[-1][1] == pytest.approx(100)


def test_a_lease_of_six_hours_is_accounted_for_to_the_minute():
    # 60 min of computing, 4 of writing, 1 of transfer fit 5 times; 35 min are lost at the limit.
    layers = layers_of(plots.badput_figure(plan(load(None, LIMITED))))
    spent = {name: edges[3600.0][1] - edges[3600.0][0] for name, edges in layers.items()}
    minutes = {name: 3.6 * percent for name, percent in spent.items() if percent}
    assert minutes == pytest.approx({"useful": 300, "write": 20, "transfer": 5, "lost: limit": 35})


def test_the_causes_that_matter_are_named(advised):
    figure = plots.badput_figure(advised("manual"))
    assert [text.split(":")[0] for text in told(figure)[-3:]] == [
        "present",
        "best",
        "robust (±10 %)",
    ]
    assert told(figure)[:-3] == ["useful", "write", "transfer", "lost: limit", "lost: eviction"]
    assert "gap" in told(plots.badput_figure(advised("gaps")))
    assert figure.get_suptitle() == (
        "Checkpoint every 1 h 25 min: 11.3 % of slot time is not useful (eviction 6.1 %,\n"
        "write 4.2 %)"
    )
    (line,) = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 2]
    assert list(line.get_xdata()) == [85 * 60, 85 * 60]


def test_natural_steps_are_drawn_as_steps(advised):
    useful = layers_of(plots.badput_figure(advised("steps")))["useful"]
    heights = {height for edges in useful.values() for height in edges}
    worths = [100 * worth(value) for value in advised("steps").search.curve]
    assert all(min(abs(height - one) for one in [0, *worths]) < 1e-9 for height in heights)


# --- how long leases last -------------------------------------------------------------------------


def commits_of(figure):
    """When each way commits, in seconds."""
    rows = [c for c in figure.axes[1].collections if c.get_label() == "_commits"]
    return [[segment[0][0] for segment in row.get_segments()] for row in rows]


def test_each_commit_of_both_ways_is_marked(advised):
    fixed, unequal = commits_of(plots.lease_figure(advised("manual")))
    assert fixed == [90 * 60, 180 * 60, 270 * 60, 360 * 60]
    assert len(unequal) == 4
    assert np.diff([0, *unequal]).tolist() == sorted(np.diff([0, *unequal]))


def test_the_chance_of_each_commit_is_on_the_curve(advised):
    figure = plots.lease_figure(advised("manual"))
    (dots,) = [each for each in figure.axes[0].lines if each.get_label().startswith("chance")]
    assert dots.get_xdata().tolist() == commits_of(figure)[1]
    assert dots.get_ydata() == pytest.approx([100 * exp(-t / 43200) for t in dots.get_xdata()])
    (curve,) = [each for each in figure.axes[0].lines if each.get_label() == "_still there"]
    end = np.column_stack(curve.get_data())[-3:-1]
    assert end.tolist() == [[21600, pytest.approx(100 * exp(-0.5))], [21600, 0]]
    assert [text.get_text() for text in names(figure)] == ["61 % reach the limit"]


@pytest.mark.parametrize(("name", "hours"), [("manual", 6), ("one step", 8), ("random costs", 6)])
def test_the_bars_fill_the_lease(name, hours, advised):
    figure = plots.lease_figure(advised(name))
    bars = [bar for bar in figure.axes[1].collections if isinstance(bar, PolyCollection)]
    corners = [path.vertices for bar in bars for path in bar.get_paths()]
    for row in (0, 1):
        spans = [np.ptp(each[:, 0]) for each in corners if round(each[:, 1].mean() - 0.01) == row]
        assert sum(spans) == pytest.approx(hours * 3600)


def test_what_is_too_thin_to_see_is_not_in_the_legend(advised):
    # The unequal plan stops a nanosecond short of the limit.
    assert "lost: limit" not in told(plots.lease_figure(advised("manual")))
    assert "lost: limit" in told(plots.lease_figure(advised("one step")))


def test_a_job_that_leaves_is_shown_to_leave(advised):
    figure = plots.lease_figure(advised("worklife"))
    assert [len(row) for row in commits_of(figure)] == [1, 1]
    assert "end: left, or rescheduled" in told(figure)
    last = max(row[0] for row in commits_of(figure))
    assert figure.axes[1].get_xlim() == (0, pytest.approx(4 * last))


def test_random_costs_go_by_the_clock(advised):
    figure = plots.lease_figure(advised("random costs"))
    labels = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert labels[1].replace("\N{NO-BREAK SPACE}", " ").startswith("by the clock:\n")
    assert "every cost at its mean" in figure.axes[0].get_title("left").replace("\n", " ")


@pytest.mark.parametrize("name", ["no cliffs", "random costs without a limit", "power failures"])
def test_without_a_limit_the_picture_ends_when_next_to_no_lease_is_left(name, advised):
    above, below = plots.lease_figure(advised(name)).axes
    end = below.get_xlim()[1]
    assert advised(name).search.solver.ends.still_there(end) == pytest.approx(0.01, rel=0.05)
    drawn = [line.get_xdata() for line in above.lines]
    drawn += [path.vertices[:, 0] for bar in below.collections for path in bar.get_paths()]
    assert max(each.max() for each in drawn) <= end * (1 + 1e-9)


def test_a_row_of_a_policy_changes_evenly_up_to_the_next():
    rows = (Row(0, 60 * MINUTE, 30 * MINUTE), Row(120 * MINUTE, NEVER, NEVER))
    found = [interval_at(rows, minutes * MINUTE) for minutes in (0, 60, 119, 120, 150)]
    assert found == [60 * MINUTE, 45 * MINUTE, 30 * MINUTE + 15 * SECOND, NEVER, NEVER]


# --- what is moved --------------------------------------------------------------------------------


def points_of(figure, start):
    (line,) = [line for line in figure.axes[0].lines if line.get_label().startswith(start)]
    return list(zip(*map(list, line.get_data()), strict=True))


@pytest.mark.parametrize("name", ["manual", "steps", "random costs", "bytes", "worklife"])
def test_no_interval_beats_a_bold_one_in_both(name, advised):
    figure = plots.trade_off_figure(advised(name))
    every, bold = points_of(figure, "every interval"), points_of(figure, "to move less")
    assert set(bold) <= set(every)
    for moved, wasted in bold:
        assert not [1 for x, y in every if x < moved and y <= wasted]
        assert not [1 for x, y in every if x <= moved and y < wasted]
    assert any(points_of(figure, "best")[0] == pytest.approx(each, rel=1e-9) for each in bold)


def test_with_an_hour_between_them_one_checkpoint_an_hour_is_moved(advised):
    (present,) = points_of(plots.trade_off_figure(advised("manual")), "present")
    assert present == pytest.approx((1.0, 100 - 81.4), abs=0.05)


def test_bytes_are_told_where_checkpoints_have_a_size(advised):
    manual, sized = (plots.trade_off_figure(advised(name)) for name in ("manual", "bytes"))
    across = manual.axes[0].get_xlabel(), sized.axes[0].get_xlabel()
    assert across[0] == "Checkpoints moved (number for each committed hour)"
    assert across[1] == "Moved to the access point (GB for each committed hour)"
    (best,) = points_of(sized, "best")
    hours = advised("bytes").best.interval / HOUR
    assert best[0] == pytest.approx(20 / hours, rel=0.1)  # and some were cut short


def test_the_title_tells_what_a_little_waste_spares_and_the_picture_names_it(advised):
    figure = plots.trade_off_figure(advised("manual"))
    finding = "1 h 55 min moves 26 % less than 1 h 25 min and wastes 0.6 points more"
    assert figure.get_suptitle() == finding
    assert [text.get_text() for text in names(figure)] == ["1 h 55 min", "2 h 55 min", "5 h 55 min"]
    assert all(isinstance(text, Annotation) for text in names(figure))
    nothing = plots.trade_off_figure(advised("no formulas")).get_suptitle()
    assert nothing == "No interval moves less than 5 h 56 min and wastes at most 1 point more"


# --- how long one job takes -----------------------------------------------------------------------


def test_a_job_of_one_block_is_done_at_once_or_begins_again():
    alone = {"slots.evictions": "12h", "job.write": "5min", "job.work": "1h"}
    advice = plan(load(None, alone), objective=Objective(Kind.MAKESPAN))
    assert advice.best.interval >= HOUR
    figure = plots.makespan_law_figure(advice)
    curve = figure.axes[0].lines[0]
    done = np.interp([3500.0, 3700.0], *curve.get_data())
    assert done == pytest.approx([0, 100 * exp(-1 / 12)], abs=0.5)
    assert figure.get_suptitle() == "Half of such jobs are done after 1 h, 90 % after 1 h"


def test_the_median_and_the_ninth_decile_are_marked_on_the_curve():
    advice = plan(load(None, MANUAL | {"job.work": "30h"}))
    figure = plots.makespan_law_figure(advice)
    axes = figure.axes[0]
    curve, *rest = axes.lines
    marks = [line.get_data() for line in rest if len(line.get_xdata()) == 1]
    assert [y for (_,), (y,) in marks] == [50, 90]
    for (x,), (y,) in marks:
        assert np.interp(x, *curve.get_data()) == pytest.approx(y, abs=0.1)
    assert [text.get_text()[:5] for text in axes.texts] == ["50 %:", "90 %:"]
    assert figure.legends[0].get_texts()[1].get_text().startswith("mean: 1 d ")
