"""Sockets, timers and paths of the cluster, on the embedded supervisor."""
import socket

import pytest

from fleets import Fleet, wait_for


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """One machine on which the services are loaded, and what starts them is launched."""
    folder = tmp_path_factory.mktemp("starters")
    units = {
        "backup.service": f"[Service]\nType=oneshot\nExecStart=/bin/sh -c 'date >> {folder}/backup.log'\n",
        "spool.service": f"[Service]\nType=oneshot\nExecStart=/bin/sh -c 'for j in {folder}/spool/*.job; do mv $$j $$j.done; done'\n",
        "say.service": "[Service]\nExecStart=/bin/sleep 1000\n",
        "backup.timer": "[Timer]\nOnActiveSec=100ms\nOnUnitActiveSec=200ms\nAccuracySec=1ms\n",
        "spool.path": f"[Path]\nPathExistsGlob={folder}/spool/*.job\n",
        "say.socket": f"[Socket]\nListenStream={folder}/say.sock\n",
        "echo.socket": f"[Socket]\nListenStream={folder}/echo.sock\nAccept=yes\n",
    }
    for name, text in units.items():
        (folder / name).write_text(text)
    with Fleet(folder, count=1) as fleet:
        one = fleet.machines[0]
        one.folder = folder
        one.ok("load", *[str(folder / name) for name in units if name.endswith(".service")])
        one.ok("start", *[str(folder / name) for name in units if not name.endswith(".service")])
        yield one


def state(machine, unit: str) -> str:
    return machine.units()[unit][1]


def test_a_timer_runs_its_service_again_and_again(machine):
    log = machine.folder / "backup.log"
    wait_for("three runs", lambda: log.exists() and len(log.read_text().splitlines()) >= 3)
    assert state(machine, "backup.timer") == "active"


def test_a_path_starts_its_service_when_something_matches(machine):
    spool = machine.folder / "spool"
    spool.mkdir()
    (spool / "a.job").write_text("x")
    wait_for("the job is done", lambda: (spool / "a.job.done").exists())
    assert state(machine, "spool.path") == "active"


def test_a_client_starts_a_service_that_is_only_to_be_loaded_and_it_runs_on(machine):
    assert state(machine, "say.service") == "inactive"
    assert state(machine, "echo.socket") == "active"
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(machine.folder / "say.sock"))
        wait_for("say.service runs", lambda: state(machine, "say.service") == "active")
    status = machine.ok("status", "say.service")
    assert "killed" not in status and state(machine, "say.socket") == "active"
