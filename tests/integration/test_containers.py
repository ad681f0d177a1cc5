"""The container engine over its API: one engine for most tests, in namespaces of their own."""
import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from engines import Engine, Raw

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and mounts need root")


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with Engine(tmp_path_factory.mktemp("engine")) as one:
        yield one


def until(what: str, get, seconds: float = 10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if get():
            return
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds} s")


# ---- running ----

def test_a_command_runs_to_its_end_and_its_output_is_kept(engine):
    id = engine.start_container("sh", "-c", "echo out; echo err >&2; exit 3")
    assert engine.wait(id) == 3
    assert engine.logs(id) == (b"out\n", b"err\n")
    state = engine.inspect(id)["State"]
    assert (state["Status"], state["ExitCode"], state["OOMKilled"]) == ("exited", 3, False)
    assert engine.request("DELETE", f"/containers/{id}")[0] == 204
    assert engine.request("GET", f"/containers/{id}/json")[0] == 404


def test_a_client_attached_before_the_start_misses_nothing_though_it_ends_its_side_at_once(engine):
    id = engine.create("sh", "-c", "echo first; seq 1 20000; echo last >&2", host={"AutoRemove": True})
    raw = Raw(engine.socket, f"/v1.44/containers/{id}/attach?stdout=1&stderr=1&stream=1")
    assert raw.head.startswith("HTTP/1.1 101") and "multiplexed-stream" in raw.head
    raw.end_input()
    engine.request("POST", f"/containers/{id}/start")
    out, err = raw.streams()
    assert out == b"first\n" + b"".join(b"%d\n" % i for i in range(1, 20001)) and err == b"last\n"
    until("it is removed", lambda: engine.request("GET", f"/containers/{id}/json")[0] == 404)


def test_input_reaches_the_container_and_its_end_too(engine):
    id = engine.create("sh", "-c", "cat; echo ended", OpenStdin=True, StdinOnce=True)
    raw = Raw(engine.socket, f"/containers/{id}/attach?stdin=1&stdout=1&stream=1")
    raw.socket.sendall(b"early ")
    engine.request("POST", f"/containers/{id}/start")
    data = b"x" * 3_000_000
    raw.socket.settimeout(30)
    sent = len(data)
    raw.socket.setblocking(False)
    got, at, ended = b"", 0, False
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            piece = raw.socket.recv(65536)
            if not piece:
                break
            got += piece
        except BlockingIOError:
            time.sleep(0.001)
        if at < sent:
            try:
                at += raw.socket.send(data[at:at + 65536])
            except BlockingIOError:
                pass
        elif not ended:
            raw.end_input()
            ended = True
    from engines import frames
    assert frames(raw.bytes + got)[0] == b"early " + data + b"ended\n"


def test_wait_sends_its_head_at_once_and_answers_after_removal(engine):
    id = engine.create("true", host={"AutoRemove": True})
    raw = Raw(engine.socket, f"/containers/{id}/wait?condition=removed")
    assert raw.head.startswith("HTTP/1.1 200")
    engine.request("POST", f"/containers/{id}/start")
    raw.until(b'"StatusCode":0')
    assert engine.request("GET", f"/containers/{id}/json")[0] == 404


def test_a_terminal_is_one_raw_stream_that_can_be_resized(engine):
    id = engine.create("sh", "-c", "tty; read x; stty size", Tty=True, OpenStdin=True)
    raw = Raw(engine.socket, f"/containers/{id}/attach?stdin=1&stdout=1&stream=1")
    engine.request("POST", f"/containers/{id}/start")
    raw.until(b"/dev/pts/0\r\n")
    assert engine.request("POST", f"/containers/{id}/resize?h=33&w=77")[0] == 200
    raw.socket.sendall(b"\n")
    assert b"33 77" in raw.rest()


@pytest.mark.parametrize("command, code, words", [("/nosuch", 127, "no such file"), ("/etc", 126, "permission denied")])
def test_a_command_that_cannot_run_fails_the_start_with_the_words_clients_look_for(engine, command, code, words):
    id = engine.create(command)
    status, data = engine.request("POST", f"/containers/{id}/start")
    assert status == 400 and words in json.loads(data)["message"].lower()
    assert engine.inspect(id)["State"]["ExitCode"] == code
    engine.request("DELETE", f"/containers/{id}")


