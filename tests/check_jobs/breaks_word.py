#!/usr/bin/env -S python3 -IS
"""Planted: asked for a checkpoint it ends with another code."""

import os
import signal
import sys
import time

done, total = 0, 0
if os.path.exists("state"):
    with open("state") as file:
        done, total = map(int, file.read().split())
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(7))
for step in range(done + 1, 17):
    time.sleep(0.25)
    total += step * step
    with open("state.new", "w") as file:
        file.write(f"{step} {total}")
    os.replace("state.new", "state")
with open("result", "w") as file:
    file.write(f"{total}\n")
