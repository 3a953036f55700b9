/*
 * How the shared segment lies in memory: every struct that two processes look at, but for the
 * lock (bus/shlock.h), the counters (bus/counters.h), and the records of ledger and log
 * lines (bus/cells.h), which have drawings of their own.
 *
 *     offset 0
 *     +-------------------+
 *     | header            |  one page, written once; `magic` last, so that a half-made one is none
 *     +-------------------+
 *     | wake bits         |  one line
 *     | roster            |  one line for the gateway, one for each slot
 *     | counters[slots]   |
 *     | directory         |  lock and reasons, slots[slots], entries[max_connections]
 *     | visitors          |  lock, key, round; lines[visitors_lines(max_connections)]
 *     | ledger            |  of the connections that have ended (bus/ledger.h)
 *     | log lines         |  the last of the log (bus/loglines.h)
 *     | ring              |  lock, head; readers[slots]; index[N]
 *     | mailboxes[slots]  |  what stands before the data of each: lock, positions
 *     +-------------------+  page
 *     | mail data         |  of the keeper and of the supervisor
 *     +-------------------+  page
 *     | mail data[workers]|  reserved only where a worker runs, all else always
 *     +-------------------+  page
 *     | ring data         |  last in the object, and mapped a second time right behind itself:
 *     +-------------------+
 *     : the same bytes    : so every record is contiguous wherever it begins
 *     +- - - - - - - - - -+
 *
 * Slots: workers 0 to worker_slots - 1, then keeper, then supervisor. A change of any struct here
 * needs a new LAYOUT_VERSION, or a new program would adopt what an old one left.
 */
#pragma once

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bus/shlock.h"

enum {
	LAYOUT_VERSION = 4,
	LAYOUT_LINE = 64, /* no two writers share one */
};

#define LAYOUT_MAGIC UINT64_C(0x3147455354425255) /* "URBTSEG1" in memory */

/*
 *       0       8         12           16             20         24
 *       +-------+---------+------------+--------------+----------+
 *       | magic | version | page_bytes | worker_slots | max_conn |
 *       +-------+---------+------------+--------------+----------+----------+
 *       | ring_bytes | mailbox_bytes | total_bytes | lock_bytes | counters |
 *       +------------+---------------+-------------+------------+----------+
 *       24           32              40            48           52         56
 */
struct segment_header {
	_Atomic uint64_t magic;
	uint32_t version;
	uint32_t page_bytes;
	uint32_t worker_slots;
	uint32_t max_connections;
	uint64_t ring_bytes;
	uint64_t mailbox_bytes;
	uint64_t total_bytes;
	uint32_t lock_bytes;	 /* sizeof(struct shlock) */
	uint32_t counters_bytes; /* sizeof(struct counters) */
};

static_assert(sizeof(struct segment_header) == 56, "as drawn");

/* Bit i of the run of words: slot i sleeps. */
struct wake_shared {
	alignas(LAYOUT_LINE) _Atomic uint64_t bits[5];
	uint64_t spare[3];
};

static_assert(sizeof(struct wake_shared) == 64, "one line");

/*
 *       0     4       8            12         16        24          32    40         48    56
 *       +-----+-------+------------+----------+---------+-----------+-----+----------+-----+-------+
 *       | pid | state | generation | restarts | started | heartbeat | rss | open_fds | own | spare |
 *       +-----+-------+------------+----------+---------+-----------+-----+----------+-----+-------+
 */
struct roster_line {
	alignas(LAYOUT_LINE) _Atomic int32_t pid;
	_Atomic uint32_t state;
	_Atomic uint32_t generation;
	_Atomic uint32_t restarts;
	_Atomic uint64_t started_real_ms;
	_Atomic uint64_t heartbeat_mono_ms;
	_Atomic uint64_t rss_bytes;
	_Atomic uint64_t open_fds;
	_Atomic uint64_t own_bytes;
	uint64_t spare;
};

static_assert(sizeof(struct roster_line) == 64, "one line");

struct roster_shared {
	alignas(LAYOUT_LINE) _Atomic int32_t supervisor_pid;
	_Atomic uint32_t workers;
	_Atomic uint64_t started_real_ms;
	_Atomic uint64_t restarts;
	_Atomic uint32_t stopping;
	uint32_t spare[9];
	struct roster_line lines[];
};

