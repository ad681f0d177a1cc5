"""fleetctl's verbs, flags, messages and exit codes, as they were recorded of fleet 1.0 where they were no faults."""
import json
import subprocess
import time

import pytest
from fleets import WAIT_SECONDS, Fleet, wait_for
from relay import Relay

SLEEP = "[Unit]\nDescription=hello lab\n\n[Service]\nExecStart=/bin/sleep 1000\n"
METADATA = ["disk=ssd,region=us-east", "disk=hdd", "disk=hdd"]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    with Fleet(tmp_path_factory.mktemp("fleetctl"), metadata=METADATA) as fleet:
        yield fleet


@pytest.fixture
def one(fleet):
    machine = fleet.machines[0]
    yield machine
    names = [unit["name"] for unit in machine.api("GET", "/fleet/v1/units")[1].get("units", [])]
    if names:
        done = machine.fleetctl("destroy", *names)
        assert done.returncode == 0, done.stderr


def write(folder, name, text=SLEEP):
    (folder / name).write_text(text)
    return str(folder / name)


def said(done) -> tuple[int, str, str]:
    return done.returncode, done.stdout, done.stderr


def test_list_machines_has_tabs_and_short_ids(fleet, one):
    rows = "".join(f"{machine.id[:8]}...\t{machine.address}\t{metadata}\n" for machine, metadata in zip(fleet.machines, METADATA))
    assert said(one.fleetctl("list-machines")) == (0, "MACHINE\t\tIP\t\tMETADATA\n" + rows, "")
    full = "".join(f"{machine.id}\t{machine.address}\n" for machine in fleet.machines)
    for flag in ("--full", "-l", "--l"):
        assert said(one.fleetctl("list-machines", flag, "--no-legend", "--fields=machine,ip")) == (0, full, "")
    assert said(one.fleetctl("list-unit-files", "--fields=foo")) == (1, "", 'Invalid key in output format: "foo"\n')
    machines = json.loads(one.fleetctl("list-machines", "-o", "json").stdout)
    assert [machine["primaryIP"] for machine in machines] == [machine.address for machine in fleet.machines]


def test_a_unit_from_submit_to_destroy(fleet, one, tmp_path):
    hello = write(tmp_path, "hello.service")
    assert said(one.fleetctl("submit", hello)) == (0, "Unit hello.service inactive\n", "")
    assert said(one.fleetctl("submit", hello)) == (0, "", "")
    text = "UNIT\t\tGLOBAL\tDSTATE\t\tTARGET\tSTATE\t\tDESC\nhello.service\tfalse\tinactive\t-\tinactive\thello lab\n"
    assert said(one.fleetctl("list-unit-files", "--fields", "unit,global,dstate,target,state,desc")) == (0, text, "")
    done = one.fleetctl("load", "hello")
    where = next(f"{machine.id[:8]}.../{machine.address}" for machine in fleet.machines if machine.id[:8] in done.stdout)
    assert said(done) == (0, f"Unit hello.service loaded on {where}\n", "")
    assert said(one.fleetctl("start", "hello")) == (0, f"Unit hello.service launched on {where}\n", "")
    assert said(one.fleetctl("start", "hello")) == (0, "", "")
    assert said(one.fleetctl("cat", "hello")) == (0, SLEEP, "")
    assert said(one.fleetctl("list-units")) == \
        (0, f"UNIT\t\tMACHINE\t\t\tACTIVE\tSUB\nhello.service\t{where}\tactive\trunning\n", "")
    assert json.loads(one.fleetctl("status", "hello", "-o", "json").stdout)["state"]["systemdSubState"] == "running"
    assert said(one.fleetctl("stop", "hello")) == \
        (0, f"Unit hello.service loaded on {where}\n", "Successfully stopped units [hello.service].\n")
    assert said(one.fleetctl("unload", "hello")) == \
        (0, "Unit hello.service inactive\n", "Successfully unloaded units [hello.service].\n")
    assert said(one.fleetctl("stop", "hello")) == (1, "", "Unable to stop unit hello.service in state inactive\n")
    assert said(one.fleetctl("destroy", "hello")) == (0, "Destroyed hello.service\n", "")


