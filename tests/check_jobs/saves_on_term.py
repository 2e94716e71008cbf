#!/usr/bin/env -S python3 -IS
"""Planted: it saves on SIGTERM, which is thrown away."""

import os
import signal
import sys
import time

done, total = 0, 0
if os.path.exists("state"):
    with open("state") as file:
        done, total = map(int, file.read().split())


def save(*_):
    with open("state", "w") as file:
        file.write(f"{done} {total}")
    sys.exit(85)


signal.signal(signal.SIGTERM, save)
for step in range(done + 1, 9):
    time.sleep(0.2)
    total += step * step
    with open("state.new", "w") as file:
        file.write(f"{step} {total}")
    os.replace("state.new", "state")
    if step % 2 == 0 and step < 8:
        sys.exit(85)
with open("result", "w") as file:
    file.write(f"{total}\n")
