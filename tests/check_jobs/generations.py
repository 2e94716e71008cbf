#!/usr/bin/env -S python3 -IS
"""As it should be: two checkpoints in turn, each with a checksum; takes the last good one."""

import sys
import time
import zlib


def read(name):
    try:
        with open(name, "rb") as file:
            words, check = file.read().rsplit(b" ", 1)
        done, total = map(int, words.split())
        return (done, total) if zlib.crc32(words) == int(check) else (0, 0)
    except (OSError, ValueError):
        return 0, 0


done, total = max(read("even"), read("odd"))
for step in range(done + 1, 9):
    time.sleep(0.12)
    total += step * step
    words = f"{step} {total}".encode()
    with open("even" if step % 4 < 2 else "odd", "wb") as file:
        file.write(words + b" %d" % zlib.crc32(words))
    if step % 2 == 0 and step < 8:
        sys.exit(85)
with open("result", "w") as file:
    file.write(f"{total}\n")
