#!/usr/bin/env -S python3 -IS
"""Planted: a torn checkpoint is taken for what it seems to be."""

import os
import sys
import time

done, total = 0, 0
if os.path.exists("state"):
    with open("state", errors="replace") as file:
        words = [int(word) for word in file.read().split() if word.isdecimal()]
    done, total = (words + [0, 0])[:2]
for step in range(done + 1, 9):
    time.sleep(0.12)
    total += step * step
    with open("state.new", "w") as file:
        file.write(f"{step} {total}")
    os.replace("state.new", "state")
    if step % 2 == 0 and step < 8:
        sys.exit(85)
with open("result", "w") as file:
    file.write(f"{total}\n")
