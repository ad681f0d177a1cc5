"""faering-boot's datasources over a real network: small servers on loopback that answer as the documented services do, and
slow, failing and wrong ones. Everything is written below a folder of the test's own, so no root is needed."""
import base64
import gzip
import json
import os
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Iterator

import pytest
from certificates import Authority, Pair
from stores import BUILD

BOOT = BUILD / "src/boot/faering-boot"
WAIT_SECONDS = 60


class Cloud:
    """A server, its pages (path to body, to (status, body), or to a callable that writes the answer itself), and what was
    asked for."""

    def __init__(self, pair: Pair | None = None) -> None:
        self.pages: dict[str, object] = {}
        self.requests: list[str] = []
        self.needs_header: tuple[str, str] | None = None
        self.failures = 0
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # noqa: N802, the name is the library's
                cloud.requests.append(self.path)
                cloud.answer(self)

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if pair:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pair.cert, pair.key)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"{'https' if pair else 'http'}://127.0.0.1:{self.server.server_port}/"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        page = self.pages.get(handler.path, (404, "not here"))
        if self.failures > 0:
            self.failures -= 1
            page = (503, "later")
        if self.needs_header and handler.headers.get(self.needs_header[0]) != self.needs_header[1]:
            page = (403, "no")
        if callable(page):
            page(handler)
            return
        status, body = page if isinstance(page, tuple) else (200, page)
        body = body.encode() if isinstance(body, str) else body
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    one = Cloud()
    yield one
    one.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine's files, where "core" is who runs this."""
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/home/core").mkdir(parents=True)
    (tmp_path / "root/etc/passwd").write_text(f"core:x:{os.getuid()}:{os.getgid()}::/home/core:/bin/sh\n")
    return tmp_path / "root"


def boot(root: Path, *flags: str) -> subprocess.CompletedProcess:
    env = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy") and not key.startswith("COREOS_")}
    return subprocess.run([BOOT, *flags, "-root", str(root)], env=env, capture_output=True, text=True, timeout=WAIT_SECONDS)


def text(root: Path, path: str) -> str:
    return (root / path).read_text()


ADDRESSES = "#cloud-config\nwrite_files:\n  - {path: /etc/a, content: $private_ipv4 $public_ipv4}\n"


def test_url(cloud: Cloud, root: Path) -> None:
    cloud.pages["/cc"] = gzip.compress(b"#cloud-config\nhostname: far\n")
    done = boot(root, "-from-url", cloud.url + "cc")
    assert done.returncode == 0, done.stderr
    assert text(root, "etc/hostname") == "far\n"


