/*
 * The families.  Counters of a worker survive it in shared memory, so sums never go down; what is told by
 * worker is labelled with its index, whichever process stands in it.
 *
 * Labels come from tables of our own (workers, methods, codes, namespaces, outcomes): nothing that a client
 * sends becomes one.
 */
#include "gateway/metrics.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bus/counters.h"
#include "bus/idempotency.h"
#include "bus/mailbox.h"
#include "bus/providers.h"
#include "bus/ring.h"
#include "bus/roster.h"
#include "bus/segment.h"
#include "config.h"
#include "gateway/auth.h"
#include "gateway/causes.h"
#include "gateway/census.h"
#include "gateway/context.h"
#include "gateway/exposition.h"
#include "gateway/limits.h"
#include "gateway/methods.h"
#include "gateway/namespaces.h"
#include "gateway/outcomes.h"
#include "gateway/secure.h"
#include "proto/errors.h"

enum { LABELS_MAX = 160 };

/* A view of one counter or array of counters in all slots. */
static uint64_t
sum_at(const struct gateway *g, size_t offset)
{
	uint64_t sum = 0;

	for (unsigned slot = 0; slot < segment_slots(g->segment); slot++) {
		const char *counters = (const char *)segment_counters(g->segment, slot);

		sum += counters_get((const _Atomic uint64_t *)(const void *)(counters + offset));
	}
	return sum;
}

static size_t
offset_in(size_t array, size_t index)
{
	return array + index * sizeof(uint64_t);
}

static void
write_histogram(
    const struct gateway *g, struct exposition *e, const char *name, const char *labels, size_t at)
{
	uint64_t buckets[COUNTERS_BUCKETS];

	for (unsigned i = 0; i < COUNTERS_BUCKETS; i++)
		buckets[i] =
		    sum_at(g, offset_in(at + offsetof(struct counters_histogram, buckets), i));
	exposition_histogram(
	    e, name, labels, buckets, sum_at(g, at + offsetof(struct counters_histogram, sum_ns)));
}

/* --- families of one sample ------------------------------------------------------------------------ */

static const struct scalar {
	const char *name, *unit, *help;
	size_t offset;
} scalars[] = {
	{ "connections_accepted", NULL, "Sockets accepted.", offsetof(struct counters, accepted) },
	{ "connections_closed", NULL, "Sockets closed.", offsetof(struct counters, closed) },
	{ "accept_pauses", NULL, "Times that accepting was paused for want of descriptors.",
	    offsetof(struct counters, accept_paused) },
	{ "deliveries", NULL, "Events handed to clients.", offsetof(struct counters, deliveries) },
	{ "received_bytes", "bytes", "Bytes read from clients.",
	    offsetof(struct counters, bytes_in) },
	{ "sent_bytes", "bytes", "Bytes written to clients.",
	    offsetof(struct counters, bytes_out) },
	{ "slow_clients_closed", NULL, "Clients closed because they took too little.",
	    offsetof(struct counters, slow_closed) },
	{ "gaps", NULL, "Times that a client was told that events are lost for it.",
	    offsetof(struct counters, gaps) },
	{ "events_compressed", NULL, "Events compressed, once in each worker that sends them so.",
	    offsetof(struct counters, events_compressed) },
	{ "compression_saved_bytes", "bytes", "Bytes that compression spared clients.",
	    offsetof(struct counters, compression_saved_bytes) },
	{ "events_directed", NULL, "Events published to one connection alone.",
	    offsetof(struct counters, events_directed) },
	{ "events_directed_lost", NULL,
	    "Of them, those whose connection was at its end, too slow, or may get no events.",
	    offsetof(struct counters, directed_lost) },
	{ "log_lines_lost", NULL,
	    "Lines that the log did not take, since the disk was full or the like.",
	    offsetof(struct counters, log_lines_lost) },
	{ "log_rotations", NULL, "Times that the log file was begun anew for its size.",
	    offsetof(struct counters, log_rotations) },
	{ "workers_relieved", NULL, "Workers that retired since they had taken too much memory.",
	    offsetof(struct counters, workers_relieved) },
	{ "messages_inflated", NULL, "Messages that clients sent compressed.",
	    offsetof(struct counters, messages_inflated) },
	{ "provider_calls", NULL, "Requests that were routed to providers, or waited for one.",
	    offsetof(struct counters, calls_started) },
	{ "provider_strays", NULL,
	    "Answers of providers to requests that they were not given, or not any more.",
	    offsetof(struct counters, provider_strays) },
	{ "provider_answers_held", NULL,
	    "Answers of providers that found no room in the mailbox of the caller's worker at "
	    "once.",
	    offsetof(struct counters, answers_held) },
};

