/*
 * lurkbot-bench: what one message costs the gateway, in CPU seconds of the server for each million.
 *
 *   fanout  C subscribers and one publisher that keeps W events under way: one is over when every subscriber
 *           has it.  Each delivery is checked: none missing, none twice, none out of order.
 *   rpc     C connections that each keep W requests of `health` unanswered.
 *
 * CPU time is compared before wall time: the client shares the machine with the server.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "client.h"
#include "server.h"

enum { WINDOW_MAX = 1024, EVENTS_AT_ONCE = 256, WARM_UP_MS = 500, STALL_MS = 10000 };

struct options {
	const char *mode;
	uint16_t port;
	int pid;
	unsigned connections, size, window, duration_ms;
	bool json;
};

struct bench {
	struct options o;
	int epoll_fd;
	struct client *clients;
	struct client publisher;
	char *filler;
	uint64_t published, first_seq; /* fanout: events sent, seq of the first */
	uint64_t over;		       /* fanout: events that all have */
	unsigned takers[WINDOW_MAX];   /* fanout: who has each event under way */
	uint64_t messages, errors;
	bool publishing;
};

static uint64_t
seq_of(struct span text)
{
	const char *at = memmem(text.p, text.n < 80 ? text.n : 80, "\"seq\":", 6);

	return at == NULL ? 0 : strtoull(at + 6, NULL, 10);
}

static void
publish_next(struct bench *b)
{
	char text[256];
	struct buf message = { 0 };

	snprintf(text, sizeof(text),
	    "{\"id\":\"%" PRIu64 "\",\"type\":\"request\",\"method\":\"events.publish\",\"params\":"
	    "{\"event\":\"bench.x\",\"payload\":{\"x\":\"",
	    b->published++);
	buf_append_cstr(&message, text);
	buf_append(&message, b->filler, b->o.size);
	buf_append_cstr(&message, "\"}}}");
	client_send(&b->publisher, buf_span(&message));
	buf_fini(&message);
}

static void
fill_window(struct bench *b)
{
	while (b->publishing && b->published < b->over + b->o.window)
		publish_next(b);
}

static void
on_answer(struct client *c, struct span text)
{
	struct bench *b = c->owner;

	if (memmem(text.p, text.n, "\"result\"", 8) == NULL) {
		b->errors++;
		fprintf(stderr, "refused: %.*s\n", (int)text.n, text.p);
	}
}

static void
on_delivery(struct client *c, struct span text)
{
	struct bench *b = c->owner;
	uint64_t seq = seq_of(text), index;

	if (b->first_seq == 0)
		b->first_seq = seq;
	if (c->last_seq == 0)
		c->last_seq = b->first_seq - 1;
	if (seq != c->last_seq + 1)
		b->errors++;
	c->last_seq = seq;
	b->messages++;
	index = seq - b->first_seq;
	if (index >= b->over + WINDOW_MAX || index < b->over) {
		b->errors++;
		return;
	}
	b->takers[index % WINDOW_MAX]++;
	while (b->takers[b->over % WINDOW_MAX] == b->o.connections) {
		b->takers[b->over % WINDOW_MAX] = 0;
		b->over++;
	}
}

static void
ask(struct client *c)
{
	char text[96];
	int n = snprintf(text, sizeof(text),
	    "{\"id\":\"%" PRIu64 "\",\"type\":\"request\",\"method\":\"health\"}", c->number++);

	client_send(c, span_make(text, (size_t)n));
}

static void
on_reply(struct client *c, struct span text)
{
	struct bench *b = c->owner;

	on_answer(c, text);
	b->messages++;
	if (b->publishing)
		ask(c);
}

static void
turn(struct bench *b, int timeout_ms)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int n = epoll_wait(b->epoll_fd, events, EVENTS_AT_ONCE, timeout_ms);

	for (int i = 0; i < n; i++)
		if (!client_on_event(events[i].data.ptr, events[i].events))
			bench_die("the server closed a connection");
}

static bool
is_fanout(const struct bench *b)
{
	return strcmp(b->o.mode, "fanout") == 0;
}

static void
connect_all(struct bench *b)
{
	bool fanout = is_fanout(b);

	b->clients = calloc(b->o.connections, sizeof(*b->clients));
	b->filler = malloc(b->o.size + 1);
	if (b->clients == NULL || b->filler == NULL)
		bench_die("out of memory");
	memset(b->filler, 'x', b->o.size);
	for (unsigned i = 0; i < b->o.connections; i++) {
		struct client *c = &b->clients[i];

		client_open(c, b->epoll_fd, b->o.port,
		    fanout ? "{\"events\":[\"bench.*\"]}" : "{\"events\":[]}",
		    fanout ? on_delivery : on_reply, b);
		while (c->state != CLIENT_READY)
			turn(b, STALL_MS);
	}
	client_open(&b->publisher, b->epoll_fd, b->o.port, "{\"events\":[]}", on_answer, b);
	while (b->publisher.state != CLIENT_READY)
		turn(b, STALL_MS);
}

static void
run_for(struct bench *b, uint64_t ms)
{
	uint64_t end_ms = clock_mono_ms() + ms;

	while (clock_mono_ms() < end_ms) {
		if (is_fanout(b))
			fill_window(b);
		turn(b, 100);
	}
}

