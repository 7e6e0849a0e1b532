// SPDX-License-Identifier: GPL-2.0
/*
 * --numa: the nodes that RAM and vCPUs belong to. They are numbered in the order in
 * which they are given, unless each says its number. Main thread, before the
 * machine is built.
 */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/config.h>
#include <kvm/log.h>
#include <kvm/opt.h>

#include "numa.h"

/* System Locality Information Table (ACPI 6.4, 5.2.17) */
#define NUMA_DISTANCE_HERE	10
#define NUMA_DISTANCE_OTHER	20
#define NUMA_NO_NODE		255
#define NUMA_CPUS_MAX		65536	/* more than any machine has */

struct numa_spec {
	u64 mem;
	int node, host;		/* -1: not said */
	struct opt_list cpus, distance;
	char *text;
};

static const struct opt numa_opts[] = {
	OPT_SIZE(0, "mem", struct numa_spec, mem, MIB, 0, 1ULL << 46, "SIZE", "its RAM"),
	OPT_LIST(0, "cpus", struct numa_spec, cpus, "A|A-B", "its vCPUs"),
	OPT_INT(0, "node", struct numa_spec, node, 0, VM_NODES_MAX - 1, "N", "its number"),
	OPT_LIST(0, "distance", struct numa_spec, distance, "N:D", "how far node N is"),
	OPT_INT(0, "host", struct numa_spec, host, 0, 1023, "N", "the host's node that its RAM comes from"),
	OPT_END
};

