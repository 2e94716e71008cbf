#!/usr/bin/env -S python3 -IS
"""Planted: it takes no notice of SIGTERM, so nothing is saved when it is evicted."""

import os
import signal
import time

done, total = 0, 0
if os.path.exists("state"):
    with open("state") as file:
        done, total = map(int, file.read().split())
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for step in range(done + 1, 9):
    time.sleep(0.5)
    total += step * step
    with open("state.new", "w") as file:
        file.write(f"{step} {total}")
    os.replace("state.new", "state")
with open("result", "w") as file:
    file.write(f"{total}\n")
