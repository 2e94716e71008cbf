#!/usr/bin/env -S python3 -IS
"""Planted: with an empty checkpoint it starts over, but not with its result."""

import os
import sys
import time

done, total = 0, 0
if os.path.exists("state"):
    with open("state") as file:
        words = file.read().split()
    done, total = map(int, words) if words else (0, 0)
for step in range(done + 1, 9):
    time.sleep(0.12)
    with open("result", "a") as file:
        file.write(f"{step}\n")
    total += step * step
    with open("state.new", "w") as file:
        file.write(f"{step} {total}")
    os.replace("state.new", "state")
    if step % 2 == 0 and step < 8:
        sys.exit(85)
