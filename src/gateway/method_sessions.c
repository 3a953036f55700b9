/*
 * sessions.list over the sessions that this worker has seen messages of, most recently updated first.
 *
 * The cursor is the seq of the last message of the page's last session: sessions that are updated meanwhile move
 * to the front, where earlier pages were, and none that was not shown is passed over.
 */
#include "gateway/method_sessions.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/jsonw.h"
#include "base/parse.h"
#include "conf/conf.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/recent.h"
#include "proto/params.h"

enum { LIST_LIMIT, LIST_CURSOR, LIST_CHANNEL, LIST_SEARCH, LIST_ACTIVE_AFTER, LIST_PARAMS };
enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 200 };

enum {
	/* What stands around the page: an id of 128 bytes can be six times as long when escaped. */
	ENVELOPE_ROOM = 1024,
};

static const struct param list_table[LIST_PARAMS] = {
	[LIST_LIMIT] = { .name = "limit", .kind = PARAM_INTEGER, .min = 1, .max = LIMIT_MAX },
	[LIST_CURSOR] = { .name = "cursor", .kind = PARAM_STRING, .min = 1, .max = 20 },
	[LIST_CHANNEL] = { .name = "channel", .kind = PARAM_STRING, .min = 1, .max = 256 },
	[LIST_SEARCH] = { .name = "search", .kind = PARAM_STRING, .min = 1, .max = 256 },
	[LIST_ACTIVE_AFTER] = { .name = "activeAfter",
	    .kind = PARAM_INTEGER,
	    .min = 0,
	    .max = INT64_C(1) << 53 },
};

struct query {
	const struct param_value *values;
	uint64_t before_seq; /* the cursor */
	uint64_t limit;
	size_t room; /* bytes that a page may have */
};

static bool
contains(struct span text, struct span part)
{
	return memmem(text.p, text.n, part.p, part.n) != NULL;
}

static bool
is_wanted(const struct query *query, const struct recent_session *session)
{
	const struct param_value *v = query->values;

	if (session->last_seq >= query->before_seq)
		return false;
	if (v[LIST_CHANNEL].is_present &&
	    !span_is_equal(recent_channel(session), v[LIST_CHANNEL].string))
		return false;
	if (v[LIST_ACTIVE_AFTER].is_present &&
	    session->updated_at_ms <= (uint64_t)v[LIST_ACTIVE_AFTER].integer)
		return false;
	return !v[LIST_SEARCH].is_present || contains(session->key, v[LIST_SEARCH].string) ||
	       contains(span_make(session->message.preview, session->message.preview_len),
		   v[LIST_SEARCH].string);
}

/* Writes the page; returns the seq of its last session where more follow, else 0. */
static uint64_t
write_page(const struct gateway *g, const struct query *query, struct jsonw *w)
{
	const struct list *at;
	uint64_t written = 0, last_seq = 0;

	LIST_FOREACH (at, recent_list(g->recent)) {
		const struct recent_session *session =
		    container_of(at, struct recent_session, link);
		size_t before = w->out->len;

		if (!is_wanted(query, session))
			continue;
		if (written == query->limit)
			return last_seq;
		recent_write(session, w);
		if (w->out->len > query->room && written > 0) {
			w->out->len = before;
			return last_seq;
		}
		last_seq = session->last_seq;
		written++;
	}
	return 0;
}

static void
list(const struct answer *to, const struct query *query)
{
	struct gateway *g = to->connection->gateway;
	struct jsonw w;
	uint64_t next;

	buf_reset(&g->text);
	jsonw_init(&w, &g->text);
	jsonw_object(&w);
	jsonw_key(&w, "sessions");
	jsonw_array(&w);
	next = write_page(g, query, &w);
	jsonw_array_end(&w);
	if (next != 0) {
		char cursor[24];

		snprintf(cursor, sizeof(cursor), "%" PRIu64, next);
		jsonw_key(&w, "nextCursor");
		jsonw_cstr(&w, cursor);
	}
	jsonw_object_end(&w);
	if (buf_status(&g->text) != 0)
		answer_no_memory(to);
	else
		answer_result(to, buf_span(&g->text));
}

/* What a page may have.  One session is told in any case. */
static size_t
page_room(const struct gateway *g)
{
	uint64_t whole = g->conf->gateway.max_payload;

	return whole > ENVELOPE_ROOM ? (size_t)whole - ENVELOPE_ROOM : 0;
}

void
method_sessions_list(const struct answer *to, const struct envelope *frame)
{
	struct params params;
	struct envelope_fault fault;
	struct query query = { .before_seq = UINT64_MAX, .limit = LIMIT_DEFAULT };
	int r = params_read(&params, frame->params.text, "params", list_table, LIST_PARAMS, &fault);

	if (r != 0) {
		if (r == -EBADMSG)
			answer_fault(to, &fault);
		else
			answer_no_memory(to);
		return;
	}
	query.values = params.values;
	query.room = page_room(to->connection->gateway);
	if (params.values[LIST_LIMIT].is_present)
		query.limit = (uint64_t)params.values[LIST_LIMIT].integer;
	if (params.values[LIST_CURSOR].is_present &&
	    parse_u64(params.values[LIST_CURSOR].string, UINT64_MAX, &query.before_seq) != 0)
		answer_fail(to, ERROR_INVALID_REQUEST, "invalid-field", "params.cursor",
		    "cursor must be the nextCursor of an earlier answer");
	else
		list(to, &query);
	params_fini(&params);
}
