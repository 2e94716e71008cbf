#!/usr/bin/env -S python3 -IS
"""As it should be, for an early exit: its checkpoint is an input file, 0 at first."""

import os
import sys
import time

done, total = 0, 0
with open("state") as file:
    done, total = map(int, file.read().split())
for step in range(done + 1, 9):
    time.sleep(0.12)
    total += step * step
    with open("state.new", "w") as file:
        file.write(f"{step} {total}")
    os.replace("state.new", "state")
    if step % 2 == 0 and step < 8:
        sys.exit(77)
with open("result", "w") as file:
    file.write(f"{total}\n")
