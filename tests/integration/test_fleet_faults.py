"""Faults of fleet 1.0 that ours does not have, beside those in test_fleetctl.py (1, 2, 7: restart, short flags, unknown units)
and test_fleet_api.py (3: a bad desiredState)."""
import time

import pytest
from fleets import Fleet, wait_for

OPTIONS = [{"section": "Service", "name": "ExecStart", "value": "/bin/sleep 1000"}]
UNITS = 200


def texts(fleet) -> list[str]:
    status, _, body = fleet.store.stores[0].request("GET", "/v2/keys/_coreos.com/fleet/unit")
    return [node["key"].rpartition("/")[2] for node in body.get("node", {}).get("nodes", [])] if status == 200 else []


@pytest.mark.parametrize("supervisor,units", [("fake", UNITS), ("embedded", 40)])
def test_many_units_are_destroyed_in_one_pass(tmp_path, supervisor, units):
    """4: fleet 1.0 on systemd 252 gave its pass up at the first unit that had not failed: one unit in 5 s."""
    with Fleet(tmp_path, count=1, supervisor=supervisor) as fleet:
        one = fleet.machines[0]
        names = [f"m{number:03d}.service" for number in range(units)]
        for name in names:
            assert one.api("PUT", f"/fleet/v1/units/{name}", {"desiredState": "launched", "options": OPTIONS})[0] == 201
        wait_for("all are active", one.units, lambda found: len(found) == units and {state for _, state in found.values()} == {"active"})
        begun = time.monotonic()
        assert one.ok("destroy", *names).count("Destroyed") == units
        assert time.monotonic() - begun < 15
        assert one.units() == {} and one.api("GET", "/fleet/v1/state") == (200, {})


def test_destroy_returns_when_nothing_runs(tmp_path):
    """7: it waited only with --no-block."""
    with Fleet(tmp_path, count=1) as fleet:
        one = fleet.machines[0]
        slow = tmp_path / "slow.service"
        slow.write_text(f"[Service]\nExecStart=/bin/sleep 1000\nExecStop=/bin/sleep 1\nExecStopPost=/bin/touch {tmp_path}/ended\n")
        one.ok("start", str(slow))
        one.ok("destroy", "slow")
        assert (tmp_path / "ended").exists()
        one.ok("start", str(slow))
        (tmp_path / "ended").unlink()
        one.ok("destroy", "--no-block", "slow")
        assert not (tmp_path / "ended").exists()
        wait_for("it ends later", (tmp_path / "ended").exists)


def test_texts_that_no_unit_has_are_removed(tmp_path):
    """7: they stayed in the store for ever."""
    with Fleet(tmp_path, count=1, supervisor="fake") as fleet:
        one = fleet.machines[0]
        for number in range(3):
            options = [{"section": "Service", "name": "ExecStart", "value": f"/bin/sleep {number}"}]
            assert one.api("PUT", f"/fleet/v1/units/t{number}.service", {"options": options})[0] == 201
        assert len(texts(fleet)) == 3
        one.ok("destroy", "t0", "t1")
        left = wait_for("one text is left", lambda: texts(fleet), lambda found: len(found) == 1)
        unit = one.api("GET", "/fleet/v1/units/t2.service")[1]
        assert unit["options"][0]["value"] == "/bin/sleep 2" and len(left) == 1
        # and one that was swept can come again
        assert one.api("PUT", "/fleet/v1/units/t0.service", {"options": [
            {"section": "Service", "name": "ExecStart", "value": "/bin/sleep 0"}]})[0] == 201
        assert one.api("GET", "/fleet/v1/units/t0.service")[1]["options"][0]["value"] == "/bin/sleep 0"


def test_a_machine_that_comes_back_takes_nothing_by_surprise(tmp_path):
    """6: nothing moves by itself; test_fleet_orders.py has `rebalance`."""
    with Fleet(tmp_path, count=2, supervisor="fake") as fleet:
        one, two = fleet.machines
        names = [f"r{number}.service" for number in range(6)]
        for name in names:
            one.api("PUT", f"/fleet/v1/units/{name}", {"desiredState": "launched", "options": OPTIONS})
        wait_for("they run on both", one.units, lambda found: {machine for machine, _ in found.values()} == {one.id, two.id})
        two.kill()
        settled = wait_for("all run on one", one.units, lambda found: len(found) == 6 and set(found.values()) == {(one.id, "active")})
        two.start()
        fleet.wait_registered(two)
        one.api("PUT", "/fleet/v1/units/new.service", {"desiredState": "launched", "options": OPTIONS})
        after = wait_for("a new one goes to the empty machine", one.units, lambda found: found.get("new.service") == (two.id, "active"))
        assert {name: after[name] for name in names} == settled
