/*
 * A job stands in a bucket of its token and on the list of its provider; the id that the provider is given is
 * the token in hexadecimal, so what comes back is found by it, and counts only when it comes from the provider
 * that was asked.
 */
#include "gateway/jobs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digits.h"
#include "base/list.h"
#include "base/parse.h"
#include "bus/bell.h"
#include "bus/counters.h"
#include "bus/mailbox.h"
#include "bus/seats.h"
#include "bus/segment.h"
#include "conf/conf.h"
#include "gateway/context.h"
#include "gateway/keep.h"
#include "gateway/message.h"
#include "gateway/parcels.h"
#include "gateway/post.h"
#include "proto/reply.h"

enum {
	BUCKETS = 1024,
	FRAME_HEAD = 96, /* what stands before the text of a MAIL_CALL, at most */
};

/* A connection that has registered. */
struct offering {
	struct list link; /* jobs.offerings, or jobs.leaving when the connection is gone */
	struct connection *connection;
	struct list jobs;
	unsigned count;
	bool is_listed, is_full;
	struct seats_place place;
};

struct job {
	struct list bucket;
	struct list of_offering;
	struct offering *offering;
	uint64_t token;
	uint64_t
	    ticket; /* of bus/idempotency: its answer is kept, and it outlives its caller; 0: none */
	uint64_t end_ms;
	unsigned slot; /* of the caller's worker */
	uint32_t generation;
};

struct jobs {
	struct list buckets[BUCKETS];
	struct list offerings, leaving;
	struct parcels *parcels;
	struct buf error;
	unsigned full; /* offerings that are */
};

struct jobs *
jobs_new(void)
{
	struct jobs *jobs = mem_zalloc(sizeof(*jobs));

	if (jobs == NULL)
		return NULL;
	jobs->parcels = parcels_new();
	if (jobs->parcels == NULL) {
		mem_free(jobs);
		return NULL;
	}
	for (unsigned i = 0; i < BUCKETS; i++)
		list_init(&jobs->buckets[i]);
	list_init(&jobs->offerings);
	list_init(&jobs->leaving);
	return jobs;
}

void
jobs_free(struct jobs *jobs)
{
	struct list *first;

	if (jobs == NULL)
		return;
	parcels_free(jobs->parcels);
	while ((first = list_first(&jobs->leaving)) != NULL) {
		list_remove(first);
		mem_free(container_of(first, struct offering, link));
	}
	buf_fini(&jobs->error);
	mem_free(jobs);
}

/* --- mail to callers ------------------------------------------------------------------------ */

static void
tell_caller(struct gateway *g, const struct job *job, enum post_kind kind, struct span body)
{
	struct post_letter letter = {
		.slot = job->slot,
		.kind = kind,
		.token = job->token,
		.body = body,
		.uses_reserve = kind == MAIL_GONE,
	};
	struct connection *c = job->offering->connection;

	/* That there is none is not of its provider's doing, so that is read on. */
	parcels_post(g->jobs->parcels, g, &letter, job->generation, kind == MAIL_GONE ? NULL : c);
}

/* --- jobs ----------------------------------------------------------------------------------- */

static struct job *
find_job(const struct gateway *g, uint64_t token)
{
	struct list *at, *bucket = &g->jobs->buckets[token % BUCKETS];

	LIST_FOREACH (at, bucket) {
		struct job *job = container_of(at, struct job, bucket);

		if (job->token == token)
			return job;
	}
	return NULL;
}

static void
job_free(struct gateway *g, struct job *job)
{
	list_remove(&job->bucket);
	list_remove(&job->of_offering);
	job->offering->count--;
	counters_subtract(&g->counters->jobs, 1);
	mem_free(job);
}

static struct offering *
find_offering(const struct gateway *g, uint32_t conn_id)
{
	struct list *at;

	LIST_FOREACH (at, &g->jobs->offerings) {
		struct offering *offering = container_of(at, struct offering, link);

		if (offering->place.conn_id == conn_id)
			return offering;
	}
	return NULL;
}

static struct job *
job_new(struct gateway *g, struct offering *offering, const struct mail *mail,
    const struct post_call *head)
{
	struct job *job = mem_zalloc(sizeof(*job));

	if (job == NULL)
		return NULL;
	job->offering = offering;
	job->token = mail->token;
	job->ticket = head->ticket;
	if (job->ticket != 0)
		job->end_ms = clock_mono_ms() + head->timeout_ms;
	job->slot = mail->from_slot;
	job->generation = mail->from_generation;
	list_append(&g->jobs->buckets[job->token % BUCKETS], &job->bucket);
	list_append(&offering->jobs, &job->of_offering);
	offering->count++;
	counters_add(&g->counters->jobs, 1);
	return job;
}

