"""What is to be seen in a step: pictures, and what a lease is worth on average."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ckptsim.estimate import Estimate
from ckptsim.exact import Solver, Value
from ckptsim.experiment import replicate_leases
from ckptsim.lesson.chart import Chart
from ckptsim.lesson.setting import SEED
from ckptsim.lesson.step import Picture, Step, Table
from ckptsim.lesson.watched import Watched
from ckptsim.lesson.words import Words
from ckptsim.scenario import Scenario
from ckptsim.search import Search
from ckptsim.summary import Summary
from ckptsim.sums import CELLS
from ckptsim.unequal import PlanValue, best_plan
from ckptsim.units import MINUTE, seconds
from ckptsim.world import world_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEASES = 5_000  # simulated for a mean

ONE_LEASE = {
    "interval_s": "interval",
    "checkpoints": "checkpoints",
    "committed_s": "committed",
    "checkpoint_time_s": "in checkpoints",
    "tail_s": "tail",
}
EXPECTED = {
    "interval_s": "interval",
    "checkpoints_fitting": "fit the limit",
    "work_per_lease_s": "expected",
    "simulated_work_s": "simulated",
    "simulated_work_ci99_s": "",
    "useful_fraction": "useful",
}
CERTAIN = "Minutes; simulated with SimPy. Nothing in it is random."
COMPUTED = "Minutes. Computed, not sampled."
SIMULATED = (
    f"Simulated: {LEASES:,} leases for each interval, SimPy, seed {SEED}; ± is the 99 % interval."
)
MEANS = f"Minutes. Expected: computed, exactly. {SIMULATED}"
UP = "Committed in a lease (min)"


def step_of(
    words: Words,
    said: Mapping[str, object],
    tables: Sequence[Table],
    picture: Picture,
    asked: Scenario,
    **more: Any,
) -> Step:
    """The words with what was computed in their places, and what is to be seen."""
    question, explanation, exercise, answer, *commands = (
        text.format(**said)
        for text in (
            *(words.question, words.explanation),
            *(words.exercise, words.answer),
            *words.commands,
        )
    )
    return Step(
        *(words.title, question, explanation),
        *(tuple(tables), picture, tuple(commands)),
        *(exercise, answer, asked),
        **more,
    )


def leases_picture(name: str, caption: str, leases: Mapping[int, Watched]) -> Picture:
    def draw() -> "Figure":
        from ckptsim.plots import lesson_figure

        return lesson_figure({interval: lease.rows for interval, lease in leases.items()})

    return Picture(name, caption, draw)


def chart_picture(caption: str, chart: Chart) -> Picture:
    def draw() -> "Figure":
        from ckptsim.lesson.pictures import chart_figure

        return chart_figure(chart)

    return Picture(chart.name, caption, draw)


def along(low: int, high: int, step: int, given: Scenario) -> list[int]:
    """Intervals to draw a curve through: even steps, and both sides of each cliff."""
    edges = [edge for edge in Search(given).edges if low < edge < high]
    return sorted({*range(low, high + 1, step), *edges, *(edge + 1 for edge in edges)})


def committed(given: Scenario, intervals: Sequence[int]) -> list[float]:
    """Minutes committed in a lease on average, for each interval."""
    return [value.work_s / 60 for value in Solver(given).values(list(intervals))]


def expected(given: Scenario, interval: int) -> dict[str, Any]:
    """What a lease commits on average, computed and simulated; seconds."""
    value, seen = Solver(given).value(interval), simulated(given, interval)
    return {
        "interval_s": seconds(interval),
        "checkpoints_fitting": value.fitting,
        "checkpoints_mean": value.checkpoints,
        "work_per_lease_s": value.work_s,
        "work_per_lease_error_s": error_s(given, value),
        "simulated_work_s": seen.mean,
        "simulated_work_ci99_s": seen.interval,
        "useful_fraction": value.useful_fraction,
    }


def error_s(given: Scenario, value: Value) -> float:
    """How far the computed work may be off: what a lattice twice as fine makes of random costs."""
    return abs(Solver(given, 2 * CELLS).value(value.interval).work_s - value.work_s)


def simulated(given: Scenario, interval: int) -> Estimate:
    """Mean seconds committed in a lease; the slots' fates are the same for every interval."""
    results = replicate_leases(world_of(given, interval), LEASES)
    if results.interrupted:  # half a lesson is none
        raise KeyboardInterrupt
    return Summary(results, endless=True).lease_work


def to_a_tenth(interval: int) -> int:
    """To a tenth of a minute: finer an interval is not told here."""
    return round(interval / (MINUTE // 10)) * (MINUTE // 10)


def work(row: Mapping[str, Any]) -> float:
    return float(row["work_per_lease_s"])


def unequal_plan(search: Search) -> PlanValue:
    found = best_plan(search.solver, search.best)
    assert found is not None  # costs are constant
    return found
