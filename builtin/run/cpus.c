// SPDX-License-Identifier: GPL-2.0
/*
 * The vCPUs: the topology that is asked for, if it is one, and the host's CPUs by
 * number. See cpus.h. Main thread, before the machine is built.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/log.h>

#include "cpus.h"

#define CPUS_MAX	4096		/* of a guest; KVM's limit is lower and its own to say */
#define CPUS_HOST_MAX	65536
#define CPUS_DEFAULT	4		/* at most, of the host's */

static const struct opt cpus_topology_opts[] = {
	{ .name = "vcpus", .kind = OPT_KIND_INT, .first = true, .arg = "N", .help = "all of them",
	  .min = 1, .max = CPUS_MAX, .offset = OPT_MEMBER(int, struct cpus_topology, nr) },
	OPT_INT(0, "sockets", struct cpus_topology, sockets, 1, CPUS_MAX, "S", "sockets"),
	OPT_INT(0, "cores", struct cpus_topology, cores, 1, CPUS_MAX, "C", "cores in a socket"),
	OPT_INT(0, "threads", struct cpus_topology, threads, 1, CPUS_MAX, "T", "threads of a core"),
	OPT_END
};

/* @nr cores in one socket. */
static void cpus_set(struct cpus_topology *cpus, int nr)
{
	*cpus = (struct cpus_topology) { .nr = nr, .sockets = 1, .cores = nr, .threads = 1, .free = true };
}

static int cpus_parse(void *obj, const char *text, struct opt_err *err)
{
	struct cpus_topology *cpus = &((struct run_cpus *)obj)->topology;
	char *copy = strdup(text);
	s64 product, known;
	int ret;

	if (!copy)
		return -ENOMEM;
	if (!*text) {
		free(copy);
		snprintf(err->text, sizeof(err->text), "'' says nothing: a number, or sockets=S,cores=C,threads=T does");
		return -EINVAL;
	}
	memset(cpus, 0, sizeof(*cpus));
	ret = opt_parse_sub(cpus_topology_opts, cpus, copy, err);
	free(copy);
	if (ret)
		return ret;
	cpus->free = !cpus->sockets && !cpus->cores && !cpus->threads;
	/* With a number for all of them the cores are what remains, else what is not said is 1. */
	known = (s64)max(cpus->sockets, 1) * max(cpus->threads, 1);
	if (cpus->nr && !cpus->cores && cpus->nr % known == 0)
		cpus->cores = cpus->nr / known;
	cpus->sockets = max(cpus->sockets, 1);
	cpus->cores = max(cpus->cores, 1);
	cpus->threads = max(cpus->threads, 1);
	product = known * cpus->cores;
	if (cpus->nr && product != cpus->nr)
		snprintf(err->text, sizeof(err->text), "%d vCPUs cannot be %d sockets of %d cores of %d threads",
			 cpus->nr, cpus->sockets, cpus->cores, cpus->threads);
	else if (product > CPUS_MAX)
		snprintf(err->text, sizeof(err->text), "%lld vCPUs are too many: at most %d",
			 (long long)product, CPUS_MAX);
	else
		cpus->nr = product;
	return cpus->nr == product ? 0 : -EINVAL;
}

const struct opt cpus_opts[] = {
	OPT_CALL('c', "cpus", cpus_parse, "N|sockets=S,cores=C,threads=T",
		 "number of vCPUs, and their topology (default: as many as the host has, at most 4)"),
	OPT_STR(0, "cpu", struct run_cpus, model, "host[,+FEATURE|,-FEATURE]...",
		"CPU features of the guest: all that KVM offers, less those taken away"),
	OPT_STR(0, "pin", struct run_cpus, pin, "LIST",
		"host CPUs to run the vCPUs on, one for each, as in 0-3,6"),
	OPT_END
};

/*
 * If only a number of vCPUs was given, no socket spans two nodes, as guests do not
 * expect that. @node[] is the node of each vCPU.
 */
