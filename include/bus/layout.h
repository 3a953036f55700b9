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
 *     | providers         |  lock, generation, lines, methods, channels; slots[slots]
 *     | idempotency       |  lock, keys, end; entries[8192]; bytes of answers
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
	LAYOUT_VERSION = 6,
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
 * Providers: who offers methods and channels, and who keeps whom busy.
 *
 *       0      64           72          76           80      128
 *       +------+------------+-----------+------------+-------+---------+-----------+------------+
 *       | lock | generation | rows_used | slots_used | spare | lines[] | methods[] | channels[] |
 *       +------+------------+-----------+------------+-------+---------+-----------+------------+
 *
 * All of it is written under the lock, but for what the supervisor takes from the dead. generation
 * counts the changes that the workers must know of. A line belongs to the slot that stands in it,
 * and is nobody's while conn_id is 0. A method is there while some line refers to it, or until it
 * was announced that none does any more.
 */
enum {
	PROVIDERS_MAX = 512,	  /* lines */
	PROVIDERS_METHODS = 1024, /* names, of all providers together */
	PROVIDERS_CHANNELS = 256,
	PROVIDER_METHODS_MAX = 64, /* of one provider */
	PROVIDER_NAME_BYTES = 128,
	PROVIDER_CHANNEL_BYTES = 64,
	PROVIDER_DESCRIPTION_BYTES = 256,
};

/*
 *       0         4         8      12            16             20             24
 *       +---------+---------+------+-------------+--------------+--------------+
 *       | conn_id | is_full | slot | concurrency | method_count | last_granted |
 *       +---------+---------+------+-------------+--------------+--------------+
 *       | registered_ms | description_len | spare | methods[64]  | description  |
 *       +---------------+-----------------+-------+--------------+--------------+
 *       24              32                36      64             192            448
 */
struct provider_line {
	alignas(LAYOUT_LINE) _Atomic uint32_t conn_id;
	_Atomic uint32_t is_full; /* it does not take what it is given: no more at present */
	uint32_t slot;
	uint32_t concurrency;
	uint32_t method_count;
	uint32_t last_granted; /* the slot that was given a seat last */
	uint64_t registered_ms;
	uint32_t description_len;
	uint32_t spare[7];
	uint16_t methods[PROVIDER_METHODS_MAX];
	char description[PROVIDER_DESCRIPTION_BYTES];
};

static_assert(sizeof(struct provider_line) == 448, "as drawn");

/* name_len 0: free. is_announced: clients were told that it is there. */
struct provider_method {
	alignas(LAYOUT_LINE) uint32_t name_len;
	uint32_t is_announced;
	uint32_t spare[14];
	char name[PROVIDER_NAME_BYTES];
};

static_assert(sizeof(struct provider_method) == 192, "a line and a name");

/* conn_id 0: free. It is there while the line `row` has the same conn_id and it is not gone. */
struct provider_channel {
	alignas(LAYOUT_LINE) uint32_t conn_id;
	uint32_t row;
	uint32_t name_len;
	uint32_t is_announced;
	uint64_t registered_ms;
	uint32_t is_gone;
	uint32_t spare[9];
	char name[PROVIDER_CHANNEL_BYTES];
};

static_assert(sizeof(struct provider_channel) == 128, "a line and a name");

/*
 * What the callers of one process have of one provider. granted are those of in_flight that were given
 * to a caller that waits and does not use them yet; waiting, written by the process itself alone, is how
 * many requests of it this provider could serve.
 */
struct provider_seats {
	_Atomic uint16_t in_flight;
	_Atomic uint16_t granted;
	_Atomic uint32_t waiting;
};

static_assert(sizeof(struct provider_seats) == 8, "one word");

/*
 *       0      8           16      64                     4160                  8256
 *       +------+-----------+-------+----------------------+---------------------+
 *       | news | news_seen | spare | seats[512], by line  | waiting, by method  |
 *       +------+-----------+-------+----------------------+---------------------+
 */
struct providers_slot {
	alignas(
	    LAYOUT_LINE) _Atomic uint64_t news; /* counted up by anybody who changed something */
	_Atomic uint64_t news_seen;		/* by the slot's own process */
	uint64_t spare[6];
	struct provider_seats seats[PROVIDERS_MAX];
	_Atomic uint32_t waiting[PROVIDERS_METHODS];
};

static_assert(sizeof(struct providers_slot) == 8256, "as drawn");

struct providers_shared {
	struct shlock lock;
	alignas(LAYOUT_LINE) _Atomic uint64_t generation;
	_Atomic uint32_t rows_used;  /* no line behind these was ever used */
	_Atomic uint32_t slots_used; /* nor had a slot behind these ever a seat */
	uint32_t spare[12];
	struct provider_line lines[PROVIDERS_MAX];
	struct provider_method methods[PROVIDERS_METHODS];
	struct provider_channel channels[PROVIDERS_CHANNELS];
};

static_assert(offsetof(struct providers_shared, lines) == 128, "as drawn");

/*
 * Idempotency: which calls run or have run under a key, and what they were answered.
 *
 *       0      64                        96    104     128                524416
 *       +------+-------------------------+-----+-------+------------------+---------------------+
 *       | lock | hash keys (2 x 2 words) | end | spare | entries[8192]    | data[2 MiB]         |
 *       +------+-------------------------+-----+-------+------------------+---------------------+
 *
 * An entry stands in one of the 64 places of the set that its hash chooses. Answers lie one behind the other
 * in the data, round and round: `end` counts their bytes from 0, and what lies more than the size of the data
 * before it is overwritten; so the oldest answers go first.
 */
enum {
	IDEMPOTENCY_WAYS = 64,
	IDEMPOTENCY_SETS = 128,
	IDEMPOTENCY_ENTRIES = IDEMPOTENCY_WAYS * IDEMPOTENCY_SETS,
	IDEMPOTENCY_DATA = 2 * 1024 * 1024,
};

/*
 *       0        16           32         40      44       48       52      54       56         64
 *       +--------+------------+----------+-------+--------+--------+-------+--------+----------+
 *       | key(2) | params (2) | position | state | length | serial | owner | runner | deadline |
 *       +--------+------------+----------+-------+--------+--------+-------+--------+----------+
 *
 * state is written last. deadline: CLOCK_MONOTONIC, when the entry ends. runner: the provider's worker + 1, once
 * the call was handed to it; 0: not yet.
 */
struct idempotency_entry {
	alignas(LAYOUT_LINE) uint64_t key[2]; /* hashes: all that is kept of them */
	uint64_t params[2];
	uint64_t position;
	_Atomic uint32_t state; /* of bus/idempotency.c */
	uint32_t length;
	uint32_t serial; /* of the claiming: tells one call from a later one in the same place */
	uint16_t owner;	 /* the caller's worker + 1 */
	uint16_t runner;
	uint64_t deadline_ms;
};

static_assert(sizeof(struct idempotency_entry) == 64, "one line");

struct idempotency_shared {
	struct shlock lock;
	alignas(LAYOUT_LINE) uint64_t keys[4]; /* of the hashes, written once */
	_Atomic uint64_t end;
	_Atomic uint32_t serial;
	uint32_t spare[5];
	struct idempotency_entry entries[IDEMPOTENCY_ENTRIES];
	char data[IDEMPOTENCY_DATA];
};

static_assert(offsetof(struct idempotency_shared, entries) == 128, "as drawn");
static_assert(offsetof(struct idempotency_shared, data) == 524416, "as drawn");

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
