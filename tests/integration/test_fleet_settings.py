"""faering-fleet's settings: every key that fleet.conf of fleet 1.0 had takes effect, or is answered with a note; which source counts."""
import os
import signal
import subprocess

import pytest
from fleets import Machine, wait_for
from stores import BUILD, Cluster

IGNORED = {"engine_reconcile_interval": "2", "etcd_request_timeout": "1.0", "token_limit": "100", "enable_grpc": "false",
           "disable_watches": "false", "verify_units": "true", "authorized_keys_file": "~/.ssh/authorized_keys"}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("store"), 1) as cluster:
        yield cluster.stores[0]


@pytest.fixture
def daemon(tmp_path, store):
    """A machine whose command line says little; `config`: lines of its file."""
    made = []

    def start(config: str, *options: str, environment: dict[str, str] | None = None) -> Machine:
        machine = Machine(tmp_path, len(made) + 1, store.url, 3)
        file = tmp_path / "fleet.conf"
        file.write_text(config)
        machine.command = [machine.command[0], "--config", str(file), "--state-dir", str(tmp_path / f"state{len(made)}"), "--listen",
                           f"unix://{machine.socket}", "--supervisor", "fake", "--machine-id", machine.id, *options]
        with machine.log.open("a") as log:
            machine.process = subprocess.Popen(machine.command, stdout=log, stderr=log, env={**os.environ, **(environment or {})})
        made.append(machine)
        return machine

    yield start
    for machine in made:
        if machine.process.poll() is None:
            machine.process.send_signal(signal.SIGTERM)
            machine.process.wait(timeout=15)


def own(machine: Machine) -> dict:
    machines = wait_for("it is registered", lambda: machine.api("GET", "/fleet/v1/machines")[1]["machines"],
                        lambda found: machine.id in [one["id"] for one in found])
    return next(one for one in machines if one["id"] == machine.id)


def test_keys_of_the_old_file_take_effect(daemon, store):
    machine = daemon(f"""# a comment
verbosity=1
etcd_servers=["{store.url}"]
etcd_key_prefix=/elsewhere/fleet/
public_ip="10.1.2.3"
metadata="region=us-west,disk=ssd"
agent_ttl=10s
disable_engine=true
units_directory=/run/fleet/units/
systemd_user=false
""")
    assert own(machine) == {"id": machine.id, "primaryIP": "10.1.2.3", "metadata": {"region": "us-west", "disk": "ssd"}}
    node = store.request("GET", f"/v2/keys/elsewhere/fleet/machines/{machine.id}/object")[2]["node"]
    assert 5 < node["ttl"] <= 10
    assert store.request("GET", "/v2/keys/elsewhere/fleet/lease/engine-leader")[0] == 404
    assert "is ignored" not in machine.log.read_text()


def test_keys_without_a_meaning_are_noted(daemon, store):
    lines = "".join(f"{key}={value}\n" for key, value in IGNORED.items())
    machine = daemon(f"etcd_servers={store.url}\n{lines}")
    own(machine)
    log = machine.log.read_text()
    assert [key for key in IGNORED if f"{key} is ignored: " not in log] == []


def test_the_command_line_counts_before_variables_and_these_before_the_file(daemon, store):
    config = f"etcd_servers={store.url}\npublic_ip=10.0.0.1\nmetadata=from=file\nagent_ttl=9s\n"
    machine = daemon(config, "--public_ip", "10.0.0.3", environment={"FLEET_PUBLIC_IP": "10.0.0.2", "FLEET_METADATA": "from=variable"})
    found = own(machine)
    assert found["primaryIP"] == "10.0.0.3" and found["metadata"] == {"from": "variable"}
    assert store.request("GET", f"/v2/keys/_coreos.com/fleet/machines/{machine.id}/object")[2]["node"]["ttl"] > 5


@pytest.mark.parametrize("config,told", [("no_such_key=1\n", ("fleet.conf:1", "no_such_key")), ("agent_ttl=soon\n", ("fleet.conf:1", "agent_ttl")),
                                         ("etcd_username=me\n", ("etcd_password is missing",)), ("just words\n", ("fleet.conf:1", "key=value")),
                                         ("metadata=" + 5000 * "a" + "=b\n", ("fleet.conf:1", "a line is longer than"))])
def test_wrong_settings_are_refused_with_their_place(daemon, config, told):
    machine = daemon(config)
    assert machine.process.wait(timeout=15) == 2
    log = machine.log.read_text()
    assert [word for word in told if word not in log] == []


def test_a_folder_is_no_file_of_settings(tmp_path):
    """It was read as an empty file: the daemon ran with other settings than those that were meant."""
    done = subprocess.run([str(BUILD / "src/fleet/faering-fleet"), "--config", str(tmp_path), "--state-dir", str(tmp_path / "state"), "--supervisor", "fake",
                           "--listen", f"unix://{tmp_path}/sock", "--etcd_servers", "http://127.0.0.1:1"], capture_output=True, text=True, timeout=15)
    assert done.returncode == 2 and f"cannot read {tmp_path}: Is a directory" in done.stderr


def test_the_socket_is_its_owners_and_groups(daemon, store):
    machine = daemon(f"etcd_servers={store.url}\n")
    own(machine)
    assert machine.socket.stat().st_mode & 0o777 == 0o660


def test_hangup_takes_the_file_anew_in_place(daemon, store):
    machine = daemon(f"etcd_servers={store.url}\nmetadata=turn=first\n")
    assert own(machine)["metadata"] == {"turn": "first"}
    (machine.socket.parent / "fleet.conf").write_text(f"etcd_servers={store.url}\nmetadata=turn=second\n")
    machine.process.send_signal(signal.SIGHUP)
    wait_for("it has the new ones", lambda: own(machine)["metadata"], lambda found: found == {"turn": "second"})
    assert machine.process.poll() is None


def test_the_store_is_asked_by_name(daemon, store, tmp_path):
    """Last in this file: the store wants a name from here on."""
    def put(path: str, body: str) -> None:
        done = subprocess.run(["curl", "-sS", "-f", "-X", "PUT", "-d", body, "-H", "Content-Type: application/json", f"{store.url}/v2/auth/{path}"],
                              capture_output=True, text=True, timeout=15)
        assert done.returncode == 0, done.stderr

    put("users/root", '{"user": "root", "password": "secret:word"}')
    put("enable", "")
    subprocess.run(["curl", "-sS", "-u", "root:secret:word", "-X", "PUT", "-d",
                    '{"role": "guest", "revoke": {"kv": {"read": ["/*"], "write": ["/*"]}}}', f"{store.url}/v2/auth/roles/guest"],
                   check=True, capture_output=True, timeout=15)
    named = daemon(f"etcd_servers={store.url}\netcd_username=root\netcd_password=secret:word\n")
    assert own(named)["id"] == named.id
    unnamed = daemon(f"etcd_servers={store.url}\n")
    wait_for("it says that it may not", unnamed.log.read_text, lambda text: "cannot be reached" in text)
    assert unnamed.api("GET", "/fleet/v1/machines")[0] == 503
