// SPDX-License-Identifier: GPL-2.0
/*
 * KVM's counters, which describe themselves (Documentation/virt/kvm/api.rst,
 * KVM_GET_STATS_FD): a header, a descriptor for each with its name, the values.
 * Their names and units come from KVM, so none is written here. On the main thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/stats.h>
#include <kvm/vcpu.h>
#include <kvm/vm.h>

#define STATS_MAX	4096		/* of either kind, and bytes of a name */

struct stats {
	struct kvm_stats_header header;
	char *desc;
	size_t desc_size;		/* of one, with its name */
	u64 *value, *one;		/* added up, of one file */
	size_t nr;			/* how many */
};

static const struct kvm_stats_desc *stats_desc(const struct stats *s, u32 i)
{
	return (const void *)(s->desc + i * s->desc_size);
}

static int stats_pread(int fd, void *buf, size_t len, off_t off)
{
	ssize_t n = pread(fd, buf, len, off);

	return n == (ssize_t)len ? 0 : n < 0 ? -errno : -EPROTO;
}

/* The first file says what there is. */
static int stats_describe(struct stats *s, int fd)
{
	const struct kvm_stats_desc *d;
	int ret = stats_pread(fd, &s->header, sizeof(s->header), 0);
	u32 i;

	if (ret)
		return ret;
	if (!s->header.name_size || s->header.name_size > STATS_MAX || s->header.num_desc > STATS_MAX)
		return -EPROTO;
	s->desc_size = sizeof(*d) + s->header.name_size;
	s->desc = malloc(s->header.num_desc * s->desc_size + 1);
	if (!s->desc)
		return -ENOMEM;
	ret = stats_pread(fd, s->desc, s->header.num_desc * s->desc_size, s->header.desc_offset);
	for (i = 0; !ret && i < s->header.num_desc; i++) {
		d = stats_desc(s, i);
		if (d->offset % sizeof(u64) || d->offset / sizeof(u64) + d->size > 16 * STATS_MAX)
			return -EPROTO;
		s->nr = max(s->nr, d->offset / sizeof(u64) + d->size);
	}
	s->value = calloc(s->nr + 1, sizeof(u64));
	s->one = calloc(s->nr + 1, sizeof(u64));
	return ret ? ret : s->value && s->one ? 0 : -ENOMEM;
}

static int stats_add(struct stats *s, int owner)
{
	int fd = ioctl(owner, KVM_GET_STATS_FD, NULL), ret = 0;
	u32 i, j;

	if (fd < 0)
		return errno == ENOTTY || errno == EINVAL ? -ENOTSUP : -errno;
	if (!s->desc)
		ret = stats_describe(s, fd);
	if (!ret)
		ret = stats_pread(fd, s->one, s->nr * sizeof(u64), s->header.data_offset);
	for (i = 0; !ret && i < s->header.num_desc; i++) {
		const struct kvm_stats_desc *d = stats_desc(s, i);
		bool peak = (d->flags & KVM_STATS_TYPE_MASK) == KVM_STATS_TYPE_PEAK;

		for (j = d->offset / sizeof(u64); j < d->offset / sizeof(u64) + d->size; j++)
			s->value[j] = peak ? max(s->value[j], s->one[j]) : s->value[j] + s->one[j];
	}
	close(fd);
	return ret;
}

static void stats_tell(const struct stats *s, void (*fn)(void *obj, const char *name, u64 value), void *obj)
{
	char name[STATS_MAX + 16];
	u32 i, j;

	for (i = 0; i < s->header.num_desc; i++) {
		const struct kvm_stats_desc *d = stats_desc(s, i);
		const char *text = (const char *)(d + 1);
		int len = strnlen(text, s->header.name_size);

		for (j = 0; j < d->size; j++) {
			if (d->size > 1)
				snprintf(name, sizeof(name), "%.*s[%u]", len, text, j);
			else
				snprintf(name, sizeof(name), "%.*s", len, text);
			if (s->value[d->offset / sizeof(u64) + j])
				fn(obj, name, s->value[d->offset / sizeof(u64) + j]);
		}
	}
}

static int stats_of(const struct vm *vm, int first, int nr, void (*fn)(void *obj, const char *name, u64 value),
		    void *obj)
{
	struct stats s = { .desc = NULL };
	int i, ret = 0;

	for (i = first; !ret && i < first + nr; i++)
		ret = stats_add(&s, i < 0 ? vm->vm_fd : vm->vcpu[i]->fd);
	if (!ret)
		stats_tell(&s, fn, obj);
	free(s.desc);
	free(s.value);
	free(s.one);
	return ret;
}

int stats_read(const struct vm *vm, int vcpu, void (*fn)(void *obj, const char *name, u64 value),
	       void *obj)
{
	int ret;

	if (vcpu != STATS_ALL)
		return stats_of(vm, vcpu, 1, fn, obj);
	ret = stats_of(vm, -1, 1, fn, obj);
	return ret ? ret : stats_of(vm, 0, vm->nr_vcpus, fn, obj);
}