def test_unknown_units_end_with_1(one, tmp_path):
    for verb in ("stop", "unload", "destroy", "restart"):
        assert said(one.fleetctl(verb, "nosuch")) == (1, "", "Units not found in registry: nosuch.service\n")
    code, out, err = said(one.fleetctl("start", "nosuch"))
    assert (code, out) == (1, "") and err.startswith("Error creating units: unable to find Unit(nosuch.service) in Registry or on filesystem")
    for verb, text in (("status", "does not exist."), ("cat", "not found"), ("journal", "does not exist.")):
        assert said(one.fleetctl(verb, "nosuch")) == (1, "", f"Unit nosuch.service {text}\n")
        code, out, err = said(one.fleet(verb, "nosuch"))
        assert (code, out) == (1, "") and f"{text.rstrip('.')}; \"faering fleet list-unit-files\" lists" in err
    assert said(one.fleetctl("ssh", "--machine=zz", "ls")) == (1, "", "Unable to proceed: machine does not exist\n")
    assert said(one.fleetctl("ssh", "--unit=zz", "ls")) == (1, "", "Unable to proceed: unit does not exist\n")
    # those that are known are dealt with all the same
    one.fleetctl("submit", write(tmp_path, "known.service"))
    assert said(one.fleetctl("destroy", "nosuch", "known")) == (1, "Destroyed known.service\n", "Units not found in registry: nosuch.service\n")


def test_templates(one, tmp_path):
    assert said(one.fleetctl("submit", write(tmp_path, "hello@.service"))) == (0, "Unit hello@.service inactive\n", "")
    assert said(one.fleetctl("start", "hello@.service")) == \
        (1, "", 'Error starting units: googleapi: Error 400: cannot activate template "hello@.service"\n')
    done = one.fleetctl("start", "hello@1", "hello@2")
    assert done.returncode == 0 and done.stdout.startswith("Unit hello@1.service inactive\nUnit hello@2.service inactive\nUnit hello@1.service launched on ")
    assert said(one.fleetctl("start", "--no-block", "hello@3")) == \
        (0, "Unit hello@3.service inactive\nTriggered unit hello@3.service start\n", "")


def test_waiting_has_an_end(one, tmp_path):
    nowhere = write(tmp_path, "nowhere.service", SLEEP + "[X-Fleet]\nMachineMetadata=disk=none\n")
    begun = time.monotonic()
    code, out, err = said(one.fleetctl("start", "--block-attempts=1", nowhere))
    assert (code, out) == (1, "Unit nowhere.service inactive\n") and 1.5 < time.monotonic() - begun < 10
    late = "timed out waiting for unit nowhere.service to report state launched"
    assert err == f"Error waiting for units: {late}\nError waiting for unit states, exit status: {late}\n"
    # what is wanted already is not asked for again; what no machine can take is stopped at once
    assert said(one.fleetctl("start", "--no-block", nowhere)) == (0, "", "")
    assert said(one.fleetctl("stop", "nowhere")) == (0, "Unit nowhere.service inactive\n", "Successfully stopped units [nowhere.service].\n")
    assert one.api("GET", "/fleet/v1/units/nowhere.service")[1]["desiredState"] == "loaded"


def test_a_start_that_does_not_become_active_fails(one, tmp_path):
    def start(name, text, program="fleetctl"):
        return said(getattr(one, program)("start", write(tmp_path, name, text)))

    why = "Failed to find an active unit {} within 2s, err: Failed to fetch states within 2s"
    for name, text in (("fail.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n"), ("slow.service", "[Service]\nType=oneshot\nExecStart=/bin/sleep 4\n"),
                       ("over.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n")):
        code, out, err = start(name, text)
        assert code == 1 and f"Unit {name} launched on " in out
        assert err == f"Error waiting for units: {why.format(name)}\nError waiting for systemd unit states, err: {why.format(name)}\n"
    # under our name a oneshot that is over is fine
    code, out, err = start("done.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n", "fleet")
    assert (code, err) == (0, "")
    code, out, err = start("slow2.service", "[Service]\nType=oneshot\nExecStart=/bin/sleep 4\n", "fleet")
    assert code == 1 and "unit slow2.service is activating" in err