static int numa_bad(unsigned int n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int numa_bad(unsigned int n, const char *fmt, ...)
{
	char where[32];
	va_list ap;

	snprintf(where, sizeof(where), "--numa, node %u", n);
	va_start(ap, fmt);
	log_prefixed(LOG_ERROR, where, 0, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int numa_cpus(struct numa *numa, unsigned int n, const char *list, unsigned int cpus)
{
	unsigned long from, to;
	const char *p = list;

	for (;; p++) {
		if (opt_range(&p, NUMA_CPUS_MAX, &from, &to) || (*p && *p != ','))
			return numa_bad(n, "cpus=%s: has to be vCPUs, as in cpus=0-3 or cpus=0,cpus=2", list);
		if (to >= cpus)
			return numa_bad(n, "cpus=%s: the machine has vCPUs 0 to %u", list, cpus - 1);
		for (; from <= to; from++) {
			if (numa->cpu[from] != NUMA_NO_NODE)
				return numa_bad(n, "vCPU %lu belongs to node %u already", from, numa->cpu[from]);
			numa->cpu[from] = n;
		}
		if (!*p)
			return 0;
	}
}

static int numa_distance(struct numa *numa, unsigned int n, const char *text)
{
	unsigned int to, distance;
	char rest;

	if (sscanf(text, "%u:%u%c", &to, &distance, &rest) != 2)
		return numa_bad(n, "distance=%s: has to be NODE:DISTANCE, as in distance=1:21", text);
	if (to >= numa->nr)
		return numa_bad(n, "distance=%s: there are nodes 0 to %u", text, numa->nr - 1);
	if (to == n ? distance != NUMA_DISTANCE_HERE : distance < NUMA_DISTANCE_HERE || distance > 255)
		return numa_bad(n, "distance=%s: it is %u to the node itself, and %u to 254, or 255 for never, to others",
			       text, NUMA_DISTANCE_HERE, NUMA_DISTANCE_HERE);
	numa->distance[n][to] = distance;
	return 0;
}

/* A missing distance is copied from the opposite direction, else it is the default. */
static void numa_distances(struct numa *numa)
{
	unsigned int i, j;

	for (i = 0; i < numa->nr; i++)
		for (j = 0; j <= i; j++) {
			u8 *there = &numa->distance[i][j], *back = &numa->distance[j][i];
			u8 usual = i == j ? NUMA_DISTANCE_HERE : NUMA_DISTANCE_OTHER;

			if (!*there)
				*there = *back ? *back : usual;
			if (!*back)
				*back = *there;
		}
}

static int numa_node(struct numa *numa, unsigned int n, const struct numa_spec *node, unsigned int cpus)
{
	unsigned int i;
	int ret = 0;

	if (!node->mem && !node->cpus.nr)
		return numa_bad(n, "has neither mem= nor cpus=");
	if (!IS_ALIGNED(node->mem, MIB))
		return numa_bad(n, "mem= has to be a whole number of MiB");
	numa->node[n].mem = node->mem;
	numa->node[n].host = node->host;
	for (i = 0; !ret && i < node->cpus.nr; i++)
		ret = numa_cpus(numa, n, node->cpus.item[i], cpus);
	for (i = 0; !ret && i < node->distance.nr; i++)
		ret = numa_distance(numa, n, node->distance.item[i]);
	return ret;
}

static int numa_parse(struct numa_spec *node, const char *text)
{
	struct opt_err err;
	int ret;

	node->node = node->host = -1;
	node->text = strdup(text);
	ret = node->text ? opt_parse_sub(numa_opts, node, node->text, &err) : -ENOMEM;
	if (ret)
		pr_err("--numa %s: %s", text, node->text ? err.text : "out of memory");
	return ret;
}

/* Every vCPU has a node, and the nodes' memory is the machine's. */
static int numa_adds_up(const struct numa *numa, unsigned int cpus, u64 *mem)
{
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < cpus; i++)
		if (numa->cpu[i] == NUMA_NO_NODE) {
			pr_err("--numa: vCPU %u belongs to no node", i);
			return -EINVAL;
		}
	for (i = 0; i < numa->nr; i++)
		sum += numa->node[i].mem;
	if (!sum || (*mem && sum != *mem)) {
		pr_err("--numa: the nodes have %llu MiB of RAM together, the machine %llu (see --mem)",
		       (unsigned long long)(sum / MIB), (unsigned long long)(*mem / MIB));
		return -EINVAL;
	}
	*mem = sum;
	return 0;
}

int numa_nodes(struct numa **out, const struct opt_list *list, unsigned int cpus, u64 *mem)
{
	struct numa_spec *node = calloc(list->nr, sizeof(*node));
	struct numa *numa = calloc(1, sizeof(*numa));
	bool taken[VM_NODES_MAX] = { false };
	unsigned int i, n;
	int ret = 0;

	if (numa)
		numa->cpu = malloc(cpus);
	if (!node || !numa || !numa->cpu) {
		ret = -ENOMEM;
	} else if (list->nr > VM_NODES_MAX) {
		pr_err("--numa: %u nodes are too many: at most %u", list->nr, VM_NODES_MAX);
		ret = -EINVAL;
	} else {
		numa->nr = list->nr;
		memset(numa->cpu, NUMA_NO_NODE, cpus);
	}
	for (i = 0; !ret && i < list->nr; i++) {
		ret = numa_parse(&node[i], list->item[i]);
		if (ret)
			break;
		n = node[i].node < 0 ? i : (unsigned int)node[i].node;
		if (n >= list->nr)
			ret = numa_bad(n, "the numbers go from 0 to %u, as there are %u nodes", list->nr - 1, list->nr);
		else if (taken[n])
			ret = numa_bad(n, "is there twice");
		else
			ret = numa_node(numa, n, &node[i], cpus);
		if (!ret)
			taken[n] = true;
	}
	if (!ret)
		ret = numa_adds_up(numa, cpus, mem);
	if (!ret)
		numa_distances(numa);
	for (i = 0; node && i < list->nr; i++) {
		opt_free(numa_opts, &node[i]);
		free(node[i].text);
	}
	free(node);
	if (ret)
		numa_free(numa);
	else
		*out = numa;
	return ret;
}

void numa_free(struct numa *numa)
{
	if (numa)
		free(numa->cpu);
	free(numa);
}
