/* SPDX-License-Identifier: GPL-2.0 */
/* The buttons of the machine's case. */
#ifndef KVM_BUTTON_H
#define KVM_BUTTON_H

struct vm;

enum button_kind { BUTTON_POWER, BUTTON_SLEEP };

/* Press it: 0, or -ENOTSUP if there is none. The guest decides what to do. Lock held. */
int button_press(struct vm *vm, enum button_kind kind);

#endif
