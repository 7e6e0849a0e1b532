// SPDX-License-Identifier: GPL-2.0
/* The machine's screen: see kvm/display.h. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/display.h>

struct head {
	struct display_source *source;	/* who is shown, or NULL: it is off */
	u32 width, height;
	u32 *pixel;			/* width * height, XRGB8888 with - as 0 */
	u64 *tile;			/* across * down: the last change of each */
	u32 across, down;
	u64 sized;			/* the change that gave it this size */
	struct rect noted;		/* what the source has to draw; empty: width is 0 */
	bool all;			/* it has drawn nothing yet */
};

struct display {
	pthread_mutex_t busy;		/* refresh() and resize(); the list of sources, with lock */
	pthread_mutex_t lock;		/* a leaf */
	struct list_head sources;	/* newest first */
	struct list_head viewers;
	u64 change;			/* the number of the last one, from 1 */
	struct head head[DISPLAY_HEADS];
	struct display_source *pointer;	/* whose the pointer is, or NULL */
	struct display_cursor cursor;
	u64 cursored;			/* the change of the pointer's picture */
};

static const u8 format_bytes[DISPLAY_FORMATS] = {
	[DISPLAY_XRGB8888] = 4, [DISPLAY_XBGR8888] = 4, [DISPLAY_RGBX8888] = 4, [DISPLAY_BGRX8888] = 4,
	[DISPLAY_RGB888] = 3, [DISPLAY_RGB565] = 2, [DISPLAY_XRGB1555] = 2,
};

unsigned int display_format_bytes(enum display_format format)
{
	return format_bytes[format];
}

int display_new(struct display **out)
{
	struct display *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	pthread_mutex_init(&d->busy, NULL);
	pthread_mutex_init(&d->lock, NULL);
	INIT_LIST_HEAD(&d->sources);
	INIT_LIST_HEAD(&d->viewers);
	d->change = d->cursored = 1;
	*out = d;
	return 0;
}

