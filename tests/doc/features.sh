# SPDX-License-Identifier: GPL-2.0
#
# Every capability of KVM that the source asks for is in a table, where it is
# said what happens without it.

missing=
for cap in $(grep -ho 'KVM_CAP_[A-Z0-9_]*' $(find hw virtio x86 -name '*.c') | sort -u); do
	grep -q "FEATURE($cap," hw/feature.c x86/feature.c || missing="$missing $cap"
done
if [ -z "$missing" ]; then echo "ok - capabilities_are_listed"
else echo "not ok - capabilities_are_listed # neither in hw/feature.c nor in x86/feature.c:$missing"; fi