static_assert(sizeof(struct roster_shared) == 64, "one line before those of the slots");

/*
 * One entry of the directory, changed by compare-and-swap alone:
 *
 *       63        48 47        32 31                                 0
 *       +-----------+------------+------------------------------------+
 *       | close     | slot + 1   | generation                         |
 *       +-----------+------------+------------------------------------+
 *
 * slot + 1 is 0 while the entry is free; the generation stays then, and counts up with the next
 * claim. close is 0: none asked; n: asked, the reason is reasons[n - 1]; DIRECTORY_NO_REASON:
 * asked without.
 */
enum {
	DIRECTORY_SLOT_SHIFT = 32,
	DIRECTORY_CLOSE_SHIFT = 48,
	DIRECTORY_REASONS = 64,
	DIRECTORY_NO_REASON = 0xffff,
};

/*
 *       0         4                                      128
 *       +---------+---------------------------------------+
 *       | conn_id | text, NUL-terminated                  |
 *       +---------+---------------------------------------+
 *
 * In use as long as the entry of `conn_id` refers to it, whatever became of who wrote it.
 */
struct directory_reason {
	_Atomic uint32_t conn_id;
	char text[124];
};

static_assert(sizeof(struct directory_reason) == 128, "two lines");

struct directory_shared {
	struct shlock lock;			  /* of the reasons */
	alignas(LAYOUT_LINE) uint32_t factors[2]; /* odd: the scrambling, written once */
	uint32_t spare[14];
	struct directory_reason reasons[DIRECTORY_REASONS];
};

static_assert(offsetof(struct directory_shared, reasons) == 128, "lock, factors, reasons");

struct directory_slot {
	alignas(LAYOUT_LINE) _Atomic uint64_t closes_asked; /* by anybody */
	_Atomic uint64_t closes_seen;			    /* by the slot's own process */
	_Atomic uint32_t count;				    /* entries that the slot holds */
	uint32_t spare[11];
};

static_assert(sizeof(struct directory_slot) == 64, "one line");

/*
 * One address that clients come from, or came from:
 *
 *       0         8                  16            20          24         28      32          112
 *       +---------+------------------+-------------+-----------+----------+-------+-----------+---+
 *       | address | refused_until_ms | connections | strangers | failures | spare | failed_at |   |
 *       +---------+------------------+-------------+-----------+----------+-------+-----------+---+
 *
 * Written under the lock alone. failures counts up, and the next one is noted in failed_at at
 * failures modulo VISITORS_FAILURES_MAX.
 */
enum {
	VISITORS_WAYS = 8, /* lines of a set */
	VISITORS_FAILURES_KEPT = 20,
};

struct visitor_line {
	alignas(LAYOUT_LINE) _Atomic uint64_t address; /* 0: the line is free */
	_Atomic uint64_t refused_until_ms;	       /* CLOCK_MONOTONIC */
	_Atomic uint32_t connections;
	_Atomic uint32_t strangers;
	_Atomic uint32_t failures;
	uint32_t spare;
	_Atomic uint32_t failed_at[VISITORS_FAILURES_KEPT];
	uint32_t spares[4];
};

static_assert(sizeof(struct visitor_line) == 128, "two lines of the cache");

/*
 *       0      64    80      84              88      128
 *       +------+-----+-------+---------------+-------+--------- - -
 *       | lock | key | round | counted_round | spare | lines
 *       +------+-----+-------+---------------+-------+--------- - -
 *
 * round: counted up by anybody to whom counts were lost. counted_round: that which the counts are of,
 * set under the lock.
 */
struct visitors_shared {
	struct shlock lock;
	alignas(LAYOUT_LINE) uint64_t key[2]; /* of the hash, written once */
	_Atomic uint32_t round;
	_Atomic uint32_t counted_round;
	uint32_t spare[10];
	struct visitor_line lines[];
};

static_assert(offsetof(struct visitors_shared, lines) == 128, "as drawn");

