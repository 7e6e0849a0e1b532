// SPDX-License-Identifier: GPL-2.0
/* From people to the guest's keyboards and pointers: see kvm/input.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/config.h>
#include <kvm/device.h>
#include <kvm/input.h>
#include <kvm/loop.h>
#include <kvm/vm.h>

struct inputs {
	pthread_mutex_t lock;
	struct list_head sinks;
	struct input_sink *current[INPUT_SINK_KINDS];	/* they get events; NULL: nobody does */
	unsigned int leds;
	struct list_head watch, taken;			/* struct input_wait */
};

static bool key_test(const u8 *set, unsigned int code)
{
	return set[code / 8] & 1U << code % 8;
}

static void key_assign(u8 *set, unsigned int code, bool on)
{
	u8 bit = 1U << code % 8;

	set[code / 8] = on ? set[code / 8] | bit : set[code / 8] & ~bit;
}

/* Who waits */

static void inputs_tell(struct list_head *waits)
{
	struct input_wait *w;

	list_for_each_entry(w, waits, node)
		loop_post(w->loop, w->work);
}

/* All that was typed has been taken, or never will be. */
static void inputs_taken(struct inputs *in)
{
	struct input_wait *w, *next;

	inputs_tell(&in->taken);
	list_for_each_entry_safe(w, next, &in->taken, node)
		list_del_init(&w->node);
}

static void inputs_settled(struct inputs *in)
{
	struct input_sink *keys = in->current[INPUT_SINK_KEYS];

	if (!keys || (!keys->nr && !keys->lost))
		inputs_taken(in);
}

void input_watch_leds(struct inputs *in, struct input_wait *w)
{
	pthread_mutex_lock(&in->lock);
	list_add_tail(&w->node, &in->watch);
	pthread_mutex_unlock(&in->lock);
}

void input_wait_taken(struct inputs *in, struct input_wait *w)
{
	pthread_mutex_lock(&in->lock);
	list_add_tail(&w->node, &in->taken);
	inputs_settled(in);
	pthread_mutex_unlock(&in->lock);
}

void input_unwait(struct inputs *in, struct input_wait *w)
{
	pthread_mutex_lock(&in->lock);
	list_del_init(&w->node);
	pthread_mutex_unlock(&in->lock);
	loop_unpost(w->loop, w->work);
}

/* A sink: the lock is held */

static void sink_forget(struct input_sink *s)
{
	s->nr = 0;
	s->lost = false;
	memset(s->wanted, 0, sizeof(s->wanted));
}

/* It gets no more events, though its driver is there: nothing stays down. */
static void sink_leave(struct input_sink *s)
{
	sink_forget(s);
	if (s->kind == INPUT_SINK_KEYS) {
		s->lost = true;
		s->wake(s);
	}
}

static void inputs_choose(struct inputs *in, enum input_kind kind)
{
	struct input_sink *s, *best = NULL, *old = in->current[kind];

	list_for_each_entry(s, &in->sinks, node)
		if (s->kind == kind && s->ready && (!best || s->rank > best->rank))
			best = s;
	if (best == old)
		return;
	in->current[kind] = best;
	if (old && old->ready)
		sink_leave(old);
	if (kind == INPUT_SINK_KEYS)
		inputs_settled(in);
}

static void sink_put_key(struct input_sink *s, unsigned int code, bool down)
{
	bool was = key_test(s->wanted, code);

	/* The release of what another sink had, or a repetition that would only fill the queue. */
	if (!was && !down)
		return;
	if (was && down && s->nr)
		return;
	key_assign(s->wanted, code, down);
	if (s->nr == INPUT_KEY_QUEUE)
		s->lost = true;
	else
		s->key[(s->pos + s->nr++) % INPUT_KEY_QUEUE] = code | (down ? INPUT_KEY_DOWN : 0);
	s->wake(s);
}

static void sink_put_point(struct input_sink *s, const struct input_point *p)
{
	struct input_point *last = &s->point[(s->pos + s->nr - 1) % INPUT_POINTER_QUEUE];
	bool same = s->nr && last->buttons == p->buttons && !last->wheel && !p->wheel;
	int wheel = s->nr == INPUT_POINTER_QUEUE ? last->wheel : 0;

	if (!same && s->nr < INPUT_POINTER_QUEUE)
		last = &s->point[(s->pos + s->nr++) % INPUT_POINTER_QUEUE];
	*last = *p;
	last->wheel = max(min(wheel + p->wheel, 127), -127);
	s->wake(s);
}

static bool sink_queued_key(struct input_sink *s, unsigned int *code, bool *down)
{
	while (s->nr) {
		u16 event = s->key[s->pos];

		s->pos = (s->pos + 1) % INPUT_KEY_QUEUE;
		s->nr--;
		*code = event & ~INPUT_KEY_DOWN;
		*down = event & INPUT_KEY_DOWN;
		/* Not the release of a key whose press was dropped. */
		if (*down || key_test(s->told, *code))
			return true;
	}
	return false;
}