def test_url_that_moved(cloud: Cloud, root: Path) -> None:
    def moved(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", "/there")
        handler.end_headers()

    cloud.pages = {"/cc": moved, "/there": "#cloud-config\nhostname: moved\n"}
    assert boot(root, "-from-url", cloud.url + "cc").returncode == 0
    assert text(root, "etc/hostname") == "moved\n"


def test_ec2(cloud: Cloud, root: Path) -> None:
    cloud.pages = {"/2009-04-04/": "meta-data\nuser-data\n", "/2009-04-04/user-data": ADDRESSES,
                   "/2009-04-04/meta-data/public-keys": "0=mine\n", "/2009-04-04/meta-data/public-keys/0/openssh-key": "ssh-rsa KEY\n",
                   "/2009-04-04/meta-data/hostname": "ip-10-0-0-3.internal\n", "/2009-04-04/meta-data/local-ipv4": "10.0.0.3",
                   "/2009-04-04/meta-data/public-ipv4": "54.1.2.3"}
    done = boot(root, "-from-ec2-metadata", cloud.url)
    assert done.returncode == 0, done.stderr
    assert text(root, "etc/a") == "10.0.0.3 54.1.2.3"
    assert text(root, "etc/hostname") == "ip-10-0-0-3.internal\n"
    assert text(root, "home/core/.ssh/authorized_keys") == "ssh-rsa KEY\n"
    assert text(root, "etc/environment") == "COREOS_PRIVATE_IPV4=10.0.0.3\nCOREOS_PUBLIC_IPV4=54.1.2.3\n"


def test_digitalocean(cloud: Cloud, root: Path) -> None:
    cloud.pages = {"/metadata/v1": "id\n", "/metadata/v1/user-data": ADDRESSES,
                   "/metadata/v1.json": json.dumps({"hostname": "drop", "public_keys": ["k1", "k2"], "interfaces": {
                       "public": [{"ipv4": {"ip_address": "1.2.3.4"}}], "private": [{"ipv4": {"ip_address": "10.1.0.4"}}]}})}
    assert boot(root, "-from-digitalocean-metadata", cloud.url).returncode == 0
    assert text(root, "etc/a") == "10.1.0.4 1.2.3.4"
    assert text(root, "home/core/.ssh/authorized_keys.d/coreos-cloudinit") == "k1\nk2\n"


def test_gce(cloud: Cloud, root: Path) -> None:
    base = "/computeMetadata/v1/"
    cloud.needs_header = ("Metadata-Flavor", "Google")
    cloud.pages = {base: "instance/\n", base + "instance/attributes/user-data": ADDRESSES,
                   base + "instance/network-interfaces/0/ip": "10.240.0.2",
                   base + "instance/network-interfaces/0/access-configs/0/external-ip": "35.1.1.1",
                   base + "instance/hostname": "vm.c.project.internal"}
    assert boot(root, "-from-gce-metadata", cloud.url).returncode == 0
    assert text(root, "etc/a") == "10.240.0.2 35.1.1.1"


def test_packet_with_its_network(cloud: Cloud, root: Path) -> None:
    cloud.pages = {"/": "", "/userdata": ADDRESSES, "/metadata": json.dumps({"hostname": "metal", "ssh_keys": ["k"], "network": {
        "interfaces": [{"name": "enp1s0f0", "mac": "0c:c4:7a:00:00:01"}],
        "addresses": [{"address": "147.1.1.2", "netmask": "255.255.255.254", "gateway": "147.1.1.3", "address_family": 4, "public": True},
                      {"address": "10.1.1.2", "netmask": "255.255.255.0", "gateway": "10.1.1.1", "address_family": 4, "public": False}]}})}
    assert boot(root, "-from-packet-metadata", cloud.url, "-convert-netconf", "packet").returncode == 0
    assert text(root, "etc/a") == "10.1.1.2 147.1.1.2"
    assert "Address=147.1.1.2/31\n" in text(root, "run/systemd/network/00-bond0.network")
    assert "Bond=bond0\n" in text(root, "run/systemd/network/00-enp1s0f0.network")


def test_openstack(cloud: Cloud, root: Path) -> None:
    cloud.pages = {"/openstack/latest/meta_data.json": json.dumps({"hostname": "os", "public_keys": {"k": "ssh-rsa OS"},
                                                                  "network_config": {"content_path": "/content/0000"}}),
                   "/openstack/latest/user_data": ADDRESSES, "/openstack/content/0000": "iface eth0 inet dhcp\n",
                   "/2009-04-04/meta-data/local-ipv4": "192.168.0.9"}
    assert boot(root, "-from-openstack-metadata", cloud.url, "-convert-netconf", "debian").returncode == 0
    assert text(root, "etc/a") == "192.168.0.9"
    assert "DHCP=true\n" in text(root, "run/systemd/network/00-eth0.network")


def test_failing_server_is_tried_again(cloud: Cloud, root: Path) -> None:
    cloud.pages["/cc"] = "#cloud-config\nhostname: late\n"
    cloud.failures = 3
    done = boot(root, "-from-url", cloud.url + "cc")
    assert done.returncode == 0, done.stderr
    assert len(cloud.requests) == 5  # three failures, one look, one that counts


def test_slow_source_does_not_hold_up_a_quick_one(cloud: Cloud, root: Path, tmp_path: Path) -> None:
    gate = threading.Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        gate.wait(WAIT_SECONDS)

    cloud.pages["/2009-04-04/"] = slow
    (tmp_path / "user-data").write_text("#cloud-config\nhostname: quick\n")
    begin = time.monotonic()
    done = boot(root, "-from-ec2-metadata", cloud.url, "-from-file", str(tmp_path / "user-data"))
    took = time.monotonic() - begin
    gate.set()
    assert done.returncode == 0 and text(root, "etc/hostname") == "quick\n"
    assert took < 5  # the slow one alone would take the ten seconds of its time limit


def test_answer_that_is_too_big_is_refused(cloud: Cloud, root: Path) -> None:
    cloud.pages = {"/2009-04-04/": "", "/2009-04-04/user-data": b"#cloud-config\n" + b"#" * (3 * 1024 * 1024)}
    done = boot(root, "-from-ec2-metadata", cloud.url)
    assert done.returncode == 1 and "more than 2097152 bytes" in done.stderr
    assert cloud.requests.count("/2009-04-04/user-data") == 1


def test_gzip_bomb_is_refused(cloud: Cloud, root: Path) -> None:
    cloud.pages["/cc"] = gzip.compress(b"#cloud-config\n" + b"#" * (64 * 1024 * 1024), 9)
    done = boot(root, "-from-url", cloud.url + "cc")
    assert done.returncode == 1 and "the gzip data holds more than 2097152 bytes" in done.stderr
    assert not (root / "etc/hostname").exists()


def test_wrong_metadata_changes_nothing(cloud: Cloud, root: Path) -> None:
    cloud.pages = {"/metadata/v1": "", "/metadata/v1/user-data": "#cloud-config\nhostname: h\n", "/metadata/v1.json": "<html>oops</html>"}
    done = boot(root, "-from-digitalocean-metadata", cloud.url)
    assert done.returncode == 1 and "DigitalOcean's meta-data is no JSON" in done.stderr
    assert not (root / "etc/hostname").exists()


def test_user_data_that_is_missing_is_none(cloud: Cloud, root: Path) -> None:
    cloud.pages = {"/2009-04-04/": "meta-data\n", "/2009-04-04/meta-data/hostname": "alone"}
    assert boot(root, "-from-ec2-metadata", cloud.url).returncode == 0
    assert text(root, "etc/hostname") == "alone\n"


def test_waagent_and_ovf(root: Path, tmp_path: Path) -> None:
    (tmp_path / "provisioned").touch()
    (tmp_path / "CustomData").write_text(ADDRESSES)
    (tmp_path / "SharedConfig.xml").write_text("<SharedConfig><Incarnation instance='i'/><Instances><Instance id='i' address='10.0.0.4'>"
                                               "<InputEndpoints><Endpoint loadBalancedPublicAddress='1.1.1.1:22'/></InputEndpoints>"
                                               "</Instance></Instances></SharedConfig>")
    assert boot(root, "-from-waagent", str(tmp_path)).returncode == 0
    assert text(root, "etc/a") == "10.0.0.4 1.1.1.1"
    (tmp_path / "ovf-env.xml").write_text(
        "<E xmlns:oe='x'><Property oe:key='guestinfo.hostname' oe:value='vm'/>"
        "<Property oe:key='guestinfo.coreos.config.data' oe:value='I2Nsb3VkLWNvbmZpZwp3cml0ZV9maWxlczogW3twYXRoOiAvZXRjL292ZiwgY29udGVudDogeH1dCg=='/>"
        "<Property oe:key='guestinfo.coreos.config.data.encoding' oe:value='base64'/>"
        "<Property oe:key='guestinfo.interface.0.name' oe:value='eth0'/><Property oe:key='guestinfo.interface.0.dhcp' oe:value='yes'/></E>")
    done = boot(root, "-from-vmware-ovf-env", str(tmp_path / "ovf-env.xml"), "-convert-netconf", "vmware")
    assert done.returncode == 0, done.stderr
    assert text(root, "etc/hostname") == "vm\n" and text(root, "etc/ovf") == "x"
    assert "DHCP=true" in text(root, "run/systemd/network/00-eth0.network")


def test_guest_information_outside_of_vmware_is_refused(root: Path) -> None:
    done = boot(root, "-from-vmware-guestinfo")
    assert done.returncode == 1 and "No datasources available in time: vmware: this is no machine of VMware" in done.stderr


def test_second_run_changes_nothing(cloud: Cloud, root: Path) -> None:
    cloud.pages["/cc"] = ("#cloud-config\nhostname: same\nssh_authorized_keys: [ssh-rsa A]\nwrite_files: [{path: /etc/x, content: x, "
                          "permissions: '2755'}]\ncoreos: {units: [{name: a.service, mask: true}]}\n")
    first = boot(root, "-from-url", cloud.url + "cc")
    assert first.returncode == 0 and "4 things were changed" in first.stderr, first.stderr
    second = boot(root, "-from-url", cloud.url + "cc")
    assert second.returncode == 0 and "nothing had to be changed" in second.stderr, second.stderr
    assert json.loads(text(root, "var/lib/faering/boot/state.json"))["changed"] == 0


def test_keys_behind_an_url(cloud: Cloud, root: Path, tmp_path: Path) -> None:
    cloud.pages["/keys"] = json.dumps([{"id": 1, "key": "ssh-rsa ONE"}, {"id": 2, "key": "ssh-rsa TWO"}])
    (tmp_path / "user-data").write_text(f"#cloud-config\nusers: [{{name: core, coreos-ssh-import-url: '{cloud.url}keys'}}]\n")
    done = boot(root, "-from-file", str(tmp_path / "user-data"))
    assert done.returncode == 0, done.stderr
    assert text(root, "home/core/.ssh/authorized_keys.d/coreos-cloudinit-core") == "ssh-rsa ONE\nssh-rsa TWO\n"
    cloud.pages["/keys"] = "<html>"
    (tmp_path / "user-data").write_text(f"#cloud-config\nhostname: h\nusers: [{{name: core, coreos-ssh-import-url: '{cloud.url}keys'}}]\n")
    done = boot(root, "-from-file", str(tmp_path / "user-data"))
    assert done.returncode == 1 and "line 3: SSH keys of the user core: what came is no JSON list of keys" in done.stderr
    assert not (root / "etc/hostname").exists()


# ---- https ----

def boot_trusting(authority: Authority, root: Path, *command: str) -> subprocess.CompletedProcess:
    """In a mount namespace in which the system trusts nobody else."""
    inside = "mount --bind $0 /etc/ssl/certs/ca-certificates.crt && exec \"$@\""
    env = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy") and not key.startswith("COREOS_")}
    return subprocess.run(["unshare", "--mount", "sh", "-c", inside, str(authority.cert), *command, "-root", str(root)], env=env,
                          capture_output=True, text=True, timeout=WAIT_SECONDS)


needs_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root: what the system trusts is another in a mount namespace")


@needs_root
def test_https(root: Path, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    cloud = Cloud(authority.issue("server"))
    try:
        cloud.pages = {"/2009-04-04/": "", "/2009-04-04/user-data": ADDRESSES, "/2009-04-04/meta-data/local-ipv4": "10.0.0.3"}
        done = boot_trusting(authority, root, str(BOOT), "-from-ec2-metadata", cloud.url)
        assert done.returncode == 0, done.stderr
        assert text(root, "etc/a") == "10.0.0.3"
    finally:
        cloud.close()


@needs_root
@pytest.mark.parametrize("why", ["another authority", "another host"])
def test_https_of_a_server_that_is_not_trusted(root: Path, tmp_path: Path, why: str) -> None:
    """Asked by -strict, which asks once: a source that cannot be reached is asked again until it is given up."""
    authority, other = Authority(tmp_path / "ca"), Authority(tmp_path / "other", "other")
    cloud = Cloud(other.issue("server") if why == "another authority" else authority.issue("server", hosts="DNS:elsewhere"))
    try:
        cloud.pages["/token"] = "{}"
        user_data = tmp_path / "user-data"
        user_data.write_text(f"#cloud-config\ncoreos: {{etcd2: {{discovery: '{cloud.url}token'}}}}\n")
        done = boot_trusting(authority, root, str(BOOT), "-strict", "-from-file", str(user_data))
        assert done.returncode == 1 and "the discovery URL does not answer" in done.stderr, done.stderr
        assert ("certificate" in done.stderr if why == "another authority" else "127.0.0.1" in done.stderr.split("does not answer")[1]), done.stderr
        assert cloud.requests == [] and not (root / "run").exists()
    finally:
        cloud.close()


# ---- CloudSigma ----

@needs_root
def test_cloudsigma(root: Path) -> None:
    """The hypervisor is this test, at the other end of a terminal that stands in for the serial port."""
    context = json.dumps({"name": "sigma", "uuid": "u", "meta": {"ssh_public_key": "ssh-rsa K me", "base64_fields": "cloudinit-user-data",
                                                                "cloudinit-user-data": base64.b64encode(ADDRESSES.encode()).decode()},
                          "nics": [{"mac": "22:00:00:00:00:01", "ip_v4_conf": {"ip": {"uuid": "31.1.1.1"}}, "vlan": None}]})
    ours, theirs = os.openpty()
    questions: list[bytes] = []

    def hypervisor() -> None:
        asked = b""
        while len(questions) < 2:
            asked += os.read(ours, 100)
            if asked.endswith(b">"):
                questions.append(asked)
                asked = b""
                os.write(ours, context.encode() + b"\x04")

    thread = threading.Thread(target=hypervisor, daemon=True)
    thread.start()
    inside = ("mount -t tmpfs none /sys/class && mkdir -p /sys/class/dmi/id && echo CloudSigma >/sys/class/dmi/id/product_name && "
              "mount --bind $0 /mnt && touch /mnt/ttyS1 && mount --bind $1 /mnt/ttyS1 && mount --rbind /mnt /dev && shift && exec \"$@\"")
    folder = root.parent / "dev"
    folder.mkdir()
    done = subprocess.run(["unshare", "--mount", "sh", "-c", inside, str(folder), os.ttyname(theirs), str(BOOT), "-oem", "cloudsigma", "-root",
                           str(root)], capture_output=True, text=True, timeout=WAIT_SECONDS)
    thread.join(1)
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 0, done.stderr
    assert questions == [b"<\n\n>"] * 2
    assert text(root, "etc/a") == "31.1.1.1" and text(root, "etc/hostname") == "sigma\n"
    assert text(root, "home/core/.ssh/authorized_keys") == "ssh-rsa K me\n"
