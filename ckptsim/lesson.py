"""The 84 minutes: the HTCondor manual's example, in steps that a class can follow.

Each step has a question to predict an answer to, what is then seen, and why. No number is written
down here that could be computed: what a lease does is simulated, what it does on average is solved,
when the step is built. So a step's sentences follow from its own tables.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from ckptsim.drivers.virtual import Row, simulate, simulate_leases
from ckptsim.estimate import Estimate
from ckptsim.exact import Solver
from ckptsim.experiment import replicate_leases
from ckptsim.plan import Search, plan
from ckptsim.rules import Phase
from ckptsim.scenario import Scenario, load
from ckptsim.summary import Summary
from ckptsim.terminal import percent
from ckptsim.units import HOUR, MINUTE, seconds
from ckptsim.world import world_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEED = 1
LEASES = 5_000  # simulated for a mean
NORMAL_99 = 2.576  # standard errors to either side hold 99 %
MANUAL = 60 * MINUTE, 84 * MINUTE  # the intervals that the manual compares
INTERVALS = tuple(each * MINUTE for each in (60, 84, 85, 115, 175, 355))
PRESENT, CAREFUL, EDGE = (each * MINUTE for each in (60, 84, 85))
BEYOND = EDGE + MINUTE // 100  # over the cliff
SLOT = {"pool": "manual", "name": "the manual's slot", "seed": SEED}
COSTS = {"job.write": "4min", "job.transfer": "1min"}
RESTART = {"job.restart_lease": "5min"}
EVICTIONS = {"slots.evictions": "12h"}
JITTER = {"job.write": "uniform(2min, 6min)"}  # with the transfer 3 to 7 min, 5 on average
WORK = {"job.work": "24h"}


@dataclass(frozen=True)
class Table:
    """Rows of named values; `heads` names the columns that are shown. Times end in _s."""

    name: str  # of its file
    title: str
    heads: Mapping[str, str]
    rows: Sequence[Mapping[str, Any]]
    note: str  # how its numbers were found

    def text(self) -> list[list[str]]:
        """The table for people, its times in minutes; the first row is its head."""
        return [list(self.heads.values())] + [
            [cell(key, row[key]) for key in self.heads] for row in self.rows
        ]


@dataclass(frozen=True)
class Picture:
    """A figure that is drawn when it is wanted."""

    name: str
    caption: str
    draw: Callable[[], "Figure"]


@dataclass(frozen=True)
class Step:
    """One step of a lesson: predict, see, explain."""

    title: str
    question: str
    explanation: str
    table: Table
    timelines: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()


def cell(key: str, value: object) -> str:
    """One value for people: times in minutes, an interval of confidence by its half-width."""
    match value:
        case None:
            return "never"
        case str():
            return value
        case (float(low), float(high)):
            return "exact" if low == high else f"± {(high - low) / 120:.2f}"
        case float() if key.endswith("_fraction"):
            return percent(value)
        case int() | float() if key.endswith("_s"):
            return in_minutes(value)
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def in_minutes(length_s: float) -> str:
    """Minutes: of whole seconds `84` or `83.75`, of a mean always two digits, `251.18`."""
    return f"{length_s / 60:.6g}" if isinstance(length_s, int) else f"{length_s / 60:.2f}"


def minutes(ns: int) -> str:
    return in_minutes(seconds(ns))


def listed(intervals: Sequence[int]) -> str:
    """`85, 115 and 175`, in minutes."""
    *first, last = [minutes(interval) for interval in intervals]
    return f"{', '.join(first)} and {last}" if first else last


def scenario(*changes: Mapping[str, object]) -> Scenario:
    """The manual's slot and checkpoint, with changes."""
    keys: dict[str, object] = {**SLOT, **COSTS}
    for change in changes:
        keys |= change
    return load(None, keys)


# --- one lease, watched ---------------------------------------------------------------------------

CELL = 5 * MINUTE  # no longer than a checkpoint, so that none falls between two cells
CELLS_AN_HOUR = HOUR // CELL
LABEL = 7
RESTARTING, COMMITTED, CHECKPOINT, TAIL = "R=Cx"
SIGNS = {
    RESTARTING: "restart",
    COMMITTED: "computing, committed",
    CHECKPOINT: "checkpoint",
    TAIL: "tail, not committed",
}


