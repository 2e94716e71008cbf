"""The answer of `ckptsim plan` with its evidence, and as the document that `--json` prints."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ckptsim.account import Account
from ckptsim.bootstrap import Spread
from ckptsim.doubt import Change, Hedge, Slack
from ckptsim.estimate import Estimate, ratio_of
from ckptsim.exact import Value
from ckptsim.experiment import replicate, replicate_leases
from ckptsim.formulas import Formula, classics
from ckptsim.ledger import Category
from ckptsim.objective import Objective
from ckptsim.plan import Advice, Free
from ckptsim.policy import Policy
from ckptsim.rules import NEVER, Row
from ckptsim.running import Means, Progress
from ckptsim.scenario import describe, named
from ckptsim.search import Cliff, worth
from ckptsim.unequal import PlanValue
from ckptsim.units import SECOND, seconds
from ckptsim.variation import with_job, with_slots
from ckptsim.ways import Way
from ckptsim.world import World, world_of

if TYPE_CHECKING:
    from ckptsim.fit import Evidence

CONFIRMING_JOBS = 500  # in steps of their own
CONFIRMING_CHECKPOINTS = 300_000  # and not more of these
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)


class Answer:
    """The advice with its evidence, and the simulation that confirms it."""

    def __init__(self, advice: Advice, evidence: "Evidence | None", leases: int) -> None:
        self.advice, self.evidence, self.leases = advice, evidence, leases
        self.scenario = advice.scenario
        self.confirmed: Estimate | None = None

    def confirm(self, report_progress: Progress | None, means: Means | None = None) -> None:
        """Simulate leases at the best interval, on fates of their own; or whole jobs in steps."""
        if self.leases <= 1:
            return
        world = world_of(self.scenario, self.advice.best.interval)
        if self.scenario.job.steps:  # no lease is like another
            found = confirmed_jobs(world, CONFIRMING_JOBS, report_progress, means)
        else:
            affordable = CONFIRMING_CHECKPOINTS / max(1.0, self.advice.best.checkpoints)
            leases = min(self.leases, max(1, round(affordable)))
            found = confirmed_leases(world, leases, report_progress, means)
        self.confirmed, self.leases = found

    def json(self) -> dict[str, Any]:
        """The document that `--json` prints; times in seconds."""
        advice, free = self.advice, self.advice.free
        return {
            "objective": advice.objective.describe(),
            "recommended": self.value_json(advice.best),
            "best_fixed": self.free_json(free) if free else self.value_json(advice.best),
            "best_step": self.step_json() if self.in_steps else None,
            "best_plan": advice.plan and self.plan_json(advice.plan),
            "policy": advice.policy and self.policy_json(advice.policy),
            "leaving_early": advice.leaving
            and {
                "best_fixed": self.useful_json(advice.leaving.best),
                "best_plan": advice.leaving.plan and self.plan_json(advice.leaving.plan),
            },
            "present": advice.present and self.value_json(advice.present),
            "curve": [self.value_json(value) for value in advice.asked],
            "within": {
                "percent": round(100 * advice.margin, 10),
                "ranges_s": [[seconds(low), seconds(high)] for low, high in advice.flat],
            },
            "cliffs": [cliff_json(cliff) for cliff in advice.cliffs],
            "cliff_below": advice.cliff_below and cliff_json(advice.cliff_below),
            "cliff_above": advice.cliff_above and cliff_json(advice.cliff_above),
            "slack": [slack_json(slack) for slack in advice.slacks],
            "robust": {
                "band": advice.robust.band,
                "answer": hedge_json(advice.robust.answer),
                "expected": hedge_json(advice.robust.expected),
                "worst_case": hedge_json(advice.robust.worst),
            },
            "bootstrap": advice.spread and spread_json(advice.spread),
            "classic": classics(advice.search.solver)._asdict(),
            "formulas": [self.formula_json(formula) for formula in advice.formulas],
            "modes": [mode_json(way, advice.best) for way in advice.ways],
            "changes": [change_json(change) for change in advice.changes],
            "lease_mean_s": float(advice.search.solver.ends.lasting(np.array(math.inf))),
            "account": account_json(advice.account),
            "trade_off": [trade_off_json(account) for account in advice.trade_off],
            "makespan": self.makespan_json(),
            "error": advice.error,
            "simulation": self.confirmed and simulation_json(self.confirmed, self.leases),
            "evidence": self.evidence and [*self.evidence.sentences, *self.evidence.warnings],
            "scenario": describe(self.scenario),
            "seed": self.scenario.seed,
        }

    @property
    def in_steps(self) -> bool:
        """Can the job checkpoint only at certain moments?"""
        return bool(self.scenario.job.step or self.scenario.job.steps)

    def value_json(self, value: Value) -> dict[str, Any]:
        """A value with the makespan of one job, if it has an end."""
        makespan = self.advice.makespan(value)
        never = math.isinf(makespan) if makespan is not None else value.work_s == 0
        aim, work = self.advice.objective, self.scenario.job.work
        document = {**self.useful_json(value), "makespan_s": makespan, "never_finishes": never}
        if aim != Objective():
            document["objective_value"] = aim.value(self.advice.search.goodness(value), work)
        return document

    def free_json(self, free: Free) -> dict[str, Any]:
        """The best were there no natural step."""
        return {
            **self.useful_json(free.value),
            "makespan_s": free.makespan,
            "never_finishes": free.makespan == math.inf or free.value.work_s == 0,
        }

    def useful_json(self, value: Value) -> dict[str, Any]:
        return {
            "interval_s": seconds(value.interval),
            "checkpoints_per_lease": value.checkpoints,
            "checkpoints_fitting": value.fitting,
            **self.worth_json(value),
        }

    def step_json(self) -> dict[str, Any]:
        """The best in whole steps; of a job in steps of its own, which make up each block."""
        document = self.value_json(self.advice.best)
        if self.scenario.job.steps:
            document["checkpoints_after_steps"] = self.advice.steps_to_checkpoint_after
        return document

    def worth_json(self, value: "Value | PlanValue | Policy") -> dict[str, Any]:
        """What it brings, and how much less that is than the best fixed interval."""
        document = {
            "work_per_lease_s": value.work_s,
            "useful_fraction": value.useful_fraction,
            "regret": worth(self.advice.best) - value.useful_fraction_with_gap,
        }
        if value.gap_s > 0:
            document["useful_fraction_with_gap"] = value.useful_fraction_with_gap
        return document

    def plan_json(self, found: PlanValue) -> dict[str, Any]:
        intervals = [seconds(interval) for interval in found.intervals]
        return {"intervals_s": intervals, **self.worth_json(found)}

    def policy_json(self, policy: Policy) -> dict[str, Any]:
        leave_after = policy.leave_after
        return {
            "rows": [row_json(row) for row in policy.rows],
            "leave_after_s": None if leave_after is None else seconds(leave_after),
            "work_per_lease_error_s": policy.error_s,
            **self.worth_json(policy),
        }

    def formula_json(self, formula: Formula) -> dict[str, Any]:
        named = {"key": formula.key, "name": formula.name, "assumes": formula.assumes}
        return {**named, **self.useful_json(formula.value)}

    def makespan_json(self) -> dict[str, Any] | None:
        """One whole job with the answer: how long it takes, and where its slot time goes."""
        whole, law = self.advice.whole(self.advice.best), self.advice.makespans
        if whole is None or math.isinf(whole.makespan):
            return None
        ledger = {f"{category.name.lower()}_s": spent for category, spent in whole.spent_s.items()}
        return {
            "mean_s": whole.makespan,
            "quantiles_s": law and {str(share): law.quantile(share) for share in QUANTILES},
            "step_s": law and law.step_s,
            "leases_mean": whole.leases,
            "ledger": {**ledger, "slot_time_s": sum(ledger.values())},
        }


def confirmed_leases(
    world: World, leases: int, report_progress: Progress | None, means: Means | None
) -> tuple[Estimate | None, int]:
    """The useful fraction, gaps included, of so many leases simulated; and how many they were."""
    if leases <= 1:
        return None, leases
    results = replicate_leases(world, leases, report_progress, means)
    work = results.stays("work").astype(np.float64)
    gaps = world.scenario.slots.gap.mean * SECOND
    spent = results.stays("end") - results.stays("start")
    return ratio_of(work, spent.astype(np.float64) + gaps), len(work)


def confirmed_jobs(
    world: World, count: int, report_progress: Progress | None, means: Means | None
) -> tuple[Estimate | None, int]:
    """The same of so many whole jobs, each alone."""
    alone = with_job(with_slots(world.scenario, count=1), count=1)
    jobs = replicate(World(alone, world.plans), count, report_progress, means).replications
    leases = sum(sum(job.leases) for job in jobs)
    spent = [sum(job.ledger) for job in jobs]
    gaps = [sum(job.leases) * alone.slots.gap.mean * SECOND for job in jobs]
    work = np.array([job.ledger[Category.USEFUL] for job in jobs], np.float64)
    found = ratio_of(work, np.array(spent, np.float64) + np.array(gaps)) if leases > 1 else None
    return found, leases


def simulation_json(confirmed: Estimate, leases: int) -> dict[str, Any]:
    return {
        "leases": leases,
        "useful_fraction_with_gap": confirmed.mean,
        "useful_fraction_with_gap_ci99": confirmed.interval,
    }


def mode_json(way: Way, own: Value) -> dict[str, Any]:
    """What a way to checkpoint is worth, against the scenario's own."""
    return {
        "mode": named(way.mode),
        "interval_s": None if way.interval is None else seconds(way.interval),
        "work_per_lease_s": way.value.work_s,
        "useful_fraction": way.value.useful_fraction,
        "useful_fraction_with_gap": worth(way.value),
        "lost_more_h_per_week": way.lost_more_h(own),
        "note": way.note or None,
    }


