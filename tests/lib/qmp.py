# SPDX-License-Identifier: GPL-2.0
#
# What drgn --qemu says to a machine (drgn's documentation of --qemu), as Debian's drgn is
# older: qmp.py SOCKET. It prints the architecture, the first region of RAM, the first bytes of it,
# and the first line of the kernel's vmcoreinfo.
import array, json, os, re, socket, struct, sys

sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
text = b""

def answer():
    global text
    while b"\n" not in text:
        more = sock.recv(65536)
        if not more:
            sys.exit("the connection has ended")
        text += more
    line, text = text.split(b"\n", 1)
    return json.loads(line)

def execute(command, fd=None, **arguments):
    request = {"execute": command}
    if arguments:
        request["arguments"] = arguments
    data = json.dumps(request).encode() + b"\r\n"
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))] if fd is not None else []
    sock.sendmsg([data], ancillary)
    reply = answer()
    return reply["return"] if "return" in reply else "error: " + reply["error"]["desc"]

def monitor(line):
    return execute("human-monitor-command", **{"command-line": line})

print("greeting", "QMP" in answer())
print("capabilities", execute("qmp_capabilities"))
print("arch", execute("query-target")["arch"])
ram = re.search(r"AS \"memory\".*?Root memory region:.*?\n\s*([0-9a-f]+)-([0-9a-f]+) \(prio \d+, ram\)", monitor("info mtree -f"), re.S)
start, end = int(ram[1], 16), int(ram[2], 16)
print("ram %#x-%#x" % (start, end))
print("gpa2hva", monitor("gpa2hva %#x" % start).strip())
print("xp", monitor("xp /16xb 0x100000").replace("\r\n", "|"))
print("beyond", monitor("xp /8xb 0xffffffffffff0000").strip())
fd = os.memfd_create("dump")
print("getfd", execute("getfd", fd=fd, fdname="dump"))
print("dump", execute("dump-guest-memory", paging=False, protocol="fd:dump", begin=start, length=1))
core = os.pread(fd, 1 << 20, 0)
print("core", core[:4] == b"\x7fELF", re.findall(rb"OSRELEASE=([ -~]*)", core)[:1])
print("again", execute("dump-guest-memory", paging=False, protocol="fd:dump", begin=start, length=1))
print("closefd", execute("closefd", fdname="dump"))
print("status", execute("query-status")["status"])
print("unknown", execute("device_add"))
