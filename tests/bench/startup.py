#!/usr/bin/env python3
"""How long a large library takes to be ready, and what it costs to keep: measured, one table on stdout.

Makes a library of GAMES games with FILES small files altogether, lets potluck hash it once, and then starts it again
and again with nothing changed. Ready is when `/v1/status` says `serving`: every game was looked at and announced.
The reference is `find LIBRARY -type f -printf ...` on the same files in the same run. Needs no rights and no network.

    cargo build --release
    tests/bench/startup.py --folder /dev/shm/startup          # 1,000 games, 1,000,000 files
    tests/bench/startup.py --games 1 --files 150000 --get     # one large game, and a `get` of it on loopback
"""

import argparse
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES_A_FOLDER = 50


def make_library(library: pathlib.Path, games: int, files: int) -> None:
    """Files of 0 to 100 bytes, 50 a folder, folders three deep."""
    library.mkdir(parents=True)
    for game in range(games):
        root = library / f"game-{game:04}"
        root.mkdir()
        count = files // games + (1 if game < files % games else 0)
        for first in range(0, count, FILES_A_FOLDER):
            number = first // FILES_A_FOLDER
            # As many files as a manifest may list fit into one only with short names.
            names = ("d", "p", "l", "t") if count > 100_000 else ("data", "part", "level", "texture-")
            folder = root / f"{names[0]}{number // 400}" / f"{names[1]}{number // 20 % 20}" / f"{names[2]}{number % 20}"
            folder.mkdir(parents=True)
            at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            for file in range(first, min(first + FILES_A_FOLDER, count)):
                fd = os.open(f"{names[3]}{file:06}.dds", os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o644, dir_fd=at)
                os.write(fd, f"{game} {file} ".encode() * (file % 10))
                os.close(fd)
            os.close(at)
        (root / "version.ini").write_text("1.0\n")


class Connection(http.client.HTTPConnection):
    def __init__(self, path: str):
        super().__init__("potluck", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Seat:
    """A running `potluck serve`."""

    def __init__(self, binary: str, home: pathlib.Path, library: pathlib.Path, *more: str):
        self.home, self.library = home, library
        self.args = ["--home", str(home), "--library", str(library)]
        self.binary = binary
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [binary, "serve", *self.args, "--no-mdns", "--listen", "127.0.0.1:0", "--name", "bench", *more],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline().split()
        if len(line) < 3:
            sys.exit(f"potluck did not start: {line}")
        self.address = line[2]

    def status(self) -> dict:
        connection = Connection(str(self.home / "control.sock"))
        connection.request("GET", "/v1/status")
        return json.loads(connection.getresponse().read())

    def ready(self, seconds: float) -> float:
        """Waits until everything is announced; the seconds since the start."""
        while time.monotonic() - self.began < seconds:
            try:
                if self.status()["me"]["phase"] == "serving":
                    return time.monotonic() - self.began
            except (OSError, KeyError, http.client.HTTPException):
                pass
            time.sleep(0.01)
        sys.exit("it is not ready in time")

    def memory(self) -> tuple[float, float]:
        """MiB resident now and at most."""
        lines = pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        kib = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith(("VmRSS", "VmHWM"))}
        return kib["VmRSS"] / 1024, kib["VmHWM"] / 1024

    def cpu(self) -> float:
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self, how=signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait()


def row(name: str, seconds: float, files: int, find: float, seat: Seat | None) -> None:
    now, most = seat.memory() if seat else (0.0, 0.0)
    more = f"{seat.cpu():6.2f} | {now:6.0f} | {most:6.0f} | {seat.descriptors():5}" if seat else " " * 6 + " | | |"
    print(f"| {name:34} | {seconds:7.2f} | {files / seconds:9,.0f} | {seconds / find:5.2f} | {more} |", flush=True)


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--folder", type=pathlib.Path, help="where the library is made, or kept from last time")
    parse.add_argument("--games", type=int, default=1000)
    parse.add_argument("--files", type=int, default=1_000_000)
    parse.add_argument("--rounds", type=int, default=3)
    parse.add_argument("--get", action="store_true", help="get the first game on loopback, and verify it")
    parse.add_argument("--potluck", default=str(ROOT / "target/release/potluck"))
    args = parse.parse_args()
    folder = args.folder or pathlib.Path(tempfile.mkdtemp(prefix="potluck-startup-"))
    library, home = folder / f"library-{args.games}-{args.files}", folder / f"home-{args.games}-{args.files}"
    try:
        if not library.exists():
            making = library.with_name("making")
            shutil.rmtree(making, ignore_errors=True)
            make_library(making, args.games, args.files)
            making.rename(library)
            # What was written a moment ago may be half of a game, and is not looked at yet.
            time.sleep(3)
        measure(args, folder, library, home)
    finally:
        if not args.folder:
            shutil.rmtree(folder)


def measure(args: argparse.Namespace, folder: pathlib.Path, library: pathlib.Path, home: pathlib.Path) -> None:
    find_took = []
    for _ in range(2):
        began = time.monotonic()
        subprocess.run(["find", library, "-type", "f", "-printf", "%s %T@ %i\n"], stdout=subprocess.DEVNULL, check=True)
        find_took.append(time.monotonic() - began)
    find = min(find_took)
    print(f"{args.games} games, {args.files} files, {os.cpu_count()} cores")
    print("| case                               | seconds |   files/s | ÷find |  cpu s | MiB    | peak   |   fds |")
    print("|------------------------------------|---------|-----------|-------|--------|--------|--------|-------|")
    row("find -printf", find, args.files, find, None)
    first = not (home / "state" / "index.redb").exists() and not (home / "index.redb").exists()
    for number in range(args.rounds + first):
        seat = Seat(args.potluck, home, library)
        took = seat.ready(1800)
        time.sleep(0.5)
        row("first start, everything hashed" if first and number == 0 else "start, nothing changed", took, args.files,
            find, seat)
        seat.stop()
    seat = Seat(args.potluck, home, library)
    seat.ready(600)
    seat.stop(signal.SIGKILL)
    seat = Seat(args.potluck, home, library)
    row("start after kill -9", seat.ready(600), args.files, find, seat)
    if args.get:
        measure_get(args, folder, seat, find)
    seat.stop()


def measure_get(args: argparse.Namespace, folder: pathlib.Path, host: Seat, find: float) -> None:
    """The first game of the library, from one process to another on this machine."""
    home, library = folder / "home-guest", folder / "library-guest"
    for old in (home, library):
        shutil.rmtree(old, ignore_errors=True)
    library.mkdir(parents=True)
    files = args.files // args.games
    guest = Seat(args.potluck, home, library, "--peer", host.address)
    run = lambda *words: subprocess.run([args.potluck, *words, *guest.args], stdout=subprocess.DEVNULL, check=True)
    while not any(game["id"] == "game-0000" for game in json.loads(
            subprocess.run([args.potluck, "games", "--json", *guest.args], capture_output=True).stdout or "[]")):
        time.sleep(0.05)
    for name, words in (("get", ["get", "game-0000"]), ("verify", ["verify", "game-0000"])):
        began = time.monotonic()
        run(*words)
        row(f"{name}: getter", time.monotonic() - began, files, find, guest)
    row("both: server", time.monotonic() - began, files, find, host)
    guest.stop()
    same = subprocess.run(["diff", "-r", "-x", ".potluck", host.library / "game-0000", library / "game-0000"])
    print("the copies are equal" if same.returncode == 0 else "THE COPIES DIFFER")


if __name__ == "__main__":
    main()
