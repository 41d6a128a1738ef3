"""A set of hosts as `hosts` boots it, its operator at the workstation, and the judgement of its footage."""

import csv
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
NODES = {f"cam{n}": f"192.168.1.{100 + n}" for n in (1, 2, 3)}
VIDEOS = "/var/lib/syncslate/videos"
DOWNLOADS = "/var/lib/syncslate/video_downloads"
PERIOD_US = 33_334
started = time.monotonic()


def say(text):
    print(f"rig: {time.monotonic() - started:5.0f} s  {text}", flush=True)


def fail(text):
    sys.exit(f"rig: FAILED: {text}")


def micros(text):
    whole, part = text.rstrip("Z").split(".")
    return int(time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone) * 1_000_000 + int(part)


class Fleet:
    """The hosts of a folder; `account` gives the words by which the operator's Mosquitto clients log in."""

    def __init__(self, rig, account=lambda: []):
        self.rig, self.account = rig, account

    def up(self):
        say(f"boot controlpi and {len(NODES)} nodes")
        self.hosts("up", self.rig.parent / "root", len(NODES))

    def hosts(self, *words, limit=120, check=True, said=None):
        """What `hosts` prints; `said` is what a person types in."""
        done = subprocess.run([HERE / "hosts", *map(str, words)], env={**os.environ, "RIG": str(self.rig)}, timeout=limit,
                              capture_output=True, text=True, input=said)
        if check and done.returncode:
            fail(f"{' '.join(map(str, words))} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def mqtt(self, program, *words, limit=60):
        return self.hosts("desk", program, "-h", "192.168.1.10", *self.account(), *words, limit=limit)

    def heard(self, topic):
        """What is retained there."""
        return json.loads(self.mqtt("mosquitto_sub", "-t", topic, "-C", "1", "-W", "20") or "null")

    def wait(self, what, find, seconds=60):
        """Asks until there is an answer."""
        end = time.monotonic() + seconds
        while True:
            if found := find():
                return found
            if time.monotonic() > end:
                said = [self.heard(f"status/{ip}") for ip in NODES.values()]
                fail(f"{what} did not happen within {seconds} s; the nodes: {said}")
            time.sleep(0.2)

    def all_are(self, state):
        def is_there(s):
            return s and s["state"] == state and (state != "armed" or (s["camera"].get("ring_s") or 0) >= 2)
        self.wait(f"all nodes to be {state}", lambda: all(is_there(self.heard(f"status/{ip}")) for ip in NODES.values()))

    def roll(self, name):
        self.mqtt("mosquitto_pub", "-q", "1", "-t", "cmd/start", "-m", name)
        return self.wait(f"{name} to roll", lambda: (take := self.heard("take/current")) and take["take"] == name and take)

    def frames(self, ip, least):
        def find():
            return (status := self.heard(f"status/{ip}"))["frames"] >= least and status["take"]
        self.wait(f"{ip} to record {least} frames", find)

    def cut_and_fetch(self, name):
        self.mqtt("mosquitto_pub", "-q", "1", "-t", "cmd/stop", "-n")
        take = self.wait(f"{name} to end", lambda: (take := self.heard("take/current")) and take["state"] == "idle" and take)
        done = lambda: (d := self.heard(f"download/{name}")) and d["state"] in ("done", "failed") and d
        self.mqtt("mosquitto_pub", "-q", "1", "-t", "cmd/download", "-m", name)
        download = self.wait(f"the download of {name}", done, 120)
        if download["state"] != "done":
            fail(f"the download of {name}: {download}")
        return take

    def judge(self, name, node, take):
        """Reads the instants out of the pictures; gives how far the first one is from T0, and the holes, in microseconds."""
        ip, t0, t1 = NODES[node], micros(take["t0"]), micros(take["t1"])
        folder = f"{DOWNLOADS}/{name}/{ip}"
        self.hosts("run", "controlpi", "sh", "-c", f"cd {folder} && sha256sum --quiet -c *.sha256")
        # The program that reads pictures is on the node, and so is the footage.
        words = ["sh", "-c", f"cd {VIDEOS} && syncslate-node read-pictures {name}_*.h264"]
        rows = list(csv.DictReader(io.StringIO(self.hosts("run", node, *words))))
        same = lambda host, where: self.hosts("run", host, "sh", "-c", f"cat {where}/{name}_*.h264 | sha256sum")
        if same("controlpi", folder) != same(node, VIDEOS):
            fail(f"{node}: what was downloaded is not what was recorded")
        times = sorted(int(row["time_ns"]) // 1000 for row in rows if row["time_ns"])
        if len(times) != len(rows) or not times:
            fail(f"{node}: {len(rows) - len(times)} of {len(rows)} pictures cannot be read")
        table = self.hosts("run", "controlpi", "sh", "-c", f"cat {folder}/{name}_*_frames.csv").splitlines()
        if len(table) - 1 != len(rows):
            fail(f"{node}: {len(rows)} pictures, and {len(table) - 1} lines in the table of frames")
        if times[0] < t0 - 1000 or times[-1] > t1:
            fail(f"{node}: pictures from {times[0] - t0} µs after T0 to {t1 - times[-1]} µs before T1")
        edges = zip(times, times[1:] + [t1])
        return times[0] - t0, [b - a for a, b in edges if b - a > 1.5 * PERIOD_US]

    def whole_take(self, name):
        """Rolls, cuts, fetches and judges a take that must be whole."""
        say(f"roll {name} by MQTT")
        self.roll(name)
        for ip in NODES.values():
            self.frames(ip, 200)
        take = self.cut_and_fetch(name)
        for node in NODES:
            first, holes = self.judge(name, node, take)
            say(f"{node}: first picture {first / 1000:.1f} ms after T0, {len(holes)} holes")
            if first > PERIOD_US or holes:
                fail(f"{node}: {first} µs, {holes}")
