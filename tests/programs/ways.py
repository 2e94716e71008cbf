"""Counts to a goal, in one of the ways in which programs checkpoint; then it writes a result.

ways.py GOAL WAY: it saves its count twice a second and `goes on` or `ends`; it saves when `told` by
SIGUSR1, and ends; or it does not save at all (`none`).
"""

import os
import signal
import sys
import time

goal, way = int(sys.argv[1]), sys.argv[2]
count = int(open("count").read()) if os.path.exists("count") else 0


def save(*_):
    with open("count", "w") as file:
        file.write(str(count))
    print("saved", count, flush=True)
    if way != "goes on":
        sys.exit(0)


if way == "told":
    signal.signal(signal.SIGUSR1, save)
while count < goal:
    time.sleep(0.1)
    count += 1
    if way in ("goes on", "ends") and count % 5 == 0 and count < goal:
        save()
with open("result", "w") as file:
    file.write("counted to %d\n" % count)
