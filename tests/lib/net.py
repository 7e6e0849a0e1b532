#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
#
# What the tests and benches of the network talk to, and talk with:
#
#	net.py serve PORT			echo by TCP and UDP, on both loopback addresses
#	net.py sequential HOST PORT N		connect, ask, close, one after the other
#	net.py concurrent HOST PORT N		N connections at a time
#	net.py latency HOST PORT N		a byte there and back
#	net.py datagrams HOST PORT SECONDS	datagrams of 64 bytes there and back
#	net.py junk INTERFACE N			frames that are right but for some bytes
import os
import random
import resource
import select
import socket
import struct
import sys
import threading
import time


def files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def serve(port):
    poll, listeners, udp = select.epoll(), {}, {}
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        tcp = socket.socket(family, socket.SOCK_STREAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind((host, port))
        tcp.listen(4096)
        listeners[tcp.fileno()] = tcp
        d = socket.socket(family, socket.SOCK_DGRAM)
        d.bind((host, port))
        udp[d.fileno()] = d
    for fd in list(listeners) + list(udp):
        poll.register(fd, select.EPOLLIN)
    print("ready", flush=True)
    peers = {}
    while True:
        for fd, _ in poll.poll():
            if fd in listeners:
                c = listeners[fd].accept()[0]
                c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                peers[c.fileno()] = c
                poll.register(c, select.EPOLLIN)
            elif fd in udp:
                data, sender = udp[fd].recvfrom(65536)
                udp[fd].sendto(data, sender)
            else:
                try:
                    data = peers[fd].recv(65536)
                    if data:
                        peers[fd].sendall(data)
                        continue
                except OSError:
                    pass
                peers.pop(fd).close()


def connect(host, port):
    return socket.create_connection((host, port), timeout=30)


def exchange(c, data):
    c.sendall(data)
    got = 0
    while got < len(data):
        n = len(c.recv(65536))
        if not n:
            sys.exit("the connection ended")
        got += n


def sequential(host, port, n):
    start = time.monotonic()
    for _ in range(n):
        c = connect(host, port)
        exchange(c, b"hello")
        c.close()
    print("%d connections, %.0f a second" % (n, n / (time.monotonic() - start)))


def concurrent(host, port, n):
    start = time.monotonic()
    all = [connect(host, port) for _ in range(n)]
    for c in all:
        exchange(c, b"x" * 1000)
    for c in all:
        c.close()
    print("%d connections at a time, %.2f s" % (n, time.monotonic() - start))


def latency(host, port, n):
    c = connect(host, port)
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    took = []
    for _ in range(n):
        start = time.monotonic()
        exchange(c, b"x")
        took.append(time.monotonic() - start)
    took.sort()
    print("p50 %.1f us, p99 %.1f us" % (took[n // 2] * 1e6, took[n * 99 // 100] * 1e6))


def datagrams(host, port, seconds):
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((host, port))
    count = [0, 0]

    def receive():
        while True:
            s.recv(2048)
            count[1] += 1

    threading.Thread(target=receive, daemon=True).start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        # No more on the way than queues have room for.
        if count[0] - count[1] < 64:
            s.send(b"x" * 64)
            count[0] += 1
        else:
            time.sleep(0)
    print("%.0f datagrams a second" % (count[1] / seconds))


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def junk(interface, n):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind((interface, 0))
    eth = bytes.fromhex("020101010101") + s.getsockname()[4]
    guest, gateway = bytes([192, 168, 33, 15]), bytes([192, 168, 33, 1])
    r = random.Random(1)
    for _ in range(n):
        proto = r.choice((1, 6, 6, 6, 17, 17, 2, 58))
        port = r.choice((53, 67, 80, 1, 65535))
        l4 = bytearray(r.randbytes(r.randrange(8, 200)))
        l4[0:4] = struct.pack("!HH", r.choice((68, 1000 + r.randrange(50))), port)
        if proto == 6 and len(l4) >= 20:
            l4[12] = r.choice((0x50, 0x50, 0x80, 0xf0, 0x10))
        if proto == 17:
            l4[4:8] = struct.pack("!HH", r.choice((len(l4), len(l4), r.randrange(65536))), 0)
        if r.randrange(8):
            head = bytearray(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(l4), r.randrange(65536), 0, 64, proto, 0,
                                         guest, gateway))
            if not r.randrange(10):
                head[r.randrange(20)] = r.randrange(256)
            if r.randrange(20):
                head[10:12] = b"\0\0"
                head[10:12] = struct.pack("!H", checksum(bytes(head)))
                if proto == 6 and len(l4) >= 20:
                    pseudo = guest + gateway + struct.pack("!HH", proto, len(l4))
                    l4[16:18] = b"\0\0"
                    l4[16:18] = struct.pack("!H", checksum(pseudo + bytes(l4)))
            frame = eth + b"\x08\x00" + bytes(head) + bytes(l4)
        else:
            frame = eth + r.choice((b"\x86\xdd", b"\x08\x06", b"\x81\x00", b"\0\0")) + r.randbytes(r.randrange(100))
        try:
            s.send(frame)
        except OSError:
            pass
    print("%d frames" % n)


files()
name, args = sys.argv[1], [int(a) if a.isdigit() else a for a in sys.argv[2:]]
{"serve": serve, "sequential": sequential, "concurrent": concurrent, "latency": latency, "datagrams": datagrams,
 "junk": junk}[name](*args)
