"""What is asked of etcdctl: sessions of steps, each session on a fresh member.

A step is a command line as a person would write it after "etcdctl", or a dictionary:
  run      the command line; with `env`, `input`
  start    NAME: a command line in the background; goes on when `watchers` watch
  finish   NAME: waits for the end of it; `signal` sends SIGINT first, when `lines` lines were printed
In a command line @+N@ is an index, counted from the one at the start; @URL@, @ID@, @PEER@ are the member's, @NONE@ is an
endpoint where nobody listens. `plain` steps go without "--endpoints @URL@" in front.
"""

S = "--no-sync "


def plain(line: str, **more) -> dict:
    return {"run": line, "plain": True, **more}


HELP = [plain(line) for line in (
    "", "--help", "-h", "-help", "help", "h", "help help", "h h", "--version", "-v", "-version", "version", "bogus", "help bogus",
    "--bogus", "-o", "--output", "--timeout x ls", "--debug=maybe ls", "--", "- ls", "--- ls", "--=x ls", "-v -h", "-v bogus",
    *(f"{verb} --help" for verb in (
        "backup cluster-health mk mkdir rm rmdir get ls set setdir update updatedir watch exec-watch".split())),
    *(f"help {verb}" for verb in "backup get exec-watch member user role auth".split()),
    *(f"{group}{more}" for group in ("member", "user", "role", "auth")
      for more in ("", " -h", " --help", " help", " h", " bogus", " --bogus", " help bogus", " -v")),
    *(f"{group} {verb} {more}" for group, verbs in (
        ("member", "list add remove update"), ("user", "add get list remove grant revoke passwd"),
        ("role", "add get list remove grant revoke"), ("auth", "enable disable"))
      for verb in verbs.split() for more in ("-h", "--bogus")),
    "member help list", "user help grant", "role h revoke", "help user grant", "auth bogus -x",
    "set --bogus k v", "set --ttl", "set --ttl x k v", "set --ttl 99999999999999999999 k v", "set k v --ttl=",
    "set --swap-with-index 1.5 k v", "get -r k", "get -q -quorum k", "get --quorum=maybe k", "ls -r -recursive", "ls -r=x a", "ls -rp",
    "mk -in-order=maybe a b", "rm --with-index -x k", "watch --after-index", "watch -f -forever k", "set -h", "set k -h", "get ---x k",
    "get -=x k", "ls --sort=1x /", "user grant u --roles", "role grant r --rw --readwrite --path /x", "cluster-health --forever=x",
)]

KEYS = [
    "set /a 1", "get /a", "get a", "get --sort /a", "get --quorum /a", "get -q /a", "-o extended get /a", "-o json get /a",
    "--output simple get /a", "--output=xml get /a", "-o xml set /a 1", "-o xml mkdir /xml", "-o xml ls /", "-o xml rmdir /xml",
    "set /a -5", "get /a", "set /a b -5", "set /a -ttl", "set /a -x --ttl 1000", "get /a --bogus", "set --swap-with-value -x /a b",
    "get /no -q /a", "set /a 1 -- -2", "set /a 2", "-o extended set /a 3", "-o json set /a 4", "set /a -- -5", "set -- /a -6", "get /a",
    "set /ttl --ttl 1000 v", "get /ttl", "set /ttl v --ttl 1000", "-o json get /ttl", "-o extended get /ttl", "set --ttl=1000 /ttl w",
    "set /ttl x --ttl 0", "-o extended get /ttl", "set /ttl y --ttl -5", "set --ttl 0x10 /ttl z", "get v", "set k --ttl 5 value",
    "get value", "set /sp 'two words'", "get /sp", "set '/key with space' v", "get '/key with space'", "set /utf 'sømething ✓'",
    "get /utf", "-o json get /utf", "set /html '<a href=\"x\">&amp;</a>'", "-o json get /html", "set /pct 'a%20b+c&d=e;f'", "get /pct",
    "set '/odd?#[]!*()' v", "get '/odd?#[]!*()'", "ls /odd", "set /empty ''", "get /empty", "-o json get /empty",
    {"run": "set /stdin", "input": "from stdin\n"}, "get /stdin", "-o json get /stdin", {"run": "set /none", "input": ""}, "set",
    {"run": "mk /stdin2", "input": "x"}, {"run": "update /stdin2", "input": "y\nz"}, "get /stdin2",
    "set //double//slash v", "get /double/slash", "set /dots/../up v", "get /up", "set /trail/ v", "get /trail", "get /trail/",
    "mk /m 1", "mk /m 2", "-o json mk /m2 1", "-o extended mk /m3 --ttl 1000 1", "mk", "mk /m4", "update /m 3", "update /no 3", "update",
    "-o json update /m 4", "-o extended update /m 5 --ttl 1000", "get /m", "-o json update --ttl 1000 /m 6",
    "mk --in-order /queue a", "mk --in-order /queue b", "-o json mk --in-order /queue c", "mk --in-order --ttl 1000 /queue d",
    "-o extended mk /queue e --in-order", "mk --in-order /a x",
    "set --swap-with-value nope /a x", "set --swap-with-value -6 /a x", "set --swap-with-value -- /a x", "get /a",
    "set --swap-with-index 1 /a y", "set --swap-with-index -1 /a y", "-o json set --swap-with-value '' /a z", "get /no", "-o json get /no",
    "-o extended get /no", "get", "set /a/below v", "set / v", "get /", "get /queue", "-o json get /queue", "set /queue v",
]

