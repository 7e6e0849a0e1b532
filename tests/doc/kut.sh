#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tests/kut's verdicts, of an lkvm and a QEMU that stand in: each does what the
# last letters of the test's file name say.

cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
mkdir "$work/x86"

# NAME LKVM QEMU: how each ends
while read -r name _; do
	printf '[%s]\nfile = %s\n' "$name" "$name" >> "$work/x86/unittests.cfg"
	: > "$work/x86/$name"
done << 'END'
pass_pass
fail_pass
pass_fail
pass_hang
hang_hang
pass_wont
wont_pass
END
for side in lkvm:_.* qemu:.*_; do
	cat > "$work/${side%%:*}" <<END
#!/bin/bash
while [ \$# != 0 ]; do
	case \$1 in -k|-kernel) name=\${2##*/} ;; esac
	shift
done
case \$(sed 's/${side#*:}//' <<< "\$name") in
pass) echo fine; exit 1 ;;
fail) echo wrong; exit 3 ;;
hang) kill -KILL \$\$ ;;	# as by the time limit
wont) echo "${side%%:*}: no" | sed 's/^qemu/qemu-system-x86_64/'; exit $([ "${side%%:*}" = lkvm ] && echo 125 || echo 1) ;;
esac
END
	chmod 755 "$work/${side%%:*}"
done
KUT=$work LKVM=$work/lkvm QEMU=$work/qemu tests/kut > "$work/out"
status=$?
sed -E 's/ {2,}/|/g; s/ +$//' "$work/out" > "$work/have"
cat > "$work/want" << 'END'
test|lkvm|QEMU|
pass_pass|pass|pass|
fail_pass|FAIL 3|pass|worse
pass_fail|pass|FAIL 3|better
pass_hang|pass|time|better
hang_hang|time|time|
pass_wont|pass|no start|differs
wont_pass|no start|pass|worse
7 tests: 2 the same, 2 better, 2 worse, 1 otherwise
END
sed -i 's/|$//' "$work/have" "$work/want"
if diff "$work/want" "$work/have" | sed 's/^/# /' | grep .; then
	echo "not ok - verdicts_of_kvm_unit_tests"
else
	echo "ok - verdicts_of_kvm_unit_tests"
fi
[ $status = 1 ] && echo "ok - one_that_is_worse_is_a_failure" || echo "not ok - one_that_is_worse_is_a_failure # status $status"