static void
write_scalars(const struct gateway *g, struct exposition *e)
{
	for (size_t i = 0; i < ARRAY_LEN(scalars); i++) {
		const struct scalar *s = &scalars[i];

		exposition_family(e, s->name, EXPOSITION_COUNTER, s->unit, s->help);
		exposition_uint(e, s->name, EXPOSITION_COUNTER, "", sum_at(g, s->offset));
	}
}

/* --- families with one label, from an array of counters ------------------------------------------- */

static const char *
close_name(unsigned index)
{
	static const char *const names[COUNTERS_CLOSES] = { "1000", "1001", "1002", "1003", "1004",
		"1005", "1006", "1007", "1008", "1009", "1010", "1011", "1012", "1013", "other",
		"none" };

	return names[index];
}

static const char *
status_name(unsigned index)
{
	static const char *const names[COUNTERS_HTTP] = { "other", "1xx", "2xx", "3xx", "4xx",
		"5xx" };

	return names[index];
}

static const char *
handshake_name(unsigned index)
{
	return outcome_name((enum outcome)index);
}

static const char *
authentication_name(unsigned index)
{
	return auth_verdict_name((enum auth_verdict)index);
}

static const char *
limit_label(unsigned index)
{
	return limit_name((enum limit)index);
}

static const struct vector {
	const char *name, *label, *help;
	size_t offset;
	unsigned count;
	const char *(*value)(unsigned index);
} vectors[] = {
	{ "handshakes", "outcome", "Openings of connections, by how they ended.",
	    offsetof(struct counters, handshakes), OUTCOME_COUNT, handshake_name },
	{ "authentications", "verdict", "Clients let in and turned away, by what they came with.",
	    offsetof(struct counters, authentications), AUTH_VERDICTS, authentication_name },
	{ "limits_reached", "limit", "Times that clients met a limit.",
	    offsetof(struct counters, limits), LIMIT_COUNT, limit_label },
	{ "tls_handshakes", "result", "Connections that were to speak TLS, by how they began.",
	    offsetof(struct counters, tls_handshakes), SECURE_RESULTS, secure_result_name },
	{ "closes", "code", "Connections ended, by WebSocket close code.",
	    offsetof(struct counters, closes), COUNTERS_CLOSES, close_name },
	{ "connections_ended", "cause",
	    "Connections ended, by cause, as lurkbot gateway why tells it.",
	    offsetof(struct counters, closes_by_cause), LEDGER_CAUSES, cause_name },
	{ "http_responses", "status", "HTTP responses, by class of status.",
	    offsetof(struct counters, http_requests), COUNTERS_HTTP, status_name },
	{ "events_published", "namespace", "Events published, by namespace.",
	    offsetof(struct counters, events_published), COUNTERS_NAMESPACES, namespace_name },
};

static void
write_vectors(const struct gateway *g, struct exposition *e)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct vector *v = &vectors[i];

		exposition_family(e, v->name, EXPOSITION_COUNTER, NULL, v->help);
		for (unsigned index = 0; index < v->count; index++) {
			char labels[LABELS_MAX];

			snprintf(labels, sizeof(labels), "%s=\"%s\"", v->label, v->value(index));
			exposition_uint(e, v->name, EXPOSITION_COUNTER, labels,
			    sum_at(g, offset_in(v->offset, index)));
		}
	}
}

/* --- requests ---------------------------------------------------------------------------------------- */

static const char *
method_label(unsigned row)
{
	if (row == METHOD_PROVIDED)
		return "provided";
	return row == METHOD_OTHER ? "other" : method_at(row)->name;
}

