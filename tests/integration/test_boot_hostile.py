"""faering-boot where the machine or the user-data is against it: links that lead out, disks that are full, runs that are killed or come
two at a time, secrets, YAML written to confuse. All below a root of the test's own."""
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from stores import BUILD

BOOT = BUILD / "src/boot/faering-boot"
CLI = BUILD / "src/cli/faering"
WAIT_SECONDS = 60
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root: mounts, in a namespace of its own")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine's files, where "core" is who runs this."""
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/home/core").mkdir(parents=True)
    (tmp_path / "root/etc/passwd").write_text(f"core:x:{os.getuid()}:{os.getgid()}::/home/core:/bin/sh\n")
    return tmp_path / "root"


def environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("COREOS_")}


def write_user_data(root: Path, text: str, name: str = "user-data") -> Path:
    path = root.parent / name
    path.write_text("#cloud-config\n" + text)
    return path


def boot(root: Path, text: str, *flags: str) -> subprocess.CompletedProcess:
    return subprocess.run([BOOT, "-from-file", write_user_data(root, text), "-root", root, *flags], env=environment(), capture_output=True,
                          text=True, timeout=WAIT_SECONDS)


def faering(*arguments: str | Path) -> subprocess.CompletedProcess:
    return subprocess.run([CLI, "boot", *arguments], env=environment(), capture_output=True, text=True, timeout=WAIT_SECONDS)


def left_behind(root: Path) -> list[str]:
    return [name for _, _, names in os.walk(root) for name in names if name.endswith("~") or "temp" in name]


# ---- links ----

@pytest.mark.parametrize("target", ["/outside", "../../../../outside", "/proc/self/cwd/../outside"])
def test_link_does_not_lead_out_of_the_root(root: Path, target: str) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (root / "etc/way").symlink_to(str(outside) if target == "/outside" else target)
    boot(root, "write_files: [{path: /etc/way/file, content: x}]\n")
    assert list(outside.iterdir()) == [] and not left_behind(root)


def test_links_of_a_home_are_not_followed(root: Path) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (root / "home/core/.ssh").symlink_to(outside)
    done = boot(root, "ssh_authorized_keys: [ssh-rsa A]\n")
    assert done.returncode == 1 and "/home/core/.ssh" in done.stderr
    assert list(outside.iterdir()) == []
    (root / "home/core/.ssh").unlink()
    (root / "home/core/.ssh").mkdir()
    secret = outside / "secret"
    secret.write_text("mine\n")
    (root / "home/core/.ssh/authorized_keys").symlink_to(secret)
    assert boot(root, "ssh_authorized_keys: [ssh-rsa A]\n").returncode == 0
    assert secret.read_text() == "mine\n"
    assert (root / "home/core/.ssh/authorized_keys").read_text() == "ssh-rsa A\n"


def test_file_in_the_place_of_a_folder(root: Path) -> None:
    (root / "etc/way").write_text("a file\n")
    done = boot(root, "write_files: [{path: /etc/way/file, content: x}]\n")
    assert done.returncode == 1 and "line 2: cannot write /etc/way/file" in done.stderr and "Not a directory" in done.stderr
    assert faering("status", "--root", root).returncode == 1


# ---- owners ----

@pytest.mark.parametrize("owner", ["nobody-here", "core:nobody-here", "4294967295", "-1"])
def test_owner_that_nobody_is_changes_nothing(root: Path, owner: str) -> None:
    done = boot(root, f"hostname: h\nwrite_files:\n  - {{path: /etc/a, content: x}}\n  - {{path: /etc/b, content: x, owner: '{owner}'}}\n")
    assert done.returncode == 1 and "line 5: owner of /etc/b: there is no " in done.stderr
    assert not (root / "etc/a").exists() and not (root / "etc/hostname").exists()


# ---- disks, kills, crowds ----

