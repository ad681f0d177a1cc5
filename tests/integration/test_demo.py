"""The demo as a whole, and that it leaves nothing behind, however it ends."""
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stores import BUILD

ROOT = Path(__file__).resolve().parent.parent.parent
DEMO = [sys.executable, str(ROOT / "tools/demo.py")]
ENVIRONMENT = {**os.environ, "FAERING_BUILD": str(BUILD)}
LOCAL = Path("/var/lib/faering/local")


def left_behind() -> list[str]:
    """Processes, mounts and disks of local machines in the default directory."""
    left = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(LOCAL) in line]
    left += [str(path) for path in LOCAL.glob("m[0-9]*")]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "comm").read_text().strip()
            if name in ("faering-init", "faering-machine") and os.readlink(process / "exe").startswith(str(BUILD)):
                left.append(f"{name} {process.name}")
        except OSError:
            pass
    return left


def test_demo_shows_all_it_promises():
    done = subprocess.run(DEMO, env=ENVIRONMENT, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    failover = re.search(r"serves both, ([0-9.]+) s after the plug was pulled", done.stdout)
    assert failover, done.stdout[-6000:]
    assert "exit code 137" in done.stdout
    assert "spread: 2 on m1, 2 on m2, 2 on m3" in done.stdout
    assert "Fetched" not in done.stderr
    assert left_behind() == []


@pytest.mark.parametrize("seconds", [0.3, 1.5, 4])
def test_interrupted_demo_leaves_nothing(seconds: float):
    demo = subprocess.Popen(DEMO, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    time.sleep(seconds)
    os.killpg(demo.pid, signal.SIGINT)  # as a terminal does: to the demo and to what it runs
    output, _ = demo.communicate(timeout=60)
    assert demo.returncode == 130, output.decode(errors="replace")[-3000:]
    assert left_behind() == []
