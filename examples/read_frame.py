#!/usr/bin/env python3
"""Print what cachepg keeps in Redis under a key, as JSON.

read_frame.py FILE, or: redis-cli --raw GET cachepg:default:v:shop:book:1 | head -c -1 | read_frame.py
"""
import json, struct, sys

FIELDS = (("origin", "8"), ("epoch", "16s"), ("stamp", "Q"), ("cells", "cells"), ("key", "16"), ("namespace", "8"),
          ("database", "8"), ("role", "8"), ("settings", "16"), ("fingerprint", "16s"), ("type_schema", "8"), ("type", "8"), ("encoding", "8"),
          ("life_ms", "I"), ("soft_life_ms", "I"), ("load_us", "I"), ("raw_length", "I"), ("payload", "32"))

def crc32c(data, crc=0xFFFFFFFF):
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF

def read_frame(data):
    """The fields of a frame with a JSON value; ValueError if it is none, struct.error if it is cut."""
    magic, version, codec, flags, _, length = struct.unpack_from(">4sBcBBI", data)
    end = len(data) - (36 if flags & 4 else 4)              # of what the checksum covers
    if (magic, version, length) != (b"CPGF", 1, len(data)) or struct.unpack_from(">I", data, end)[0] != crc32c(data[:end]):
        raise ValueError("not a frame of cachepg, or damaged")
    at, frame = 12, {}
    for name, form in FIELDS:
        if form in ("8", "16", "32"):                       # bytes, with a length before them
            size = {"8": "B", "16": "H", "32": "I"}[form]
            form, at = f"{struct.unpack_from('>' + size, data, at)[0]}s", at + struct.calcsize(size)
        elif form == "cells":
            form, at = f"{4 * struct.unpack_from('>H', data, at)[0]}s", at + 2
        frame[name], = struct.unpack_from(">" + form, data, at)
        at += struct.calcsize(">" + form)
    if codec != b"j" or flags & 2:
        raise ValueError("the value is compressed, or not JSON")
    payload = frame.pop("payload")
    frame["value"] = None if flags & 1 else json.loads(payload)
    frame["cells"] = [cell for cell, in struct.iter_unpack(">I", frame["cells"])]
    for name in ("epoch", "fingerprint"):
        frame[name] = frame[name].hex()
    return {name: v.decode() if isinstance(v, bytes) else v for name, v in frame.items()}

if __name__ == "__main__":
    source = open(sys.argv[1], "rb") if len(sys.argv) > 1 else sys.stdin.buffer
    print(json.dumps(read_frame(source.read()), indent=1, ensure_ascii=False))
