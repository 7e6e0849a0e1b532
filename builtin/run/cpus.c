// SPDX-License-Identifier: GPL-2.0
/*
 * -c and --pin of "lkvm run": the topology that is asked for, if it is one, and
 * the host's CPUs by number. Main thread, before the machine is built.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/log.h>
#include <kvm/opt.h>

#include "cpus.h"

#define CPUS_MAX	4096		/* of a guest; KVM's limit is lower and its own to say */
#define CPUS_HOST_MAX	65536

static const struct opt cpus_opts[] = {
	{ .name = "vcpus", .kind = OPT_KIND_INT, .first = true, .arg = "N", .help = "all of them",
	  .min = 1, .max = CPUS_MAX, .offset = OPT_MEMBER(int, struct cpus, nr) },
	OPT_INT(0, "sockets", struct cpus, sockets, 1, CPUS_MAX, "S", "sockets"),
	OPT_INT(0, "cores", struct cpus, cores, 1, CPUS_MAX, "C", "cores in a socket"),
	OPT_INT(0, "threads", struct cpus, threads, 1, CPUS_MAX, "T", "threads of a core"),
	OPT_END
};

void cpus_set(struct cpus *cpus, int nr)
{
	*cpus = (struct cpus) { .nr = nr, .sockets = 1, .cores = nr, .threads = 1, .free = true };
}

int cpus_parse(struct cpus *cpus, const char *text, struct opt_err *err)
{
	char *copy = strdup(text);
	s64 product, known;
	int ret;

	if (!copy)
		return -ENOMEM;
	memset(cpus, 0, sizeof(*cpus));
	ret = opt_parse_sub(cpus_opts, cpus, copy, err);
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

void cpus_nodes(struct cpus *cpus, const unsigned char *node)
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

int cpus_range(const char **p, unsigned long *from, unsigned long *to)
{
	char *end;

	if (**p < '0' || **p > '9')
		return -EINVAL;
	*from = *to = strtoul(*p, &end, 10);
	if (*end == '-') {
		if (end[1] < '0' || end[1] > '9')
			return -EINVAL;
		*to = strtoul(end + 1, &end, 10);
	}
	*p = end;
	return *from <= *to && *to < CPUS_HOST_MAX ? 0 : -EINVAL;
}

static int cpus_list(const char *list, unsigned short *out, int room, int *nr)
{
	unsigned long from, to;
	const char *p = list;

	for (*nr = 0; ; p++) {
		if (cpus_range(&p, &from, &to) || (*p && *p != ',')) {
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

int cpus_pin(const char *list, int nr, unsigned short **out)
{
	unsigned short *cpu = calloc(nr, sizeof(*cpu));
	int have, ret;

	if (!cpu)
		return -ENOMEM;
	ret = cpus_list(list, cpu, nr, &have);
	if (!ret && have != nr) {
		pr_err("--pin %s: %d of the host's CPUs for %d vCPUs; it has to be one for each", list,
		       have, nr);
		ret = -EINVAL;
	}
	if (!ret)
		ret = cpus_usable(list, cpu, nr);
	if (ret)
		free(cpu);
	else
		*out = cpu;
	return ret;
}