@dataclass(frozen=True)
class Watched:
    """One simulated lease of a job without end, event by event; times in nanoseconds."""

    interval: int
    rows: tuple[Row, ...]

    @property
    def length(self) -> int:
        return self.rows[-1].time - self.rows[0].time

    @property
    def committed(self) -> int:
        return self.rows[-1].saved - self.rows[0].saved

    @property
    def begun(self) -> int:
        """When it first computes."""
        return next(row.time for row in self.rows if row.phase is Phase.COMPUTING)

    @cached_property
    def commits(self) -> list[int]:
        return [after.time for before, after in pairwise(self.rows) if after.saved > before.saved]

    @property
    def tail_begins(self) -> int:
        return max([self.begun, *self.commits])

    @property
    def tail(self) -> int:
        """All that comes after the last commit, a checkpoint that was cut off included."""
        return self.rows[-1].time - self.tail_begins

    def row(self) -> dict[str, Any]:
        """What is told of it; times in seconds."""
        return {
            "interval_s": seconds(self.interval),
            "checkpoints": len(self.commits),
            "committed_s": seconds(self.committed),
            "checkpoint_time_s": seconds(self.tail_begins - self.begun - self.committed),
            "tail_s": seconds(self.tail),
            "not_committed_s": seconds(self.length - self.committed),
            "restart_s": seconds(self.begun - self.rows[0].time),
        }

    def timeline(self) -> str:
        """The lease as a line of text, a sign for every five minutes."""
        middles = range(self.rows[0].time + CELL // 2, self.rows[-1].time, CELL)
        signs = "".join(self.sign(middle) for middle in middles)
        return f"{minutes(self.interval):>{LABEL - 1}} {signs}"

    def sign(self, at: int) -> str:
        """What the job does at an instant."""
        if at >= self.tail_begins:
            return TAIL
        phase = next(row.phase for row in reversed(self.rows) if row.time <= at)
        signs = {Phase.RESTARTING: RESTARTING, Phase.COMPUTING: COMMITTED}
        return signs.get(phase, CHECKPOINT)


def watched(given: Scenario, intervals: Sequence[int]) -> dict[int, Watched]:
    """One lease with each interval."""
    found = {}
    for interval in intervals:
        rows: list[Row] = []
        simulate_leases(world_of(given, interval), 0, 1, rows.append)
        found[interval] = Watched(interval, tuple(rows))
    return found


def drawn(leases: Mapping[int, Watched]) -> tuple[str, ...]:
    """The leases one below the other, with an axis and a legend; 80 columns."""
    hours = max(lease.length for lease in leases.values()) // HOUR
    axis = "".join(f"{hour:<{CELLS_AN_HOUR}}" for hour in range(hours)) + str(hours)
    lines = [lease.timeline() for lease in leases.values()]
    legend = "   ".join(f"{sign} {told}" for sign, told in SIGNS.items() if sign in "".join(lines))
    return (f"{'hours':>{LABEL - 1}} {axis}", *lines, " " * LABEL + legend)


def leases_picture(name: str, caption: str, leases: Mapping[int, Watched]) -> Picture:
    def draw() -> "Figure":
        from ckptsim.plots import lesson_figure

        return lesson_figure({interval: lease.rows for interval, lease in leases.items()})

    return Picture(name, caption, draw)


def plan_picture(name: str, caption: str, given: Scenario, asked: Sequence[int]) -> Picture:
    def draw() -> "Figure":
        from ckptsim.plots import plan_figure

        return plan_figure(plan(given, asked))

    return Picture(name, caption, draw)


# --- many leases: what is expected ----------------------------------------------------------------


def expected(given: Scenario, interval: int) -> dict[str, Any]:
    """What a lease commits on average, computed and simulated; seconds."""
    value, seen = Solver(given).value(interval), simulated(given, interval)
    error = NORMAL_99 * value.work_se_s
    return {
        "interval_s": seconds(interval),
        "checkpoints_fitting": value.fitting,
        "checkpoints_mean": value.checkpoints,
        "work_per_lease_s": value.work_s,
        "work_per_lease_ci99_s": (value.work_s - error, value.work_s + error),
        "simulated_work_s": seen.mean,
        "simulated_work_ci99_s": seen.interval,
        "useful_fraction": value.useful_fraction,
    }


def simulated(given: Scenario, interval: int) -> Estimate:
    """Mean seconds committed in a lease; the slots' fates are the same for every interval."""
    results = replicate_leases(world_of(given, interval), LEASES)
    if results.interrupted:  # half a lesson is none
        raise KeyboardInterrupt
    return Summary(results, endless=True).lease_work


# --- what is said ---------------------------------------------------------------------------------


class Words(NamedTuple):
    """The prose of a step; what is in braces is computed."""

    title: str
    question: str
    explanation: str


CLAIM = Words(
    "The manual's claim",
    "A slot is yours for 6 h, and a checkpoint takes 5 min. If the job checkpoints after every "
    "{often} min of computing, how many minutes at the end are wasted? And after every {seldom}?",
    "At {often} min the last {often_tail} min of the slot are wasted, at {seldom} min only "
    "{seldom_tail}: the two numbers in HTCondor's manual. This tail comes after the last "
    "checkpoint that was transferred; what is computed in it is lost when the slot ends. The "
    "manual does not say how long the slot is; a limit of {limit} min gives its numbers.",
)
SCORE = Words(
    "The tail is the wrong score",
    "Intervals of {perfect} min leave no tail at all. Are they equally good?",
    "They are not: {least} min commit {least_work} min of the lease, {most} min commit "
    "{most_work}. Checkpoints take time too, so the right score is all that is not committed: the "
    "checkpoints and the tail. By that score {most} min is the best of these. Would you use it?",
)
RESTARTED = Words(
    "Five minutes to restart",
    "Now the job takes 5 min to load its checkpoint at the start of each lease. An interval of "
    "{seldom} min left {slack} min over. What becomes of it, and of {longest} min?",
    "With {seldom} min, {fit} checkpoints fit a lease instead of {fitted}: {work} min are "
    "committed, not {worked}, and the tail, with the checkpoint that the limit cuts off, is {tail} "
    "min. With {stuck} min a job of 24 h never finishes: once it has a checkpoint to restart from, "
    "no lease is long enough to commit another. The longest interval of which {fitted} fit is now "
    "{kept} min. An interval chosen to leave no tail has no room for a cost that was forgotten.",
)
EVICTED = Words(
    "Evictions, and a cliff",
    "Slots are now also taken back at random, 12 h apart on average (and the restart takes no time "
    "again). Is {longest} min still the best? And what does {beyond} min commit, against {edge}?",
    "Of the six, {best} min is now the best and {worst} min the worst: an eviction takes all since "
    "the last checkpoint, and the longer the interval, the more that is. {beyond} min commits "
    "{drop} less than {edge}, because {fit} checkpoints fit the limit instead of {fitted}. That "
    "is a cliff, and a search that feels its way along the slope never sees it coming. Of all "
    "intervals {top} min is the best, {useful} of slot time useful; it stands at the very edge.",
)
SHAKEN = Words(
    "Jitter decides between 84 and 85",
    "Checkpoints do not all take 5 min. Let them take 3 to 7 min at random, still 5 on "
    "average. Would you now choose {careful} min or {edge}?",
    "What a lease commits falls from {edge_before} to {edge_after} min at {edge}, but only from "
    "{careful_before} to {careful_after} at {careful}: the manual's number has its merits after "
    "all. Four times {edge} min leave {edge_room} min of the lease for four checkpoints, which "
    "take that long on average, and whenever they take longer the fourth is lost; four times "
    "{careful} leave {careful_room}. The best is now near {top} min: below the cliff, not at its "
    "edge. How far below depends on how much your costs vary.",
)
YOUR_OWN = Words(
    "Your own job",
    "What must you know of your job and of your slots to answer the question for yourself?",
    "How long a lease may be, how often slots are lost, and what it costs to write, transfer and "
    "restart; job event logs of earlier runs tell some of it. For this lesson's slots, with "
    "evictions and with 5 min to restart, the first command finds {best} min: {best_work} min "
    "committed a lease, against {now_work} at {now}. It also says how steep the ground is around "
    "the answer, and what would change it.",
)
COMMANDS = (
    (
        "ckptsim plan --limit 6h --evictions 12h --write 4min --transfer 1min "
        "--restart-lease 5min --interval 60min"
    ),
    "ckptsim plan --log 'my-logs/*.log' --write 4min --restart-lease 5min --interval 60min",
    "ckptsim plan --help",
)
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
    "work_per_lease_ci99_s": "",
    "simulated_work_s": "simulated",
    "simulated_work_ci99_s": "",
    "useful_fraction": "useful",
}
CERTAIN = "Minutes; simulated with SimPy. Nothing in it is random."
MEANS = (
    "Minutes. Expected: computed, exactly where nothing but the evictions is random. Simulated: "
    f"{LEASES:,} leases for each interval, SimPy, seed {SEED}. ± is the 99 % interval."
)


