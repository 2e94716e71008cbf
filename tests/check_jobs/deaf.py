#!/usr/bin/env -S python3 -IS
"""Planted: it takes no notice of SIGTERM."""

import os
import signal
import sys
import time

done, total = 0, 0
if os.path.exists("state"):
    with open("state") as file:
        done, total = map(int, file.read().split())
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for step in range(done + 1, 5):
    time.sleep(1.2)
    total += step * step
    with open("state.new", "w") as file:
        file.write(f"{step} {total}")
    os.replace("state.new", "state")
    if step % 2 == 0 and step < 4:
        sys.exit(85)
with open("result", "w") as file:
    file.write(f"{total}\n")