static void
write_requests_of(const struct gateway *g, struct exposition *e, unsigned row)
{
	size_t at = offset_in(offsetof(struct counters, requests), row * COUNTERS_CODES);

	for (unsigned code = 0; code <= ERROR_CODE_COUNT; code++) {
		uint64_t count = sum_at(g, offset_in(at, code));
		char labels[LABELS_MAX];

		/* An error that never happened with this method needs no line. */
		if (count == 0 && code != 0)
			continue;
		snprintf(labels, sizeof(labels), "method=\"%s\",code=\"%s\"", method_label(row),
		    code == 0 ? "OK" : error_code_name((enum error_code)(code - 1)));
		exposition_uint(e, "requests", EXPOSITION_COUNTER, labels, count);
	}
}

static void
write_requests(const struct gateway *g, struct exposition *e)
{
	exposition_family(e, "requests", EXPOSITION_COUNTER, NULL,
	    "Requests answered, by method and error code (OK for results).");
	for (unsigned row = 0; row < methods_count(); row++)
		write_requests_of(g, e, row);
	write_requests_of(g, e, METHOD_PROVIDED);
	write_requests_of(g, e, METHOD_OTHER);
	exposition_family(e, "request_duration_seconds", EXPOSITION_HISTOGRAM, "seconds",
	    "Time from a request's arrival to its answer, by method.");
	for (unsigned i = 0; i <= methods_count() + 1; i++) {
		unsigned row = i < methods_count()    ? i
			       : i == methods_count() ? METHOD_PROVIDED
						      : METHOD_OTHER;
		char labels[LABELS_MAX];

		snprintf(labels, sizeof(labels), "method=\"%s\"", method_label(row));
		write_histogram(g, e, "request_duration_seconds", labels,
		    offsetof(struct counters, request_seconds) +
			row * sizeof(struct counters_histogram));
	}
	exposition_family(e, "delivery_latency_seconds", EXPOSITION_HISTOGRAM, "seconds",
	    "Time from an event's publication to its sending, once for each worker that delivers "
	    "it.");
	write_histogram(
	    g, e, "delivery_latency_seconds", "", offsetof(struct counters, delivery_latency));
}

/* --- families by worker --------------------------------------------------------------------------- */

static uint64_t
worker_connections(const struct gateway *g, unsigned slot)
{
	return counters_get(&segment_counters(g->segment, slot)->connections);
}

static uint64_t
worker_websockets(const struct gateway *g, unsigned slot)
{
	return counters_get(&segment_counters(g->segment, slot)->websockets);
}

static uint64_t
worker_streams(const struct gateway *g, unsigned slot)
{
	return counters_get(&segment_counters(g->segment, slot)->event_streams);
}

static uint64_t
worker_lag(const struct gateway *g, unsigned slot)
{
	uint64_t head = ring_head(g->ring), seq = ring_reader_seq(g->ring, slot);

	return head > seq ? head - seq : 0;
}

static uint64_t
worker_catching_up(const struct gateway *g, unsigned slot)
{
	return counters_get(&segment_counters(g->segment, slot)->catching_up);
}

static uint64_t
worker_laps(const struct gateway *g, unsigned slot)
{
	return ring_reader_laps(g->ring, slot);
}

static uint64_t
worker_restarts(const struct gateway *g, unsigned slot)
{
	struct roster_entry entry;

	roster_get(g->roster, slot, &entry);
	return entry.restarts;
}

static uint64_t
worker_calls_waiting(const struct gateway *g, unsigned slot)
{
	return counters_get(&segment_counters(g->segment, slot)->calls_waiting);
}

static uint64_t
worker_jobs(const struct gateway *g, unsigned slot)
{
	return counters_get(&segment_counters(g->segment, slot)->jobs);
}

static uint64_t
worker_mail(const struct gateway *g, unsigned slot)
{
	return mailbox_used(segment_mailbox(g->segment, slot));
}

static uint64_t
worker_mail_reserved(const struct gateway *g, unsigned slot)
{
	return mailbox_reserved(segment_mailbox(g->segment, slot));
}