void display_free(struct display *d)
{
	if (!d)
		return;
	for (unsigned int i = 0; i < DISPLAY_HEADS; i++) {
		free(d->head[i].pixel);
		free(d->head[i].tile);
	}
	pthread_mutex_destroy(&d->busy);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

/* Lock held: viewers that wait have something to look at. */
static void display_wake(struct display *d)
{
	struct display_viewer *v;

	list_for_each_entry(v, &d->viewers, node) {
		if (v->waiting) {
			v->waiting = false;
			v->changed(v);
		}
	}
}

/* Cut @r to the picture: false if nothing is left. */
static bool head_cut(const struct head *h, const struct rect *r, struct rect *out)
{
	if (!r->width || !r->height || r->x >= h->width || r->y >= h->height)
		return false;
	out->x = r->x;
	out->y = r->y;
	out->width = min(r->width, h->width - r->x);
	out->height = min(r->height, h->height - r->y);
	return true;
}

/* Lock held: there is something to draw in @r. */
static void head_note(struct head *h, const struct rect *r)
{
	struct rect *n = &h->noted;
	u32 right, bottom;

	if (!n->width) {
		*n = *r;
		return;
	}
	right = max(n->x + n->width, r->x + r->width);
	bottom = max(n->y + n->height, r->y + r->height);
	n->x = min(n->x, r->x);
	n->y = min(n->y, r->y);
	n->width = right - n->x;
	n->height = bottom - n->y;
}

/* The source of a head's picture: the newest that has one. */
static struct display_source *head_source(const struct display *d, unsigned int head)
{
	struct display_source *s;

	list_for_each_entry(s, &d->sources, node)
		if (s->size[head].width)
			return s;
	return NULL;
}

/* Lock held: have the head show @s, with a black picture in the memory given. */
static void head_show(struct display *d, unsigned int head, struct display_source *s, u32 *pixel, u64 *tile)
{
	struct head *h = &d->head[head];

	free(h->pixel);
	free(h->tile);
	h->pixel = pixel;
	h->tile = tile;
	h->source = s;
	h->width = s ? s->size[head].width : 0;
	h->height = s ? s->size[head].height : 0;
	h->across = DIV_ROUND_UP(h->width, DISPLAY_TILE);
	h->down = DIV_ROUND_UP(h->height, DISPLAY_TILE);
	h->sized = ++d->change;
	h->noted = (struct rect) { 0, 0, h->width, h->height };
	h->all = true;
	for (size_t i = 0; i < (size_t)h->across * h->down; i++)
		h->tile[i] = h->sized;
	display_wake(d);
}

/* Lock held. 0 or -ENOMEM: nothing has changed. */
static int head_update(struct display *d, unsigned int head, struct display_source *s)
{
	const struct rect *size = s ? &s->size[head] : NULL;
	u32 *pixel = NULL;
	u64 *tile = NULL;

	if (s) {
		pixel = calloc((size_t)size->width * size->height, sizeof(*pixel));
		tile = calloc((size_t)DIV_ROUND_UP(size->width, DISPLAY_TILE) *
			      DIV_ROUND_UP(size->height, DISPLAY_TILE), sizeof(*tile));
		if (!pixel || !tile) {
			free(pixel);
			free(tile);
			return -ENOMEM;
		}
	}
	head_show(d, head, s, pixel, tile);
	return 0;
}

/* Sources */

/* Lock held. */
static void display_point(struct display *d, struct display_source *s, const struct display_cursor *c)
{
	static const struct display_cursor none;

	if (!c || !c->width || !c->height || c->width > DISPLAY_CURSOR_SIDE || c->height > DISPLAY_CURSOR_SIDE ||
	    c->hot_x >= c->width || c->hot_y >= c->height)
		c = &none;
	d->pointer = c->width ? s : NULL;
	if (!memcmp(&d->cursor, c, sizeof(*c)))
		return;
	d->cursor = *c;
	d->cursored = ++d->change;
	display_wake(d);
}

void display_source_add(struct display *d, struct display_source *s)
{
	memset(s->size, 0, sizeof(s->size));
	pthread_mutex_lock(&d->busy);
	pthread_mutex_lock(&d->lock);
	list_add(&s->node, &d->sources);
	pthread_mutex_unlock(&d->lock);
	pthread_mutex_unlock(&d->busy);
}

void display_source_del(struct display *d, struct display_source *s)
{
	pthread_mutex_lock(&d->busy);
	pthread_mutex_lock(&d->lock);
	list_del(&s->node);
	if (d->pointer == s)
		display_point(d, NULL, NULL);
	for (unsigned int i = 0; i < DISPLAY_HEADS; i++)
		if (d->head[i].source == s && head_update(d, i, head_source(d, i)))
			head_show(d, i, NULL, NULL, NULL);
	pthread_mutex_unlock(&d->lock);
	pthread_mutex_unlock(&d->busy);
}

int display_set(struct display *d, struct display_source *s, unsigned int head, u32 width, u32 height)
{
	struct display_source *shown;
	struct rect before;
	int ret = 0;

	if (head >= s->heads || head >= DISPLAY_HEADS || !width != !height || width > DISPLAY_SIDE_MAX ||
	    height > DISPLAY_SIDE_MAX || (u64)width * height > DISPLAY_PIXELS_MAX)
		return -EINVAL;
	pthread_mutex_lock(&d->lock);
	before = s->size[head];
	s->size[head] = (struct rect) { .width = width, .height = height };
	shown = head_source(d, head);
	/* Nothing of it is to be seen while a newer source is shown. */
	if (shown == s || d->head[head].source == s)
		ret = head_update(d, head, shown);
	if (ret)
		s->size[head] = before;
	pthread_mutex_unlock(&d->lock);
	return ret;
}

void display_changed(struct display *d, struct display_source *s, unsigned int head, const struct rect *r)
{
	struct head *h = &d->head[head];
	struct rect cut;

	pthread_mutex_lock(&d->lock);
	if (h->source == s && head_cut(h, r, &cut)) {
		head_note(h, &cut);
		display_wake(d);
	}
	pthread_mutex_unlock(&d->lock);
}

/* @n pixels of another format to the picture's. */
static void format_convert(u32 *dst, const u8 *src, unsigned int n, enum display_format format)
{
	u32 v;

	for (unsigned int i = 0; i < n; i++, src += format_bytes[format]) {
		switch (format) {
		case DISPLAY_XBGR8888:
			dst[i] = (u32)src[0] << 16 | src[1] << 8 | src[2];
			break;
		case DISPLAY_RGBX8888:
			dst[i] = (u32)src[3] << 16 | src[2] << 8 | src[1];
			break;
		case DISPLAY_BGRX8888:
			dst[i] = (u32)src[1] << 16 | src[2] << 8 | src[3];
			break;
		case DISPLAY_RGB565:
			v = src[0] | src[1] << 8;
			dst[i] = (v >> 11 << 3 | v >> 13) << 16 | ((v >> 5 & 63) << 2 | (v >> 9 & 3)) << 8 |
				 ((v & 31) << 3 | (v >> 2 & 7));
			break;
		case DISPLAY_XRGB1555:
			v = src[0] | src[1] << 8;
			dst[i] = ((v >> 10 & 31) << 3 | (v >> 12 & 7)) << 16 |
				 ((v >> 5 & 31) << 3 | (v >> 7 & 7)) << 8 | ((v & 31) << 3 | (v >> 2 & 7));
			break;
		default:	/* DISPLAY_XRGB8888, DISPLAY_RGB888 */
			dst[i] = (u32)src[2] << 16 | src[1] << 8 | src[0];
		}
	}
}

/* Lock held: draw a row of @r, and give tiles that differ the number @change. Did any? */
static bool head_write_row(struct head *h, u32 x, u32 y, u32 width, const u8 *src, enum display_format format, u64 change)
{
	u64 *tile = h->tile + (size_t)(y / DISPLAY_TILE) * h->across;
	u32 *dst = h->pixel + (size_t)y * h->width;
	u32 row[DISPLAY_TILE];
	bool any = false;

	while (width) {
		u32 n = min(width, DISPLAY_TILE - x % DISPLAY_TILE);

		format_convert(row, src, n, format);
		if (memcmp(dst + x, row, n * sizeof(*row))) {
			memcpy(dst + x, row, n * sizeof(*row));
			tile[x / DISPLAY_TILE] = change;
			any = true;
		}
		src += n * format_bytes[format];
		x += n;
		width -= n;
	}
	return any;
}

void display_write(struct display *d, struct display_source *s, unsigned int head, const struct rect *r,
		   const void *src, size_t stride, enum display_format format)
{
	struct head *h = &d->head[head];
	struct rect cut;
	bool any = false;

	pthread_mutex_lock(&d->lock);
	if (h->source == s && head_cut(h, r, &cut)) {
		for (u32 i = 0; i < cut.height; i++)
			any |= head_write_row(h, cut.x, cut.y + i, cut.width, (const u8 *)src + i * stride, format,
					      d->change + 1);
		if (any) {
			d->change++;
			display_wake(d);
		}
	}
	pthread_mutex_unlock(&d->lock);
}

void display_cursor(struct display *d, struct display_source *s, const struct display_cursor *c)
{
	pthread_mutex_lock(&d->lock);
	if (c || d->pointer == s)
		display_point(d, s, c);
	pthread_mutex_unlock(&d->lock);
}

/* Viewers */

void display_viewer_add(struct display *d, struct display_viewer *v)
{
	v->waiting = false;
	pthread_mutex_lock(&d->lock);
	list_add_tail(&v->node, &d->viewers);
	pthread_mutex_unlock(&d->lock);
}

void display_viewer_del(struct display *d, struct display_viewer *v)
{
	pthread_mutex_lock(&d->lock);
	list_del(&v->node);
	pthread_mutex_unlock(&d->lock);
}

/* busy held, which keeps sources from going. */
static void display_refresh_head(struct display *d, unsigned int head)
{
	struct head *h = &d->head[head];
	struct display_source *s;
	struct rect r;
	bool all;

	pthread_mutex_lock(&d->lock);
	s = h->source;
	r = h->noted;
	all = h->all;
	if (s && (s->polled || all))
		r = (struct rect) { 0, 0, h->width, h->height };
	h->noted.width = 0;
	h->all = false;
	pthread_mutex_unlock(&d->lock);
	if (s && r.width)
		s->refresh(s, head, &r, all);
}

u64 display_refresh(struct display *d)
{
	u64 change;

	pthread_mutex_lock(&d->busy);
	for (unsigned int i = 0; i < DISPLAY_HEADS; i++)
		display_refresh_head(d, i);
	pthread_mutex_lock(&d->lock);
	change = d->change;
	pthread_mutex_unlock(&d->lock);
	pthread_mutex_unlock(&d->busy);
	return change;
}

bool display_wait(struct display *d, struct display_viewer *v, u64 seen)
{
	bool polled = false, now;

	pthread_mutex_lock(&d->lock);
	now = d->change != seen;
	for (unsigned int i = 0; i < DISPLAY_HEADS; i++) {
		const struct head *h = &d->head[i];

		now |= h->source && h->noted.width;
		polled |= h->source && h->source->polled;
	}
	v->waiting = !now;
	if (now)
		v->changed(v);
	pthread_mutex_unlock(&d->lock);
	return polled;
}

bool display_size(struct display *d, unsigned int head, u64 seen, u32 *width, u32 *height)
{
	bool changed;

	pthread_mutex_lock(&d->lock);
	*width = d->head[head].width;
	*height = d->head[head].height;
	changed = d->head[head].sized > seen;
	pthread_mutex_unlock(&d->lock);
	return changed;
}

/* Add a run of @width tiles at @x, @y to the @nr rectangles: below one that is as wide, or as a new one. */
static bool damage_add(struct rect *r, unsigned int *nr, unsigned int max, u32 x, u32 y, u32 width)
{
	for (unsigned int i = *nr; i-- > 0; ) {
		if (r[i].x == x && r[i].width == width && r[i].y + r[i].height == y) {
			r[i].height++;
			return true;
		}
	}
	if (*nr == max)
		return false;
	r[(*nr)++] = (struct rect) { x, y, width, 1 };
	return true;
}

/* In tiles, not in pixels. False: there are more than @max. */
static bool head_damage(const struct head *h, u64 seen, struct rect *r, unsigned int *nr, unsigned int max)
{
	for (u32 y = 0; y < h->down; y++) {
		const u64 *tile = h->tile + (size_t)y * h->across;

		for (u32 x = 0; x < h->across; x++) {
			u32 start = x;

			while (x < h->across && tile[x] > seen)
				x++;
			if (x > start && !damage_add(r, nr, max, start, y, x - start))
				return false;
		}
	}
	return true;
}

unsigned int display_damage(struct display *d, unsigned int head, u64 seen, struct rect *r, unsigned int max)
{
	const struct head *h = &d->head[head];
	unsigned int nr = 0;

	pthread_mutex_lock(&d->lock);
	if (!head_damage(h, seen, r, &nr, max)) {
		r[0] = (struct rect) { 0, 0, h->across, h->down };
		nr = 1;
	}
	for (unsigned int i = 0; i < nr; i++) {
		struct rect pixels = { r[i].x * DISPLAY_TILE, r[i].y * DISPLAY_TILE, r[i].width * DISPLAY_TILE,
				       r[i].height * DISPLAY_TILE };

		head_cut(h, &pixels, &r[i]);
	}
	pthread_mutex_unlock(&d->lock);
	return nr;
}

bool display_read(struct display *d, unsigned int head, const struct rect *r, u32 *dst, size_t stride)
{
	const struct head *h = &d->head[head];
	struct rect cut;
	bool good;

	pthread_mutex_lock(&d->lock);
	good = head_cut(h, r, &cut) && cut.width == r->width && cut.height == r->height;
	for (u32 i = 0; good && i < r->height; i++)
		memcpy(dst + i * stride, h->pixel + (size_t)(r->y + i) * h->width + r->x, r->width * sizeof(*dst));
	pthread_mutex_unlock(&d->lock);
	return good;
}

bool display_read_cursor(struct display *d, u64 seen, struct display_cursor *c)
{
	bool changed;

	pthread_mutex_lock(&d->lock);
	changed = d->cursored > seen;
	if (changed)
		*c = d->cursor;
	pthread_mutex_unlock(&d->lock);
	return changed;
}

int display_resize(struct display *d, unsigned int head, u32 width, u32 height)
{
	struct display_source *s;
	int ret = -ENOTSUP;

	if (!width || !height || width > DISPLAY_SIDE_MAX || height > DISPLAY_SIDE_MAX ||
	    (u64)width * height > DISPLAY_PIXELS_MAX)
		return -EINVAL;
	pthread_mutex_lock(&d->busy);
	list_for_each_entry(s, &d->sources, node) {
		if (s->resize && head < s->heads) {
			ret = s->resize(s, head, width, height);
			break;
		}
	}
	pthread_mutex_unlock(&d->busy);
	return ret;
}
