/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine's screen: up to four heads (monitors), each with a picture. Sources (a
 * framebuffer, a graphics card) draw, viewers (VNC, a screenshot) look. A source is asked
 * for what has changed only while somebody looks. Otherwise nothing is copied, and nobody
 * wakes up.
 *
 * The picture is the display's own copy. A viewer never reads the guest's memory, and is
 * as slow as it likes. Damage has no list: each tile of the picture has the number of the
 * change that it was part of, and a viewer asks for what came after the one that it has seen.
 *
 * A display outlives the machine (struct vm_config): viewers stay when the guest reboots.
 *
 * Locks: display->busy is held around refresh() and resize() of sources, display->lock is
 * a leaf for everything else. Neither function of a source may wait for the machine lock,
 * as display_source_del() is called with it. Unless it says otherwise a function may be
 * called by any thread, but not from refresh() or resize().
 */
#ifndef KVM_DISPLAY_H
#define KVM_DISPLAY_H

#include <linux/list.h>
#include <kvm/types.h>

#define DISPLAY_HEADS		4
#define DISPLAY_SIDE_MAX	8192	/* pixels of a side */
#define DISPLAY_PIXELS_MAX	(4096 * 4096)	/* of a head */
#define DISPLAY_TILE		16	/* pixels: damage is in such squares */
#define DISPLAY_CURSOR_SIDE	64

struct display;

struct rect {
	u32 x, y, width, height;	/* pixels, from the upper left corner */
};

/* Pixels of a source, by the bytes in memory: the names are DRM's, little-endian. */
enum display_format {
	DISPLAY_XRGB8888,	/* B, G, R, - : the format of pictures */
	DISPLAY_XBGR8888,	/* R, G, B, - */
	DISPLAY_RGBX8888,	/* -, B, G, R */
	DISPLAY_BGRX8888,	/* -, R, G, B */
	DISPLAY_RGB888,		/* B, G, R */
	DISPLAY_RGB565,		/* 16 bits: R the highest five */
	DISPLAY_XRGB1555,
	DISPLAY_FORMATS
};

/* Bytes of a pixel. */
unsigned int display_format_bytes(enum display_format format);

/* Embedded in the device that draws. */
struct display_source {
	const char *name;	/* for messages */
	unsigned int heads;	/* it may show heads 0 to this - 1 */
	bool polled;		/* only refresh() finds out what has changed */
	/*
	 * Call display_write() for what has changed in @r, which lies in the head's picture:
	 * what display_changed() named, all of it at first, and always all of it if the source
	 * is polled. @all: the picture is new, so everything is to be drawn.
	 */
	void (*refresh)(struct display_source *s, unsigned int head, const struct rect *r, bool all);
	/* A viewer wants this size, which is within bounds; 0 or -errno. NULL: the size is fixed. */
	int (*resize)(struct display_source *s, unsigned int head, u32 width, u32 height);
	/* private */
	struct list_head node;
	struct rect size[DISPLAY_HEADS];
};

/* A picture of a pointer, which a viewer may draw by itself. */
struct display_cursor {
	u32 width, height;	/* 1 to DISPLAY_CURSOR_SIDE; 0: there is none */
	u32 hot_x, hot_y;	/* where it points to, inside of it */
	u32 pixel[DISPLAY_CURSOR_SIDE * DISPLAY_CURSOR_SIDE];	/* ARGB8888, premultiplied, @width in a row */
};

/* 0 or -ENOMEM. Nobody uses it any more when it is freed. */
int display_new(struct display **out);
void display_free(struct display *d);

/* For sources */

/*
 * Add @s, which sets heads from now on. Of several sources with a picture for a head the
 * newest one is shown: a card in place of the framebuffer that the guest booted with.
 */
void display_source_add(struct display *d, struct display_source *s);
/* Its heads are off. refresh() is not called any more. */
void display_source_del(struct display *d, struct display_source *s);

/*
 * The picture of a head is so large from now on, and black; 0 x 0: off. 0, -EINVAL: too
 * large, or -ENOMEM; nothing has changed then. The next two functions are silent while
 * another source is shown. A rectangle is cut to the picture. These may be called from refresh().
 */
int display_set(struct display *d, struct display_source *s, unsigned int head, u32 width, u32 height);
/* There is something new in @r. Wakes viewers that wait, and is nearly free without. */
void display_changed(struct display *d, struct display_source *s, unsigned int head, const struct rect *r);
/* Draw: @src has the pixels of @r, its rows @stride bytes apart. Those that differ count as a change. */
void display_write(struct display *d, struct display_source *s, unsigned int head, const struct rect *r,
		   const void *src, size_t stride, enum display_format format);
/* The pointer's picture, which is copied; NULL: none. Viewers draw it where their user points to. */
void display_cursor(struct display *d, struct display_source *s, const struct display_cursor *c);

/* For viewers */

/* Embedded in one who waits for changes. */
struct display_viewer {
	/* Something has changed: called once for each display_wait(). With display->lock held: loop_post() and no more. */
	void (*changed)(struct display_viewer *v);
	/* private */
	struct list_head node;
	bool waiting;
};

void display_viewer_add(struct display *d, struct display_viewer *v);
void display_viewer_del(struct display *d, struct display_viewer *v);

/* Have all sources draw what is new. The number of the last change: what a viewer then has seen, if it reads all. */
u64 display_refresh(struct display *d);
/*
 * Have v->changed called when there is a change after @seen, at once if there is one. True: some
 * source is polled, so the viewer also has to call display_refresh() from time to time.
 */
bool display_wait(struct display *d, struct display_viewer *v, u64 seen);

/* The size of a head's picture, 0 x 0: it is off. False: it is the same as after change @seen. */
bool display_size(struct display *d, unsigned int head, u64 seen, u32 *width, u32 *height);
/*
 * What has changed in a head after @seen (0: all of it): rectangles that do not overlap, at most @max, which is
 * not 0. Their number. In place of more there is one that has them all.
 */
unsigned int display_damage(struct display *d, unsigned int head, u64 seen, struct rect *r, unsigned int max);
/*
 * Copy a part of the picture, XRGB8888 with - as 0, to @dst, whose rows are @stride pixels
 * apart. False: @r is not inside of the picture, which has another size by now.
 */
bool display_read(struct display *d, unsigned int head, const struct rect *r, u32 *dst, size_t stride);
/* The pointer's picture. False: it is the same as after change @seen (0: there is always one). */
bool display_read_cursor(struct display *d, u64 seen, struct display_cursor *c);

/*
 * Ask the newest source whose size is not fixed for another size of a head. 0, -EINVAL: out of bounds,
 * -ENOTSUP: there is no such source; -errno of the source.
 */
int display_resize(struct display *d, unsigned int head, u32 width, u32 height);

#endif
