/*
 * Two lists: those who are answered by the question under way, and those who came after it was sent.
 * A request that is cancelled or times out leaves its list; the answer then is for the others.
 */
#include "gateway/reloads.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/jsonw.h"
#include "base/list.h"
#include "conf/settings.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/pending.h"
#include "sys/control.h"

struct asker {
	struct list link;
	struct pending *pending;
};

struct reloads {
	int control_fd;
	uint64_t ticket; /* of the question asked last */
	struct list asking, next;
	bool is_asking;
};

struct reloads *
reloads_new(int control_fd)
{
	struct reloads *reloads = mem_zalloc(sizeof(*reloads));

	if (reloads == NULL)
		return NULL;
	reloads->control_fd = control_fd;
	list_init(&reloads->asking);
	list_init(&reloads->next);
	return reloads;
}

void
reloads_free(struct reloads *reloads)
{
	mem_free(reloads);
}

/* The client waits no more. */
static void
on_gone(struct pending *pending)
{
	struct asker *asker = pending->owner;

	list_remove(&asker->link);
	mem_free(asker);
}

/* --- answers ---------------------------------------------------------------------------------- */

/* Writes the keys, of which only those that the table has count. */
static void
write_keys(struct jsonw *w, struct span keys)
{
	jsonw_array(w);
	while (keys.n > 0) {
		const char *space = memchr(keys.p, ' ', keys.n);
		size_t n = space != NULL ? (size_t)(space - keys.p) : keys.n;

		if (settings_by_key(span_make(keys.p, n)) != NULL)
			jsonw_str(w, span_make(keys.p, n));
		keys = span_skip(keys, n + (space != NULL));
	}
	jsonw_array_end(w);
}

/* {"changed":[...],"waiting":[...]} of two lines, the second only where there are any. */
static void
answer_good(const struct answer *to, struct span text)
{
	struct buf *out = &to->connection->gateway->text;
	const char *newline = text.n > 0 ? memchr(text.p, '\n', text.n) : NULL;
	size_t n = newline != NULL ? (size_t)(newline - text.p) : text.n;
	struct span waiting = span_skip(text, n + (newline != NULL));
	struct jsonw w;

	buf_reset(out);
	jsonw_init(&w, out);
	jsonw_object(&w);
	jsonw_key(&w, "changed");
	write_keys(&w, span_make(text.p, n));
	if (waiting.n > 0) {
		jsonw_key(&w, "waiting");
		write_keys(&w, waiting);
	}
	jsonw_object_end(&w);
	if (buf_status(out) != 0)
		answer_no_memory(to);
	else
		answer_result(to, buf_span(out));
}

static void
answer_stopping(const struct answer *to)
{
	answer_fail(to, ERROR_UNAVAILABLE, "shutting-down", NULL,
	    "The gateway is stopping; come back in a moment");
}

static void
answer_outcome(const struct answer *to, enum control_verdict verdict, struct span text)
{
	switch (verdict) {
	case CONTROL_VERDICT_GOOD:
		answer_good(to, text);
		break;
	case CONTROL_VERDICT_BAD:
		answer_fail(
		    to, ERROR_INVALID_REQUEST, "bad-configuration", NULL, "%.*s", SPAN_ARGS(text));
		break;
	case CONTROL_VERDICT_STOPPING:
		answer_stopping(to);
		break;
	}
}

static void
answer_all(struct list *askers, enum control_verdict verdict, struct span text)
{
	struct list *first;

	/* An answer can end its connection, and with it others that wait. */
	while ((first = list_first(askers)) != NULL) {
		struct asker *asker = container_of(first, struct asker, link);
		struct pending *pending = asker->pending;

		list_remove(first);
		mem_free(asker);
		pending_detach(pending);
		answer_outcome(&pending->answer, verdict, text);
		pending_free(pending);
	}
}

/* --- questions -------------------------------------------------------------------------------- */

/* Asks for all that wait, unless a question is under way. */
static void
ask_next(struct reloads *reloads)
{
	struct list *first;

	if (reloads->is_asking || list_is_empty(&reloads->next))
		return;
	while ((first = list_first(&reloads->next)) != NULL) {
		list_remove(first);
		list_append(&reloads->asking, first);
	}
	reloads->ticket++;
	if (control_send_reload(reloads->control_fd, reloads->ticket) < 0)
		answer_all(&reloads->asking, CONTROL_VERDICT_STOPPING, SPAN(""));
	else
		reloads->is_asking = true;
}

void
reloads_ask(struct gateway *g, const struct answer *to, uint32_t timeout_ms)
{
	struct asker *asker = mem_zalloc(sizeof(*asker));

	if (asker != NULL)
		asker->pending = pending_new(to, timeout_ms, on_gone, asker);
	if (asker == NULL || asker->pending == NULL) {
		mem_free(asker);
		answer_no_memory(to);
		return;
	}
	list_append(&g->reloads->next, &asker->link);
	ask_next(g->reloads);
}

int
reloads_on_outcome(struct gateway *g, const struct control_message *message)
{
	struct reloads *reloads = g->reloads;
	struct control_outcome outcome;
	struct span text;

	if (control_read_outcome(message, &outcome, &text) < 0 || !reloads->is_asking ||
	    outcome.ticket != reloads->ticket)
		return -EBADMSG;
	reloads->is_asking = false;
	answer_all(&reloads->asking, (enum control_verdict)outcome.verdict, text);
	ask_next(reloads);
	return 0;
}
