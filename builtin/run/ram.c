// SPDX-License-Identifier: GPL-2.0
/*
 * --mem-backend and --numa of "lkvm run". Nodes are numbered in the order in
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

#include "cpus.h"
#include "ram.h"

/* System Locality Information Table (ACPI 6.4, 5.2.17) */
#define RAM_DISTANCE_HERE	10
#define RAM_DISTANCE_OTHER	20
#define RAM_NO_NODE		255

struct ram_node {
	u64 mem;
	int node, host;		/* -1: not said */
	struct opt_list cpus, distance;
	char *text;
};

static const struct opt ram_node_opts[] = {
	OPT_SIZE(0, "mem", struct ram_node, mem, MIB, 0, 1ULL << 46, "SIZE", "its RAM"),
	OPT_LIST(0, "cpus", struct ram_node, cpus, "A|A-B", "its vCPUs"),
	OPT_INT(0, "node", struct ram_node, node, 0, VM_NODES_MAX - 1, "N", "its number"),
	OPT_LIST(0, "distance", struct ram_node, distance, "N:D", "how far node N is"),
	OPT_INT(0, "host", struct ram_node, host, 0, 1023, "N", "the host's node that its RAM comes from"),
	OPT_END
};

int ram_backend(struct mem_config *cfg, const char *text, struct opt_err *err)
{
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

static int ram_bad(unsigned int n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int ram_bad(unsigned int n, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pr_err("--numa, node %u: %s", n, text);
	return -EINVAL;
}

static int ram_cpus(struct numa *numa, unsigned int n, const char *list, unsigned int cpus)
{
	unsigned long from, to;
	const char *p = list;

	for (;; p++) {
		if (cpus_range(&p, &from, &to) || (*p && *p != ','))
			return ram_bad(n, "cpus=%s: has to be vCPUs, as in cpus=0-3 or cpus=0,cpus=2", list);
		if (to >= cpus)
			return ram_bad(n, "cpus=%s: the machine has vCPUs 0 to %u", list, cpus - 1);
		for (; from <= to; from++) {
			if (numa->cpu[from] != RAM_NO_NODE)
				return ram_bad(n, "vCPU %lu belongs to node %u already", from, numa->cpu[from]);
			numa->cpu[from] = n;
		}
		if (!*p)
			return 0;
	}
}

static int ram_distance(struct numa *numa, unsigned int n, const char *text)
{
	unsigned int to, distance;
	char rest;

	if (sscanf(text, "%u:%u%c", &to, &distance, &rest) != 2)
		return ram_bad(n, "distance=%s: has to be NODE:DISTANCE, as in distance=1:21", text);
	if (to >= numa->nr)
		return ram_bad(n, "distance=%s: there are nodes 0 to %u", text, numa->nr - 1);
	if (to == n ? distance != RAM_DISTANCE_HERE : distance < RAM_DISTANCE_HERE || distance > 255)
		return ram_bad(n, "distance=%s: it is %u to the node itself, and %u to 254, or 255 for never, to others",
			       text, RAM_DISTANCE_HERE, RAM_DISTANCE_HERE);
	numa->distance[n][to] = distance;
	return 0;
}

/* What is not said is as far as the way back, or as usual. */
static void ram_distances(struct numa *numa)
{
	unsigned int i, j;

	for (i = 0; i < numa->nr; i++)
		for (j = 0; j <= i; j++) {
			u8 *there = &numa->distance[i][j], *back = &numa->distance[j][i];
			u8 usual = i == j ? RAM_DISTANCE_HERE : RAM_DISTANCE_OTHER;

			if (!*there)
				*there = *back ? *back : usual;
			if (!*back)
				*back = *there;
		}
}

static int ram_node(struct numa *numa, unsigned int n, const struct ram_node *node, unsigned int cpus)
{
	unsigned int i;
	int ret = 0;

	if (!node->mem && !node->cpus.nr)
		return ram_bad(n, "has neither mem= nor cpus=");
	if (!IS_ALIGNED(node->mem, MIB))
		return ram_bad(n, "mem= has to be a whole number of MiB");
	numa->node[n].mem = node->mem;
	numa->node[n].host = node->host;
	for (i = 0; !ret && i < node->cpus.nr; i++)
		ret = ram_cpus(numa, n, node->cpus.item[i], cpus);
	for (i = 0; !ret && i < node->distance.nr; i++)
		ret = ram_distance(numa, n, node->distance.item[i]);
	return ret;
}

static int ram_parse(struct ram_node *node, const char *text)
{
	struct opt_err err;
	int ret;

	node->node = node->host = -1;
	node->text = strdup(text);
	ret = node->text ? opt_parse_sub(ram_node_opts, node, node->text, &err) : -ENOMEM;
	if (ret)
		pr_err("--numa %s: %s", text, node->text ? err.text : "out of memory");
	return ret;
}

/* Every vCPU has a node, and the nodes' memory is the machine's. */
static int ram_adds_up(const struct numa *numa, unsigned int cpus, u64 *mem)
{
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < cpus; i++)
		if (numa->cpu[i] == RAM_NO_NODE) {
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

int ram_numa(struct numa **out, const struct opt_list *list, unsigned int cpus, u64 *mem)
{
	struct ram_node *node = calloc(list->nr, sizeof(*node));
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
		memset(numa->cpu, RAM_NO_NODE, cpus);
	}
	for (i = 0; !ret && i < list->nr; i++) {
		ret = ram_parse(&node[i], list->item[i]);
		if (ret)
			break;
		n = node[i].node < 0 ? i : (unsigned int)node[i].node;
		if (n >= list->nr)
			ret = ram_bad(n, "the numbers go from 0 to %u, as there are %u nodes", list->nr - 1, list->nr);
		else if (taken[n])
			ret = ram_bad(n, "is there twice");
		else
			ret = ram_node(numa, n, &node[i], cpus);
		if (!ret)
			taken[n] = true;
	}
	if (!ret)
		ret = ram_adds_up(numa, cpus, mem);
	if (!ret)
		ram_distances(numa);
	for (i = 0; node && i < list->nr; i++) {
		opt_list_free(&node[i].cpus);
		opt_list_free(&node[i].distance);
		free(node[i].text);
	}
	free(node);
	if (ret)
		ram_numa_free(numa);
	else
		*out = numa;
	return ret;
}

void ram_numa_free(struct numa *numa)
{
	if (numa)
		free(numa->cpu);
	free(numa);
}
