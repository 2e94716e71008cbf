#!/usr/bin/env -S python3 -IS
"""Planted: its checkpoint grows by all that it has seen."""

import os
import sys
import time

done, total = 0, 0
if os.path.exists("state"):
    with open("state") as file:
        done, total = map(int, file.read().split()[:2])
for step in range(done + 1, 9):
    time.sleep(0.12)
    total += step * step
    with open("state.new", "w") as file:
        file.write(f"{step} {total}\n" + "x \n" * 40_000 * step)
    os.replace("state.new", "state")
    if step % 2 == 0 and step < 8:
        sys.exit(85)
with open("result", "w") as file:
    file.write(f"{total}\n")
