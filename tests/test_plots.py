"""Pictures hold what they should: units, cliffs, every nanosecond, and the same bytes each time."""

import re
import subprocess
import sys
from functools import cache
from itertools import combinations, pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptsim import ledger, plots
from ckptsim.course import course_of
from ckptsim.drivers.virtual import simulate
from ckptsim.experiment import replicate
from ckptsim.ledger import Category
from ckptsim.outcome import Row
from ckptsim.plan import plan
from ckptsim.rules import Event, Phase
from ckptsim.scenario import load
from ckptsim.units import HOUR, MINUTE, SECOND
from ckptsim.world import world_of

MANUAL = {
    "slots.limit": "6h",
    "slots.evictions": "12h",
    "job.write": "4min",
    "job.transfer": "1min",
    "job.interval": "60min",
}
ALONE = {"slots.limit": "6h", "job.write": "4min", "job.transfer": "1min", "job.work": "12h"}
POOL = MANUAL | {
    "slots.count": "3",
    "job.count": "6",
    "job.work": "20h",
    "slots.power_failures": "9h",
    "slots.gap": "exponential(mean=15min)",
    "slots.grace": "2min",
    "job.restart": "2min",
}
ADVICE = {
    "plan": plots.plan_figure,
    "badput": plots.badput_figure,
    "lease": plots.lease_figure,
    "trade-off": plots.trade_off_figure,
    "makespan law": plots.makespan_law_figure,
}
UNIT = r"\((?:s|min|h|d|days|number|%)(?:[, ].*)?\)$"


def traced(overrides, interval):
    rows = []
    outcome = simulate(world_of(load(None, overrides), interval), 0, rows.append)
    return rows, outcome


@cache
def advised():
    return plan(load(None, MANUAL | {"job.work": "20h"}), [84 * MINUTE])


@cache
def pooled():
    return traced(POOL, 60 * MINUTE)


def swept(measure="useful_fraction"):
    cells = [(m * 60.0, h * 3600.0) for m in (30, 60, 85) for h in (3, 6)]
    frame = pd.DataFrame(cells, columns=["job.interval_s", "slots.limit_s"])
    frame[measure] = np.linspace(0.5, 0.8, len(frame))
    frame[f"{measure}_low"] = frame[measure] - 0.01
    frame[f"{measure}_high"] = frame[measure] + 0.01
    return frame


LINKED = POOL | {
    "job.transfer": None,
    "job.size": "3GB",
    "link.bandwidth": "10MB/s",
    "link.at_most": "1",
    "kinds.slow.speed": "0.5",
    "kinds.fast.speed": "2",
}


def course(overrides):
    """The picture of a pool over time, of two replications."""
    world = world_of(load(None, overrides), 60 * MINUTE)
    results = replicate(world, 2)
    linked = world.scenario.link is not None
    slots = world.scenario.slots_count
    return plots.course_figure(course_of(results), slots, 2, 1, linked=linked)


def lessons():
    return {
        minutes * MINUTE: traced(ALONE, minutes * MINUTE)[0]
        for minutes in (60, 84, 85, 115, 175, 355)
    }


@cache
def drawn(name):
    """One figure of each kind, made when a test first asks for it."""
    times, survival = np.array([3600.0, 7200.0, 9000.0]), np.array([0.8, 0.5, 0.2])
    match name:
        case name if name in ADVICE:
            return ADVICE[name](advised())
        case "ledger":
            return plots.ledger_figure({"60 min": pooled()[1].ledger, "again": pooled()[1].ledger})
        case "gantt":
            return plots.gantt_figure(pooled()[0], 3)
        case "makespan":
            makespans = [makespan / SECOND for makespan in pooled()[1].makespans]
            return plots.makespan_figure(makespans, 9e4, {"p05": 8e4, "p50": 9e4, "p95": 1e5})
        case "line":
            return plots.sweep_figure(swept().query("`slots.limit_s` == 10800"), ["job.interval_s"])
        case "map":
            return plots.sweep_figure(swept(), ["job.interval_s", "slots.limit_s"])
        case "course":
            return course(LINKED)
        case "course without a link":
            return course(POOL | {"duration": "3d", "warm_up": "1d"})
        case "survival":
            band = survival - 0.1, survival + 0.1
            laws = {"law": (times, survival)}
            return plots.survival_figure(times, survival, *band, laws, [5000.0])
    return plots.lesson_figure(lessons())