/* Mail was read that cannot become a job: its caller is told at once. */
static void
refuse(struct gateway *g, const struct mail *mail)
{
	const struct post_letter letter = {
		.slot = mail->from_slot,
		.kind = MAIL_GONE,
		.token = mail->token,
		.uses_reserve = true,
	};

	parcels_post(g->jobs->parcels, g, &letter, mail->from_generation, NULL);
}

/* The provider takes less than it is given: no more at present. */
static void
watch_output(struct gateway *g, struct offering *offering)
{
	if (offering->is_full ||
	    traffic_queued(offering->connection->traffic) <= g->conf->gateway.max_buffered_bytes)
		return;
	offering->is_full = true;
	g->jobs->full++;
	seats_set_full(g->providers, &offering->place, true);
}

/* The frame that the provider gets: printf would take as long as all the rest of it. */
static void
write_request(struct buf *frame, const struct mail *mail, const struct post_call *head)
{
	static const struct span begin = SPAN_INIT("{\"id\":\"gw-");
	static const struct span middle = SPAN_INIT("\",\"type\":\"request\",\"timeoutMs\":");
	unsigned token_width = digits_hex_width(mail->token);
	unsigned timeout_width = digits_decimal_width(head->timeout_ms);

	buf_reset(frame);
	if (!buf_reserve(frame, FRAME_HEAD + mail->body.n))
		return;
	buf_append_span(frame, begin);
	digits_put_hex(frame->data + frame->len, token_width, mail->token);
	frame->len += token_width;
	buf_append_span(frame, middle);
	digits_put_decimal(frame->data + frame->len, timeout_width, head->timeout_ms);
	frame->len += timeout_width;
	buf_append_byte(frame, ',');
	buf_append_span(frame, span_skip(mail->body, sizeof(*head)));
}

static void
on_call(struct gateway *g, const struct mail *mail)
{
	struct buf *frame = &g->reply;
	struct post_call head;
	struct offering *offering;

	if (mail->body.n < sizeof(head))
		return;
	memcpy(&head, mail->body.p, sizeof(head));
	offering = find_offering(g, head.conn_id);
	write_request(frame, mail, &head);
	if (offering == NULL || buf_status(frame) != 0 ||
	    job_new(g, offering, mail, &head) == NULL) {
		refuse(g, mail);
		return;
	}
	message_queue(offering->connection, WS_TEXT, buf_span(frame));
	/* That can have ended the connection, and with it the offering. */
	offering = find_offering(g, head.conn_id);
	if (offering != NULL)
		watch_output(g, offering);
}

static void
queue_cancel(struct job *job)
{
	char text[64];
	int n = snprintf(
	    text, sizeof(text), "{\"type\":\"cancel\",\"id\":\"gw-%" PRIx64 "\"}", job->token);

	message_queue(job->offering->connection, WS_TEXT, span_make(text, (size_t)n));
}

/* The job is over, and the provider is told so. */
static void
cancel(struct gateway *g, struct job *job)
{
	struct job gone = *job;

	job_free(g, job);
	queue_cancel(&gone);
}

static void
on_cancel(struct gateway *g, const struct mail *mail)
{
	struct job *job = find_job(g, mail->token);

	if (job != NULL && job->slot == mail->from_slot && job->generation == mail->from_generation)
		cancel(g, job);
}

void
jobs_mail(struct gateway *g, const struct mail *mail)
{
	if (mail->kind == MAIL_CALL)
		on_call(g, mail);
	else
		on_cancel(g, mail);
}

/* --- what providers say --------------------------------------------------------------------- */

/* The job of this id that this connection was given, or NULL. */
static struct job *
find_by_id(const struct connection *c, struct span id)
{
	struct job *job;
	uint64_t token;

	if (!span_has_prefix(id, SPAN("gw-")) ||
	    parse_hex_u64(span_skip(id, 3), UINT64_MAX, &token) != 0)
		return NULL;
	job = find_job(c->gateway, token);
	return job != NULL && job->offering == c->offering ? job : NULL;
}

