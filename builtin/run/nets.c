// SPDX-License-Identifier: GPL-2.0
/*
 * -n: see nets.h. By default a Linux with the host's files has one card on the user-mode
 * network; other guests have none. Main thread, before the machine is made.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>

#include <kvm/builtin.h>
#include <kvm/initramfs.h>
#include <kvm/keep.h>
#include <kvm/log.h>
#include <kvm/modules.h>
#include <kvm/net.h>

#include "nets.h"

/* kvmtool's address of the first guest; others follow it. */
static const u8 nets_mac[NET_MAC] = { 0x02, 0x15, 0x15, 0x15, 0x15, 0x15 };

/* The wire that @arg means, malloc()ed: its mode may be said as mode=MODE. */
static char *nets_spec(const char *arg)
{
	const char *mode = strncmp(arg, "mode=", 5) ? arg : arg + 5;
	bool user = !strncmp(mode, "user", strcspn(mode, ",")) && strcspn(mode, ",") == 4;
	char *spec;

	/* A card that was asked for reaches the host's loopback at the gateway's address, as with kvmtool. */
	if (asprintf(&spec, "%s%s", mode, user && !strstr(mode, "host=") && !strstr(mode, "restrict") ?
		     ",host=loopback" : "") < 0)
		return NULL;
	return spec;
}

static int nets_check(void *obj, const char *arg, struct opt_err *err)
{
	struct run_nets *own = obj;
	char *spec = nets_spec(arg);
	const char **item;
	int ret = 0;

	if (!spec)
		return -ENOMEM;
	if (net_help(stdout, arg))
		exit(command_flush(0));
	if (strcmp(spec, "none"))
		ret = net_check(spec, err);
	free(spec);
	if (ret) {
		snprintf(err->text + strlen(err->text), sizeof(err->text) - strlen(err->text), "%s",
			 strstr(err->text, "there is no network") ? ", none" : "");
		return ret;
	}
	item = realloc(own->net.item, (own->net.nr + 1) * sizeof(*item));
	if (!item)
		return -ENOMEM;
	own->net.item = item;
	item[own->net.nr++] = arg;
	return 0;
}

static const struct opt pcap_opts[] = {
	OPT_STR_FIRST("file", struct nets_pcap, file, "FILE", "pcapng; it is made anew"),
	OPT_INT(0, "nic", struct nets_pcap, nic, 0, 99, "N", "of this network card only, the first is 0"),
	OPT_END
};

static int nets_pcap(void *obj, const char *arg, struct opt_err *err)
{
	struct run_nets *own = obj;
	struct nets_pcap *pcap = &own->pcap;
	int ret;

	if (!strcmp(arg, "help")) {
		opt_print_sub(stdout, pcap_opts);
		exit(command_flush(0));
	}
	free(pcap->text);
	*pcap = (struct nets_pcap) { .nic = -1, .text = strdup(arg) };
	if (!pcap->text)
		return -ENOMEM;
	ret = opt_parse_sub(pcap_opts, pcap, pcap->text, err);
	if (!ret && !(pcap->file && *pcap->file)) {
		snprintf(err->text, sizeof(err->text), "a file is wanted, as in frames.pcapng");
		ret = -EINVAL;
	}
	return ret;
}

const struct opt nets_opts[] = {
	OPT_CALL('n', "network", nets_check, "MODE[,OPTION...]",
		 "network card; MODE is user (default for a Linux with the host's files), switch=NAME, loop, tap, stream=PATH, dgram=PATH, or none; -n help, -n MODE,help: more"),
	OPT_CALL(0, "pcap", nets_pcap, "FILE[,nic=N]", "write what crosses the network cards to a file for tcpdump or Wireshark"),
	OPT_BOOL(0, "no-dhcp", struct run_nets, no_dhcp,
		 "does nothing: PID 1 configures network cards without DHCP"),
	OPT_END
};

/* "c0a8210f 24", or "- 0" for no address; likewise a gateway without a length. */
static void nets_hex(char *out, size_t len, const char *addr, bool bits)
{
	char text[64];
	u8 bytes[16];
	const char *slash = strchr(addr, '/');
	int family = strchr(addr, ':') ? AF_INET6 : AF_INET, n = family == AF_INET ? 4 : 16;
	size_t at = 0;

	snprintf(text, sizeof(text), "%.*s", (int)strcspn(addr, "/"), addr);
	if (inet_pton(family, text, bytes) != 1) {
		snprintf(out, len, bits ? "- 0" : "-");
		return;
	}
	for (int i = 0; i < n; i++)
		at += snprintf(out + at, len - at, "%02x", bytes[i]);
	if (bits)
		snprintf(out + at, len - at, " %s", slash ? slash + 1 : "0");
}

static int nets_conf(struct plan *plan, const struct net_guest *g)
{
	char addr[48], gateway[48], addr6[48], gateway6[48];
	const u8 *m = g->mac;

	nets_hex(addr, sizeof(addr), g->addr, true);
	nets_hex(gateway, sizeof(gateway), g->gateway, false);
	nets_hex(addr6, sizeof(addr6), g->addr6, true);
	nets_hex(gateway6, sizeof(gateway6), g->gateway6, false);
	if (*g->dns && guest_conf_addf(&plan->conf, "file", "420 0 0 /etc/resolv.conf\nnameserver %s\n", g->dns))
		return -ENOMEM;
	return guest_conf_addf(&plan->conf, "net", "%02x%02x%02x%02x%02x%02x %s %s %s %s", m[0], m[1], m[2], m[3],
			       m[4], m[5], addr, gateway, addr6, gateway6);
}

