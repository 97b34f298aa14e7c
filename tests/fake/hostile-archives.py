#!/usr/bin/env python3
"""Writes archives that 'images import' must refuse: hostile-archives.py DIRECTORY OUTSIDE

Each is good.tar, which is an honest archive as podman makes it, and one thing more or less. DIRECTORY/ckpt.json is
that of good.tar's image; without it only good.tar is written."""
import gzip
import io
import json
import os
import sys
import tarfile

import criu_images

directory, outside = sys.argv[1:]

CONFIG = {"id": "f" * 64, "name": "guest", "runtime": "runc", "checkpointedTime": "2026-11-20T10:11:12.5+01:00"}
SPEC = {"ociVersion": "1.0.2", "process": {"args": ["sh"], "cwd": "/"}, "root": {"path": "rootfs"},
        "annotations": {"io.container.manager": "libpod"}}


def entry(name, **fields):
    info = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def good(tar, without=(), config=None):
    tar.addfile(entry("checkpoint", type=tarfile.DIRTYPE))
    texts = {"config.dump": json.dumps(config or CONFIG), "spec.dump": json.dumps(SPEC)}
    texts.update({"checkpoint/" + name: content for name, content in criu_images.files().items()})
    for name, text in texts.items():
        if name not in without:
            add(tar, name, text)


def add(tar, name, text="x", **fields):
    data = text.encode() if isinstance(text, str) else text
    tar.addfile(entry(name, size=len(data), **fields), io.BytesIO(data))


def archive(name, *steps, **how):
    with tarfile.open(os.path.join(directory, name + ".tar"), "w", format=tarfile.PAX_FORMAT) as tar:
        good(tar, **how)
        for step in steps:
            step(tar)


def file(name, **fields):
    return lambda tar: add(tar, name, **fields)


def special(name, **fields):
    return lambda tar: tar.addfile(entry(name, **fields))


def link(name, target):
    return special(name, type=tarfile.SYMTYPE, linkname=target)


def manifest(change):
    """An own archive's ckpt.json, as it must be, then changed."""
    def step(tar):
        document = json.load(open(os.path.join(directory, "ckpt.json")))
        change(document)
        add(tar, "ckpt.json", json.dumps(document))
    return step


archive("good")
if not os.path.exists(os.path.join(directory, "ckpt.json")):
    sys.exit()
archive("good-manifest", manifest(lambda m: None))

archive("absolute", file(outside + "/evil"))
archive("dots", file("../evil"))
archive("dots-inside", file("checkpoint/../../../evil"))
archive("dots-at-the-end", special("checkpoint/..", type=tarfile.DIRTYPE))
archive("pax-path", file("harmless", pax_headers={"path": outside + "/evil"}))
archive("link-absolute", link("checkpoint/link", outside))
archive("link-relative", link("checkpoint/link", "../../.."))
archive("link-inside", link("checkpoint/link", "inventory.img"))
archive("link-parent-out", link("checkpoint/parent", "../../" + os.path.basename(outside)))
archive("link-to-itself", link("checkpoint/parent", "../checkpoint"))
archive("link-cycle", special("pre-1", type=tarfile.DIRTYPE), special("pre-2", type=tarfile.DIRTYPE),
        link("pre-1/parent", "../pre-2"), link("pre-2/parent", "../pre-1"), link("checkpoint/parent", "../pre-2"))
archive("link-back", special("pre-1", type=tarfile.DIRTYPE), link("pre-1/parent", "../checkpoint"),
        link("checkpoint/parent", "../pre-1"))
archive("link-instead-of-directory", link("pre-1", outside), file("pre-1/evil"))
archive("through-a-link", special("pre-1", type=tarfile.DIRTYPE), link("checkpoint/parent", "../pre-1"),
        file("checkpoint/parent/evil"))
archive("hard-link-out", special("checkpoint/hard", type=tarfile.LNKTYPE, linkname=outside + "/secret"))
archive("hard-link-dots", special("checkpoint/hard", type=tarfile.LNKTYPE, linkname="../../secret"))
archive("hard-link-inside", special("checkpoint/hard", type=tarfile.LNKTYPE, linkname="checkpoint/inventory.img"))
archive("character-device", special("checkpoint/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3))
archive("block-device", special("checkpoint/disk", type=tarfile.BLKTYPE, devmajor=8, devminor=0))
archive("fifo", special("checkpoint/fifo", type=tarfile.FIFOTYPE))
archive("twice", file("checkpoint/inventory.img"))
archive("directory-twice", special("checkpoint", type=tarfile.DIRTYPE))
archive("file-and-directory", special("config.dump", type=tarfile.DIRTYPE))
archive("below-a-file", file("config.dump/evil"))
archive("newline", file("checkpoint/a\nb"))
archive("empty-part", file("checkpoint//evil"))
archive("long-name", file("checkpoint/" + "n" * 300))
archive("deep", file("/".join(["d"] * 100)))
archive("huge", special("checkpoint/pages-1.img", size=1 << 50))
archive("sparse-huge", special("checkpoint/pages-1.img", pax_headers={
    "GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": "checkpoint/pages-1.img",
    "GNU.sparse.size": str(1 << 50), "GNU.sparse.numblocks": "0", "GNU.sparse.map": "0,0"}))
archive("no-inventory", without=("checkpoint/inventory.img",))
archive("no-config", without=("config.dump",))
archive("no-spec", without=("spec.dump",))
archive("name-with-dots", config=dict(CONFIG, name="../../evil", id="/evil"))
archive("damaged-images", file("checkpoint/pstree.img", text="no image of CRIU's"), without=("checkpoint/pstree.img",))

archive("manifest-garbage", file("ckpt.json", text="{"))
archive("manifest-twice", manifest(lambda m: None), manifest(lambda m: None))
archive("manifest-id", manifest(lambda m: m.update(id="../../evil")))
archive("manifest-directory", manifest(lambda m: m.update(images="../../..")))
archive("manifest-pre-dump", manifest(lambda m: m.update(
    pre_dumps=[{"directory": "../../..", "pages": 0, "seconds": 0}])))
archive("manifest-dumps-twice", manifest(lambda m: m.update(
    pre_dumps=[{"directory": "pre-1", "pages": 0, "seconds": 0}] * 2)))
archive("manifest-version", manifest(lambda m: m.update(version=2)))
archive("manifest-digest", manifest(lambda m: m["files"][0].update(xxh3="0" * 32)))
archive("manifest-size", manifest(lambda m: m["files"][0].update(size=1)))
archive("manifest-lacks", manifest(lambda m: m["files"].pop()))
archive("manifest-more", manifest(lambda m: m["files"].append(
    dict(m["files"][0], path="checkpoint/../../../evil"))))

whole = open(os.path.join(directory, "good.tar"), "rb").read()


def raw(name, data):
    with open(os.path.join(directory, name), "wb") as out:
        out.write(data)


raw("cut.tar", whole[:1700])
raw("cut.tar.gz", gzip.compress(whole)[:-30])
raw("empty", b"")
raw("garbage", os.urandom(20000))
raw("text", b"this is no archive\n" * 100)
here = entry("./", type=tarfile.DIRTYPE).tobuf()
raw("many.tar.gz", gzip.compress(here * 100001 + whole, 1))
