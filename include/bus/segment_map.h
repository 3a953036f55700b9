/*
 * The memory of the segment: where its parts lie, and the object that holds them. For bus/segment
 * alone.
 *
 * A plan is computed from the layout and never read from shared memory: a segment either fits the
 * plan exactly, or is none of ours. It is drawn in bus/layout.h.
 */
#pragma once

#include <stdint.h>

#include "base/macros.h"
#include "bus/segment_layout.h"

/* Offsets from the start of the object. */
struct segment_plan {
	struct segment_layout layout; /* with sizes rounded up to pages */
	unsigned slots;
	uint32_t index_count;
	uint64_t wake;
	uint64_t roster;
	uint64_t counters;
	uint64_t directory;
	uint64_t directory_slots;
	uint64_t entries;
	uint64_t visitors;
	uint64_t providers;
	uint64_t providers_slots;
	uint64_t idempotency;
	uint64_t ledger;
	uint64_t loglines;
	uint64_t ring;
	uint64_t readers;
	uint64_t index;
	uint64_t mailboxes;
	uint64_t own_mail;    /* data of keeper and supervisor */
	uint64_t worker_mail; /* data of the workers */
	uint64_t ring_data;
	uint64_t total;
};

/* The object as it is mapped: `total` bytes at `base`, and the ring's data once more behind. */
struct segment_map {
	int fd;
	char *base;
};

/* Returns 0, or -EINVAL when the layout is out of bounds. */
int segment_plan_make(const struct segment_layout *layout, struct segment_plan *ret) must_check;

/*
 * Opens and maps an object that was left behind. Returns 0; -ENOENT there is none; -ESTALE it has
 * other sizes, another layout or was never finished; -EACCES it is not our user's alone; -errno.
 */
int segment_map_open(
    const char *name, const struct segment_plan *plan, struct segment_map *ret) must_check;
/*
 * The same with an object that somebody kept by a descriptor, which stays the caller's; it may have lost its
 * name. Returns what that does but -ENOENT.
 */
int segment_map_adopt(int fd, const struct segment_plan *plan, struct segment_map *ret) must_check;
/* Creates, reserves and maps an object, all zero. Returns 0; -EEXIST; -ENOSPC; -errno. */
int segment_map_create(
    const char *name, const struct segment_plan *plan, struct segment_map *ret) must_check;
/* All is formatted: from here on the object can be opened by segment_map_open. */
void segment_map_seal(struct segment_map *map, const struct segment_plan *plan);
/* Another descriptor of the object, without the claim on it. Returns 0 or -errno. */
int segment_map_reopen(int fd, int *ret_fd) must_check;
/* Unmaps and closes. */
void segment_map_close(struct segment_map *map, const struct segment_plan *plan);

/* Reserves memory for a part of the object. Returns 0; -ENOSPC; -errno. */
int segment_map_reserve(const struct segment_map *map, uint64_t offset, uint64_t len) must_check;
/* Gives the memory of the workers' mail back: it reads as zeros. Returns 0 or -errno. */
int segment_map_release_workers(
    const struct segment_map *map, const struct segment_plan *plan) must_check;
