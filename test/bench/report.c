/*
 * CPU time comes first: it is what a message costs, while the rate also tells how fast this program is,
 * with which the server shares the machine.
 */
#include "report.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "dialect.h"

static const struct {
	const char *name;
	double share;
} quantiles[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "p999", 0.999 },
	{ "max", 1 } };

enum { QUANTILES = sizeof(quantiles) / sizeof(quantiles[0]) };

static void
look_at_memory(const struct options *o, struct sample *sample)
{
	if (o->pid == 0)
		return;
	if (server_processes(o->pid) == 0)
		bench_die("there is no process %d", o->pid);
	sample->memory = server_memory(o->pid);
}

static void
look_at_cpu(const struct options *o, struct sample *sample)
{
	if (o->pid != 0)
		sample->cpu_ns = server_cpu_ns(o->pid);
	sample->at_ns = clock_mono_ns();
}

struct sample
report_sample_begin(const struct options *o)
{
	struct sample sample = { 0 };

	look_at_memory(o, &sample);
	look_at_cpu(o, &sample);
	return sample;
}

struct sample
report_sample_end(const struct options *o)
{
	struct sample sample = { 0 };

	look_at_cpu(o, &sample);
	look_at_memory(o, &sample);
	return sample;
}

uint64_t
report_faults(const struct faults *f)
{
	return f->missing + f->twice + f->disordered + f->spoilt + f->refused;
}

static double
wall_s(const struct sample *begin, const struct sample *end)
{
	return (double)(end->at_ns - begin->at_ns) / 1e9;
}

static double
cpu_s(const struct sample *begin, const struct sample *end)
{
	return (double)(end->cpu_ns - begin->cpu_ns) / 1e9;
}

static double
each(double sum, uint64_t count)
{
	return count > 0 ? sum / (double)count : 0;
}

/* What the server wrote to: program text is shared with whoever else runs the program. */
static double
own_bytes(const struct sample *sample)
{
	return (double)sample->memory.pss_bytes - (double)sample->memory.pss_file_bytes;
}

/* Without what is shared: the ring is not the server's cost of a client. */
static double
private_bytes(const struct sample *sample)
{
	return own_bytes(sample) - (double)sample->memory.pss_shmem_bytes;
}

static void
print_number(const char *name, double value)
{
	printf(",\"%s\":%.6g", name, value);
}

static void
print_count(const char *name, uint64_t value)
{
	printf(",\"%s\":%" PRIu64, name, value);
}

static uint64_t
peak_bytes(const struct result *r)
{
	uint64_t peak = r->pss_peak_bytes;

	if (r->begin.memory.pss_bytes > peak)
		peak = r->begin.memory.pss_bytes;
	return r->end.memory.pss_bytes > peak ? r->end.memory.pss_bytes : peak;
}

static void
json_server(const struct result *r)
{
	double grown = own_bytes(&r->end) - own_bytes(&r->begin);

	print_number("serverCpuSeconds", cpu_s(&r->begin, &r->end));
	print_number(
	    "serverCpuSecondsPerMillion", each(cpu_s(&r->begin, &r->end), r->messages) * 1e6);
	print_count("serverRssBytes", r->end.memory.rss_bytes);
	print_count("serverPssBytes", r->end.memory.pss_bytes);
	print_count("serverPssSharedMemoryBytes", r->end.memory.pss_shmem_bytes);
	print_count("serverPssPeakBytes", peak_bytes(r));
	print_number("serverBytesPerMessage", each(grown, r->messages));
	if (r->rested.at_ns != 0)
		print_number("serverPrivateBytesGrown",
		    private_bytes(&r->rested) - private_bytes(&r->reading));
	if (r->options->mode != MODE_CONNECT)
		return;
	print_number("idleSeconds", wall_s(&r->idle_begin, &r->idle_end));
	print_number("idleCpuSeconds", cpu_s(&r->idle_begin, &r->idle_end));
	print_number("idleCpuShare",
	    each(cpu_s(&r->idle_begin, &r->idle_end), 1) / wall_s(&r->idle_begin, &r->idle_end));
}