static void
count_stray(const struct connection *c)
{
	counters_add(&c->gateway->counters->provider_strays, 1);
}

/* One of the protocol's codes, or ERROR_CODE_COUNT. */
static enum error_code
read_code(const struct json_value *value)
{
	char text[32];
	size_t len;

	if (value->kind != JSON_STRING ||
	    json_string_decode(value->text, text, sizeof(text), &len) != 0)
		return ERROR_CODE_COUNT;
	for (unsigned code = 0; code < ERROR_CODE_COUNT; code++) {
		if (span_is(span_make(text, len), error_code_name((enum error_code)code)))
			return (enum error_code)code;
	}
	return ERROR_CODE_COUNT;
}

/* Whether it is an ErrorShape; else the fault. */
static bool
read_error(struct span text, enum error_code *ret, struct envelope_fault *fault)
{
	static const struct json_field fields[] = { { "code", NULL }, { "message", NULL },
		{ "details", NULL } };
	struct json_value v[ARRAY_LEN(fields)];
	struct json_fault why;
	int r = json_object_scan(text, fields, ARRAY_LEN(fields), v, JSON_KEYS_MAX, &why);

	if (r < 0) {
		envelope_fault_set_json(fault, r, &why, "error");
		return false;
	}
	*ret = read_code(&v[0]);
	if (*ret == ERROR_CODE_COUNT)
		envelope_fault_set(fault, "invalid-field", "error.code",
		    "error.code must be one of the protocol's codes, such as UNAVAILABLE");
	else if (v[1].kind != JSON_STRING)
		envelope_fault_set_kind(fault, "error.message", v[1].kind, "a string");
	else if (v[2].kind != JSON_ABSENT && v[2].kind != JSON_NULL && v[2].kind != JSON_OBJECT)
		envelope_fault_set_kind(fault, "error.details", v[2].kind, "an object");
	else
		return true;
	return false;
}

static void
pass_error(const struct answer *to, struct job *job, struct span text)
{
	struct gateway *g = to->connection->gateway;
	struct buf *error = &g->jobs->error;
	struct envelope_fault fault;
	enum error_code code;

	if (!read_error(text, &code, &fault)) {
		answer_fault(to, &fault);
		return;
	}
	keep_error(g, job->ticket, code, text);
	buf_reset(error);
	buf_append_byte(error, (char)code);
	buf_append_span(error, text);
	if (buf_status(error) != 0)
		tell_caller(g, job, MAIL_GONE, SPAN(""));
	else
		tell_caller(g, job, MAIL_ERROR, buf_span(error));
	buf_rest(error, 65536);
	job_free(g, job);
}

void
jobs_response(const struct answer *to, const struct envelope *frame)
{
	struct connection *c = to->connection;
	struct job *job = find_by_id(c, frame->id);
	struct span result;

	if (job == NULL) {
		count_stray(c);
		return;
	}
	if (frame->error.kind == JSON_OBJECT) {
		pass_error(to, job, frame->error.text);
		return;
	}
	result = frame->result.kind == JSON_ABSENT ? SPAN("null") : frame->result.text;
	/* Kept before it is told, so that it is known whatever becomes of the caller's worker. */
	keep_result(c->gateway, job->ticket, result);
	tell_caller(c->gateway, job, MAIL_RESULT, result);
	job_free(c->gateway, job);
}

void
jobs_progress(const struct answer *to, const struct envelope *frame)
{
	struct connection *c = to->connection;
	struct job *job = find_by_id(c, frame->id);

	if (job == NULL)
		count_stray(c);
	else
		tell_caller(c->gateway, job, MAIL_PROGRESS,
		    frame->payload.kind == JSON_ABSENT ? SPAN("null") : frame->payload.text);
}

/* Where nobody lives who would say what became of a job, it is said here. */
static void
end_orphan(struct gateway *g, const struct job *job, enum error_code code, const char *reason,
    const char *sentence)
{
	struct reply_error error = { .code = code, .reason = reason };

	if (job->ticket == 0 || !post_is_dead(g, job->slot, job->generation))
		return;
	reply_error_say(&error, "%s", sentence);
	keep_failure(g, job->ticket, &error);
}

/* --- providers ------------------------------------------------------------------------------ */

