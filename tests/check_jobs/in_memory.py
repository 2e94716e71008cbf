#!/usr/bin/env -S python3 -IS
"""Planted: half of what it knows is in memory alone."""

import os
import time

done, total = 0, 0
if os.path.exists("state"):
    with open("state") as file:
        done = int(file.read())
for step in range(done + 1, 9):
    time.sleep(0.25)
    total += step * step
    with open("state.new", "w") as file:
        file.write(f"{step}")
    os.replace("state.new", "state")
with open("result", "w") as file:
    file.write(f"{total}\n")
