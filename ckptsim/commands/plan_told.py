"""What `ckptsim plan` says: the answer, the ground around it, what would change it, how sure."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ckptsim.commands.plan_answer import Answer
from ckptsim.commands.plan_evidence import drawn_again, from_the_logs, too_little
from ckptsim.commands.plan_modes import MODES_TITLE, confirmed_told, mode_notes, mode_rows
from ckptsim.doubt import Change
from ckptsim.exact import Value
from ckptsim.objective import Objective
from ckptsim.plan import Advice
from ckptsim.report import Report
from ckptsim.rules import Mode
from ckptsim.scenario import describe
from ckptsim.search import Cliff, Range, worth
from ckptsim.terminal import percent, strong, table
from ckptsim.units import SECOND, nanoseconds, seconds, show
from ckptsim.ways import too_long

if TYPE_CHECKING:
    import pandas as pd

RANGES_SHOWN = 5
INTERVALS_LISTED = 2
SHOWN = 0.0005  # of useful fraction: what is less does not show
LOOKED_AT = "If one thing is different and all else as it was:"
SOLVED = "Every value is computed, without sampling; the simulation is there to confirm it."
APPLYING = (
    (
        "`ckptsim wrap`, with the flags or the scenario of this plan and with what the program's "
        "checkpoint is, as in `ckptsim wrap … --checkpoint 'state*' -- ./my_program`, writes an "
        "HTCondor submit file and a wrapper in plain Python that carries the answer, and those for "
        "other costs."
    ),
    "`ckptsim plan … --apply job.sub` puts the answer into a submit file that you have.",
)
SLACK_NONE = SECOND // 10
EVERY = dict.fromkeys(Mode, "Checkpoint every {} of computing.") | {
    Mode.PERIODIC_SIGNAL: "Send the signal to checkpoint every {}.",
    Mode.EARLY_EXIT: "Checkpoint, end and be queued anew every {} of computing.",
    Mode.DELAYED: "Checkpoint every {} of computing, for a transfer when the slot is lost.",
}


def told(answer: Answer) -> Iterator[Any]:
    """What is printed, in the order in which one would explain it."""
    advice = answer.advice
    yield from map(strong, doubtful(answer))
    yield strong(headline(advice))
    yield from aimed(advice)
    yield price(advice)
    yield from at_the_edge(advice)
    yield ""
    yield table(value_rows(advice))
    yield ""
    yield from ground(advice)
    yield from whole_job(advice)
    yield ""
    yield table(way_rows(advice), "Other ways to do it, and what formulas say" + scored(advice))
    yield ""
    yield table(mode_rows(advice.ways, advice.best), MODES_TITLE + scored(advice))
    yield from mode_notes(advice.ways, advice.best)
    yield ""
    yield table(change_rows(advice), "If things are different" + scored(advice))
    yield from sureness(answer)


def headline(advice: Advice) -> str:
    """The answer."""
    work = advice.scenario.job.work
    if advice.objective.of_whole_job and work is not None and advice.best.interval >= work:
        return f"Write no checkpoint: a job of {show(work)} had better start over."
    if not advice.scenario.job.steps:
        return EVERY[advice.scenario.job.mode].format(show(advice.best.interval))
    after = ", ".join(map(str, advice.steps_to_checkpoint_after))
    return (
        f"Checkpoint at the end of each step with which {show(advice.best.interval)} of computing "
        f"are over: after the steps {after}."
    )


def aimed(advice: Advice) -> Iterator[str]:
    """What was asked to be best, if that is not slot time well used."""
    aim = advice.objective
    if aim != Objective():
        reached = aim.shown(advice.search.goodness(advice.best), advice.scenario.job.work)
        yield f"That is best for {aim.told()}: {reached}."


def price(advice: Advice) -> str:
    """The answer's price, against the present interval's."""
    wasted = f"{percent(1 - worth(advice.best))} of {whole(advice)} is wasted"
    if gap := advice.best.gap_s:
        wasted += f" ({percent(gap / (advice.best.lease_s + gap))} is waiting between slots)"
    if advice.present is None:
        return f"{wasted}."
    present, given = show(advice.present.interval), advice.scenario.job.interval
    if given != advice.present.interval:
        present += " (in whole steps)"
    return f"{wasted}, against {percent(1 - worth(advice.present))} with your present {present}."


def at_the_edge(advice: Advice) -> Iterator[str]:
    """A warning where any longer cost would throw the answer off."""
    safe = advice.robust.expected
    least = min((slack.extra for slack in advice.slacks), default=SLACK_NONE)
    if least < SLACK_NONE and safe.value.interval != advice.best.interval:
        yield (
            "It stands at the very edge of a cliff: unless your costs are known to the second, "
            f"take the robust {show(safe.value.interval)}, useful {percent(worth(safe.value))}."
        )


def whole(advice: Advice) -> str:
    return "slot time and gaps" if advice.best.gap_s else "slot time"


def value_rows(advice: Advice) -> list[list[str]]:
    """What is as good as the best, the best, the robust, the present one and those asked for."""
    hedge = advice.robust.expected.value
    named = [("best", advice.best), ("robust", hedge)]
    named += [("present", advice.present)] if advice.present else []
    named += [("asked for", value) for value in advice.asked]
    head = ["", "interval", "fit a lease", "committed a lease", "useful", "makespan alone"]
    rows = [value_row(name, value, advice.makespan(value)) for name, value in named]
    if advice.free:
        rows.append(value_row("at any moment", *advice.free))
    first = [within_told(advice), ranged(*nearest(advice)[0]), *[""] * 4]
    alone = advice.scenario.job.work is not None
    return [row if alone else row[:-1] for row in [head, first, *rows]]


def within_told(advice: Advice) -> str:
    return f"within {100 * advice.margin:g} %"


def value_row(name: str, value: Value, makespan: float | None) -> list[str]:
    return [
        name,
        show(value.interval),
        "–" if value.fitting is None else str(value.fitting),
        show(nanoseconds(value.work_s)),
        percent(worth(value)),
        "" if makespan is None else shown_makespan(makespan),
    ]


def shown_makespan(makespan: float) -> str:
    return "never finishes" if math.isinf(makespan) else show(nanoseconds(makespan))


def scored(advice: Advice) -> str:
    """What tables are about if that is not what was asked to be best."""
    return "" if advice.objective == Objective() else " (all by useful slot time)"


def way_rows(advice: Advice) -> list[list[str]]:
    """What else could be done, and what the formulas would do, against the best fixed interval."""
    rows = [way_row(*way, advice) for way in ways(advice)]
    rows += [
        way_row(formula.name, show(formula.value.interval), worth(formula.value), advice)
        for formula in advice.formulas
    ]
    return [["", "interval", "useful", "gain (points)"], *rows]


def ways(advice: Advice) -> Iterator[tuple[str, str, float]]:
    """Unequal intervals, deciding again after each checkpoint, leaving early."""
    if advice.plan:
        found = listed(advice.plan.intervals)
        yield "unequal intervals", found, advice.plan.useful_fraction_with_gap
    elif advice.policy:
        rows = f"by lease age, {len(advice.policy.rows)} rows"
        yield "clock-aware", rows, advice.policy.useful_fraction_with_gap
    if advice.leaving:
        yield "leaving early", show(advice.leaving.best.interval), worth(advice.leaving.best)
        if plan := advice.leaving.plan:
            yield "leaving early, unequal", listed(plan.intervals), plan.useful_fraction_with_gap


def listed(intervals: tuple[int, ...]) -> str:
    """The first intervals of a plan, and how many more there are."""
    shown = ", ".join(show(interval) for interval in intervals[:INTERVALS_LISTED])
    more = len(intervals) - INTERVALS_LISTED
    return f"{shown} + {more} more" if more > 0 else shown


def way_row(name: str, interval: str, useful: float, advice: Advice) -> list[str]:
    against = useful - worth(advice.best)
    return [name, interval, percent(useful), points(against)]


def points(share: float) -> str:
    """A difference of shares of slot time, in percentage points."""
    rounded = round(100 * share, 1)
    return f"{rounded:+.1f}".replace("-", "−") if rounded else "0.0"


def ground(advice: Advice) -> Iterator[str]:
    """How flat or steep it is around the answer."""
    if len(advice.flat) > 1:
        yield f"As good as the best to {100 * advice.margin:g} %: {ranges_told(advice)}."
    if advice.cliff_above:
        yield "Cliff above: " + cliff_told(advice.cliff_above, advice)
    if advice.cliff_below:
        yield "Cliff below: " + cliff_told(advice.cliff_below, advice)
    if not advice.search.edges and not advice.scenario.job.steps:
        yield "No cliffs: nothing in a lease happens at a fixed time."
    yield from slack_told(advice)
    yield robust_told(advice)
    yield from grace_told(advice)


def grace_told(advice: Advice) -> Iterator[str]:
    """Where all hangs on a transfer that fits the grace, how near it is to not fitting."""
    scenario = advice.scenario
    if scenario.job.mode != Mode.DELAYED:
        return
    if note := too_long(scenario):
        yield f"All hangs on the grace: {note}."
    elif (spare := scenario.slots.grace - nanoseconds(scenario.job.transfer.highest)) >= 0:
        yield (
            f"All hangs on the grace of {show(scenario.slots.grace)}: a transfer that takes over "
            f"{show(spare)} longer than said, or a power failure, loses all of a lease."
        )


def slack_told(advice: Advice) -> Iterator[str]:
    """How much longer the costs may be before one checkpoint fewer fits."""
    least = min(advice.slacks, key=lambda slack: slack.extra, default=None)
    if least is None:
        return
    after = f"useful {percent(worth(advice.best))} → {percent(worth(least.beyond))}"
    if least.extra < SLACK_NONE:
        *others, last = (slack.cost.replace("_", " ") for slack in advice.slacks)
        costs = f"{', '.join(others)} or {last}" if others else last
        yield f"Slack: none. Any longer {costs} costs a checkpoint: {after}."
        return
    extra = ", ".join(f"{slack.cost} {show(slack.extra)}" for slack in advice.slacks)
    yield f"Slack before one checkpoint fewer fits, each time: {extra}; then {after}."


def robust_told(advice: Advice) -> str:
    """What the robust interval costs if all is as said, and saves if not."""
    robust = advice.robust
    kept, best, worst = robust.answer, robust.expected, robust.worst
    band = f"If costs and losses are anywhere within {100 * robust.band:g} % of what you said"
    if best.expected - kept.expected < SHOWN:
        return f"{band}, the answer stays the best: useful {percent(kept.expected)} on average."
    return (
        f"{band}, {show(best.value.interval)} is best on average: useful {percent(best.expected)} "
        f"instead of {percent(kept.expected)}, at worst {percent(best.worst)} instead of "
        f"{percent(kept.worst)}; the best at worst is {show(worst.value.interval)} "
        f"({percent(worst.worst)})."
    )


def whole_job(advice: Advice) -> Iterator[str]:
    """How long one job takes, and where no checkpoint at all would be better."""
    work, law = advice.scenario.job.work, advice.makespans
    mean = advice.makespan(advice.best)
    if work is None or mean is None or math.isinf(mean):
        return
    told = f"One job of {show(work)}, alone: {show(nanoseconds(mean))}"
    whole = advice.whole(advice.best)
    certain = whole is not None and whole.is_certain
    told += ", always" if certain else " on average"
    if law and not certain:
        some, most = (show(nanoseconds(law.quantile(share))) for share in (0.5, 0.9))
        told += f", half of such jobs within {some}, 90 % within {most}"
    yield told + "."
    none = advice.makespan(advice.search.solver.value(work))
    if none is not None and none < mean:
        yield (
            f"So short a job had better write no checkpoint at all: it then takes "
            f"{shown_makespan(none)} instead of {shown_makespan(mean)}."
        )


def nearest(advice: Advice) -> list[Range]:
    """The flat ranges, those nearest to the answer first."""
    best = advice.best.interval
    return sorted(advice.flat, key=lambda flat: max(flat.low - best, best - flat.high))


def ranges_told(advice: Advice) -> str:
    """The flat ranges; of many, those nearest to the answer."""
    told = ", ".join(ranged(*flat) for flat in sorted(nearest(advice)[:RANGES_SHOWN]))
    others = len(advice.flat) - RANGES_SHOWN
    return f"{told}, and {others} more (see --json)" if others > 0 else told


def ranged(low: int, high: int) -> str:
    return show(low) if show(low) == show(high) else f"{show(low)} – {show(high)}"


def cliff_told(cliff: Cliff, advice: Advice) -> str:
    away = abs(cliff.at.interval - advice.best.interval)
    where = "the answer stands at its edge" if away == 0 else f"{show(away)} away"
    fewer = ""
    if cliff.at.fitting != cliff.beyond.fitting:
        fewer = f"{cliff.at.fitting} → {cliff.beyond.fitting} checkpoints fit a lease, "
    useful = f"useful {percent(worth(cliff.at))} → {percent(worth(cliff.beyond))}."
    if not advice.search.solver.constant:
        low, high = show(cliff.at.interval), show(cliff.beyond.interval)
        return f"a slope from {low} to {high}, {fewer}{useful}"
    return f"beyond {show(cliff.at.interval)} ({where}) {fewer}{useful}"


def change_rows(advice: Advice) -> list[list[str]]:
    """What the answer would be in other scenarios, and what keeping it would cost there."""
    changes = list(advice.changes)
    if leaving := advice.leaving:
        changes.append(Change("the job leaves early", leaving.best, leaving.kept))
    head = ["if", "best would be", "useful", "keeping the answer costs"]
    return [head] + [
        [
            change.label,
            show(change.best.interval),
            percent(worth(change.best)),
            f"{100 * abs(change.regret):.1f} points",
        ]
        for change in changes
    ]


def doubtful(answer: Answer) -> Iterator[str]:
    """That the logs tell too little, where they do."""
    return too_little(answer.evidence, answer.scenario, answer.advice.spread)


def sureness(answer: Answer) -> Iterator[str]:
    """How sure the answer is: of the data, of the sampling, of the solver."""
    confirmed, best = answer.confirmed, answer.advice.best
    if answer.evidence:
        yield from from_the_logs(answer.evidence, answer.scenario)
    if answer.advice.spread:
        yield drawn_again(answer.advice.spread)
    if not answer.advice.search.solver.constant:
        yield (
            "Random costs were added up on a lattice; on one twice as fine the useful share moves "
            f"by {percent(answer.advice.error, 4)}."
        )
    if confirmed:
        yield confirmed_told(confirmed, answer.leases, answer.scenario.seed, worth(best))


def report_on(answer: Answer, folder: Path) -> Report:
    """A page with the answer, the curve it was found on, and what would change it."""
    from ckptsim import plots

    advice, scenario = answer.advice, answer.scenario
    report = Report(folder, "plan", f"{scenario.name}: how often to checkpoint", scenario.seed)
    said = (*doubtful(answer), *aimed(advice), price(advice), *at_the_edge(advice))
    report.answer(headline(advice), *said)
    report.picture("curve", plots.plan_figure(advice), "Useful fraction over the interval")
    report.data("curve", curve_frame(advice))
    report.table(value_rows(advice))
    report.say("## Evidence", *founded(answer), *sureness(answer))
    report.say("## What would change it", LOOKED_AT)
    report.table(change_rows(advice))
    report.say("## How flat or steep it is", *ground(advice), *whole_job(advice))
    whole = advice.whole(advice.best)
    if advice.makespans and whole and not whole.is_certain:
        report.picture("makespan", plots.makespan_law_figure(advice), "How long one job takes")
    report.say("## Other ways to do it, and what formulas say")
    report.table(way_rows(advice))
    report.say("## Other ways to checkpoint")
    report.table(mode_rows(advice.ways, advice.best))
    report.say(*mode_notes(advice.ways, advice.best))
    if advice.policy:
        report.picture("lease", plots.lease_figure(advice), "A lease, and what is done in it")
    report.say("## Where the slot time goes")
    report.picture("badput", plots.badput_figure(advice), "Slot time by cause over the interval")
    report.data("badput", badput_frame(advice))
    report.say("## Time wasted against what is moved")
    report.picture("trade-off", plots.trade_off_figure(advice), "Time wasted against bytes moved")
    if advice.policy and advice.scenario.job.mode == Mode.EXIT_CODE:
        report.say("## To apply it", *APPLYING)
    report.computed(SOLVED, scenario=describe(scenario))
    return report


def founded(answer: Answer) -> Iterator[str]:
    """Where times and laws are from, if not from logs."""
    if not answer.evidence:
        yield "No log was given: costs, limit and losses are those of the scenario."


def badput_frame(advice: Advice) -> "pd.DataFrame":
    """Where the slot time of a lease goes, for every interval looked at; seconds."""
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "interval_s": seconds(account.interval),
                **{f"{category.name.lower()}_s": t for category, t in account.spent_s.items()},
                "gap_s": account.gap_s,
                "checkpoints": account.checkpoints,
                "moved_per_committed_hour": account.moved_per_hour,
            }
            for account in advice.accounts
        ]
    )


def curve_frame(advice: Advice) -> "pd.DataFrame":
    """All values found, times in seconds."""
    import pandas as pd

    curve = advice.search.curve
    return pd.DataFrame(
        {
            "interval_s": [seconds(value.interval) for value in curve],
            "checkpoints_fitting": pd.array([value.fitting for value in curve], dtype="Int64"),
            "checkpoints_per_lease": [value.checkpoints for value in curve],
            "work_per_lease_s": [value.work_s for value in curve],
            "useful_fraction": [value.useful_fraction for value in curve],
            "useful_fraction_with_gap": [worth(value) for value in curve],
        }
    )
