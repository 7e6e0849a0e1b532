# SPDX-License-Identifier: GPL-2.0
#
# The built program: what the compiler and the linker do for one that runs guests that
# nobody trusts.

lkvm=${LKVM:-./lkvm}
command -v readelf >/dev/null || { echo "ok - hardening # SKIP there is no readelf"; exit 0; }

file=$(readelf -WhldSn --dyn-syms "$lkvm" 2>/dev/null)
has() {		# has NAME PATTERN: a line of it matches
	if printf '%s\n' "$file" | grep -qE -- "$2"; then echo "ok - $1"
	else echo "not ok - $1 # readelf $lkvm lacks $2"; fi
}
lacks() {
	if printf '%s\n' "$file" | grep -qE -- "$2"; then echo "not ok - $1 # readelf $lkvm has $2"
	else echo "ok - $1"; fi
}

has position_independent '^ +Type: +DYN'
has relocations_are_read_only '^ +GNU_RELRO '
has symbols_are_bound_at_the_start 'FLAGS.*NOW'
has stack_is_no_code '^ +GNU_STACK .* RW '
lacks nothing_is_written_and_run '^ +(LOAD|GNU_STACK) .* RWE '
has stacks_are_protected '__stack_chk_fail'
has copies_are_checked '__(memcpy|snprintf|read)_chk'
lacks nothing_looks_for_libraries_elsewhere '(RPATH|RUNPATH)'
case $(uname -m) in
x86_64)	has indirect_branches_have_targets 'x86 feature:.*IBT, SHSTK' ;;
*)	echo "ok - indirect_branches_have_targets # SKIP only x86 has that" ;;
esac
