"""Start a program in a network of its own, which has only this machine's loopback: `python launcher.py FD PROGRAM …`.

FD is a socket to the starter, which receives the socket that listens in the new network (`-` if there is none), and
returns the address for the program. Needs nothing but the standard library.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import signal
import socket
import struct
import sys
from pathlib import Path

NEW_USER, NEW_NET = 0x10000000, 0x40000000
GET_FLAGS, SET_FLAGS, UP = 0x8913, 0x8914, 1
DIE_WITH_PARENT = 1
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy")
DEAD = "http://127.0.0.1:9"
"""The address of a proxy that does not exist: for programs that cannot have a network of their own."""

LARGEST_FILE = 256 << 20


def main(argv: list[str]) -> None:
    """Become the program."""
    link = socket.socket(fileno=int(argv[0]))
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if _can_have_a_network():
        with _listening() as listening:
            socket.send_fds(link, [b"+"], [listening.fileno()])
    else:
        link.sendall(b"-")
        os.environ |= dict.fromkeys(PROXIES, DEAD)
    os.environ["CLIENT_URL"] = link.recv(1024).decode()
    link.close()
    os.execvp(argv[1], argv[1:])


def _can_have_a_network() -> bool:
    """Another process tries it: some systems allow the first step and not the next, and the first cannot be undone."""
    tries = os.fork()
    if tries == 0:
        try:
            _listening()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(tries, 0)[1] == 0


def _listening() -> socket.socket:
    """A socket that listens in a new network."""
    user, group = os.getuid(), os.getgid()
    if ctypes.CDLL(None, use_errno=True).unshare(NEW_USER | NEW_NET):
        raise OSError(ctypes.get_errno(), "no network of its own")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = fcntl.ioctl(any_socket, GET_FLAGS, struct.pack("16sH14x", b"lo", 0))
        flags = struct.unpack("16sH14x", asked)[1] | UP
        fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sH14x", b"lo", flags))
    return socket.create_server(("127.0.0.1", 0))


if __name__ == "__main__":
    main(sys.argv[1:])
