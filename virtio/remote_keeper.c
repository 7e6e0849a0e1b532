// SPDX-License-Identifier: GPL-2.0
/*
 * The other side of remote.h. The keeper is forked while its device is made: before the machine
 * has threads, and before it is confined. It forgets the machine, has the device open what it
 * serves, and confines itself to that. A server is a fork of it, so each driver begins with a
 * device that nobody has used. The server runs the queues as virtio/queue.c does in any machine,
 * on RAM that it maps from the file of the machine's.
 *
 * Descriptors 0 to 2 are no terminal's: 0 is the eventfd by which the machine has the server
 * killed, 1 and 2 are the socket, so that all messages end up with the machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/confine.h>
#include <kvm/guard.h>
#include <kvm/irq.h>
#include <kvm/vcpu.h>
#include <kvm/virtio.h>
#include <kvm/vm.h>
#include <kvm/wait.h>

#include "queue.h"
#include "remote.h"

#define KEEPER_KILL	STDIN_FILENO
#define KEEPER_SOCK	STDERR_FILENO

#define SERVER_FAILED	1
#define SERVER_VIOLATED	125

static void keeper_say(enum remote_type type)
{
	const struct remote_msg msg = { .type = type };

	remote_send(KEEPER_SOCK, &msg, REMOTE_BARE, NULL, 0, 0);
}

/* The server */

struct server {
	struct virtio_dev *dev;
	struct irq *irq;		/* [nr_vqs]: only their descriptors are used */
};

struct server_irq {
	struct server *s;
	struct vq *vq;
	int fd;
};

static void server_config_irq(struct virtio_dev *dev)
{
	if (virtio_is_broken(dev))
		keeper_say(REMOTE_BROKEN);
}

/* On the queue's thread: nobody uses the old descriptor. */
static void server_set_irq(void *arg)
{
	struct server_irq *call = arg;
	struct irq *irq = &call->s->irq[call->vq->index];

	if (call->vq->irq)
		close(irq->fd);
	irq->fd = call->fd;
	call->vq->irq = call->fd >= 0 ? irq : NULL;
}

static void server_irq(struct server *s, const struct remote_msg *msg, const int *fd, unsigned int nr)
{
	struct server_irq call = { .s = s, .fd = msg->irq.has && nr ? fd[0] : -1 };

	if (msg->irq.queue >= s->dev->nr_vqs)
		return;
	call.vq = &s->dev->vq[msg->irq.queue];
	loop_call(call.vq->loop, server_set_irq, &call);
}

static int server_memory(struct virtio_dev *dev, const struct remote_msg *msg, int fd)
{
	struct vm *vm = dev->dev.vm;
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < msg->start.nr_regions; i++) {
		const struct remote_region *r = &msg->start.region[i];
		struct mem_region region = { .gpa = r->gpa, .len = r->len, .off = r->off, .use = r->use, .fd = fd };

		ret = mem_insert(&vm->mem, &vm->ram, &region);
	}
	return ret;
}

/* Queues with the machine's doorbells and interrupts. False: the message is none of a machine's. */
static bool server_queues(struct server *s, const struct remote_msg *msg, const int *fd, unsigned int nr)
{
	struct virtio_dev *dev = s->dev;
	unsigned int q, next = 1;

	for (q = 0; q < dev->nr_vqs; q++) {
		const struct remote_queue *from = &msg->start.queue[q];
		struct vq *vq = &dev->vq[q];

		if (!from->enabled)
			continue;
		if (next + !!from->call >= nr)
			return false;
		close(vq->kick_fd);
		vq->kick_fd = vq->kick.fd = fd[next++];
		vq->irq = from->call ? &s->irq[q] : NULL;
		if (from->call)
			s->irq[q].fd = fd[next++];
		vq->size = from->size;
		vq->desc_gpa = from->desc;
		vq->avail_gpa = from->avail;
		vq->used_gpa = from->used;
		vq->enabled = true;
	}
	return true;
}

static int server_start(struct server *s, const struct remote_msg *msg, const int *fd, unsigned int nr)
{
	struct virtio_dev *dev = s->dev;
	int ret;

	if (!nr || msg->start.nr_queues != dev->nr_vqs || msg->start.nr_regions > REMOTE_REGIONS_MAX)
		return -EPROTO;
	s->irq = calloc(dev->nr_vqs, sizeof(*s->irq));
	ret = s->irq ? server_memory(dev, msg, fd[0]) : -ENOMEM;
	close(fd[0]);
	if (!ret)
		ret = queues_new(dev);
	if (!ret && !server_queues(s, msg, fd, nr))
		ret = -EPROTO;
	if (ret)
		return ret;
	dev->config_irq = server_config_irq;
	dev->driver_features = msg->start.features;
	queues_start(dev);
	return 0;
}

static void server_run(struct server *s)
{
	struct remote_msg msg;
	int fd[REMOTE_FDS_MAX];
	unsigned int nr;

	while (remote_recv(KEEPER_SOCK, &msg, fd, &nr, 0) > 0) {
		switch (msg.type) {
		case REMOTE_STOP:
			/* The machine does not wait for ever, and has this process killed. */
			while (!queues_stop(s->dev, WAIT_S(1)))
				;
			return;
		case REMOTE_HOLD:
			if (!virtio_hold(s->dev))
				keeper_say(REMOTE_HELD);
			break;
		case REMOTE_RELEASE:
			if (s->dev->holds)
				virtio_release(s->dev);
			break;
		case REMOTE_IRQ:
			server_irq(s, &msg, fd, nr);
			break;
		}
	}
}

