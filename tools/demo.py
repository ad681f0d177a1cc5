#!/usr/bin/env python3
"""Shows a cluster at work: three local machines, each booted from a cloud-config, a service that survives the death of one.

Machines are made of namespaces: nothing of this host changes, and all is removed at the end, also after Ctrl-C. With
--keep they stay, and how to use them is printed.
"""
import argparse
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("FAERING_BUILD") or ROOT / "build")
UNITS = ROOT / "data/examples/demo"
FAERING = BUILD / "src/cli/faering"
LOCAL = Path("/var/lib/faering/local")
BALANCER_PORT = 8080
BOLD, DIM, PLAIN = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else ("", "", "")
ADDRESSES = {f"m{n}": f"10.66.0.{10 + n}" for n in (1, 2, 3)}


class Failed(Exception):
    """What the demo should have shown did not happen."""


def say(text: str) -> None:
    print(f"\n{BOLD}== {text}{PLAIN}", flush=True)


def note(text: str) -> None:
    print(f"   {text}", flush=True)


def run(*command: str, show: str | None = None, check: bool = True, quiet: bool = False, data: bytes | None = None) -> str:
    """Runs a program and shows it with what it printed."""
    if not quiet:
        print(f"{DIM}$ {show or ' '.join(command)}{PLAIN}", flush=True)
    done = subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = done.stdout.decode(errors="replace").rstrip()
    if text and not quiet:
        print("\n".join("  " + line for line in text.splitlines()), flush=True)
    if check and done.returncode:
        raise Failed(f"{' '.join(command)}: exit code {done.returncode}" + (f"\n{text}" if quiet else ""))
    return text


def on(machine: str, *command: str, **options) -> str:
    """Runs a command on a machine, as a person who is logged in there."""
    return run(str(FAERING), "exec", machine, "--", *command, show=f"[{machine}] {' '.join(command)}", **options)


def wait_for(what: str, seconds: float, look) -> float:
    """Looks until something is so; how long it took."""
    begun = time.monotonic()
    while True:
        with contextlib.suppress(Failed):
            if look():
                return time.monotonic() - begun
        if time.monotonic() - begun > seconds:
            raise Failed(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.1)


# ---- building ----

def build() -> None:
    if os.environ.get("FAERING_BUILD"):
        return
    say("Building release binaries")
    begun = time.monotonic()
    if not (BUILD / "build.ninja").exists():
        run("meson", "setup", "--buildtype=release", str(BUILD), str(ROOT), quiet=True)
    progress = None if sys.stdout.isatty() else subprocess.DEVNULL
    if subprocess.run(["ninja", "-C", str(BUILD)], stdout=progress).returncode:
        raise Failed("the build failed: run ninja -C build to see why")
    note(f"built in {time.monotonic() - begun:.0f} s")


# ---- what the steps look at ----

def units() -> dict[str, dict[str, str]]:
    """name -> machine's address and state, as any machine sees them."""
    for machine in alive():
        text = on(machine, "fleetctl", "list-units", "--no-legend", "--fields", "unit,machine,active,sub", "--full", quiet=True)
        rows = [line.split("\t") for line in text.splitlines()]
        found = {}
        for row in rows:
            cells = [cell for cell in row if cell]
            if len(cells) == 4:
                found[cells[0]] = {"machine": cells[1].split("/")[-1], "active": cells[2], "sub": cells[3]}
        return found
    raise Failed("no machine is alive")


def status() -> dict[str, dict]:
    answer = json.loads(run(str(FAERING), "status", "-o", "json", quiet=True))
    return {machine["name"]: machine for machine in answer["machines"]}


def alive() -> list[str]:
    return [name for name, machine in sorted(status().items()) if machine["power"] == "on"]


def machine_at(address: str) -> str:
    return next(name for name, its in ADDRESSES.items() if its == address)


def is_running(*names: str) -> bool:
    now = units()
    return all(now.get(name, {}).get("sub") == "running" for name in names)