@needs_root
def test_full_disk(root: Path) -> None:
    """What is on it keeps whole files; the reason is told; with room it is made good."""
    user_data = write_user_data(root, "write_files:\n" + "".join(f"  - {{path: /data/{n}, content: {'x' * 5000}}}\n" for n in range(300)))
    inside = ("mount -t tmpfs -o size=1M,mode=755 none $1 && cd $1 && mkdir -p etc && $0 -from-file $2 -root $1; echo code $?; "
              "find . -size 5000c | wc -l; find . -type f ! -name lock ! -name state.json ! -size 5000c | wc -l; $3 boot status --root $1; "
              "mount -o remount,size=10M $1; $0 -from-file $2 -root $1 && find . -size 5000c | wc -l; "
              "mount -o remount,ro $1; $0 -from-file $2 -root $1; echo code $?")
    done = subprocess.run(["unshare", "--mount", "sh", "-c", inside, str(BOOT), str(root), str(user_data), str(CLI)], env=environment(),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=WAIT_SECONDS)
    lines = done.stdout.splitlines()
    assert "code 1" in lines and "No space left on device" in done.stdout
    first = lines.index("code 1")
    assert 0 < int(lines[first + 1]) < 300 and lines[first + 2] == "0"
    assert "300" in lines[first + 3:]
    assert lines[-1] == "code 1" and "nothing was changed" in done.stdout and "Read-only file system" in done.stdout


def test_killed_run_is_told_and_made_good_by_the_next(root: Path) -> None:
    text = "write_files:\n" + "".join(f"  - {{path: /data/{n}, content: '{'x' * 500}{n}'}}\n" for n in range(2000))
    user_data = write_user_data(root, text)
    for after in (1, 300, 900):
        process = subprocess.Popen([BOOT, "-from-file", user_data, "-root", root], env=environment(), stderr=subprocess.DEVNULL)
        folder = root / "data"
        while process.poll() is None and (not folder.exists() or len(os.listdir(folder)) < after):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
    status = faering("status", "--root", root)
    assert status.returncode == 1 and status.stdout.startswith("outcome  unfinished\n"), status.stdout
    assert boot(root, text).returncode == 0
    assert sorted(os.listdir(root / "data")) == sorted(str(n) for n in range(2000))
    assert all((root / f"data/{n}").read_text() == "x" * 500 + str(n) for n in range(2000))
    assert not left_behind(root)
    assert faering("status", "--root", root).stdout.startswith("outcome  applied\n")


def test_runs_side_by_side_leave_whole_files(root: Path) -> None:
    """As the units of several sources may be: each run is whole, one after the other."""
    names = range(400)
    processes = []
    for letter in "abc":
        text = "write_files:\n" + "".join(f"  - {{path: /data/{n}, content: '{letter * 3000}'}}\n" for n in names)
        processes.append(subprocess.Popen([BOOT, "-from-file", write_user_data(root, text, letter), "-root", root], env=environment(),
                                          stderr=subprocess.PIPE, text=True))
    for process in processes:
        _, said = process.communicate(timeout=WAIT_SECONDS)
        assert process.returncode == 0, said
    contents = {(root / f"data/{n}").read_text() for n in names}
    assert len(contents) == 1 and len(contents.pop()) == 3000


# ---- secrets ----

def test_secrets_are_in_no_output(root: Path) -> None:
    text = ("users:\n  - {name: core, passwd: $6$hash-of-it}\n"
            "coreos:\n  etcd2: {discovery: 'http://me:word-of-it@127.0.0.1:1/t?token=token-of-it'}\n")
    user_data = write_user_data(root, text)
    said = "".join(done.stdout + done.stderr for done in (
        faering("plan", "--strict", "--root", root, user_data), faering("validate", "--strict", user_data),
        faering("apply", "--strict", "--root", root, user_data), boot(root, text, "-strict")))
    said += "".join(path.read_text() for path in root.glob("var/lib/faering/boot/*"))
    assert "discovery URL does not answer" in said
    assert "of-it" not in said, said


