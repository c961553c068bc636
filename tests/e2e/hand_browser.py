"""Speaks over the Unix socket named in argv[1] as a browser that enforces version 1; connects again when it is cut off."""

from __future__ import annotations

import contextlib
import socket
import sys
import time

from tests.agent.extension import ORIGIN, frame, hello

while True:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as line:
        line.connect(sys.argv[1])
        line.sendall(frame({"type": "host", "origin": ORIGIN, "pid": 1}) + frame(hello("chromium", 1)))
        while line.recv(65_536):
            pass
    time.sleep(0.2)
