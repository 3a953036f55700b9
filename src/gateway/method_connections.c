/*
 * connections.list gathers from all workers, or reads the ledger; connections.close leaves a mark in the directory, which needs no
 * room anywhere and so cannot fail for want of it.
 */
#include "gateway/method_connections.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/jsonw.h"
#include "base/parse.h"
#include "bus/bell.h"
#include "bus/directory.h"
#include "conf/conf.h"
#include "gateway/closed.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/peers.h"
#include "gateway/pending.h"
#include "gateway/roll.h"
#include "proto/params.h"

enum { LIST_LIMIT, LIST_CURSOR, LIST_CLOSED, LIST_ID, LIST_PARAMS };
enum { CLOSE_ID, CLOSE_REASON, CLOSE_PARAMS };

enum {
	LIMIT_DEFAULT = 50,
	/* What stands around the page: an id of 128 bytes can be six times as long when escaped. */
	ENVELOPE_ROOM = 1024,
	CLOSED_ROOM = 2048, /* the longest line of the ledger, escaped as it can be */
};

static const struct param list_table[LIST_PARAMS] = {
	[LIST_LIMIT] = { .name = "limit", .kind = PARAM_INTEGER, .min = 1, .max = ROLL_LIMIT_MAX },
	[LIST_CURSOR] = { .name = "cursor", .kind = PARAM_STRING, .min = 8, .max = 16 },
	[LIST_CLOSED] = { .name = "closed", .kind = PARAM_BOOL },
	[LIST_ID] = { .name = "connId",
	    .alias = "conn_id",
	    .kind = PARAM_STRING,
	    .min = 8,
	    .max = 8 },
};

static const struct param close_table[CLOSE_PARAMS] = {
	[CLOSE_ID] = { .name = "connId",
	    .alias = "conn_id",
	    .kind = PARAM_STRING,
	    .required = true,
	    .min = 8,
	    .max = 8 },
	[CLOSE_REASON] = { .name = "reason",
	    .kind = PARAM_STRING,
	    .min = 0,
	    .max = DIRECTORY_REASON_MAX },
};

/* One connections.list under way. */
struct listing {
	struct pending *pending;
	struct gather *gather;
	struct roll roll;
	struct roll_question question;
};

static void
listing_free(struct listing *listing)
{
	roll_fini(&listing->roll);
	mem_free(listing);
}

static bool
on_part(void *owner, struct span part)
{
	struct listing *listing = owner;

	return roll_add(&listing->roll, part);
}

/* What a page may have.  One connection is told in any case. */
static size_t
page_room(const struct gateway *g)
{
	uint64_t whole = g->conf->gateway.max_payload;

	return whole > ENVELOPE_ROOM ? (size_t)whole - ENVELOPE_ROOM : 0;
}

static void
write_page(const struct gateway *g, struct listing *listing, struct buf *out)
{
	struct jsonw w;
	uint32_t next;

	jsonw_init(&w, out);
	jsonw_object(&w);
	jsonw_key(&w, "connections");
	jsonw_array(&w);
	next = roll_write(&listing->roll, listing->question.limit, page_room(g), &w);
	jsonw_array_end(&w);
	if (next != 0) {
		char cursor[9];

		snprintf(cursor, sizeof(cursor), "%08" PRIx32, next);
		jsonw_key(&w, "nextCursor");
		jsonw_cstr(&w, cursor);
	}
	jsonw_object_end(&w);
}

/* This worker's own part comes last, so that a listing that waits has cost next to nothing. */
static bool
add_own_part(struct gateway *g, struct listing *listing)
{
	const struct roll_question *question = &listing->question;
	struct buf own = { 0 };
	bool added;

	roll_part_write(g, span_make((const char *)question, sizeof(*question)), SIZE_MAX, &own);
	added = buf_status(&own) == 0 && roll_add(&listing->roll, buf_span(&own));
	buf_fini(&own);
	return added;
}

static void
answer_listing(struct listing *listing, const struct answer *to)
{
	struct gateway *g = to->connection->gateway;

	/* Whoever asks and does not read would have pages heaped up here, each for a line sent. */
	if (traffic_owed(to->connection->traffic) > g->conf->gateway.max_buffered_bytes) {
		answer_fail(to, ERROR_UNAVAILABLE, "too-much-unread", NULL,
		    "Earlier answers were not read yet; read them, then ask again");
		return;
	}
	if (!add_own_part(g, listing)) {
		answer_no_memory(to);
		return;
	}
	buf_reset(&g->text);
	write_page(g, listing, &g->text);
	if (buf_status(&g->text) != 0)
		answer_no_memory(to);
	else
		answer_result(to, buf_span(&g->text));
}

static void
on_done(void *owner, enum gather_verdict verdict)
{
	struct listing *listing = owner;
	struct pending *pending = listing->pending;

	pending_detach(pending);
	if (verdict == GATHER_COMPLETE)
		answer_listing(listing, &pending->answer);
	else
		answer_fail(&pending->answer, ERROR_UNAVAILABLE, "worker-busy", NULL,
		    "A worker did not tell its connections in time; ask again");
	pending_free(pending);
	listing_free(listing);
}

static void
on_gone(struct pending *pending)
{
	struct listing *listing = pending->owner;

	gather_cancel(listing->gather);
	listing_free(listing);
}

