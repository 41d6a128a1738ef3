#!/usr/bin/env python3
"""Debian packages for hosts that have no way out: listens in a network namespace, fetches from the machine's own.
usage: aptproxy.py NAMESPACE ADDRESS PORT CACHE"""

import ctypes
import hashlib
import http.server
import os
import shutil
import sys
import threading
import urllib.error
import urllib.request

namespace, address, port, cache = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
libc = ctypes.CDLL(None, use_errno=True)
locks = {}
guard = threading.Lock()


def enter(file):
    """Moves this thread into the namespace of an open file."""
    if libc.setns(file, 0) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def fetched(url):
    """The file of what lies there; what never changes is fetched once."""
    name = os.path.join(cache, hashlib.sha256(url.encode()).hexdigest())
    with guard:
        lock = locks.setdefault(url, threading.Lock())
    with lock:
        if not (os.path.exists(name) and (url.endswith(".deb") or "/by-hash/" in url)):
            with urllib.request.urlopen(url, timeout=60) as answer, open(name + ".part", "wb") as out:
                shutil.copyfileobj(answer, out)
            os.replace(name + ".part", name)
        return open(name, "rb")


class Handler(http.server.BaseHTTPRequestHandler):
    """Debian's archive and nothing else."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        if not self.path.startswith("http://deb.debian.org/debian"):
            return self.send_error(403)
        try:
            file = fetched(self.path)
        except urllib.error.HTTPError as error:
            return self.send_error(error.code)
        except OSError as error:
            return self.send_error(502, str(error)[:80])
        with file:
            self.send_response(200)
            self.send_header("Content-Length", str(os.fstat(file.fileno()).st_size))
            self.end_headers()
            shutil.copyfileobj(file, self.wfile)


os.makedirs(cache, exist_ok=True)
home = os.open("/proc/self/ns/net", os.O_RDONLY)
enter(os.open(f"/run/netns/{namespace}", os.O_RDONLY))
server = http.server.ThreadingHTTPServer((address, port), Handler)
server.daemon_threads = True
# The listening socket stays there; what is opened from now on is the machine's.
enter(home)
server.serve_forever()