static const struct by_worker {
	const char *name;
	enum exposition_type type;
	const char *help;
	uint64_t (*value)(const struct gateway *g, unsigned slot);
} by_worker[] = {
	{ "connections", EXPOSITION_GAUGE, "Sockets open now, by worker.", worker_connections },
	{ "websockets", EXPOSITION_GAUGE, "WebSocket clients connected now, by worker.",
	    worker_websockets },
	{ "event_streams", EXPOSITION_GAUGE,
	    "HTTP clients that are sent Server-Sent Events now, by worker.", worker_streams },
	{ "catching_up", EXPOSITION_GAUGE,
	    "Clients behind with their events: slow, or resuming, by worker.", worker_catching_up },
	{ "provider_calls_waiting", EXPOSITION_GAUGE,
	    "Requests that wait for a provider, by the worker of their clients.",
	    worker_calls_waiting },
	{ "provider_jobs", EXPOSITION_GAUGE,
	    "Requests that providers were given and have not answered, by the providers' worker.",
	    worker_jobs },
	{ "mailbox_used_bytes", EXPOSITION_GAUGE,
	    "Bytes of mail from other workers that a worker has still to read.", worker_mail },
	{ "mailbox_reserved_bytes", EXPOSITION_GAUGE,
	    "Bytes of its mailbox that a worker keeps free for answers.", worker_mail_reserved },
	{ "ring_reader_lag_events", EXPOSITION_GAUGE, "Events that a worker has still to read.",
	    worker_lag },
	{ "ring_laps", EXPOSITION_COUNTER, "Times that a worker was overtaken by the ring.",
	    worker_laps },
	{ "worker_restarts", EXPOSITION_COUNTER, "Times that a worker was started again.",
	    worker_restarts },
};

static bool
is_used(const struct gateway *g, unsigned slot)
{
	struct roster_entry entry;

	roster_get(g->roster, slot, &entry);
	return entry.state != ROSTER_EMPTY;
}

static void
write_by_worker(const struct gateway *g, struct exposition *e)
{
	for (size_t i = 0; i < ARRAY_LEN(by_worker); i++) {
		const struct by_worker *f = &by_worker[i];

		exposition_family(e, f->name, f->type, NULL, f->help);
		for (unsigned slot = 0; slot < census_slots_in_use(g); slot++) {
			char labels[LABELS_MAX];

			if (!is_used(g, slot))
				continue;
			snprintf(labels, sizeof(labels), "worker=\"%u\"", slot);
			exposition_uint(e, f->name, f->type, labels, f->value(g, slot));
		}
	}
}

/* --- processes ------------------------------------------------------------------------------------- */

static void
process_label(const struct gateway *g, unsigned slot, char *out)
{
	if (slot == segment_supervisor_slot(g->segment))
		snprintf(out, LABELS_MAX, "process=\"supervisor\"");
	else if (slot == segment_keeper_slot(g->segment))
		snprintf(out, LABELS_MAX, "process=\"keeper\"");
	else
		snprintf(out, LABELS_MAX, "process=\"worker %u\"", slot);
}

static const struct by_process {
	const char *name, *unit, *help;
	size_t offset; /* in struct roster_entry */
} by_process[] = {
	{ "process_resident_memory_bytes", "bytes", "Resident memory, by process.",
	    offsetof(struct roster_entry, rss_bytes) },
	{ "process_own_memory_bytes", "bytes",
	    "Resident memory without files and shared memory, by process.",
	    offsetof(struct roster_entry, own_bytes) },
	{ "process_open_fds", NULL, "Open descriptors, by process.",
	    offsetof(struct roster_entry, open_fds) },
};

static void
write_process(
    const struct gateway *g, struct exposition *e, const struct by_process *f, unsigned slot)
{
	struct roster_entry entry;
	char labels[LABELS_MAX];
	uint64_t value;

	roster_get(g->roster, slot, &entry);
	if (entry.state == ROSTER_EMPTY && entry.rss_bytes == 0)
		return;
	memcpy(&value, (const char *)&entry + f->offset, sizeof(value));
	process_label(g, slot, labels);
	exposition_uint(e, f->name, EXPOSITION_GAUGE, labels, value);
}

static void
write_processes(const struct gateway *g, struct exposition *e)
{
	for (size_t i = 0; i < ARRAY_LEN(by_process); i++) {
		const struct by_process *f = &by_process[i];

		exposition_family(e, f->name, EXPOSITION_GAUGE, f->unit, f->help);
		for (unsigned slot = 0; slot < segment_slots(g->segment); slot++)
			write_process(g, e, f, slot);
	}
}

