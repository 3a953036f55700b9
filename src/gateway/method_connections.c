/*
 * connections.list gathers from all workers; connections.close leaves a mark in the directory, which needs no
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
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/peers.h"
#include "gateway/pending.h"
#include "gateway/roll.h"
#include "proto/params.h"

enum { LIST_LIMIT, LIST_CURSOR, LIST_PARAMS };
enum { CLOSE_ID, CLOSE_REASON, CLOSE_PARAMS };
enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 200, ENVELOPE_ROOM = 512 };

static const struct param list_table[LIST_PARAMS] = {
	[LIST_LIMIT] = { .name = "limit", .kind = PARAM_INTEGER, .min = 1, .max = LIMIT_MAX },
	[LIST_CURSOR] = { .name = "cursor", .kind = PARAM_STRING, .min = 8, .max = 8 },
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
	uint32_t limit;
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

static void
answer_listing(struct listing *listing, const struct answer *to)
{
	struct gateway *g = to->connection->gateway;
	struct jsonw w;
	uint32_t next;

	buf_reset(&g->text);
	jsonw_init(&w, &g->text);
	jsonw_object(&w);
	jsonw_key(&w, "connections");
	jsonw_array(&w);
	next = roll_write(
	    &listing->roll, listing->limit, g->conf->gateway.max_payload - ENVELOPE_ROOM, &w);
	jsonw_array_end(&w);
	if (next != 0) {
		char cursor[9];

		snprintf(cursor, sizeof(cursor), "%08" PRIx32, next);
		jsonw_key(&w, "nextCursor");
		jsonw_cstr(&w, cursor);
	}
	jsonw_object_end(&w);
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

static int
start_listing(const struct answer *to, uint32_t timeout_ms, const struct roll_question *question)
{
	struct gateway *g = to->connection->gateway;
	struct span asked = span_make((const char *)question, sizeof(*question));
	struct listing *listing = mem_zalloc(sizeof(*listing));
	struct buf own = { 0 };

	if (listing == NULL)
		return -ENOMEM;
	listing->limit = question->limit;
	roll_part_write(g, asked, &own);
	if (buf_status(&own) != 0 || !roll_add(&listing->roll, buf_span(&own)))
		goto fail;
	buf_fini(&own);
	listing->pending = pending_new(to, timeout_ms, on_gone, listing);
	if (listing->pending == NULL)
		goto fail;
	listing->gather = gather_start(g, asked, on_part, on_done, listing);
	if (listing->gather != NULL)
		return 0;
	pending_detach(listing->pending);
	pending_free(listing->pending);
fail:
	buf_fini(&own);
	listing_free(listing);
	return -ENOMEM;
}

void
method_connections_list(const struct answer *to, const struct envelope *frame)
{
	struct params params;
	struct envelope_fault fault;
	struct roll_question question = { .limit = LIMIT_DEFAULT };
	uint64_t after = 0;
	int r = params_read(&params, frame->params.text, "params", list_table, LIST_PARAMS, &fault);

	if (r == -EBADMSG) {
		answer_fault(to, &fault);
		return;
	}
	if (r == 0) {
		const struct param_value *v = params.values;

		if (v[LIST_LIMIT].is_present)
			question.limit = (uint32_t)v[LIST_LIMIT].integer;
		if (v[LIST_CURSOR].is_present)
			r = parse_hex_u64(v[LIST_CURSOR].string, UINT32_MAX, &after);
		question.after = (uint32_t)after;
		params_fini(&params);
		if (r != 0) {
			answer_fail(to, ERROR_INVALID_REQUEST, "invalid-field", "params.cursor",
			    "cursor must be the nextCursor of an earlier answer");
			return;
		}
		r = start_listing(to, frame->timeout_ms, &question);
	}
	if (r != 0)
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
