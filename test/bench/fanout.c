/*
 * Mode fanout: one publisher, many subscribers.
 *
 * With a window, so many events are under way, and the next is published when one has reached every
 * subscriber. With a rate, each event has a time at which it is due, and its latency counts from
 * then, however late this program or the server is: what waits behind a slow event is slow too.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "delivery.h"
#include "dialect.h"
#include "load.h"
#include "modes.h"

#define PROBE_NS   200000000ull		/* between two probes */
#define FINISH_NS  (30 * 1000000000ull) /* how long a server may take for what it owes */
#define FILL_SIZE  65536		/* of an event at least, while filling */
#define FILL_BYTES (2 * 1024 * 1024)	/* that are under way while filling */
#define REST_NS	   1500000000ull	/* after which a server is at rest */
#define SAMPLE_NS  200000000ull		/* between two looks at the server's memory */
#define IDLE_NS	   500000000ull		/* for which nothing need be published */

struct fanout {
	const struct options *options;
	struct load load;
	struct delivery delivery;
	uint64_t next_due_ns, sample_ns;
	uint64_t probes;
	uint64_t pss_peak_bytes;
};

static void
on_delivery(struct client *c, struct span payload)
{
	struct fanout *f = c->group->owner;

	delivery_take(&f->delivery, c, payload, c->group->now_ns);
}

static void
on_answer(struct client *c, uint64_t id, bool ok)
{
	struct fanout *f = c->group->owner;

	(void)id;
	if (!ok)
		f->delivery.faults.refused++;
}

static const struct client_handlers handlers = { on_delivery, on_answer };

static void
publish(struct fanout *f, uint64_t due_ns)
{
	struct client *publisher = &f->load.publisher;
	struct span payload = delivery_next(&f->delivery, due_ns);

	f->options->dialect->publish(publisher, f->delivery.published + f->probes, payload);
}

/* Publishes what is due. Returns how long nothing will be. */
static uint64_t
publish_due(struct fanout *f)
{
	struct delivery *d = &f->delivery;
	uint64_t now_ns = clock_mono_ns(), idle_ns = IDLE_NS;

	if (f->options->rate > 0) {
		while (f->next_due_ns <= now_ns) {
			publish(f, f->next_due_ns);
			f->next_due_ns += (uint64_t)(1e9 / f->options->rate);
		}
		if (f->next_due_ns - now_ns < idle_ns)
			idle_ns = f->next_due_ns - now_ns;
	} else {
		while (d->published - d->over < f->options->window)
			publish(f, now_ns);
	}
	client_flush(&f->load.publisher);
	return idle_ns;
}

/* Looking holds the server up for milliseconds: it is done while nothing is measured. */
static void
look_at_memory(struct fanout *f)
{
	uint64_t now_ns = clock_mono_ns();
	uint64_t pss;

	if (f->options->pid == 0 || now_ns < f->sample_ns)
		return;
	f->sample_ns = now_ns + SAMPLE_NS;
	pss = server_memory(f->options->pid).pss_bytes;
	if (pss > f->pss_peak_bytes)
		f->pss_peak_bytes = pss;
}

static void
run_until(struct fanout *f, uint64_t end_ns)
{
	uint64_t stall_ns = clock_mono_ns() + LOAD_STALL_NS, over = f->delivery.over;

	for (;;) {
		uint64_t now_ns = clock_mono_ns(), idle_ns;

		if (f->delivery.over > over) {
			over = f->delivery.over;
			stall_ns = now_ns + LOAD_STALL_NS;
		}
		if (now_ns >= end_ns || (f->options->rate == 0 && now_ns > stall_ns))
			return;
		idle_ns = publish_due(f);
		load_turn(&f->load, idle_ns < end_ns - now_ns ? idle_ns : end_ns - now_ns);
		load_progress(&f->load, "delivered", f->delivery.messages,
		    report_faults(&f->delivery.faults));
	}
}

/* A server may say yes to a subscription before it is in force everywhere. */
static void
wait_for_all_to_join(struct fanout *f)
{
	uint64_t end_ns = clock_mono_ns() + LOAD_STALL_NS;
	unsigned wanted = f->options->connections + f->options->stopped;

	while (f->delivery.joined < wanted) {
		uint64_t next_ns = clock_mono_ns() + PROBE_NS;

		if (next_ns > end_ns)
			bench_die("%u of %u subscribers get what is published", f->delivery.joined,
			    wanted);
		f->options->dialect->publish(
		    &f->load.publisher, ++f->probes, delivery_probe(&f->delivery));
		client_flush(&f->load.publisher);
		while (clock_mono_ns() < next_ns && f->delivery.joined < wanted)
			load_turn(&f->load, PROBE_NS / 10);
	}
}

/*
 * Lets what is under way come to its end. What has not come when nothing comes any more is missing;
 * a server from which it still comes after a long time is behind.
 */
