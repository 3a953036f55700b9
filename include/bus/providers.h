/*
 * The directory of providers: which connection offers which methods and channels, on which worker.
 *
 * One table for all workers, under a robust lock that is held for microseconds; each worker reads it
 * as a whole, into a copy of its own, when its generation has moved. A provider belongs to the process
 * of the worker that its connection is on: when that dies, the supervisor takes its line away, and so
 * its methods are gone. Who first reads what has come or gone is told so, and announces it: each change
 * is told once. How many requests each provider is given is bus/seats.h. The memory is drawn in
 * bus/layout.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/macros.h"
#include "base/span.h"
#include "bus/layout.h"

struct providers_parts;
struct providers; /* a process's view of it; owned by the segment */

enum {
	PROVIDER_CONCURRENCY_MAX = 1024,
	PROVIDER_CHANNELS_MAX = 16, /* of one provider */
};

/* What a connection offers. Names are distinct; the spans are the caller's. */
struct provider_offer {
	uint32_t conn_id;
	unsigned slot;
	uint32_t concurrency; /* 1..PROVIDER_CONCURRENCY_MAX */
	uint64_t now_real_ms;
	const struct span *methods; /* up to PROVIDER_METHODS_MAX, of up to PROVIDER_NAME_BYTES */
	size_t methods_count;
	const struct span
	    *channels; /* up to PROVIDER_CHANNELS_MAX, of up to PROVIDER_CHANNEL_BYTES */
	size_t channels_count;
	struct span description; /* up to PROVIDER_DESCRIPTION_BYTES - 1; n == 0: none */
};

enum providers_change { PROVIDERS_SAME, PROVIDERS_ADDED, PROVIDERS_REMOVED };

/* One method of the copy; one that was removed stands there once, with no provider. */
struct providers_method {
	uint16_t index; /* in shared memory: for bus/seats */
	uint8_t name_len;
	uint8_t change; /* enum providers_change: this reader is the one that announces it */
	char name[PROVIDER_NAME_BYTES];
};

struct providers_channel {
	uint32_t conn_id;
	uint8_t name_len;
	uint8_t change;
	uint64_t registered_ms;
	char name[PROVIDER_CHANNEL_BYTES];
};

struct providers_provider {
	uint32_t conn_id;
	uint16_t row;
	uint16_t slot;
	uint32_t concurrency;
	uint64_t registered_ms;
	uint16_t method_count;
	uint16_t description_len;
	uint16_t methods[PROVIDER_METHODS_MAX]; /* places in `methods` of the copy */
	char description[PROVIDER_DESCRIPTION_BYTES];
};

/* All of it as it was at one instant. Large: on the heap. */
struct providers_copy {
	uint64_t generation;
	unsigned provider_count, method_count, channel_count;
	struct providers_provider providers[PROVIDERS_MAX];
	struct providers_method methods[PROVIDERS_METHODS];
	struct providers_channel channels[PROVIDERS_CHANNELS];
};

/* --- life: for bus/segment alone ---------------------------------------------------------- */

struct providers *providers_new(const struct providers_parts *parts);
void providers_free(struct providers *providers);
/* Empties it; also one left by processes that are all dead. Returns 0 or -errno. */
int providers_format(struct providers *providers) must_check;

/* --- acts --------------------------------------------------------------------------------- */

/*
 * Registers what the connection offers, instead of what it offered before. Then call bell_ring_all.
 * Returns 0 and its row; -ENOSPC when the tables are full (then nothing has changed); -ETIMEDOUT when the lock
 * was not to be had: try again; -ENOTRECOVERABLE.
 */
int providers_register(
    struct providers *providers, const struct provider_offer *offer, unsigned *ret_row) must_check;

/* Takes the provider of a connection away, if it is there. Returns as providers_register. */
int providers_leave(struct providers *providers, unsigned row, uint32_t conn_id) must_check;

/*
 * Copies all of it, and takes over what is to be announced. Returns 0; -ETIMEDOUT, -ENOTRECOVERABLE (then
 * the copy is what it was).
 */
int providers_read(struct providers *providers, struct providers_copy *ret) must_check;

/*
 * By the process of `slot` alone: how much news there was so far. Asking counts as having looked, as with
 * directory_close_requests.
 */
uint64_t providers_news(struct providers *providers, unsigned slot);

/* Tells all processes that there is news, of whatever kind; then call bell_ring_all. */
void providers_tell_all(struct providers *providers);

/* The supervisor's, after reaping the process of `slot`: frees what it had, and tells all. */
void providers_clear_slot(struct providers *providers, unsigned slot);

/* --- questions ---------------------------------------------------------------------------- */

/* Moves with each change of who offers what. */
uint64_t providers_generation(const struct providers *providers);
/* Whether there is news for `slot` since it last called providers_news. */
bool providers_has_news(const struct providers *providers, unsigned slot);
/* How many lines are taken; how often a process died with the lock in its hand. */
unsigned providers_count(const struct providers *providers);
uint64_t providers_recoveries(const struct providers *providers);
/* As ring_stuck_holder. */
pid_t providers_stuck_holder(struct providers *providers, uint64_t limit_ms);
