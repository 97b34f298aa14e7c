#!/usr/bin/env python3
"""Writes the least that CRIU's images can say of a container with one process: criu_images.py DIRECTORY [KEY=VALUE...]

bounding=N, seccomp=N, no_new_privs=N, uid=N: of its process; host=TYPE: it is in that namespace of the host's."""
import os
import struct
import sys

TYPES = {"pid": 5, "network": 6, "ipc": 7, "uts": 8, "mount": 9, "user": 10, "cgroup": 11, "time": 12}
MAGIC = b"\x19\x43\x56\x54\x00\x00\x00\x00"


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def entry(*fields):
    message = b"".join(fields)
    return struct.pack("<I", len(message)) + message


def ids(first, host):
    """task_kobj_ids_entry"""
    numbers = [field(number, number) for number in range(1, 5)]
    return b"".join(numbers + [field(number, number if kind in host else first + number) for kind, number in TYPES.items()])


def files(bounding=0, seccomp=0, no_new_privs=0, uid=0, host=()):
    """Name to content."""
    creds = b"".join([field(number, int(uid)) for number in range(1, 9)] +
                     [field(number, 0) * 2 for number in (9, 10, 11)] + [field(12, int(bounding)) + field(12, 0)] +
                     [field(13, 0), field(18, int(no_new_privs)), field(19, 0) * 2])
    core = entry(field(1, 1), field(3, field(1, 1) + field(6, b"sh")),
                 field(5, field(1, 0) + field(10, creds) + field(11, int(seccomp))))
    nothing = struct.pack("<HBBI", 6, 0, 0, 0)  # a filter that kills at every call
    return {"pstree.img": MAGIC + entry(field(1, 1), field(2, 0), field(5, 1)), "core-1.img": MAGIC + core,
            "seccomp.img": MAGIC + entry(field(1, field(1, nothing))), "ids-1.img": MAGIC + entry(ids(100, {"user", *host})),
            "inventory.img": b"\x14\x43\x58\x58" + entry(field(1, 2), field(3, ids(0, TYPES)), field(5, 1))}


if __name__ == "__main__":
    options = dict(one.split("=") for one in sys.argv[2:])
    if "host" in options:
        options["host"] = options["host"].split(",")
    os.makedirs(sys.argv[1], exist_ok=True)
    for name, content in files(**options).items():
        with open(os.path.join(sys.argv[1], name), "wb") as out:
            out.write(content)
