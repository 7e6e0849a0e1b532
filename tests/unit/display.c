// SPDX-License-Identifier: GPL-2.0
/* The screen: sources, damage, and viewers that wait. */
#include <errno.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/display.h>

#include "tap.h"

#define W 100
#define H 40

struct source {
	struct display_source s;
	struct display *d;
	u32 picture[W * H];
	unsigned int asked;
	struct rect last;
	bool all;
	u32 width, height;
};

struct viewer {
	struct display_viewer v;
	unsigned int woken;
};

static void draw(struct display_source *s, unsigned int head, const struct rect *r, bool all)
{
	struct source *src = container_of(s, struct source, s);

	src->asked++;
	src->last = *r;
	src->all = all;
	display_write(src->d, s, head, r, src->picture + r->y * W + r->x, W * 4, DISPLAY_XRGB8888);
}

static int resize(struct display_source *s, unsigned int head, u32 width, u32 height)
{
	struct source *src = container_of(s, struct source, s);

	src->width = width;
	src->height = height;
	return head ? -EIO : 0;
}

static void changed(struct display_viewer *v)
{
	container_of(v, struct viewer, v)->woken++;
}

static void source_add(struct display *d, struct source *src)
{
	src->d = d;
	src->s.heads = 2;
	src->s.refresh = draw;
	display_source_add(d, &src->s);
}

static struct display *screen(struct source *src)
{
	struct display *d;

	CHECK_EQ(display_new(&d), 0);
	source_add(d, src);
	CHECK_EQ(display_set(d, &src->s, 0, W, H), 0);
	return d;
}

static u32 pixel(struct display *d, u32 x, u32 y)
{
	struct rect r = { x, y, 1, 1 };
	u32 val = 1;

	CHECK(display_read(d, 0, &r, &val, 1));
	return val;
}

TEST(damage_is_what_differs)
{
	struct source src = { 0 };
	struct display *d = screen(&src);
	struct rect r[8], all = { 0, 0, W, H };
	u64 seen = display_refresh(d);

	CHECK(src.all && src.last.width == W && src.last.height == H);
	CHECK_EQ(display_damage(d, 0, 0, r, 8), 1);
	CHECK(r[0].width == W && r[0].height == H);
	CHECK_EQ(display_damage(d, 0, seen, r, 8), 0);

	/* One pixel, in a source that says that everything may have changed. */
	src.picture[20 * W + 99] = 0xff123456;
	display_changed(d, &src.s, 0, &all);
	CHECK_EQ(display_damage(d, 0, seen, r, 8), 0);
	display_refresh(d);
	CHECK(!src.all);
	CHECK_EQ(display_damage(d, 0, seen, r, 8), 1);
	CHECK(r[0].x == 96 && r[0].y == 16 && r[0].width == 4 && r[0].height == 16);
	CHECK_EQ(pixel(d, 99, 20), 0x123456);

	/* The same again is no change. */
	seen = display_refresh(d);
	display_changed(d, &src.s, 0, &all);
	CHECK_EQ(display_refresh(d), seen);
	display_source_del(d, &src.s);
	display_free(d);
}

TEST(damage_is_bounded)
{
	struct source src = { 0 };
	struct display *d = screen(&src);
	struct rect r[8], all = { 0, 0, W, H };
	u64 seen = display_refresh(d);

	/* Tiles in a chessboard, then a column that is one rectangle. */
	for (u32 y = 0; y < H; y += 16)
		for (u32 x = y % 32; x < W; x += 32)
			src.picture[y * W + x] = 1;
	display_changed(d, &src.s, 0, &all);
	display_refresh(d);
	CHECK_EQ(display_damage(d, 0, seen, r, 8), 1);
	CHECK(r[0].x == 0 && r[0].y == 0 && r[0].width == W && r[0].height == H);
	seen = display_refresh(d);
	for (u32 y = 0; y < H; y++)
		src.picture[y * W + 40] = 7;
	display_changed(d, &src.s, 0, &all);
	display_refresh(d);
	CHECK_EQ(display_damage(d, 0, seen, r, 8), 1);
	CHECK(r[0].x == 32 && r[0].y == 0 && r[0].width == 16 && r[0].height == H);
	display_free(d);
}

