// SPDX-License-Identifier: GPL-2.0
/* virtio-balloon (virtio 1.2, 5.5), with a driver good and evil. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_balloon.h>

#include <kvm/balloon.h>

#include "driver.h"
#include "tap.h"

enum { INFLATE, DEFLATE, STATS, HINT, REPORT, NR };

#define PFNS	0x300000ULL
#define PAGES	0x400000ULL		/* what is given back */
#define PAGE	4096ULL

static struct machine m;
static struct driver d;

static void lock(void)
{
	pthread_mutex_lock(&m.vm.lock);
}

static void unlock(void)
{
	pthread_mutex_unlock(&m.vm.lock);
}

#define CONFIG(field)	(d.config + offsetof(struct virtio_balloon_config, field))

static void nothing(void *arg)
{
}

static void settle(void)
{
	loop_call(d.dev->loop[0], nothing, NULL);
	loop_call(d.dev->loop[0], nothing, NULL);
}

static void start(u64 features)
{
	machine_pci(&m);
	log_set_level(LOG_ERROR);
	driver_probe(&d, &m, machine_add(&m, BALLOON_TYPE, NULL));
	machine_run(&m);
	driver_features(&d, features);
	for (unsigned int q = 0; q < NR; q++)
		driver_queue(&d, q, 16);
	driver_ok(&d);
}

static void fill(gpa_t gpa, u64 len)
{
	void *data = malloc(len);

	memset(data, 0x5a, len);
	CHECK_EQ(mem_write(&m.vm.mem, gpa, data, len), 0);
	free(data);
}

static u8 byte(gpa_t gpa)
{
	u8 b;

	CHECK_EQ(mem_read(&m.vm.mem, gpa, &b, 1), 0);
	return b;
}

static void inflate(const u32 *pfn, unsigned int nr)
{
	CHECK_EQ(mem_write(&m.vm.mem, PFNS, pfn, nr * sizeof(*pfn)), 0);
	ring_add(&d.ring[INFLATE], PFNS, nr * sizeof(*pfn), 0, 0);
	driver_kick(&d, INFLATE);
	CHECK(driver_wait(&d, INFLATE, NULL, NULL));
}

TEST(pages_in_the_balloon_go_back_to_the_host)
{
	u32 pfn[] = { PAGES / PAGE, PAGES / PAGE + 1, PAGES / PAGE + 3 };

	start(0);
	fill(PAGES, 5 * PAGE);
	inflate(pfn, 3);
	CHECK_EQ(byte(PAGES), 0);
	CHECK_EQ(byte(PAGES + PAGE), 0);
	CHECK_EQ(byte(PAGES + 2 * PAGE), 0x5a);
	CHECK_EQ(byte(PAGES + 3 * PAGE), 0);
	CHECK_EQ(byte(PAGES + 4 * PAGE), 0x5a);
	machine_free(&m);
}

TEST(page_numbers_outside_of_ram_do_nothing)
{
	u32 pfn[] = { 0xffffffff, MACHINE_RAM / PAGE, 0xfee00, PAGES / PAGE };

	start(0);
	fill(PAGES, PAGE);
	inflate(pfn, 4);
	CHECK_EQ(byte(PAGES), 0);
	/* Half a number, and none */
	CHECK_EQ(mem_write(&m.vm.mem, PFNS, pfn, 6), 0);
	ring_add(&d.ring[INFLATE], PFNS, 6, 0, 0);
	ring_add(&d.ring[INFLATE], 0, 0, PFNS, 8);
	driver_kick(&d, INFLATE);
	CHECK(driver_wait(&d, INFLATE, NULL, NULL));
	CHECK(driver_wait(&d, INFLATE, NULL, NULL));
	machine_free(&m);
}

