"""The ways of checkpointing, by hand: one lease or one short job each, every instant literal.

Times are minutes. Costs are constant, so is what ends a lease; the SimPy driver asks the rules.
"""

from itertools import pairwise

import pytest

from ckptsim import ledger
from ckptsim.drivers.virtual import simulate, simulate_leases
from ckptsim.ledger import Category
from ckptsim.lifetimes import Constant, Uniform
from ckptsim.rules import Costs, Event, Job, Lease, Mode, Phase, Plan, saves_when_told, step
from ckptsim.scenario import load
from ckptsim.units import MINUTE
from ckptsim.world import world_of

COSTS = {
    "job__cold_start": "3min",
    "job__restart_lease": "2min",
    "job__restart_in_place": "1min",
    "job__write": "4min",
    "job__transfer": "5min",
}


def world(mode, interval=20, **given):
    keys = COSTS | {"job__mode": mode} | given
    scenario = load(None, {key.replace("__", "."): value for key, value in keys.items()})
    return world_of(scenario, interval * MINUTE)


def lease(mode, **given):
    """One lease from a checkpoint: (minute, event, phase, saved, unsaved), and the ledger."""
    rows = []
    outcome = simulate_leases(world(mode, **given), 0, 1, rows.append)
    return told(rows), books(outcome)


def life(mode, **given):
    """A whole job: (minute, event, phase, saved, unsaved), and the ledger."""
    rows = []
    outcome = simulate(world(mode, **given), 0, rows.append)
    return told(rows), books(outcome)


def told(rows):
    return [
        (at / MINUTE, event.name, phase.name, saved / MINUTE, unsaved / MINUTE)
        for at, _, _, event, phase, saved, unsaved in rows
    ]


def books(outcome):
    """The ledger in minutes; it adds up to the time on slots, to the nanosecond."""
    assert sum(outcome.ledger) == sum(stay.end - stay.start for stay in outcome.stays)
    return {Category(n).name: time / MINUTE for n, time in enumerate(outcome.ledger) if time}


# Exit code, exit signal.


def test_an_exit_signal_is_as_good_as_an_exit_code():
    keys = {"slots__evictions": "constant(60min)", "slots__grace": "2min"}
    assert lease("exit signal", **keys) == lease("exit code", **keys)
    assert lease("exit signal", **keys) == (
        [
            (0, "PLACED", "RESTARTING", 0, 0),
            (2, "ELAPSED", "COMPUTING", 0, 0),
            (22, "ELAPSED", "WRITING", 0, 20),
            (26, "ELAPSED", "TRANSFERRING", 0, 20),
            (31, "ELAPSED", "RESUMING", 20, 0),
            (32, "ELAPSED", "COMPUTING", 20, 0),
            (52, "ELAPSED", "WRITING", 20, 20),
            (56, "ELAPSED", "TRANSFERRING", 20, 20),
            (60, "WARNED", "VACATING", 20, 20),
            (61, "ELAPSED", "QUEUED", 40, 0),
        ],
        {
            "USEFUL": 40,
            "WRITE": 8,
            "TRANSFER": 9,
            "RESTART_LEASE": 2,
            "RESTART_IN_PLACE": 1,
            "VACATING": 1,
        },
    )


# Delayed transfer.


def test_delayed_transfer_sends_the_last_whole_checkpoint_when_the_slot_is_lost():
    """Checkpoints at 26 and 50 stay in the sandbox; what was computed since the last is lost."""
    assert lease("delayed", slots__evictions="constant(60min)", slots__grace="10min") == (
        [
            (0, "PLACED", "RESTARTING", 0, 0),
            (2, "ELAPSED", "COMPUTING", 0, 0),
            (22, "ELAPSED", "WRITING", 0, 20),
            (26, "ELAPSED", "COMPUTING", 0, 20),
            (46, "ELAPSED", "WRITING", 0, 40),
            (50, "ELAPSED", "COMPUTING", 0, 40),
            (60, "WARNED", "VACATING", 0, 40),
            (65, "ELAPSED", "QUEUED", 40, 0),
        ],
        {"USEFUL": 40, "LOST_EVICTION": 10, "WRITE": 8, "RESTART_LEASE": 2, "VACATING": 5},
    )