/* Card @n is written to the file, if it is one of those. 0 or -errno with the message printed. */
static int nets_capture(struct nets_pcap *pcap, struct net *net, unsigned int n)
{
	char name[16];
	int ret;

	if (!pcap->file || (pcap->nic >= 0 && (unsigned int)pcap->nic != n))
		return 0;
	snprintf(name, sizeof(name), "nic%u", n);
	ret = net_capture(net, pcap->fd, pcap->nr++, name);
	return ret ? plan_err(ret, "--pcap %s: %s", pcap->file, strerror(-ret)) : 0;
}

static void nets_close(void *net)
{
	net_close(net);
}

/*
 * The wire is opened before there is a machine: it may choose the guest's addresses, and
 * what it starts shall not share the guest's memory. The card finds it where a card of a
 * machine that starts again does.
 */
static int nets_wire(struct plan *plan, struct run_nets *own, const char *spec, unsigned int n, struct net_guest *guest)
{
	static const struct net_ops none;
	struct net_card card = { .host_name = plan->cfg.name };
	struct opt_err err;
	struct net *net;
	char key[32];
	int ret;

	memcpy(card.mac, nets_mac, NET_MAC);
	card.mac[NET_MAC - 1] += n;
	ret = net_open(&net, spec, &card, &none, NULL, &err);
	if (ret)
		return plan_err(ret, "--network %s: %s", spec, err.text);
	ret = net_guest(net, &card, guest, &err);
	if (ret)
		plan_err(ret, "--network %s: %s", spec, err.text);
	else
		ret = nets_capture(&own->pcap, net, n);
	snprintf(key, sizeof(key), "virtio-net%u", n);
	if (!ret && keep_put(plan->cfg.keep, key, net, nets_close))
		ret = plan_err(-ENOMEM, "out of memory");
	if (ret)
		net_close(net);
	return ret;
}

static int nets_card(struct plan *plan, struct run_nets *own, const char *spec, unsigned int n)
{
	struct net_guest guest;
	char *quoted;
	int ret = nets_wire(plan, own, spec, n, &guest);

	if (ret)
		return ret;
	quoted = opt_quote(spec);
	if (!quoted)
		return plan_err(-ENOMEM, "out of memory");
	ret = plan_device(plan, "virtio-net", "mac=%02x:%02x:%02x:%02x:%02x:%02x,net=%s", guest.mac[0], guest.mac[1],
			  guest.mac[2], guest.mac[3], guest.mac[4], guest.mac[5], quoted);
	free(quoted);
	if (!ret && plan->host_root && nets_conf(plan, &guest))
		ret = plan_err(-ENOMEM, "out of memory");
	return ret;
}

/* The cards of @spec, from number *@n on. "loop" is two, with a pair of sockets between them. */
static int nets_cards(struct plan *plan, struct run_nets *own, const char *spec, unsigned int *n)
{
	int pair[2], ret = 0;
	char *end;

	if (strncmp(spec, "loop", 4) || (spec[4] && spec[4] != ','))
		return nets_card(plan, own, spec, (*n)++);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		return plan_err(-errno, "--network %s: %s", spec, strerror(errno));
	for (unsigned int i = 0; !ret && i < 2; i++) {
		if (asprintf(&end, "%s,fd=%d", spec, pair[i]) < 0)
			return plan_err(-ENOMEM, "out of memory");
		ret = nets_card(plan, own, end, (*n)++);
		free(end);
	}
	return ret;
}

/* Is the kernel known to have no driver? */
static bool nets_undriven(const struct plan *plan)
{
	struct modules *m = modules_open(plan->kernel.modules, plan->kernel.tree);
	bool absent = m && modules_add(m, "virtio_net") == MODULE_ABSENT;

	if (m)
		modules_close(m);
	return absent;
}

/* The cards that were asked for, or the one that there is by default. */
static int nets_all(struct plan *plan, struct run_nets *own)
{
	unsigned int n = 0;
	int ret = 0;

	if (!own->net.nr)
		return nets_card(plan, own, "user", 0);
	for (unsigned int i = 0; !ret && i < own->net.nr; i++) {
		char *spec = nets_spec(own->net.item[i]);

		if (!spec)
			return plan_err(-ENOMEM, "out of memory");
		if (strcmp(spec, "none"))
			ret = nets_cards(plan, own, spec, &n);
		free(spec);
	}
	return ret;
}

int nets_config(struct plan *plan, struct run_nets *own)
{
	struct nets_pcap *pcap = &own->pcap;
	bool said = own->net.nr, any = said || (plan->host_root && own->by_default);
	struct opt_err err;
	int ret;

	if (!any && !pcap->file)
		return 0;
	if (plan->host_root && nets_undriven(plan)) {
		if (said)
			pr_warn("no network: the kernel lacks CONFIG_VIRTIO_NET");
		return 0;
	}
	if (plan->host_root)
		plan->features |= INITRAMFS_NET;
	pcap->fd = pcap->file ? net_capture_open(pcap->file, &err) : -1;
	if (pcap->file && pcap->fd < 0)
		return plan_err(pcap->fd, "--pcap %s", err.text);
	ret = any ? nets_all(plan, own) : 0;
	if (pcap->fd >= 0)
		close(pcap->fd);
	if (!ret && pcap->file && !pcap->nr)
		return plan_err(-EINVAL, pcap->nic < 0 ? "--pcap %s: there is no network card" :
				"--pcap %s: there is no network card %d", pcap->file, pcap->nic);
	return ret;
}

void nets_free(struct run_nets *own)
{
	free(own->net.item);
	free(own->pcap.text);
}