# --- the steps ------------------------------------------------------------------------------------


def step(words: Words, said: Mapping[str, object], found: Table, **more: Any) -> Step:
    """The words with what was computed in their places, and what is to be seen."""
    question, explanation = words.question.format(**said), words.explanation.format(**said)
    return Step(words.title, question, explanation, found, **more)


def claim() -> Step:
    """The manual's claim: 60 min waste the last 35, 84 min only 4."""
    leases = watched(scenario(), MANUAL)
    often, seldom = (leases[interval] for interval in MANUAL)
    said = {
        "often": minutes(often.interval),
        "often_tail": minutes(often.tail),
        "seldom": minutes(seldom.interval),
        "seldom_tail": minutes(seldom.tail),
        "limit": minutes(often.length),
    }
    rows = [lease.row() for lease in leases.values()]
    found = Table("claim", "One lease of 6 h", ONE_LEASE, rows, CERTAIN)
    return step(CLAIM, said, found, timelines=drawn(leases))


def score() -> Step:
    """The tail is the wrong score."""
    leases = watched(scenario(), INTERVALS)
    perfect = [lease for lease in leases.values() if lease.tail == 0]
    least, most = (choose(perfect, key=lambda each: each.committed) for choose in (min, max))
    said = {
        "perfect": listed([lease.interval for lease in perfect]),
        "least": minutes(least.interval),
        "least_work": minutes(least.committed),
        "most": minutes(most.interval),
        "most_work": minutes(most.committed),
    }
    heads = {**ONE_LEASE, "not_committed_s": "all not committed"}
    rows = [lease.row() for lease in leases.values()]
    found = Table("score", "One lease of 6 h", heads, rows, CERTAIN)
    picture = leases_picture("score", "One lease for each interval", leases)
    return step(SCORE, said, found, timelines=drawn(leases), pictures=(picture,))


