/* SPDX-License-Identifier: GPL-2.0 */
/* The verbs of "lkvm disk": a file each, and a line in the table of disk.c. */
#ifndef BUILTIN_DISK_H
#define BUILTIN_DISK_H

#include <kvm/builtin.h>

extern const struct command command_disk_attach;
extern const struct command command_disk_check;
extern const struct command command_disk_convert;
extern const struct command command_disk_create;
extern const struct command command_disk_detach;
extern const struct command command_disk_info;
extern const struct command command_disk_map;
extern const struct command command_disk_fault;
extern const struct command command_disk_list;
extern const struct command command_disk_mark;
extern const struct command command_disk_replay;
extern const struct command command_disk_resize;

#endif
