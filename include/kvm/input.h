/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What people type and point at, on its way to the guest. Sources (viewers, verbs of the
 * control socket) are on one side, devices on the other: each is a sink of keys or of
 * positions. Of the sinks that a driver of the guest listens to, the one of the highest
 * rank gets the events. So virtio-input is used once its driver is there, and the
 * keyboard controller before that.
 *
 * Each sink has a queue of fixed size, from which the device takes when the guest has
 * room. Keys that do not fit are dropped, but none stays down: those that the guest
 * believes to be down are released later. Positions that do not fit replace the last one.
 *
 * Functions may be called on any thread, with or without the machine lock, unless they say
 * otherwise. The lock within is taken before those of loops and after all others.
 */
#ifndef KVM_INPUT_H
#define KVM_INPUT_H

#include <pthread.h>

#include <linux/list.h>
#include <kvm/types.h>

#define INPUT_KEYS		0x300	/* codes of keys, KEY_... of linux/input-event-codes.h, are below */
#define INPUT_POINTER_MAX	32767	/* of x and y: the right or lower edge */
#define INPUT_KEY_QUEUE		1024	/* key events that wait, a power of two */
#define INPUT_POINTER_QUEUE	32	/* positions that wait */

/* Buttons. The first three are at their places in the Remote Framebuffer protocol, too. */
enum {
	INPUT_LEFT	= 1 << 0,
	INPUT_MIDDLE	= 1 << 1,
	INPUT_RIGHT	= 1 << 2,
	INPUT_SIDE	= 1 << 3,
	INPUT_EXTRA	= 1 << 4,
	INPUT_BUTTONS	= (1 << 5) - 1,
};

/* Lights of a keyboard: 1 << LED_... of linux/input-event-codes.h. */
enum {
	INPUT_NUM_LOCK	= 1 << 0,
	INPUT_CAPS_LOCK	= 1 << 1,
	INPUT_SCROLL_LOCK = 1 << 2,
	INPUT_LEDS	= (1 << 3) - 1,
};

struct device;
struct inputs;
struct loop;
struct work;

/* 0 or -ENOMEM. It outlives the machine, whose devices come and go. */
int inputs_new(struct inputs **out);
void inputs_free(struct inputs *in);	/* NULL is nothing */

/* Sources */

/* A key goes down, up, or down again (a repetition). A @code that is no key's does nothing. */
void input_key(struct inputs *in, unsigned int code, bool down);
/*
 * The pointer is at @x, @y, each from 0 to INPUT_POINTER_MAX, and @buttons are down. @wheel
 * counts its steps since the last call, > 0: away from the user.
 */
void input_pointer(struct inputs *in, unsigned int x, unsigned int y, unsigned int buttons, int wheel);
/* The lights, as the guest has set them: INPUT_... */
unsigned int input_leds(struct inputs *in);
/* Does any device take keys? */
bool input_has_keyboard(struct inputs *in);

/* For someone who waits: @work is posted to @loop. */
struct input_wait {
	struct list_head node;
	struct loop *loop;
	struct work *work;
};
/* Each time that the lights change. */
void input_watch_leds(struct inputs *in, struct input_wait *w);
/* Once: the guest has taken all keys that were typed so far, perhaps already. */
void input_wait_taken(struct inputs *in, struct input_wait *w);
/* Stop waiting; @w was given to one of these, and may have been posted. */
void input_unwait(struct inputs *in, struct input_wait *w);

/* Sinks */

enum input_kind { INPUT_SINK_KEYS, INPUT_SINK_POINTER, INPUT_SINK_KINDS };

struct input_point {
	u16 x, y;
	u8 buttons;
	s8 wheel;
};

struct input_sink {
	/* Set by the device, and constant. */
	enum input_kind kind;
	unsigned int rank;
	/* There is something to take. Called with a lock held: it only wakes somebody. */
	void (*wake)(struct input_sink *sink);
	/* Keys that the guest believes to be down: state of the device (kvm/state.h). */
	u8 told[INPUT_KEYS / 8];
	/* private */
	struct inputs *in;
	struct list_head node;
	bool ready;
	bool lost;			/* events were dropped: told and wanted may differ for good */
	u8 wanted[INPUT_KEYS / 8];	/* keys that are down */
	u16 key[INPUT_KEY_QUEUE];	/* events: a code, or INPUT_KEY_DOWN | code */
	struct input_point point[INPUT_POINTER_QUEUE];
	unsigned int pos, nr;		/* of one of these queues */
};
#define INPUT_KEY_DOWN	0x8000

/*
 * For init(): @sink is the machine's until @dev is gone. It is not ready. If nobody can type
 * (a machine in a test), it never gets an event. 0 or -errno with the message printed.
 */
int dev_input(struct device *dev, struct input_sink *sink);
/* Does somebody listen at the other end of the device? Without events that waited, and no key is down. */
void input_sink_ready(struct input_sink *sink, bool ready);
/* sink->told was loaded: keys that were down are released. */
void input_sink_loaded(struct input_sink *sink);
/* Take the next event; false: there is none. */
bool input_sink_key(struct input_sink *sink, unsigned int *code, bool *down);
bool input_sink_point(struct input_sink *sink, struct input_point *point);
/* The guest has set the lights, INPUT_... */
void input_sink_leds(struct input_sink *sink, unsigned int leds);

#endif
