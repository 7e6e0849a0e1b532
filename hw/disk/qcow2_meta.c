// SPDX-License-Identifier: GPL-2.0
/*
 * The tables of an image in memory: pages by their offset, as many as fit into a bound.
 * A page that was changed stays until a commit has written it. A commit writes copies,
 * so that tables may change meanwhile.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "qcow2.h"

#define META_BYTES	(16 * MIB)

int meta_open(struct meta *m, int fd, u32 page)
{
	*m = (struct meta){ .fd = fd, .page = page, .max = META_BYTES / page };
	INIT_LIST_HEAD(&m->clean);
	for (int i = 0; i < META_KINDS; i++)
		INIT_LIST_HEAD(&m->dirty[i]);
	m->pages = calloc(m->max, sizeof(*m->pages));
	m->arena = mmap(NULL, META_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->arena == MAP_FAILED)
		m->arena = NULL;
	return m->pages && m->arena ? 0 : -ENOMEM;
}

void meta_close(struct meta *m)
{
	if (m->arena)
		munmap(m->arena, META_BYTES);
	free(m->pages);
}

static struct meta_page **meta_bucket(struct meta *m, u64 off)
{
	return &m->bucket[off / m->page % META_BUCKETS];
}

static struct meta_page *meta_find(struct meta *m, u64 off)
{
	struct meta_page *p = *meta_bucket(m, off);

	while (p && p->off != off)
		p = p->next;
	return p;
}

static void meta_unhash(struct meta *m, struct meta_page *page)
{
	struct meta_page **p = meta_bucket(m, page->off);

	while (*p && *p != page)
		p = &(*p)->next;
	if (*p)
		*p = page->next;
}

/* A page for something else: a new one, or the oldest that was not changed. */
static struct meta_page *meta_victim(struct meta *m)
{
	struct meta_page *page;

	if (m->used < m->max) {
		page = &m->pages[m->used];
		page->data = m->arena + (size_t)m->used++ * m->page;
		INIT_LIST_HEAD(&page->node);
		return page;
	}
	if (list_empty(&m->clean))
		return NULL;
	page = list_last_entry(&m->clean, struct meta_page, node);
	list_del_init(&page->node);
	meta_unhash(m, page);
	return page;
}

int meta_get(struct meta *m, u64 off, struct meta_page **out, u8 **p)
{
	u64 start = off & ~(u64)(m->page - 1);
	struct meta_page *page = meta_find(m, start), **bucket;

	if (!page) {
		int ret;

		page = meta_victim(m);
		if (!page)
			return -ENOBUFS;
		ret = file_pread(m->fd, page->data, m->page, start);
		page->off = ret ? ~0ULL : start;
		bucket = meta_bucket(m, page->off);
		page->next = *bucket;
		*bucket = page;
		if (ret) {
			list_add_tail(&page->node, &m->clean);
			return ret;
		}
		list_add(&page->node, &m->clean);
	} else if (!page->dirty && !page->busy) {
		list_move(&page->node, &m->clean);
	}
	*out = page;
	*p = page->data + (off - start);
	return 0;
}

void meta_dirty(struct meta *m, struct meta_page *page, enum meta_kind kind)
{
	if (page->dirty)
		return;
	page->dirty = true;
	page->kind = kind;
	list_del_init(&page->node);
	list_add_tail(&page->node, &m->dirty[kind]);
	m->nr_dirty++;
}

void meta_forget(struct meta *m, u64 off, u64 len)
{
	for (u64 at = off; at < off + len; at += m->page) {
		struct meta_page *page = meta_find(m, at);

		if (!page || page->busy)
			continue;	/* a commit does not write what is free: it cannot be busy */
		if (page->dirty)
			m->nr_dirty--;
		page->dirty = false;
		meta_unhash(m, page);
		page->off = ~0ULL;
		page->next = *meta_bucket(m, ~0ULL);
		*meta_bucket(m, ~0ULL) = page;
		list_del_init(&page->node);
		list_add_tail(&page->node, &m->clean);
	}
}

/* While a commit writes so many pages, as many may change, and there is still room for others. */
bool meta_is_full(const struct meta *m)
{
	return m->nr_dirty > m->max / 4;
}

int meta_take(struct meta *m, enum meta_kind kind, struct meta_batch *b)
{
	struct meta_page *page, *next;
	unsigned int nr = 0, i = 0;

	list_for_each_entry(page, &m->dirty[kind], node)
		nr++;
	*b = (struct meta_batch){ 0 };
	if (!nr)
		return 0;
	b->page = calloc(nr, sizeof(*b->page));
	b->off = calloc(nr, sizeof(*b->off));
	b->data = malloc((size_t)nr * m->page);
	if (!b->page || !b->off || !b->data) {
		free(b->page);
		free(b->off);
		free(b->data);
		*b = (struct meta_batch){ 0 };
		return -ENOMEM;
	}
	b->nr = nr;
	list_for_each_entry_safe(page, next, &m->dirty[kind], node) {
		b->page[i] = page;
		b->off[i] = page->off;
		memcpy(b->data + (size_t)i++ * m->page, page->data, m->page);
		page->dirty = false;
		page->busy = true;
		list_del_init(&page->node);
		m->nr_dirty--;
	}
	return 0;
}

int meta_batch_write(const struct meta *m, const struct meta_batch *b)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < b->nr; i++)
		ret = file_pwrite(m->fd, b->data + (size_t)i * m->page, m->page, b->off[i]);
	return ret;
}

void meta_batch_done(struct meta *m, struct meta_batch *b, enum meta_kind kind, int ret)
{
	for (unsigned int i = 0; i < b->nr; i++) {
		struct meta_page *page = b->page[i];

		page->busy = false;
		if (page->dirty)
			continue;
		if (ret)
			meta_dirty(m, page, kind);
		else
			list_add(&page->node, &m->clean);
	}
	free(b->page);
	free(b->off);
	free(b->data);
	*b = (struct meta_batch){ 0 };
}