def test_a_start_that_fails_is_removed_when_it_should_be_with_either_runtime(tmp_path):
    with Engine(tmp_path, "--runtime", "runc") as engine:
        assert engine.output("echo", "by runc") == "by runc\n"
        id = engine.create("/nosuch", host={"AutoRemove": True})
        attached = Raw(engine.socket, f"/containers/{id}/attach?stdout=1&stream=1")
        waiting = Raw(engine.socket, f"/containers/{id}/wait?condition=removed")
        assert engine.request("POST", f"/containers/{id}/start")[0] == 400
        waiting.until(b'"StatusCode":127')
        assert attached.rest() == b""


# ---- stopping ----

def test_stop_sends_the_stop_signal_and_kills_only_after_the_time(engine):
    gentle = engine.start_container("sh", "-c", "trap 'echo bye; exit 5' USR1; echo up; while true; do sleep 0.1; done", StopSignal="SIGUSR1")
    until("its trap is set", lambda: b"up" in engine.logs(gentle)[0])
    assert engine.request("POST", f"/containers/{gentle}/stop?t=10")[0] == 204
    assert engine.inspect(gentle)["State"]["ExitCode"] == 5 and b"bye" in engine.logs(gentle)[0]
    assert engine.request("POST", f"/containers/{gentle}/stop")[0] == 304

    deaf = engine.start_container("sleep", "1000")
    before = time.monotonic()
    assert engine.request("POST", f"/containers/{deaf}/stop?t=1")[0] == 204
    assert 0.8 < time.monotonic() - before < 5
    assert engine.inspect(deaf)["State"]["ExitCode"] == 137


def test_kill_of_what_does_not_run_is_a_conflict(engine):
    id = engine.start_container("sleep", "1000")
    assert engine.request("POST", f"/containers/{id}/kill")[0] == 204
    status, data = engine.request("POST", f"/containers/{id}/kill")
    assert status == 409 and "is not running" in json.loads(data)["message"]


def test_what_runs_is_removed_only_by_force(engine):
    id = engine.start_container("sleep", "1000", name="stubborn")
    assert engine.request("DELETE", "/containers/stubborn")[0] == 409
    assert engine.request("DELETE", "/containers/stubborn?force=1")[0] == 204
    assert engine.request("DELETE", f"/containers/{id}")[0] == 404