def test_delayed_transfer_of_a_checkpoint_being_written_sends_the_one_before():
    told, books = lease("delayed", slots__evictions="constant(48min)", slots__grace="10min")
    assert told[-3:] == [
        (46, "ELAPSED", "WRITING", 0, 40),
        (48, "WARNED", "VACATING", 0, 20),
        (53, "ELAPSED", "QUEUED", 20, 0),
    ]
    assert books == {
        "USEFUL": 20,
        "LOST_EVICTION": 20,
        "WRITE": 6,
        "RESTART_LEASE": 2,
        "VACATING": 5,
    }


@pytest.mark.parametrize(
    ("grace", "last", "useful", "vacating"),
    [
        ("5min", (65, "ELAPSED", "QUEUED", 40, 0), 40, 5),
        ("4min", (64, "EVICTED", "QUEUED", 0, 0), 0, 4),
        ("0", (60, "EVICTED", "QUEUED", 0, 0), 0, 0),
    ],
)
def test_delayed_transfer_longer_than_the_grace_loses_the_whole_lease(
    grace, last, useful, vacating
):
    told, books = lease("delayed", slots__evictions="constant(60min)", slots__grace=grace)
    assert told[-2:] == [(60, "WARNED", "VACATING", 0, 40), last]
    assert books.get("USEFUL", 0) == useful
    assert books["LOST_EVICTION"] == 50 - useful
    assert books.get("VACATING", 0) == vacating


def test_delayed_transfer_loses_the_whole_lease_to_a_power_failure():
    told, books = lease(
        "delayed",
        slots__power_failures="constant(60min)",
        slots__grace="10min",
        slots__contact_lease="30min",
    )
    assert told[-2:] == [
        (60, "POWERED_OFF", "DISCONNECTED", 0, 0),
        (90, "ELAPSED", "QUEUED", 0, 0),
    ]
    assert books == {
        "LOST_POWER_FAILURE": 50,
        "WRITE": 8,
        "RESTART_LEASE": 2,
        "DISCONNECTED": 30,
    }


def test_a_power_failure_while_vacating_loses_what_is_being_sent():
    told, books = lease(
        "delayed",
        slots__evictions="constant(60min)",
        slots__power_failures="constant(63min)",
        slots__grace="10min",
        slots__contact_lease="30min",
    )
    assert told[-3:] == [
        (60, "WARNED", "VACATING", 0, 40),
        (63, "POWERED_OFF", "DISCONNECTED", 0, 0),
        (93, "ELAPSED", "QUEUED", 0, 0),
    ]
    assert books == {
        "LOST_EVICTION": 10,
        "LOST_POWER_FAILURE": 40,
        "WRITE": 8,
        "RESTART_LEASE": 2,
        "VACATING": 3,
        "DISCONNECTED": 30,
    }


@pytest.mark.parametrize(
    ("transfer", "last", "expected"),
    [
        ("5min", (65, "ELAPSED", "QUEUED", 40, 0), {"USEFUL": 40, "LOST_LIMIT": 10, "VACATING": 5}),
        ("15min", (70, "EXPIRED", "QUEUED", 0, 0), {"LOST_LIMIT": 50, "VACATING": 10}),
    ],
)
def test_the_limit_gives_a_delayed_transfer_a_respite_of_the_grace(transfer, last, expected):
    told, books = lease(
        "delayed", slots__limit="60min", slots__grace="10min", job__transfer=transfer
    )
    assert told[-2:] == [(60, "EXPIRED", "VACATING", 0, 40), last]
    assert books == expected | {"WRITE": 8, "RESTART_LEASE": 2}


def test_an_eviction_just_before_the_limit_has_its_own_grace():
    told, _ = lease(
        "delayed",
        slots__evictions="constant(58min)",
        slots__limit="60min",
        slots__grace="10min",
        job__transfer="15min",
    )
    assert told[-2:] == [
        (58, "WARNED", "VACATING", 0, 40),
        (68, "EVICTED", "QUEUED", 0, 0),
    ]


def test_a_job_told_before_it_computes_has_nothing_to_save():
    told, books = lease("delayed", slots__evictions="constant(1min)", slots__grace="10min")
    assert told == [(0, "PLACED", "RESTARTING", 0, 0), (1, "WARNED", "QUEUED", 0, 0)]
    assert books == {"RESTART_LEASE": 1}


