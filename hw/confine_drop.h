/* SPDX-License-Identifier: GPL-2.0 */
/* What a process gives up besides files and system calls. */
#ifndef HW_CONFINE_DROP_H
#define HW_CONFINE_DROP_H

#include <linux/capability.h>

#include <kvm/types.h>

/* A file server of root acts as the guest's caller; nothing else needs a capability. */
#define DROP_CAP(name)	(1ULL << CAP_##name)
#define DROP_FILE_CAPS	(DROP_CAP(CHOWN) | DROP_CAP(DAC_OVERRIDE) | DROP_CAP(DAC_READ_SEARCH) | \
			 DROP_CAP(FOWNER) | DROP_CAP(FSETID) | DROP_CAP(SETGID) | DROP_CAP(SETUID) | \
			 DROP_CAP(SETFCAP) | DROP_CAP(MKNOD) | DROP_CAP(LINUX_IMMUTABLE) | DROP_CAP(SYS_ADMIN))

/* Of its capabilities the calling thread keeps those of @keep (DROP_CAP()). True: some are left. */
bool drop_capabilities(u64 keep);

/* Resource limits become what the process uses already, or none. A host may forbid even that. */
void drop_limits(void);

/* Close what the process that started this one had left open, but 0 to 2. */
void drop_inherited(void);

/* Does a debugger trace this process? */
bool drop_is_traced(void);

#endif