def test_what_was_done_already_is_not_told_as_done(one, tmp_path):
    one.fleetctl("load", write(tmp_path, "twice.service"))
    assert said(one.fleetctl("stop", "twice")) == (0, "", "Successfully stopped units [].\n")
    one.fleetctl("unload", "twice")
    assert said(one.fleetctl("unload", "twice")) == (0, "", "Successfully unloaded units [].\n")


def test_a_unit_that_is_named_twice_is_one(one, tmp_path):
    path = write(tmp_path, "once.service")
    assert said(one.fleetctl("submit", path, "once", "./once.service")) == (0, "Unit once.service inactive\n", "")
    assert said(one.fleetctl("destroy", "once", "once.service", path)) == (0, "Destroyed once.service\n", "")


def test_unknown_keys_are_warned_about(one, tmp_path):
    path = write(tmp_path, "odd.service", SLEEP + "[X-Fleet]\nMemory=1M\nBogus=1\nOther=2\n")
    warning = 'WARN: Unit odd.service: unrecognized requirement in [X-Fleet] section: "Bogus"\n'
    assert said(one.fleetctl("submit", path)) == (0, "Unit odd.service inactive\n", warning)


def test_templates_files_that_differ_are_told(one, tmp_path):
    template, instance = write(tmp_path, "t@.service"), str(tmp_path / "t@1.service")
    one.fleetctl("submit", template)
    write(tmp_path, "t@.service", SLEEP + "Nice=5\n")
    warning = "WARNING: Unit {} in registry differs from local template unit file {}. Add --replace to override.\n"
    assert said(one.fleetctl("submit", instance)) == (0, "Unit t@1.service inactive\n", warning.format("t@.service", instance))
    assert said(one.fleetctl("submit", str(tmp_path / "t@1"))) == (0, "", warning.format("t@1.service", instance))
    assert "Nice" not in one.fleetctl("cat", "t@1").stdout


def test_replacing_needs_a_file(one, tmp_path):
    one.fleetctl("submit", write(tmp_path, "lost.service"))
    (tmp_path / "lost.service").unlink()
    for verb in ("submit", "start"):
        code, out, err = said(one.fleetctl(verb, "--replace", str(tmp_path / "lost.service")))
        assert (code, out, err) == (1, "", "Error creating units: error Unit lost.service does not seem to be a template unit\n")
        code, out, err = said(one.fleet(verb, "--replace", str(tmp_path / "lost.service")))
        assert (code, out) == (1, "") and f"there is no file {tmp_path}/lost.service to put in the place of lost.service" in err
    assert one.api("GET", "/fleet/v1/units/lost.service")[1]["desiredState"] == "inactive"


def test_global_units(one, tmp_path):
    everywhere = write(tmp_path, "glob.service", SLEEP + "[X-Fleet]\nGlobal=true\n")
    assert said(one.fleetctl("start", everywhere)) == (0, "Unit glob.service \nTriggered global unit glob.service start\n", "")
    assert said(one.fleetctl("start", "glob")) == (0, "", "")
    rows = wait_for("it runs on all", lambda: one.fleetctl("list-units", "--no-legend").stdout, lambda text: text.count("running") == 3)
    assert "glob.service" in rows
    assert said(one.fleetctl("stop", "glob")) == (0, "Triggered global unit glob.service stop\n", "Successfully stopped units [].\n")


