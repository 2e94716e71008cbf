#!/usr/bin/env -S python3 -IS
"""Planted: its final exit code is that of a checkpoint, for ever."""

import os
import sys
import time

done, total = 0, 0
if os.path.exists("state"):
    with open("state") as file:
        done, total = map(int, file.read().split())
for step in range(done + 1, 9):
    time.sleep(0.12)
    total += step * step
    with open("state.new", "w") as file:
        file.write(f"{step} {total}")
    os.replace("state.new", "state")
    if step % 2 == 0:
        sys.exit(85)
with open("result", "w") as file:
    file.write(f"{total}\n")
sys.exit(85)
