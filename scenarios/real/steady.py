#!/usr/bin/env python3
"""A job that checkpoints as HTCondor's manual asks, and takes as long as it is told to.

steady.py WORK INTERVAL WRITE RESTART COLD_START: seconds of computing in all, and between two
checkpoints; what it takes to write one, to start from one, and to start from nothing. It computes
by sleeping. After each checkpoint it exits with 85; with nothing left to do, with 0.

Where ckptsim runs it, it says what it does when, by lines such as `computing 1796000000000000000`
in the file that CKPTSIM_MARKS names; elsewhere it does without.
"""

import os
import sys
import time

CHECKPOINT = "steady.checkpoint"
CHECKPOINT_EXIT = 85


def born():
    """When this process began: the interpreter's own start is part of the restart."""
    with open("/proc/self/stat") as file:
        ticks = int(file.read().rpartition(")")[2].split()[19])
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")


def mark(phase):
    if "CKPTSIM_MARKS" in os.environ:
        with open(os.environ["CKPTSIM_MARKS"], "a") as file:
            file.write(f"{phase} {time.time_ns()}\n")


def sleep_until(end):
    time.sleep(max(0.0, end - time.time()))


def main():
    work, interval, write, restart, cold_start = map(float, sys.argv[1:])
    mark("starting")
    done = 0.0
    if os.path.exists(CHECKPOINT):
        with open(CHECKPOINT) as file:
            done = float(file.read())
    sleep_until(born() + (restart if done else cold_start))
    print(f"computing from {done:g} s", flush=True)
    begun = time.time()
    mark("computing")
    block = min(interval, work - done)
    sleep_until(begun + block)
    if done + block >= work:
        sys.exit(0)
    begun = time.time()
    mark("writing")
    with open(CHECKPOINT + ".new", "w") as file:
        file.write(repr(done + block))
    sleep_until(begun + write)
    os.replace(CHECKPOINT + ".new", CHECKPOINT)
    sys.exit(CHECKPOINT_EXIT)


main()
