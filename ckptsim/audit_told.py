"""An audit as it is shown: sentences, tables, a JSON document, a frame."""

from collections.abc import Iterable, Iterator, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from ckptsim.audit import LOST, Account, Audit, Item, Spread
from ckptsim.audit_saved import Option, Saving
from ckptsim.conclude import about
from ckptsim.fitting import FEW
from ckptsim.htcondor.leases import counted
from ckptsim.htcondor.stays import History
from ckptsim.terminal import percent
from ckptsim.units import seconds, show, show_size

if TYPE_CHECKING:
    import pandas as pd

NAMES = {
    Item.USEFUL: "committed",
    Item.LOST_LIMIT: "lost: runtime limit",
    Item.LOST_EVICTION: "lost: eviction",
    Item.LOST_POWER_FAILURE: "lost: power failure",
    Item.LOST_HOLD: "lost: hold or removal",
    Item.LOST_LEAVING: "lost: leaving",
    Item.LOST_FAILURE: "lost: failure",
    Item.TRANSFER: "transfer",
    Item.TRANSFER_WAIT: "wait for transfer",
    Item.COLD_START: "cold start",
    Item.RESTART_LEASE: "restart in a new lease",
    Item.INPUT: "input transfer",
    Item.VACATING: "vacating",
    Item.DISCONNECTED: "disconnected",
    Item.SUSPENDED: "suspended",
    Item.PENDING: "pending when the log ends",
}
OTHERS = (  # columns of the table of jobs, after what was committed and lost
    ("transfers", (Item.TRANSFER, Item.TRANSFER_WAIT, Item.INPUT)),
    ("restarts", (Item.COLD_START, Item.RESTART_LEASE)),
    ("disconnected", (Item.DISCONNECTED,)),
    ("suspended", (Item.SUSPENDED,)),
)

DAMAGE_SHOWN = 5
BLIND = (
    "What the logs cannot tell: how long a checkpoint's write and the restart in place take (both "
    "are in the computing above), and whether a checkpoint was any good."
)


def sentences(found: Audit) -> Iterator[str]:
    """What was found, in order of weight."""
    whole = found.whole
    jobs, leases = counted(len(found.accounts), "job"), counted(whole.leases, "lease")
    yield f"{jobs}, {leases}, {show(whole.slot_ns)} of slot time: {_shares(whole)}."
    if whole.leases:
        yield f"Leases ended: {_reasons(found)}."
    yield _userlog(whole)
    yield from _checkpoints(found)
    if whole.waited_ns:
        yield f"Jobs waited {show(whole.waited_ns)} in the queue for these slots (no slot time)."
    if whole.spent[Item.LOST_LEAVING]:
        yield (
            "Jobs that left by themselves to run again lost what they had computed, unless they "
            "keep their own files: the logs cannot tell."
        )
    yield BLIND


def _shares(whole: Account) -> str:
    parts = [("committed", whole.spent[Item.USEFUL]), ("lost", whole.lost_ns)]
    others = whole.slot_ns - sum(time for _, time in parts) - whole.spent[Item.PENDING]
    parts += [("on transfers, starts and waits", others), ("pending", whole.spent[Item.PENDING])]
    return ", ".join(
        f"{show(time)} ({share(time, whole)}) {name}"
        for place, (name, time) in enumerate(parts)
        if time or place < 2
    )


def share(time: int, whole: Account) -> str:
    return percent(time / whole.slot_ns if whole.slot_ns else 0.0)


def _reasons(found: Audit) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in found.reasons.items())


def _userlog(whole: Account) -> str:
    called = f"{show(whole.userlog_ns)} ({share(whole.userlog_ns, whole)})"
    return (
        f"HTCondor's condor_userlog would have called {called} good: it knows nothing of "
        "self-checkpoints, and takes all of a lease in which the job ended."
    )


def _checkpoints(found: Audit) -> Iterator[str]:
    if not found.whole.checkpoints or found.cycles is None or found.transfers is None:
        yield "No checkpoint is in the logs: what a lease had computed when it ended was lost."
        return
    yield (
        f"{counted(found.whole.checkpoints, 'checkpoint')}, one after {_spread(found.cycles)} of "
        f"computing (write and restart in it); transfer {_spread(found.transfers)}."
    )
    if found.sizes:
        many, size = counted(len(found.sizes), "checkpoint"), round(median(found.sizes))
        yield f"Size of {many} that a lease ended with: median {show_size(size)}."