SWAP = [
    "set /i one", "set --swap-with-index @+1@ /i two", "set --swap-with-index @+1@ /i three", "-o json set --swap-with-index @+2@ /i four",
    "set --swap-with-index @+3@ --swap-with-value four /i five", "set --swap-with-index @+3@ --swap-with-value four /i six",
    "rm --with-index @+9@ /i", "rm --with-value no /i", "rm --with-value five /i", "set /j 1", "-o extended rm --with-index @+6@ /j",
    "set /k 1", "-o json rm --with-value 1 /k", "set /l 1", "-o json rm /l", "set /n 1", "-o extended rm /n",
]

DIRS = [
    "ls", "mkdir /d", "mkdir /d", "mkdir", "-o json mkdir /d2", "-o extended mkdir /d3 --ttl 1000", "mkdir /ttl --ttl 1000",
    "-o json updatedir /ttl --ttl 2000", "updatedir /no --ttl 5", "updatedir /d", "updatedir", "setdir /d", "setdir /s", "-o json setdir /s2",
    "-o json setdir /ttl2 --ttl 1000", "setdir", "set /d/k 1", "set /d/sub/k 2", "setdir /d/k", "mkdir /d/k", "ls --sort", "-o json ls --sort /", "-o extended ls --sort", "ls --sort /d", "ls -p --sort",
    "ls -r --sort", "ls --recursive --sort -p /d", "ls /d/k", "ls -p /d/k", "ls /no", "-o json ls --sort /d", "-o json ls -r --sort /d",
    "-o extended ls /d", "-o extended ls /d/k", "ls --sort -q /d", "ls --quorum /d/k", "ls --sort=false /d/k", "rmdir /d", "rmdir", "rmdir /no",
    "rmdir /s", "-o json rmdir /s2", "rmdir /d/k", "rm /d", "rm", "rm /no", "rm --dir /d", "rm --dir /d2", "-o json rm --dir /d3",
    "set /f 1", "rm --dir /f", "set /f 1", "rmdir /f", "rm --recursive /d", "set /e/f/g 1", "-o json rm -r /e", "set /h/i 1",
    "-o extended rm --recursive /h", "rm /", "rm -r /", "mkdir /_hidden", "set /_hidden/k 1", "ls --sort", "ls -r /_hidden", "get /_hidden/k",
]

WATCH = [
    {"start": "one", "line": "watch /w", "watchers": 1}, "set /w 1", {"finish": "one"},
    {"start": "json", "line": "-o json watch /w", "watchers": 1}, "set /w 2", {"finish": "json"},
    {"start": "extended", "line": "-o extended watch --recursive /w", "watchers": 1}, "set /w 3", {"finish": "extended"},
    "watch --after-index @+2@ /w", "-o json watch --after-index @+1@ /w", "watch", "watch --recursive --after-index @+0@ /",
    {"start": "forever", "line": "watch --forever --recursive /", "watchers": 1}, "set /w 4", "mkdir /dir", "set /dir/k 5", "update /w 6",
    "mk /made 7", "mk --in-order /dir 8", "set --swap-with-value 6 /w 9", "rm --with-value 9 /w", "rm /made", "rm -r /dir",
    {"finish": "forever", "signal": True, "lines": 15},
    {"start": "key", "line": "watch -f /w", "watchers": 1}, "set /w 10", "rm /w", "set /w 11",
    {"finish": "key", "signal": True, "lines": 3},
    {"start": "dirs", "line": "watch -r /d", "watchers": 1}, "mkdir /d/e", "set /d/f 1", {"finish": "dirs"},
]

