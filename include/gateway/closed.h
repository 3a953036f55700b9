/*
 * Pages of the ledger of connections that have ended, for connections.list.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "gateway/answer.h"

/* Which of them; the newest come first. */
struct closed_question {
	uint64_t before;  /* the number of a line: only those that were written before it; 0: all */
	uint32_t limit;	  /* 1 or more */
	uint32_t conn_id; /* only the last one about this connection; 0: all */
};

/*
 * Answers {"connections":[...],"nextCursor"?}: as many as fit into a message of `room` bytes, at least one. The
 * cursor is 16 hexadecimal digits, for `before`.
 */
void closed_answer(const struct answer *to, const struct closed_question *question, size_t room);
