#!/usr/bin/env -S python3 -IS
"""Planted: its lock is in the checkpoint, and elsewhere it believes that it runs already."""

import os
import sys
import time

done, total = 0, 0
if os.path.exists("state"):
    with open("state") as file:
        done, total = map(int, file.read().split())
if os.path.exists("lock"):
    with open("lock") as file:
        if file.read() != os.getcwd():
            sys.exit("another one is running")
with open("lock", "w") as file:
    file.write(os.getcwd())
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
