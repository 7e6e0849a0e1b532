// SPDX-License-Identifier: GPL-2.0
/* RAM: see ram.h. Main thread, before the machine is built. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/log.h>

#include "numa.h"
#include "ram.h"

#define RAM_DEFAULT	(1 * GIB)
/*
 * The limit of the guest's RAM, in multiples of the host's, without --mem-overcommit.
 * If KVM shadows page tables, it allocates 1/512 of the guest's RAM at once. Beyond this
 * limit the host's out-of-memory killer comes before the guest's first instruction.
 */
#define RAM_OVERCOMMIT_MAX 16

static int ram_backend(void *obj, const char *text, struct opt_err *err)
{
	struct mem_config *cfg = &((struct run_ram *)obj)->cfg;
	const char *value = strchr(text, '=');
	size_t len = value ? (size_t)(value++ - text) : strlen(text);

	cfg->path = NULL;
	cfg->page = 0;
	cfg->hugetlbfs = false;
	if (!strcmp(text, "thp")) {
		cfg->kind = MEM_THP;
	} else if (!strcmp(text, "memfd")) {
		cfg->kind = MEM_MEMFD;
	} else if (len == 4 && !memcmp(text, "file", 4) && value && *value) {
		cfg->kind = MEM_FILE;
		cfg->path = value;
	} else if (len == 7 && !memcmp(text, "hugetlb", 7) &&
		   (!value || (!opt_size(value, 1, &cfg->page) && cfg->page >= 4096 &&
			       !(cfg->page & (cfg->page - 1))))) {
		cfg->kind = MEM_HUGETLB;
	} else {
		snprintf(err->text, sizeof(err->text),
			 "\"%s\" is no place for RAM: thp, hugetlb, hugetlb=2M (a page's size), memfd, or file=PATH",
			 text);
		return -EINVAL;
	}
	return 0;
}

/* kvmtool's spelling */
static int ram_hugetlbfs(void *obj, const char *arg, struct opt_err *err)
{
	struct run_ram *own = obj;

	own->cfg.kind = MEM_FILE;
	own->cfg.path = arg;
	own->cfg.hugetlbfs = true;
	return 0;
}

const struct opt ram_opts[] = {
	OPT_SIZE('m', "mem", struct run_ram, mem, MIB, 2 * MIB, 1ULL << 46, "SIZE",
		 "size of RAM, in MiB or with a suffix (default: 1G)"),
	OPT_CALL(0, "mem-backend", ram_backend, "thp|hugetlb[=SIZE]|memfd|file=PATH",
		 "what backs RAM: process memory (default), the host's huge pages, a memfd, a file, or a file in a directory"),
	OPT_CALL(0, "hugetlbfs", ram_hugetlbfs, "DIR", "back RAM with the hugetlbfs that is mounted at DIR"),
	OPT_BOOL(0, "mem-prealloc", struct run_ram, cfg.prealloc, "allocate all RAM before the guest starts"),
	OPT_BOOL(0, "mem-lock", struct run_ram, cfg.lock, "allocate all RAM before the guest starts, and never swap it out"),
	OPT_BOOL(0, "mem-merge", struct run_ram, cfg.merge,
		 "let the host merge identical pages of RAM (KSM)"),
	OPT_BOOL(0, "mem-overcommit", struct run_ram, overcommit,
		 "allow more RAM than 16 times the host's"),
	OPT_LIST(0, "numa", struct run_ram, numa, "mem=SIZE,cpus=A-B[,node=N][,distance=N:D][,host=N]",
		 "add a NUMA node to the guest; repeat it for each node"),
	OPT_END
};

int ram_config(struct plan *plan, struct run_ram *own)
{
	u64 host = (u64)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE), mem = own->mem;
	struct vm_config *cfg = &plan->cfg;
	int ret;

	cfg->ram = own->cfg;
	cfg->ram.keep = cfg->keep;
	if (own->cfg.merge && own->cfg.kind != MEM_THP)
		return plan_err(-EINVAL, "--mem-merge: the host merges no pages of files and no huge pages, only those of --mem-backend thp");
	if (own->numa.nr) {
		ret = numa_nodes(&own->nodes, &own->numa, cfg->cpus, &mem);
		if (ret)
			return ret;
		cfg->numa = own->nodes;
	}
	cfg->mem = mem ? mem : min((u64)RAM_DEFAULT, (u64)(host / 5 * 4 / MIB * MIB));
	if (cfg->mem > host && (own->cfg.prealloc || own->cfg.lock))
		return plan_err(-EINVAL, "--mem-%s: the guest wants %llu MiB of RAM, the host has %llu",
				own->cfg.lock ? "lock" : "prealloc", (unsigned long long)(cfg->mem / MIB),
				(unsigned long long)(host / MIB));
	/* The other backends look for room themselves. */
	if (cfg->mem / RAM_OVERCOMMIT_MAX > host && own->cfg.kind == MEM_THP && !own->overcommit)
		return plan_err(-EINVAL, "--mem: %llu MiB are more than %d times the host's %llu MiB; KVM's tables alone may be too much for it (--mem-overcommit tries nevertheless)",
				(unsigned long long)(cfg->mem / MIB), RAM_OVERCOMMIT_MAX,
				(unsigned long long)(host / MIB));
	if (cfg->mem > host)
		pr_warn("the guest gets %llu MiB of RAM, the host has %llu",
			(unsigned long long)(cfg->mem / MIB), (unsigned long long)(host / MIB));
	return 0;
}

void ram_free(struct run_ram *own)
{
	numa_free(own->nodes);
}
