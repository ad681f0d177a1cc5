"""list-units -w and top: what goes on until the user ends it."""
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import pytest
from fleets import BUILD, Fleet, wait_for

SLEEP = "[Service]\nExecStart=/bin/sleep 1000\n"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    with Fleet(tmp_path_factory.mktemp("live"), count=2, extra=("--serve-logs", "http://127.0.0.1:{port}")) as running:
        yield running


@pytest.fixture
def one(fleet):
    one = fleet.machines[0]
    yield one
    names = [row["name"] for row in one.api("GET", "/fleet/v1/units")[1].get("units", [])]
    if names:
        one.ok("destroy", *names)


def write(folder, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def faering(one, *arguments: str) -> list[str]:
    return [str(BUILD / "src/cli/faering"), "fleet", "--endpoint", f"unix://{one.socket}", *arguments]


def test_watched_units_are_told_as_they_change(one, tmp_path):
    with subprocess.Popen(faering(one, "list-units", "-w"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watcher:
        try:
            one.ok("start", write(tmp_path, "a.service", SLEEP))
            while "active  running" not in (line := watcher.stdout.readline()):
                assert line, watcher.stderr.read()
            assert line.split()[1:] == ["a.service", f"{one.units()['a.service'][0][:8]}.../{line.split('/')[1].split()[0]}", "active", "running"]
            begun = time.monotonic()
            one.ok("destroy", "a")
            while "is gone" not in (line := watcher.stdout.readline()):
                assert line, watcher.stderr.read()
            assert "a.service on " in line and time.monotonic() - begun < 5
        finally:
            watcher.send_signal(signal.SIGINT)
        assert watcher.wait(timeout=5) == 0 and watcher.stderr.read() == ""


def read_terminal(terminal: int, text: str, seconds: float = 10) -> str:
    seen, end = "", time.monotonic() + seconds
    while text not in seen and time.monotonic() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            seen += os.read(terminal, 65536).decode()
    assert text in seen, seen
    return seen


def test_terminal_is_drawn_anew_and_left_clean(one, tmp_path):
    one.ok("start", write(tmp_path, "a.service", SLEEP))
    ours, theirs = pty.openpty()
    with subprocess.Popen(faering(one, "list-units", "-w"), stdin=theirs, stdout=theirs, stderr=theirs) as watcher:
        try:
            assert "\x1b[H\x1b[J" in read_terminal(ours, "a.service")
            one.ok("start", write(tmp_path, "b.service", SLEEP))
            assert "UNIT" in read_terminal(ours, "b.service")
        finally:
            watcher.send_signal(signal.SIGINT)
        assert watcher.wait(timeout=5) == 0
    assert read_terminal(ours, "\n").endswith("\n")
    os.close(ours)
    os.close(theirs)


def test_a_small_terminal_is_not_overrun(one, tmp_path):
    one.ok("start", *(write(tmp_path, f"small{number}.service", SLEEP) for number in range(8)))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 6, 30, 0, 0))
    with subprocess.Popen(faering(one, "list-units", "-w"), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as watcher:
        try:
            picture = read_terminal(ours, "\033[?7h")
        finally:
            watcher.send_signal(signal.SIGINT)
    os.close(theirs)
    os.close(ours)
    # what is too wide is cut by the terminal itself, what is too long is counted: 6 lines, and the cursor has the last
    assert picture.startswith("\033[?7l\033[H\033[J") and len(picture.splitlines()) == 6, picture
    assert picture.splitlines()[4] == "… and 5 more", picture


def test_people_at_fleetctl_are_told_where_the_reason_is(one, tmp_path):
    """What scripts read is fleetctl's, to the letter (test_fleetctl.py)."""
    path = write(tmp_path, "bad.service", "[Service]\nExecStart=/bin/false\n")
    ours, theirs = pty.openpty()
    (tmp_path / "fleetctl").symlink_to(BUILD / "src/cli/faering")
    command = [str(tmp_path / "fleetctl"), "--endpoint", f"unix://{one.socket}", "start", path]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as starter:
        assert starter.wait(timeout=10) == 1
    assert '"fleetctl status bad.service" says more' in read_terminal(ours, "says more")
    os.close(ours)
    os.close(theirs)


def test_what_nobody_reads_ends(one, tmp_path):
    """`… | head -1`, also while nothing new is written."""
    one.ok("start", write(tmp_path, "quiet.service", SLEEP), write(tmp_path, "talk.service", "[Service]\nExecStart=/bin/sh -c 'echo said; exec sleep 1000'\n"))
    wait_for("it has spoken", lambda: one.ok("journal", "talk"))
    for words in (["list-units", "-w"], ["journal", "-f", "talk"], ["top", "-n", "1000", "-d", "1"]):
        with subprocess.Popen(faering(one, *words), stdout=subprocess.PIPE) as watcher:
            assert watcher.stdout.readline()
            watcher.stdout.close()
            assert watcher.wait(timeout=8) == -signal.SIGPIPE, words


def test_a_full_disk_is_told(one):
    with open("/dev/full", "w") as full:
        done = subprocess.run(faering(one, "list-machines"), stdout=full, stderr=subprocess.PIPE, text=True, timeout=10)
    assert done.returncode == 1 and done.stderr == "cannot write the output: No space left on device\n"


def test_nobody_asks_while_nothing_changes(one, tmp_path):
    """The daemon answers when there is news: a watcher of a quiet cluster costs nothing."""
    number = one.api("GET", "/faering/v1/changes")[1]["number"]
    begun = time.monotonic()
    assert one.api("GET", f"/faering/v1/changes?since={number}&wait=2")[1]["number"] == number
    assert time.monotonic() - begun > 1.5
    with subprocess.Popen(["curl", "-sS", "--unix-socket", str(one.socket), f"http://x/faering/v1/changes?since={number}"],
                          stdout=subprocess.PIPE, text=True) as waiter:
        time.sleep(0.3)
        one.ok("submit", write(tmp_path, "a.service", SLEEP))
        assert json.loads(waiter.communicate(timeout=5)[0])["number"] > number
    assert one.api("GET", "/faering/v1/changes?wait=61")[0] == 400


def test_top_shows_who_works(fleet, one, tmp_path):
    one.ok("start", write(tmp_path, "busy.service", "[Service]\nExecStart=/bin/sh -c 'while :; do :; done'\n[X-Fleet]\nMachineMetadata=number=2\n"),
           write(tmp_path, "idle.service", SLEEP), write(tmp_path, "done.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n"))
    rows = wait_for("both are measured", lambda: json.loads(one.ok("top", "-o", "json")), lambda rows: len(rows) == 3)
    assert [row["unit"] for row in rows][0] == "busy.service" and rows[0]["machine"] == fleet.machines[1].id
    by_name = {row["unit"]: row for row in rows}
    assert by_name["done.service"]["cpuPercent"] is None and by_name["done.service"]["memory"] is None
    if by_name["busy.service"]["memory"] is not None:  # where units have groups of their own
        assert by_name["busy.service"]["cpuPercent"] > 20 and by_name["busy.service"]["memory"] > 100_000
        assert by_name["idle.service"]["cpuPercent"] < 20 and by_name["idle.service"]["tasks"] == 1
    table = one.ok("top", "-n", "2", "-d", "1", "--sort", "unit").splitlines()
    assert [line.split()[0] for line in table] == ["UNIT", "busy.service", "done.service", "idle.service"] * 2
    assert [line.split()[2:] for line in table if line.startswith("done")] == [["-", "-", "-"]] * 2
    assert len(one.ok("top", "--units", "1").splitlines()) == 2


def test_top_names_a_machine_that_does_not_answer(fleet, one, tmp_path):
    one.ok("start", write(tmp_path, "a.service", SLEEP + "[X-Fleet]\nMachineMetadata=number=1\n"))
    two = fleet.machines[1]
    two.process.send_signal(signal.SIGSTOP)
    try:
        begun = time.monotonic()
        done = one.fleet("top")
        # it may have left the cluster in the meantime
        assert time.monotonic() - begun < 20 and "a.service" in done.stdout
        assert done.returncode == 1 and f"machine {two.id[:8]}... does not tell" in done.stderr
    finally:
        two.process.send_signal(signal.SIGCONT)
    fleet.wait_registered(two)
