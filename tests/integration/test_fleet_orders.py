"""What fleet here does beyond fleet 1.0: cordon, drain, rebalance, resources, failures that move a unit, partitions, and questions of
what would be."""
import json
import signal
import time

import pytest
from fleets import Fleet, wait_for

SLEEP = "/bin/sleep 1000"


def write(folder, name: str, lines: str = "", start: str = SLEEP, service: str = ""):
    path = folder / name
    path.write_text(f"[Service]\nExecStart={start}\n{service}\n[X-Fleet]\n{lines}\n")
    return str(path)


def places(machine) -> dict[str, str]:
    return {name: where for name, (where, active) in machine.units().items() if active == "active"}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    with Fleet(tmp_path_factory.mktemp("orders"), count=3, metadata=["zone=a", "zone=b", "zone=b"], extra=("--reserve", "10%,0.5")) as running:
        yield running


@pytest.fixture
def clean(fleet):
    """Nothing runs, and nobody is cordoned, before and after."""
    yield fleet
    one = fleet.machines[0]
    names = [row["name"] for row in one.api("GET", "/fleet/v1/units")[1].get("units", [])]
    if names:
        one.ok("destroy", *names)
    one.ok("uncordon", *(machine.id for machine in fleet.machines))


def test_drained_machine_hands_its_units_over(clean, tmp_path):
    """Each starts elsewhere before it stops here; the mark survives the daemon's restart; what has no other home is named."""
    one, two, _ = clean.machines
    log = tmp_path / "log"
    # active only when it has told: a simple service is so before its shell has run
    told = f"Type=oneshot\nRemainAfterExit=yes\nExecStopPost=/bin/sh -c 'echo stop >> {log}'"
    path = write(tmp_path, "web.service", f"MachineID={two.id}\n", start=f"/bin/sh -c 'echo start >> {log}'", service=told)
    one.ok("start", path)
    # the same with another text, which may be anywhere, would be started anew: so the unit is placed by load
    one.ok("destroy", "web")
    log.unlink()
    one.ok("cordon", clean.machines[0].id, clean.machines[2].id)
    path = write(tmp_path, "web.service", start=f"/bin/sh -c 'echo start >> {log}'", service=told)
    one.ok("start", path)
    assert places(one) == {"web.service": two.id}
    one.ok("uncordon", clean.machines[0].id, clean.machines[2].id)
    one.ok("start", write(tmp_path, "pinned.service", f"MachineID={two.id}"))
    done = one.fleet("drain", two.id)
    assert done.returncode == 1 and "Unit web.service has left" in done.stdout
    assert "pinned.service stays" in done.stderr and "excluded by MachineID" in done.stderr
    assert places(one)["web.service"] != two.id and places(one)["pinned.service"] == two.id
    wait_for("it has stopped there", lambda: log.read_text().split(), lambda words: words == ["start", "start", "stop"])
    assert "which is being drained; it stays" in one.fleet("status", "pinned").stdout
    two.stop()
    two.start()
    clean.wait_registered(two)
    rows = dict(row.split() for row in one.ok("list-machines", "--full", "--no-legend", "--fields", "machine,state").splitlines())
    assert rows[two.id] == "draining" and rows[one.id] == "active"
    assert "state" not in one.ok("list-machines").lower()


def test_machine_that_comes_back_takes_its_share_on_rebalance(clean, tmp_path):
    one, _, three = clean.machines
    one.ok("cordon", three.id)
    names = [f"r{number}.service" for number in range(6)]
    one.ok("start", *(write(tmp_path, name) for name in names))
    one.ok("uncordon", three.id)
    before = places(one)
    assert three.id not in before.values()
    assert one.ok("rebalance", "--dry-run").count("moves from") == 2
    time.sleep(1)
    assert places(one) == before
    assert one.ok("rebalance").count("moves from") == 2
    after = places(one)
    assert sorted(list(after.values()).count(machine.id) for machine in clean.machines) == [2, 2, 2]
    assert len([name for name in names if before[name] != after[name]]) == 2
    assert "rebalance" in one.ok("status", next(name for name in names if before[name] != after[name]))
    assert "evenly" in one.ok("rebalance")


