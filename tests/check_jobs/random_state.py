#!/usr/bin/env -S python3 -IS
"""Planted: the state of its random numbers is in no list."""

import os
import pickle
import random
import sys
import time

done, total = 0, 0
chance = random.Random(1)
if os.path.exists("state"):
    with open("state") as file:
        done, total = map(int, file.read().split())
if os.path.exists("random"):
    with open("random", "rb") as file:
        chance.setstate(pickle.load(file))
for step in range(done + 1, 9):
    time.sleep(0.12)
    total += chance.randrange(10**6)
    with open("random", "wb") as file:
        pickle.dump(chance.getstate(), file)
    with open("state.new", "w") as file:
        file.write(f"{step} {total}")
    os.replace("state.new", "state")
    if step % 2 == 0 and step < 8:
        sys.exit(85)
with open("result", "w") as file:
    file.write(f"{total}\n")