def test_secret_in_a_plan_of_keys(root: Path) -> None:
    """The plan as JSON is kept and sent around."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802, the name is the library's
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'[{"key": "ssh-rsa FETCHED"}]')

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://me:word-of-it@127.0.0.1:{server.server_port}/keys?t=token-of-it"
    user_data = write_user_data(root, f"users: [{{name: core, coreos-ssh-import-url: '{url}'}}]\n")
    plans = [faering("plan", "--root", root, *more, user_data) for more in ((), ("-o", "json"))]
    applied = faering("apply", "--root", root, user_data)
    server.shutdown()
    server.server_close()
    assert all(plan.returncode == 0 and "/keys" in plan.stdout for plan in plans), plans
    assert applied.returncode == 0 and "FETCHED" in (root / "home/core/.ssh/authorized_keys").read_text()
    assert "of-it" not in "".join(one.stdout + one.stderr for one in (*plans, applied))


# ---- YAML ----

@pytest.mark.parametrize("text,where", [
    ("coreos: {etcd2: {nam: x}}\n", 'line 2, column 18: warning: unrecognized key "nam"; did you mean "name"?'),
    ("coreos:\n  units: [{name: a.service, comand: start}]\n", 'line 3, column 29: warning: unrecognized key "comand"'),
    ("write_files:\n  - &one {path: /a, contents: x}\n  - *one\n", 'line 3, column 21: warning: unrecognized key "contents"'),
    ("hostname: a\nwrite_files: []\nhostname: b\n", 'line 2, column 1: warning: key "hostname" stands here and again below'),
    ("base: &b {name: a.service}\ncoreos:\n  units:\n    - <<: *b\n      enabel: true\n", 'line 6, column 7: warning: unrecognized key "enabel"'),
    ("? hostname\n: [a]\n", "line 2, column 3: warning: incorrect type for \"hostname\""),
    ("hostname:\t'a\n", "line "),
    ("a: *nowhere\n", "line 2"),
    ("a: &a [*a]\n", "line 2"),
])
def test_place_of_what_is_wrong(root: Path, text: str, where: str) -> None:
    done = faering("validate", write_user_data(root, text))
    assert done.returncode == 1 and where in done.stdout, (done.stdout, done.stderr)
    assert len(set(done.stdout.splitlines())) == len(done.stdout.splitlines())  # once, however often an alias leads there


@pytest.mark.parametrize("text", [
    "".join(f"{name}: &{name} [{','.join(['*' + chr(ord(name) - 1)] * 9) if name > 'a' else 'x'}]\n" for name in "abcdefghij"),
    "[" * 5000 + "]" * 5000 + "\n",
    "a: " + "'" * 1_000_001 + "\n",
    "write_files: [" + ",".join("{path: /a%d, content: x}" % n for n in range(30000)) + "]\n",
    "coreos: {units: [" + ",".join("{name: a%d.service, command: start}" % n for n in range(30000)) + "]}\n",
    "a: \x00\n",
    "\xff\xfe\n",
], ids=["laughs", "depth", "quotes", "files", "units", "nul", "bytes"])
def test_text_made_to_hurt_is_refused_soon(root: Path, text: str) -> None:
    begin = time.monotonic()
    done = boot(root, text)
    assert done.returncode == 1 and "nothing was changed" in done.stderr, done.stderr[-500:]
    assert time.monotonic() - begin < 10
    assert json.loads((root / "var/lib/faering/boot/state.json").read_text())["outcome"] == "refused"


def test_fifo_and_folder_in_the_place_of_the_user_data(root: Path) -> None:
    """Nothing waits for a writer that never comes."""
    os.mkfifo(root.parent / "fifo")
    for path in (root.parent / "fifo", root):
        done = subprocess.run([BOOT, "-from-file", path, "-root", root], env=environment(), capture_output=True, text=True, timeout=WAIT_SECONDS)
        assert done.returncode == (1 if path == root else 0), done.stderr
