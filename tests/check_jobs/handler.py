#!/usr/bin/env -S python3 -IS
"""As it should be: on SIGTERM it saves and exits, which counts with ON_EXIT_OR_EVICT."""

import os
import signal
import sys
import time

done, total = 0, 0
if os.path.exists("state"):
    with open("state") as file:
        done, total = map(int, file.read().split())


def save():
    with open("state.new", "w") as file:
        file.write(f"{done} {total}")
    os.replace("state.new", "state")


def leave(*_):
    save()
    sys.exit(0)


signal.signal(signal.SIGTERM, leave)
while done < 8:
    time.sleep(0.25)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    done += 1
    total += done * done
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
signal.signal(signal.SIGTERM, signal.SIG_IGN)
save()
with open("result", "w") as file:
    file.write(f"{total}\n")