/* --- the ring and the gateway ---------------------------------------------------------------------- */

static void
write_value(struct exposition *e, const char *name, enum exposition_type type, const char *unit,
    const char *help, uint64_t value)
{
	exposition_family(e, name, type, unit, help);
	exposition_uint(e, name, type, "", value);
}

static void
write_ring(const struct gateway *g, struct exposition *e)
{
	write_value(e, "ring_seq", EXPOSITION_GAUGE, NULL,
	    "Sequence number of the last event of this epoch.", ring_head(g->ring));
	write_value(e, "ring_oldest_seq", EXPOSITION_GAUGE, NULL,
	    "Sequence number of the oldest event that the ring still holds.", ring_oldest(g->ring));
	write_value(e, "ring_used_bytes", EXPOSITION_GAUGE, "bytes", "Bytes of events in the ring.",
	    ring_bytes_used(g->ring));
	write_value(e, "ring_capacity_bytes", EXPOSITION_GAUGE, "bytes", "Size of the ring.",
	    ring_capacity(g->ring));
	write_value(e, "ring_mutex_recoveries", EXPOSITION_COUNTER, NULL,
	    "Times that a process died while it held the ring's lock.",
	    ring_mutex_recoveries(g->ring));
}

static void
write_bus(const struct gateway *g, struct exposition *e)
{
	unsigned running, finished;

	write_value(e, "providers", EXPOSITION_GAUGE, NULL, "Providers registered now.",
	    providers_count(g->providers));
	idempotency_count(g->idempotency, clock_mono_ms(), &running, &finished);
	write_value(e, "idempotency_running", EXPOSITION_GAUGE, NULL,
	    "Requests with an idempotency key that are under way.", running);
	write_value(e, "idempotency_kept", EXPOSITION_GAUGE, NULL,
	    "Answers to such requests that are kept for those who ask again.", finished);
	write_value(e, "idempotency_mutex_recoveries", EXPOSITION_COUNTER, NULL,
	    "Times that a process died while it held the lock of the idempotency keys.",
	    idempotency_recoveries(g->idempotency));
	write_value(e, "providers_mutex_recoveries", EXPOSITION_COUNTER, NULL,
	    "Times that a process died while it held the lock of the providers.",
	    providers_recoveries(g->providers));
}

static void
write_gateway(const struct gateway *g, struct exposition *e)
{
	struct roster_gateway all;

	roster_get_gateway(g->roster, &all);
	exposition_family(e, "build", EXPOSITION_INFO, NULL, "The version that runs.");
	exposition_uint(e, "build", EXPOSITION_INFO, "version=\"" LURKBOT_VERSION "\"", 1);
	exposition_family(e, "uptime_seconds", EXPOSITION_GAUGE, "seconds",
	    "Time since the gateway was started.");
	exposition_seconds(
	    e, "uptime_seconds", EXPOSITION_GAUGE, "", census_uptime_ms(g) * 1000000);
	exposition_family(e, "start_time_seconds", EXPOSITION_GAUGE, "seconds",
	    "When the gateway was started, in seconds since 1970 UTC.");
	exposition_seconds(
	    e, "start_time_seconds", EXPOSITION_GAUGE, "", all.started_real_ms * 1000000);
	if (g->tls != NULL)
		write_value(e, "tls_certificate_expiry_seconds", EXPOSITION_GAUGE, "seconds",
		    "Time until the certificate expires, 86400 a day; 0 when it has.",
		    secure_seconds_left(g));
	write_value(e, "workers", EXPOSITION_GAUGE, NULL, "Workers that serve now.",
	    census_workers_serving(g));
	write_value(e, "workers_configured", EXPOSITION_GAUGE, NULL,
	    "Workers that there should be.", all.workers);
}

void
metrics_write(const struct gateway *g, struct buf *out, bool open_metrics)
{
	struct exposition e = { .out = out, .open_metrics = open_metrics };

	write_gateway(g, &e);
	write_by_worker(g, &e);
	write_scalars(g, &e);
	write_vectors(g, &e);
	write_requests(g, &e);
	write_ring(g, &e);
	write_bus(g, &e);
	write_processes(g, &e);
	exposition_end(&e);
}
