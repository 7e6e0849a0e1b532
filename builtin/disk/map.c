// SPDX-License-Identifier: GPL-2.0
/* lkvm disk map: what of a disk is where. */
#include <stdio.h>
#include <string.h>

#include <linux/kernel.h>

#include "disk.h"
#include "source.h"

#define MAP_STEP	GIB

struct map {
	struct source source;
	bool json;
};

static const struct opt map_opts[] = {
	OPT_TABLE(source_opts, struct source, struct map, source),
	OPT_BOOL(0, "json", struct map, json, "as JSON"),
	OPT_END
};

static void map_print(const struct map *map, u64 off, const struct disk_extent *e)
{
	if (!map->json) {
		printf("%16llu %16llu %6u  ", (unsigned long long)off, (unsigned long long)e->len, e->depth);
		if (e->host >= 0)
			printf("%lld\n", (long long)e->host);
		else
			puts(e->zero ? "zeroes" : e->compressed ? "compressed" : "data");
		return;
	}
	printf("%s{ \"start\": %llu, \"length\": %llu, \"depth\": %u, \"zero\": %s, \"data\": %s, \"compressed\": %s", off ? ",\n" : "[",
	       (unsigned long long)off, (unsigned long long)e->len, e->depth, e->zero ? "true" : "false",
	       e->zero ? "false" : "true", e->compressed ? "true" : "false");
	if (e->host >= 0)
		printf(", \"offset\": %lld", (long long)e->host);
	fputs("}", stdout);
}

/* Is @b, which comes behind, more of @a? */
static bool map_continues(const struct disk_extent *a, const struct disk_extent *b)
{
	return a->zero == b->zero && a->compressed == b->compressed && a->depth == b->depth &&
	       (a->host < 0 ? b->host < 0 : b->host == a->host + (s64)a->len);
}

static int map_all(const struct map *map, struct disk *d)
{
	u64 size = disk_size(d), off, start = 0;
	struct disk_extent run = { 0 }, e;

	for (off = 0; off < size; off += e.len) {
		int ret = disk_map(d, off, min(size - off, MAP_STEP), &e);

		if (ret)
			return ret;
		if (off && map_continues(&run, &e)) {
			run.len += e.len;
			continue;
		}
		if (off)
			map_print(map, start, &run);
		start = off;
		run = e;
	}
	map_print(map, start, &run);
	return 0;
}

static int map_main(const struct command *cmd, int argc, char **argv)
{
	struct map map = { .json = false };
	int status, n = command_parse(cmd, &map, argc, argv, &status), ret;
	struct opt_err err;
	struct disk *d;

	if (n < 0)
		return status;
	if (n != 1)
		return command_usage(cmd, "one image, as in 'lkvm disk map disk.qcow2'");
	if (source_open(&d, &map.source, argv[0], &err))
		return command_usage(cmd, "%s", err.text);
	if (!map.json)
		printf("%16s %16s %6s  %s\n", "start", "bytes", "depth", "offset in the file");
	ret = map_all(&map, d);
	disk_close(d, NULL, "");
	if (ret)
		return command_usage(cmd, "%s: %s", argv[0], strerror(-ret));
	if (map.json)
		puts("]");
	return command_flush(0);
}

const struct command command_disk_map = {
	.name = "disk map",
	.synopsis = "[--json] FILE",
	.summary = "list what of an image is where",
	.about =
	"The depth says which image has the data: 0 is FILE, 1 the image behind it.\n",
	.opts = map_opts,
	.usage_status = STATUS_USAGE,
	.fn = map_main,
};