static struct offering *
offering_of(struct connection *c)
{
	struct offering *offering = c->offering;

	if (offering != NULL)
		return offering;
	offering = mem_zalloc(sizeof(*offering));
	if (offering == NULL)
		return NULL;
	offering->connection = c;
	offering->place.conn_id = c->id;
	list_init(&offering->jobs);
	list_append(&c->gateway->jobs->offerings, &offering->link);
	c->offering = offering;
	return offering;
}

/* Takes its line away. False: the lock was not to be had. */
static bool
withdraw(struct gateway *g, struct offering *offering)
{
	if (offering->is_listed && providers_leave(g->providers, offering->place.row,
				       offering->place.conn_id) == -ETIMEDOUT)
		return false;
	if (offering->is_listed)
		bell_ring_all(g->segment);
	offering->is_listed = false;
	return true;
}

int
jobs_register(struct connection *c, struct provider_offer *offer)
{
	struct gateway *g = c->gateway;
	struct offering *offering = offering_of(c);
	unsigned row;
	int r;

	if (offering == NULL)
		return -ENOMEM;
	if (offer->methods_count == 0 && offer->channels_count == 0)
		return withdraw(g, offering) ? 0 : -ETIMEDOUT;
	offer->conn_id = c->id;
	offer->slot = g->slot;
	r = providers_register(g->providers, offer, &row);
	if (r < 0)
		return r;
	offering->place.row = (uint16_t)row;
	offering->is_listed = true;
	bell_ring_all(g->segment);
	return 0;
}

void
jobs_leave(struct connection *c)
{
	struct gateway *g = c->gateway;
	struct offering *offering = c->offering;
	struct list *at, *tmp;

	if (offering == NULL)
		return;
	c->offering = NULL;
	g->jobs->full -= offering->is_full;
	parcels_forget(g->jobs->parcels, c);
	LIST_FOREACH_SAFE (at, tmp, &offering->jobs) {
		struct job *job = container_of(at, struct job, of_offering);

		tell_caller(g, job, MAIL_GONE, SPAN(""));
		end_orphan(g, job, ERROR_UNAVAILABLE, "provider-gone",
		    "The provider of this method has gone");
		job_free(g, job);
	}
	list_remove(&offering->link);
	if (withdraw(g, offering))
		mem_free(offering);
	else
		list_append(&g->jobs->leaving, &offering->link);
}

bool
jobs_is_provider(const struct connection *c)
{
	return c->offering != NULL;
}

unsigned
jobs_count(const struct connection *c)
{
	return c->offering != NULL ? c->offering->count : 0;
}

/* --- turns ---------------------------------------------------------------------------------- */

static void
look_at_the_full(struct gateway *g)
{
	struct list *at;

	LIST_FOREACH (at, &g->jobs->offerings) {
		struct offering *offering = container_of(at, struct offering, link);

		if (!offering->is_full || traffic_queued(offering->connection->traffic) >
					      g->conf->gateway.max_buffered_bytes / 2)
			continue;
		offering->is_full = false;
		g->jobs->full--;
		seats_set_full(g->providers, &offering->place, false);
		bell_ring_all(g->segment);
	}
}

void
jobs_turn(struct gateway *g)
{
	struct list *at, *tmp;

	parcels_turn(g->jobs->parcels, g);
	LIST_FOREACH_SAFE (at, tmp, &g->jobs->leaving) {
		struct offering *offering = container_of(at, struct offering, link);

		if (!withdraw(g, offering))
			break;
		list_remove(at);
		mem_free(offering);
	}
	if (g->jobs->full > 0)
		look_at_the_full(g);
}

/* A job that nobody waits for any more, or NULL. */
static struct job *
find_dead(const struct gateway *g, struct list *bucket, uint64_t now_ms)
{
	struct list *at;

	LIST_FOREACH (at, bucket) {
		struct job *job = container_of(at, struct job, bucket);

		if (post_is_dead(g, job->slot, job->generation) &&
		    (job->ticket == 0 || job->end_ms <= now_ms))
			return job;
	}
	return NULL;
}

void
jobs_look(struct gateway *g, uint64_t now_ms)
{
	for (unsigned i = 0; i < BUCKETS; i++) {
		struct job *job;

		/* Each time from the beginning: a cancel can end the provider's connection, and all its jobs. */
		while ((job = find_dead(g, &g->jobs->buckets[i], now_ms)) != NULL) {
			end_orphan(g, job, ERROR_AGENT_TIMEOUT, "timeout",
			    "No answer within timeoutMs; ask again with a longer one");
			cancel(g, job);
		}
	}
}
