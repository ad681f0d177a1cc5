"""update: another text for running units, one after the other; what is not well goes back."""
import signal
import subprocess
import time

import pytest
from fleets import BUILD, Fleet, wait_for


def unit(folder, name: str, mark: str, service: str = "", fleet: str = "", start: str = "exec sleep 1000") -> str:
    """Tells in `folder`/told when it starts, and with which text."""
    path = folder / name
    path.write_text(f"[Service]\nExecStart=/bin/sh -c 'echo {mark} %n %m >> {folder}/told; {start}'\n{service}\n[X-Fleet]\n{fleet}\n")
    return str(path)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    with Fleet(tmp_path_factory.mktemp("update"), count=3) as running:
        yield running


@pytest.fixture
def one(fleet):
    one = fleet.machines[0]
    yield one
    names = [row["name"] for row in one.api("GET", "/fleet/v1/units")[1].get("units", [])]
    if names:
        one.ok("destroy", *names)


def told(folder) -> list[str]:
    path = folder / "told"
    return path.read_text().splitlines() if path.exists() else []


def texts(one) -> dict[str, str]:
    """What is wanted of each unit's text, by its mark."""
    found = {}
    for row in one.api("GET", "/fleet/v1/units")[1].get("units", []):
        start = next(option["value"] for option in row["options"] if option["name"] == "ExecStart")
        found[row["name"]] = start.split("echo ")[1].split()[0]
    return found


def rolls(one) -> list[str]:
    return [roll["unit"] for roll in one.api("GET", "/faering/v1/rolls")[1]["rolls"]]


def start_instances(one, folder, count: int = 3) -> list[str]:
    names = [f"web@{number}.service" for number in range(1, count + 1)]
    unit(folder, "web@.service", "old")
    one.ok("start", *(str(folder / name) for name in names))
    wait_for("all have told", lambda: len(told(folder)), lambda number: number == count)
    return names


def test_instances_get_the_new_text_one_after_the_other(one, tmp_path):
    names = start_instances(one, tmp_path)
    one.ok("submit", str(tmp_path / "web@.service"))
    new = unit(tmp_path, "new.service", "new")
    out = one.ok("update", "web@", "--file", new, "--healthy-for", "1")
    # one is well before the next begins
    assert [line.split()[1] for line in out.splitlines() if "gets" in line] == [*names, "web@.service"]
    assert out.index("web@1.service is well") < out.index("web@2.service gets")
    assert [line.split()[:2] for line in told(tmp_path)[3:]] == [["new", name] for name in names]
    assert texts(one) == {name: "new" for name in [*names, "web@.service"]}
    assert rolls(one) == [] and "no update" in one.ok("update")
    assert all(active == "active" for _, active in one.units().values())
    assert one.ok("update", "web@", "--file", new).count("has this text already") == 4


def test_what_is_not_well_goes_back_and_the_rest_is_not_touched(one, tmp_path):
    names = start_instances(one, tmp_path)
    # the second one to get it fails
    new = unit(tmp_path, "new.service", "new", start=f"test $(grep -c new {tmp_path}/told) -lt 2 || exit 7; exec sleep 1000")
    done = one.fleet("update", *names, "--file", new, "--healthy-for", "1")
    assert done.returncode == 1
    assert "web@2.service is not well with the new text: it is failed" in done.stderr and "was taken back" in done.stderr
    assert texts(one) == {name: "old" for name in names} and rolls(one) == []
    assert all(active == "active" for _, active in one.units().values())
    assert [line.split()[1] for line in told(tmp_path)[3:]] == ["web@1.service", "web@2.service", "web@2.service", "web@1.service"]


def test_refused_text_changes_nothing(one, tmp_path):
    names = start_instances(one, tmp_path, 1)
    before = told(tmp_path)
    bad = unit(tmp_path, "bad.service", "new", fleet="Global=true\nMachineID=1")
    assert one.fleet("update", *names, "--file", bad).returncode == 1
    done = one.fleet("update", *names, "--file", unit(tmp_path, "glob.service", "new", fleet="Global=true"))
    assert done.returncode == 1 and "cannot make a unit global" in done.stderr
    assert told(tmp_path) == before and texts(one) == {names[0]: "old"}
    assert one.fleet("update", "nosuch", "--file", bad, "--no-lint").returncode == 1


def test_health_check_decides(one, tmp_path):
    names = start_instances(one, tmp_path, 2)
    check = f"HealthCheck=exec:test -e {tmp_path}/well\nHealthInterval=100ms"
    new = unit(tmp_path, "new.service", "new", fleet=check)
    begun = time.monotonic()
    done = one.fleet("update", *names, "--file", new, "--timeout", "2")
    assert done.returncode == 1 and time.monotonic() - begun > 2
    assert "its health check is failing: the command ended with 1" in done.stderr
    assert texts(one) == {name: "old" for name in names}
    (tmp_path / "well").touch()
    one.ok("update", *names, "--file", new, "--at-once", "2")
    assert one.ok("status", *names).count("health: passing") == 2
    state = one.api("GET", f"/faering/v1/states/{names[0]}")[1]["states"][0]
    assert (state["active"], state["health"]) == ("active", "passing")
    (tmp_path / "well").unlink()
    wait_for("it is told", lambda: one.api("GET", f"/faering/v1/states/{names[0]}")[1]["states"][0]["health"],
             lambda health: health == "failing")