COURSES = ("course", "course without a link")
NAMES = (*ADVICE, *COURSES, "ledger", "gantt", "makespan", "line", "map", "survival", "lesson")


@pytest.mark.parametrize("name", NAMES)
def test_every_axis_has_a_unit_and_every_picture_a_finding(name):
    figure = drawn(name)
    labels = [label for axes in figure.axes for label in (axes.get_xlabel(), axes.get_ylabel())]
    named = [label for label in labels if label]
    assert len(named) >= 2
    assert [label for label in named if not re.search(UNIT, label)] == []
    assert len(figure.get_suptitle()) > 20


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_is_named_sticks_out_of_the_picture(name):
    figure = drawn(name)
    figure.draw_without_rendering()
    width, height = figure.get_size_inches() * figure.dpi
    for text in figure.findobj(mpl.text.Text):
        if text.get_visible() and text.get_text().strip():
            box = text.get_window_extent()
            ticks = [label for axes in figure.axes for label in axes.get_xticklabels(which="both")]
            ticks += [label for axes in figure.axes for label in axes.get_yticklabels()]
            if text not in ticks:  # of those matplotlib also keeps some that it does not draw
                assert box.x0 >= -1, text
                assert box.x1 <= width + 1, text
                assert box.y0 >= -1, text
                assert box.y1 <= height + 1, text


@pytest.mark.parametrize("name", NAMES)
def test_saving_again_gives_the_same_bytes(name, tmp_path):
    for ending in ("png", "svg", "pdf") if name == "plan" else ("png",):
        paths = [tmp_path / f"{name}{n}.{ending}" for n in (1, 2)]
        for path in paths:
            plots.save(drawn(name), path, "scenario manual, seed 1, price $5 and $6")
        assert paths[0].read_bytes() == paths[1].read_bytes()
        assert len(paths[0].read_bytes()) > 5000


def test_drawing_again_gives_the_same_bytes_whatever_the_user_has_set(tmp_path):
    plots.save(drawn("plan"), tmp_path / "one.png", "footer")
    with mpl.rc_context({"font.size": 30, "axes.grid": False, "hatch.linewidth": 9}):
        plots.save(plots.plan_figure(advised()), tmp_path / "two.png", "footer")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_a_png_is_1200_wide_undated_and_has_its_footer_once(tmp_path):
    plots.save(drawn("ledger"), tmp_path / "p.png", "what made it")
    content = (tmp_path / "p.png").read_bytes()
    assert int.from_bytes(content[16:20], "big") == 1200
    assert b"tEXt" not in content
    assert b"tIME" not in content
    plots.save(drawn("ledger"), tmp_path / "p.svg", "what made it")
    assert (tmp_path / "p.svg").read_text().count("what made it") == 1


def test_pyplot_is_not_touched():
    code = "import sys, ckptsim.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("across", [4, 16, 23])
def test_numbers_in_cells_do_not_touch(across):
    keys = {"job.interval_s": [3600.0 * n for n in range(1, across + 1)] * 2}
    keys["slots.limit_s"] = [1e5] * across + [2e5] * across
    frame = pd.DataFrame(keys).assign(useful_fraction=0.888)
    axes = plots.sweep_figure(frame, ["job.interval_s", "slots.limit_s"]).axes[0]
    axes.figure.draw_without_rendering()
    row = [text.get_window_extent() for text in axes.texts if text.get_position()[1] == 0]
    assert len(row) == across
    assert all(a.x1 < b.x0 for a, b in pairwise(row))


@pytest.mark.parametrize("name", ["survival", "makespan", "makespan law"])
def test_no_legend_lies_over_a_curve(name):
    figure = drawn(name)
    figure.draw_without_rendering()
    assert [axes.get_legend() for axes in figure.axes] == [None] * len(figure.axes)
    (legend,) = figure.legends
    assert legend.get_window_extent().y1 < figure.axes[0].get_window_extent().y0


def test_names_of_quantiles_keep_clear_of_each_other_and_in_the_axes():
    makespans = [3600.0] * 90 + [90000.0] * 6 + [95000.0] * 3 + [99000.0]
    quantiles = {"p05": 3600.0, "p50": 3700.0, "p75": 3800.0, "p95": 9e4, "p99": 95000.0}
    figure = plots.makespan_figure(makespans, None, quantiles)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == 5
    assert all(not a.overlaps(b) for a, b in combinations(boxes, 2))
    assert all(axes.get_window_extent().x0 <= box.x0 for box in boxes)


# --- traces ---------------------------------------------------------------------------------------