static void
json_latency(const struct histogram *h)
{
	if (h == NULL)
		return;
	printf(",\"latencyUs\":{\"count\":%" PRIu64, h->count);
	for (unsigned i = 0; i < QUANTILES; i++)
		print_number(
		    quantiles[i].name, (double)histogram_quantile(h, quantiles[i].share) / 1e3);
	printf("}");
}

static void
print_json(const struct result *r)
{
	const struct options *o = r->options;
	double wall = wall_s(&r->begin, &r->end);

	printf("{\"mode\":\"%s\",\"dialect\":\"%s\"", options_mode_name(o->mode), o->dialect->name);
	print_count("connections", o->connections);
	print_count("stopped", o->stopped);
	print_count("size", o->size);
	print_count("window", o->window);
	print_number("rate", o->rate);
	printf(",\"deflate\":%s", r->is_deflated ? "true" : "false");
	print_count("messages", r->messages);
	print_count("errors", report_faults(&r->faults));
	print_count("missing", r->faults.missing);
	print_count("twice", r->faults.twice);
	print_count("outOfOrder", r->faults.disordered);
	print_count("spoilt", r->faults.spoilt);
	print_count("refused", r->faults.refused);
	print_count("behind", r->behind);
	print_number("wallSeconds", wall);
	print_number("messagesPerSecond", each((double)r->messages, 1) / wall);
	print_number("wireBytesPerMessage", each((double)r->wire_bytes, r->messages));
	print_count("pings", r->pings);
	if (o->pid != 0)
		json_server(r);
	json_latency(r->latency);
	puts("}");
}

static void
text_server(const struct result *r)
{
	double grown = own_bytes(&r->end) - own_bytes(&r->begin);

	printf("  server CPU    %.3f s for each million\n",
	    each(cpu_s(&r->begin, &r->end), r->messages) * 1e6);
	printf("  server memory %.1f MB (Pss; peak %.1f), of which shared %.1f; %.0f bytes more "
	       "for each\n",
	    (double)r->end.memory.pss_bytes / 1e6, (double)peak_bytes(r) / 1e6,
	    (double)r->end.memory.pss_shmem_bytes / 1e6, each(grown, r->messages));
	if (r->options->mode == MODE_CONNECT)
		printf("  idle          %.2f %% of a core, %" PRIu64 " pings in %.0f s\n",
		    cpu_s(&r->idle_begin, &r->idle_end) / wall_s(&r->idle_begin, &r->idle_end) *
			100,
		    r->pings, wall_s(&r->idle_begin, &r->idle_end));
}

static void
text_latency(const struct histogram *h)
{
	if (h == NULL)
		return;
	printf("  latency      ");
	for (unsigned i = 0; i < QUANTILES; i++)
		printf(" %s %.3f ms%s", quantiles[i].name,
		    (double)histogram_quantile(h, quantiles[i].share) / 1e6,
		    i + 1 < QUANTILES ? "," : "\n");
}

static void
print_text(const struct result *r)
{
	const struct options *o = r->options;
	const struct faults *f = &r->faults;
	double wall = wall_s(&r->begin, &r->end);

	printf("%s: %u connections", options_mode_name(o->mode), o->connections);
	if (o->stopped > 0)
		printf(" and %u that do not read", o->stopped);
	printf(", %zu bytes, ", o->size);
	if (o->rate > 0)
		printf("%g a second", o->rate);
	else
		printf("window %u", o->window);
	printf("%s\n", r->is_deflated ? ", compressed" : "");
	printf("  messages      %" PRIu64 " in %.2f s, %.0f/s, %.0f bytes of wire each\n",
	    r->messages, wall, (double)r->messages / wall,
	    each((double)r->wire_bytes, r->messages));
	printf("  faults        %" PRIu64 " missing, %" PRIu64 " twice, %" PRIu64
	       " out of order, %" PRIu64 " spoilt, %" PRIu64 " refused\n",
	    f->missing, f->twice, f->disordered, f->spoilt, f->refused);
	if (r->behind > 0)
		printf("  behind        %" PRIu64 " deliveries, half a minute after the end\n",
		    r->behind);
	if (o->pid != 0)
		text_server(r);
	text_latency(r->latency);
}

void
report_print(const struct result *r)
{
	if (r->options->json)
		print_json(r);
	else
		print_text(r);
}
