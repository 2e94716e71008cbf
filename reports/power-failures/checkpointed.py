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
INTERVAL = 9983.328  # seconds of computing between two checkpoints: 2 h 46 min 23 s
RESTART = 120.0  # seconds from the program's start until it computes on
BY_AGE = False  # True: as long as the table says for the age of the lease, one stay on a slot
TABLE = [
    # If computing begins at this age (in seconds), compute so many seconds, changing evenly to so
    # many at the next row's age; None: to the end, no further checkpoint would come through.
    (120.0, 9983.328, 9983.328),
    (5411.664, 9983.328, 9983.328),
    (15694.992, 9983.328, 9983.328),
    (25978.32, 9983.328, 9983.328),
    (36261.648, 9983.328, 9983.328),
    (46544.976, 9983.328, 9983.328),
    (56828.305, 9983.328, 9983.328),
    (67111.633, 9983.328, 9983.328),
    (77394.961, 9983.328, 9983.328),
    (87678.289, 9983.328, 9983.328),
    (97961.617, 9983.328, 9983.328),
    (108244.945, 9983.328, 9983.328),
    (118528.273, 9983.328, 9983.328),
    (128811.601, 9983.328, 9983.328),
    (139094.929, 9983.328, 9983.328),
    (149378.258, 9983.328, 9983.328),
    (159661.586, 9983.328, 9983.328),
    (169944.914, 9983.328, 9983.328),
    (180228.242, 9983.328, 9983.328),
    (190511.57, 9983.328, 9983.328),
    (200794.898, 9983.328, 9983.328),
    (211078.226, 9983.328, 9983.328),
    (221361.554, 9983.328, 9983.328),
    (231644.882, 9983.328, 9983.328),
    (241928.211, 9983.328, 9983.328),
    (252211.539, 9983.328, 9983.328),
    (262494.867, 9983.328, 9983.328),
    (272778.195, 9983.328, 9983.328),
    (283061.523, 9983.328, 9983.328),
    (293344.851, 9983.328, 9983.328),
    (303628.179, 9983.328, 9983.328),
    (313911.507, 9983.328, 9983.328),
    (324194.835, 9983.328, 9983.328),
    (334478.164, 9983.328, 9983.328),
    (344761.492, 9983.328, 9983.328),
    (355044.82, 9983.328, 9983.328),
    (365328.148, 9983.328, 9983.328),
    (375611.476, 9983.328, 9983.328),
    (385894.804, 9983.328, 9983.328),
    (396178.132, 9983.328, 9983.328),
    (406461.46, 9983.328, 9983.328),
    (416744.788, 9983.328, 9983.328),
    (427028.116, 9983.328, 9983.328),
    (437311.445, 9983.328, 9983.328),
    (447594.773, 9983.328, 9983.328),
    (457878.101, 9983.328, 9983.328),
    (468161.429, 9983.328, 9983.328),
    (478444.757, 9983.328, 9983.328),
    (488728.085, 9983.328, 9983.328),
    (499011.413, 9983.328, 9983.328),
    (509294.741, 9983.328, 9983.328),
    (519578.069, 9983.328, 9983.328),
    (529861.398, 9983.328, 9983.328),
    (540144.726, 9983.328, 9983.328),
    (550428.054, 9983.328, 9983.328),
    (560711.382, 9983.328, 9983.328),
    (570994.71, 9983.328, 9983.328),
    (581278.038, 9983.328, 9983.328),
    (591561.366, 9983.328, 9983.328),
    (601844.694, 9983.328, 9983.328),
    (612128.022, 9983.328, 9983.328),
    (622411.351, 9983.328, 9983.328),
    (632694.679, 9983.328, 9983.328),
    (642978.007, 9983.328, 9983.328),
    (653261.335, 9983.328, 9983.328),
    (663544.663, 9983.328, 9983.328),
    (673827.991, 9983.328, 9983.328),
    (684111.319, 9983.328, 9983.328),
    (694394.647, 9983.328, 9983.328),
    (704677.975, 9983.328, 9983.328),
    (714961.304, 9983.328, 9983.328),
    (725244.632, 9983.328, 9983.328),
    (735527.96, 9983.328, 9983.328),
    (745811.288, 9983.328, 9983.328),
    (756094.616, 9983.328, 9983.328),
    (766377.944, 9983.328, 9983.328),
    (776661.272, 9983.328, 9983.328),
    (786944.6, 9983.328, 9983.328),
    (797227.928, 9983.328, 9983.328),
    (807511.257, 9983.328, 9983.328),
    (817794.585, 9983.328, 9983.328),
    (828077.913, 9983.328, 9983.328),
    (838361.241, 9983.328, 9983.328),
    (848644.569, 9983.328, 9983.328),
    (858927.897, 9983.328, 9983.328),
    (869211.225, 9983.328, 9983.328),
    (879494.553, 9983.328, 9983.328),
    (889777.881, 9983.328, 9983.328),
    (900061.209, 9983.328, 9983.328),
    (910344.538, 9983.328, 9983.328),
    (920627.866, 9983.328, 9983.328),
    (930911.194, 9983.328, 9983.328),
    (941194.522, 9983.328, 9983.328),
    (951477.85, 9983.328, 9983.328),
    (961761.178, 9983.328, 9983.328),
    (972044.506, 9983.328, 9983.328),
    (982327.834, 9983.328, 9983.328),
    (992611.162, 9983.328, 9983.328),
    (1002894.491, 9983.328, 9983.328),
    (1013177.819, 9983.328, 9983.328),
    (1023461.147, 9983.328, 9983.328),
    (1033744.475, 9983.328, 9983.328),
    (1044027.803, 9983.328, 9983.328),
    (1054311.131, 9983.328, 9983.328),
    (1064594.459, 9983.328, 9983.328),
    (1074877.787, 9983.328, 9983.328),
    (1085161.115, 9983.328, 9983.328),
    (1095444.444, 9983.328, 9983.328),
    (1105727.772, 9983.328, 9983.328),
    (1116011.1, 9983.328, 9983.328),
    (1126294.428, 9983.328, 9983.328),
    (1136577.756, 9983.328, 9983.328),
    (1146861.084, 9983.328, 9983.328),
    (1157144.412, 9983.328, 9983.328),
    (1167427.74, 9983.328, 9983.328),
    (1177711.068, 9983.328, 9983.328),
    (1187994.397, 9983.328, 9983.328),
    (1198277.725, 9983.328, 9983.328),
    (1208561.053, 9983.328, 9983.328),
    (1218844.381, 9983.328, 9983.328),
    (1229127.709, 9983.328, 9983.328),
    (1239411.037, 9983.328, 9983.328),
    (1249694.365, 9983.328, 9983.328),
    (1259977.693, 9983.328, 9983.328),
    (1270261.021, 9983.328, 9983.328),
    (1280544.349, 9983.328, 9983.328),
    (1290827.678, 9983.328, 9983.328),
    (1301111.006, 9983.328, 9983.328),
    (1311394.334, 9983.328, 9983.328),
    (1321677.662, 9983.328, 9983.328),
    (1331960.99, 9983.328, 9983.328),
    (1342244.318, 9983.328, 9983.328),
    (1352527.646, 9983.328, 9983.328),
    (1362810.974, 9983.328, 9983.328),
    (1373094.302, 9983.328, 9983.328),
    (1383377.631, 9983.328, 9983.328),
    (1393660.959, 9983.328, 9983.328),
    (1403944.287, 9983.328, 9983.328),
    (1414227.615, 9983.328, 9983.328),
    (1424510.943, 9983.328, 9983.328),
    (1434794.271, 9983.328, 9983.328),
    (1445077.599, 9983.328, 9983.328),
    (1455360.927, 9983.328, 9983.328),
    (1465644.255, 9983.328, 9983.328),
    (1475927.584, 9983.328, 9983.328),
    (1486210.912, 9983.328, 9983.328),
    (1496494.24, 9983.328, 9983.328),
    (1506777.568, 9983.328, 9983.328),
    (1517060.896, 9983.328, 9983.328),
    (1527344.224, 9983.328, 9983.328),
    (1537627.552, 9983.328, 9983.328),
    (1547910.88, 9983.328, 9983.328),
    (1558194.208, 9983.328, 9983.328),
    (1568477.537, 9983.328, 9983.328),
    (1578760.865, 9983.328, 9983.328),
    (1589044.193, 9983.328, 9983.328),
    (1599327.521, 9983.328, 9983.328),
    (1609610.849, 9983.328, 9983.328),
    (1619894.177, 9983.328, 9983.328),
    (1630177.505, 9983.328, 9983.328),
    (1640460.833, 9983.328, 9983.328),
    (1650744.161, 9983.328, 9983.328),
    (1661027.489, 9983.328, 9983.328),
    (1671310.818, 9983.328, 9983.328),
    (1681594.146, 9983.328, 9983.328),
    (1691877.474, 9983.328, 9983.328),
    (1702160.802, 9983.328, 9983.328),
    (1712444.13, 9983.328, 9983.328),
    (1722727.458, 9983.328, 9983.328),
    (1733010.786, 9983.328, 9983.328),
    (1743294.114, 9983.328, 9983.328),
    (1753577.442, 9983.328, 9983.328),
    (1763860.771, 9983.328, 9983.328),
    (1774144.099, 9983.328, 9983.328),
    (1784427.427, 9983.328, 9983.328),
    (1794710.755, 9983.328, 9983.328),
    (1804994.083, 9983.328, 9983.328),
    (1815277.411, 9983.328, 9983.328),
    (1825560.739, 9983.328, 9983.328),
    (1835844.067, 9983.328, 9983.328),
    (1846127.395, 9983.328, 9983.328),
    (1856410.724, 9983.328, 9983.328),
    (1866694.052, 9983.328, 9983.328),
    (1876977.38, 9983.328, 9983.328),
    (1887260.708, 9983.328, 9983.328),
    (1897544.036, 9983.328, 9983.328),
    (1907827.364, 9983.328, 9983.328),
    (1918110.692, 9983.328, 9983.328),
    (1928394.02, 9983.328, 9983.328),
    (1938677.348, 9983.328, 9983.328),
    (1948960.677, 9983.328, 9983.328),
    (1959244.005, 9983.328, 9983.328),
    (1969527.333, 9983.328, 9983.328),
    (1979810.661, 9983.328, 9983.328),
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
