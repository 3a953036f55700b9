/*
 * The spare ones are a stack: the one that was used last is used next.
 */
#include "gateway/traffic.h"

#include <sys/uio.h>

#include "base/alloc.h"
#include "gateway/context.h"
#include "gateway/stuck.h"
#include "proto/frame.h"

enum {
	SPARES_MAX = 256,
	KEPT_BYTES = 4096, /* of each buffer of a spare one */
	PARTS = 3,	   /* held, out, the run */
};

struct traffic *
traffic_borrow(struct gateway *g)
{
	struct traffic *t = g->spare_traffic;

	if (t == NULL)
		return mem_zalloc(sizeof(*t));
	g->spare_traffic = t->next;
	g->spare_traffic_count--;
	t->next = NULL;
	return t;
}

bool
traffic_need(struct gateway *g, struct traffic **traffic)
{
	if (*traffic == NULL)
		*traffic = traffic_borrow(g);
	return *traffic != NULL;
}

static void
free_one(struct traffic *t)
{
	buf_fini(&t->in);
	buf_fini(&t->out);
	mem_free(t);
}

void
traffic_return(struct gateway *g, struct traffic *t)
{
	if (t == NULL)
		return;
	wsrecv_fini(&t->recv);
	if (g->spare_traffic_count >= SPARES_MAX) {
		free_one(t);
		return;
	}
	buf_rest(&t->in, KEPT_BYTES);
	buf_rest(&t->out, KEPT_BYTES);
	t->out_head_left = 0;
	t->head_scanned = 0;
	t->next = g->spare_traffic;
	g->spare_traffic = t;
	g->spare_traffic_count++;
}

void
traffic_free_spares(struct gateway *g)
{
	struct traffic *t;

	while ((t = g->spare_traffic) != NULL) {
		g->spare_traffic = t->next;
		free_one(t);
	}
	g->spare_traffic_count = 0;
}

bool
traffic_is_over(const struct traffic *t)
{
	return t->in.len == 0 && t->out.len == 0 && t->held == NULL && !t->recv.is_closed &&
	       wsrecv_is_idle(&t->recv);
}

size_t
traffic_owed(const struct traffic *t)
{
	return t == NULL ? 0 : t->held_left + t->out.len;
}

size_t
traffic_queued(const struct traffic *t)
{
	return t == NULL ? 0 : t->out.len;
}

static size_t
add_part(struct iovec *part, const char *data, size_t len)
{
	if (len == 0)
		return 0;
	*part = (struct iovec){ .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	return 1;
}

ssize_t
traffic_write(struct gateway *g, const struct traffic *t, struct stream *stream, struct span run,
    bool *ret_is_all)
{
	struct iovec parts[PARTS];
	size_t count = 0, total = traffic_owed(t) + run.n;
	ssize_t n;

	if (t != NULL && t->held != NULL) {
		struct span frame;
		int r = stuck_frame_load(g->stuck, t->held, &frame);

		if (r < 0)
			return r;
		count += add_part(parts, frame.p + frame.n - t->held_left, t->held_left);
	}
	if (t != NULL)
		count += add_part(&parts[count], t->out.data, t->out.len);
	count += add_part(&parts[count], run.p, run.n);
	n = stream_write(stream, parts, count);
	*ret_is_all = n >= 0 && (size_t)n == total && !stream_owes(stream);
	return n;
}

void
traffic_release_held(struct gateway *g, struct traffic *t)
{
	if (t == NULL)
		return;
	if (t->held != NULL)
		stuck_frame_unref(g->stuck, t->held);
	t->held = NULL;
	t->held_left = 0;
}

static void
settle_out(struct traffic *t, size_t sent, bool framed)
{
	if (sent == t->out.len) {
		t->out.len = 0;
		t->out_head_left = 0;
		return;
	}
	if (framed && sent > 0)
		t->out_head_left = frame_left_after(t->out_head_left, buf_span(&t->out), sent);
	buf_consume(&t->out, sent);
}

size_t
traffic_settle(struct gateway *g, struct traffic *t, size_t sent, bool framed)
{
	size_t of_held, of_out;

	if (t == NULL)
		return sent;
	of_held = min_size(sent, t->held_left);
	of_out = min_size(sent - of_held, t->out.len);
	t->held_left -= of_held;
	if (t->held_left == 0)
		traffic_release_held(g, t);
	settle_out(t, of_out, framed);
	return sent - of_held - of_out;
}