/* Lets what is under way come to its end, so that nothing is counted as missing. */
static void
finish(struct bench *b)
{
	uint64_t end_ms = clock_mono_ms() + STALL_MS;

	b->publishing = false;
	while (is_fanout(b) && b->over < b->published) {
		if (clock_mono_ms() > end_ms)
			bench_die(
			    "%" PRIu64 " events did not reach everybody", b->published - b->over);
		turn(b, 100);
	}
}

static void
report(const struct bench *b, uint64_t messages, uint64_t cpu_ns, uint64_t wall_ns)
{
	double cpu = (double)cpu_ns / 1e9, wall = (double)wall_ns / 1e9;
	double each = messages > 0 ? cpu / (double)messages * 1e6 : 0;

	if (b->o.json)
		printf("{\"mode\":\"%s\",\"connections\":%u,\"size\":%u,\"window\":%u,\"messages\":"
		       "%" PRIu64 ",\"errors\":%" PRIu64
		       ",\"wallSeconds\":%.3f,\"serverCpuSeconds\":%.3f,"
		       "\"serverCpuSecondsPerMillion\":%.3f,\"serverRssBytes\":%" PRIu64 "}\n",
		    b->o.mode, b->o.connections, b->o.size, b->o.window, messages, b->errors, wall,
		    cpu, each, server_rss_bytes(b->o.pid));
	else
		printf("%-7s %6u connections  %6u bytes  window %-4u  %10" PRIu64
		       " messages  %9.0f/s  server CPU %.3f s/million  errors %" PRIu64 "\n",
		    b->o.mode, b->o.connections, b->o.size, b->o.window, messages,
		    (double)messages / wall, each, b->errors);
}

static void
measure(struct bench *b)
{
	uint64_t cpu_ns, wall_ns, messages;

	connect_all(b);
	b->publishing = true;
	if (!is_fanout(b))
		for (unsigned i = 0; i < b->o.connections * b->o.window; i++)
			ask(&b->clients[i % b->o.connections]);
	run_for(b, WARM_UP_MS);
	messages = b->messages;
	cpu_ns = server_cpu_ns(b->o.pid);
	wall_ns = clock_mono_ns();
	run_for(b, b->o.duration_ms);
	cpu_ns = server_cpu_ns(b->o.pid) - cpu_ns;
	wall_ns = clock_mono_ns() - wall_ns;
	messages = b->messages - messages;
	finish(b);
	report(b, messages, cpu_ns, wall_ns);
}

static unsigned
number(const char *text, unsigned low, unsigned high, const char *what)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || value < low || value > high)
		bench_die("--%s takes a number from %u to %u", what, low, high);
	return (unsigned)value;
}

static void
usage(void)
{
	puts("usage: lurkbot-bench fanout|rpc --port N --pid SUPERVISOR [--connections N] [--size "
	     "BYTES]\n"
	     "                     [--window N] [--duration MS] [--json]");
}

static void
read_options(struct options *o, int argc, char **argv)
{
	static const struct option table[] = { { "port", 1, NULL, 'p' }, { "pid", 1, NULL, 'i' },
		{ "connections", 1, NULL, 'c' }, { "size", 1, NULL, 's' },
		{ "window", 1, NULL, 'w' }, { "duration", 1, NULL, 'd' }, { "json", 0, NULL, 'j' },
		{ "help", 0, NULL, 'h' }, { 0 } };
	int option, at = 0;

	while ((option = getopt_long(argc, argv, "", table, &at)) != -1) {
		const char *name = table[at].name;

		switch (option) {
		case 'p':
			o->port = (uint16_t)number(optarg, 1, 65535, name);
			break;
		case 'i':
			o->pid = (int)number(optarg, 1, 1u << 22, name);
			break;
		case 'c':
			o->connections = number(optarg, 1, 100000, name);
			break;
		case 's':
			o->size = number(optarg, 0, 1000000, name);
			break;
		case 'w':
			o->window = number(optarg, 1, WINDOW_MAX, name);
			break;
		case 'd':
			o->duration_ms = number(optarg, 1, 3600000, name);
			break;
		case 'j':
			o->json = true;
			break;
		default:
			usage();
			exit(option == 'h' ? 0 : 2);
		}
	}
	o->mode = optind < argc ? argv[optind] : "";
}

int
main(int argc, char **argv)
{
	struct bench b = {
		.o = { .connections = 1000, .size = 256, .window = 16, .duration_ms = 3000 }
	};
	struct rlimit limit;

	read_options(&b.o, argc, argv);
	if ((strcmp(b.o.mode, "fanout") != 0 && strcmp(b.o.mode, "rpc") != 0) || b.o.port == 0 ||
	    b.o.pid == 0) {
		usage();
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	b.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (b.epoll_fd < 0)
		bench_die("epoll_create1: %s", strerror(errno));
	measure(&b);
	for (unsigned i = 0; i < b.o.connections; i++)
		client_close(&b.clients[i]);
	client_close(&b.publisher);
	free(b.clients);
	free(b.filler);
	return b.errors == 0 ? 0 : 1;
}
