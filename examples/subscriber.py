#!/usr/bin/env python3
"""A cache in the memory of a process that follows cachepg's bus.

subscriber.py [HOST [PORT [CLUSTER]]] prints what it would drop, until Ctrl-C.

Whatever the process cannot know for certain it drops: a message missed, a new
epoch, a server not heard of for SILENCE seconds, a connection lost.  Only the
standard library is needed; with redis-py, a pubsub() and its get_message()
take the place of messages().
"""
import socket, sys, time
from urllib.parse import unquote

SILENCE = 3.0                              # as cachepg.bus_silence


class Cache:
    """Entries by cachepg key, with the tables and tags that each depends on; not for several threads."""

    def __init__(self):
        self.entries = {}                  # key: (value, things)
        self.seen = {}                     # origin: (epoch, number of its last message)
        self.heard = {}                    # origin: when
        self.current = False
        self.drops = 0

    def get(self, key):
        return self.entries.get(key, (None,))[0] if self.is_current() else None

    def ticket(self):
        """To be taken before the value is read from the database."""
        return self.drops if self.is_current() else None

    def put(self, ticket, key, value, things=()):
        """Keeps nothing that may have been invalidated since the ticket; things are ("table", "public.book")."""
        if ticket is not None and ticket == self.drops and self.is_current():
            self.entries[key] = (value, frozenset(things) | {("key", key)})

    def is_current(self):
        if any(time.monotonic() - at > SILENCE for at in self.heard.values()):
            self.lose("silence")
        return self.current

    def lose(self, why):
        """The bus is not followed any more; until the next message nothing is kept."""
        self.drop_all(why)
        self.seen.clear()
        self.heard.clear()
        self.current = False

    def drop_all(self, why):
        print("everything is dropped:", why)
        self.drops += 1
        self.entries.clear()

    def take(self, text):
        first, *lines = text.split("\n")
        magic, version, kind, origin, epoch, n, *_ = first.split(" ")
        if (magic, version) != ("cachepg", "1"):
            return self.lose("a message of another version")
        n, before = int(n), self.seen.get(origin)
        if before and before[0] == epoch and (n <= before[1] if kind == "inval" else n < before[1]):
            return                         # came before
        if before != (epoch, n - (kind == "inval")):
            self.drop_all("messages were missed" if before else "a server that was not known")
        self.seen[origin], self.heard[origin], self.current = (epoch, n), time.monotonic(), True
        for line in lines:
            what, _, name = line.split(" ")
            self.drop(what.removeprefix("expire-"), "" if name == "-" else unquote(name))

    def drop(self, what, name):
        self.drops += 1
        if what in ("key", "tag", "table"):
            doomed = [key for key, (_, things) in self.entries.items() if (what, name) in things]
        elif what == "namespace":
            doomed = [key for key in self.entries if (key.split(":")[0] if ":" in key else "default") == name]
        else:                              # a database, schema, role, or a cell without a name
            doomed = list(self.entries)
        print("drop", what, name, f"({len(doomed)} entries)")
        for key in doomed:
            del self.entries[key]


def messages(host, port, channel):
    """What is published, None when a second went by without; OSError when the connection is lost."""
    with socket.create_connection((host, port), timeout=1) as connection:
        connection.sendall(b"SUBSCRIBE %s\r\n" % channel.encode())
        data = b""
        while True:
            try:
                received = connection.recv(65536)
            except TimeoutError:
                yield None
                continue
            if not received:
                raise OSError("the server closed the connection")
            data += received
            while (reply := parse(data)) is not None:
                data = data[reply[1]:]
                if reply[0][0] == b"message":
                    yield reply[0][2].decode()


def parse(data):
    """The first reply, an array of strings and numbers, and its length; None if it is not complete."""
    values, at, missing = [], 0, 1
    while missing:
        end = data.find(b"\r\n", at)
        if end < 0:
            return None
        kind, number, at, missing = data[at:at + 1], data[at + 1:end], end + 2, missing - 1
        if kind == b"*":
            missing += int(number)
        elif kind == b"$":
            if len(data) < at + int(number) + 2:
                return None
            values.append(data[at:at + int(number)])
            at += int(number) + 2
        elif kind == b"-":
            raise OSError(number.decode(errors="replace"))
        else:
            values.append(number)
    return values, at


def main(host="localhost", port="6379", cluster="default"):
    cache = Cache()
    while True:
        try:
            for text in messages(host, int(port), f"cachepg:{cluster}:bus"):
                if text is not None:
                    cache.take(text)
                cache.is_current()         # notices silence
        except (OSError, ValueError) as error:
            cache.lose(str(error))
            time.sleep(1)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        pass