def fetch() -> str:
    """One page through the balancer, as a browser on this host gets it."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{BALANCER_PORT}/", timeout=3) as answer:
            return answer.read().decode().strip()
    except (urllib.error.URLError, OSError) as error:
        raise Failed(f"the balancer does not answer: {error}") from error


def pages(count: int) -> set[str]:
    return {fetch() for _ in range(count)}


# ---- steps ----

def make_machines() -> None:
    say("Three machines, each booted from the same cloud-config")
    note(f"cloud-config: {UNITS.relative_to(ROOT)}/cluster.yml; only $private_ipv4 differs")
    run(str(FAERING), "up", "3", "--cloud-config", str(UNITS / "cluster.yml"), show="faering up 3 --cloud-config cluster.yml")
    wait_for("three healthy members", 20, lambda: "cluster is healthy" in on("m1", "etcdctl", "cluster-health", quiet=True))
    wait_for("three machines in fleet", 20,
             lambda: len(on("m2", "fleetctl", "list-machines", "--no-legend", quiet=True).splitlines()) == 3)
    run(str(FAERING), "status", show="faering status")
    on("m2", "etcdctl", "cluster-health")
    on("m3", "fleetctl", "list-machines")


def image_archive() -> bytes:
    """The root file system of the image: Debian's static busybox and its names."""
    busybox = Path("/bin/busybox").resolve()
    names = subprocess.run([str(busybox), "--list"], capture_output=True, text=True, check=True).stdout.split()
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w") as archive:
        for folder in ("bin", "etc", "tmp", "proc", "sys", "dev", "www"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            archive.addfile(entry)
        entry = tarfile.TarInfo("bin/busybox")
        entry.size, entry.mode = busybox.stat().st_size, 0o755
        with busybox.open("rb") as file:
            archive.addfile(entry, file)
        for name in names:
            if name != "busybox":
                entry = tarfile.TarInfo(f"bin/{name}")
                entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
                archive.addfile(entry)
        entry = tarfile.TarInfo("etc/passwd")
        content = b"root:x:0:0:root:/:/bin/sh\n"
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return memory.getvalue()


def import_image() -> None:
    say("A container image, imported once, on one machine")
    note("busybox, from Debian's busybox-static; the other machines fetch it from there when they need it")
    on("m1", "docker", "import", "-c", 'CMD ["/bin/sh"]', "-", "busybox", data=image_archive())
    on("m1", "docker", "images")


def send_units() -> None:
    for name in ("web@.service", "web-discovery@.service", "lb.service", "spread@.service", "pinned.service"):
        text = (UNITS / name).read_bytes()
        for machine in ADDRESSES:
            on(machine, "sh", "-c", f"cat > /root/{name}", data=text, quiet=True)


def start(machine: str, *units: str) -> None:
    on(machine, "sh", "-c", "cd /root && exec fleetctl start --no-block " + " ".join(units))


def start_service() -> None:
    say("The units of the classic tutorials")
    run("cat", str(UNITS / "web@.service"), show="cat web@.service")
    send_units()
    on("m2", "etcdctl", "set", "/greeting", "Hello")
    start("m3", "web@1.service", "web@2.service", "web-discovery@1.service", "web-discovery@2.service")
    took = wait_for("the pages run", 30, lambda: is_running("web@1.service", "web@2.service", "web-discovery@1.service",
                                                            "web-discovery@2.service"))
    note(f"running after {took:.1f} s")
    start("m1", "lb.service")
    wait_for("the balancer runs", 30, lambda: is_running("lb.service"))
    on("m2", "fleetctl", "list-units")
    note("what web@1 wrote, asked for on a machine that does not run it")
    elsewhere = next(name for name, address in ADDRESSES.items() if address != units()["web@1.service"]["machine"])
    on(elsewhere, "fleetctl", "journal", "--lines", "3", "web@1.service")
    wait_for("two pages are announced", 15,
             lambda: len(on("m1", "etcdctl", "ls", "/services/web", quiet=True).splitlines()) == 2)
    on("m1", "sh", "-c", "for key in $(etcdctl ls /services/web); do echo $key $(etcdctl get $key); done")


def show_service() -> None:
    say("Pages through the balancer")
    balancer = units()["lb.service"]["machine"]
    run(str(FAERING), "up", machine_at(balancer), "--forward", f"{BALANCER_PORT}:{balancer}:8080",
        show=f"faering up {machine_at(balancer)} --forward {BALANCER_PORT}:{balancer}:8080")
    wait_for("both pages come", 15, lambda: len(pages(4)) == 2)
    for page in sorted(pages(4)):
        note(f"http://127.0.0.1:{BALANCER_PORT}/ -> {page}")
    on("m3", "etcdctl", "set", "/greeting", "Good morning")
    for page in sorted(pages(4)):
        if not page.startswith("Good morning"):
            raise Failed(f"the page did not change: {page}")
        note(f"http://127.0.0.1:{BALANCER_PORT}/ -> {page}")


def show_isolation() -> None:
    say("A container's namespaces are its own, and its limits hold")
    machine = machine_at(units()["web@2.service"]["machine"])
    kinds = ("pid", "mnt", "net", "uts", "ipc")
    look = "for kind in " + " ".join(kinds) + "; do echo $kind $(readlink /proc/self/ns/$kind); done"
    inside = dict(line.split() for line in on(machine, "docker", "exec", "web-2", "sh", "-c", look).splitlines())
    outside = dict(line.split() for line in on(machine, "sh", "-c", look).splitlines())
    shared = [kind for kind in kinds if inside[kind] == outside[kind]]
    if shared:
        raise Failed(f"container and machine share {shared}")
    on(machine, "sh", "-c", "docker run --rm --name hog --memory 32m busybox sh -c 'tail /dev/zero'; echo exit code $?")
    if not is_running("web@2.service"):
        raise Failed("another container died with the hog")
    on(machine, "docker", "ps")


def show_spread() -> None:
    say("Units that may run anywhere spread; one that says where goes there")
    names = [f"spread@{n}.service" for n in range(1, 7)]
    start("m1", *names)
    wait_for("they run", 20, lambda: is_running(*names))
    # only now: it counts on its machine, and would move the others' shares if it were decided before them
    start("m3", "pinned.service")
    wait_for("it runs", 20, lambda: is_running("pinned.service"))
    now = units()
    counts = {name: sum(now[unit]["machine"] == address for unit in names) for name, address in ADDRESSES.items()}
    note("spread: " + ", ".join(f"{count} on {name}" for name, count in counts.items()))
    note(f"pinned.service, MachineMetadata=ip=10.66.0.12: on {machine_at(now['pinned.service']['machine'])}")
    if set(counts.values()) != {2} or now["pinned.service"]["machine"] != ADDRESSES["m2"]:
        raise Failed("not where they should be")


def pull_the_plug() -> str:
    victim = machine_at(units()["web@2.service"]["machine"])
    pid = status()[victim]["pid"]
    say(f"Pulling the plug of {victim}, which runs web@2: SIGKILL to its first process, {pid}")
    begun = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    left = [name for name in ADDRESSES if name != victim]
    wait_for("the store goes on writing", 10, lambda: on(left[0], "etcdctl", "--total-timeout", "1s", "set", "/after", "the plug", quiet=True))
    note(f"the store writes again after {time.monotonic() - begun:.1f} s")
    wait_for("the machine leaves the list", 20,
             lambda: len(on(left[1], "fleetctl", "list-machines", "--no-legend", quiet=True).splitlines()) == 2)
    note(f"the machine has left the list after {time.monotonic() - begun:.1f} s")
    wait_for("web@2 runs elsewhere", 30,
             lambda: is_running("web@2.service", "web-discovery@2.service") and
             units()["web@2.service"]["machine"] != ADDRESSES[victim])
    if units().get("lb.service", {}).get("machine") == ADDRESSES[victim]:
        wait_for("the balancer runs elsewhere", 20, lambda: is_running("lb.service"))
    wait_for("the balancer serves both", 20, lambda: len({page.split(" from ")[-1] for page in pages(4)}) == 2)
    took = time.monotonic() - begun
    note(f"web@2 and its announcer run again, and the balancer serves both, {took:.1f} s after the plug was pulled")
    if took > 15:
        raise Failed("the failover took more than 15 s")
    on(left[0], "fleetctl", "list-machines")
    on(left[1], "fleetctl", "list-units")
    for page in sorted(pages(4)):
        note(f"http://127.0.0.1:{BALANCER_PORT}/ -> {page}")
    on(left[0], "faering", "fleet", "explain", "web@2.service")
    say("A third page has to wait, and explain says what would let it run")
    start(left[1], "web@3.service")
    on(left[0], "faering", "fleet", "explain", "web@3.service")
    return victim


def power_on(victim: str) -> None:
    say(f"Powering {victim} on again")
    begun = time.monotonic()
    run(str(FAERING), "up", victim, show=f"faering up {victim}")
    wait_for("web@3 runs there", 30, lambda: is_running("web@3.service"))
    note(f"web@3 runs on {machine_at(units()['web@3.service']['machine'])}, {time.monotonic() - begun:.1f} s after the power came back")
    on(victim, "docker", "ps", "--all")
    on(victim, "etcdctl", "cluster-health")
    on(victim, "fleetctl", "list-units")
    run(str(FAERING), "status", show="faering status")


def groups_of_machines() -> list[str]:
    """Control groups of the machines' directory: they have its device and inode in their name."""
    if not LOCAL.exists():
        return []
    status = LOCAL.stat()
    name = f"faering-local-{status.st_dev:x}-{status.st_ino:x}"
    return [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{name}")]


def remains(groups: list[str]) -> str:
    """What of the machines is left on this host: nothing, in the end."""
    left = [group for group in groups if Path(group).exists()]
    left += [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(LOCAL) in line]
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            program = os.readlink(process / "exe")
            if program.startswith((str(BUILD), str(LOCAL))) and not program.endswith("/ninja"):
                left.append(f"process {process.name} ({program})")
    return ", ".join(left)


def remove_all(quiet: bool = False) -> None:
    if not quiet:
        say("Removing everything")
    subprocess.run([str(FAERING), "down"], stdout=subprocess.DEVNULL if quiet else None,
                   stderr=subprocess.DEVNULL if quiet else None)


def print_use() -> None:
    say("The machines stay. How to use them")
    print(f"""
  {FAERING} status                      how they do
  {FAERING} exec m1 -- bash             a shell on one
  {FAERING} exec m1 -- fleetctl list-units
  {FAERING} exec m2 -- faering fleet explain web@2.service
  {FAERING} down m2 --plug              pull a plug; "up m2" powers it on again
  http://127.0.0.1:{BALANCER_PORT}/                 the balancer
  {FAERING} down                        removes all of it""")


def show_all() -> None:
    make_machines()
    import_image()
    start_service()
    show_service()
    show_isolation()
    show_spread()
    power_on(pull_the_plug())


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="leave the machines running, and say how to use them")
    keep = parser.parse_args().keep
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        build()
        begun = time.monotonic()
        try:
            show_all()
        except BaseException:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            groups = groups_of_machines()
            remove_all(quiet=True)
            wait_for("all is removed", 20, lambda: not remains(groups))  # what was cut off in its beginning ends by itself
            raise
        if keep:
            print_use()
            return 0
        groups = groups_of_machines()
        remove_all()
        left = remains(groups)
        if left:
            raise Failed(f"left behind: {left}")
        note("no process, mount or cgroup is left")
        print(f"\n{BOLD}Done, {time.monotonic() - begun:.0f} s after the build.{PLAIN}")
        return 0
    except KeyboardInterrupt:
        print("\ndemo: interrupted; the machines are removed", file=sys.stderr)
        return 130
    except Failed as failure:
        print(f"\ndemo: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