def _spread(spread: Spread) -> str:
    if spread.number == 1:
        return about(spread.median_s)
    low, high = about(spread.low_s), about(spread.high_s)
    return f"{about(spread.median_s)} (median; quartiles {low} and {high})"


# --- what could have been saved -------------------------------------------------------------------


def saved_told(saving: Saving | None) -> Iterator[str]:
    """What the best interval would have saved, in sentences."""
    if saving is None:
        yield "No lease was lost to an eviction, a power failure or a limit: nothing to save."
        return
    if saving.by_hand:
        lost = counted(saving.losses, "lost lease")
        yield (
            f"{saving.by_hand:,} of {lost} by condor_vacate_job: asked for by hand, they say "
            "nothing about the pool."
        )
    yield from saving.evictions.sentences
    lost = f"{show(saving.spent_ns)} was lost with slots or spent on transfers of checkpoints"
    yield f"{lost}: so much there is to save."
    if saving.used_ns is not None:
        yield f"The interval used was {show(saving.used_ns)} (median, write and restart in it)."
    if not saving.known_cost:
        yield "What a checkpoint would have cost is not in the logs; some costs are tried."
    yield from (_option_told(option, saving) for option in saving.options)


def _option_told(option: Option, saving: Saving) -> str:
    costs = "costs" if saving.known_cost else "had cost"
    where = f"If a checkpoint {costs} {about(option.cost_s)}"
    known = f" ({_range(option, saving)})" if option.range_ns else ""
    best = f"{where}, the best interval is {show(option.best.interval_ns)}{known}"
    return f"{best}: {_worth(option.best.saved_ns, saving)}.{_hindsight(option)}"


def _range(option: Option, saving: Saving) -> str:
    """From one end of the confidence interval of the mean between evictions to the other."""
    few = saving.evictions.chosen.ends < FEW
    why = "too few evictions to know better" if few else "95 % confidence"
    low, high = show(min(option.range_ns)), show(max(option.range_ns))
    return f"{f'or {low}' if low == high else f'{low} to {high}'}: {why}"


def _worth(saved_ns: int, saving: Saving) -> str:
    of = percent(abs(saved_ns) / saving.slot_ns) + " of slot time" if saving.slot_ns else ""
    if saved_ns > 0:
        return f"it would have saved {show(saved_ns)} ({of})"
    if saved_ns < 0:
        return f"it would have cost {show(-saved_ns)} ({of}) more than was lost"
    return "it would have changed nothing"


def _hindsight(option: Option) -> str:
    if option.hindsight is None:
        return " In hindsight no interval would have paid."
    interval, saved = option.hindsight
    return f" In hindsight, {show(interval)} would have been best: {show(saved)} saved."


def saving_json(saving: Saving | None) -> dict[str, Any] | None:
    """The same for programs, times in seconds."""
    if saving is None:
        return None
    return {
        "evictions_law": saving.evictions.chosen.law.describe(),
        "losses": saving.losses,
        "by_hand": saving.by_hand,
        "known_cost": saving.known_cost,
        "used_interval_s": None if saving.used_ns is None else seconds(saving.used_ns),
        "to_save_s": seconds(saving.spent_ns),
        "options": [
            {
                "checkpoint_cost_s": option.cost_s,
                "best_interval_s": seconds(option.best.interval_ns),
                "saved_s": seconds(option.best.saved_ns),
                "best_interval_range_s": [seconds(each) for each in option.range_ns],
                "hindsight_interval_s": option.hindsight and seconds(option.hindsight.interval_ns),
                "hindsight_saved_s": option.hindsight and seconds(option.hindsight.saved_ns),
            }
            for option in saving.options
        ],
    }


# --- tables ---------------------------------------------------------------------------------------


def account_rows(whole: Account) -> list[list[str]]:
    """The time account: every share beside its whole."""
    rows = [
        [NAMES[item], show(whole.spent[item]), share(whole.spent[item], whole)]
        for item in Item
        if whole.spent[item]
    ]
    last = ["all", show(whole.slot_ns), percent(1.0)]
    return [["slot time", "time", "share"], *rows, last]


