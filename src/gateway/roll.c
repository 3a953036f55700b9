/*
 * Merging of ordered parts.  A part may end early (its worker's share of the page was full): ids beyond its
 * last one are not known then, so the merged page ends there too, and the cursor goes on from that place.
 */
#include "gateway/roll.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/parting.h"
#include "gateway/presence.h"
#include "gateway/routes.h"
#include "proto/hello.h"

struct roll_mark {
	uint32_t id;
	uint32_t length;
	size_t offset;
};

enum {
	PART_HEADER = 1,
	ENTRY_HEADER = 8,
	PART_BYTES = 256 * 1024, /* of which a mailbox of the usual size takes several */
	WARNINGS_A_MINUTE = 10,
};

/* The connections with the lowest ids of those that were seen. */
struct lowest {
	const struct connection
	    *heap[ROLL_LIMIT_MAX]; /* no parent has a lower id than its children */
	size_t count, limit;
	bool more; /* others were seen */
};

static void
write_connection(const struct connection *c, bool with_caps, struct jsonw *w)
{
	char conn_id[9], remote[SOCKET_TEXT_MAX];

	snprintf(conn_id, sizeof(conn_id), "%08" PRIx32, c->id);
	jsonw_object(w);
	jsonw_key(w, "connId");
	jsonw_cstr(w, conn_id);
	jsonw_key(w, "client");
	presence_write_client(c, w);
	jsonw_key(w, "caps");
	jsonw_array(w);
	for (size_t i = 0; with_caps && i < c->hello->caps_count; i++)
		jsonw_str(w, c->hello->caps[i]);
	jsonw_array_end(w);
	jsonw_key(w, "worker");
	jsonw_uint(w, c->gateway->slot);
	jsonw_key(w, "remote");
	jsonw_cstr(w, socket_peer_text(&c->peer, remote));
	jsonw_key(w, "connectedAt");
	jsonw_uint(w, c->connected_at_ms);
	jsonw_key(w, "lag");
	jsonw_uint(w, parting_lag(c));
	jsonw_key(w, "provides");
	routes_write_methods(c->gateway->routes,
	    c->offering != NULL ? routes_provider(c->gateway->routes, c->id) : NULL, w);
	jsonw_object_end(w);
}

static void
append_entry(struct buf *out, const struct connection *c, bool with_caps)
{
	size_t header_at = out->len;
	struct jsonw w;
	uint32_t header[2] = { c->id, 0 };

	buf_append(out, header, sizeof(header));
	jsonw_init(&w, out);
	write_connection(c, with_caps, &w);
	if (out->failed)
		return;
	header[1] = (uint32_t)(out->len - header_at - sizeof(header));
	memcpy(out->data + header_at, header, sizeof(header));
}

/* What is left of one that is too large: its id, so that the next page begins behind it. */
static void
append_nothing(struct gateway *g, struct buf *out, const struct connection *c)
{
	const uint32_t header[2] = { c->id, 0 };
	unsigned held_back = 0;

	buf_append(out, header, sizeof(header));
	if (!log_limit_pass(&g->hostile, clock_mono_ms(), WARNINGS_A_MINUTE, &held_back))
		return;
	if (held_back > 0)
		log_warning("%u more lines like the next one were not logged", held_back);
	log_conn_warning(c->id, "too large for a part of connections.list; it was left out");
}

/* False: the part has others, and no room for this one. */
static bool
take_entry(struct gateway *g, const struct connection *c, size_t room, struct buf *out)
{
	size_t before = out->len;

	append_entry(out, c, true);
	if (out->len <= room)
		return true;
	out->len = before;
	if (before > PART_HEADER)
		return false;
	append_entry(out, c, false);
	if (out->len > room) {
		out->len = before;
		append_nothing(g, out, c);
	}
	return true;
}

static void
sift_up(struct lowest *lowest, const struct connection *c)
{
	size_t at = lowest->count++, parent;

	for (; at > 0; at = parent) {
		parent = (at - 1) / 2;
		if (lowest->heap[parent]->id >= c->id)
			break;
		lowest->heap[at] = lowest->heap[parent];
	}
	lowest->heap[at] = c;
}

static void
sift_down(struct lowest *lowest)
{
	const struct connection *c = lowest->heap[0];
	size_t at = 0, child;

	while ((child = 2 * at + 1) < lowest->count) {
		if (child + 1 < lowest->count &&
		    lowest->heap[child + 1]->id > lowest->heap[child]->id)
			child++;
		if (lowest->heap[child]->id <= c->id)
			break;
		lowest->heap[at] = lowest->heap[child];
		at = child;
	}
	lowest->heap[at] = c;
}

static void
offer(struct lowest *lowest, const struct connection *c)
{
	if (lowest->count < lowest->limit) {
		sift_up(lowest, c);
		return;
	}
	lowest->more = true;
	if (c->id > lowest->heap[0]->id)
		return;
	lowest->heap[0] = c;
	sift_down(lowest);
}

