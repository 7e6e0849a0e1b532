// SPDX-License-Identifier: GPL-2.0
/*
 * The gdb server: see kvm/gdb.h.
 *
 * The machine is a debugger's from its first packet on, and then stands still by
 * HOLD_DEBUG whenever the debugger thinks so ("all-stop"). A vCPU that meets a
 * breakpoint does so on its own thread, which may not wait for the others: it
 * notes the reason, takes the hold, and posts the rest to the main loop, which waits until
 * all vCPUs are out of the guest and only then tells the debugger. So registers
 * are read of vCPUs that stand still, and no packet but an interrupt is served
 * while any of them runs: KVM would answer only when it leaves the guest.
 *
 * Where a connection ends without a word, as where a debugger detaches, breakpoints
 * are taken out and the guest goes on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/life.h>
#include <kvm/log.h>
#include <kvm/vcpu.h>

#include "gdb_socket.h"
#include "gdb_stub.h"

/* End the connection, and release the machine. */
static void gdb_drop(struct gdb *g)
{
	gdb_peer_close(&g->peer);
	if (g->attached && g->running)
		gdb_hold(g);
	gdb_release(g);
}

static int gdb_attach(struct gdb *g)
{
	int ret;

	if (g->attached)
		return 0;
	ret = gdb_hold(g);
	if (ret) {
		gdb_go(g);
		return ret;
	}
	for (unsigned int i = 0; i < g->vm->nr_vcpus; i++)
		g->vcpu[i].stop = ARCH_STOP_NONE;
	g->vm->debugger = &g->debugger;
	g->attached = true;
	g->wait = g->swbreak = g->hwbreak = g->points.physical = false;
	g->current = 0;
	return 0;
}

static bool gdb_met(struct vm_debugger *debugger, struct vcpu *vcpu)
{
	struct gdb *g = container_of(debugger, struct gdb, debugger);
	int ret;

	if (!gdb_note(g, vcpu)) {
		if (vcpu->run->exit_reason != KVM_EXIT_DEBUG)
			return false;
		ret = arch_debug_reflect(vcpu, &g->vcpu[vcpu->index].set);
		if (ret)
			pr_debug("vCPU %u: its exception is lost: %s", vcpu->index, strerror(-ret));
		return false;
	}
	if (!g->attached)
		return true;
	vm_hold(g->vm, HOLD_DEBUG);
	for (unsigned int i = 0; i < g->vm->nr_vcpus; i++)
		vcpu_spare(g->vm->vcpu[i], HOLD_DEBUG, false);
	loop_post(g->vm->loop, &g->stopped);
	return true;
}

static void gdb_halt(struct gdb *g, unsigned int sig)
{
	if (gdb_hold(g))
		gdb_drop(g);
	else
		gdb_report(g, sig);
}

static void gdb_stopped(struct work *w)
{
	struct gdb *g = container_of(w, struct gdb, stopped);

	/* An interrupt of the debugger may have come first, and told the reason. */
	if (g->attached && g->running && gdb_has_stopped(g))
		gdb_halt(g, GDB_SIGTRAP);
}

/* The connection */

static void gdb_packet(void *obj, const char *data, size_t len)
{
	struct gdb *g = obj;

	/* No debugger asks for anything before it has heard that the machine has stopped. */
	if (g->running || gdb_attach(g))
		gdb_drop(g);
	else
		gdb_serve(g, data, len);
}

static void gdb_interrupt(void *obj)
{
	struct gdb *g = obj;

	if (g->attached && g->running)
		gdb_halt(g, GDB_SIGINT);
}

static void gdb_lost(void *obj)
{
	gdb_drop(obj);
}

static const struct gdb_peer_ops gdb_ops = {
	.packet = gdb_packet, .interrupt = gdb_interrupt, .lost = gdb_lost,
};

