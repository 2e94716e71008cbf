#!/usr/bin/env python3
"""Run a program that saves when told to, and tell it when it pays: an executable for HTCondor.

    checkpointed.py CHECKPOINT PROGRAM [ARGUMENT ...]

CHECKPOINT is the file or directory the program saves to, and goes on from when it finds it there;
several with commas between. When its time is up the program gets SIGNAL, saves and ends. A program
that counts the time by itself gets it instead of {seconds} in an argument, and exits with 85 when
it has saved. Of a shell script only the shell gets the signal: have it `exec` the program.

Exits with 85 when there is a new checkpoint, which HTCondor then transfers to start this again in
the same directory; else with the program's own exit code.
"""

import os
import signal
import subprocess
import sys
import time

# The answer for "overnight-desktops"
# Made by: ckptsim plan scenarios/overnight-desktops.toml
INTERVAL = 7020.0  # seconds of computing between two checkpoints: 1 h 57 min
RESTART = 60.0  # seconds from the program's start until it computes on
BY_AGE = False  # True: as long as the table says for the age of the lease, one stay on a slot
TABLE = [
    # If computing begins at this age (in seconds), compute so many seconds, changing evenly to so
    # many at the next row's age; None: to the end, no further checkpoint would come through.
    (60.0, 16664.876, 16664.876),
    (8572.438, 8193.003, 8193.003),
    (21181.377, 5792.125, 5792.125),
    (28353.941, 4629.997, 4629.997),
    (33685.002, None, None),
]
LEAVE_AFTER = None  # seconds: by the table, a checkpoint later in the lease is its last

# How your program does it
SIGNAL = signal.SIGTERM  # on this it saves and ends,
SAVED = (0, 85, -SIGNAL, 128 + SIGNAL)  # with one of these exit codes, or by the signal (minus)
PATIENCE = 600  # seconds it may take to; if it takes longer, that is told

CHECKPOINTED = 85  # checkpoint_exit_code in job.sub
LEAVING = 77  # on_exit_remove in job.sub
TO_THE_END = 10**8  # seconds: three years


def age_of_lease():
    """Seconds since this stay on a slot began; 0 where there is no HTCondor.

    HTCondor writes .job.ad when a stay begins, before it transfers the input, and not again when
    it restarts a job after a checkpoint. A file of our own could come back with a checkpoint.
    """
    return time.time() - os.path.getmtime(".job.ad") if os.path.exists(".job.ad") else 0


def by_table(age):
    """How long to compute if that begins at this age; None: to the end."""
    place = max(sum(row[0] <= age for row in TABLE) - 1, 0)
    begins, first, last = TABLE[place]
    if first is None or age <= begins or place + 1 == len(TABLE):
        return first
    return first + (last - first) * (age - begins) / (TABLE[place + 1][0] - begins)


def seconds_to_run():
    """From the program's start until it is to save."""
    compute = by_table(age_of_lease() + RESTART) if BY_AGE else INTERVAL
    return TO_THE_END if compute is None else RESTART + compute


def leaves():
    """Is it time to leave the slot? Only after a checkpoint on it, so that each stay has one."""
    had_checkpoint = os.environ.get("_CONDOR_JOB_PIDS")  # of the starts before this, on this slot
    return BY_AGE and LEAVE_AFTER is not None and had_checkpoint and age_of_lease() > LEAVE_AFTER


def state(paths):
    """What a new checkpoint changes: the time, size and inode of each file, in directories too."""
    walks = [walk for path in paths for walk in os.walk(path)]
    files = paths + [os.path.join(at, name) for at, _, names in walks for name in names]
    stats = {path: os.stat(path) for path in files if os.path.exists(path)}
    return {path: (stat.st_mtime_ns, stat.st_size, stat.st_ino) for path, stat in stats.items()}


def run(command, seconds):
    """Run it, have it save after so long; its exit code (minus: a signal), and if it was asked."""
    program = subprocess.Popen(command)
    asked = []

    def ask(number, _):
        """Its time is up (SIGALRM), or HTCondor takes the slot back (SIGTERM)."""
        if not asked:
            asked.append(number)
            signal.alarm(PATIENCE)
            program.send_signal(SIGNAL)
        elif number == signal.SIGALRM:
            say("has not ended in the %d s since it got signal %d; waiting on" % (PATIENCE, SIGNAL))

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGALRM, ask)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    return program.wait(), bool(asked)


def say(what):
    print("checkpointed.py: the program", what, file=sys.stderr, flush=True)


def main(checkpoint, *command):
    """Run the program until it has saved or is done; the exit code that says which."""
    if leaves():
        return LEAVING
    paths, seconds = checkpoint.split(","), seconds_to_run()
    told = [argument.replace("{seconds}", "%d" % seconds) for argument in command]
    before = state(paths)
    code, asked = run(told, seconds if told == list(command) else TO_THE_END)
    after = state(paths)
    new = before != after and all(path in after for path in paths)
    if asked and new and code in SAVED:
        return CHECKPOINTED
    if asked:
        say("ended with %d when asked to save; new checkpoint: %s" % (code, "yes" if new else "no"))
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) > 2 else __doc__)
