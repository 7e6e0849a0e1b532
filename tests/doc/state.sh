# SPDX-License-Identifier: GPL-2.0
#
# Each type of device says what of it is state, or that it has none. File servers
# cannot be saved yet: a machine that has one refuses (hw/state.c).

missing=$(awk '
	/^DEVICE_TYPE\(/ { type = FILENAME ":" FNR; said = 0 }
	type && /\.state = / { said = 1 }
	type && /^};/ { if (!said) print type; type = "" }' $(grep -l '^DEVICE_TYPE(' $(find hw x86 virtio -name '*.c') | grep -v -e '^virtio/p9.c' -e '^virtio/fs.c'))
if [ -z "$missing" ]; then echo "ok - every_device_declares_its_state"
else
	printf '%s\n' "$missing" | sed 's/^/# /'
	echo "not ok - every_device_declares_its_state # $(printf '%s\n' "$missing" | wc -l) do not"
fi
