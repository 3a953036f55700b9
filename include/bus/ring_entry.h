/*
 * One entry of the ring's index, taken out of shared memory: the parts of the ring that
 * publisher, reader and adoption have in common. For bus/ring alone.
 *
 * A publisher writes an entry while readers may be reading its predecessor at the same place, so
 * each word is atomic by itself, and what a reader has loaded means something only once it has
 * looked at the entry's seq again.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct ring_index;

/* Beyond these nothing counts up, and sums of two positions do not overflow. */
#define RING_SEQ_MAX (UINT64_C(1) << 62)
#define RING_POS_MAX (UINT64_C(1) << 62)

/* The fields of struct ring_index, drawn there, in the same order and without gaps. */
struct ring_entry {
	uint64_t seq;
	uint64_t pos;
	uint64_t at_ms;
	uint64_t published_ns;
	uint32_t frame_len;
	uint32_t flags;
	uint16_t name_len;
	uint16_t key_len;
	uint16_t publisher;
	uint16_t zero;
	uint64_t check;
};

static_assert(sizeof(struct ring_entry) == 56, "no padding: it is summed up as bytes");

/*
 * Loads all fields, seq first: what was stored before that seq was (release) is then seen, or is
 * newer.
 */
void ring_entry_load(const struct ring_index *index, struct ring_entry *ret);

/* Stores all fields but seq. */
void ring_entry_store(struct ring_index *index, const struct ring_entry *entry);

/* The length of the record: name, key and frame. */
uint64_t ring_entry_len(const struct ring_entry *entry);

/* Whether it is the entry of `seq`, and can be one in a ring of `bytes` data bytes. */
bool ring_entry_is_sane(const struct ring_entry *entry, uint64_t seq, uint64_t bytes);

/* The sums of the parts of a record; that of the frame can be mended (bus/checksum.h). */
uint64_t ring_entry_sum_labels(struct span name, struct span key);
uint64_t ring_entry_sum_frame(struct span frame);
/* What the words touching a place of the frame have in its sum. */
uint64_t ring_entry_sum_place(struct span frame, uint32_t offset, uint32_t width);
/* The check of an entry whose record has the sum `sum` (labels and frame added up). */
uint64_t ring_entry_check(const struct ring_entry *entry, uint64_t sum);

/* Whether name and key (one after the other at `labels`) and frame belong to the entry. */
bool ring_entry_matches(const struct ring_entry *entry, const char *labels, const char *frame);
