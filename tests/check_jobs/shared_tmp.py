#!/usr/bin/env -S python3 -IS
"""Planted: its checkpoint is in /tmp, the listed file is only a sign."""

import os
import sys
import time

done, total = 0, 0
if os.path.exists("/tmp/ckptsim-shared-checkpoint"):
    with open("/tmp/ckptsim-shared-checkpoint") as file:
        done, total = map(int, file.read().split())
for step in range(done + 1, 9):
    time.sleep(0.12)
    total += step * step
    with open("/tmp/ckptsim-shared-new", "w") as file:
        file.write(f"{step} {total}")
    os.replace("/tmp/ckptsim-shared-new", "/tmp/ckptsim-shared-checkpoint")
    with open("sign", "w") as file:
        file.write(str(step))
    if step % 2 == 0 and step < 8:
        sys.exit(85)
with open("result", "w") as file:
    file.write(f"{total}\n")
os.unlink("/tmp/ckptsim-shared-checkpoint")
