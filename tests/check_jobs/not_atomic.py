#!/usr/bin/env -S python3 -IS
"""Planted: it writes in place, slowly, and can be evicted in the midst of it."""

import os
import time

done, total = 0, 0
if os.path.exists("state"):
    with open("state") as file:
        done, total = map(int, file.read().split())
for step in range(done + 1, 9):
    time.sleep(0.2)
    total += step * step
    with open("state", "w") as file:
        file.write(f"{step} ")
        file.flush()
        time.sleep(0.1)
        file.write(f"{total}")
with open("result", "w") as file:
    file.write(f"{total}\n")