def test_a_whole_job_with_delayed_transfer():
    """It restarts from what was sent at the end of each lease, and ends without sending any."""
    told, books = life(
        "delayed", job__work="100min", slots__evictions="constant(60min)", slots__grace="10min"
    )
    assert [row for row in told if row[1] != "ELAPSED" or row[2] in ("QUEUED", "COMPLETED")] == [
        (0, "PLACED", "STARTING", 0, 0),
        (60, "WARNED", "VACATING", 0, 40),
        (65, "ELAPSED", "QUEUED", 40, 0),
        (65, "PLACED", "RESTARTING", 40, 0),
        (125, "WARNED", "VACATING", 40, 40),
        (130, "ELAPSED", "QUEUED", 80, 0),
        (130, "PLACED", "RESTARTING", 80, 0),
        (152, "ELAPSED", "COMPLETED", 100, 0),
    ]
    assert books == {
        "USEFUL": 100,
        "LOST_EVICTION": 19,
        "WRITE": 16,
        "COLD_START": 3,
        "RESTART_LEASE": 4,
        "VACATING": 10,
    }


def test_each_write_of_a_delayed_transfer_has_a_length_of_its_own():
    rows = []
    drawn = world(
        "delayed",
        job__write=Uniform(60.0, 600.0),
        slots__evictions="constant(10h)",
        slots__grace="10min",
    )
    simulate_leases(drawn, 0, 1, rows.append)
    begun = [row.time for row in rows if row.phase == Phase.WRITING]
    ended = [b.time for a, b in pairwise(rows) if a.phase == Phase.WRITING]
    lengths = [end - start for start, end in zip(begun, ended, strict=True)]
    assert len(lengths) > 20
    assert len(set(lengths)) == len(lengths)


# Delayed transfer with a signal.


@pytest.mark.parametrize(
    ("grace", "last", "useful", "vacating"),
    [
        ("9min", (69, "ELAPSED", "QUEUED", 58, 0), 58, 9),
        ("8min", (68, "EVICTED", "QUEUED", 0, 0), 0, 8),
    ],
)
def test_a_delayed_signal_saves_all_that_was_computed_if_the_grace_suffices(
    grace, last, useful, vacating
):
    told, books = lease("delayed signal", slots__evictions="constant(60min)", slots__grace=grace)
    assert told == [
        (0, "PLACED", "RESTARTING", 0, 0),
        (2, "ELAPSED", "COMPUTING", 0, 0),
        (60, "WARNED", "VACATING", 0, 58),
        last,
    ]
    assert books.get("USEFUL", 0) == useful
    assert books.get("LOST_EVICTION", 0) == 58 - useful
    assert books["VACATING"] == vacating


def test_a_delayed_signal_comes_at_the_limit_too():
    told, books = lease("delayed signal", slots__limit="60min", slots__grace="10min")
    assert told[-2:] == [(60, "EXPIRED", "VACATING", 0, 58), (69, "ELAPSED", "QUEUED", 58, 0)]
    assert books == {"USEFUL": 58, "RESTART_LEASE": 2, "VACATING": 9}


def test_a_job_longer_than_any_lease_finishes_with_a_delayed_signal():
    """57 min in the first lease, after a cold start of 3; 43 in the second, after a restart."""
    told, books = life(
        "delayed signal", job__work="100min", slots__limit="60min", slots__grace="10min"
    )
    assert [row for row in told if row[2] in ("VACATING", "QUEUED", "COMPLETED")] == [
        (60, "EXPIRED", "VACATING", 0, 57),
        (69, "ELAPSED", "QUEUED", 57, 0),
        (114, "ELAPSED", "COMPLETED", 100, 0),
    ]
    assert books == {"USEFUL": 100, "COLD_START": 3, "RESTART_LEASE": 2, "VACATING": 9}


# Periodic signal.


def test_signals_come_at_multiples_of_the_interval_of_the_leases_age():
    """At 20, 40, 60 whatever the job does: computed 18, then 20 less the 10 of each checkpoint."""
    assert lease("periodic signal", slots__limit="65min") == (
        [
            (0, "PLACED", "RESTARTING", 0, 0),
            (2, "ELAPSED", "COMPUTING", 0, 0),
            (20, "ELAPSED", "WRITING", 0, 18),
            (24, "ELAPSED", "TRANSFERRING", 0, 18),
            (29, "ELAPSED", "RESUMING", 18, 0),
            (30, "ELAPSED", "COMPUTING", 18, 0),
            (40, "ELAPSED", "WRITING", 18, 10),
            (44, "ELAPSED", "TRANSFERRING", 18, 10),
            (49, "ELAPSED", "RESUMING", 28, 0),
            (50, "ELAPSED", "COMPUTING", 28, 0),
            (60, "ELAPSED", "WRITING", 28, 10),
            (64, "ELAPSED", "TRANSFERRING", 28, 10),
            (65, "EXPIRED", "QUEUED", 28, 0),
        ],
        {
            "USEFUL": 28,
            "LOST_LIMIT": 10,
            "WRITE": 12,
            "TRANSFER": 11,
            "RESTART_LEASE": 2,
            "RESTART_IN_PLACE": 2,
        },
    )


