/*
 * One thread, one epoll. Turns are short, so that what is due at a fixed time is not late because a
 * thousand sockets are read before.
 */
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "sys/tls_context.h"
#include "dialect.h"
#include "inflate.h"

enum { EVENTS_AT_ONCE = 64, SPARE_DESCRIPTORS = 16 };

static void
raise_descriptors(unsigned wanted)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (wanted + SPARE_DESCRIPTORS > limit.rlim_max)
		bench_die("%u connections need more than the %ju descriptors allowed", wanted,
		    (uintmax_t)limit.rlim_max);
}

void
load_open(
    struct load *load, const struct options *o, const struct client_handlers *handlers, void *owner)
{
	unsigned clients = o->connections + o->stopped;

	memset(load, 0, sizeof(*load));
	raise_descriptors(clients);
	load->options = o;
	load->clients = calloc(clients, sizeof(*load->clients));
	if (load->clients == NULL)
		bench_die("out of memory");
	load->group = (struct client_group){
		.epoll_fd = epoll_create1(EPOLL_CLOEXEC),
		.port = o->port,
		.size = o->size,
		.inflater = o->deflate ? inflater_new() : NULL,
		.dialect = o->dialect,
		.handlers = handlers,
		.owner = owner,
	};
	if (o->tls && tls_client_new(NULL, true, &load->group.tls) < 0)
		bench_die("out of memory");
	if (load->group.epoll_fd < 0)
		bench_die("epoll_create1: %s", strerror(errno));
}

void
load_close(struct load *load)
{
	for (unsigned i = 0; i < load->count; i++)
		client_close(&load->clients[i]);
	client_close(&load->publisher);
	close(load->group.epoll_fd);
	inflater_free(load->group.inflater);
	tls_context_unref(load->group.tls);
	free(load->clients);
}

static void
wait_for_ready(struct load *load, unsigned wanted)
{
	uint64_t end_ns = clock_mono_ns() + LOAD_STALL_NS;
	unsigned before = load->group.ready;

	while (load->group.ready < wanted) {
		load_turn(load, LOAD_STALL_NS / 100);
		if (load->group.ready > before) {
			before = load->group.ready;
			end_ns = clock_mono_ns() + LOAD_STALL_NS;
		}
		if (clock_mono_ns() > end_ns)
			bench_die(
			    "%u of %u clients are ready, and no more become so", before, wanted);
	}
}

void
load_connect(struct load *load, enum client_role role, unsigned count, unsigned at_once)
{
	unsigned end = load->count + count;

	while (load->count < end) {
		client_open(&load->clients[load->count], &load->group, role);
		load->count++;
		if (load->count > at_once)
			wait_for_ready(load, load->count - at_once);
		load_progress(load, "connecting", load->group.ready, 0);
	}
	wait_for_ready(load, end);
}

void
load_connect_publisher(struct load *load)
{
	client_open(&load->publisher, &load->group, ROLE_PUBLISHER);
	wait_for_ready(load, load->group.ready + 1);
}

/* Asks where the client is. */
static void
locate(struct load *load, struct client *c)
{
	uint64_t end_ns = clock_mono_ns() + LOAD_STALL_NS;

	load->group.dialect->locate(c);
	client_flush(c);
	while (c->worker < 0) {
		load_turn(load, LOAD_STALL_NS / 100);
		if (clock_mono_ns() > end_ns)
			bench_die("a client is not told where it is");
	}
}

void
load_connect_provider(struct load *load)
{
	client_open(&load->publisher, &load->group, ROLE_PROVIDER);
	wait_for_ready(load, load->group.ready + 1);
	locate(load, &load->publisher);
}

void
load_connect_elsewhere(struct load *load, unsigned count)
{
	enum { ATTEMPTS = 1000 };
	unsigned attempts = 0;

	while (load->count < count) {
		struct client *c = &load->clients[load->count];

		if (attempts++ == ATTEMPTS)
			bench_die("all connections come to the provider's worker");
		client_open(c, &load->group, ROLE_CALLER);
		load->count++;
		wait_for_ready(load, load->group.ready + 1);
		locate(load, c);
		if (c->worker != load->publisher.worker)
			continue;
		client_close(c);
		load->group.ready--;
		load->count--;
	}
}

void
load_turn(struct load *load, uint64_t timeout_ns)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	struct timespec timeout = { (time_t)(timeout_ns / 1000000000),
		(long)(timeout_ns % 1000000000) };
	int n = epoll_pwait2(load->group.epoll_fd, events, EVENTS_AT_ONCE, &timeout, NULL);

	for (int i = 0; i < n; i++)
		client_on_event(events[i].data.ptr, events[i].events);
}

void
load_progress(struct load *load, const char *what, uint64_t messages, uint64_t faults)
{
	static int is_terminal = -1;
	uint64_t now_ns;
	double seconds;

	if (is_terminal < 0)
		is_terminal = isatty(STDERR_FILENO);
	if (!is_terminal)
		return;
	now_ns = clock_mono_ns();
	if (now_ns < load->told_ns + 500000000)
		return;
	seconds = (double)(now_ns - load->told_ns) / 1e9;
	if (load->told_ns != 0)
		fprintf(stderr, "\r\033[K%s: %" PRIu64 ", %.0f/s, %" PRIu64 " faults", what,
		    messages, (double)(messages - load->told_messages) / seconds, faults);
	load->told_ns = now_ns;
	load->told_messages = messages;
}

void
load_progress_end(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}
