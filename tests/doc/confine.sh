# SPDX-License-Identifier: GPL-2.0
#
# The system calls of each kind of thread: Documentation/system-calls.rst has what
# "lkvm run --confine show" prints. After a rule has changed,
#
#	sh tests/doc/confine.sh write
#
# makes the document anew, and the difference is for the reviewer.

rst=Documentation/system-calls.rst
lkvm=${LKVM:-./lkvm}
case $(uname -m) in x86_64) ;; *) echo "ok - system_calls # SKIP the document is x86's"; exit 0 ;; esac

# All but what is the host's, from the first kind of thread on
shown() { $lkvm run --confine show | sed '1,/^$/d; s/^./\t&/'; }

if [ "$1" = write ]; then
	sed '/^::$/q' $rst >$rst.new && { echo; shown; } >>$rst.new && mv $rst.new $rst
	exit
fi
written=$(sed '1,/^::$/d' $rst | sed 1d)
if [ "$written" = "$(shown)" ]; then
	echo "ok - system_calls"
else
	shown | diff -u $rst - | sed -n 's/^[-+]\t/# &/p'
	echo "not ok - system_calls # sh tests/doc/confine.sh write, then review the difference in $rst"
fi
