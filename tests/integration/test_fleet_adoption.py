"""Units of the embedded supervisor outlive a faering-fleet that is killed; the next one takes them over as they are by then."""
import os
import signal
import socket

import pytest

from fleets import Fleet, wait_for


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adoption")
    units = {
        "talks.service": "[Service]\nExecStart=/bin/sh -c 'i=0; while :; do i=$$((i+1)); echo line $$i; sleep 0.05; done'\n",
        "ends.service": f"[Service]\nExecStart=/bin/sh -c 'while ! [ -e {folder}/end ]; do sleep 0.05; done; exit 7'\n",
        "goes.service": f"[Service]\nExecStart=/bin/sh -c 'echo $$$$ > {folder}/goes.pid; exec sleep 1000'\n",
        "job.service": f"[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo run >> {folder}/job.log'\n",
        "say.service": f"[Service]\nExecStart=/bin/sh -c 'echo $$$$ > {folder}/say.pid; exec sleep 1000'\n",
        "say.socket": f"[Socket]\nListenStream={folder}/say.sock\n",
        "tick.service": f"[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo tick >> {folder}/tick.log'\n",
        "tick.timer": "[Timer]\nOnActiveSec=100ms\nOnUnitActiveSec=200ms\nAccuracySec=1ms\n",
        "seen.service": "[Service]\nExecStart=/bin/sleep 1000\n",
        "seen.path": f"[Path]\nPathExists={folder}/seen\n",
    }
    for name, text in units.items():
        (folder / name).write_text(text)
    with Fleet(folder, count=1) as fleet:
        one = fleet.machines[0]
        one.folder = folder
        started_by = ("say.service", "tick.service", "seen.service")
        one.ok("load", *[str(folder / name) for name in started_by])
        one.ok("start", *[str(folder / name) for name in units if name not in started_by])
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(folder / "say.sock"))
            wait_for("say.service runs", lambda: state(one, "say.service") == "active")
        yield one


def state(machine, unit: str) -> str:
    return machine.units()[unit][1]


def main_pid(machine, unit: str) -> int:
    """Of the process that the unit's shim is the parent of."""
    shims = machine.shims()
    return next(child for _, child, name in shims if name == unit)


def numbers(machine) -> list[int]:
    lines = machine.ok("journal", "--lines", "10000", "talks.service").splitlines()
    return [int(line.rsplit(" ", 1)[1]) for line in lines if " line " in f" {line}"]


def crash(machine, meanwhile=lambda: None) -> None:
    machine.kill()
    meanwhile()
    machine.start()
    wait_for("the daemon answers", lambda: machine.id in machine.ok("list-machines", "--full"))


def test_nothing_is_touched_by_a_crash(machine):
    wait_for("some lines", lambda: len(numbers(machine)) > 5)
    wait_for("the job has run", lambda: (machine.folder / "job.log").exists())
    before = {unit: main_pid(machine, unit) for unit in ("talks.service", "goes.service", "say.service", "ends.service")}
    last = numbers(machine)[-1]
    crash(machine)
    wait_for("all is as it was", lambda: {unit: pair[1] for unit, pair in machine.units().items()},
             lambda states: all(states.get(unit) == "active" for unit in (*before, "say.socket", "tick.timer", "seen.path")))
    assert {unit: main_pid(machine, unit) for unit in before} == before
    assert "active (running)" in machine.ok("status", "talks.service")
    wait_for("it talks on", lambda: numbers(machine)[-1] > last + 5)
    said = numbers(machine)
    assert said == list(range(1, len(said) + 1)), "a line is missing, or there twice"
    assert (machine.folder / "job.log").read_text() == "run\n", "what has ended is not run again"


def test_timer_path_and_socket_go_on(machine):
    crash(machine, lambda: (machine.folder / "tick.log").unlink())
    wait_for("it ticks", lambda: (machine.folder / "tick.log").exists())
    (machine.folder / "seen").write_text("x")
    wait_for("seen.service runs", lambda: state(machine, "seen.service") == "active")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(machine.folder / "say.sock"))


def test_an_end_that_nobody_saw_is_known(machine):
    pid = main_pid(machine, "ends.service")

    def end() -> None:
        (machine.folder / "end").write_text("x")
        wait_for("it has ended", lambda: not os.path.exists(f"/proc/{pid}"))

    crash(machine, end)
    wait_for("it has failed", lambda: state(machine, "ends.service") == "failed")
    assert "status 7" in machine.ok("journal", "ends.service")


def test_what_was_destroyed_meanwhile_is_stopped(machine):
    pid = main_pid(machine, "goes.service")
    machine.process.send_signal(signal.SIGSTOP)  # it does not see the order
    key = f"{machine.store_url}/v2/keys/_coreos.com/fleet/job/goes.service"
    machine.curl("-X", "DELETE", f"{key}?recursive=true")
    assert os.path.exists(f"/proc/{pid}")
    crash(machine)
    wait_for("it has been stopped", lambda: not os.path.exists(f"/proc/{pid}"))
    assert "goes.service" not in machine.units()


def test_a_clean_end_leaves_nothing(machine):
    assert machine.stop() == 0
    assert machine.shims() == []
