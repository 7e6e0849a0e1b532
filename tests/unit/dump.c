// SPDX-License-Identifier: GPL-2.0
/* Dumps: what is in the file, what is not, and what happens if it does not fit. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/dump.h>
#include <kvm/elf.h>
#include <kvm/memory.h>

#include "fake_linux.h"
#include "scratch.h"
#include "tap.h"

static struct vm vm;
static struct dump_report report;
static struct opt_err err;
static struct elf elf;

static int dump(int *fd)
{
	scratch_dir();
	*fd = open(scratch("core"), O_RDWR | O_CREAT, 0600);
	return dump_write(&vm, *fd, &report, &err);
}

static void parse(int fd)
{
	CHECK_EQ(elf_open_fd(&elf, fd, report.size), 0);
	CHECK_EQ(elf.type, ET_CORE);
	CHECK_EQ(elf.machine, EM_X86_64);
}

/* What a reader finds at a physical or a virtual address. */
static u32 word_at(u64 addr, bool virtual)
{
	Elf64_Phdr ph;
	u32 val = 0;

	for (unsigned int i = 0; i < elf.phnum; i++) {
		CHECK_EQ(elf_segment(&elf, i, &ph), 0);
		if (ph.p_type != PT_LOAD || addr - (virtual ? ph.p_vaddr : ph.p_paddr) >= ph.p_filesz)
			continue;
		CHECK_EQ(elf_read(&elf, &val, sizeof(val), ph.p_offset + addr - (virtual ? ph.p_vaddr : ph.p_paddr)), 0);
		return val;
	}
	return 0xdead;
}

TEST(memory_is_in_it_once_and_zeroes_are_not)
{
	u32 val = 0x12345678, high = 42;
	struct stat st;
	int fd;

	fake_linux(&vm);
	fake_write(&vm, FAKE_IMAGE + 3 * MIB, &val, sizeof(val));
	CHECK_EQ(mem_write(&vm.mem, FAKE_HIGH + 4 * MIB - 4, &high, sizeof(high)), 0);
	CHECK_EQ(dump(&fd), 0);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_size, report.size);
	CHECK(report.size > FAKE_RAM + 4 * MIB && report.size < FAKE_RAM + 5 * MIB);
	CHECK(st.st_blocks * 512 < 2 * (s64)MIB);
	CHECK(report.data < MIB && report.vmcoreinfo);
	CHECK_EQ(report.moved, 0x11000000);
	parse(fd);
	CHECK_EQ(word_at(FAKE_IMAGE_GPA + 3 * MIB, false), val);
	CHECK_EQ(word_at(FAKE_IMAGE + 3 * MIB, true), val);
	CHECK_EQ(word_at(FAKE_DIRECT + FAKE_IMAGE_GPA + 3 * MIB, true), val);
	CHECK_EQ(word_at(FAKE_DIRECT + FAKE_HIGH + 4 * MIB - 4, true), high);
	CHECK_EQ(word_at(FAKE_IMAGE + FAKE_IMAGE_LEN, true), 0xdead);
	CHECK_EQ(word_at(5 * MIB, false), 0);
	close(fd);
	fake_linux_free(&vm);
}

TEST(vmcoreinfo_is_found_and_copied)
{
	char note[200] = "";
	Elf64_Phdr ph;
	int fd;

	fake_linux(&vm);
	CHECK_EQ(dump(&fd), 0);
	parse(fd);
	CHECK_EQ(elf_segment(&elf, 0, &ph), 0);
	CHECK_EQ(ph.p_type, PT_NOTE);
	CHECK_EQ(elf_read(&elf, note, sizeof(note) - 1, ph.p_offset), 0);
	CHECK(!strcmp(note + 12, "VMCOREINFO"));
	CHECK(!strncmp(note + 24, "OSRELEASE=6.1.0-fake\n", 21));
	close(fd);
	fake_linux_free(&vm);
}

TEST(a_note_that_lies_about_its_length_is_none)
{
	u32 len[] = { ~0u, 0x7fffffff, 65537 };
	int fd;

	for (unsigned int i = 0; i < ARRAY_SIZE(len); i++) {
		fake_linux(&vm);
		CHECK_EQ(mem_write(&vm.mem, FAKE_NOTE + 4, &len[i], 4), 0);
		CHECK_EQ(dump(&fd), 0);
		CHECK(!report.vmcoreinfo);
		close(fd);
		fake_linux_free(&vm);
	}
}

TEST(a_guest_that_is_no_linux_is_dumped_by_physical_addresses)
{
	u32 val = 7;
	int fd;

	fake_linux(&vm);
	CHECK_EQ(mem_write(&vm.mem, FAKE_NOTE, "\0\0\0\0", 4), 0);
	CHECK_EQ(mem_write(&vm.mem, 8 * MIB, &val, 4), 0);
	CHECK_EQ(dump(&fd), 0);
	parse(fd);
	CHECK_EQ(elf.phnum, 4);
	CHECK_EQ(word_at(8 * MIB, false), 7);
	CHECK_EQ(word_at(8 * MIB, true), 7);
	close(fd);
	fake_linux_free(&vm);
}

TEST(a_dump_that_does_not_fit_is_not_left)
{
	struct rlimit limit = { 4 * MIB, 4 * MIB };
	struct stat st;
	int fd;

	fake_linux(&vm);
	signal(SIGXFSZ, SIG_IGN);
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
	CHECK_EQ(dump(&fd), -EFBIG);
	CHECK(strstr(err.text, "the file has been emptied"));
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_size, 0);
	close(fd);
	fake_linux_free(&vm);
}

TEST(only_a_regular_file_is_written)
{
	int p[2];

	fake_linux(&vm);
	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(dump_write(&vm, p[1], &report, &err), -EINVAL);
	CHECK(strstr(err.text, "regular file"));
	fake_linux_free(&vm);
}
