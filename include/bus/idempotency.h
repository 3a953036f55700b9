/*
 * Idempotency keys: a call that comes again under the same key is not made again, but given the first one's
 * answer, on whichever worker it comes.
 *
 * A bounded table in the shared segment, under a robust lock that is held for microseconds (an answer of 64 KiB
 * is copied within it). Of caller, method, key and params only keyed hashes are kept, of 128 bits each. The memory
 * is drawn in bus/layout.h.
 *
 *	idempotency_begin ──FIRST──▶ RUNNING ──idempotency_finish──▶ FINISHED ──5 minutes, or pushed out──▶ free
 *	                                └──idempotency_forget──▶ free
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/span.h"

struct idempotency;
struct idempotency_shared;

enum {
	IDEMPOTENCY_ANSWER_MAX = 65536, /* bytes of an answer that is kept */
	IDEMPOTENCY_KEPT_MS = 300000,	/* from the end of the call */
};

enum idempotency_verdict {
	IDEMPOTENCY_FIRST,    /* nobody made this call: make it, and finish or forget it */
	IDEMPOTENCY_RUNNING,  /* it runs: look again when something has finished */
	IDEMPOTENCY_ANSWER,   /* it was answered */
	IDEMPOTENCY_NOT_KEPT, /* it was answered, and the answer was too long to be kept */
	IDEMPOTENCY_MISMATCH, /* the same key, with other params */
	IDEMPOTENCY_FULL,     /* too many run */
	IDEMPOTENCY_GONE,     /* looking only: there is no such call any more */
	IDEMPOTENCY_LOCKED,   /* the lock was not to be had: try again */
	IDEMPOTENCY_NO_MEMORY,
};

/* A call under a key. 0 is none. */
typedef uint64_t idempotency_ticket;

struct idempotency_call {
	struct span identity; /* caller, method and key, unambiguously */
	struct span params;
	unsigned slot;	     /* of the caller's worker */
	uint64_t now_ms;     /* CLOCK_MONOTONIC */
	uint32_t timeout_ms; /* of the call */
};

/* For bus/segment alone. */
struct idempotency *idempotency_new(struct idempotency_shared *shared, unsigned slots);
void idempotency_free(struct idempotency *idempotency);
/* Empties it. Returns 0 or -errno. */
int idempotency_format(struct idempotency *idempotency) must_check;

/*
 * Begins a call, or finds it. FIRST and RUNNING set *ret_ticket. ANSWER sets *ret_kind as it was given to
 * idempotency_finish, and `into` to the bytes.
 */
enum idempotency_verdict idempotency_begin(struct idempotency *idempotency,
    const struct idempotency_call *call, idempotency_ticket *ret_ticket, unsigned *ret_kind,
    struct buf *into) must_check;

/* Looks what became of a call that was RUNNING: RUNNING, ANSWER, NOT_KEPT, GONE, LOCKED or NO_MEMORY. */
enum idempotency_verdict idempotency_look(struct idempotency *idempotency,
    idempotency_ticket ticket, unsigned *ret_kind, struct buf *into) must_check;

/* The call is about to be handed to the worker of `slot`: with that it has begun to happen. */
void idempotency_hand_over(
    struct idempotency *idempotency, idempotency_ticket ticket, unsigned slot);

/* It could not be handed over after all. */
void idempotency_take_back(struct idempotency *idempotency, idempotency_ticket ticket);

/* Whether it was handed over. */
bool idempotency_is_handed_over(struct idempotency *idempotency, idempotency_ticket ticket);

/*
 * The call was answered: kind (0..255) is the caller's to choose. The first answer stands. True: others wait for
 * it, and must be told.
 */
bool idempotency_finish(struct idempotency *idempotency, idempotency_ticket ticket, unsigned kind,
    struct span answer, uint64_t now_ms);

/* The call did not happen: the next one of its key is the first. True: others wait, and must be told. */
bool idempotency_forget(struct idempotency *idempotency, idempotency_ticket ticket);

/*
 * The supervisor's, after reaping the process of `slot`: forgets the calls that went with it. Those that it had
 * handed to another process run on there.
 */
void idempotency_clear_slot(struct idempotency *idempotency, unsigned slot);

/* Entries that are running, and that are finished, at now_ms (CLOCK_MONOTONIC). */
void idempotency_count(const struct idempotency *idempotency, uint64_t now_ms,
    unsigned *ret_running, unsigned *ret_finished);
/* How often a process died with the lock in its hand; as ring_stuck_holder. */
uint64_t idempotency_recoveries(const struct idempotency *idempotency);
pid_t idempotency_stuck_holder(struct idempotency *idempotency, uint64_t limit_ms);
