/*
 * A connection as connections.list tells it, read for people: the members that a verb prints.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/span.h"

/* Texts are fit for a terminal; empty where the gateway did not tell. */
struct connline {
	struct buf id, client, display, remote, cause, limit, reason;
	uint64_t worker, connected_ms, closed_ms, age_ms;
	uint64_t messages, bytes_in, bytes_out, lag, code;
	bool has_age, has_bytes;
};

/* Reads the JSON of one connection; to be freed by connline_fini in any case. False: it is none. */
bool connline_read(struct connline *ret, struct span json) must_check;
void connline_fini(struct connline *);

/* How long it has lasted, or did. */
uint64_t connline_age_ms(const struct connline *, uint64_t now_ms);