/* The release of a key that was dropped. A press is not made up for: it would come out of order. */
static bool sink_lost_key(struct input_sink *s, unsigned int *code, bool *down)
{
	unsigned int i;

	for (i = 0; s->lost && i < INPUT_KEYS; i++) {
		if (!key_test(s->told, i) || key_test(s->wanted, i))
			continue;
		*code = i;
		*down = false;
		return true;
	}
	s->lost = false;
	return false;
}

/* Sources */

void input_key(struct inputs *in, unsigned int code, bool down)
{
	if (!code || code >= INPUT_KEYS)
		return;
	pthread_mutex_lock(&in->lock);
	if (in->current[INPUT_SINK_KEYS])
		sink_put_key(in->current[INPUT_SINK_KEYS], code, down);
	pthread_mutex_unlock(&in->lock);
}

void input_pointer(struct inputs *in, unsigned int x, unsigned int y, unsigned int buttons, int wheel)
{
	struct input_point p = {
		.x = min(x, (unsigned int)INPUT_POINTER_MAX), .y = min(y, (unsigned int)INPUT_POINTER_MAX),
		.buttons = buttons & INPUT_BUTTONS, .wheel = max(min(wheel, 127), -127),
	};

	pthread_mutex_lock(&in->lock);
	if (in->current[INPUT_SINK_POINTER])
		sink_put_point(in->current[INPUT_SINK_POINTER], &p);
	pthread_mutex_unlock(&in->lock);
}

unsigned int input_leds(struct inputs *in)
{
	unsigned int leds;

	pthread_mutex_lock(&in->lock);
	leds = in->leds;
	pthread_mutex_unlock(&in->lock);
	return leds;
}

bool input_has_keyboard(struct inputs *in)
{
	bool has;

	pthread_mutex_lock(&in->lock);
	has = in->current[INPUT_SINK_KEYS];
	pthread_mutex_unlock(&in->lock);
	return has;
}

int inputs_new(struct inputs **out)
{
	struct inputs *in = calloc(1, sizeof(*in));

	if (!in)
		return -ENOMEM;
	pthread_mutex_init(&in->lock, NULL);
	INIT_LIST_HEAD(&in->sinks);
	INIT_LIST_HEAD(&in->watch);
	INIT_LIST_HEAD(&in->taken);
	*out = in;
	return 0;
}

void inputs_free(struct inputs *in)
{
	if (in)
		pthread_mutex_destroy(&in->lock);
	free(in);
}

/* Sinks */

void input_sink_ready(struct input_sink *s, bool ready)
{
	struct inputs *in = s->in;

	if (!in)
		return;
	pthread_mutex_lock(&in->lock);
	s->ready = ready;
	sink_forget(s);
	memset(s->told, 0, sizeof(s->told));
	inputs_choose(in, s->kind);
	if (s->kind == INPUT_SINK_KEYS)
		inputs_settled(in);
	pthread_mutex_unlock(&in->lock);
}

void input_sink_loaded(struct input_sink *s)
{
	if (!s->in)
		return;
	pthread_mutex_lock(&s->in->lock);
	s->lost = true;
	s->wake(s);
	pthread_mutex_unlock(&s->in->lock);
}

bool input_sink_key(struct input_sink *s, unsigned int *code, bool *down)
{
	bool got;

	if (!s->in)
		return false;
	pthread_mutex_lock(&s->in->lock);
	got = sink_queued_key(s, code, down) || sink_lost_key(s, code, down);
	if (got)
		key_assign(s->told, *code, *down);
	inputs_settled(s->in);
	pthread_mutex_unlock(&s->in->lock);
	return got;
}

bool input_sink_point(struct input_sink *s, struct input_point *point)
{
	bool got;

	if (!s->in)
		return false;
	pthread_mutex_lock(&s->in->lock);
	got = s->nr;
	if (got) {
		*point = s->point[s->pos];
		s->pos = (s->pos + 1) % INPUT_POINTER_QUEUE;
		s->nr--;
	}
	pthread_mutex_unlock(&s->in->lock);
	return got;
}

void input_sink_leds(struct input_sink *s, unsigned int leds)
{
	struct inputs *in = s->in;

	if (!in)
		return;
	pthread_mutex_lock(&in->lock);
	leds &= INPUT_LEDS;
	if (s == in->current[INPUT_SINK_KEYS] && leds != in->leds) {
		in->leds = leds;
		inputs_tell(&in->watch);
	}
	pthread_mutex_unlock(&in->lock);
}

static void sink_gone(void *arg)
{
	struct input_sink *s = arg;

	input_sink_ready(s, false);
	pthread_mutex_lock(&s->in->lock);
	list_del(&s->node);
	pthread_mutex_unlock(&s->in->lock);
	s->in = NULL;
}

int dev_input(struct device *dev, struct input_sink *s)
{
	struct inputs *in = dev->vm->cfg ? dev->vm->cfg->inputs : NULL;

	if (!in)
		return 0;
	pthread_mutex_lock(&in->lock);
	s->in = in;
	list_add_tail(&s->node, &in->sinks);
	pthread_mutex_unlock(&in->lock);
	return dev_defer(dev, sink_gone, s);
}
