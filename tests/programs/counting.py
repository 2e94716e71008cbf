"""Computes by sleeping until SIGUSR1, then takes a random time to save how long, and ends.

counting.py SEED JOB TOLD MEAN_S: the time to save is exponential, keyed by seed, job and how often
it was started, for what is lost is to be tried with another time. In the file TOLD it says when it
started and saved, of which lease, and after how much computing.
"""

import random
import signal
import sys
import time
from pathlib import Path

seed, job, told, mean_s = sys.argv[1:]
state = Path("work")
work = float(state.read_text()) if state.exists() else 0.0
began = time.time()


def say(what):
    with Path(told).open("a") as file:
        file.write(f"{what} {time.time()} {Path('.job.ad').stat().st_mtime} {work}\n")


say("started")
starts = Path(told).read_text().count("started")
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
signal.sigwait([signal.SIGUSR1])
work += time.time() - began
time.sleep(random.Random(f"{seed} {job} {starts}").expovariate(1 / float(mean_s)))
state.write_text(repr(work))
say("saved")