def restart() -> Step:
    """Five minutes to restart: 84 breaks, 355 never finishes."""
    before, after = watched(scenario(), INTERVALS), watched(scenario(RESTART), INTERVALS)
    makespans = {interval: makespan_s(interval) for interval in INTERVALS}
    good, broken = before[MANUAL[1]], after[MANUAL[1]]
    said = {
        "seldom": minutes(good.interval),
        "slack": minutes(good.tail),
        "longest": minutes(INTERVALS[-1]),
        "fit": len(broken.commits),
        "fitted": len(good.commits),
        "work": minutes(broken.committed),
        "worked": minutes(good.committed),
        "tail": minutes(broken.tail),
        "stuck": listed([interval for interval in INTERVALS if makespans[interval] is None]),
        "kept": minutes(longest_of(len(good.commits))),
    }
    heads = {**ONE_LEASE, "makespan_s": "24 h of work take"}
    rows = [{**after[each].row(), "makespan_s": makespans[each]} for each in INTERVALS]
    found = Table("restart", "One lease of 6 h, from a checkpoint", heads, rows, CERTAIN)
    picture = leases_picture("restart", "One lease for each interval, 5 min to restart", after)
    return step(RESTARTED, said, found, timelines=drawn(after), pictures=(picture,))


def makespan_s(interval: int) -> float | None:
    """How long a job of 24 h takes with the restarts; None where it never finishes."""
    outcome = simulate(world_of(scenario(RESTART, WORK), interval), 0)
    return seconds(outcome.makespans[0]) if outcome.makespans else None


def longest_of(checkpoints: int) -> int:
    """The longest interval of which so many fit a lease that begins with a restart."""
    search = Search(scenario(RESTART))
    return max(edge for edge in search.edges if search.value(edge).fitting == checkpoints)


