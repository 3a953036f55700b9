/*
 * Counters and gauges of one process in shared memory.
 *
 * Each slot has one writer, the process that runs in it: so an increment is a load and a store,
 * no
 * locked instruction. Whoever answers /metrics or `status` sums the slots. A process that dies
 * leaves its counters (they go on with its successor), while the supervisor clears its gauges.
 *
 * Gauges stand first:
 *
 *        0            64                                                sizeof
 *        +------------+--------------------------------------------------+
 *        | gauges     | counters and histograms                          |
 *        +------------+--------------------------------------------------+
 */
#pragma once

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
	COUNTERS_BUCKETS = 16,	  /* of a histogram; the last has no upper bound */
	COUNTERS_METHODS = 64,	  /* rows: the gateway numbers them */
	COUNTERS_CODES = 8,	  /* 0: ok, else 1 + error code */
	COUNTERS_HANDSHAKES = 16, /* by outcome, as the gateway numbers them */
	COUNTERS_NAMESPACES = 9,  /* of events, as the gateway numbers them; the last: all others */
	COUNTERS_HTTP = 6,	  /* by status class: [2] is 2xx; [0] no answer was possible */
	COUNTERS_AUTHENTICATIONS = 24, /* by verdict, as the gateway numbers them */
	COUNTERS_LIMITS = 16,	       /* by limit, as the gateway numbers them */
	COUNTERS_TLS = 4,	       /* by result, as the gateway numbers them */
	COUNTERS_CAUSES = 40,	       /* by cause of the end, see bus/ledger.h */
	COUNTERS_CLOSES = 16,	       /* by bucket of close code, see counters_close_bucket */
};

/*
 * Times in nanoseconds; bucket i counts what is <= counters_bounds_ns[i] and above the one
 * before.
 */
struct counters_histogram {
	_Atomic uint64_t buckets[COUNTERS_BUCKETS];
	_Atomic uint64_t sum_ns;
	_Atomic uint64_t count;
};

struct counters {
	/* gauges: what is now; cleared when the process is gone */
	alignas(64) _Atomic uint64_t connections;
	_Atomic uint64_t websockets;
	_Atomic uint64_t admin_subscribers; /* connections that would take admin-only events */
	_Atomic uint64_t catching_up;	    /* connections that are behind */
	_Atomic uint64_t event_streams;	    /* connections that are sent Server-Sent Events */
	_Atomic uint64_t calls_waiting;	    /* requests that wait for a provider */
	_Atomic uint64_t jobs;		    /* requests that its providers were given */
	_Atomic uint64_t gauges_spare[1];

	/* counters: what was, ever */
	_Atomic uint64_t accepted;
	_Atomic uint64_t closed;
	_Atomic uint64_t accept_paused; /* times that accepting was paused (no descriptors left) */
	_Atomic uint64_t deliveries;	/* events handed to a connection */
	_Atomic uint64_t bytes_in;
	_Atomic uint64_t bytes_out;
	_Atomic uint64_t slow_closed;	    /* closed: took too little */
	_Atomic uint64_t gaps;		    /* gateway.gap: told that the ring had overtaken it */
	_Atomic uint64_t events_compressed; /* each once in each worker */
	_Atomic uint64_t compression_saved_bytes; /* that clients were not sent */
	_Atomic uint64_t messages_inflated;	  /* of clients */
	_Atomic uint64_t calls_started;		  /* requests to providers */
	_Atomic uint64_t provider_strays; /* answers to what was not, or is no more, asked */
	_Atomic uint64_t answers_held;	  /* providers' answers that found no room at once */
	_Atomic uint64_t events_directed; /* published to a connection alone */
	_Atomic uint64_t directed_lost;	  /* of them: it was not there, or closed as too slow */
	_Atomic uint64_t log_lines_lost;  /* that no file or pipe took */
	_Atomic uint64_t log_rotations;	  /* this and the next: the supervisor's */
	_Atomic uint64_t workers_relieved;
	_Atomic uint64_t handshakes[COUNTERS_HANDSHAKES];
	_Atomic uint64_t tls_handshakes[COUNTERS_TLS];
	_Atomic uint64_t closes[COUNTERS_CLOSES];
	_Atomic uint64_t closes_by_cause[COUNTERS_CAUSES];
	_Atomic uint64_t http_requests[COUNTERS_HTTP];
	_Atomic uint64_t events_published[COUNTERS_NAMESPACES];
	_Atomic uint64_t authentications[COUNTERS_AUTHENTICATIONS];
	_Atomic uint64_t limits[COUNTERS_LIMITS];
	_Atomic uint64_t requests[COUNTERS_METHODS][COUNTERS_CODES];
	struct counters_histogram request_seconds[COUNTERS_METHODS];
	struct counters_histogram delivery_latency; /* publish to send */
};

static_assert(offsetof(struct counters, accepted) == 64, "gauges are the first cache line");
static_assert(sizeof(_Atomic uint64_t) == 8, "atomic words are plain words");

/* Upper bounds of the buckets, inclusive: 25 us to 10 s, and the last is UINT64_MAX. */
extern const uint64_t counters_bounds_ns[COUNTERS_BUCKETS];

/* Adds `n`. Only by the slot's own process: one writer. */
static inline void
counters_add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(
	    counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

/* Takes `n` from a gauge. Only by the slot's own process. */
static inline void
counters_subtract(_Atomic uint64_t *gauge, uint64_t n)
{
	atomic_store_explicit(
	    gauge, atomic_load_explicit(gauge, memory_order_relaxed) - n, memory_order_relaxed);
}

/* Sets a gauge. Only by the slot's own process. */
static inline void
counters_set(_Atomic uint64_t *gauge, uint64_t value)
{
	atomic_store_explicit(gauge, value, memory_order_relaxed);
}

/* Reads a counter or gauge of any slot. */
static inline uint64_t
counters_get(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Counts a duration of `ns` nanoseconds. Only by the slot's own process. */
void counters_observe(struct counters_histogram *histogram, uint64_t ns);

/*
 * The bucket of `closes` for a WebSocket close code: 1000 to 1013 are 0 to 13, any other is 14;
 * code 0 (no close frame at all) is 15.
 */
unsigned counters_close_bucket(uint16_t code);

/*
 * The supervisor's, after reaping the process: its gauges become 0, its counters stay, and what it had accepted
 * and not closed counts as closed.
 */
void counters_clear_gauges(struct counters *counters);