def test_unit_that_keeps_failing_moves(clean, tmp_path):
    one = clean.machines[0]
    tries = tmp_path / "tries"
    script = f"/bin/sh -c 'echo >> {tries}; test $(wc -l < {tries}) -gt 3 && exec sleep 1000; exit 7'"
    path = write(tmp_path, "shaky.service", "MoveAfterFailures=3\nFailuresWithin=60s", start=script, service="Restart=always\nRestartSec=100ms")
    one.fleet("start", "--no-block", path)
    first = wait_for("it is placed", lambda: one.api("GET", "/fleet/v1/units/shaky.service")[1].get("machineID"))
    wait_for("it runs elsewhere", lambda: places(one).get("shaky.service"), lambda where: where and where != first)
    explained = one.ok("explain", "shaky")
    assert "it has failed there lately" in explained and "on which it has failed" in explained
    # another text is another try
    one.ok("start", "--replace", write(tmp_path, "shaky.service", "MoveAfterFailures=3"))
    assert "it has failed there lately" not in one.ok("explain", "shaky")


def test_resources_are_promised_once(clean, tmp_path):
    one = clean.machines[0]
    machines = one.api("GET", "/faering/v1/machines")[1]["machines"]
    assert all(machine["memory"] > 0 and machine["milliCPU"] % 1000 == 500 for machine in machines)
    one.ok("start", *(write(tmp_path, f"big{number}.service", "Memory=60%") for number in range(3)))
    assert len(set(places(one).values())) == 3
    done = one.fleet("start", "--block-attempts", "1", write(tmp_path, "more.service", "", service="MemoryMax=60%"))
    assert done.returncode == 1
    explained = one.ok("explain", "more")
    assert explained.count("are left") == 3 and "3 with too little memory left" in explained


def test_plan_and_whatif_tell_before_it_is_done(clean, tmp_path):
    one, two, three = clean.machines
    paths = [write(tmp_path, name, "Spread=zone all") for name in ("z.service", "a.service")]
    planned = json.loads(one.ok("plan", "-o", "json", *paths))["units"]
    assert places(one) == {} and len(planned) == 2
    for path in paths:  # one after the other: who of many is first in the store is chance
        one.ok("start", path)
    assert places(one) == {row["unit"]: row["to"] for row in planned} and places(one)["z.service"] == one.id
    assert one.id in places(one).values() and len(set(places(one).values())) == 2
    one.ok("start", write(tmp_path, "pinned.service", f"MachineID={two.id}"))
    done = one.fleet("whatif", "node-loss", two.id)
    assert done.returncode == 1 and "no home" in done.stdout and "excluded by MachineID" in done.stdout
    assert one.fleet("whatif", "node-loss", three.id).returncode == 0
    assert one.fleet("whatif", "any-1").returncode == 1
    moved = next(name for name, where in places(one).items() if where == one.id)
    assert moved in one.fleet("whatif", "node-loss", one.address).stdout
    assert "it is destroyed" in one.ok("plan", "--destroy", "pinned")
    done = one.fleet("plan", "--replace", write(tmp_path, "pinned.service", "MachineID=nowhere"))
    assert done.returncode == 1 and "no home" in done.stdout
    assert one.ok("plan", write(tmp_path, "pinned.service", "MachineID=nowhere")) == "nothing would change its place\n"


def pid_of(folder, name: str) -> int | None:
    try:
        return int((folder / name).read_text())
    except (FileNotFoundError, ValueError):
        return None


def test_partition_stops_only_what_asked_for_it(tmp_path):
    """The whole store is stopped in its tracks (SIGSTOP) for longer than the machines' time to live."""
    ttl = 6
    with Fleet(tmp_path, count=2, ttl=ttl) as fleet:
        one = fleet.machines[0]
        for name, lines in (("single", "OnPartition=stop"), ("plain", "")):
            one.ok("start", write(tmp_path, f"{name}.service", lines, service=f"ExecStopPost=/bin/touch {tmp_path}/{name}.stopped",
                                  start=f"/bin/sh -c 'echo $$$$ > {tmp_path}/{name}.pid; exec sleep 1000'"))
        before = {name: pid_of(tmp_path, f"{name}.pid") for name in ("single", "plain")}
        assert all(before.values())
        where = places(one)
        stopped_at = time.time()
        for store in fleet.store.stores:
            store.process.send_signal(signal.SIGSTOP)
        try:
            wait_for("it is stopped", (tmp_path / "single.stopped").exists, seconds=ttl)
            ended = (tmp_path / "single.stopped").stat().st_mtime
            assert ended - stopped_at < ttl * 0.99
            time.sleep(max(0.0, stopped_at + ttl + 2 - time.time()))
        finally:
            for store in fleet.store.stores:
                store.process.send_signal(signal.SIGCONT)
        wait_for("both run where they ran", lambda: places(one), lambda found: found == where)
        wait_for("it was started again", lambda: pid_of(tmp_path, "single.pid"), lambda pid: pid != before["single"])
        assert pid_of(tmp_path, "plain.pid") == before["plain"] and not (tmp_path / "plain.stopped").exists()
