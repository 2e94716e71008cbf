"""What JavaScript answers in V8, Chromium's engine: in a process of its own, that cannot hang.

    python tests/v8.py < SCRIPT

prints what the script's last expression, a text, comes to.
"""

import json
import subprocess
import sys

import pytest

WITHIN_S = 240  # also where all other processors are busy


def answers(script, name, rows):
    """What the script's function answers; a row is what one call is given."""
    pytest.importorskip("py_mini_racer")
    asked = f"{script}\nJSON.stringify({json.dumps(rows)}.map((row) => {name}(...row)))"
    ended = subprocess.run(
        [sys.executable, __file__],
        check=False,
        input=asked,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


if __name__ == "__main__":
    from py_mini_racer import MiniRacer

    print(MiniRacer().eval(sys.stdin.read()))