def test_a_signal_that_comes_while_a_checkpoint_is_made_does_nothing():
    """Signals at 7, 14, 21, ...; the checkpoint of 7 lasts until 17."""
    told, _ = lease("periodic signal", interval=7, slots__limit="30min")
    assert [at for at, _, phase, _, _ in told if phase == "WRITING"] == [7, 21]


def test_a_signal_in_the_instant_in_which_computing_begins_is_too_early():
    told, _ = lease("periodic signal", interval=10, slots__limit="45min")
    assert [at for at, _, phase, _, _ in told if phase in ("COMPUTING", "WRITING")] == [
        *(2, 10),
        *(20, 30),
        40,
    ]


# Manual transfer.


def test_manual_transfer_goes_on_without_a_restart_or_a_question_about_the_claim():
    told, books = lease("manual", slots__limit="65min", slots__claim_worklife="10min")
    assert told == [
        (0, "PLACED", "RESTARTING", 0, 0),
        (2, "ELAPSED", "COMPUTING", 0, 0),
        (22, "ELAPSED", "WRITING", 0, 20),
        (26, "ELAPSED", "TRANSFERRING", 0, 20),
        (31, "ELAPSED", "COMPUTING", 20, 0),
        (51, "ELAPSED", "WRITING", 20, 20),
        (55, "ELAPSED", "TRANSFERRING", 20, 20),
        (60, "ELAPSED", "COMPUTING", 40, 0),
        (65, "EXPIRED", "QUEUED", 40, 0),
    ]
    assert books == {"USEFUL": 40, "LOST_LIMIT": 5, "WRITE": 8, "TRANSFER": 10, "RESTART_LEASE": 2}


def test_manual_transfer_is_killed_with_the_job():
    told, books = lease("manual", slots__evictions="constant(58min)", slots__grace="10min")
    assert told[-2:] == [
        (55, "ELAPSED", "TRANSFERRING", 20, 20),
        (58, "WARNED", "QUEUED", 20, 0),
    ]
    assert books["LOST_EVICTION"] == 20


@pytest.mark.parametrize(("limit", "left"), [("89min", 89), ("88min", 60)])
def test_manual_transfer_reckons_without_a_restart_when_it_leaves_early(limit, left):
    """The next commit would be 20 + 4 + 5 after 60."""
    told, _ = lease("manual", slots__limit=limit, job__leave_early="yes")
    assert told[-1] == (left, "ELAPSED", "QUEUED", 60 if left == 89 else 40, 0)


# Early exit.


def test_an_early_exit_queues_anew_with_each_checkpoint():
    told, books = life(
        "early exit", job__work="50min", slots__limit="10h", slots__gap="7min", job__input="1min"
    )
    assert [row for row in told if row[1] == "PLACED" or row[2] in ("QUEUED", "COMPLETED")] == [
        (0, "PLACED", "FETCHING", 0, 0),
        (33, "ELAPSED", "QUEUED", 20, 0),
        (40, "PLACED", "FETCHING", 20, 0),
        (72, "ELAPSED", "QUEUED", 40, 0),
        (79, "PLACED", "FETCHING", 40, 0),
        (92, "ELAPSED", "COMPLETED", 50, 0),
    ]
    assert books == {
        "USEFUL": 50,
        "WRITE": 8,
        "TRANSFER": 10,
        "COLD_START": 3,
        "RESTART_LEASE": 4,
        "INPUT": 3,
    }


# None.


def test_without_checkpoints_a_job_starts_over():
    told, books = life(
        "none", job__work="50min", slots__evictions="mixture(0.5: constant(30min), 0.5: none)"
    )
    kills = sum(event == "WARNED" for _, event, *_ in told)
    assert kills > 0  # with the seed there is; what each costs is literal
    assert books == {"USEFUL": 50, "LOST_EVICTION": 27 * kills, "COLD_START": 3 * (kills + 1)}
    assert told[-1] == (53 + 30 * kills, "ELAPSED", "COMPLETED", 50, 0)


