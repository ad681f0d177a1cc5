"""The functional tests of fleet 1.0 as scenarios, numbered as in docs/fleet-scenarios.md: on the embedded supervisor, on hosts with
systemd, and once with Debian's etcd as the store. Those over ssh (3, 25, 34) are in test_hosts_ssh.py."""
import signal
import time
from collections import Counter

import pytest
from fleet_nodes import TTL, Nodes, embedded_nodes, systemd_nodes
from fleets import wait_for
from hosts import why_not

CONFLICT = "Conflicts=c@*.service"


@pytest.fixture(scope="module", params=["embedded", "systemd", "etcd"])
def running(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "systemd" and why_not():
        pytest.skip(why_not())
    with systemd_nodes(folder) if request.param == "systemd" else embedded_nodes(folder, stock=request.param == "etcd") as nodes:
        yield nodes


@pytest.fixture
def nodes(running):
    yield running
    running.restore()


def active(nodes: Nodes, names: list[str], at: int = 0) -> dict[str, str]:
    """Unit → machine, once all of them are active."""
    names = [name if "." in name else f"{name}.service" for name in names]
    return wait_for(f"{names} are active", nodes[at].active, lambda found: set(names) <= set(found))


def another(nodes: Nodes, *machines: str) -> int:
    """The place in `nodes` of one that is none of these."""
    return next(at for at, node in enumerate(nodes) if node.id not in machines)


def test_one_version_string_and_help_without_a_server(nodes):
    """1"""
    for arguments in (["version"], ["--version"], ["-v"]):
        assert nodes[0].ok(*arguments).startswith("fleetctl version "), arguments
    done = nodes[0].run_at("unix:///no/such/socket", "--help")
    assert done.returncode == 0 and nodes[0].ok("version").split()[2] in done.stdout
    assert nodes[0].run_at("unix:///no/such/socket", "list-units").returncode == 1


def test_endpoint_variable_alone_is_enough(nodes):
    """2"""
    done = nodes[0].run_at(nodes[0].endpoint, "list-machines", "--no-legend")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == len(nodes.nodes)


def test_unit_of_a_stopped_daemon_goes_to_the_free_machine_and_no_other_moves(nodes):
    """4, and 10: the machine leaves the list, its states are purged, the unit itself is stopped."""
    names = ["c@1", "c@2", "c@3"]
    nodes[0].ok("submit", nodes.unit("c@.service", f"MachineMetadata=quartet=yes\n{CONFLICT}"))
    nodes[0].ok("start", *names)
    before = active(nodes, names)
    assert len(set(before.values())) == 3
    victim = nodes.by_id(before["c@1.service"])
    free = ({node.id for node in nodes.nodes[:4]} - set(before.values())).pop()
    watch = nodes[another(nodes, victim.id)]
    wait_for("it has told its start", lambda: nodes.events("c@1.service"), lambda found: found == ["start"])
    assert victim.stop() == 0
    assert victim.id not in watch.machines()
    after = wait_for("it runs on the free machine", watch.active, lambda found: found.get("c@1.service") == free)
    assert after == before | {"c@1.service": free}
    assert not [row for row in watch.rows() if row[1] == victim.id]
    wait_for("both runs are noted", lambda: nodes.events("c@1.service"), lambda found: sorted(found) == ["start", "start", "stop"])
    assert nodes.events("c@2.service") == nodes.events("c@3.service") == ["start"]


def test_exactly_one_unit_moves_when_a_machine_is_made_anew(nodes):
    """5"""
    names = ["r1", "r2", "r3"]
    nodes[0].ok("start", *(nodes.unit(f"{name}.service", "MachineMetadata=trio=yes") for name in names))
    before = active(nodes, names)
    assert len(set(before.values())) == 3
    victim = nodes.by_id(before["r1.service"])
    watch = nodes[another(nodes, victim.id)]
    victim.lose_power()
    after = wait_for("it runs elsewhere", watch.active, lambda found: found.get("r1.service", victim.id) != victim.id)
    victim.power_on()
    wait_for("the machine is back", watch.machines, lambda found: victim.id in found)
    assert watch.active() == after and {name for name in before if before[name] != after[name]} == {"r1.service"}


@pytest.mark.parametrize("all_of_them", [False, True])
def test_nothing_changes_on_machines_that_lose_the_store(nodes, all_of_them):
    """6: a single and a global unit, submitted, loaded, started; for longer than the machine's time to live. What a machine
    that alone was lost for so long is to run, but for global units, is decided anew when it is back."""
    lost, watch = nodes[4], nodes[0]
    here = f"MachineID={lost.id}"
    watch.ok("start", nodes.unit("started.service", here), nodes.unit("everywhere.service", "Global=true"))
    watch.ok("load", nodes.unit("loaded.service", here))
    watch.ok("submit", nodes.unit("submitted.service", here))
    wait_for("the global unit is everywhere", lambda: watch.everywhere("everywhere.service"), lambda found: len(found) == 5)
    wait_for("all have told their start", lambda: nodes.events("everywhere.service") + nodes.events("started.service"),
             lambda found: found == ["start"] * 6)
    rows = sorted(watch.rows())
    for node in nodes if all_of_them else [lost]:
        node.cut()
    if all_of_them:
        time.sleep(TTL + 1)
    else:
        wait_for("the others miss it", watch.machines, lambda found: lost.id not in found)
    assert nodes.events("started.service") == ["start"] and nodes.events("everywhere.service") == ["start"] * 5
    for node in nodes:
        node.heal()
    for node in nodes:
        wait_for("all are back", node.machines, lambda found: len(found) == 5)
    wait_for("all is as it was", lambda: sorted(watch.rows()), lambda found: found == rows)
    assert nodes.events("everywhere.service") == ["start"] * 5 and nodes.events("loaded.service") == nodes.events("submitted.service") == []
    assert nodes.events("started.service") == ["start"] or not all_of_them


def test_sidekick_starts_and_stops_with_its_parent(nodes):
    """7: by [Install], BindsTo= and MachineOf=; fleet starts and stops the parent only."""
    parent = nodes.unit("main.service")
    side = nodes.unit("side.service", "MachineOf=main.service", unit="BindsTo=main.service\nAfter=main.service", install="WantedBy=main.service")
    nodes[0].ok("load", parent, side)
    rows = wait_for("both are loaded", nodes[0].rows, lambda found: len(found) == 2)
    assert {row[2] for row in rows} == {"inactive"} and len({row[1] for row in rows}) == 1
    nodes[0].ok("start", "main")
    active(nodes, ["main", "side"])
    nodes[0].ok("stop", "main")
    wait_for("both are inactive", nodes[0].rows, lambda found: {row[2] for row in found} == {"inactive"})
    assert nodes.events("side.service") == ["start", "stop"]


def test_machines_are_listed_and_their_metadata_patched(nodes):
    """8"""
    one, two = nodes[0], nodes[1]

    def metadata() -> dict[str, dict]:
        status, body = one.api("GET", "/fleet/v1/machines")
        assert status == 200
        return {machine["id"]: machine["metadata"] for machine in body["machines"]}

    def patch(*operations: dict) -> int:
        return one.api("PATCH", "/fleet/v1/machines", list(operations))[0]

    before = metadata()
    assert set(before) == {node.id for node in nodes}
    assert one.api("GET", "/fleet/v1/machines?nextPageToken=EwBMLg==")[0] == 400
    add = [{"op": "add", "path": f"/{node.id}/metadata/made", "value": {"value": f"by-{node.number}"}} for node in (one, two)]
    assert patch(*add) == 204
    assert [metadata()[node.id]["made"] for node in (one, two)] == ["by-1", "by-2"]
    assert patch({"op": "replace", "path": f"/{one.id}/metadata/made", "value": {"value": "anew"}}) == 204
    assert metadata()[one.id]["made"] == "anew"
    assert patch(*({"op": "remove", "path": f"/{node.id}/metadata/made"} for node in (one, two))) == 204
    assert metadata() == before
    for bad in ({"op": "noop", "path": f"/{one.id}/metadata/x"}, {"op": "add", "path": "/x/y", "value": {"value": "v"}},
                {"op": "add", "path": f"/{one.id}/metadata/x"}):
        assert patch(bad) == 400


def test_instances_find_their_machine_by_metadata(nodes):
    """9"""
    nodes[0].ok("submit", nodes.unit("on@.service", "MachineMetadata=hostname=%i"))
    names = [f"on@n{node.number}" for node in nodes]
    nodes[0].ok("start", *names)
    assert active(nodes, names) == {f"on@n{node.number}.service": node.id for node in nodes}
    done = nodes[0].run("start", "--block-attempts=1", "on@invalid")
    assert done.returncode == 1 and "on@invalid.service" not in nodes[0].active()


def test_second_daemon_with_one_machine_id_is_not_served(nodes):
    """11"""
    first, second = nodes[3], nodes[4]
    assert second.stop() == 0
    second.start("--machine-id", first.id)
    told = {"error": {"code": 503, "message": "fleet server unable to communicate with etcd"}}
    wait_for("it answers 503", lambda: second.api("GET", "/fleet/v1/machines"), lambda got: got == (503, told))
    time.sleep(TTL + 1)  # the first goes on renewing, and stays the owner
    assert second.api("GET", "/fleet/v1/units") == (503, told)
    assert first.machines() == {node.id for node in nodes.nodes[:4]}
    assert second.stop() == 0
    second.start()
    if nodes.kind == "embedded":  # on one machine, the units of two daemons with one ID have had one control group
        first.stop()
        first.start()
    wait_for("with an ID of its own it is served", lambda: second.api("GET", "/fleet/v1/machines")[0], lambda status: status == 200)


def test_pairs_share_machines_and_move_together(nodes):
    """12"""
    nodes[0].ok("submit", nodes.unit("ping@.service", "Conflicts=ping@*.service"), nodes.unit("pong@.service", "MachineOf=ping@%i.service"))
    names = [f"{side}@{n}" for side in ("ping", "pong") for n in (1, 2, 3)]
    nodes[0].ok("start", *names)
    before = active(nodes, names)
    for n in (1, 2, 3):
        assert before[f"ping@{n}.service"] == before[f"pong@{n}.service"]
    victim = nodes.by_id(before["ping@2.service"])
    watch = nodes[another(nodes, victim.id)]
    victim.lose_power()
    after = wait_for("the pair has moved", watch.active, lambda found: victim.id not in found.values() and len(found) == 6)
    assert after["ping@2.service"] == after["pong@2.service"]
    assert {name for name in before if before[name] != after[name]} == {"ping@2.service", "pong@2.service"}


def test_of_five_that_conflict_on_three_machines_two_wait(nodes):
    """13"""
    nodes[0].ok("submit", nodes.unit("c@.service", f"MachineMetadata=trio=yes\n{CONFLICT}"))
    nodes[0].ok("start", "--no-block", *(f"c@{n}" for n in range(1, 6)))
    found = wait_for("three are active", nodes[0].active, lambda found: len(found) == 3)
    assert len(set(found.values())) == 3
    states = Counter(row.split()[1] for row in nodes[0].ok("list-unit-files", "--no-legend", "--fields", "unit,state").splitlines())
    assert states == {"launched": 3, "inactive": 3}  # two, and the template
    waiting = next(f"c@{n}.service" for n in range(1, 6) if f"c@{n}.service" not in found)
    nodes[0].ok("destroy", next(iter(found)))
    wait_for("one that waited takes the place", nodes[0].active, lambda now: len(now) == 3 and now != found)
    assert waiting


def test_waiting_unit_starts_when_its_blocker_is_destroyed(nodes):
    """14: only one of them names the conflict."""
    here = f"MachineMetadata=hostname=n{nodes[1].number}"
    nodes[0].ok("start", nodes.unit("blocker.service", here))
    nodes[0].ok("start", "--no-block", nodes.unit("waits.service", f"{here}\nConflicts=blocker.service"))
    assert "waits.service" not in nodes[0].active()
    nodes[0].ok("destroy", "blocker")
    assert active(nodes, ["waits"])["waits.service"] == nodes[1].id


@pytest.mark.parametrize("lines", ["Conflicts=one.service two.service", "Conflicts=one.service\nConflicts=two.service"])
def test_several_conflicts_in_a_line_or_in_lines(nodes, lines):
    """15"""
    where = "MachineMetadata=trio=yes"
    nodes[0].ok("start", nodes.unit("one.service", where), nodes.unit("two.service", where))
    nodes[0].ok("start", nodes.unit("third.service", f"{where}\n{lines}"))
    assert len(set(active(nodes, ["one", "two", "third"]).values())) == 3


def test_replaces_moves_the_old_unit_elsewhere(nodes):
    """16"""
    nodes[0].ok("start", nodes.unit("old.service"))
    was = active(nodes, ["old"])["old.service"]
    nodes[0].ok("start", nodes.unit("new.service", f"Replaces=old.service\nMachineMetadata=hostname=n{nodes.by_id(was).number}"))
    found = wait_for("the old one has moved", nodes[0].active, lambda found: found.get("old.service", was) != was)
    assert found["new.service"] == was


def test_two_that_replace_each_other_let_each_other_be(nodes):
    """17: neither drives the other away for ever."""
    here = "MachineMetadata=hostname=n2"
    paths = [nodes.unit(f"{name}.service", f"Replaces={other}.service\n{here}") for name, other in (("left", "right"), ("right", "left"))]
    nodes[0].ok("start", *paths)
    assert active(nodes, ["left", "right"]) == {"left.service": nodes[1].id, "right.service": nodes[1].id}
    wait_for("both have told their start", lambda: nodes.events("left.service") + nodes.events("right.service"),
             lambda found: found == ["start"] * 2)
    time.sleep(1)
    assert nodes.events("left.service") == nodes.events("right.service") == ["start"]


def test_machine_id_pins(nodes):
    """18: the whole ID, or its first 8 characters."""
    nodes[0].ok("start", nodes.unit("pinned.service", f"MachineID={nodes[2].id}"), nodes.unit("short.service", f"MachineID={nodes[3].id[:8]}"))
    assert active(nodes, ["pinned", "short"]) == {"pinned.service": nodes[2].id, "short.service": nodes[3].id}


def test_global_unit_runs_on_all_and_on_one_that_joins_later(nodes):
    """19"""
    late = nodes[4]
    late.stop()
    assert "Triggered global unit all.service start" in nodes[0].ok("start", nodes.unit("all.service", "Global=true"))
    here = {node.id for node in nodes.nodes[:4]}
    wait_for("it runs on four", lambda: nodes[0].everywhere("all.service"), lambda found: found == here)
    late.start()
    wait_for("it runs on the fifth", lambda: nodes[0].everywhere("all.service"), lambda found: found == here | {late.id})
    assert nodes.events("all.service") == ["start"] * 5


def test_of_two_global_units_that_conflict_the_first_runs(nodes):
    """20"""
    nodes[0].ok("start", "--no-block", nodes.unit("gl-a.service", "Global=true\nConflicts=gl-b.service"), nodes.unit("gl-b.service", "Global=true"))
    wait_for("the first is everywhere", lambda: nodes[0].everywhere("gl-a.service"), lambda found: len(found) == 5)
    wait_for("the second is nowhere", lambda: nodes[0].everywhere("gl-b.service"), lambda found: not found)


def test_hangup_leaves_units_and_the_process(nodes):
    """21; that nobody is refused meanwhile is in test_hosts_fleet.py."""
    here = nodes[4]
    nodes[0].ok("start", nodes.unit("stays.service", f"MachineID={here.id}"))
    wait_for("it has told its start", lambda: nodes.events("stays.service"))
    daemon = here.pid()
    here.signal(signal.SIGHUP)
    wait_for("it has begun anew", here.log, lambda text: "registered as machine" in text.partition("starting anew")[2])
    assert here.pid() == daemon and here.machines() == {node.id for node in nodes}
    active(nodes, ["stays"])
    assert nodes.events("stays.service") == ["start"]


@pytest.mark.parametrize("noticed", [False, True])
def test_daemon_ends_in_order_also_when_the_store_is_lost(nodes, noticed):
    """22, 23: with its units, and soon: once they have ended it waits 5 s for the store."""
    lost, watch = nodes[4], nodes[0]
    watch.ok("start", nodes.unit("here.service", f"MachineID={lost.id}"))
    active(nodes, ["here"])
    wait_for("it has told its start", lambda: nodes.events("here.service"))
    lost.cut()
    if noticed:
        wait_for("it is missed", watch.machines, lambda found: lost.id not in found)
    begun = time.monotonic()
    assert lost.stop() == 0
    assert time.monotonic() - begun < 8
    assert nodes.events("here.service") == ["start", "stop"]


def test_unit_goes_through_all_states_and_back(nodes):
    """24"""
    def state() -> tuple[str, ...]:
        rows = [row.split() for row in nodes[0].ok("list-units", "--no-legend", "--fields", "unit,load,active,sub").splitlines()]
        return tuple(word for row in rows if row[0] == "u.service" for word in row[1:])  # what a test before left may still be going

    nodes[0].ok("load", nodes.unit("u.service"))
    assert state() == ("loaded", "inactive", "dead")
    nodes[0].ok("start", "u")
    assert state() == ("loaded", "active", "running")
    nodes[0].ok("stop", "u")
    assert state() == ("loaded", "inactive", "dead")
    nodes[0].ok("unload", "u")
    wait_for("no state is left", state, lambda found: found == ())


def test_hello_becomes_active(nodes):
    """26"""
    hello = nodes.write("hello.service", "[Unit]\nDescription=Hello World\n\n[Service]\n"
                                         "ExecStart=/bin/sh -c 'while true; do echo Hello, World; sleep 1; done'\n")
    nodes[0].ok("start", hello)
    active(nodes, ["hello"])


CYCLES = [("submit", "destroy", 9, "inactive"), ("load", "unload", 6, "loaded"), ("start", "stop", 3, "launched")]


@pytest.mark.parametrize("verb,undo,count,state", CYCLES)
def test_many_units_there_and_back_and_again(nodes, verb, undo, count, state):
    """27, 28, 29"""
    paths = [nodes.unit(f"m{n}.service") for n in range(count)]
    names = [f"m{n}.service" for n in range(count)]

    def states() -> list[str]:
        return nodes[0].ok("list-unit-files", "--no-legend", "--fields", "state").split()

    for _ in range(2):
        nodes[0].ok(verb, *paths)
        assert states() == [state] * count
        nodes[0].ok(undo, *names)
        assert states() == {"destroy": [], "unload": ["inactive"] * count, "stop": ["loaded"] * count}[undo]
    if verb == "start":
        assert nodes.events("m0.service") == ["start", "stop"] * 2


@pytest.mark.parametrize("verb,undo,count,state", CYCLES)
def test_units_are_replaced_by_others_of_their_name(nodes, verb, undo, count, state):
    """30, 31, 32"""
    for turn in ("first", "second"):
        paths = [nodes.unit(f"m{n}.service", unit=f"Documentation=man:{turn}(1)") for n in range(count)]
        nodes[0].ok(verb, "--replace", *paths)
        assert nodes[0].ok("list-unit-files", "--no-legend", "--fields", "state").split() == [state] * count
        assert all(turn in nodes[0].ok("cat", f"m{n}") for n in range(count))
        if verb != "start":  # a unit in a state that is beyond the verb is not replaced
            nodes[0].ok(undo if verb == "load" else "submit", *(f"m{n}" for n in range(count)))


def test_restart_makes_another_process(nodes):
    """33"""
    nodes[0].ok("start", nodes.unit("again.service"))
    wait_for("it has told its start", lambda: nodes.events("again.service"))
    where = active(nodes, ["again"])
    nodes[0].ok("restart", "again")
    wait_for("it was stopped and started", lambda: nodes.events("again.service"), lambda found: found == ["start", "stop", "start"])
    assert active(nodes, ["again"]) == where


def test_cat_returns_the_text(nodes):
    """35"""
    text = "[Unit]\nDescription=as it is\n\n[Service]\nExecStart=/bin/sh -c \"sleep 1000\"\n"
    nodes[0].ok("submit", nodes.write("text.service", text))
    assert nodes[1].ok("cat", "text") == text


def test_status_and_sorted_unit_files(nodes):
    """36"""
    names = ["z.service", "a.service", "m.service"]
    nodes[0].ok("start", *(nodes.unit(name) for name in names))
    assert "active (running)" in nodes[1].ok("status", "m")
    assert nodes[0].run("status", "nosuch").returncode != 0
    assert nodes[0].ok("list-unit-files", "--no-legend", "--fields", "unit").split() == sorted(names)


def test_replaced_unit_has_ended_before_its_successor_begins(nodes):
    """the one after 36: ExecStartPre= of the new text after ExecStopPost= of the old one"""
    noted = f"{nodes[0].shared}/%n.events"
    nodes[0].ok("start", nodes.unit("turn.service", service=f"ExecStopPost=/bin/sh -c 'sleep 0.5; echo old-ended >>{noted}'"))
    wait_for("it has told its start", lambda: nodes.events("turn.service"))
    where = active(nodes, ["turn"])
    nodes[0].ok("start", "--replace", nodes.unit("turn.service", service=f"ExecStartPre=/bin/sh -c 'echo new-begins >>{noted}'"))
    wait_for("the new one runs", lambda: nodes.events("turn.service"),
             lambda found: found == ["start", "stop", "old-ended", "new-begins", "start"])
    assert set(active(nodes, ["turn"])) == set(where)
