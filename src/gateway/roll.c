/*
 * Merging of ordered parts.  A part may end early (its worker's share of the page was full): ids beyond its
 * last one are not known then, so the merged page ends there too, and the cursor goes on from that place.
 */
#include "gateway/roll.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/presence.h"
#include "proto/hello.h"

struct roll_mark {
	uint32_t id;
	uint32_t length;
	size_t offset;
};

enum {
	ENTRY_HEADER = 8,
	PART_BYTES = 256 * 1024, /* of which a mailbox takes several */
};

static void
write_connection(const struct connection *c, struct jsonw *w)
{
	char conn_id[9];

	snprintf(conn_id, sizeof(conn_id), "%08" PRIx32, c->id);
	jsonw_object(w);
	jsonw_key(w, "connId");
	jsonw_cstr(w, conn_id);
	jsonw_key(w, "client");
	presence_write_client(c, w);
	jsonw_key(w, "caps");
	jsonw_array(w);
	for (size_t i = 0; i < c->hello->caps_count; i++)
		jsonw_str(w, c->hello->caps[i]);
	jsonw_array_end(w);
	jsonw_key(w, "worker");
	jsonw_uint(w, c->gateway->slot);
	jsonw_key(w, "remote");
	jsonw_cstr(w, c->peer);
	jsonw_key(w, "connectedAt");
	jsonw_uint(w, c->connected_at_ms);
	jsonw_key(w, "provides");
	jsonw_array(w);
	jsonw_array_end(w);
	jsonw_object_end(w);
}

static void
append_entry(struct buf *out, const struct connection *c)
{
	size_t header_at = out->len;
	struct jsonw w;
	uint32_t header[2] = { c->id, 0 };

	buf_append(out, header, sizeof(header));
	jsonw_init(&w, out);
	write_connection(c, &w);
	if (out->failed)
		return;
	header[1] = (uint32_t)(out->len - header_at - sizeof(header));
	memcpy(out->data + header_at, header, sizeof(header));
}

static int
compare_ids(const void *a, const void *b)
{
	const uint32_t x = (*(const struct connection *const *)a)->id;
	const uint32_t y = (*(const struct connection *const *)b)->id;

	return (x > y) - (x < y);
}

/* The connections with ids above `after`, as an array of pointers in the order of ids. */
static size_t
collect(const struct gateway *g, uint32_t after, struct buf *ret)
{
	const struct list *at;
	size_t count;

	LIST_FOREACH (at, &g->connections) {
		const struct connection *c = container_of(at, struct connection, link);

		if (c->hello != NULL && c->state == CONNECTION_OPEN && c->id > after)
			buf_append(ret, &c, sizeof(c));
	}
	count = ret->len / sizeof(struct connection *);
	if (count > 0)
		qsort(ret->data, count, sizeof(struct connection *), compare_ids);
	return count;
}

void
roll_part_write(struct gateway *g, struct span question, struct buf *ret)
{
	const struct connection *const *found;
	struct roll_question asked;
	struct buf pointers = { 0 };
	size_t count, written = 0;

	buf_append(ret, "", 1);
	if (question.n != sizeof(asked))
		return;
	memcpy(&asked, question.p, sizeof(asked));
	count = collect(g, asked.after, &pointers);
	found = (const struct connection *const *)(const void *)pointers.data;
	while (written < count && written < asked.limit && ret->len < PART_BYTES)
		append_entry(ret, found[written++]);
	if (pointers.failed)
		ret->failed = true;
	if (!ret->failed)
		ret->data[0] = written < count;
	buf_fini(&pointers);
}

/* Checks one part's entries: whole, and in the order of ids.  Returns the last id, 0 for none. */
static bool
check_part(struct span part, uint32_t *ret_last)
{
	size_t at = 1;

	*ret_last = 0;
	if (part.n == 0)
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

bool
roll_add(struct roll *roll, struct span part)
{
	uint32_t last;
	size_t at = 1;

	if (!check_part(part, &last))
		return false;
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
	if (part.p[0] != 0) {
		if (!roll->more || last < roll->horizon)
			roll->horizon = last;
		roll->more = true;
	}
	return buf_status(&roll->parts) == 0 && buf_status(&roll->marks) == 0;
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
