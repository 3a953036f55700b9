/*
 * One table has all options: their names, bounds and help.
 */
#include "options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "dialect.h"

enum kind { UNSIGNED, SIZE, PORT, PID, RATE, FLAG, DIALECT, HELP };

struct description {
	const char *name, *argument, *help;
	enum kind kind;
	size_t at;
	double low, high;
};

#define FIELD(name) offsetof(struct options, name)

static const struct description table[] = {
	{ "port", "N", "the server's port on 127.0.0.1 (18789)", PORT, FIELD(port), 1, 65535 },
	{ "pid", "N", "its first process, whose CPU time and memory are told", PID, FIELD(pid), 1,
	    1 << 22 },
	{ "connections", "N", "clients (1000)", UNSIGNED, FIELD(connections), 1, 100000 },
	{ "size", "BYTES", "of each payload (256; at least 34)", SIZE, FIELD(size), 0, 16777216 },
	{ "window", "N", "events, requests of each connection, or handshakes under way (16)",
	    UNSIGNED, FIELD(window), 1, WINDOW_MAX },
	{ "rate", "N", "a second, at fixed times, instead of as many as the window allows", RATE,
	    FIELD(rate), 0.01, 1e7 },
	{ "duration", "MS", "that are measured (3000)", UNSIGNED, FIELD(duration_ms), 1, 3600000 },
	{ "warm-up", "MS", "before that (500)", UNSIGNED, FIELD(warm_up_ms), 0, 600000 },
	{ "stopped", "N", "further subscribers that do not read (fanout)", UNSIGNED, FIELD(stopped),
	    0, 100000 },
	{ "fill", "KIB", "published first, while all read and when some have stopped (fanout)",
	    UNSIGNED, FIELD(fill_kib), 0, 1 << 20 },
	{ "hold", NULL, "keep the connections until standard input ends (fanout)", FLAG,
	    FIELD(hold), 0, 0 },
	{ "deflate", NULL, "offer permessage-deflate", FLAG, FIELD(deflate), 0, 0 },
	{ "records", NULL, "payloads of JSON records instead of words (fanout, lurkbot)", FLAG,
	    FIELD(records), 0, 0 },
	{ "tls", NULL, "speak TLS, with whomever it is", FLAG, FIELD(tls), 0, 0 },
	{ "json", NULL, "print one line of JSON", FLAG, FIELD(json), 0, 0 },
	{ "dialect", "NAME", "lurkbot, bare, nchan, mqtt or nats (lurkbot)", DIALECT,
	    FIELD(dialect), 0, 0 },
	{ "help", NULL, "print this", HELP, 0, 0, 0 },
};

enum { OPTIONS = sizeof(table) / sizeof(table[0]) };

static const char *const modes[] = {
	[MODE_FANOUT] = "fanout",
	[MODE_RPC] = "rpc",
	[MODE_PROVIDER] = "provider",
	[MODE_CONNECT] = "connect",
};

const char *
options_mode_name(enum mode mode)
{
	return modes[mode];
}

static void
usage(FILE *file)
{
	fputs("usage: lurkbot-bench fanout|rpc|provider|connect [options]\n", file);
	for (unsigned i = 0; i < OPTIONS; i++)
		fprintf(file, "  --%-11s %-6s %s\n", table[i].name,
		    table[i].argument != NULL ? table[i].argument : "", table[i].help);
}

static double
number(const struct description *d, const char *text)
{
	char *end;
	double value = strtod(text, &end);
	bool is_whole = d->kind == RATE || value == (double)(long long)value;

	if (*text == '\0' || *end != '\0' || !(value >= d->low && value <= d->high) || !is_whole)
		bench_die("--%s takes a number from %g to %.0f", d->name, d->low, d->high);
	return value;
}

static void
set(struct options *o, const struct description *d, const char *text)
{
	char *field = (char *)o + d->at;

	switch (d->kind) {
	case UNSIGNED:
		*(unsigned *)(void *)field = (unsigned)number(d, text);
		break;
	case SIZE:
		*(size_t *)(void *)field = (size_t)number(d, text);
		break;
	case PORT:
		*(uint16_t *)(void *)field = (uint16_t)number(d, text);
		break;
	case PID:
		*(int *)(void *)field = (int)number(d, text);
		break;
	case RATE:
		*(double *)(void *)field = number(d, text);
		break;
	case FLAG:
		*(bool *)field = true;
		break;
	case DIALECT:
		o->dialect = dialect_find(text);
		if (o->dialect == NULL)
			bench_die("--dialect: there is no %s", text);
		break;
	case HELP:
		usage(stdout);
		exit(0);
	}
}

static void
read_mode(struct options *o, const char *name)
{
	for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(modes[i], name) == 0) {
			o->mode = (enum mode)i;
			return;
		}
	}
	usage(stderr);
	exit(2);
}

struct options
options_read(int argc, char **argv)
{
	struct options o = {
		.dialect = &dialect_lurkbot,
		.port = 18789,
		.connections = 1000,
		.window = 16,
		.size = 256,
		.duration_ms = 3000,
		.warm_up_ms = 500,
	};
	struct option names[OPTIONS + 1] = { 0 };
	int at;

	for (unsigned i = 0; i < OPTIONS; i++)
		names[i] = (struct option){ table[i].name, table[i].argument != NULL, NULL, 0 };
	for (;;) {
		int answer = getopt_long(argc, argv, "", names, &at);

		if (answer == -1)
			break;
		if (answer != 0)
			exit(2);
		set(&o, &table[at], optarg);
	}
	if (optind != argc - 1) {
		usage(stderr);
		exit(2);
	}
	read_mode(&o, argv[optind]);
	if (o.size < SIZE_MIN)
		o.size = SIZE_MIN;
	if (o.records && o.dialect != &dialect_lurkbot)
		bench_die("--records: %s does not pass JSON on", o.dialect->name);
	if (o.dialect->paths[o.mode == MODE_RPC ? ROLE_CALLER : ROLE_SUBSCRIBER] == NULL ||
	    (o.mode == MODE_PROVIDER && o.dialect->call == NULL))
		bench_die("%s has no %s", o.dialect->name, modes[o.mode]);
	return o;
}