LENGTHS = st.sampled_from(["0", "1min", "7min", "exponential(mean=5min)"])


@given(
    st.fixed_dictionaries(
        {
            "seed": st.integers(0, 999).map(str),
            "job.write": LENGTHS,
            "job.transfer": LENGTHS,
            "job.restart": LENGTHS,
            "job.input": LENGTHS,
            "job.cold_start": LENGTHS,
            "slots.gap": LENGTHS,
            "slots.grace": st.sampled_from(["0", "30s", "10min"]),
            "slots.contact_lease": st.sampled_from(["0", "10min"]),
            "slots.limit": st.sampled_from(["none", "100min", "3h"]),
            "slots.evictions": st.sampled_from(["none", "90min", "weibull(shape=0.6, mean=2h)"]),
            "slots.power_failures": st.sampled_from(["none", "3h"]),
            "slots.claim_worklife": st.sampled_from(["none", "20min"]),
            "job.last_checkpoint": st.sampled_from(["yes", "no"]),
            "job.leave_early": st.sampled_from(["yes", "no"]),
        }
    )
)
def test_segments_add_up_to_the_ledger(overrides):
    sizes = {"job.work": "4h", "job.count": "3", "slots.count": "2"}
    rows, outcome = traced(overrides | sizes, 25 * MINUTE)
    books = ledger.opened()
    by_slot = {}
    for segment in plots.segments(rows):
        books[segment.category] += segment.end - segment.start
        by_slot.setdefault(segment.slot, []).append(segment)
    assert books == outcome.ledger
    for found in by_slot.values():
        found.sort(key=lambda segment: segment.start)
        assert all(one.end <= two.start for one, two in pairwise(found))
    moments = plots.moments(rows)
    ends = [(m.slot, m.time) for m in moments if m.event is not None]
    assert sorted(ends) == sorted((stay.slot, stay.end) for stay in outcome.stays)
    assert sum(m.completed for m in moments) == len(outcome.makespans)


def test_an_open_lease_holds_only_what_is_known():
    rows = [
        Row(0, 0, 0, Event.PLACED, Phase.COMPUTING, 0, 0),
        Row(60, 0, 0, Event.ELAPSED, Phase.WRITING, 0, 60),
        Row(64, 0, 0, Event.ELAPSED, Phase.TRANSFERRING, 0, 60),
    ]
    assert plots.segments(rows) == [plots.Segment(0, 0, 60, 64, Category.WRITE)]
    rows.append(Row(65, 0, 0, Event.EXPIRED, Phase.QUEUED, 0, 0))
    assert plots.segments(rows)[1:] == [
        plots.Segment(0, 0, 64, 65, Category.TRANSFER),
        plots.Segment(0, 0, 0, 60, Category.LOST_LIMIT),
    ]
    assert plots.moments(rows) == [plots.Moment(0, 65, Event.EXPIRED, completed=False)]


def test_a_grace_that_saves_a_checkpoint_still_ends_in_an_eviction():
    rows = [
        Row(0, 0, 0, Event.PLACED, Phase.COMPUTING, 0, 0),
        Row(60, 0, 0, Event.ELAPSED, Phase.TRANSFERRING, 0, 60),
        Row(63, 0, 0, Event.WARNED, Phase.VACATING, 0, 60),
        Row(65, 0, 0, Event.ELAPSED, Phase.QUEUED, 60, 0),
    ]
    commit, end = plots.moments(rows)
    assert commit == plots.Moment(0, 65, None, completed=False)
    assert end == plots.Moment(0, 65, Event.WARNED, completed=False)
    assert [s.category for s in plots.segments(rows)] == [
        Category.TRANSFER,
        Category.VACATING,
        Category.USEFUL,
    ]


def test_the_gantt_shows_all_commits_and_ends_up_to_its_end():
    rows, outcome = pooled()
    figure = plots.gantt_figure(rows, 3, until=10 * HOUR)
    axes = figure.axes[0]
    ticks = next(c for c in axes.collections if c.get_label() == "_commits")
    early = [m for m in plots.moments(rows) if m.time <= 10 * HOUR]
    assert len(ticks.get_segments()) == sum(m.event is None for m in early) > 0
    marks = [line for line in axes.lines if line.get_label().startswith("end: ")]
    assert sum(len(line.get_xdata()) for line in marks) == sum(
        stay.end <= 10 * HOUR for stay in outcome.stays
    )
    assert axes.get_xlim() == (0, 36000)


