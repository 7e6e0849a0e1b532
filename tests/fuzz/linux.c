// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz the readers of a guest's memory: a Linux kernel with bytes of the input over its page
 * tables, its symbols, its tables for unwinding, its note and its stack. Records of the
 * input: which part, where in it, how many bytes, the bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/memory.h>

#include "../../hw/debug/linux_info.h"
#include "../../hw/debug/linux_modules.h"
#include "../../hw/debug/linux_tasks.h"
#include "fake_linux.h"
#include "fuzz_input.h"

#define STACK	(FAKE_IMAGE + 6 * MIB)

/* Once, as the machine costs more than what is tested: what an input has changed is put back. */
struct target {
	struct vm vm;
	struct fake_parts parts;
};

static gpa_t image_gpa(u64 addr)
{
	return addr - FAKE_IMAGE + FAKE_IMAGE_GPA;
}

static void target_make(struct target *t, bool old, bool note)
{
	fake_linux(&t->vm);
	fake_kallsyms(&t->vm, old, &t->parts);
	fake_orc(&t->vm, old);
	if (note)
		fake_kallsyms_note(&t->vm, &t->parts);
}

static gpa_t target_place(const struct target *t, unsigned int part, unsigned int at)
{
	const u64 places[] = {
		FAKE_TABLES + at % (6 * 4096), FAKE_NOTE + at % 1024, image_gpa(FAKE_KALLSYMS + at % t->parts.len),
		image_gpa(FAKE_ORC_IP + at % 0x2000), image_gpa(FAKE_BTF + at % FAKE_BTF_LEN),
		image_gpa(STACK + at % 4096), image_gpa(FAKE_TASK + at % 8192), image_gpa(t->parts.index + at % 512),
	};

	return places[part % ARRAY_SIZE(places)];
}

static const uint8_t *target_patch(struct target *t, const uint8_t *data, const uint8_t *end)
{
	while (end - data >= 4) {
		size_t len = min((size_t)(data[3] & 31), (size_t)(end - data - 4));

		mem_write(&t->vm.mem, target_place(t, data[0], data[1] << 8 | data[2]), data + 4, len);
		data += 4 + len;
	}
	return data;
}

static bool each_task(void *obj, const struct linux_task *task)
{
	struct linux_info *info = obj;
	struct arch_frame f;

	task_state(task);
	return arch_unwind_task(&info->unwind, task->sp, &f) || info->nr_modules < 100;
}

static void look(struct target *t)
{
	struct arch_frame f = { .ip = FAKE_IMAGE + 0x1000 + 16 * 20, .sp = STACK, .fp = STACK + 64, .kernel = true };
	struct linux_info info;
	struct linux_task task;
	char name[INFO_NAME_MAX];

	if (!info_open(&info, &t->vm) && !linux_modules_read(&info)) {
		for (int i = 0; i < 32; i++) {
			info_name(&info, f.ip, name, sizeof(name));
			if (arch_unwind(&info.unwind, &f))
				break;
		}
		task_current(&info, FAKE_TASK, &task);
		task_each(&info, each_task, &info);
	}
	info_close(&info);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct target *t = calloc(1, sizeof(*t));

	if (t && len) {
		target_make(t, data[0] & 1, data[0] & 6);
		target_patch(t, data + 1, data + len);
		look(t);
		fake_linux_free(&t->vm);
	}
	free(t);
	return 0;
}
