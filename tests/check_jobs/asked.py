#!/usr/bin/env -S python3 -IS
"""As it should be: asked by SIGUSR1 it saves and exits with 85."""

import os
import signal
import sys
import time

done, total = 0, 0
if os.path.exists("state"):
    with open("state") as file:
        done, total = map(int, file.read().split())
asked = False


def ask(*_):
    global asked
    asked = True


signal.signal(signal.SIGUSR1, ask)
for step in range(done + 1, 17):
    time.sleep(0.25)
    total += step * step
    with open("state.new", "w") as file:
        file.write(f"{step} {total}")
    os.replace("state.new", "state")
    if asked:
        sys.exit(85)
with open("result", "w") as file:
    file.write(f"{total}\n")
