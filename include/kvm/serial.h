/* SPDX-License-Identifier: GPL-2.0 */
/* What the main thread has to say to a serial port. */
#ifndef KVM_SERIAL_H
#define KVM_SERIAL_H

#include <kvm/types.h>

struct device;

/*
 * A BREAK comes in at the port, a device of the type "serial", and then @byte, if
 * that is not 0, as if both had been sent from its terminal. Linux takes the letter
 * after a BREAK for a magic SysRq. 0, or -ENOTCONN: the guest does not listen there. Lock held.
 */
int serial_break(struct device *dev, u8 byte);

#endif