def test_many_slots_can_be_drawn(tmp_path):
    rows, _ = traced(POOL | {"slots.count": "40", "job.count": "50"}, 60 * MINUTE)
    plots.save(plots.gantt_figure(rows, 40), tmp_path / "gantt.png", "")


def test_the_lesson_tells_what_each_interval_commits():
    told = [text.get_text() for text in drawn("lesson").axes[0].texts]
    committed = ["300 min = 5 × 60", "336 min = 4 × 84", "340 min = 4 × 85", "345 min = 3 × 115"]
    committed += ["350 min = 2 × 175", "355 min = 1 × 355"]
    assert told[::2] == [f"committed {text}" for text in committed]
    assert told[1] == "overhead 25 min, lost 35 min"
    assert told[3] == "overhead 20 min, lost 4 min"


# --- shares, makespans, sweeps, survival ----------------------------------------------------------


def test_the_bars_of_a_ledger_add_up():
    whole, wasted = drawn("ledger").axes
    books = pooled()[1].ledger
    useful = 100 * books[Category.USEFUL] / sum(books)
    assert sum(patch.get_width() for patch in whole.patches) == pytest.approx(200)
    assert sum(patch.get_width() for patch in wasted.patches) == pytest.approx(2 * (100 - useful))


@pytest.mark.parametrize("books", [ledger.opened(), [HOUR, *ledger.opened()[1:]]])
def test_a_ledger_with_nothing_in_it_or_no_waste_can_be_drawn(books, tmp_path):
    plots.save(plots.ledger_figure({"one": books}), tmp_path / "ledger.png", "footer")


def test_looks_are_distinct_and_complete():
    assert set(plots.LOOKS) == set(Category)
    assert len({(look.color, look.hatch) for look in plots.LOOKS.values()}) == len(Category)
    assert len({look.label for look in plots.LOOKS.values()}) == len(Category)


def test_jobs_that_never_finish_keep_the_curve_below_the_whole():
    figure = plots.makespan_figure([10.0, 20.0, 30.0], 20.0, {"p50": 20.0}, stranded=1)
    curve = figure.axes[0].lines[0]
    assert max(curve.get_ydata()) == 75
    assert figure.axes[0].lines[1].get_ydata()[0] == 37.5  # half of those that finish
    assert figure.get_suptitle() == "Half of the jobs that finish are done after 20 s"
    assert "1 never finish" in figure.axes[0].get_title("left")


@pytest.mark.parametrize("makespans", [[], [3600.0], [5.0, 5.0]])
def test_few_makespans_can_be_drawn(makespans, tmp_path):
    figure = plots.makespan_figure(makespans, None, {"p50": float("inf")})
    plots.save(figure, tmp_path / "makespan.png", "footer")


def test_the_best_cell_has_the_frame():
    frame = swept()
    frame.loc[2, "useful_fraction"] = 0.99  # 60 min, 3 h
    figure = plots.sweep_figure(frame, ["job.interval_s", "slots.limit_s"])
    (rectangle,) = figure.axes[0].patches
    assert rectangle.get_xy() == (0.5, -0.5)
    assert "job.interval = 1 h, slots.limit = 3 h: 99.0 %" in figure.get_suptitle()
    assert len(figure.axes[0].texts) == 6


def test_of_times_the_shortest_is_best_and_what_is_missing_is_never():
    frame = swept("makespan_s")
    frame.loc[0, "makespan_s"] = float("nan")
    figure = plots.sweep_figure(frame, ["job.interval_s", "slots.limit_s"], "makespan_s")
    assert "job.interval = 30 min, slots.limit = 6 h" in figure.get_suptitle()
    assert "never" in [text.get_text() for text in figure.axes[0].texts]


def test_words_and_counts_have_places_too(tmp_path):
    laws = ["12h", "weibull(shape=0.7, mean=12h)", "none"]
    cells = [(law, float(n)) for law in laws for n in (1, 10, 100)]
    frame = pd.DataFrame(cells, columns=["slots.evictions", "slots.count"])
    frame["useful_fraction"] = np.linspace(0.5, 0.8, len(frame))
    one = plots.sweep_figure(frame[frame["slots.count"] == 1], ["slots.evictions"])
    two = plots.sweep_figure(frame, ["slots.count", "slots.evictions"])
    for figure in (one, two, plots.sweep_figure(frame.iloc[3:6], ["slots.count"])):
        plots.save(figure, tmp_path / "sweep.png", "footer")
    assert one.axes[0].get_xticklabels()[0].get_text() == "12h"
    assert two.axes[0].get_xlabel() == "slots.count (number)"
    assert "slots.count = 100, slots.evictions = none" in two.get_suptitle()


