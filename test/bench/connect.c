/*
 * Mode connect: what it costs to accept a connection with its greeting, what memory it then takes, and
 * what it takes to keep all of them while nothing happens but pings.
 *
 * A few connections come and go first, so that what a server makes once for its first client does not
 * count for the others.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "load.h"
#include "modes.h"
#include "report.h"

#define SETTLE_NS 1000000000ull
#define TURN_NS	  100000000ull

enum { FIRST = 16 };

static void
wait_for(struct load *load, uint64_t ns, const char *what)
{
	uint64_t end_ns = clock_mono_ns() + ns;

	while (clock_mono_ns() < end_ns) {
		load_turn(load, TURN_NS);
		load_progress(load, what, load->group.pings, 0);
	}
}

static void
come_and_go(const struct options *options)
{
	struct options few = *options;
	struct load load;

	few.connections = FIRST;
	load_open(&load, &few, &(struct client_handlers){ 0 }, NULL);
	load_connect(&load, ROLE_SUBSCRIBER, FIRST, FIRST);
	load_close(&load);
}

static void
measure(struct load *load, struct result *r)
{
	const struct options *o = r->options;
	struct sample settled;

	r->begin = report_sample_begin(o);
	load_connect(load, ROLE_SUBSCRIBER, o->connections, o->window);
	r->end = report_sample_end(o);
	r->messages = o->connections;
	r->wire_bytes = load->group.wire_bytes;
	wait_for(load, SETTLE_NS, "settling, pings");
	settled = report_sample_end(o);
	r->end.memory = settled.memory;
	load->group.pings = 0;
	r->idle_begin = report_sample_begin(o);
	wait_for(load, o->duration_ms * 1000000ull, "idle, pings");
	r->idle_end = report_sample_end(o);
	r->pings = load->group.pings;
}

int
connect_run(const struct options *options)
{
	struct result r = { .options = options };
	struct load load;

	come_and_go(options);
	load_open(&load, options, &(struct client_handlers){ 0 }, NULL);
	wait_for(&load, SETTLE_NS, "settling, pings");
	measure(&load, &r);
	load_progress_end();
	r.is_deflated = load.group.deflate > 0;
	r.pss_peak_bytes = r.idle_end.memory.pss_bytes;
	report_print(&r);
	load_close(&load);
	return 0;
}
