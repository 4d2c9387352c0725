"""The programs that are compared: how each gives a folder of files and how each takes it.

A tool has `needs` (programs), `give` (starts the giving side and returns when it is ready) and `take` (the command that
gets everything into a folder, whose whole running time counts). Each is told no more than it needs: no limits, no
discovery beyond the machine, certificates that nobody checks.
"""

import hashlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from processes import Failed, Process

HERE = Path(__file__).resolve().parent
# Of a torrent; the size of our own chunks.
PIECE = 1 << 20


@dataclass
class Data:
    """Files to move: `plain/NAME` as they are, `library/NAME` the same files as a game."""

    name: str
    work: Path
    size: int = 0
    files: int = 0

    @property
    def plain(self):
        return self.work / "plain" / self.name

    @property
    def library(self):
        return self.work / f"library-{self.name}"

    def make(self, files, size):
        """`files` files of `size` random bytes; the game is made of links to them."""
        for number in range(files):
            folder = self.plain if files == 1 else self.plain / f"d{number // 500:03}"
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / ("big.bin" if files == 1 else f"f{number:05}.bin")).open("wb") as file:
                left = size
                while left:
                    block = os.urandom(min(left, 16 << 20))
                    file.write(block)
                    left -= len(block)
        self.size, self.files = files * size, files
        game = self.library / self.name
        shutil.copytree(self.plain, game, copy_function=os.link)
        (game / "version.ini").write_text("1.0\n")
        return self

    @property
    def torrent(self):
        """A torrent of the one large file."""
        path = self.work / f"{self.name}.torrent"
        if not path.exists():
            file = self.plain / "big.bin"
            pieces = b""
            with file.open("rb") as read:
                while block := read.read(PIECE):
                    pieces += hashlib.sha1(block).digest()
            info = {b"length": self.size, b"name": b"big.bin", b"piece length": PIECE, b"pieces": pieces}
            path.write_bytes(bencoded({b"info": info}))
        return path

    def check(self, into):
        """Fails unless every file of ours lies in `into`, byte for byte."""
        for file in sorted(path for path in self.plain.rglob("*") if path.is_file()):
            got = into / file.relative_to(self.plain)
            if not got.is_file() or got.stat().st_size != file.stat().st_size:
                raise Failed(f"{got} is missing or has another size")
            if file.stat().st_size > PIECE:
                subprocess.run(["cmp", "-s", file, got], check=True)
            elif file.read_bytes() != got.read_bytes():
                raise Failed(f"{got} differs")


def bencoded(value):
    match value:
        case int():
            return b"i%de" % value
        case bytes():
            return b"%d:%s" % (len(value), value)
        case dict():
            return b"d" + b"".join(bencoded(key) + bencoded(value[key]) for key in sorted(value)) + b"e"


@dataclass
class Place:
    """Where a tool runs: a work folder, and perhaps a namespace."""

    work: Path
    processes: object
    environment: dict
    namespace: str = ""
    ip: str = "127.0.0.1"

    def start(self, words, cwd=None, stdin=False) -> Process:
        inside = ["ip", "netns", "exec", self.namespace] if self.namespace else []
        return self.processes.start([*inside, *words], self.environment, cwd, stdin)

    def folder(self, name):
        path = self.work / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    def port(self):
        if self.namespace:
            return 47000  # Nobody else is there.
        with socket.socket() as probe:
            probe.bind((self.ip, 0))
            return probe.getsockname()[1]


class Tool:
    name = ""
    needs = []
    folders = False  # Whether it moves a folder of many files.

    def missing(self):
        """What it lacks, or nothing."""
        return next((need for need in self.needs if not shutil.which(need)), None)

    def give(self, place, data):
        raise NotImplementedError

    def take(self, place, data, given, into):
        """The command, and the folder it runs in."""
        raise NotImplementedError

    def landed(self, into, data):
        """Where the files are afterwards."""
        return into


class Potluck(Tool):
    name, folders = "potluck", True

    def __init__(self, binary):
        self.binary = binary

    def seat(self, place, name, library, *words):
        """The command of one seat."""
        return [self.binary, "--home", place.work / f"home-{name}", "--library", library, "--name", name, *words]

    def give(self, place, data):
        words = self.seat(place, "giver", data.library, "--listen", f"{place.ip}:0", "--no-mdns", "serve")
        process = place.start(words)
        line = process.wait_for("listening on ")
        control = Control(place.work / "home-giver" / "control.sock")
        control.until("its own game is ready", lambda: control.state(data.name) == "downloaded")
        return process, line.split()[2]

    def take(self, place, data, given, into):
        shutil.rmtree(place.work / "home-taker", ignore_errors=True)
        alone = ["--listen", f"{place.ip}:0", "--no-mdns", "--peer", given]
        return self.seat(place, "taker", into, *alone, "get", data.name), None

    def landed(self, into, data):
        return into / data.name


class Control:
    """A seat's control socket."""

    def __init__(self, path):
        self.path = path

    def ask(self, what, command=None):
        connection = http.client.HTTPConnection("x", timeout=10)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self.path))
        try:
            connection.request("POST" if command else "GET", f"/v1/{what}", command and json.dumps(command))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def game(self, name):
        return next((game for game in self.ask("games") if game["id"] == name), None)

    def state(self, name):
        game = self.game(name)
        return game and game["state"]

    def get(self, name):
        answer = self.ask("commands", {"command": "get", "game": name})
        if "ok" not in answer:
            raise Failed(f"get {name}: {answer}")

    def done_bytes(self, name):
        transfers = self.ask("transfers")
        return next((transfer["done"] for transfer in transfers if transfer["game"] == name), 0)

    def until(self, what, holds, limit=60.0):
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            try:
                if holds():
                    return
            except OSError:
                pass  # It does not listen yet.
            time.sleep(0.05)
        raise Failed(f"not within {limit:.0f} s: {what}")


