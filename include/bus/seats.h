/*
 * Seats: how many requests a provider is given at a time, counted over all workers.
 *
 * A caller's worker takes a seat before it sends a request to a provider, and gives it back when the
 * answer has come. Where there is none, the request waits with its worker, which says so here; the next
 * seat that becomes free is then granted to a worker that waits, in turn, so that none starves. Seats
 * are numbers of the caller's process in shared memory: they go with it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

struct providers;

enum {
	SEATS_LINE_MAX = 1024, /* requests that may wait for one method, of all workers */
	SEATS_NO_SLOT = 0xffff,
};

/* A provider that could serve a request, as the reader's copy of the directory says. */
struct seats_place {
	uint32_t conn_id;
	uint16_t row;
};

/* A request that wants one of the places. */
struct seats_wanted {
	unsigned slot;	 /* the caller's own */
	unsigned method; /* providers_method.index */
	const struct seats_place *places;
	unsigned count;
	unsigned turn;	/* where to begin among equals: counted up by the caller */
	bool is_forced; /* waits however many do: it has waited before */
};

enum seats_verdict {
	SEATS_TAKEN,
	SEATS_WAITS,  /* none is free: it counts as waiting, until seats_stop_waiting */
	SEATS_FULL,   /* none is free, and too many wait */
	SEATS_STALE,  /* none of the places is there any more: read the directory again */
	SEATS_LOCKED, /* the lock was not to be had: try again */
};

/* Takes a seat at the place with the fewest requests in flight, which is places[*ret_which]. */
enum seats_verdict seats_take(
    struct providers *providers, const struct seats_wanted *wanted, unsigned *ret_which) must_check;

/* Undoes SEATS_WAITS: the same request does not wait any more. No lock is taken. */
void seats_stop_waiting(struct providers *providers, const struct seats_wanted *wanted);

/*
 * Gives a seat back; `is_granted` when it is one that was granted and not used. *ret_slot becomes the worker to
 * which it was granted then, for bell_ring, or SEATS_NO_SLOT. Returns 0, also when the provider has gone;
 * -ETIMEDOUT: try again; -ENOTRECOVERABLE.
 */
int seats_release(struct providers *providers, unsigned slot, const struct seats_place *place,
    bool is_granted, unsigned *ret_slot) must_check;

/* Uses a granted seat. Returns 0; -ENOENT: none is granted; -ETIMEDOUT; -ENOTRECOVERABLE. */
int seats_use(
    struct providers *providers, unsigned slot, const struct seats_place *place) must_check;

/* Seats that were granted to the process of `slot` at this row. */
unsigned seats_granted(const struct providers *providers, unsigned slot, unsigned row);

/* By the provider's worker: whether it takes no more at present. Grants what became free; then bell_ring_all. */
void seats_set_full(struct providers *providers, const struct seats_place *place, bool is_full);

/* Requests in flight at this row, of all workers. */
unsigned seats_in_flight(const struct providers *providers, unsigned row);

/* Requests that wait for this method, of all workers; that wait in `slot`, for whatever method. */
unsigned seats_waiting(const struct providers *providers, unsigned method);