def job_rows(accounts: Sequence[Account], whole: Account) -> list[list[str]]:
    """Jobs, and all of them together; columns of nothing but zeros are left out."""
    everyone = [*accounts, whole]
    columns = [
        ("job", [each.job for each in everyone]),
        ("leases", [f"{each.leases:,}" for each in everyone]),
        ("slot time", [show(each.slot_ns) for each in everyone]),
        ("committed", [show(each.spent[Item.USEFUL]) for each in everyone]),
        ("lost", [show(each.lost_ns) for each in everyone]),
    ]
    others = [(name, [_sum(each, items) for each in everyone]) for name, items in OTHERS]
    others.append(("waited", [each.waited_ns for each in everyone]))
    columns += [(name, list(map(show, times))) for name, times in others if times[-1]]
    if whole.checkpoints:
        columns.append(("checkpoints", [f"{each.checkpoints:,}" for each in everyone]))
    head = [name for name, _ in columns]
    return [head, *(list(row) for row in zip(*(cells for _, cells in columns), strict=True))]


def _sum(account: Account, items: Iterable[Item]) -> int:
    return sum(account.spent[item] for item in items)


def account_json(account: Account) -> dict[str, Any]:
    """Every item in seconds, losses together, and the whole."""
    kept = {"useful_s": seconds(account.spent[Item.USEFUL]), "lost_s": seconds(account.lost_ns)}
    others = [item for item in Item if item not in (Item.USEFUL, *LOST)]
    kept |= {f"{item.name.lower()}_s": seconds(account.spent[item]) for item in others}
    return {**kept, "slot_time_s": seconds(account.slot_ns)}


def lost_json(account: Account) -> dict[str, Any]:
    """What was lost to each cause, seconds."""
    return {
        item.name.removeprefix("LOST_").lower() + "_s": seconds(account.spent[item])
        for item in LOST
    }


def job_json(account: Account) -> dict[str, Any]:
    """One job, or all of them."""
    return {
        "job": account.job,
        "log": account.log,
        "leases": account.leases,
        "attempts": account.attempts,
        "checkpoints": account.checkpoints,
        "waited_s": seconds(account.waited_ns),
        "condor_userlog_good_s": seconds(account.userlog_ns),
        "ledger": account_json(account),
        "lost_by_cause": lost_json(account),
    }


def job_frame(accounts: Iterable[Account]) -> "pd.DataFrame":
    """All jobs as a table, seconds."""
    import pandas as pd

    flat = []
    for each in accounts:
        told = job_json(each)
        ledger, lost = told.pop("ledger"), told.pop("lost_by_cause")
        flat.append(told | ledger | {f"lost_{cause}": time for cause, time in lost.items()})
    return pd.DataFrame(flat)


def document(found: Audit, saving: Saving | None, warnings: Sequence[str]) -> dict[str, Any]:
    """What `--json` prints; times in seconds."""
    whole = job_json(found.whole)
    del whole["job"], whole["log"]
    return {
        "logs": [history.log for history in found.histories],
        "events": found.events,
        **whole,
        "ends": found.reasons,
        "interval": spread_json(found.cycles),
        "transfer": spread_json(found.transfers),
        "input": spread_json(found.inputs),
        "checkpoint_bytes_median": median(found.sizes) if found.sizes else None,
        "saving": saving_json(saving),
        "jobs": [job_json(account) for account in found.accounts],
        "warnings": list(warnings),
    }


def spread_json(spread: Spread | None) -> dict[str, Any] | None:
    """Quartiles, seconds."""
    if spread is None:
        return None
    return {
        "count": spread.number,
        "quartile_low_s": spread.low_s,
        "median_s": spread.median_s,
        "quartile_high_s": spread.high_s,
    }


# --- what was left out ----------------------------------------------------------------------------


def left_out(found: Audit) -> list[str]:
    """What could not be read, fits no lease, or was there twice."""
    told = [line for history in found.histories for line in _left_out(history)]
    if found.copies:
        told.append(f"{counted(found.copies, 'lease')} found more than once: counted once")
    return told


def _left_out(history: History) -> Iterator[str]:
    yield from (f"{history.log}:{part}; skipped" for part in history.damage[:DAMAGE_SHOWN])
    more = len(history.damage) - DAMAGE_SHOWN
    if more > 0:
        yield f"{history.log}: {counted(more, 'more part')} not readable; skipped"
    yield from (f"{history.log}: {count:,} × {what}" for what, count in history.oddities.items())
