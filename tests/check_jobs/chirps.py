#!/usr/bin/env -S python3 -IS
"""As it should be: it fetches and puts its checkpoint itself."""

import subprocess
import time

done, total = 0, 0
if subprocess.run(["condor_chirp", "fetch", "kept", "state"], capture_output=True).returncode == 0:
    with open("state") as file:
        done, total = map(int, file.read().split())
for step in range(done + 1, 9):
    time.sleep(0.3)
    total += step * step
    with open("state", "w") as file:
        file.write(f"{step} {total}")
    subprocess.run(["condor_chirp", "put", "state", "kept"], check=True)
with open("result", "w") as file:
    file.write(f"{total}\n")
