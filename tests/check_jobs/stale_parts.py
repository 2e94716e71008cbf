#!/usr/bin/env -S python3 -IS
"""Planted: what it deleted comes back, and it sums up all that it finds."""

import glob
import os
import sys
import time

total, done = 0, 0
for name in glob.glob("part.*"):
    with open(name) as file:
        total += int(file.read())
    done = max(done, int(name.removeprefix("part.")))
for step in range(done + 1, 9):
    time.sleep(0.12)
    total += step * step
    for name in glob.glob("part.*"):
        os.unlink(name)
    with open(f"part.{step}", "w") as file:
        file.write(str(total))
    if step % 2 == 0 and step < 8:
        sys.exit(85)
with open("result", "w") as file:
    file.write(f"{total}\n")