class Rsync(Tool):
    name, needs, folders = "rsync --daemon", ["rsync"], True

    def give(self, place, data):
        port = place.port()
        config = place.folder("rsync") / "rsyncd.conf"
        config.write_text(
            f"use chroot = no\nreverse lookup = no\nlog file = /dev/null\n[data]\npath = {data.plain}\nread only = yes\n"
        )
        daemon = ["rsync", "--daemon", "--no-detach", f"--config={config}", f"--address={place.ip}", f"--port={port}"]
        process = place.start(daemon)
        time.sleep(0.3)
        return process, f"rsync://{place.ip}:{port}/data/"

    def take(self, place, data, given, into):
        return ["rsync", "-a", given, f"{into}/"], None


class Nginx(Tool):
    """The server that curl and aria2 ask."""

    scheme = "http"

    def missing(self):
        # Debian keeps it where only root looks.
        return super().missing() or (None if nginx() else "nginx")

    def give(self, place, data):
        port, folder = place.port(), place.folder("nginx")
        key, certificate = folder / "key.pem", folder / "certificate.pem"
        if self.scheme == "https":
            make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
            make += ["-subj", "/CN=localhost", "-keyout", key, "-out", certificate]
            subprocess.run(make, check=True, stderr=subprocess.DEVNULL)
        secure = f"ssl_certificate {certificate}; ssl_certificate_key {key};" if self.scheme == "https" else ""
        temporary = "".join(
            f"{kind}_temp_path {folder};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (folder / "nginx.conf").write_text(
            f"daemon off; user root; worker_processes auto; pid {folder}/pid; error_log {folder}/error.log;"
            f"events {{}} http {{ access_log off; sendfile on; tcp_nopush on; {temporary}"
            f"server {{ listen {place.ip}:{port} {'ssl' if secure else ''}; {secure} root {data.plain}; }} }}\n"
        )
        process = place.start([nginx(), "-c", folder / "nginx.conf", "-e", folder / "error.log"])
        time.sleep(0.5)
        return process, f"{self.scheme}://{place.ip}:{port}/big.bin"


def nginx():
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


class Curl(Nginx):
    needs = ["curl"]

    def __init__(self, scheme="http"):
        self.scheme, self.name = scheme, f"nginx + curl, {scheme}"
        self.needs = ["curl", "openssl"] if scheme == "https" else ["curl"]

    def take(self, place, data, given, into):
        return ["curl", "-s", "-k", "--fail", "-o", into / "big.bin", given], None


class Aria2(Nginx):
    name, needs, scheme = "nginx + aria2c x8, https", ["aria2c", "openssl"], "https"

    def take(self, place, data, given, into):
        words = ["aria2c", "--no-conf", "-q", "-x8", "-s8", "-k1M", "--file-allocation=none"]
        return [*words, "--check-certificate=false", "-d", into, "-o", "big.bin", given], None


class Libtorrent(Tool):
    name, needs = "libtorrent", []

    def missing(self):
        asked = subprocess.run(["/usr/bin/python3", "-c", "import libtorrent"], capture_output=True, check=False)
        return "python3-libtorrent" if asked.returncode else None

    def seat(self, place, data, folder, port, *words):
        return [HERE / "torrent.py", data.torrent, folder, place.ip, port, *words]

    def give(self, place, data):
        port = place.port()
        process = place.start(self.seat(place, data, data.plain, port, "--seed"))
        process.wait_for("ready")
        return process, f"{place.ip}:{port}"

    def take(self, place, data, given, into):
        return self.seat(place, data, into, int(given.split(":")[1]) + 1, "--exit", given), None


class Rqbit(Tool):
    name, needs = "rqbit", ["rqbit"]
    READY, DONE = "Initial check results", "torrent finished downloading"

    def seat(self, place, data, folder, port, peers, *words):
        quiet = ["--disable-dht", "--disable-lsd", "--disable-trackers", "--disable-upnp-port-forward", "--ipv4-only"]
        listen = ["--listen-ip", place.ip, "--listen-port", port, "download", "--disable-http-api"]
        others = ["--initial-peers", ",".join(peers)] if peers else []
        return ["rqbit", *quiet, *listen, *words, "--overwrite", "-o", folder, *others, data.torrent]

    def give(self, place, data):
        port = place.port()
        process = place.start(self.seat(place, data, data.plain, port, []))
        process.wait_for(self.READY)
        return process, f"{place.ip}:{port}"

    def take(self, place, data, given, into):
        port = int(given.split(":")[1]) + 1
        return self.seat(place, data, into, port, [given], "--exit-on-finish"), None


class Sendme(Tool):
    name, needs, folders = "sendme", ["sendme"], True

    def give(self, place, data):
        # It copies what it sends into a store in the folder it is started in.
        what = data.plain if data.files > 1 else data.plain / "big.bin"
        words = ["sendme", "send", "--relay", "disabled", "--no-progress", "--ticket-type", "addresses", what]
        process = place.start(words, cwd=place.folder("sendme"))
        return process, process.wait_for("sendme receive ", 120).split()[2]

    def take(self, place, data, given, into):
        return ["sendme", "receive", "--relay", "disabled", "--no-progress", given], into

    def landed(self, into, data):
        return into / data.name if data.files > 1 else into
