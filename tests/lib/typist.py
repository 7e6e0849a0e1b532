# SPDX-License-Identifier: GPL-2.0
"""typist.py TEXT KEYS [TEXT KEYS]... -- COMMAND: run it on a terminal; when it has printed TEXT, type KEYS.
KEYS may have escapes as Python's. All that it prints goes to stdout, the status is its own."""
import os, pty, sys

at = sys.argv.index("--")
script = sys.argv[1:at]
pid, fd = pty.fork()
if not pid:
    os.execvp(sys.argv[at + 1], sys.argv[at + 1:])
heard = ""
while True:
    try:
        data = os.read(fd, 65536)
    except OSError:
        data = b""
    if not data:
        break
    os.write(1, data.replace(b"\r\n", b"\n"))
    heard += data.decode(errors="replace")
    while script and script[0] in heard:
        heard = heard[heard.index(script[0]) + len(script[0]):]
        os.write(fd, script[1].encode().decode("unicode_escape").encode("latin1"))
        script = script[2:]
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