def test_replace(one, tmp_path):
    path = write(tmp_path, "change.service")
    one.fleetctl("start", path)
    write(tmp_path, "change.service", SLEEP.replace("1000", "2000"))
    code, out, err = said(one.fleetctl("start", path))
    assert (code, out) == (0, "") and err == \
        f"WARNING: Unit change.service in registry differs from local unit file {path}. Add --replace to override.\n"
    assert "1000" in one.fleetctl("cat", "change").stdout
    for verb in ("submit", "load"):
        code, out, err = said(one.fleetctl(verb, "--replace", path))
        assert (code, out) == (1, "") and "can not replace Unit(change.service) in state 'launched'" in err
    code, out, err = said(one.fleetctl("start", "--replace", path))
    assert (code, err) == (0, "") and out.startswith("Unit change.service inactive\nUnit change.service launched on ")
    assert "2000" in one.fleetctl("cat", "change").stdout
    assert said(one.fleetctl("submit", "--replace", path)) == (0, "Found same Unit(change.service) in Registry, nothing to do\n", "")



def test_restart_makes_another_process(fleet, one, tmp_path):
    talk = write(tmp_path, "talk.service", f"[Service]\nExecStart=/bin/sh -c 'echo $$$$ >> {tmp_path}/pids; exec sleep 1000'\n")
    assert one.fleetctl("start", talk).returncode == 0
    wait_for("it has run", lambda: (tmp_path / "pids").exists() and (tmp_path / "pids").read_text())
    done = one.fleetctl("restart", "talk")
    assert done.returncode == 0 and "Unit talk.service launched on" in done.stdout
    pids = wait_for("it has run again", lambda: (tmp_path / "pids").read_text().split(), lambda found: len(found) == 2)
    assert pids[0] != pids[1]
    assert one.fleetctl("unload", "talk").returncode == 0
    assert said(one.fleetctl("restart", "talk")) == (1, "", "Unable to restart unit talk.service in state inactive\n")


def unit_requests_of(one, tmp_path, *arguments: str) -> list[str]:
    with Relay(tmp_path / "relay.sock", one.socket) as relay:
        done = one.fleetctl(*arguments, endpoint=f"unix://{relay.path}")
        assert done.returncode == 0, done.stderr
        return [line for line in relay.requests() if "/fleet/v1/units" in line]


def test_many_units_are_listed_once_for_each_time_that_they_change(one, tmp_path):
    names = [f"many{i}.service" for i in range(60)]
    files = [write(tmp_path, name) for name in names]
    asked = unit_requests_of(one, tmp_path, "load", "--no-block", *files)
    assert sum("/fleet/v1/units?" in line for line in asked) == 2, asked  # what is there, and that all of it is there now
    assert sum(line.startswith("PUT ") for line in asked) == 120, asked
    asked = unit_requests_of(one, tmp_path, "unload", "--no-block", *names)
    assert sum("/fleet/v1/units?" in line for line in asked) == 1, asked
    asked = unit_requests_of(one, tmp_path, "destroy", *names, "--no-block")
    assert sum(line.startswith("GET ") for line in asked) == 1, asked


def test_one_unit_is_asked_for_once_for_each_time_that_it_changes(one, tmp_path):
    asked = unit_requests_of(one, tmp_path, "load", "--no-block", write(tmp_path, "few.service"))
    assert asked == ["GET /fleet/v1/units/few.service", "PUT /fleet/v1/units/few.service"] * 2
    asked = unit_requests_of(one, tmp_path, "unload", "--no-block", "few.service")
    assert asked == ["GET /fleet/v1/units/few.service", "PUT /fleet/v1/units/few.service"]


