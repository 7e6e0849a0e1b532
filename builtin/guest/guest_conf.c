// SPDX-License-Identifier: GPL-2.0
/* lkvm.conf, as it is written: see kvm/guest_conf.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kvm/guest_conf.h>

int guest_conf_add(struct guest_conf *c, const char *key, const char *value)
{
	size_t n = strlen(key) + strlen(value) + 2, cap;
	char *more;

	if (n > c->cap - c->len) {
		cap = c->cap * 2 + n + 4096;
		more = realloc(c->data, cap);
		if (!more)
			return -ENOMEM;
		c->data = more;
		c->cap = cap;
	}
	snprintf(c->data + c->len, n, "%s=%s", key, value);
	c->len += n;
	return 0;
}

int guest_conf_addf(struct guest_conf *c, const char *key, const char *fmt, ...)
{
	va_list ap;
	char *value;
	int ret;

	va_start(ap, fmt);
	ret = vasprintf(&value, fmt, ap);
	va_end(ap);
	if (ret < 0)
		return -ENOMEM;
	ret = guest_conf_add(c, key, value);
	free(value);
	return ret;
}

void guest_conf_free(struct guest_conf *c)
{
	free(c->data);
	memset(c, 0, sizeof(*c));
}
