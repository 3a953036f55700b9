/*
 * Modes rpc and provider: each connection keeps requests unanswered, and every answer is checked: none missing,
 * none twice, none for what was not asked. The provider is this program, too, on another worker of the gateway.
 *
 * With a rate, each request has a time at which it is due and from which its latency counts; it goes out
 * on the next connection that has fewer than a window's requests unanswered.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "dialect.h"
#include "load.h"
#include "modes.h"
#include "report.h"

#define IDLE_NS 100000000ull

struct rpc {
	const struct options *options;
	struct load load;
	struct histogram *latency;
	struct faults faults;
	uint64_t answers;
	uint64_t from_ns, to_ns, next_due_ns;
	unsigned turn; /* the connection that a rate's next request goes to */
	bool is_asking;
};

static void
ask(struct client *c, uint64_t due_ns)
{
	const struct rpc *r = c->group->owner;
	const struct dialect *dialect = c->group->dialect;

	c->due_ns[c->next % WINDOW_MAX] = due_ns;
	c->in_flight++;
	(r->options->mode == MODE_PROVIDER ? dialect->call : dialect->ask)(c, c->next++);
}

static void
on_answer(struct client *c, uint64_t id, bool ok)
{
	struct rpc *r = c->group->owner;
	uint64_t *due;

	if (c->role == ROLE_PROVIDER)
		return;
	due = &c->due_ns[id % WINDOW_MAX];
	if (id >= c->next || c->next - id > WINDOW_MAX || *due == 0) {
		r->faults.twice++;
		return;
	}
	r->answers++;
	if (!ok)
		r->faults.refused++;
	if (*due >= r->from_ns && *due < r->to_ns)
		histogram_add(r->latency, c->group->now_ns - *due);
	*due = 0;
	c->in_flight--;
	if (r->is_asking && r->options->rate == 0)
		ask(c, clock_mono_ns());
}

static const struct client_handlers handlers = { NULL, on_answer };

/* A number that WINDOW_MAX later ones have overtaken would be mistaken for the newest. */
static bool
may_ask(const struct rpc *r, const struct client *c)
{
	return c->in_flight < r->options->window && c->due_ns[c->next % WINDOW_MAX] == 0;
}

static struct client *
next_free(struct rpc *r)
{
	for (unsigned i = 0; i < r->options->connections; i++) {
		struct client *c = &r->load.clients[r->turn];

		r->turn = (r->turn + 1) % r->options->connections;
		if (may_ask(r, c))
			return c;
	}
	return NULL;
}

/* Asks what is due. Returns how long nothing will be. */
static uint64_t
ask_due(struct rpc *r)
{
	uint64_t now_ns = clock_mono_ns();

	if (r->options->rate == 0)
		return IDLE_NS;
	while (r->next_due_ns <= now_ns) {
		struct client *c = next_free(r);

		if (c == NULL)
			return IDLE_NS;
		ask(c, r->next_due_ns);
		client_flush(c);
		r->next_due_ns += (uint64_t)(1e9 / r->options->rate);
	}
	return r->next_due_ns - now_ns < IDLE_NS ? r->next_due_ns - now_ns : IDLE_NS;
}

static void
run_until(struct rpc *r, uint64_t end_ns)
{
	for (uint64_t now_ns = clock_mono_ns(); now_ns < end_ns; now_ns = clock_mono_ns()) {
		uint64_t idle_ns = ask_due(r);

		load_turn(&r->load, idle_ns < end_ns - now_ns ? idle_ns : end_ns - now_ns);
		load_progress(&r->load, "answered", r->answers, report_faults(&r->faults));
	}
}

static void
connect_all(struct rpc *r)
{
	enum { AT_ONCE = 32 };

	if (r->options->mode == MODE_PROVIDER) {
		load_connect_provider(&r->load);
		load_connect_elsewhere(&r->load, r->options->connections);
	} else {
		load_connect(&r->load, ROLE_CALLER, r->options->connections, AT_ONCE);
	}
	for (unsigned i = 0; i < r->options->connections; i++) {
		struct client *c = &r->load.clients[i];

		c->due_ns = calloc(WINDOW_MAX, sizeof(*c->due_ns));
		if (c->due_ns == NULL)
			bench_die("out of memory");
	}
}

static void
ask_first(struct rpc *r)
{
	r->is_asking = true;
	r->next_due_ns = clock_mono_ns();
	if (r->options->rate > 0)
		return;
	for (unsigned i = 0; i < r->options->connections; i++) {
		struct client *c = &r->load.clients[i];

		for (unsigned k = 0; k < r->options->window; k++)
			ask(c, clock_mono_ns());
		client_flush(c);
	}
}

/* Waits for what is unanswered; what stays so is missing. */
static void
finish(struct rpc *r)
{
	uint64_t end_ns = clock_mono_ns() + LOAD_STALL_NS, unanswered;

	r->is_asking = false;
	do {
		unanswered = 0;
		for (unsigned i = 0; i < r->options->connections; i++)
			unanswered += r->load.clients[i].in_flight;
		if (unanswered > 0)
			load_turn(&r->load, IDLE_NS);
	} while (unanswered > 0 && clock_mono_ns() < end_ns);
	r->faults.missing = unanswered;
}

static void
measure(struct rpc *r, struct result *result)
{
	struct client_group *group = &r->load.group;

	ask_first(r);
	run_until(r, clock_mono_ns() + r->options->warm_up_ms * 1000000ull);
	r->from_ns = clock_mono_ns();
	result->messages = r->answers;
	result->wire_bytes = group->wire_bytes;
	result->begin = report_sample_begin(r->options);
	run_until(r, result->begin.at_ns + r->options->duration_ms * 1000000ull);
	result->end = report_sample_end(r->options);
	result->messages = r->answers - result->messages;
	result->wire_bytes = group->wire_bytes - result->wire_bytes;
	r->to_ns = clock_mono_ns();
	finish(r);
}

int
rpc_run(const struct options *options)
{
	struct rpc r = { .options = options, .to_ns = UINT64_MAX };
	struct result result = { .options = options };

	load_open(&r.load, options, &handlers, &r);
	r.latency = calloc(1, sizeof(*r.latency));
	if (r.latency == NULL)
		bench_die("out of memory");
	connect_all(&r);
	measure(&r, &result);
	load_progress_end();
	result.latency = r.latency;
	result.faults = r.faults;
	result.is_deflated = r.load.group.deflate > 0;
	result.pings = r.load.group.pings;
	report_print(&result);
	free(r.latency);
	load_close(&r.load);
	return report_faults(&r.faults) == 0 ? 0 : 1;
}