def test_prefixes_help_and_version(one):
    assert one.fleetctl("list-m").stdout == one.fleetctl("list-machines").stdout
    done = one.fleetctl("l")
    assert done.returncode != 0 and 'unknown verb "l"' in done.stderr
    version = one.fleetctl("version").stdout
    assert version.startswith("fleetctl version ") and one.fleetctl("--version").stdout == version
    assert one.fleetctl("help").returncode == 0 and "list-unit-files" in one.fleetctl().stdout
    assert "--block-attempts" in one.fleetctl("help", "start").stdout
    assert one.fleetctl("verify", "a.service").returncode == 2
    done = one.fleetctl("--driver", "etcd", "list-units")
    assert done.returncode == 2 and "--driver etcd is no more" in done.stderr
    assert one.fleetctl("--request-timeout=3.0", "--endpoint", f"file://{one.socket},http://127.0.0.1:1", "list-units").returncode == 0


def test_the_groups_options_stand_anywhere(one, tmp_path):
    """fleetctl took them behind the verb and behind its arguments as well, and the verb's in front of it."""
    one.fleetctl("submit", write(tmp_path, "anywhere.service"))
    nowhere = f"unix://{tmp_path}/none"
    wanted = one.fleetctl("cat", "anywhere").stdout
    endpoint = f"unix://{one.socket}"
    for words in (("cat", "--endpoint", endpoint, "anywhere"), ("cat", "anywhere", f"--endpoint={endpoint}"), ("--endpoint", endpoint, "cat", "anywhere"),
                  ("cat", "--debug=false", "--endpoint", endpoint, "--request-timeout=3.0", "anywhere")):
        assert said(one.fleetctl(*words, endpoint=nowhere)) == (0, wanted, ""), words
    assert said(one.fleetctl("--no-legend", "list-unit-files", "--fields=unit")) == (0, "anywhere.service\n", "")
    assert one.fleetctl("list-units", "--etcd-keyfile=", "--experimental-api").returncode == 0
    assert said(one.fleetctl("list-units", "--driver=foo")) == (1, "", 'Unable to initialize client: unrecognized driver "foo"\n')
    assert "--block-attempts" in one.fleetctl("--help", "start").stdout and "--block-attempts" in one.fleetctl("start", "--help").stdout
    code, _, err = said(one.fleetctl("list-units", "--nosuch"))
    assert code == 2 and "list-units: unknown option --nosuch" in err
    assert said(one.fleetctl("list-units", "--fields=")) == (1, "", "Must define output format\n")


def test_a_folder_is_no_unit_file(one, tmp_path):
    """`start web` beside a folder web/ means web.service, and a file without a unit's ending is none."""
    (tmp_path / "web").mkdir()
    (tmp_path / "notes.txt").write_text(SLEEP)
    (tmp_path / "folder.service").mkdir()
    code, out, err = said(one.fleetctl("submit", str(tmp_path / "web")))
    assert (code, out, err) == (1, "", "Error creating units: unable to find Unit(web.service) in Registry or on filesystem\n")
    write(tmp_path, "web.service")
    assert said(one.fleetctl("submit", str(tmp_path / "web"))) == (0, "Unit web.service inactive\n", "")
    assert said(one.fleetctl("submit", str(tmp_path / "web") + "/")) == (0, "", "")
    code, out, err = said(one.fleetctl("submit", str(tmp_path / "notes.txt")))
    assert (code, out) == (1, "") and "unable to find Unit(notes.txt.service)" in err
    code, out, err = said(one.fleetctl("submit", str(tmp_path / "folder")))
    assert (code, out) == (1, "") and "Is a directory" in err
    done = one.fleet("lint", str(tmp_path / "web.service"), str(tmp_path / "notes.txt"))
    assert done.returncode == 0, done.stderr
    code, _, err = said(one.fleetctl("submit", f"{tmp_path}/nosuch@1"))
    assert code == 1 and f"failed getting Unit({tmp_path}/nosuch@1.service) from template" in err
    assert said(one.fleetctl("submit", "nosuch@1")) == (1, "", "Error creating units: failed getting Unit(nosuch@1.service) from template: "
                                                          "unable to find template Unit(nosuch@.service) in Registry or on filesystem\n")


# ---- ssh: a program of that name notes what it was called with ----