/*
 *        0                    64                     128                          192
 *        +--------------------+------+--------+------+-------+-------------+-------+
 *        | lock               | head | intent | spare| epoch | bytes | index_count |
 *        +--------------------+------+--------+------+-------+-------------+-------+
 *          taken to publish     written under the      written once
 *                               lock, read by all
 *
 * head: seq of the last committed event, 1, 2, 3...; the only commit point.
 * intent: all bytes of the stream before this position may have been written, which overwrites
 * those that lie `bytes` before it; raised before the first byte is touched.
 */
struct ring_shared {
	struct shlock lock;
	alignas(LAYOUT_LINE) _Atomic uint64_t head;
	_Atomic uint64_t intent;
	alignas(LAYOUT_LINE) char epoch[24]; /* 16 hexadecimal digits and zeros */
	uint64_t bytes;
	uint32_t index_count;
	uint32_t spare[7];
};

static_assert(offsetof(struct ring_shared, head) == 64, "as drawn");
static_assert(offsetof(struct ring_shared, epoch) == 128, "as drawn");
static_assert(sizeof(struct ring_shared) == 192, "as drawn");

/*
 * One event's entry in the index, at seq modulo N:
 *
 *       0     8     16      24             32          36      40
 *       +-----+-----+-------+--------------+-----------+-------+
 *       | seq | pos | at_ms | published_ns | frame_len | flags |
 *       +-----+-----+-------+--------------+-----------+-------+
 *       | name_len | key_len | publisher | spare | check | spare |
 *       +----------+---------+-----------+-------+-------+-------+
 *       40         42        44          46      48      56      64
 *
 * seq is 0 while the rest is being written, and is written last. pos counts bytes of the stream
 * from 0; the record lies at pos modulo `bytes` of the data: name | key | frame.
 */
struct ring_index {
	alignas(LAYOUT_LINE) _Atomic uint64_t seq;
	_Atomic uint64_t pos;
	_Atomic uint64_t at_ms;
	_Atomic uint64_t published_ns;
	_Atomic uint32_t frame_len;
	_Atomic uint32_t flags;
	_Atomic uint16_t name_len;
	_Atomic uint16_t key_len;
	_Atomic uint16_t publisher;
	uint16_t spare16;
	_Atomic uint64_t check;
	uint64_t spare;
};

static_assert(sizeof(struct ring_index) == 64, "one line");
static_assert(offsetof(struct ring_index, check) == 48, "as drawn");

struct ring_reader {
	alignas(LAYOUT_LINE) _Atomic uint64_t seq;
	_Atomic uint64_t laps;
	_Atomic uint64_t lost;
	uint64_t spare[5];
};

static_assert(sizeof(struct ring_reader) == 64, "one line");

/*
 *        0                64                      128                 192
 *        +----------------+---------+-------------+---------+----------+-------+
 *        | lock           | written | spare       | taken   | reserved | spare |
 *        +----------------+---------+-------------+---------+----------+-------+
 *          taken to send    by writers, under       by the reader; `reserved` rises
 *                           the lock                under the lock only
 *
 * Positions count bytes of the stream from 0, always multiples of 8; a position lies at its
 * remainder
 * modulo the size of the data. What is waiting lies from `taken` to `written`.
 */
struct mailbox_shared {
	struct shlock lock;
	alignas(LAYOUT_LINE) _Atomic uint64_t written;
	_Atomic uint32_t is_open;
	alignas(LAYOUT_LINE) _Atomic uint64_t taken;
	_Atomic uint64_t reserved;
};

static_assert(offsetof(struct mailbox_shared, written) == 64, "as drawn");
static_assert(offsetof(struct mailbox_shared, taken) == 128, "as drawn");
static_assert(sizeof(struct mailbox_shared) == 192, "as drawn");

/*
 * Before each body, all of which may wrap around the end of the data; the body is filled up to a
 * multiple of 8:
 *
 *       0          4      6           8                 12      16      24      32
 *       +----------+------+-----------+-----------------+-------+-------+-------+------ - -
 *       | body_len | kind | from_slot | from_generation | spare | token | check | body
 *       +----------+------+-----------+-----------------+-------+-------+-------+------ - -
 */
struct mail_header {
	uint32_t body_len;
	uint16_t kind;
	uint16_t from_slot;
	uint32_t from_generation;
	uint32_t spare;
	uint64_t token;
	uint64_t check; /* of the header with check 0, and of the body */
};

static_assert(sizeof(struct mail_header) == 32, "as drawn");