static void
finish(struct fanout *f)
{
	struct delivery *d = &f->delivery;
	uint64_t now_ns = clock_mono_ns(), end_ns = now_ns + FINISH_NS,
		 stall_ns = now_ns + LOAD_STALL_NS;
	uint64_t messages = d->messages;

	while (!delivery_is_over(d) && now_ns < end_ns && now_ns < stall_ns) {
		load_turn(&f->load, PROBE_NS);
		load_progress(&f->load, "draining", d->messages, report_faults(&d->faults));
		now_ns = clock_mono_ns();
		if (d->messages > messages)
			stall_ns = now_ns + LOAD_STALL_NS;
		messages = d->messages;
	}
	for (unsigned i = 0; i < f->options->connections; i++)
		delivery_settle(d, &f->load.clients[i], now_ns, now_ns < stall_ns);
}

static void
connect_all(struct fanout *f)
{
	enum { AT_ONCE = 32, STOPPED_RECEIVE_BYTES = 32768 };

	load_connect(&f->load, ROLE_SUBSCRIBER, f->options->connections, AT_ONCE);
	/* What waits at the clients' end is not the server's, but shares the machine's memory. */
	f->load.group.receive_bytes = STOPPED_RECEIVE_BYTES;
	load_connect(&f->load, ROLE_SUBSCRIBER, f->options->stopped, AT_ONCE);
	f->load.group.receive_bytes = 0;
	load_connect_publisher(&f->load);
	wait_for_all_to_join(f);
}

static size_t
fill_size(const struct options *o)
{
	return o->fill_kib > 0 && o->size < FILL_SIZE ? FILL_SIZE : o->size;
}

/* Only while nothing is under way. */
static void
set_size(struct fanout *f, size_t size)
{
	delivery_set_size(&f->delivery, size);
	f->load.group.size = size;
}

/* Publishes --fill to all, as fast as those that read take it. */
static void
fill(struct fanout *f)
{
	struct delivery *d = &f->delivery;
	uint64_t goal = d->published + f->options->fill_kib * 1024ull / d->size;
	uint64_t window = 1 + FILL_BYTES / d->size;
	uint64_t stall_ns = clock_mono_ns() + LOAD_STALL_NS, messages = d->messages;

	while (d->published < goal || !delivery_is_over(d)) {
		while (d->published < goal && d->published - d->over < window)
			publish(f, clock_mono_ns());
		client_flush(&f->load.publisher);
		load_turn(&f->load, PROBE_NS);
		look_at_memory(f);
		load_progress(&f->load, "filling", d->messages, report_faults(&d->faults));
		if (d->messages > messages)
			stall_ns = clock_mono_ns() + LOAD_STALL_NS;
		messages = d->messages;
		if (clock_mono_ns() > stall_ns)
			bench_die("nothing is delivered any more");
	}
}

/* What a server keeps when it has had nothing to do for a while. */
static struct sample
sample_at_rest(struct fanout *f)
{
	uint64_t end_ns = clock_mono_ns() + REST_NS, now_ns;

	while ((now_ns = clock_mono_ns()) < end_ns)
		load_turn(&f->load, end_ns - now_ns);
	return report_sample_end(f->options);
}

static void
stop_some(struct fanout *f, struct result *r)
{
	if (f->options->fill_kib == 0 && f->options->stopped == 0)
		return;
	fill(f); /* all buffers of the server were in use, and nobody is slow yet */
	r->reading = sample_at_rest(f);
	for (unsigned i = 0; i < f->options->stopped; i++)
		client_stop_reading(&f->load.clients[f->options->connections + i]);
	fill(f);
}

static void
wait_for_end_of_input(void)
{
	while (getchar() != EOF)
		;
}

static void
measure(struct fanout *f, struct result *r)
{
	struct delivery *d = &f->delivery;

	f->next_due_ns = clock_mono_ns();
	run_until(f, clock_mono_ns() + f->options->warm_up_ms * 1000000ull);
	d->from_ns = clock_mono_ns();
	r->messages = d->messages;
	r->wire_bytes = f->load.group.wire_bytes;
	r->begin = report_sample_begin(f->options);
	run_until(f, r->begin.at_ns + f->options->duration_ms * 1000000ull);
	r->end = report_sample_end(f->options);
	r->messages = d->messages - r->messages;
	r->wire_bytes = f->load.group.wire_bytes - r->wire_bytes;
	d->to_ns = clock_mono_ns();
	finish(f);
	if (f->options->stopped > 0 || f->options->fill_kib > 0)
		r->rested = sample_at_rest(f);
}

int
fanout_run(const struct options *options)
{
	struct fanout f = { .options = options };
	struct result r = { .options = options };

	load_open(&f.load, options, &handlers, &f);
	delivery_init(&f.delivery, options->connections, fill_size(options), options->records);
	set_size(&f, SIZE_MIN);
	f.delivery.from_ns = UINT64_MAX; /* nothing is measured yet */
	connect_all(&f);
	set_size(&f, fill_size(options));
	stop_some(&f, &r);
	set_size(&f, options->size);
	measure(&f, &r);
	load_progress_end();
	r.latency = f.delivery.latency;
	r.faults = f.delivery.faults;
	r.behind = f.delivery.behind;
	r.pings = f.load.group.pings;
	r.is_deflated = f.load.group.deflate > 0;
	r.pss_peak_bytes = f.pss_peak_bytes;
	report_print(&r);
	if (options->hold) {
		fflush(stdout);
		wait_for_end_of_input();
	}
	delivery_fini(&f.delivery);
	load_close(&f.load);
	return report_faults(&r.faults) == 0 ? 0 : 1;
}
