/* SPDX-License-Identifier: GPL-2.0 */
/* The numbers of the board of arch_stub.c: nothing is where a PC has it. */
#ifndef ARCH_STUB_H
#define ARCH_STUB_H

#define STUB_RAM	0x40000000ULL
#define STUB_TABLES	0x4000		/* at the beginning of it */
#define STUB_SERIAL	0x9000000
#define STUB_STEP	0x10000
#define STUB_RTC	0x9020000
#define STUB_EVENTS	0x9030000
#define STUB_FW_CFG	0x9040000
#define STUB_RESET	0x9060000
#define STUB_MEM32	0x10000000
#define STUB_ECAM	0x3f000000
#define STUB_MEM64	0x8000000000ULL

#define STUB_GSI_SERIAL	4
#define STUB_GSI_EVENTS	7
/* How KVM_IRQ_LINE knows a wire */
#define STUB_LINE_TYPE	(1u << 24)
#define STUB_LINE_FIRST	32

#endif