/* Edge-triggered: without a free descriptor a connection waits, and the loop does not spin. */
static void gdb_accept(struct watch *w, u32 events)
{
	struct gdb *g = container_of(w, struct gdb, listen);
	int fd;

	while ((fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		if (gdb_peer_is_open(&g->peer)) {
			close(fd);
			continue;
		}
		gdb_peer_open(&g->peer, fd);
		if (gdb_peer_attach(&g->peer, g->vm->loop))
			gdb_peer_close(&g->peer);
	}
}

/* Its life */

/* A server that listens nowhere yet. @where is its own from now on; NULL: out of memory. */
static struct gdb *gdb_new(char *where, const char *version)
{
	struct gdb *g = where ? calloc(1, sizeof(*g)) : NULL;

	if (!g) {
		free(where);
		return NULL;
	}
	g->where = where;
	g->listen = (struct watch) { .fd = -1, .fn = gdb_accept };
	g->version = version;
	g->peer.watch.fd = -1;
	g->peer.ops = &gdb_ops;
	g->peer.obj = g;
	g->stopped.fn = gdb_stopped;
	g->debugger.met = gdb_met;
	return g;
}

int gdb_open(struct gdb **out, const char *where, const char *version, bool wait, struct opt_err *err)
{
	char *text = NULL;
	int fd;

	*out = NULL;
	fd = gdb_listen(where, &text, err);
	if (fd < 0)
		return fd;
	*out = gdb_new(text, version);
	if (!*out) {
		gdb_unlisten(fd, where);
		snprintf(err->text, sizeof(err->text), "out of memory");
		return -ENOMEM;
	}
	(*out)->listen.fd = fd;
	(*out)->wait = wait;
	return 0;
}

int gdb_connected(struct gdb **out, int fd, const char *version, bool wait)
{
	*out = gdb_new(strdup("stdio"), version);
	if (!*out) {
		close(fd);
		return -ENOMEM;
	}
	(*out)->wait = wait;
	gdb_peer_open(&(*out)->peer, fd);
	return 0;
}

int gdb_adopt(struct gdb **out, int fd, const char *path, const char *version, struct opt_err *err)
{
	char *where = NULL;
	int ret = gdb_listens(fd);

	*out = NULL;
	if (ret) {
		close(fd);
		snprintf(err->text, sizeof(err->text), "a unix socket that listens and does not block is needed");
		return ret;
	}
	if (asprintf(&where, "unix:%s", path) < 0)
		where = NULL;
	*out = gdb_new(where, version);
	if (!*out) {
		close(fd);
		snprintf(err->text, sizeof(err->text), "out of memory");
		return -ENOMEM;
	}
	(*out)->listen.fd = fd;
	return 0;
}

void gdb_close(struct gdb *g)
{
	if (!g)
		return;
	if (g->attached)
		gdb_peer_send(&g->peer, "W00", strlen("W00"));
	gdb_peer_close(&g->peer);
	if (g->listen.fd >= 0)
		gdb_unlisten(g->listen.fd, g->where);
	free(g->where);
	free(g);
}

const char *gdb_address(const struct gdb *g)
{
	const char *colon = strchr(g->where, ':');

	return !strncmp(g->where, "unix:", 5) ? colon + 1 : g->where;
}

/* The machine is another one, of which the debugger knows nothing. */
static void gdb_restart(struct gdb *g)
{
	g->vm->debugger = &g->debugger;
	vm_hold(g->vm, HOLD_DEBUG);
	g->current = 0;
	if (!g->running)
		return;
	g->running = false;
	gdb_report(g, GDB_SIGTRAP);
}

int gdb_start(struct gdb *g, struct vm *vm)
{
	int ret = -ENOMEM;

	g->vm = vm;
	g->points.vm = vm;
	g->vcpu = calloc(vm->nr_vcpus, sizeof(*g->vcpu));
	if (g->vcpu)
		ret = g->listen.fd < 0 ? 0 : loop_add(vm->loop, &g->listen, EPOLLIN | EPOLLET);
	if (!ret)
		ret = gdb_peer_attach(&g->peer, vm->loop);
	if (ret) {
		pr_err("gdb: %s", strerror(-ret));
		return ret;
	}
	/* On the main loop the lock is held, and the server is a new one. */
	if (!g->attached && !g->wait)
		return 0;
	pthread_mutex_lock(&vm->lock);
	if (g->attached)
		gdb_restart(g);
	else
		vm_hold(vm, HOLD_DEBUG);
	pthread_mutex_unlock(&vm->lock);
	return 0;
}

void gdb_leave(struct gdb *g)
{
	if (!g->vm)
		return;
	gdb_peer_detach(&g->peer);
	if (g->listen.fd >= 0)
		loop_del(g->vm->loop, &g->listen);
	loop_unpost(g->vm->loop, &g->stopped);
	g->vm->debugger = NULL;
	/* RAM may live on: S3. */
	if (g->attached)
		gdb_points_clear(&g->points);
	free(g->vcpu);
	g->vcpu = NULL;
	g->vm = NULL;
}
