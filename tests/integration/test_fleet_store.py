"""Fleet beside a store that misbehaves."""
import signal

from fleets import Machine, wait_for
from stores import Cluster

TTL = 6
OPTIONS = [{"section": "Service", "name": "ExecStart", "value": "/bin/sleep 1000"}]


def test_a_member_that_hangs_is_left(tmp_path):
    """Nothing comes from it, and nothing says so: the stream of events goes on at another member once a renewal is not answered."""
    with Cluster(tmp_path, 3) as store:
        urls = [member.url for member in store.stores]
        one, two = Machine(tmp_path, 1, f"{urls[0]},{urls[1]}", TTL, "fake"), Machine(tmp_path, 2, urls[1], TTL, "fake")
        try:
            for machine in (one, two):
                machine.start()
            for machine in (one, two):
                wait_for("both are registered", lambda m=machine: m.ok("list-machines", "--no-legend"), lambda text: len(text.splitlines()) == 2)
            store.stores[0].process.send_signal(signal.SIGSTOP)
            wanted = {"desiredState": "launched", "options": OPTIONS}
            wait_for("the others have a leader", lambda: two.api("PUT", "/fleet/v1/units/a.service", wanted)[0], lambda status: status < 300)
            wait_for("the other machine hears of it", one.units, lambda found: found.get("a.service", ("", ""))[1] == "active", seconds=2 * TTL)
        finally:
            store.stores[0].process.send_signal(signal.SIGCONT)
            for machine in (one, two):
                if machine.process:
                    machine.kill()