TEST(source_is_asked_for_what_changed)
{
	struct source src = { 0 };
	struct display *d = screen(&src);
	struct rect a = { 1, 2, 3, 4 }, b = { 50, 30, 1000, 1000 };

	display_refresh(d);
	CHECK_EQ(src.asked, 1);
	display_refresh(d);
	CHECK_EQ(src.asked, 1);
	display_changed(d, &src.s, 0, &a);
	display_changed(d, &src.s, 0, &b);
	display_changed(d, &src.s, 1, &a);
	display_refresh(d);
	CHECK_EQ(src.asked, 2);
	CHECK(src.last.x == 1 && src.last.y == 2 && src.last.width == W - 1 && src.last.height == H - 2);
	src.s.polled = true;
	display_refresh(d);
	CHECK_EQ(src.asked, 3);
	CHECK(!src.all && src.last.width == W && src.last.height == H);
	display_free(d);
}

TEST(viewer_is_woken_once)
{
	struct source src = { 0 };
	struct display *d = screen(&src);
	struct viewer v = { .v.changed = changed };
	struct rect r = { 0, 0, 1, 1 };
	u64 seen = display_refresh(d);

	display_viewer_add(d, &v.v);
	display_changed(d, &src.s, 0, &r);
	CHECK_EQ(v.woken, 0);
	/* There is something already. */
	CHECK(!display_wait(d, &v.v, seen));
	CHECK_EQ(v.woken, 1);
	seen = display_refresh(d);
	display_wait(d, &v.v, seen);
	CHECK_EQ(v.woken, 1);
	display_changed(d, &src.s, 0, &r);
	display_changed(d, &src.s, 0, &r);
	CHECK_EQ(v.woken, 2);
	src.s.polled = true;
	CHECK(display_wait(d, &v.v, seen));
	display_viewer_del(d, &v.v);
	display_free(d);
}

TEST(newest_source_is_shown)
{
	struct source old = { 0 }, new = { 0 };
	struct display *d = screen(&old);
	u32 w, h;
	u64 seen;

	for (u32 i = 0; i < W * H; i++) {
		old.picture[i] = 1;
		new.picture[i] = 2;
	}
	seen = display_refresh(d);
	source_add(d, &new);
	CHECK(!display_size(d, 0, seen, &w, &h));
	CHECK_EQ(display_set(d, &new.s, 0, 50, 20), 0);
	CHECK(display_size(d, 0, seen, &w, &h));
	CHECK(w == 50 && h == 20);
	CHECK_EQ(pixel(d, 0, 0), 0);
	display_refresh(d);
	CHECK_EQ(pixel(d, 0, 0), 2);
	/* The older one sets its size, and draws: nothing of it is to be seen yet. */
	CHECK_EQ(display_set(d, &old.s, 0, 10, 10), 0);
	display_write(d, &old.s, 0, &(struct rect) { 0, 0, 1, 1 }, old.picture, 4, DISPLAY_XRGB8888);
	CHECK_EQ(pixel(d, 0, 0), 2);
	CHECK_EQ(display_set(d, &new.s, 0, 0, 0), 0);
	display_size(d, 0, 0, &w, &h);
	CHECK(w == 10 && h == 10);
	display_refresh(d);
	CHECK(old.all);
	CHECK_EQ(pixel(d, 0, 0), 1);
	display_source_del(d, &old.s);
	display_size(d, 0, 0, &w, &h);
	CHECK(!w && !h);
	display_free(d);
}

