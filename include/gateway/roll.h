/*
 * The roll of connections: each worker writes its part of a page, and whoever was asked merges the parts.
 *
 * A part is binary, since it crosses processes and is still input to whoever reads it:
 *
 *	 0      1                  5                 9
 *	+------+------------------+-----------------+----------------------+--- next entry …
 *	| more | connId, 4 bytes  | length, 4 bytes | JSON of that length  |
 *	+------+------------------+-----------------+----------------------+---
 *	  host byte order: all workers run the same program.  more: the worker has others beyond this part.
 *	  length 0: a connection of which nothing can be told, since it alone is too large.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/jsonw.h"
#include "base/macros.h"
#include "base/span.h"

struct gateway;

enum {
	ROLL_LIMIT_MAX = 200, /* connections of a page */
};

/* The question: the connections whose id is above `after`, in the order of ids, `limit` at most. */
struct roll_question {
	uint32_t after;
	uint32_t limit; /* 1..ROLL_LIMIT_MAX; what is above counts as that */
	uint32_t only;	/* this connection alone; 0: any */
};

/*
 * Writes this worker's part into the empty buffer ret: at most room bytes, at least 16.  A connection that is too
 * large even alone is told without its caps, or left out.  A question that is malformed gives an empty part.
 */
void roll_part_write(struct gateway *gateway, struct span question, size_t room, struct buf *ret);

/* Parts under collection.  Zero-initialised is valid and empty. */
struct roll {
	struct buf parts; /* the entries of all parts, back to back */
	struct buf marks; /* array of struct roll_mark */
	bool more;	  /* some part ended before its worker's last connection */
	uint32_t horizon; /* ids above this may be missing from a part that ended early */
};

/* Adds a part.  False: it is malformed or memory is short, and nothing was added. */
bool roll_add(struct roll *roll, struct span part) must_check;

/*
 * Writes the merged page as JSON values into an open array: at most `limit` entries, and as many as fit into an
 * output of `room` bytes, but at least one.  Returns the id of the last one when others follow it, else 0.
 */
uint32_t roll_write(struct roll *roll, uint32_t limit, size_t room, struct jsonw *out);

/* Frees the memory. */
void roll_fini(struct roll *roll);