static void cpus_nodes(struct cpus_topology *cpus, const unsigned char *node)
{
	int i, blocks = 1;

	for (i = 1; i < cpus->nr; i++)
		blocks += node[i] != node[i - 1];
	if (!cpus->free || blocks == 1)
		return;
	cpus->sockets = cpus->nr % blocks ? cpus->nr : blocks;
	cpus->cores = cpus->nr / cpus->sockets;
	for (i = 0; i < cpus->nr; i++)
		if (node[i] != node[i - i % cpus->cores])
			break;
	if (i < cpus->nr) {
		cpus->sockets = cpus->nr;
		cpus->cores = 1;
	}
}

static int cpus_list(const char *list, unsigned short *out, int room, int *nr)
{
	unsigned long from, to;
	const char *p = list;

	for (*nr = 0; ; p++) {
		if (opt_range(&p, CPUS_HOST_MAX, &from, &to) || (*p && *p != ',')) {
			pr_err("--pin %s: has to be a list of the host's CPUs, as in 0-3,6", list);
			return -EINVAL;
		}
		for (; from <= to; from++, ++*nr)
			if (*nr < room)
				out[*nr] = from;
		if (!*p)
			return 0;
	}
}

/* The process may use them; a CPU that it must not use is as good as none. */
static int cpus_usable(const char *list, const unsigned short *cpu, int nr)
{
	size_t size = CPU_ALLOC_SIZE(CPUS_HOST_MAX);
	cpu_set_t *set = CPU_ALLOC(CPUS_HOST_MAX);
	int i, ret = 0;

	if (!set)
		return -ENOMEM;
	CPU_ZERO_S(size, set);
	if (sched_getaffinity(0, size, set) < 0)
		ret = -errno;
	for (i = 0; !ret && i < nr; i++)
		if (!CPU_ISSET_S(cpu[i], size, set))
			ret = -EINVAL;
	if (ret)
		pr_err("--pin %s: the host has no CPU %u for this process", list, cpu[max(i - 1, 0)]);
	CPU_FREE(set);
	return ret;
}

/* One of the host's CPUs for each vCPU. */
static int cpus_pin(struct run_cpus *own)
{
	int have, nr = own->topology.nr, ret;

	own->pinned = calloc(nr, sizeof(*own->pinned));
	if (!own->pinned)
		return plan_err(-ENOMEM, "out of memory");
	ret = cpus_list(own->pin, own->pinned, nr, &have);
	if (!ret && have != nr)
		ret = plan_err(-EINVAL, "--pin %s: %d of the host's CPUs for %d vCPUs; it has to be one for each",
			       own->pin, have, nr);
	return ret ? ret : cpus_usable(own->pin, own->pinned, nr);
}

/* The number of CPUs that this process may use. sysconf() would read /sys, for most of a millisecond. */
static unsigned int cpus_default(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return CPUS_DEFAULT;	/* the host has more than 1024 */
	return min(CPU_COUNT(&set), CPUS_DEFAULT);
}

int cpus_count(struct plan *plan, struct run_cpus *own)
{
	if (!own->topology.nr)
		cpus_set(&own->topology, cpus_default());
	plan->cfg.cpus = own->topology.nr;
	plan->cfg.cpu = own->model;
	return 0;
}

int cpus_config(struct plan *plan, struct run_cpus *own)
{
	struct cpus_topology *cpus = &own->topology;
	struct vm_config *cfg = &plan->cfg;
	int ret = own->pin ? cpus_pin(own) : 0;

	if (cfg->numa)
		cpus_nodes(cpus, cfg->numa->cpu);
	/* Each vCPU is a descriptor. */
	if (cpus->nr > 256)
		plan_files();
	cfg->pin = own->pinned;
	cfg->sockets = cpus->sockets;
	cfg->cores = cpus->cores;
	cfg->threads = cpus->threads;
	return ret;
}

void cpus_free(struct run_cpus *own)
{
	free(own->pinned);
}
