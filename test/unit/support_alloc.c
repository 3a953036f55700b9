/*
 * The answer to mem_test_denies of base/alloc.h, and a list of the places in the code that met a
 * denial: where the variable ALLOC_SITES names a folder, each program leaves a file there of the
 * addresses that stood on the stack, for test/check-sites.
 */
#include "support_alloc.h"

#include <errno.h>
#include <execinfo.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"

enum { FRAMES_MAX = 24, SITES = 1 << 14, ROOM_MAX = 1 << 16 };

static struct {
	unsigned fail_at, asked;
	bool all_fail;
} hook;

/* Where the program begins in memory, by the linker. */
extern const char __executable_start[];

static struct {
	bool is_on;
	char path[256];
	uintptr_t offsets[SITES]; /* a hash table; 0: free */
} sites;

static void
save_sites(void)
{
	FILE *f = fopen(sites.path, "we");

	if (f == NULL)
		abort();
	for (size_t i = 0; i < SITES; i++)
		if (sites.offsets[i] != 0)
			fprintf(f, "%#zx\n", (size_t)sites.offsets[i]);
	if (fclose(f) != 0)
		abort();
}

__attribute__((constructor)) static void
prepare_sites(void)
{
	const char *folder = getenv("ALLOC_SITES");

	if (folder == NULL)
		return;
	snprintf(sites.path, sizeof(sites.path), "%s/%s", folder, program_invocation_short_name);
	sites.is_on = true;
	atexit(save_sites);
}

static void
note_site(uintptr_t offset)
{
	size_t at = (size_t)(offset * UINT64_C(0x9e3779b97f4a7c15) >> 50);

	for (size_t tries = 0; tries < SITES; tries++, at = (at + 1) % SITES) {
		if (sites.offsets[at] == 0)
			sites.offsets[at] = offset;
		if (sites.offsets[at] == offset)
			return;
	}
	abort();
}

static void
note_denial(void)
{
	void *frames[FRAMES_MAX];
	int count = backtrace(frames, FRAMES_MAX);

	/* What is on the stack is where a call returns to: one byte before is the call. */
	for (int i = 0; i < count; i++)
		note_site((uintptr_t)frames[i] - 1 - (uintptr_t)__executable_start);
}

bool
mem_test_denies(void)
{
	bool denies = ++hook.asked == hook.fail_at || hook.all_fail;

	if (denies && sites.is_on)
		note_denial();
	return denies;
}

void
support_alloc_fail_at(unsigned n)
{
	hook.fail_at = n;
	hook.asked = 0;
	hook.all_fail = false;
}

void
support_alloc_fail_all(void)
{
	hook.all_fail = true;
}

unsigned
support_alloc_count(void)
{
	return hook.asked;
}

unsigned
support_alloc_try_each(void (*attempt)(void *arg), void *arg)
{
	unsigned n = 0;

	do {
		support_alloc_fail_at(++n);
		attempt(arg);
	} while (hook.asked >= n);
	support_alloc_fail_at(0);
	return n - 1;
}

unsigned
support_alloc_break_off(void (*write)(struct buf *out, void *arg), void *arg)
{
	for (size_t room = 0;; room++) {
		struct buf out = { .data = room > 0 ? malloc(room) : NULL, .cap = room };
		bool is_whole;

		support_alloc_fail_all();
		write(&out, arg);
		support_alloc_fail_at(0);
		is_whole = buf_status(&out) == 0;
		if (out.len > room || room > ROOM_MAX)
			abort();
		buf_fini(&out);
		if (is_whole)
			return (unsigned)room;
	}
}