static int
compare_ids(const void *a, const void *b)
{
	const uint32_t x = (*(const struct connection *const *)a)->id;
	const uint32_t y = (*(const struct connection *const *)b)->id;

	return (x > y) - (x < y);
}

/*
 * Takes the first ones that were asked for, in the order of ids.  There may be tens of thousands, of which a
 * page shows few: they are not sorted for it.
 */
static void
collect(const struct gateway *g, const struct roll_question *asked, struct lowest *ret)
{
	const struct list *at;

	LIST_FOREACH (at, &g->connections) {
		const struct connection *c = container_of(at, struct connection, link);

		if (c->hello != NULL && c->state == CONNECTION_OPEN && c->id > asked->after &&
		    (asked->only == 0 || c->id == asked->only))
			offer(ret, c);
	}
	qsort(ret->heap, ret->count, sizeof(ret->heap[0]), compare_ids);
}

void
roll_part_write(struct gateway *g, struct span question, size_t room, struct buf *ret)
{
	struct roll_question asked;
	struct lowest lowest;
	size_t written = 0;

	buf_append(ret, "", PART_HEADER);
	if (question.n != sizeof(asked))
		return;
	memcpy(&asked, question.p, sizeof(asked));
	if (asked.limit == 0)
		return;
	lowest.limit = min_size(asked.limit, ROLL_LIMIT_MAX);
	lowest.count = 0;
	lowest.more = false;
	collect(g, &asked, &lowest);
	room = min_size(room, PART_BYTES);
	while (written < lowest.count && take_entry(g, lowest.heap[written], room, ret))
		written++;
	if (!ret->failed)
		ret->data[0] = lowest.more || written < lowest.count;
}

/* Checks one part's entries: whole, and in the order of ids.  Returns the last id, 0 for none. */
static bool
check_part(struct span part, uint32_t *ret_last)
{
	size_t at = PART_HEADER;

	*ret_last = 0;
	if (part.n < PART_HEADER)
		return false;
	while (at < part.n) {
		uint32_t header[2];

		if (part.n - at < ENTRY_HEADER)
			return false;
		memcpy(header, part.p + at, sizeof(header));
		at += ENTRY_HEADER;
		if (header[0] <= *ret_last || header[1] > part.n - at)
			return false;
		*ret_last = header[0];
		at += header[1];
	}
	return true;
}

static void
append_part(struct roll *roll, struct span part)
{
	size_t at = PART_HEADER;

	while (at < part.n) {
		uint32_t header[2];
		struct roll_mark mark;

		memcpy(header, part.p + at, sizeof(header));
		at += ENTRY_HEADER;
		mark = (struct roll_mark){ header[0], header[1], roll->parts.len };
		buf_append(&roll->parts, part.p + at, header[1]);
		buf_append(&roll->marks, &mark, sizeof(mark));
		at += header[1];
	}
}

/* Back to what was there: nothing may be left of half a part, least of all a mark beyond the entries. */
static void
cut_back(struct buf *buf, size_t len)
{
	buf->len = len;
	buf->failed = false;
}

bool
roll_add(struct roll *roll, struct span part)
{
	const size_t parts_len = roll->parts.len, marks_len = roll->marks.len;
	uint32_t last;

	if (!check_part(part, &last))
		return false;
	append_part(roll, part);
	if (buf_status(&roll->parts) != 0 || buf_status(&roll->marks) != 0) {
		cut_back(&roll->parts, parts_len);
		cut_back(&roll->marks, marks_len);
		return false;
	}
	if (part.p[0] != 0) {
		if (!roll->more || last < roll->horizon)
			roll->horizon = last;
		roll->more = true;
	}
	return true;
}

static int
compare_marks(const void *a, const void *b)
{
	const struct roll_mark *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

uint32_t
roll_write(struct roll *roll, uint32_t limit, size_t room, struct jsonw *w)
{
	struct roll_mark *marks = (struct roll_mark *)(void *)roll->marks.data;
	size_t count = roll->marks.len / sizeof(*marks), written = 0;

	if (count == 0)
		return 0;
	qsort(marks, count, sizeof(*marks), compare_marks);
	while (written < count && written < limit) {
		const struct roll_mark *mark = &marks[written];

		if (roll->more && mark->id > roll->horizon)
			break;
		if (written > 0 && w->out->len + mark->length + 1 > room)
			break;
		if (mark->length > 0)
			jsonw_raw(w, span_make(roll->parts.data + mark->offset, mark->length));
		written++;
	}
	return (written < count || roll->more) && written > 0 ? marks[written - 1].id : 0;
}

void
roll_fini(struct roll *roll)
{
	buf_fini(&roll->parts);
	buf_fini(&roll->marks);
}