def row_json(row: Row) -> dict[str, Any]:
    first, *computing = (None if time == NEVER else seconds(time) for time in row)
    return {"from_s": first, **dict(zip(("compute_s", "compute_at_end_s"), computing, strict=True))}


def change_json(change: Change) -> dict[str, Any]:
    return {
        "if": change.label,
        "best_interval_s": seconds(change.best.interval),
        "useful_fraction": worth(change.best),
        "useful_fraction_if_kept": worth(change.kept),
        "regret": change.regret,
    }


def cliff_json(cliff: Cliff) -> dict[str, Any]:
    return {
        "interval_s": seconds(cliff.at.interval),
        "interval_beyond_s": seconds(cliff.beyond.interval),
        "checkpoints_fitting": cliff.at.fitting,
        "checkpoints_fitting_beyond": cliff.beyond.fitting,
        "useful_fraction": cliff.at.useful_fraction,
        "useful_fraction_beyond": cliff.beyond.useful_fraction,
    }


def slack_json(slack: Slack) -> dict[str, Any]:
    return {
        "cost": slack.cost,
        "extra_s": seconds(slack.extra),
        "useful_fraction_beyond": worth(slack.beyond),
    }


def hedge_json(hedge: Hedge) -> dict[str, Any]:
    return {
        "interval_s": seconds(hedge.value.interval),
        "useful_fraction_as_said": worth(hedge.value),
        "useful_fraction_expected": hedge.expected,
        "useful_fraction_worst": hedge.worst,
    }


def spread_json(spread: Spread) -> dict[str, Any]:
    return {
        "resamples": spread.resamples,
        "best_interval_ci95_s": [seconds(spread.interval_low), seconds(spread.interval_high)],
        "useful_fraction_ci95": [spread.useful_low, spread.useful_high],
        "regret_95": spread.regret_high,
    }


def account_json(account: Account) -> dict[str, Any]:
    """Where the slot time of a lease goes."""
    ledger = {f"{category.name.lower()}_s": spent for category, spent in account.spent_s.items()}
    return {
        **ledger,
        "slot_time_s": account.lease_s,
        "gap_s": account.gap_s,
        "checkpoints": account.checkpoints,
        **moved_json(account),
    }


def moved_json(account: Account) -> dict[str, Any]:
    """What is moved, in bytes where a checkpoint has a size."""
    if account.moved is None:
        return {"checkpoints_per_committed_hour": account.moved_per_hour}
    return {"bytes": account.moved, "bytes_per_committed_hour": account.moved_per_hour}


def trade_off_json(account: Account) -> dict[str, Any]:
    return {
        "interval_s": seconds(account.interval),
        "wasted_fraction": account.wasted_fraction,
        **moved_json(account),
    }