static void server_main(struct virtio_dev *dev, pid_t keeper, const struct remote_msg *msg, const int *fd,
			unsigned int nr) __attribute__((noreturn));
static void server_main(struct virtio_dev *dev, pid_t keeper, const struct remote_msg *msg, const int *fd,
			unsigned int nr)
{
	struct server s = { .dev = dev };
	sigset_t none;
	int ret;

	close(KEEPER_KILL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != keeper)
		_exit(SERVER_FAILED);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	ret = confine_server(dev->dev.vm->cfg->confine);
	if (!ret)
		ret = server_start(&s, msg, fd, nr);
	if (ret) {
		dev_err(&dev->dev, ret, "its process cannot serve");
		_exit(SERVER_FAILED);
	}
	server_run(&s);
	_exit(0);
}

/* The keeper */

static void keeper_child(int sig)
{
	/* It interrupts ppoll(). */
}

/* Wait for the server; what waitpid() says of it. */
static int keeper_wait(pid_t pid)
{
	struct pollfd fd[] = { { .fd = KEEPER_SOCK }, { .fd = KEEPER_KILL, .events = POLLIN } };
	sigset_t none;
	int status;
	u64 count;

	sigemptyset(&none);
	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (ppoll(fd, ARRAY_SIZE(fd), NULL, &none) <= 0)
			continue;
		/* The machine has ended, or has it killed. */
		kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) != pid)
			;
		break;
	}
	/* An order that came too late is not for the next one. */
	if (read(KEEPER_KILL, &count, sizeof(count)) < 0)
		return status;
	return status;
}

static void keeper_serve(struct virtio_dev *dev, const struct remote_msg *msg, const int *fd, unsigned int nr)
{
	struct remote_msg gone = { .type = REMOTE_GONE };
	pid_t keeper = getpid(), pid = fork();
	unsigned int i;

	if (!pid)
		server_main(dev, keeper, msg, fd, nr);
	for (i = 0; i < nr; i++)
		close(fd[i]);
	gone.gone.status = pid < 0 ? -1 : keeper_wait(pid);
	remote_send(KEEPER_SOCK, &gone, REMOTE_LEN(gone), NULL, 0, 0);
}

static void keeper_violated(void)
{
	_exit(SERVER_VIOLATED);
}

/* Descriptors of the machine: all but 0 to 2. */
static void keeper_close(void)
{
	int fd, end = sysconf(_SC_OPEN_MAX);

#ifdef SYS_close_range
	if (!syscall(SYS_close_range, 3, UINT_MAX, 0))
		return;
#endif
	for (fd = 3; fd < end; fd++)
		close(fd);
}

/* The machine's memory that is shared with it, or with KVM. */
static void keeper_unmap(struct vm *vm)
{
	const struct mem_table *t = mem_table(&vm->mem);
	unsigned int i;

	for (i = 0; i < t->nr; i++)
		guard_unmap(t->region[i].hva, t->region[i].len);
	for (i = 0; i < vm->nr_vcpus; i++)
		guard_unmap(vm->vcpu[i]->run, vm->vcpu[i]->run_size);
	vm->nr_vcpus = 0;
	vm->mem = (struct mem) { .fd = -1 };
	undo_init(&vm->ram);
}

/* Everything of the machine goes. False: the host has no room. */
static bool keeper_forget(struct virtio_dev *dev, int sock, int kill)
{
	struct sigaction sa = { .sa_handler = keeper_child };
	sigset_t child;

	/* Not in the way of what comes to 0 to 2. */
	sock = fcntl(sock, F_DUPFD_CLOEXEC, 3);
	kill = fcntl(kill, F_DUPFD_CLOEXEC, 3);
	if (sock < 0 || kill < 0)
		return false;
	/* The terminal's signals are the machine's. */
	setsid();
	prctl(PR_SET_NAME, dev->dev.name);
	dup2(kill, KEEPER_KILL);
	dup2(sock, STDOUT_FILENO);
	dup2(sock, KEEPER_SOCK);
	confine_forked(dev->dev.vm->cfg->confine, keeper_violated);
	keeper_close();
	keeper_unmap(dev->dev.vm);
	sigaction(SIGCHLD, &sa, NULL);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_SETMASK, &child, NULL);
	/* What was kept for the next start has been closed. */
	dev->dev.unplugged = true;
	return true;
}

void keeper_main(struct virtio_dev *dev, int sock, int kill)
{
	struct remote_msg msg = { .type = REMOTE_READY };
	int fd[REMOTE_FDS_MAX];
	unsigned int nr;

	if (!keeper_forget(dev, sock, kill) || dev->ops->init(dev) ||
	    confine_keeper(dev->dev.vm->cfg->confine))
		_exit(SERVER_FAILED);
	msg.ready.features = dev->features;
	msg.ready.nr_queues = dev->nr_vqs;
	memcpy(msg.ready.config, dev->config, min((size_t)dev->ops->config_size, (size_t)REMOTE_CONFIG_MAX));
	remote_send(KEEPER_SOCK, &msg, REMOTE_LEN(ready), NULL, 0, 0);
	while (remote_recv(KEEPER_SOCK, &msg, fd, &nr, 0) > 0)
		if (msg.type == REMOTE_START)
			keeper_serve(dev, &msg, fd, nr);
	_exit(0);
}
