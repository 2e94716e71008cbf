"""When slots are not there: rooms and racks without power, machines that come and go.

A domain is a set of slots that lose power together. Its failures and repairs take turns for as long
as anyone looks; a driver draws them and tells `fail_again`. A slot's windows are the times at which
it is there, by a trace; the end of one is when its owner wants it back, which is an eviction.

Nothing happens at the beginning of an outage by itself: a lease knows when it will be cut off, and
a free slot is only found gone when it is to be matched. Times are integer nanoseconds.
"""

from typing import NamedTuple

from ckptsim.rules import NEVER


class Outages(NamedTuple):
    """The domains' current or next outages and the slots' windows: lists, or arrays."""

    fails: list[int]  # by domain: when its current or next outage begins
    repaired: list[int]  # and when that is over
    domains: list[int]  # of the first slot, of the second, ...
    domains_from: list[int]  # by slot: where in `domains` its own begin; one more for the end
    begins: list[int]  # windows: of the first slot, of the second, ...
    ends: list[int]
    windows_from: list[int]  # by slot: where its own windows begin; one more for the end
    window: list[int]  # by slot: its current or next one


def opened(domains: list[list[int]], windows: list[list[tuple[int, int]]], count: int) -> Outages:
    """For each slot its domains, of `count` in all, and its windows (none: always there)."""
    starts = [0]
    domains_from = [0]
    for mine in windows:
        starts.append(starts[-1] + len(mine))
    for those in domains:
        domains_from.append(domains_from[-1] + len(those))
    every = [window for mine in windows for window in mine]
    return Outages(
        fails=[0] * count,
        repaired=[0] * count,  # so that the first failure is drawn at the first look
        domains=[domain for those in domains for domain in those],
        domains_from=domains_from,
        begins=[begin for begin, _ in every],
        ends=[end for _, end in every],
        windows_from=starts,
        window=starts[:-1],
    )


def outdated(outages: Outages, domain: int, now: int) -> bool:
    """Is the outage that is known over, so that the next has to be drawn?"""
    return outages.repaired[domain] <= now


def fail_again(outages: Outages, domain: int, after: int, repair: int) -> None:
    """The domain's next outage begins so long after the last one ended, and lasts so long."""
    outages.fails[domain] = min(outages.repaired[domain] + after, NEVER)
    outages.repaired[domain] = max(
        outages.repaired[domain] + 1, min(outages.fails[domain] + min(repair, NEVER - 1), NEVER)
    )


def there_from(outages: Outages, slot: int, now: int) -> int:
    """The time, now or later, from which the slot may be there; NEVER if not again."""
    found = now
    for place in range(outages.domains_from[slot], outages.domains_from[slot + 1]):
        domain = outages.domains[place]
        if outages.fails[domain] <= now:
            found = max(found, outages.repaired[domain])
    if has_windows(outages, slot):
        found = max(found, window_begins(outages, slot, now))
    return found


def has_windows(outages: Outages, slot: int) -> bool:
    return outages.windows_from[slot] < outages.windows_from[slot + 1]


def window_begins(outages: Outages, slot: int, now: int) -> int:
    """When the slot's current or next window begins; NEVER after the last."""
    while outages.window[slot] < outages.windows_from[slot + 1]:
        if now < outages.ends[outages.window[slot]]:
            return outages.begins[outages.window[slot]]
        outages.window[slot] += 1
    return NEVER


def wanted_back(outages: Outages, slot: int) -> int:
    """When the owner of a slot that is there wants it back."""
    return outages.ends[outages.window[slot]] if has_windows(outages, slot) else NEVER


def fails_next(outages: Outages, slot: int) -> int:
    """When the first of the domains of a slot that is there loses power."""
    found = NEVER
    for place in range(outages.domains_from[slot], outages.domains_from[slot + 1]):
        found = min(found, outages.fails[outages.domains[place]])
    return found
