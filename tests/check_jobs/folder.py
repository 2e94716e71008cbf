#!/usr/bin/env -S python3 -IS
"""As it should be: its checkpoint is a folder that is made anew and renamed."""

import os
import shutil
import sys
import time

done, total = 0, 0
if os.path.exists("ckpt/step"):
    with open("ckpt/step") as file:
        done = int(file.read())
    with open("ckpt/total") as file:
        total = int(file.read().removesuffix("."))
for step in range(done + 1, 9):
    time.sleep(0.12)
    total += step * step
    shutil.rmtree("next", ignore_errors=True)
    os.mkdir("next")
    with open("next/step", "w") as file:
        file.write(str(step))
    with open("next/total", "w") as file:
        file.write(f"{total}.")
    shutil.rmtree("ckpt", ignore_errors=True)
    os.rename("next", "ckpt")
    if step % 2 == 0 and step < 8:
        sys.exit(85)
with open("result", "w") as file:
    file.write(f"{total}\n")
