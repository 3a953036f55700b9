/*
 * The sessions of which this worker has read messages from the ring: the last 1000 session keys, with
 * what sessions.list and the snapshot of a hello tell about them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/jsonw.h"
#include "base/list.h"
#include "base/macros.h"
#include "base/span.h"
#include "bus/ring.h"

enum {
	RECENT_SESSIONS_MAX = 1000,
	RECENT_PREVIEW_CHARACTERS = 200,
	RECENT_ROLE_MAX = 32, /* characters too */
};

struct recent;

/* What the last message of a session said. */
struct recent_message {
	bool is_there; /* it had a role or a content, as a string */
	/* Decoded and cut; a NUL may be among the bytes, and one follows them. */
	size_t role_len, preview_len;
	char role[RECENT_ROLE_MAX * 4 + 1];
	char preview[RECENT_PREVIEW_CHARACTERS * 4 + 1];
};

struct recent_session {
	struct list link; /* recent_list: the most recently updated one first */
	struct span key;  /* owned by the set */
	uint64_t created_at_ms, updated_at_ms;
	uint64_t last_seq;
	uint64_t message_count;
	struct recent_message message;
};

/* Creates an empty set; NULL without memory. */
struct recent *recent_new(void);
void recent_free(struct recent *recent);

/*
 * Takes note of an event read from the ring; only session.message with a key counts. Returns 0, or
 * -ENOMEM: then nothing of it was noted.
 */
int recent_note(struct recent *recent, const struct ring_record *record, struct span name,
    struct span key, struct span frame) must_check;

/* The head of the list of sessions, the most recently updated one first. */
const struct list *recent_list(const struct recent *recent);

/* The session's part before the first ':' (the whole key when there is none). */
struct span recent_channel(const struct recent_session *session);

/* Writes the Session object of PROTOCOL section 6; without lastMessage where that said nothing. */
void recent_write(const struct recent_session *session, struct jsonw *out);
