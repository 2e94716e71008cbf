#!/usr/bin/env -S python3 -IS
"""Planted: a child writes the checkpoint after the exit that says it is there."""

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
    if step % 2 == 0 and step < 8:
        if os.fork() == 0:
            time.sleep(0.4)
            with open("state", "w") as file:
                file.write(f"{step} {total}")
            os._exit(0)
        with open("state", "a") as file:
            file.write("" if done else "0 0")
        sys.exit(85)
with open("result", "w") as file:
    file.write(f"{total}\n")
