"""Daemons, the programs that make and keep their units, and units die at every moment, again and again; no unit ever runs twice, none is
forgotten, and what nobody killed goes on untouched."""
import os
import random
import signal
import time
from pathlib import Path

import pytest

from fleets import Fleet, Machine, wait_for

UNITS, ROUNDS = 60, 14
TTL = 30  # longer than the storm: no machine is given up
TEXT = """[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart=/bin/sh -c 'exec 9>>{folder}/%p.lock; flock -n 9 || {{ echo %n >> {folder}/twice; exit 1; }}; echo %n >> {folder}/starts; exec sleep 1000'
Restart=always
RestartSec=50ms
"""


@pytest.fixture
def fleet(tmp_path):
    with Fleet(tmp_path, ttl=TTL) as fleet:
        yield fleet


def text_of(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def kept(fleet: Fleet) -> set[str]:
    """Units that have a shim."""
    return {unit for machine in fleet.machines for _, _, unit in machine.shims()}


class Storm:
    """What is done to the machines. `hurt`: units whose process, or what keeps it, was killed."""

    def __init__(self, fleet: Fleet, seed: int):
        self.machines = fleet.machines
        self.random = random.Random(seed)
        self.hurt: set[str] = set()

    def crash(self, machine: Machine) -> None:
        machine.kill()
        time.sleep(self.random.choice([0, 0, 0.1, 0.4]))
        machine.start()

    def hang_up(self, machine: Machine) -> None:
        machine.process.send_signal(signal.SIGHUP)

    def kill_spawner(self, machine: Machine) -> None:
        if spawner := machine.spawner():
            kill(spawner)

    def kill_shims(self, machine: Machine) -> None:
        for shim, _, unit in self.random.sample(found := machine.shims(), min(3, len(found))):
            self.hurt.add(unit)
            kill(shim)

    def kill_units(self, machine: Machine) -> None:
        for _, child, unit in self.random.sample(found := machine.shims(), min(3, len(found))):
            if child > 0:
                self.hurt.add(unit)
                kill(child)

    def kill_all_at_once(self, machine: Machine) -> None:
        self.kill_units(machine)
        self.kill_shims(machine)
        self.crash(machine)

    def round(self) -> None:
        act = self.random.choice([self.crash, self.crash, self.hang_up, self.kill_spawner, self.kill_shims, self.kill_units, self.kill_all_at_once])
        act(self.random.choice(self.machines))
        time.sleep(self.random.uniform(0, 0.4))


@pytest.mark.parametrize("seed", [1, 2])
def test_no_unit_runs_twice_or_is_forgotten(fleet, tmp_path, seed):
    names = [f"storm{number}.service" for number in range(UNITS)]
    first = fleet.machines[0]
    for name in names:
        (tmp_path / name).write_text(TEXT.format(folder=tmp_path))
    storm = Storm(fleet, seed)

    def all_active(units: dict[str, tuple[str, str]]) -> bool:
        return sorted(units) == sorted(names) and {state for _, state in units.values()} == {"active"}

    first.ok("start", "--no-block", *(str(tmp_path / name) for name in names))
    for _ in range(ROUNDS):  # while they start
        storm.round()
    wait_for("all are active", first.units, all_active)

    storm.hurt = set(names) - kept(fleet)  # what lost its shim does not outlive its daemon any more
    before = {name: text_of(tmp_path / "starts").count(name) for name in names}
    for _ in range(ROUNDS):  # while they run
        storm.round()
    wait_for("all are active again", first.units, all_active)
    after = {name: text_of(tmp_path / "starts").count(name) for name in names}
    assert [name for name in names if after[name] != before[name] and name not in storm.hurt] == []
    assert text_of(tmp_path / "twice") == []
    assert kept(fleet) | storm.hurt == set(names)

    wait_for("all are destroyed", lambda: first.fleet("destroy", *names).returncode == 0 and first.units() == {})
    assert [shim for machine in fleet.machines for shim in machine.shims()] == []
