/* SPDX-License-Identifier: GPL-2.0 */
/* A serial port, for the main thread. */
#ifndef KVM_SERIAL_H
#define KVM_SERIAL_H

#include <kvm/types.h>

struct device;

/*
 * Receive a BREAK at the port, a device of the type "serial", and then @byte if it is not
 * 0, as if its terminal had sent both. Linux takes a letter after a BREAK for a magic
 * SysRq. 0, or -ENOTCONN: the guest does not listen there. Lock held.
 */
int serial_break(struct device *dev, u8 byte);

#endif
