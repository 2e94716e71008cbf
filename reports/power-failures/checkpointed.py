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

# The answer for "power-failures"
# Made by: ckptsim plan scenarios/power-failures.toml
INTERVAL = 9983.329  # seconds of computing between two checkpoints: 2 h 46 min 23 s
RESTART = 120.0  # seconds from the program's start until it computes on
BY_AGE = False  # True: as long as the table says for the age of the lease, one stay on a slot
TABLE = [
    # If computing begins at this age (in seconds), compute so many seconds, changing evenly to so
    # many at the next row's age; None: to the end, no further checkpoint would come through.
    (120.0, 9983.329, 9983.329),
    (5411.665, 9983.329, 9983.329),
    (15694.994, 9983.329, 9983.329),
    (25978.323, 9983.329, 9983.329),
    (36261.652, 9983.329, 9983.329),
    (46544.981, 9983.329, 9983.329),
    (56828.311, 9983.329, 9983.329),
    (67111.64, 9983.329, 9983.329),
    (77394.969, 9983.329, 9983.329),
    (87678.298, 9983.329, 9983.329),
    (97961.627, 9983.329, 9983.329),
    (108244.957, 9983.329, 9983.329),
    (118528.286, 9983.329, 9983.329),
    (128811.615, 9983.329, 9983.329),
    (139094.944, 9983.329, 9983.329),
    (149378.273, 9983.329, 9983.329),
    (159661.603, 9983.329, 9983.329),
    (169944.932, 9983.329, 9983.329),
    (180228.261, 9983.329, 9983.329),
    (190511.59, 9983.329, 9983.329),
    (200794.919, 9983.329, 9983.329),
    (211078.249, 9983.329, 9983.329),
    (221361.578, 9983.329, 9983.329),
    (231644.907, 9983.329, 9983.329),
    (241928.236, 9983.329, 9983.329),
    (252211.565, 9983.329, 9983.329),
    (262494.895, 9983.329, 9983.329),
    (272778.224, 9983.329, 9983.329),
    (283061.553, 9983.329, 9983.329),
    (293344.882, 9983.329, 9983.329),
    (303628.211, 9983.329, 9983.329),
    (313911.54, 9983.329, 9983.329),
    (324194.87, 9983.329, 9983.329),
    (334478.199, 9983.329, 9983.329),
    (344761.528, 9983.329, 9983.329),
    (355044.857, 9983.329, 9983.329),
    (365328.186, 9983.329, 9983.329),
    (375611.516, 9983.329, 9983.329),
    (385894.845, 9983.329, 9983.329),
    (396178.174, 9983.329, 9983.329),
    (406461.503, 9983.329, 9983.329),
    (416744.832, 9983.329, 9983.329),
    (427028.162, 9983.329, 9983.329),
    (437311.491, 9983.329, 9983.329),
    (447594.82, 9983.329, 9983.329),
    (457878.149, 9983.329, 9983.329),
    (468161.478, 9983.329, 9983.329),
    (478444.808, 9983.329, 9983.329),
    (488728.137, 9983.329, 9983.329),
    (499011.466, 9983.329, 9983.329),
    (509294.795, 9983.329, 9983.329),
    (519578.124, 9983.329, 9983.329),
    (529861.454, 9983.329, 9983.329),
    (540144.783, 9983.329, 9983.329),
    (550428.112, 9983.329, 9983.329),
    (560711.441, 9983.329, 9983.329),
    (570994.77, 9983.329, 9983.329),
    (581278.1, 9983.329, 9983.329),
    (591561.429, 9983.329, 9983.329),
    (601844.758, 9983.329, 9983.329),
    (612128.087, 9983.329, 9983.329),
    (622411.416, 9983.329, 9983.329),
    (632694.746, 9983.329, 9983.329),
    (642978.075, 9983.329, 9983.329),
    (653261.404, 9983.329, 9983.329),
    (663544.733, 9983.329, 9983.329),
    (673828.062, 9983.329, 9983.329),
    (684111.392, 9983.329, 9983.329),
    (694394.721, 9983.329, 9983.329),
    (704678.05, 9983.329, 9983.329),
    (714961.379, 9983.329, 9983.329),
    (725244.708, 9983.329, 9983.329),
    (735528.038, 9983.329, 9983.329),
    (745811.367, 9983.329, 9983.329),
    (756094.696, 9983.329, 9983.329),
    (766378.025, 9983.329, 9983.329),
    (776661.354, 9983.329, 9983.329),
    (786944.684, 9983.329, 9983.329),
    (797228.013, 9983.329, 9983.329),
    (807511.342, 9983.329, 9983.329),
    (817794.671, 9983.329, 9983.329),
    (828078.0, 9983.329, 9983.329),
    (838361.33, 9983.329, 9983.329),
    (848644.659, 9983.329, 9983.329),
    (858927.988, 9983.329, 9983.329),
    (869211.317, 9983.329, 9983.329),
    (879494.646, 9983.329, 9983.329),
    (889777.976, 9983.329, 9983.329),
    (900061.305, 9983.329, 9983.329),
    (910344.634, 9983.329, 9983.329),
    (920627.963, 9983.329, 9983.329),
    (930911.292, 9983.329, 9983.329),
    (941194.621, 9983.329, 9983.329),
    (951477.951, 9983.329, 9983.329),
    (961761.28, 9983.329, 9983.329),
    (972044.609, 9983.329, 9983.329),
    (982327.938, 9983.329, 9983.329),
    (992611.267, 9983.329, 9983.329),
    (1002894.597, 9983.329, 9983.329),
    (1013177.926, 9983.329, 9983.329),
    (1023461.255, 9983.329, 9983.329),
    (1033744.584, 9983.329, 9983.329),
    (1044027.913, 9983.329, 9983.329),
    (1054311.243, 9983.329, 9983.329),
    (1064594.572, 9983.329, 9983.329),
    (1074877.901, 9983.329, 9983.329),
    (1085161.23, 9983.329, 9983.329),
    (1095444.559, 9983.329, 9983.329),
    (1105727.889, 9983.329, 9983.329),
    (1116011.218, 9983.329, 9983.329),
    (1126294.547, 9983.329, 9983.329),
    (1136577.876, 9983.329, 9983.329),
    (1146861.205, 9983.329, 9983.329),
    (1157144.535, 9983.329, 9983.329),
    (1167427.864, 9983.329, 9983.329),
    (1177711.193, 9983.329, 9983.329),
    (1187994.522, 9983.329, 9983.329),
    (1198277.851, 9983.329, 9983.329),
    (1208561.181, 9983.329, 9983.329),
    (1218844.51, 9983.329, 9983.329),
    (1229127.839, 9983.329, 9983.329),
    (1239411.168, 9983.329, 9983.329),
    (1249694.497, 9983.329, 9983.329),
    (1259977.827, 9983.329, 9983.329),
    (1270261.156, 9983.329, 9983.329),
    (1280544.485, 9983.329, 9983.329),
    (1290827.814, 9983.329, 9983.329),
    (1301111.143, 9983.329, 9983.329),
    (1311394.473, 9983.329, 9983.329),
    (1321677.802, 9983.329, 9983.329),
    (1331961.131, 9983.329, 9983.329),
    (1342244.46, 9983.329, 9983.329),
    (1352527.789, 9983.329, 9983.329),
    (1362811.119, 9983.329, 9983.329),
    (1373094.448, 9983.329, 9983.329),
    (1383377.777, 9983.329, 9983.329),
    (1393661.106, 9983.329, 9983.329),
    (1403944.435, 9983.329, 9983.329),
    (1414227.765, 9983.329, 9983.329),
    (1424511.094, 9983.329, 9983.329),
    (1434794.423, 9983.329, 9983.329),
    (1445077.752, 9983.329, 9983.329),
    (1455361.081, 9983.329, 9983.329),
    (1465644.411, 9983.329, 9983.329),
    (1475927.74, 9983.329, 9983.329),
    (1486211.069, 9983.329, 9983.329),
    (1496494.398, 9983.329, 9983.329),
    (1506777.727, 9983.329, 9983.329),
    (1517061.056, 9983.329, 9983.329),
    (1527344.386, 9983.329, 9983.329),
    (1537627.715, 9983.329, 9983.329),
    (1547911.044, 9983.329, 9983.329),
    (1558194.373, 9983.329, 9983.329),
    (1568477.702, 9983.329, 9983.329),
    (1578761.032, 9983.329, 9983.329),
    (1589044.361, 9983.329, 9983.329),
    (1599327.69, 9983.329, 9983.329),
    (1609611.019, 9983.329, 9983.329),
    (1619894.348, 9983.329, 9983.329),
    (1630177.678, 9983.329, 9983.329),
    (1640461.007, 9983.329, 9983.329),
    (1650744.336, 9983.329, 9983.329),
    (1661027.665, 9983.329, 9983.329),
    (1671310.994, 9983.329, 9983.329),
    (1681594.324, 9983.329, 9983.329),
    (1691877.653, 9983.329, 9983.329),
    (1702160.982, 9983.329, 9983.329),
    (1712444.311, 9983.329, 9983.329),
    (1722727.64, 9983.329, 9983.329),
    (1733010.97, 9983.329, 9983.329),
    (1743294.299, 9983.329, 9983.329),
    (1753577.628, 9983.329, 9983.329),
    (1763860.957, 9983.329, 9983.329),
    (1774144.286, 9983.329, 9983.329),
    (1784427.616, 9983.329, 9983.329),
    (1794710.945, 9983.329, 9983.329),
    (1804994.274, 9983.329, 9983.329),
    (1815277.603, 9983.329, 9983.329),
    (1825560.932, 9983.329, 9983.329),
    (1835844.262, 9983.329, 9983.329),
    (1846127.591, 9983.329, 9983.329),
    (1856410.92, 9983.329, 9983.329),
    (1866694.249, 9983.329, 9983.329),
    (1876977.578, 9983.329, 9983.329),
    (1887260.908, 9983.329, 9983.329),
    (1897544.237, 9983.329, 9983.329),
    (1907827.566, 9983.329, 9983.329),
    (1918110.895, 9983.329, 9983.329),
    (1928394.224, 9983.329, 9983.329),
    (1938677.554, 9983.329, 9983.329),
    (1948960.883, 9983.329, 9983.329),
    (1959244.212, 9983.329, 9983.329),
    (1969527.541, 9983.329, 9983.329),
    (1979810.87, 9983.329, 9983.329),
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
