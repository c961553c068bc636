"""A native-messaging host that carries the bytes between the browser and the Unix socket named in argv[1]."""

import os
import socket
import sys
import threading

with socket.socket(socket.AF_UNIX) as line:
    line.connect(sys.argv[1])

    def up() -> None:
        while data := os.read(sys.stdin.fileno(), 65_536):
            line.sendall(data)
        line.shutdown(socket.SHUT_RDWR)

    threading.Thread(target=up, daemon=True).start()
    while received := line.recv(65_536):
        sys.stdout.buffer.write(received)
        sys.stdout.buffer.flush()
