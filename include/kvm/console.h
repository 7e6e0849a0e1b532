/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtio-console, for the main thread. Both functions with the machine lock held;
 * @dev is of the type "virtio-console".
 */
#ifndef KVM_CONSOLE_H
#define KVM_CONSOLE_H

#include <kvm/loop.h>
#include <kvm/types.h>

struct device;

/* The terminal behind the console port has this size now. */
void console_resize(struct device *dev, u16 rows, u16 cols);

/*
 * Have done->fn called on @loop once the host ends have taken everything that
 * the guest has written to the ports (or are gone, or the guest has reset the
 * device). One at a time; @done stays until then or until the device is gone.
 */
void console_drain(struct device *dev, struct loop *loop, struct work *done);

#endif