EXEC_WATCH = [
    "exec-watch", "exec-watch /x", "exec-watch --recursive /x",
    {"start": "env", "line": "exec-watch sh -c 'echo $ETCD_WATCH_ACTION $ETCD_WATCH_KEY $ETCD_WATCH_VALUE $FOO' /x", "watchers": 1,
     "env": {"FOO": "bar"}}, "set /x 1", {"finish": "env", "signal": True, "lines": 1},
    {"start": "tail", "line": "exec-watch echo changed /x", "watchers": 1}, "set /x 2", {"finish": "tail", "signal": True, "lines": 1},
    {"start": "flags", "line": "exec-watch --recursive /x -- echo -n changed-$", "watchers": 1}, "set /x 3",
    {"finish": "flags", "signal": True, "bytes": 9},
    "set /x 4",
    {"start": "fails", "line": "exec-watch --recursive /x -- sh -c 'echo failing; exit 3'", "watchers": 1}, "set /x 5",
    {"finish": "fails", "signal": True, "lines": 1},
    {"start": "after", "line": "exec-watch --after-index @+4@ echo late /x", "watchers": 0},
    {"finish": "after", "signal": True, "lines": 1},
    {"start": "none", "line": "exec-watch no-such-program /x", "watchers": 1}, "set /x 6", {"finish": "none"},
    {"start": "path", "line": "exec-watch /no/such/program /x", "watchers": 1}, "set /x 7", {"finish": "path"},
]

MEMBERS = [
    "member list", "-o json member list", "-o extended member list", "member list x", "member", "member add", "member add x",
    "member add x y", "member add x 127.0.0.1:1", "member add x http://127.0.0.1", "member remove", "member remove m0", "member remove 123", "member remove a b",
    "member update", "member update @ID@", "member update 123 http://127.0.0.1:5", "member update x http://127.0.0.1:5",
    "member update @ID@ nonsense", "member update @ID@ @PEER@", "cluster-health", "-o json cluster-health", "cluster-health x",
    "member add new @PEER@", "member add new http://127.0.0.1:9", 
]

DEBUG = [
    "--debug get /a", "--debug --no-sync get /a", "--debug set /a 1", "--debug get --quorum /a", "--debug set --ttl 5 '/a b' 'c d&e'",
    "--debug mk --in-order /q v", "--debug ls -r --sort /", "--debug rm --with-value 1 /a", "--debug rm --with-index @+3@ --recursive --dir /a",
    "--debug set --swap-with-value x --swap-with-index @+7@ /a 1", "--debug mkdir --ttl 5 /d", "--debug update /a 2", "--debug member list",
    "--debug watch --after-index @+2@ /a", "--debug cluster-health", "--debug updatedir /d", "--debug setdir /d", "--debug rmdir /d",
    "set '/odd key/!x' 1", "--debug watch --recursive --after-index @+1@ '/odd key'", "--debug member update @ID@ @PEER@", "--debug mk /é 'ü'",
]

