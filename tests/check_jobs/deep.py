#!/usr/bin/env -S python3 -IS
"""Planted: its checkpoint is in a folder, which a transfer does not keep."""

import os
import sys
import time

done, total = 0, 0
os.makedirs("deep/er", exist_ok=True)
if os.path.exists("deep/er/state"):
    with open("deep/er/state") as file:
        done, total = map(int, file.read().split())
for step in range(done + 1, 9):
    time.sleep(0.12)
    total += step * step
    with open("deep/er/state.new", "w") as file:
        file.write(f"{step} {total}")
    os.replace("deep/er/state.new", "deep/er/state")
    if step % 2 == 0 and step < 8:
        sys.exit(85)
with open("result", "w") as file:
    file.write(f"{total}\n")
