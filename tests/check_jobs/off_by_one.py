#!/usr/bin/env -S python3 -IS
"""Planted: after a restart it skips a step."""

import os
import time

done, total = 0, 0
if os.path.exists("state"):
    with open("state") as file:
        done, total = map(int, file.read().split())
for step in range(done + 1 + bool(done), 9):
    time.sleep(0.25)
    total += step * step
    with open("state.new", "w") as file:
        file.write(f"{step} {total}")
    os.replace("state.new", "state")
with open("result", "w") as file:
    file.write(f"{total}\n")
