/*
 * One reload after the other, as a state machine without a clock, a file or a socket:
 *
 *	 IDLE ──begin──▶ TAKING ──nobody owes──▶ TELLING ──end──▶ IDLE
 *	   │                                        ▲
 *	   └──────────────skip (it is bad)──────────┘
 *
 * Whatever is wanted while one is under way becomes one more. A member is a place in which processes
 * live one after the other; what the dead one owed or asked is forgotten with it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

enum { TRANSACTION_MEMBERS = 258 };

enum transaction_phase { TRANSACTION_IDLE, TRANSACTION_TAKING, TRANSACTION_TELLING };

struct transaction_member {
	uint32_t life;	      /* which process of this place */
	uint64_t owes;	      /* the reload that it was handed and has not acknowledged; 0: none */
	uint64_t ticket;      /* of the question that it asked; 0: none */
	uint64_t answered_by; /* the reload that began after it asked */
};

/* Zero-initialised is valid: idle, and nothing wanted. */
struct transaction {
	enum transaction_phase phase;
	bool is_wanted;
	uint64_t number; /* of the reload under way, or of the last */
	struct transaction_member members[TRANSACTION_MEMBERS];
};

/* This process lives in the place now: what another one left there is forgotten. */
void transaction_meet(struct transaction *, unsigned member, uint32_t life);

/* One more reload is wanted. */
void transaction_want(struct transaction *);

/* The member wants one and its outcome. False: it has asked already, and must wait. */
bool transaction_ask(struct transaction *, unsigned member, uint64_t ticket) must_check;

/* Whether the next one is to begin. */
bool transaction_is_due(const struct transaction *);

/* Begins it; returns its number. */
uint64_t transaction_begin(struct transaction *);

/* The member was handed the new configuration. */
void transaction_owe(struct transaction *, unsigned member);

/* The member acknowledged this one. False: it owes no such thing. */
bool transaction_take(struct transaction *, unsigned member, uint64_t number) must_check;

/* Nothing is handed out: it was bad. */
void transaction_skip(struct transaction *);

/* Whether the member owes an acknowledgement. */
bool transaction_owes(const struct transaction *, unsigned member);

/* From TAKING to TELLING when nobody owes any more. Whether it is in TELLING now. */
bool transaction_settle(struct transaction *);

/* The next member that this reload answers, and its ticket, which is forgotten. False: no more. */
bool transaction_next_asker(struct transaction *, unsigned *ret_member, uint64_t *ret_ticket);

/* It is over. */
void transaction_end(struct transaction *);