TEST(free_pages_are_reported)
{
	struct balloon b;

	start(1ULL << VIRTIO_BALLOON_F_REPORTING);
	fill(PAGES, 8 * PAGE);
	ring_add(&d.ring[REPORT], 0, 0, PAGES, 8 * PAGE);
	driver_kick(&d, REPORT);
	CHECK(driver_wait(&d, REPORT, NULL, NULL));
	CHECK_EQ(byte(PAGES), 0);
	CHECK_EQ(byte(PAGES + 7 * PAGE), 0);
	balloon_look(&d.dev->dev, &b);
	CHECK_EQ(b.discarded, 8 * PAGE);
	machine_free(&m);
}

/* 5.5.6.7 */
TEST(poisoned_pages_are_left_alone)
{
	start(1ULL << VIRTIO_BALLOON_F_REPORTING | 1ULL << VIRTIO_BALLOON_F_PAGE_POISON);
	driver_write(&d, CONFIG(poison_val), 4, 0x5a5a5a5a);
	fill(PAGES, PAGE);
	ring_add(&d.ring[REPORT], 0, 0, PAGES, PAGE);
	driver_kick(&d, REPORT);
	CHECK(driver_wait(&d, REPORT, NULL, NULL));
	CHECK_EQ(byte(PAGES), 0x5a);
	machine_free(&m);
}

TEST(the_target_is_in_the_config)
{
	struct balloon b;

	start(0);
	lock();
	CHECK_EQ(balloon_target(&d.dev->dev, 2 * MIB), 0);
	CHECK_EQ(balloon_target(&d.dev->dev, 1024 * GIB), -ERANGE);
	unlock();
	CHECK_EQ(driver_read(&d, CONFIG(num_pages), 4), 512);
	driver_write(&d, CONFIG(actual), 4, 256);
	/* The driver may not change what it is asked for. */
	driver_write(&d, CONFIG(num_pages), 4, 256);
	CHECK_EQ(driver_read(&d, CONFIG(num_pages), 4), 512);
	balloon_look(&d.dev->dev, &b);
	CHECK_EQ(b.target, 2 * MIB);
	CHECK_EQ(b.actual, 1 * MIB);
	machine_free(&m);
}

static void statistics(u16 tag, u64 val)
{
	struct {
		u16 tag;
		u64 val;
	} __attribute__((packed)) s[] = { { tag, val }, { 99, 1 } };

	CHECK_EQ(mem_write(&m.vm.mem, PFNS, s, sizeof(s)), 0);
	ring_add(&d.ring[STATS], PFNS, sizeof(s), 0, 0);
	driver_kick(&d, STATS);
	settle();
}

TEST(statistics_come_when_they_are_asked_for)
{
	struct balloon b;
	u32 id, len;

	start(1ULL << VIRTIO_BALLOON_F_STATS_VQ);
	statistics(VIRTIO_BALLOON_S_MEMFREE, 1000);
	balloon_look(&d.dev->dev, &b);
	CHECK_EQ(b.answers, 1);
	CHECK(b.has[VIRTIO_BALLOON_S_MEMFREE]);
	CHECK(!b.has[VIRTIO_BALLOON_S_MEMTOT]);
	CHECK_EQ(b.stat[VIRTIO_BALLOON_S_MEMFREE], 1000);
	/* The buffer stays with the device until then. */
	CHECK(!ring_take(&d.ring[STATS], &id, &len));
	lock();
	balloon_ask(&d.dev->dev);
	unlock();
	CHECK(driver_wait(&d, STATS, NULL, NULL));
	statistics(VIRTIO_BALLOON_S_MEMFREE, 2000);
	balloon_look(&d.dev->dev, &b);
	CHECK_EQ(b.answers, 2);
	CHECK_EQ(b.stat[VIRTIO_BALLOON_S_MEMFREE], 2000);
	machine_free(&m);
}

TEST(a_reset_with_statistics_kept_and_one_of_too_many)
{
	start(1ULL << VIRTIO_BALLOON_F_STATS_VQ);
	statistics(VIRTIO_BALLOON_S_MEMFREE, 1);
	statistics(VIRTIO_BALLOON_S_MEMFREE, 2);
	CHECK(driver_wait(&d, STATS, NULL, NULL));	/* the first one is back */
	driver_set_status(&d, 0);
	CHECK_EQ(driver_status(&d), 0);
	machine_free(&m);
}