def test_a_sweep_in_which_nothing_finishes_can_be_drawn(tmp_path):
    frame = swept("makespan_s").assign(makespan_s=float("nan"))
    figure = plots.sweep_figure(frame, ["job.interval_s", "slots.limit_s"], "makespan_s")
    plots.save(figure, tmp_path / "sweep.png", "footer")
    assert [text.get_text() for text in figure.axes[0].texts] == ["never"] * 6


def test_a_wide_sweep_of_one_key_is_logarithmic():
    frame = pd.DataFrame(
        {"job.interval_s": [60.0, 600.0, 6000.0], "useful_fraction": [0.1, 0.9, 0.5]}
    )
    axes = plots.sweep_figure(frame, ["job.interval_s"]).axes[0]
    assert axes.get_xscale() == "log"
    assert [text.get_text() for text in axes.get_xticklabels()][:2] == ["1 min", "2 min"]


def test_survival_starts_at_one_and_censored_times_lie_on_it():
    axes = drawn("survival").axes[0]
    estimate = next(line for line in axes.lines if line.get_label() == "Kaplan-Meier")
    assert estimate.get_data()[1].tolist() == [100, 80, 50, 20]
    rug = next(line for line in axes.lines if line.get_label().startswith("cut short"))
    assert rug.get_data()[0].tolist() == [5000]
    assert list(rug.get_data()[1]) == [80]
    assert "within 2 h" in drawn("survival").get_suptitle()


@pytest.mark.parametrize("span", [0.5, 60, 4000, 86400, 1e7, 1e9])
def test_time_axes_have_few_round_ticks(span):
    figure = plots.makespan_figure([span / 2, span], None, {})
    axes = figure.axes[0]
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert 2 <= len(ticks) <= 12


def test_a_long_command_stays_within_the_footer():
    figure = drawn("makespan")
    command = "ckptsim simulate --limit 6h --evictions 12h --write 4min --interval 60min " * 4
    boxes = []

    def measure(_):
        boxes.extend(text.get_window_extent() for text in figure.texts)

    figure.canvas.mpl_connect("draw_event", measure)
    assert plots.rendered(figure, command).startswith(b"\x89PNG")
    assert boxes
    assert max(box.x1 for box in boxes) < 1200
    assert [text.get_text() for text in figure.texts] == [figure.get_suptitle()]  # and is off again


# --- pools ----------------------------------------------------------------------------------------


def test_segments_add_up_on_slots_of_any_speed_behind_a_link():
    rows, outcome = traced(LINKED, 60 * MINUTE)
    books = ledger.opened()
    for segment in plots.segments(rows):
        books[segment.category] += segment.end - segment.start
    assert books == outcome.ledger
    assert books[Category.TRANSFER_WAIT] > 0


def test_of_many_slots_the_first_are_drawn_and_the_picture_says_so():
    sizes = {"slots.count": "60", "job.count": "60", "job.work": "3h"}
    rows, _ = traced(POOL | sizes, 60 * MINUTE)
    figure = plots.gantt_figure(rows, 60)
    assert figure.axes[0].get_title("left") == "the first 50 of 60 slots; white: no job on the slot"
    assert figure.axes[0].get_ylim()[0] < 50


def test_the_course_has_a_panel_for_each_thing_that_is_waited_for():
    units = [axes.get_ylabel() for axes in drawn("course").axes]
    assert units == ["Jobs (number)", "Slots (number)", "Transfers (number)", "Link (%)"]
    assert "seed 1" in drawn("course").axes[0].get_title("left")
    shaded = legend(drawn("course without a link"))
    assert "warm-up, left out" in shaded
    assert "link in use" not in shaded


def test_saturated_points_are_marked_on_the_map_and_on_the_line():
    frame = swept()
    assert "link saturated" not in legend(plots.sweep_figure(frame, [*frame.columns[:2]]))
    frame["link_saturated"] = [True, None, False, False, False, False]
    assert "link saturated" in legend(plots.sweep_figure(frame, [*frame.columns[:2]]))
    line = frame.query("`slots.limit_s` == 10800")
    assert "link saturated" in legend(plots.sweep_figure(line, ["job.interval_s"]))


def legend(figure):
    """What the legends below a picture say."""
    return {text.get_text() for each in figure.legends for text in each.get_texts()}
