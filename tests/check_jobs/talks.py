#!/usr/bin/env -S python3 -IS
"""As it should be: says each step at once, and goes on in its output where it was."""

import os
import sys
import time

done, total = 0, 0
if os.path.exists("state"):
    with open("state") as file:
        done, total = map(int, file.read().split())
print("from", done, flush=True)
for step in range(done + 1, 9):
    time.sleep(0.12)
    total += step * step
    print(step, total, flush=True)
    with open("state.new", "w") as file:
        file.write(f"{step} {total}")
    os.replace("state.new", "state")
    if step % 2 == 0 and step < 8:
        sys.exit(85)
with open("result", "w") as file:
    file.write(f"{total}\n")
