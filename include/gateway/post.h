/*
 * Mail about calls between workers, and its forms. A worker writes to itself in the same way as to others, so
 * that there is one path and one order.
 *
 *	the caller's worker                      the provider's worker
 *	  MAIL_CALL      struct post_call, text  ─▶  {"id":"gw-…",…} to the provider
 *	  MAIL_CANCEL    nothing                 ─▶  cancel to the provider
 *	               ◀─ MAIL_PROGRESS  JSON text
 *	               ◀─ MAIL_RESULT    JSON text
 *	               ◀─ MAIL_ERROR     one byte, an error_code, and the text of the ErrorShape
 *	               ◀─ MAIL_GONE      nothing: the provider is not there any more
 *
 * All mail of one call has its token. Of RESULT, ERROR and GONE one comes, and nothing behind it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/span.h"

struct gateway;

enum post_kind {
	MAIL_CALL = 16,
	MAIL_CANCEL,
	MAIL_PROGRESS,
	MAIL_RESULT,
	MAIL_ERROR,
	MAIL_GONE,
};

/* What stands before the text of a MAIL_CALL: that is the rest of a frame, behind its first members. */
struct post_call {
	uint32_t conn_id; /* of the provider */
	uint32_t timeout_ms;
	uint64_t ticket; /* of bus/idempotency: the provider's worker keeps the answer; 0: none */
};

struct post_letter {
	unsigned slot;
	enum post_kind kind;
	uint64_t token;
	struct span body;
	bool uses_reserve; /* the reader has reserved room for it */
};

/*
 * Sends; the reader is woken by post_wake. Returns 0; -ENOBUFS: no room now; -ETIMEDOUT: try again; -EMSGSIZE: longer
 * than any mail may be; -ENOTCONN: nobody ever stood there; -ENOTRECOVERABLE.
 */
int post_send(struct gateway *gateway, const struct post_letter *letter) must_check;

/*
 * Wakes those who were sent mail since the last time. To be called before this process may sleep: one who is woken
 * by the first of many would be woken by each of them.
 */
void post_wake(struct gateway *gateway);

/* Whether the process that stood in this slot in this generation has ended. */
bool post_is_dead(const struct gateway *gateway, unsigned slot, uint32_t generation);
