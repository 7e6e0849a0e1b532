# SPDX-License-Identifier: GPL-2.0
#
# What compiling can prove: all but x86/ needs of an architecture what arch.h
# says (tests/lib/arch_stub.c stands in for one), pointers into guest memory are
# kept apart from plain ones, and no file keeps state of its own.

build=${LKVM_TESTS:-tests/build}/source
mkdir -p "$build"
warn='-Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers'

if make -s O="$build" SANITIZE= DEBUG= arch-stub >"$build/log" 2>&1; then
	echo "ok - builds_against_a_stub_of_an_architecture"
else
	tail -n 40 "$build/log" | sed 's/^/# /'
	echo "not ok - builds_against_a_stub_of_an_architecture"
fi

if command -v clang >/dev/null; then
	bad=0
	for f in util/*.c hw/*.c hw/*/*.c virtio/*.c x86/*.c; do
		# shellcheck disable=SC2086
		clang -fsyntax-only -std=gnu11 -D_GNU_SOURCE -DCHECK_GUEST -Iinclude $warn -Wno-unknown-warning-option \
			-Werror=noderef -Werror=incompatible-pointer-types -Werror=int-conversion "$f" >"$build/log" 2>&1 &&
			continue
		grep -A 2 error: "$build/log" | sed 's/^/# /'
		bad=$((bad + 1))
	done
	if [ $bad = 0 ]; then echo "ok - guest_pointers_are_kept_apart"
	else echo "not ok - guest_pointers_are_kept_apart # in $bad files"; fi
	casts=$(grep -lE '\(__force [^)]*\*\)' util/*.[ch] hw/*.[ch] hw/*/*.[ch] virtio/*.[ch] x86/*.[ch] include/kvm/*.h |
		grep -v -e '^hw/memory.c' -e '^util/iov.c' -e '^include/kvm/access.h')
	if [ -z "$casts" ]; then echo "ok - three_files_cast_guest_pointers"
	else echo "not ok - three_files_cast_guest_pointers #" $casts; fi
else
	echo "ok - guest_pointers_are_kept_apart # SKIP there is no clang"
fi

# Variables that can change, by the symbol tables; the log level is the process's.
state=$(cd "$build" && find . -name '*.o' -not -path './tests/*' -not -path './builtin/*' | sort |
	while read -r o; do
		objdump -t "$o" | awk -v f="${o#./}" '
			NF < 5 { next }
			{ section = $(NF - 2) }
			$(NF - 1) != "0000000000000000" && section ~ /^\.(data|bss)/ && section !~ /^\.data\.rel\.ro/ {
				print f ": " $NF }'
	done | grep -v '^util/log.o: ')
if [ -z "$state" ]; then echo "ok - no_state_at_file_scope"
else
	printf '%s\n' "$state" | sed 's/^/# /'
	echo "not ok - no_state_at_file_scope # $(printf '%s\n' "$state" | wc -l) variables"
fi
