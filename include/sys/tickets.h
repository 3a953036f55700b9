/*
 * Keys of TLS session tickets (RFC 5077, RFC 8446 section 4.6.1), on which all processes of a gateway
 * agree without a word: whoever has the same beginning derives the same keys from the time alone.
 *
 *	epoch 0      epoch 1      epoch 2      each 12 h of CLOCK_MONOTONIC, which is one for all processes
 *	secret ────▶ secret ────▶ secret       HKDF-Expand(secret, "next"); the one before is wiped
 *	   │            │            │
 *	   ▼            ▼            ▼
 *	  keys         keys         keys       name, cipher key, MAC key of the tickets of that epoch
 *
 * Tickets are sealed with the keys of the epoch that is, and opened with these or those before. There is no
 * way back from a secret to the one before: who takes over a process cannot open what was sealed earlier.
 */
#pragma once

#include <stdint.h>

#include "base/macros.h"

enum {
	TICKETS_EPOCH_S = 12 * 3600,
	TICKETS_SECRET_BYTES = 32,
	TICKETS_NAME_BYTES = 16,
	TICKETS_KEY_BYTES = 32,
};

struct ticket_key {
	uint8_t name[TICKETS_NAME_BYTES];  /* goes with the ticket, as it is */
	uint8_t cipher[TICKETS_KEY_BYTES]; /* AES-256 */
	uint8_t mac[TICKETS_KEY_BYTES];	   /* HMAC-SHA-256 */
};

/* A copy derives the same keys. */
struct tickets {
	uint64_t begin_ms; /* of epoch 0 */
	uint64_t epoch;
	uint8_t secret[TICKETS_SECRET_BYTES]; /* of that epoch */
	struct ticket_key now, before;	      /* of epoch 0 there is none before: it is random */
};

/* Begins with random keys at now_ms of CLOCK_MONOTONIC. 0 or -errno. */
int tickets_init(struct tickets *, uint64_t now_ms) must_check;

/*
 * Goes on to the epoch of now_ms, and wipes what is of no more use; a time before is taken for now. 0; -ENOMEM:
 * the keys are those of an epoch before, which is tried again.
 */
int tickets_advance(struct tickets *, uint64_t now_ms) must_check;

/* The key of this name; NULL: it is of no epoch that still counts. Only after tickets_advance. */
const struct ticket_key *tickets_find(
    const struct tickets *, const uint8_t name[TICKETS_NAME_BYTES]);

/* Overwrites all of it. */
void tickets_wipe(struct tickets *);
