"""The verbs that use ssh, with the real one: from one host to an sshd on another. Keys and configuration are the test's own."""
import shutil
from collections.abc import Iterator

import pytest
from fleet_nodes import Nodes, SystemdNode, systemd_nodes
from fleets import wait_for
from hosts import needs_hosts

pytestmark = [needs_hosts, pytest.mark.skipif(not shutil.which("sshd"), reason="openssh-server is not installed")]
KNOWN = "/root/known"
# Without a person at the terminal ssh cannot ask: what it would ask about is refused, or taken by this.
TRUST = ["--strict-host-key-checking=false"]


def serve_ssh(node: SystemdNode) -> None:
    node.host.write("/etc/ssh/sshd_config", "HostKey /etc/ssh/host_key\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n"
                                            "UsePAM no\nPidFile none\n")
    node.host.sh("mkdir -p /run/sshd; rm -f /etc/ssh/host_key*; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/host_key")
    node.host.sh("systemctl stop test-sshd.service 2>/dev/null || true; systemd-run --quiet --unit=test-sshd /usr/sbin/sshd -D")
    wait_for("sshd listens", lambda: "SSH-2.0" in node.host.run("bash", "-c", f"head -c 7 </dev/tcp/{node.address}/22").stdout)


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Nodes]:
    """The first host is where people are; all serve ssh, and know their key."""
    with systemd_nodes(tmp_path_factory.mktemp("ssh"), count=3) as nodes:
        nodes[0].host.sh("mkdir -p -m 700 /root/.ssh; ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519")
        key = nodes[0].host.read("/root/.ssh/id_ed25519.pub")
        for node in nodes:
            node.host.sh("mkdir -p -m 700 /root/.ssh")
            node.host.write("/root/.ssh/authorized_keys", key, 0o600)
            serve_ssh(node)
        yield nodes


@pytest.fixture
def nodes(running):
    yield running
    running.restore()
    running[0].host.sh(f"rm -f {KNOWN}")


def by_ssh(nodes: Nodes, *arguments: str, trust: bool = True):
    return nodes[0].run("--ssh-username=root", f"--known-hosts-file={KNOWN}", *(TRUST if trust else []), *arguments)


def test_hosts_are_known_once_and_a_changed_one_is_refused(nodes):
    """3"""
    two = nodes[1]
    done = by_ssh(nodes, "ssh", "--machine", two.id, "hostname", trust=False)
    assert done.returncode != 0 and "Host key verification failed" in done.stderr  # nobody is there to say yes
    assert by_ssh(nodes, "ssh", "--machine", two.id, "hostname").stdout == "h2\n"
    assert two.address in nodes[0].host.sh(f"ssh-keygen -F {two.address} -f {KNOWN}; cat {KNOWN}")
    assert by_ssh(nodes, "ssh", "--machine", two.id, "hostname", trust=False).stdout == "h2\n"
    serve_ssh(two)
    done = by_ssh(nodes, "ssh", "--machine", two.id, "hostname", trust=False)
    assert done.returncode != 0 and "IDENTIFICATION HAS CHANGED" in done.stderr
    nodes[0].host.write(KNOWN, "")
    assert by_ssh(nodes, "ssh", "--machine", two.id, "hostname").stdout == "h2\n"


def test_a_unit_and_then_ten_through_a_tunnel(nodes):
    """25: the API of another host, by its socket there; the own daemon is not asked."""
    nodes[0].stop()
    tunnel = [f"--tunnel={nodes[1].address}"]
    path = nodes.unit("one.service")
    done = by_ssh(nodes, *tunnel, "start", path)
    assert done.returncode == 0, done.stderr
    done = by_ssh(nodes, *tunnel, "start", *(nodes.unit(f"batch{n}.service") for n in range(10)))
    assert done.returncode == 0, done.stderr
    assert len(nodes[1].active()) == 11
    done = by_ssh(nodes, *tunnel, "list-units", "--no-legend")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 11


def test_ssh_status_and_journal_of_another_machine(nodes):
    """34: the remote command's exit code is fleetctl's."""
    two = nodes[1]
    talk = nodes.write("talk.service", f"[Service]\nExecStart=/bin/sh -c 'echo told-by-talk; exec sleep 1000'\n[X-Fleet]\nMachineID={two.id}\n")
    nodes[0].ok("start", talk)
    done = by_ssh(nodes, "ssh", "--machine", two.id[:8], "echo", "hello")
    assert (done.returncode, done.stdout) == (0, "hello\n"), done.stderr
    done = by_ssh(nodes, "ssh", "talk.service", "hostname; exit 7")
    assert (done.returncode, done.stdout) == (7, "h2\n"), done.stderr
    assert by_ssh(nodes, f"--tunnel={nodes[2].address}", "ssh", "--machine", two.id, "hostname").stdout == "h2\n"
    assert "active (running)" in by_ssh(nodes, "status", "talk").stdout
    wait_for("the journal has it", lambda: by_ssh(nodes, f"--tunnel={two.address}", "journal", "talk").stdout, lambda text: "told-by-talk" in text)