@pytest.mark.parametrize("form", ["http", "tcp"])
def test_health_by_network(one, tmp_path, form):
    """A server that is asked on its own port; 404 is not well."""
    (tmp_path / "www").mkdir()
    (tmp_path / "www/ok").touch()
    from stores import free_ports
    port = free_ports(1)[0]
    serve = f"exec /usr/bin/python3 -m http.server {port} --bind 127.0.0.1 --directory {tmp_path}/www"
    check = f"HealthCheck=http://:{port}/ok" if form == "http" else f"HealthCheck=tcp://:{port}"
    path = unit(tmp_path, "serve.service", "old", start=serve, fleet=f"{check}\nHealthInterval=100ms")
    one.ok("start", path)

    def health() -> dict:
        return one.api("GET", "/faering/v1/states/serve.service")[1]["states"][0]

    wait_for("it is well", health, lambda state: state["health"] == "passing")
    if form == "http":
        (tmp_path / "www/ok").unlink()
        wait_for("it is not", health, lambda state: state["healthText"] == "it answers 404")
    one.ok("stop", "serve")
    wait_for("it is not asked any more", health, lambda state: state["health"] == "")


def marks_on(folder, mark: str) -> list[str]:
    return [line.split()[2] for line in told(folder) if line.startswith(mark + " ")]


def test_global_unit_is_rolled_over_its_machines(fleet, one, tmp_path):
    ids = [machine.id for machine in fleet.machines]
    one.ok("start", unit(tmp_path, "glob.service", "old", fleet="Global=true"))
    wait_for("all run it", lambda: sorted(marks_on(tmp_path, "old")), lambda found: found == ids)
    new = unit(tmp_path, "new.service", "new", fleet="Global=true")
    out = one.ok("update", "glob", "--file", new, "--healthy-for", "1")
    assert out.count("gets the new text") == 3 and marks_on(tmp_path, "new") == ids
    assert texts(one) == {"glob.service": "new"} and rolls(one) == []
    # the second machine is not well with the next: the first goes back, the third never had it
    bad = unit(tmp_path, "bad.service", "bad", fleet="Global=true", start=f"test %m != {ids[1]} && exec sleep 1000; exit 3")
    done = one.fleet("update", "glob", "--file", bad, "--healthy-for", "1")
    assert done.returncode == 1 and f"glob.service on {ids[1][:8]}... is not well" in done.stderr
    assert marks_on(tmp_path, "bad") == ids[:2] and texts(one) == {"glob.service": "new"} and rolls(one) == []
    assert sorted(marks_on(tmp_path, "new")) == sorted(ids + ids[:2])
    assert all(active == "active" for _, active in one.units().values())


def test_daemon_that_is_away_takes_nothing_back(fleet, one, tmp_path):
    names = start_instances(one, tmp_path, 2)
    new = unit(tmp_path, "new.service", "new")
    two = fleet.machines[1]
    command = [str(BUILD / "src/cli/faering"), "fleet", "--endpoint", f"unix://{two.socket}", "update", *names, "--file", new]
    with subprocess.Popen([*command, "--healthy-for", "30"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as client:
        wait_for("the first has it", lambda: len(marks_on(tmp_path, "new")), lambda number: number == 1)
        two.kill()
        out, err = client.communicate(timeout=20)
    two.start()
    fleet.wait_registered(two)
    assert client.returncode == 3 and "The same command goes on from here" in err and "old text" not in out
    one.ok("update", *names, "--file", new, "--healthy-for", "1")
    assert texts(one) == {name: "new" for name in names} and rolls(one) == []


def test_machine_that_leaves_meanwhile_is_passed_over(fleet, one, tmp_path):
    ids = [machine.id for machine in fleet.machines]
    one.ok("start", unit(tmp_path, "glob.service", "old", fleet="Global=true"))
    wait_for("all run it", lambda: sorted(marks_on(tmp_path, "old")), lambda found: found == ids)
    # on the third it never becomes well, until that has gone
    new = unit(tmp_path, "new.service", "new", fleet=f"Global=true\nHealthCheck=exec:test $(grep -c new {tmp_path}/told) -lt 3\nHealthInterval=100ms")
    command = [str(BUILD / "src/cli/faering"), "fleet", "--endpoint", f"unix://{one.socket}", "update", "glob", "--file", new, "--timeout", "6"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as client:
        wait_for("the third has it", lambda: marks_on(tmp_path, "new"), lambda found: found == ids)
        fleet.machines[2].stop()
        out, err = client.communicate(timeout=30)
    fleet.machines[2].start()
    fleet.wait_registered(fleet.machines[2])
    assert client.returncode == 0, err
    assert f"glob.service on {ids[2][:8]}... does not run there any more: passed over" in out
    assert texts(one) == {"glob.service": "new"} and rolls(one) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_update_is_gone_on_with_or_taken_back(one, tmp_path, how):
    names = start_instances(one, tmp_path)
    new = unit(tmp_path, "new.service", "new")
    command = [str(BUILD / "src/cli/faering"), "fleet", "--endpoint", f"unix://{one.socket}", "update", "web@", "--file", new]
    with subprocess.Popen([*command, "--healthy-for", "30"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as client:
        wait_for("the first has it", lambda: len(marks_on(tmp_path, "new")), lambda number: number == 1)
        client.send_signal(how)
        out, err = client.communicate(timeout=10)
    if how == signal.SIGINT:
        assert client.returncode == 3 and "interrupted: 0 of 3" in err and "--back" in err
    assert rolls(one) == [names[0]] and names[0] in one.ok("update")
    assert texts(one) == {names[0]: "new", names[1]: "old", names[2]: "old"}
    if how == signal.SIGINT:
        one.ok("update", "--back", "web@")
        assert texts(one) == {name: "old" for name in names}
    else:
        out = one.ok("update", "web@", "--file", new, "--healthy-for", "1")
        assert "begun before: 1 of 3" in out
        assert texts(one) == {name: "new" for name in names} and len(marks_on(tmp_path, "new")) == 3
    assert rolls(one) == []
    wait_for("all run", lambda: [active for _, active in one.units().values()], lambda found: found == ["active"] * 3)