def test_on_failure_restarts_as_often_as_it_says_and_always_until_it_is_stopped(engine):
    id = engine.start_container("sh", "-c", "echo run; exit 1", host={"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}})
    until("it has given up", lambda: engine.inspect(id)["State"]["Status"] == "exited" and engine.inspect(id)["RestartCount"] == 2)
    assert engine.logs(id)[0] == b"run\n" * 3
    always = engine.start_container("sh", "-c", "echo run; sleep 0.1", host={"RestartPolicy": {"Name": "always"}})
    until("it ran twice", lambda: engine.logs(always)[0].count(b"run") >= 2)
    assert engine.request("POST", f"/containers/{always}/stop?t=1")[0] in (204, 304)
    count = engine.logs(always)[0].count(b"run")
    time.sleep(0.5)
    assert engine.logs(always)[0].count(b"run") == count


# ---- names, lists, logs ----

def test_names_are_unique_can_be_changed_and_are_found(engine):
    id = engine.create("true", name="one", Labels={"a": "b"})
    status, data = engine.request("POST", "/containers/create?name=one", {"Image": "bb", "Cmd": ["true"]})
    assert status == 409 and id in json.loads(data)["message"]
    assert engine.request("POST", "/containers/one/rename?name=two")[0] == 204
    rows = engine.json("GET", "/containers/json?all=1&filters=" + json.dumps({"label": ["a=b"], "name": ["two"]}).replace('"', "%22").replace(" ", ""))
    assert [(row["Id"], row["Names"], row["State"]) for row in rows] == [(id, ["/two"], "created")]
    assert engine.inspect(id[:12])["Name"] == "/two"
    assert engine.request("GET", "/containers/one/json")[0] == 404


def test_logs_are_cut_followed_and_stamped(engine):
    id = engine.start_container("sh", "-c", "seq 1 5; sleep 0.3; seq 6 10")
    out, _ = engine.logs(id, "&follow=1")
    assert out == b"".join(b"%d\n" % i for i in range(1, 11))
    assert engine.logs(id, "&tail=3")[0] == b"8\n9\n10\n"
    stamped = engine.logs(id, "&timestamps=1&tail=6")[0].splitlines()
    assert len(stamped) == 6 and all(line[:2] == b"20" and b"Z " in line for line in stamped)
    at = stamped[1].split(b" ")[0].decode()
    assert engine.logs(id, f"&since={at}")[0] == b"6\n7\n8\n9\n10\n"


def test_old_log_files_go_and_the_newest_lines_stay(engine):
    id = engine.start_container("sh", "-c", "seq 1 3000", host={"LogConfig": {"Type": "json-file", "Config": {"max-size": "20k", "max-file": "2"}}})
    engine.wait(id)
    lines = engine.logs(id)[0].split()
    assert lines[-1] == b"3000" and 100 < len(lines) < 1000
    assert engine.logs(id, "&tail=300")[0].split() == [b"%d" % i for i in range(2701, 3001)]


# ---- what a container has ----

def test_user_directory_environment_and_host_name(engine):
    text = engine.output("sh", "-c", "id; pwd; echo $A; hostname; cat /etc/hosts", User="app", WorkingDir="/made/here", Env=["A=b"], Hostname="hh",
                         host={"ExtraHosts": ["other:10.1.2.3"]})
    assert "uid=100(app) gid=101(app) groups=101(app),200(extra)" in text.replace("groups=200(extra)", "groups=101(app),200(extra)")
    assert "/made/here\nb\nhh\n" in text and "10.1.2.3\tother" in text


def test_mounts_of_all_kinds(engine, tmp_path):
    (tmp_path / "file").write_text("from the host")
    text = engine.output("sh", "-c", "cat /b/file; touch /b/x; echo kept > /n/y; touch /t/z && grep ' /t ' /proc/mounts; touch /no",
                         host={"Binds": [f"{tmp_path}:/b:ro", "vol:/n"], "Tmpfs": {"/t": "size=1m"}, "ReadonlyRootfs": True})
    assert "from the host" in text and text.count("Read-only file system") == 2 and "size=1024k" in text
    assert engine.output("cat", "/n/y", host={"Binds": ["vol:/n"]}) == "kept\n"
    assert not (tmp_path / "x").exists()


def test_a_container_over_its_memory_dies_alone(engine):
    other = engine.start_container("sleep", "1000")
    hog = engine.start_container("dd", "if=/dev/zero", "of=/dev/null", "bs=100M", "count=1", host={"Memory": 32 << 20, "MemorySwap": 32 << 20})
    assert engine.wait(hog) == 137
    assert engine.inspect(hog)["State"]["OOMKilled"] is True
    assert engine.inspect(other)["State"]["Running"] is True
    engine.request("DELETE", f"/containers/{other}?force=1")


def test_processes_are_limited(engine):
    text = engine.output("sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1 & done; wait", host={"PidsLimit": 6})
    assert "can't fork" in text


def test_rights_are_few_and_can_be_chosen(engine):
    def rights(host):
        text = engine.output("grep", "-E", "CapEff|Seccomp:", "/proc/self/status", host=host)
        return [line.split()[1] for line in text.splitlines()]
    assert rights({}) == ["00000000a80425fb", "2"]
    assert rights({"CapDrop": ["ALL"], "CapAdd": ["NET_ADMIN"]}) == ["0000000000001000", "2"]
    assert rights({"Privileged": True})[1] == "0"
    assert "permission denied" in engine.output("mount", "-t", "tmpfs", "x", "/bin", host={"CapAdd": ["SYS_PTRACE"]})


def test_a_command_is_executed_in_a_container(engine):
    id = engine.start_container("sleep", "1000", Env=["A=b"])
    exec = engine.json("POST", f"/containers/{id}/exec", {"Cmd": ["sh", "-c", "cat; echo $A >&2; exit 7"], "AttachStdin": True, "AttachStdout": True,
                                                         "AttachStderr": True}, 201)["Id"]
    raw = Raw(engine.socket, f"/exec/{exec}/start", '{"Detach":false}')
    raw.socket.sendall(b"typed\n")
    raw.end_input()
    assert raw.streams() == (b"typed\n", b"b\n")
    until("its end is known", lambda: not engine.json("GET", f"/exec/{exec}/json")["Running"])
    assert engine.json("GET", f"/exec/{exec}/json")["ExitCode"] == 7
    engine.request("DELETE", f"/containers/{id}?force=1")
    assert engine.request("POST", f"/containers/{id}/exec", {"Cmd": ["true"]})[0] == 404


# ---- network ----

def serve(engine, ports: dict, **arguments) -> str:
    id = engine.start_container("httpd", "-f", "-p", "80", "-h", "/etc/data", ExposedPorts={"80/tcp": {}}, host={"PortBindings": {"80/tcp": ports}},
                                **arguments)
    address = engine.inspect(id)["NetworkSettings"]["IPAddress"]
    until("it serves", lambda: fetch(engine, f"http://{address}/hello") == "hello\n")
    return id


def fetch(engine, url: str) -> str:
    return engine.run("busybox", "wget", "-qO-", url).stdout


def test_published_ports_are_reached_from_everywhere(engine):
    id = serve(engine, [{"HostIp": "", "HostPort": "18081"}, {"HostIp": "127.0.0.1", "HostPort": "18080"}, {"HostPort": ""}])
    settings = engine.inspect(id)["NetworkSettings"]
    chosen = [port["HostPort"] for port in settings["Ports"]["80/tcp"]]
    assert chosen[:2] == ["18081", "18080"] and int(chosen[2]) > 0
    for url in ("http://127.0.0.1:18080/hello", "http://127.0.0.1:18081/hello", "http://172.17.0.1:18081/hello", f"http://127.0.0.1:{chosen[2]}/hello",
                f"http://{settings['IPAddress']}/hello"):
        assert fetch(engine, url) == "hello\n", url
    # from another container, and from itself, by the published port
    assert engine.output("wget", "-qO-", "http://172.17.0.1:18081/hello") == "hello\n"
    itself = engine.json("POST", f"/containers/{id}/exec", {"Cmd": ["wget", "-qO-", "http://172.17.0.1:18081/hello"], "AttachStdout": True},
                         201)["Id"]
    raw = Raw(engine.socket, f"/exec/{itself}/start", "{}")
    assert raw.streams()[0] == b"hello\n"
    engine.request("DELETE", f"/containers/{id}?force=1")
    assert fetch(engine, "http://127.0.0.1:18081/hello") == ""
    assert "dport" not in engine.run("nft", "list", "table", "ip", "faering").stdout
    assert "vf" not in engine.run("ip", "-o", "link").stdout


def test_a_port_is_published_once_and_not_over_another_program(engine):
    id = serve(engine, [{"HostPort": "18082"}])
    two = engine.create("true", host={"PortBindings": {"80/tcp": [{"HostPort": "18082"}]}})
    status, data = engine.request("POST", f"/containers/{two}/start")
    assert status == 500 and json.loads(data)["message"] == "Bind for 0.0.0.0:18082 failed: port is already allocated"
    engine.request("DELETE", f"/containers/{id}?force=1")
    assert engine.request("POST", f"/containers/{two}/start")[0] == 204


def test_networks_other_than_the_bridge(engine):
    none = engine.output("ip", "-o", "addr", host={"NetworkMode": "none"})
    assert "127.0.0.1" in none and "eth0" not in none
    assert "faering0" in engine.output("ip", "-o", "addr", host={"NetworkMode": "host"})
    assert [row["Name"] for row in engine.json("GET", "/networks")] == ["bridge", "host", "none"]


def test_the_network_of_another_container(engine):
    id = serve(engine, [{"HostPort": "18086"}])
    assert engine.output("wget", "-qO-", "http://127.0.0.1/hello", host={"NetworkMode": f"container:{id}"}) == "hello\n"
    later = engine.create("true", host={"NetworkMode": f"container:{id}"})
    engine.request("DELETE", f"/containers/{id}?force=1")
    assert engine.request("POST", f"/containers/{later}/start")[0] == 409


def test_a_link_gives_name_address_and_ports_of_another_container(engine):
    db = engine.start_container("sleep", "1000", name="db", ExposedPorts={"5432/tcp": {}}, Env=["MODE=fast"])
    address = engine.inspect(db)["NetworkSettings"]["IPAddress"]
    text = engine.output("sh", "-c", "env; grep store /etc/hosts", host={"Links": ["db:my-store"]}, name="app")
    for line in (f"MY_STORE_PORT=tcp://{address}:5432", f"MY_STORE_PORT_5432_TCP_ADDR={address}", "MY_STORE_NAME=/app/my-store",
                 "MY_STORE_ENV_MODE=fast", f"{address}\tmy-store db"):
        assert line in text.splitlines(), text
    later = engine.create("true", host={"Links": ["db:x"]})
    engine.request("DELETE", f"/containers/{db}?force=1")
    assert engine.request("POST", f"/containers/{later}/start")[0] in (400, 409)
    assert engine.request("POST", "/containers/create", {"Image": "bb", "Cmd": ["true"], "HostConfig": {"Links": ["nobody:x"]}})[0] == 400


def test_a_new_volume_gets_what_the_image_has_at_its_place(engine):
    assert engine.output("sh", "-c", "cat /etc/data/hello; stat -c %a /etc/data/hello; echo mine > /etc/data/hello",
                         host={"Binds": ["filled:/etc/data"]}) == "hello\n644\n"
    assert engine.output("cat", "/etc/data/hello", host={"Binds": ["filled:/etc/data"]}) == "mine\n"
    assert engine.output("ls", "/v", host={"Binds": ["filled:/v"]}) == "hello\n"
    assert engine.output("ls", "/not/there", host={"Binds": ["empty:/not/there"]}) == ""


def test_volumes_of_another_container(engine):
    keeper = engine.create("true", Volumes={"/kept": {}})
    engine.output("sh", "-c", "echo data > /kept/file", host={"VolumesFrom": [keeper]})
    assert engine.output("sh", "-c", "cat /kept/file; touch /kept/no", host={"VolumesFrom": [f"{keeper}:ro"]}).startswith("data\n")
    source = engine.inspect(keeper)["Mounts"][0]["Source"]
    assert sorted(path.name for path in Path(source).iterdir()) == ["file"]
    engine.request("DELETE", f"/containers/{keeper}?v=1")
    assert not Path(source).exists()


# ---- errors ----

def test_errors_are_docker_s(engine):
    def message(method, target, body=None):
        status, data = engine.request(method, target, body)
        return status, json.loads(data)["message"]
    assert message("GET", "/containers/nosuch/json") == (404, "No such container: nosuch")
    assert message("POST", "/containers/create", {"Image": "nosuch", "Cmd": ["x"]}) == (404, "No such image: nosuch:latest")
    assert message("GET", "/nosuch") == (404, "page not found")
    assert message("POST", "/containers/x/pause")[0] == 501
    assert message("POST", "/containers/create", {"Image": "bb", "Cmd": 5}) == (400, "Cmd must be a list of strings")
    assert message("POST", "/containers/create", b"{")[0] == 400


def test_events_tell_of_a_life(engine):
    before = time.time()
    id = engine.start_container("true")
    engine.wait(id)
    engine.request("DELETE", f"/containers/{id}")
    status, data = engine.request("GET", f"/events?since={before:.6f}&until={time.time():.6f}")
    actions = [event["Action"] for event in map(json.loads, data.splitlines()) if event["id"] == id]
    assert status == 200 and actions == ["create", "start", "die", "destroy"]


# ---- the engine's end ----

def is_alive(pid: int) -> bool:
    """Dead ones that nobody has waited for yet are not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_containers_outlive_the_engine(tmp_path):
    with Engine(tmp_path) as engine:
        id = serve(engine, [{"HostPort": "18083"}])
        talker = engine.start_container("sh", "-c", "i=0; while true; do echo $i; i=$((i+1)); sleep 0.05; done")
        brief = engine.start_container("sh", "-c", "sleep 0.5; exit 9")
        pid = engine.inspect(id)["State"]["Pid"]
        engine.kill()
        time.sleep(0.8)  # one of them ends while nobody looks
        assert fetch(engine, "http://127.0.0.1:18083/hello") == "hello\n"
        engine.start()
        state = engine.inspect(id)["State"]
        assert (state["Running"], state["Pid"]) == (True, pid)
        assert engine.inspect(brief)["State"]["ExitCode"] == 9
        assert fetch(engine, "http://127.0.0.1:18083/hello") == "hello\n"
        lines = engine.logs(talker)[0].split()
        assert lines == [b"%d" % i for i in range(len(lines))]
        raw = Raw(engine.socket, f"/containers/{talker}/attach?stdout=1&stream=1")
        raw.until(b"\n")
        raw.socket.close()
        assert engine.stop() == 0
        assert Path(f"/proc/{pid}").exists()
        engine.start()
        # neither its port nor its address is given to others
        two = engine.create("true", host={"PortBindings": {"80/tcp": [{"HostPort": "18083"}]}})
        assert engine.request("POST", f"/containers/{two}/start")[0] == 500
        assert engine.request("POST", f"/containers/{talker}/stop?t=0")[0] == 204


def test_a_container_whose_shim_is_killed_counts_as_killed_and_leaves_nothing(tmp_path):
    with Engine(tmp_path) as engine:
        id = engine.start_container("sh", "-c", "while true; do echo x > /file; done", host={"AutoRemove": True})
        pid = engine.inspect(id)["State"]["Pid"]
        os.kill(engine.shims()[0], signal.SIGKILL)
        until("it is removed", lambda: engine.request("GET", f"/containers/{id}/json")[0] == 404)
        assert not is_alive(pid) and not list((engine.state / "containers").iterdir())


def test_removal_while_it_starts_leaves_nothing(tmp_path):
    with Engine(tmp_path) as engine:
        for _ in range(5):
            id = engine.create("sleep", "1000")
            starting = socket.socket(socket.AF_UNIX)
            starting.connect(str(engine.socket))
            starting.sendall(f"POST /containers/{id}/start HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
            assert engine.request("DELETE", f"/containers/{id}?force=1")[0] == 204
            starting.close()
        until("all shims have ended", lambda: not engine.shims())
        assert not list((engine.state / "containers").iterdir())
        assert "vf" not in engine.run("ip", "-o", "link").stdout


def test_after_a_crash_of_the_machine_everything_left_is_cleared_and_what_should_run_does(tmp_path):
    with Engine(tmp_path) as engine:
        plain = serve(engine, [{"HostPort": "18084"}])
        once = engine.start_container("sleep", "1000", host={"AutoRemove": True})
        always = engine.start_container("sleep", "1000", host={"RestartPolicy": {"Name": "always"}})
        pids = [engine.inspect(id)["State"]["Pid"] for id in (plain, once, always)]
        engine.kill()
        for victim in engine.shims() + pids:
            os.kill(victim, signal.SIGKILL)
        engine.start()
        state = engine.inspect(plain)["State"]
        assert (state["Status"], state["ExitCode"], state["Pid"]) == ("exited", 137, 0)
        until("the one that removes itself is gone", lambda: engine.request("GET", f"/containers/{once}/json")[0] == 404)
        until("the one that always runs does", lambda: engine.inspect(always)["State"]["Status"] == "running")
        assert "dport" not in engine.run("nft", "list", "table", "ip", "faering").stdout
        assert engine.run("grep", "-c", "merged", "/proc/mounts").stdout.strip() == "1"
        assert engine.run("ls", "/run/faering/containers/netns").stdout.split() == [always]
        assert engine.request("POST", f"/containers/{plain}/start")[0] == 204
        until("it serves again", lambda: fetch(engine, "http://127.0.0.1:18084/hello") == "hello\n")


def test_nothing_is_left_when_the_last_container_is_gone(tmp_path):
    with Engine(tmp_path) as engine:
        id = serve(engine, [{"HostPort": "18085"}])
        engine.request("DELETE", f"/containers/{id}?force=1")
        until("its shim has ended", lambda: not engine.shims())
        assert engine.stop() == 0
        assert "faering" not in engine.run("nft", "list", "tables").stdout
        assert "faering0" not in engine.run("ip", "-o", "link").stdout
        assert engine.run("grep", "-c", "merged", "/proc/mounts").stdout.strip() == "0"
