# SPDX-License-Identifier: GPL-2.0
#
# Every file says its licence in its first two lines.

found=0
for f in $(find Makefile .ci builtin config Documentation hw include tests util virtio x86 -type f \
		-not -path 'tests/build/*' -not -name '*.o' -not -name '*.d' -not -path builtin/init/init | sort); do
	head -n 2 "$f" | grep -aq 'SPDX-License-Identifier: GPL-2.0' && continue
	case $f in
	config/layers|*.conf|tests/fuzz/seeds/*) continue ;;	# tables and data
	esac
	echo "# $f"
	found=$((found + 1))
done
if [ $found = 0 ]; then echo "ok - every_file_says_its_licence"
else echo "not ok - every_file_says_its_licence # $found do not"; fi

# Every source file is built.
missing=
for f in builtin/*.c builtin/*/*.c hw/*.c hw/*/*.c util/*.c virtio/*.c x86/*.c x86/*.S; do
	[ -e "$f" ] || continue
	sed 's,$(SRCARCH),x86,' config/objects.mk | grep -q "+= ${f%.*}.o\$" || missing="$missing $f"
done
if [ -z "$missing" ]; then echo "ok - every_source_file_is_built"
else echo "not ok - every_source_file_is_built # not in config/objects.mk:$missing"; fi
