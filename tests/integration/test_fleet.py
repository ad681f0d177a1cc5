"""Units on three machines, from submit to a dead machine."""
import re
from collections import Counter

from fleets import Fleet, wait_for

SLEEP = "[Service]\nExecStart=/bin/sleep 1000\n"


def write(folder, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def test_units_spread_over_the_least_loaded_machines(tmp_path):
    with Fleet(tmp_path) as fleet:
        one, two, _ = fleet.machines
        one.ok("start", *[write(tmp_path, f"u{i}.service", SLEEP) for i in range(6)])
        units = wait_for("six units run", two.units,
                         lambda found: len(found) == 6 and all(active == "active" for _, active in found.values()))
        assert sorted(Counter(machine for machine, _ in units.values()).values()) == [2, 2, 2]


def test_one_command_for_many_units(tmp_path):
    """Of so many the client asks for all at once; what it says of each, and in what order, is as of a few."""
    names = [f"m{number:02d}.service" for number in range(60)]
    with Fleet(tmp_path, supervisor="fake") as fleet:
        one = fleet.machines[0]
        files = [write(tmp_path, name, SLEEP + f"[X-Fleet]\nMachineMetadata=number={1 + index % 3}\n") for index, name in enumerate(names)]
        lines = one.ok("start", *files).splitlines()
        assert [line.split()[1:3] for line in lines] == [[name, "inactive"] for name in names] + [[name, "launched"] for name in names]
        assert all(f"{fleet.machines[index % 3].id[:8]}.../10.77.0.{1 + index % 3}" in line for index, line in enumerate(lines[60:]))
        assert set(one.units().values()) == {(machine.id, "active") for machine in fleet.machines}

        refused = one.fleet("stop", *names, "none.service")
        assert refused.returncode == 1 and "Units not found in registry: none.service" in refused.stderr
        assert {active for _, active in one.units().values()} == {"inactive"}
        assert one.ok("start", *names).splitlines() == [line for line in lines[60:]]
        assert one.ok("destroy", *names).splitlines() == [f"Destroyed {name}" for name in names]
        assert one.units() == {}


def test_conflicting_units_move_when_their_machine_dies_and_a_waiting_one_takes_its_place(tmp_path):
    web = write(tmp_path, "web@.service", "[Service]\nExecStart=/bin/sleep 1000\n[X-Fleet]\nConflicts=web@*.service\n")
    beside = write(tmp_path, "beside@.service", "[Service]\nExecStart=/bin/sleep 1000\n[X-Fleet]\nMachineOf=web@%i.service\n")
    with Fleet(tmp_path) as fleet:
        one = fleet.machines[0]
        one.ok("submit", web, beside)
        one.ok("start", "web@1", "web@2", "beside@1", "beside@2")
        before = wait_for("four units run", one.units, lambda found: len(found) == 4)
        assert before["web@1.service"][0] != before["web@2.service"][0]
        assert before["beside@2.service"][0] == before["web@2.service"][0]

        victim = next(machine for machine in fleet.machines if machine.id == before["web@2.service"][0])
        watcher = next(machine for machine in fleet.machines if machine is not victim)
        victim.kill()
        taken = (victim.id, before["web@1.service"][0])
        after = wait_for("web@2 runs elsewhere, with what is beside it", watcher.units,
                         lambda found: found["web@2.service"][0] not in taken and found["web@2.service"][1] == "active" and
                         found["beside@2.service"] == found["web@2.service"])
        assert after["web@1.service"] == before["web@1.service"]  # nobody else moved
        assert victim.id not in watcher.ok("list-machines", "--full")

        # the third has no place, and the reasons say what would make one
        watcher.ok("start", "--no-block", "web@3")
        explained = watcher.ok("explain", "web@3")
        assert explained.count("may not run here") == 2
        assert "Conflicts=web@*.service" in explained and "to change that" in explained
        status = watcher.fleet("status", "web@3")
        assert status.returncode == 1 and "no machine may run it" in status.stdout

        victim.start()
        fleet.wait_registered(victim)
        wait_for("web@3 runs where there is room again", lambda: watcher.units().get("web@3.service") == (victim.id, "active"))
        wait_for("what it ran before, and others run now, is stopped there", victim.shims,
                 lambda shims: [unit for _, _, unit in shims] == ["web@3.service"])


def test_stop_unload_destroy(tmp_path):
    with Fleet(tmp_path, count=1) as fleet:
        machine = fleet.machines[0]
        machine.ok("start", write(tmp_path, "a.service", SLEEP))
        machine.ok("stop", "a")
        assert machine.units()["a.service"][1] == "inactive"
        machine.ok("start", "a")
        assert machine.units()["a.service"][1] == "active"
        machine.ok("unload", "a")
        wait_for("no state is left", lambda: machine.units() == {})
        assert "a.service" in machine.ok("list-unit-files")
        machine.ok("destroy", "a")
        assert "a.service" not in machine.ok("list-unit-files")
        assert machine.fleet("destroy", "a").returncode == 1


def test_output_is_kept_and_read(tmp_path):
    with Fleet(tmp_path, count=1) as fleet:
        machine = fleet.machines[0]
        machine.ok("start", write(tmp_path, "talk.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
                                                            "ExecStart=/bin/sh -c 'echo one; echo two >&2'\n"))
        lines = wait_for("both lines are there", lambda: machine.ok("journal", "talk"), lambda text: "two" in text)
        assert re.search(r"talk\.service\[\d+\]: one", lines)


def test_a_unit_that_cannot_be_run_says_why(tmp_path):
    with Fleet(tmp_path, count=1) as fleet:
        machine = fleet.machines[0]
        done = machine.fleet("start", write(tmp_path, "bad.service", "[Service]\nExecStart=/no/such/program\n"))
        assert done.returncode == 1 and "bad.service is failed" in done.stderr
        done = machine.fleet("restart", "bad")
        assert done.returncode == 1 and "bad.service is failed" in done.stderr
        done = machine.fleet("start", write(tmp_path, "broken.service", "[Service\nExecStart=/bin/true\n"))
        assert done.returncode == 1 and "broken.service:1:" in done.stderr


def test_the_api_answers_as_fleet_does(tmp_path):
    with Fleet(tmp_path, count=1) as fleet:
        machine = fleet.machines[0]
        options = [{"section": "Service", "name": "ExecStart", "value": "/bin/sleep 1000"}]
        assert machine.api("GET", "/fleet/v1/units/nosuch.service") == (404, {"error": {"code": 404, "message": "unit does not exist"}})
        assert machine.api("GET", "/fleet/v1/state/nosuch.service") == (200, {})
        assert machine.api("GET", "/fleet/v1/units") == (200, {})
        assert machine.api("PUT", "/fleet/v1/units/a.foo", {"desiredState": "launched", "options": options}) == \
            (400, {"error": {"code": 400, "message": 'invalid unit type: "foo"'}})
        assert machine.api("PUT", "/fleet/v1/units/a.service", {"desiredState": "bogus", "options": options})[0] == 400
        assert machine.api("PUT", "/fleet/v1/units/a.service", {"desiredState": "launched"}) == \
            (409, {"error": {"code": 409, "message": "unit does not exist and options field empty"}})
        assert machine.api("PUT", "/fleet/v1/units/a.service", {"desiredState": "inactive", "options": options})[0] == 201
        _, unit = wait_for("the unit is there", lambda: machine.api("GET", "/fleet/v1/units/a.service"), lambda got: got[0] == 200)
        assert unit == {"currentState": "inactive", "desiredState": "inactive", "name": "a.service", "options": options}
        # fleet 1.0 took this and poisoned the unit
        assert machine.api("PUT", "/fleet/v1/units/a.service", {"desiredState": "bogus"})[0] == 400
        assert machine.api("PUT", "/fleet/v1/units/a.service", {}) == \
            (409, {"error": {"code": 409, "message": "must provide DesiredState to update existing unit"}})
        assert machine.api("DELETE", "/fleet/v1/units/a.service")[0] == 204
        machines = machine.api("GET", "/fleet/v1/machines")[1]["machines"]
        assert machines == [{"id": machine.id, "metadata": {"number": "1"}, "primaryIP": machine.address}]
        patch = [{"op": "add", "path": f"/{machine.id}/metadata/disk", "value": {"value": "ssd"}},
                 {"op": "remove", "path": f"/{machine.id}/metadata/number"}]
        assert machine.api("PATCH", "/fleet/v1/machines", patch)[0] == 204
        wait_for("the metadata has changed", lambda: machine.api("GET", "/fleet/v1/machines")[1]["machines"][0]["metadata"] == {"disk": "ssd"})


def test_fake_supervisor_does_all_but_run_units(tmp_path):
    with Fleet(tmp_path, count=1, supervisor="fake") as fleet:
        one = fleet.machines[0]
        one.ok("start", write(tmp_path, "pretended.service", "[Service]\nExecStart=/bin/sh -c 'touch " + str(tmp_path / "ran") + "'\n"))
        assert wait_for("the unit is active", one.units)["pretended.service"] == (one.id, "active")
        assert not (tmp_path / "ran").exists()
        one.ok("stop", "pretended.service")
        wait_for("it is not any more", one.units, lambda units: units["pretended.service"][1] == "inactive")
        assert one.stop() == 0