FAKE_SSH = """#!/usr/bin/python3
import json, os, subprocess, sys
with open(os.path.dirname(__file__) + "/calls", "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if "-L" in sys.argv:
    control, (here, there) = sys.argv[sys.argv.index("-S") + 1], sys.argv[sys.argv.index("-L") + 1].split(":")
    os.symlink(there, here)
    open(control, "w").close()
elif "-O" not in sys.argv:
    sys.exit(7)
"""


@pytest.fixture
def ssh(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/ssh").write_text(FAKE_SSH)
    (tmp_path / "bin/ssh").chmod(0o755)
    return tmp_path / "bin"


def calls(ssh) -> list[list[str]]:
    return [json.loads(line) for line in (ssh / "calls").read_text().splitlines()]


COMMON = ["-o", "ConnectTimeout=10", "-o", "StrictHostKeyChecking=ask"]


def test_ssh_to_a_machine_and_to_a_units_machine(fleet, one, ssh, tmp_path):
    two = fleet.machines[1]
    done = one.fleetctl("ssh", "--machine", two.id[:10], "uptime", "-p", path=ssh)
    assert done.returncode == 7  # the remote command's
    assert calls(ssh)[-1] == [*COMMON, "-p", "22", f"core@{two.address}", "uptime", "-p"]
    for flag in ("--forward-agent", "-A", "--A"):
        assert one.fleetctl("--ssh-username=me", "ssh", flag, "--ssh-port=2222", two.id, "--", "id", path=ssh).returncode == 7
        assert calls(ssh)[-1] == [*COMMON, "-p", "2222", "-A", f"me@{two.address}", "id"]
    one.fleetctl("start", write(tmp_path, "here.service", SLEEP + "[X-Fleet]\nMachineMetadata=disk=ssd\n"))
    assert one.fleetctl("--strict-host-key-checking=false", "ssh", "here", path=ssh).returncode == 7
    assert calls(ssh)[-1] == ["-o", "ConnectTimeout=10", "-o", "StrictHostKeyChecking=no", "-p", "22", f"core@{one.address}"]
    assert said(one.fleetctl("ssh", "nosuch", path=ssh)) == (1, "", "Unable to proceed: could not find matching unit or machine\n")
    assert one.fleetctl("ssh", "--machine", "zz", path=ssh).returncode == 1


def test_tunnel_leads_the_api_and_ssh_through_a_host(fleet, one, ssh, tmp_path):
    done = one.fleetctl("--tunnel", "gate:2200", "list-machines", path=ssh)
    assert said(done) == said(one.fleetctl("list-machines"))
    opened, closed = calls(ssh)
    assert opened[-1] == "core@gate" and opened[:6] == [*COMMON, "-p", "2200"] and f"{one.socket}" in opened[opened.index("-L") + 1]
    assert closed[:3] == ["-q", "-O", "exit"]
    folder = opened[opened.index("-L") + 1].rpartition("/api:")[0]
    assert subprocess.run(["test", "-e", folder], check=False).returncode == 1
    assert one.fleetctl("--tunnel", "gate", "ssh", fleet.machines[1].id, path=ssh).returncode == 7
    proxy = calls(ssh)[-2][5]
    assert proxy.startswith("ProxyCommand=ssh -q -S '") and proxy.endswith("/control' -W [%h]:%p tunnel")


def test_fd_forward_copies_both_ways_and_fails_when_nobody_is_there(one, tmp_path):
    request = b"GET /fleet/v1/machines HTTP/1.0\r\n\r\n"
    one.fleetctl("version")
    done = subprocess.run([str(one.socket.with_name("fleetctl")), "fd-forward", str(one.socket)], input=request, capture_output=True,
                          timeout=WAIT_SECONDS)
    assert done.returncode == 0 and one.id.encode() in done.stdout
    done = one.fleetctl("fd-forward", str(tmp_path / "none"))
    assert done.returncode == 1 and "Failed dialing remote address" in done.stderr