TEST(sizes_have_bounds)
{
	struct source src = { 0 };
	struct display *d = screen(&src);
	struct rect out = { 90, 0, 11, 1 }, far = { ~0U, ~0U, ~0U, ~0U }, none = { 0 };
	u32 row[16], w, h;

	CHECK_EQ(display_set(d, &src.s, 2, 10, 10), -EINVAL);
	CHECK_EQ(display_set(d, &src.s, 0, 0, 10), -EINVAL);
	CHECK_EQ(display_set(d, &src.s, 0, 8193, 1), -EINVAL);
	CHECK_EQ(display_set(d, &src.s, 0, 8192, 2049), -EINVAL);
	CHECK(!display_read(d, 0, &out, row, 16));
	CHECK(!display_read(d, 0, &far, row, 16));
	CHECK(!display_read(d, 0, &none, row, 16));
	CHECK(!display_read(d, 3, &out, row, 16));
	display_write(d, &src.s, 0, &far, row, 4, DISPLAY_XRGB8888);
	display_changed(d, &src.s, 0, &far);
	display_size(d, 0, 0, &w, &h);
	CHECK(w == W && h == H);
	CHECK_EQ(display_resize(d, 0, 640, 480), -ENOTSUP);
	src.s.resize = resize;
	CHECK_EQ(display_resize(d, 0, 0, 480), -EINVAL);
	CHECK_EQ(display_resize(d, 0, 640, 480), 0);
	CHECK(src.width == 640 && src.height == 480);
	CHECK_EQ(display_resize(d, 1, 640, 480), -EIO);
	CHECK_EQ(display_resize(d, 2, 640, 480), -ENOTSUP);
	display_free(d);
}

TEST(formats)
{
	static const struct { enum display_format format; u8 byte[4]; } one[] = {
		{ DISPLAY_XRGB8888, { 0x56, 0x34, 0x12, 0xff } }, { DISPLAY_XBGR8888, { 0x12, 0x34, 0x56, 0xff } },
		{ DISPLAY_RGBX8888, { 0xff, 0x56, 0x34, 0x12 } }, { DISPLAY_BGRX8888, { 0xff, 0x12, 0x34, 0x56 } },
		{ DISPLAY_RGB888, { 0x56, 0x34, 0x12, 0xff } },
	};
	static const struct { enum display_format format; u16 in; u32 out; } packed[] = {
		{ DISPLAY_RGB565, 0xffff, 0xffffff }, { DISPLAY_RGB565, 0xf800, 0xff0000 },
		{ DISPLAY_RGB565, 0x07e0, 0x00ff00 }, { DISPLAY_RGB565, 0x001f, 0x0000ff },
		{ DISPLAY_XRGB1555, 0xffff, 0xffffff }, { DISPLAY_XRGB1555, 0x7c00, 0xff0000 },
		{ DISPLAY_XRGB1555, 0x03e0, 0x00ff00 }, { DISPLAY_XRGB1555, 0x001f, 0x0000ff },
		{ DISPLAY_RGB565, 0x8410, 0x848284 },
	};
	struct source src = { 0 };
	struct display *d = screen(&src);
	struct rect r = { 3, 3, 1, 1 };

	for (unsigned int i = 0; i < ARRAY_SIZE(one); i++) {
		display_write(d, &src.s, 0, &r, (u32[1]) { 0 }, 4, one[i].format);
		display_write(d, &src.s, 0, &r, one[i].byte, 4, one[i].format);
		CHECK_EQ(pixel(d, 3, 3), 0x123456);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(packed); i++) {
		display_write(d, &src.s, 0, &r, &packed[i].in, 2, packed[i].format);
		CHECK_EQ(pixel(d, 3, 3), packed[i].out);
	}
	CHECK_EQ(display_format_bytes(DISPLAY_RGB888), 3);
	display_free(d);
}

TEST(pointer)
{
	static struct display_cursor c = { .width = 64, .height = 64, .hot_x = 63 }, out;
	struct source src = { 0 }, other = { 0 };
	struct display *d = screen(&src);
	u64 seen = display_refresh(d);

	source_add(d, &other);
	CHECK(!display_read_cursor(d, seen, &out));
	CHECK(display_read_cursor(d, 0, &out) && !out.width);
	c.pixel[5] = 0x80402010;
	display_cursor(d, &src.s, &c);
	CHECK(display_read_cursor(d, seen, &out));
	CHECK(!memcmp(&c, &out, sizeof(c)));
	seen = display_refresh(d);
	display_cursor(d, &src.s, &c);
	display_cursor(d, &other.s, NULL);
	CHECK_EQ(display_refresh(d), seen);
	/* Out of bounds: none. */
	c.hot_y = 64;
	display_cursor(d, &src.s, &c);
	CHECK(display_read_cursor(d, seen, &out) && !out.width);
	c.hot_y = 0;
	display_cursor(d, &src.s, &c);
	seen = display_refresh(d);
	display_source_del(d, &src.s);
	CHECK(display_read_cursor(d, seen, &out) && !out.width);
	display_free(d);
}