/* Returns 0; -EBUSY, -ENOMEM. */
static int
start_listing(const struct answer *to, uint32_t timeout_ms, const struct roll_question *question)
{
	struct span asked = span_make((const char *)question, sizeof(*question));
	struct listing *listing = mem_zalloc(sizeof(*listing));
	int r;

	if (listing == NULL)
		return -ENOMEM;
	listing->question = *question;
	r = gather_start(
	    to->connection->gateway, asked, on_part, on_done, listing, &listing->gather);
	if (r != 0) {
		listing_free(listing);
		return r;
	}
	listing->pending = pending_new(to, timeout_ms, on_gone, listing);
	if (listing->pending == NULL) {
		gather_cancel(listing->gather);
		listing_free(listing);
		return -ENOMEM;
	}
	return 0;
}

/* What connections.list was asked. */
struct list_question {
	bool closed;
	uint64_t cursor; /* 0: none was given */
	uint64_t conn_id;
	uint32_t limit;
};

/* Whether a parameter is hexadecimal digits, where it is there. */
static bool
read_hex(const struct param_value *v, uint64_t max, uint64_t *ret)
{
	*ret = 0;
	return !v->is_present || parse_hex_u64(v->string, max, ret) == 0;
}

/* Returns 0; -EBADMSG and *ret_fault; -ENOMEM. */
static int
read_question(struct span text, struct list_question *ret, struct envelope_fault *ret_fault)
{
	struct params params;
	const struct param_value *v = params.values;
	int r = params_read(&params, text, "params", list_table, LIST_PARAMS, ret_fault);

	if (r != 0)
		return r;
	ret->limit = v[LIST_LIMIT].is_present ? (uint32_t)v[LIST_LIMIT].integer : LIMIT_DEFAULT;
	ret->closed = v[LIST_CLOSED].is_present && v[LIST_CLOSED].boolean;
	if (!read_hex(&v[LIST_CURSOR], ret->closed ? UINT64_MAX : UINT32_MAX, &ret->cursor)) {
		envelope_fault_set(ret_fault, "invalid-field", "params.cursor",
		    "cursor must be the nextCursor of an earlier answer");
		r = -EBADMSG;
	} else if (!read_hex(&v[LIST_ID], UINT32_MAX, &ret->conn_id)) {
		envelope_fault_set(ret_fault, "invalid-field", "params.connId",
		    "connId must be 8 hexadecimal digits, as hello-ok tells them");
		r = -EBADMSG;
	}
	params_fini(&params);
	return r;
}

/* Returns 0, or as start_listing. */
static int
list_open(const struct answer *to, uint32_t timeout_ms, const struct list_question *question)
{
	const struct roll_question asked = { .after = (uint32_t)question->cursor,
		.limit = question->limit,
		.only = (uint32_t)question->conn_id };

	return start_listing(to, timeout_ms, &asked);
}

static int
list_closed(const struct answer *to, const struct list_question *question)
{
	const struct gateway *g = to->connection->gateway;
	const struct closed_question asked = { .before = question->cursor,
		.limit = question->limit,
		.conn_id = (uint32_t)question->conn_id };
	size_t room = page_room(g);

	closed_answer(to, &asked, room > CLOSED_ROOM ? room - CLOSED_ROOM : 0);
	return 0;
}

void
method_connections_list(const struct answer *to, const struct envelope *frame)
{
	struct envelope_fault fault;
	struct list_question question;
	int r = read_question(frame->params.text, &question, &fault);

	if (r == 0)
		r = question.closed ? list_closed(to, &question)
				    : list_open(to, frame->timeout_ms, &question);
	if (r == -EBADMSG)
		answer_fault(to, &fault);
	else if (r == -EBUSY)
		answer_fail(to, ERROR_UNAVAILABLE, "overloaded", NULL,
		    "%d listings are under way, which is the limit; ask again later", GATHERS_MAX);
	else if (r != 0)
		answer_no_memory(to);
}

static void
close_one(const struct answer *to, struct span text, struct span reason)
{
	struct gateway *g = to->connection->gateway;
	uint64_t id = 0;
	unsigned slot;

	if (parse_hex_u64(text, UINT32_MAX, &id) != 0) {
		answer_fail(to, ERROR_INVALID_REQUEST, "invalid-field", "params.connId",
		    "connId must be 8 hexadecimal digits, as connections.list tells them");
	} else if (directory_request_close(g->directory, (uint32_t)id, reason, &slot) != 0) {
		answer_fail(to, ERROR_INVALID_REQUEST, "not-found", "params.connId",
		    "No connection has this connId; connections.list tells those that are there");
	} else {
		bell_ring(g->segment, slot);
		answer_result(to, SPAN("{\"closed\":true}"));
	}
}

void
method_connections_close(const struct answer *to, const struct envelope *frame)
{
	struct params params;
	struct envelope_fault fault;
	int r =
	    params_read(&params, frame->params.text, "params", close_table, CLOSE_PARAMS, &fault);

	if (r == 0) {
		close_one(to, params.values[CLOSE_ID].string, params.values[CLOSE_REASON].string);
		params_fini(&params);
	} else if (r == -EBADMSG) {
		answer_fault(to, &fault);
	} else {
		answer_no_memory(to);
	}
}