def evictions() -> Step:
    """Evictions every 12 h: 85 is the best, 355 the worst, and there is a cliff."""
    given = scenario(EVICTIONS)
    rows = {each: expected(given, each) for each in sorted([*INTERVALS, BEYOND])}
    best, worst = (choose(INTERVALS, key=lambda each: work(rows[each])) for choose in (max, min))
    over, top = rows[BEYOND], Search(given).best
    said = {
        "longest": minutes(INTERVALS[-1]),
        "beyond": minutes(BEYOND),
        "edge": minutes(EDGE),
        "best": minutes(best),
        "worst": minutes(worst),
        "drop": percent(1 - work(over) / work(rows[EDGE])),
        "fit": over["checkpoints_fitting"],
        "fitted": rows[EDGE]["checkpoints_fitting"],
        "top": minutes(top.interval),
        "useful": percent(top.useful_fraction),
    }
    title = "Committed in a lease on average, evictions 12 h apart"
    found = Table("evictions", title, EXPECTED, list(rows.values()), MEANS)
    picture = plan_picture("evictions", "Useful slot time over the interval", given, MANUAL)
    return step(EVICTED, said, found, pictures=(picture,))


def work(row: Mapping[str, Any]) -> float:
    return float(row["work_per_lease_s"])


def jitter() -> Step:
    """Jitter in the checkpoint cost decides between 84 and 85."""
    steady, shaky = scenario(EVICTIONS), scenario(EVICTIONS, JITTER)
    top = to_a_tenth(Search(shaky).best.interval)
    before = {each: expected(steady, each) for each in (CAREFUL, EDGE)}
    after = {each: expected(shaky, each) for each in (top, CAREFUL, EDGE)}
    said = {
        "top": minutes(top),
        **said_of("careful", CAREFUL, before, after),
        **said_of("edge", EDGE, before, after),
    }
    rows = [{"checkpoint_takes": "5 min", **row} for row in before.values()]
    rows += [{"checkpoint_takes": "3 to 7 min", **row} for row in after.values()]
    heads = {"checkpoint_takes": "a checkpoint takes", **EXPECTED}
    del heads["checkpoints_fitting"]  # the same for all, and the table must fit 80 columns
    title = "Committed in a lease on average, evictions 12 h apart"
    found = Table("jitter", title, heads, rows, MEANS)
    picture = plan_picture("jitter", "The cliff with jitter", shaky, [CAREFUL, EDGE])
    return step(SHAKEN, said, found, pictures=(picture,))


def said_of(
    name: str,
    interval: int,
    before: Mapping[int, Mapping[str, Any]],
    after: Mapping[int, Mapping[str, Any]],
) -> dict[str, str]:
    """What the words say of one interval without and with jitter."""
    limit = scenario().slots.limit
    assert limit is not None
    return {
        name: minutes(interval),
        f"{name}_before": in_minutes(work(before[interval])),
        f"{name}_after": in_minutes(work(after[interval])),
        f"{name}_room": minutes(limit - 4 * interval),
    }


def to_a_tenth(interval: int) -> int:
    """To a tenth of a minute: an optimum over sampled costs is not known better."""
    return round(interval / (MINUTE // 10)) * (MINUTE // 10)


def your_own() -> Step:
    """From the lesson to one's own job."""
    given = scenario(EVICTIONS, RESTART)
    now, best = (expected(given, each) for each in (PRESENT, Search(given).best.interval))
    said = {
        "now": in_minutes(now["interval_s"]),
        "now_work": in_minutes(work(now)),
        "best": in_minutes(best["interval_s"]),
        "best_work": in_minutes(work(best)),
    }
    rows = [{"which": "present", **now}, {"which": "best", **best}]
    heads = {"which": "", **EXPECTED}
    title = "Committed in a lease on average, evictions 12 h apart, 5 min to restart"
    return step(YOUR_OWN, said, Table("your-own", title, heads, rows, MEANS), commands=COMMANDS)


LESSONS: dict[str, tuple[Callable[[], Step], ...]] = {
    "84-minutes": (claim, score, restart, evictions, jitter, your_own)
}


def steps(lesson: str, only: int | None = None) -> Iterator[tuple[int, Step]]:
    """The numbered steps of a lesson, or one of them, each computed when it is asked for."""
    for number, build in enumerate(LESSONS[lesson], 1):
        if only in (None, number):
            yield number, build()