def test_without_checkpoints_a_job_longer_than_the_limit_is_hopeless():
    told, books = life("none", job__work="58min", slots__limit="60min")
    assert (told, books) == ([], {})
    told, _ = life("none", job__work="57min", slots__limit="60min")
    assert told[-1] == (60, "ELAPSED", "COMPLETED", 57, 0)


# Retirement (htcondor-observed.md D29).


def test_the_soft_kill_comes_so_early_that_the_hard_one_is_at_the_retirements_end():
    """Run n5b in seconds: R = 14, V = 10; asked to leave at 2, soft-killed at 4, hard at 14."""
    keys = {
        "job__mode": "delayed signal",
        "job__transfer": "60s",
        "slots__evictions": "constant(2s)",
        "slots__retirement": "14s",
        "slots__grace": "10s",
    }
    scenario = load(None, {key.replace("__", "."): value for key, value in keys.items()})
    rows = []
    simulate_leases(world_of(scenario, MINUTE), 0, 1, rows.append)
    assert [(row.time / 1e9, row.event.name, row.phase.name) for row in rows] == [
        (0, "PLACED", "COMPUTING"),
        (4, "WARNED", "VACATING"),
        (14, "EVICTED", "QUEUED"),
    ]


@pytest.mark.parametrize(
    ("retirement", "told"),
    [
        ("2h", (61, "ELAPSED", "QUEUED", 40, 0)),  # the next checkpoint ends the lease (n5)
        ("50min", (45, "WARNED", "QUEUED", 20, 0)),  # before it there is the soft kill
        ("9min", (35, "WARNED", "QUEUED", 20, 0)),  # too old to be given any more time
    ],
)
def test_a_retiring_slot_lets_the_job_reach_its_next_checkpoint(retirement, told):
    found, _ = lease(
        "exit code",
        slots__evictions="constant(35min)",
        slots__retirement=retirement,
        slots__grace="5min",
    )
    assert found[-1] == told


def test_manual_transfer_does_not_ask_whether_the_slot_retires():
    found, _ = lease(
        "manual",
        slots__evictions="constant(35min)",
        slots__retirement="100min",
        slots__grace="5min",
    )
    assert found[-1] == (95, "WARNED", "QUEUED", 60, 0)


def test_a_slot_that_a_job_left_because_it_retires_is_away_too():
    """Asked to leave at 35, the job does at its checkpoint at 32 + 29 = 61; back at 91."""
    keys = {
        "job__work": "60min",
        "job__cold_start": "2min",
        "slots__evictions": "mixture(0.5: constant(35min), 0.5: none)",
        "slots__retirement": "2h",
        "slots__absence": "30min",
    }
    found, _ = life("exit code", **keys)
    placed = [at for at, event, *_ in found if event == "PLACED"]
    left = [at for at, _, phase, *_ in found if phase == "QUEUED"]
    assert left
    assert placed[1:] == [at + 30 for at in left]
    assert left[0] == 61


# What only real processes do.


def plan(mode):
    free = Costs(0, 0, 0, 0, 4, 5)
    return Plan(100, 20, False, False, 2**62, free, free, 2**62, 10, mode=mode)


@pytest.mark.parametrize("mode", Mode)
def test_a_hold_lets_only_a_job_that_saves_when_told_save(mode):
    never = 2**62
    before = Job(Phase.COMPUTING, 24, 44, 0, 20, 0, 1, written=20)
    costs = Costs(0, 0, 0, 0, 4, 5)
    held = step(plan(mode), costs, Lease(0, *[never] * 5), before, Event.WITHDRAWN, 30)
    books = ledger.opened()
    ledger.charge(books, before, Event.WITHDRAWN, held)
    if saves_when_told(mode):
        assert (held.phase, held.until) == (Phase.VACATING, 35 if mode == Mode.DELAYED else 39)
        assert books[Category.LOST_HOLD] == (6 if mode == Mode.DELAYED else 0)
    else:
        assert (held.phase, held.saved) == (Phase.QUEUED, 0)
        assert books[Category.LOST_HOLD] == 26


def test_a_constant_law_is_what_these_stories_take_it_for():
    assert world("none", job__work="1h").scenario.job.write == Constant(240.0)