ENVIRONMENT = [
    plain("get /a", env={"ETCDCTL_ENDPOINTS": "@URL@"}), plain("set /a 1", env={"ETCDCTL_ENDPOINT": "@URL@"}),
    plain("get /a", env={"ETCDCTL_PEERS": "@URL@"}), plain("get /a", env={"ETCDCTL_PEERS": "@NONE@", "ETCDCTL_ENDPOINT": "@URL@"}),
    plain("--endpoint @NONE@ get /a", env={"ETCDCTL_ENDPOINTS": "@URL@"}), plain("--endpoint @URL@ get /a"), plain("--peers @URL@ get /a"),
    plain("-C @URL@ get /a"), plain("-endpoints=@URL@ get /a"), plain("--endpoints @URL@ --peers @NONE@ get /a"),
    plain("--endpoints @NONE@,@URL@ get /a"), plain("--endpoints @NONE@,@URL@ --no-sync get /a"),
    plain("--endpoints @URL@,@NONE@ --no-sync set /b 2"), plain("--endpoints @URL@/ get /a"), plain("--endpoints @NONE@ get /a"),
    plain("--endpoints @NONE@ --no-sync get /a"), plain("--endpoints @NONE@ -o json get /a"), plain("--endpoints @NONE@ set"),
    plain("--endpoints @NONE@ --no-sync mk /a b"), plain("--endpoints @NONE@ --no-sync rm /a"), plain("--endpoints @NONE@ watch /a"),
    plain("--endpoints @NONE@ --no-sync watch /a"), plain("--endpoints @NONE@ cluster-health"), plain("--endpoints @NONE@ member list"),
    plain("--endpoints @NONE@ --no-sync member list"), plain("--endpoints @NONE@ --no-sync member remove 1"),
    plain("--endpoints @NONE@ --no-sync exec-watch /a -- true"), plain("--endpoints @NONE@ --no-sync member add a http://127.0.0.1:5"),
    plain("get /a", env={"ETCDCTL_ENDPOINTS": "@URL@", "ETCDCTL_USERNAME": "root:secret"}), "-u root:secret get /a", "--username root: get /a",
    "--timeout 500ms --total-timeout 1m get /a", "--timeout 0 get /a", "--total-timeout 0s --no-sync get /a", "--total-timeout 0 get /a",
]

AUTH = [
    "user list", "user add root:secret", "user add root:secret", {"run": "user add other", "input": "pass word\n"}, "user add", "user add a b",
    "user list", "user list x", "user get root", "user get other", "user get nobody", "user get", "role list", "role list x", "role add reader", "role add reader",
    "role add", "role add root", "role get reader", "role get root", "role get guest", "role get nothing", "role get",
    "role grant reader --path /a --read", "role grant reader --path /a --read", "role grant reader --path '/b/*' --readwrite",
    "role grant reader --path /c --rw", "role grant --write --path /d reader", "role grant reader", "role grant reader --path /a",
    "role grant reader --path /a --read --write", "role grant reader --path a --read", "role grant reader --path //a/../b/ --read",
    "role grant nothing --path /a --read", "role grant --path /a --read", "role get reader", "role revoke reader --path /a --read",
    "role revoke reader --path /a --read", "role revoke reader --path '/b/*' --write", "role revoke reader", "role get reader",
    "user grant other --roles reader", "user grant other --roles reader", "user grant other", "user grant other --roles nothing",
    "user grant nobody --roles reader", "user grant other --roles a,b", "user get other", "user revoke other --roles reader",
    "user revoke other --roles reader", "user revoke other", "user get other", "user grant other --roles reader --roles guest", "user get other",
    "user add clean:x", "user grant clean --roles reader --roles root", "user get clean",
    {"run": "user passwd other", "input": "new\n"}, {"run": "user passwd nobody", "input": "new\n"}, {"run": "user passwd"},
    "user remove other", "user remove other", "user remove", "role remove reader", "role remove reader", "role remove", "role remove root",
    "auth disable", "auth enable", "auth enable", "auth enable x", "user list", "-u root:wrong user list", "-u root:secret user list",
    "get /a", "role remove guest", "-u root:secret role remove guest", "get /a", "set /a 1", "-u root:secret set /a 1",
    "-u root:wrong set /a 2", "-u nobody:x get /a", "member list", "cluster-health", "-u root:secret member list", "user add x:y", "role add x",
    {"run": "-u root get /a", "input": "secret\n"}, "user remove root", "-u root:secret user remove root", "auth disable", "-u root:secret --debug auth disable",
    "auth disable", "--debug user list", "--debug role add debug", "--debug role grant debug --path /x --rw", "--debug user get root",
    "--debug role list", "--debug auth disable",
]

SESSIONS = {
    "help": HELP, "keys": KEYS, "swap": SWAP, "directories": DIRS, "watch": WATCH, "exec-watch": EXEC_WATCH, "members": MEMBERS,
    "debug": DEBUG, "environment": ENVIRONMENT, "auth": AUTH,
}
