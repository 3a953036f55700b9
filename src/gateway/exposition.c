/*
 * Writers of single lines.  Numbers are written exactly: seconds as a decimal fraction of nanoseconds.
 */
#include "gateway/exposition.h"

#include <inttypes.h>

#include "bus/counters.h"

static const char *
suffix_of(enum exposition_type type)
{
	switch (type) {
	case EXPOSITION_COUNTER:
		return "_total";
	case EXPOSITION_INFO:
		return "_info";
	case EXPOSITION_GAUGE:
	case EXPOSITION_HISTOGRAM:
		break;
	}
	return "";
}

static const char *
type_name(const struct exposition *e, enum exposition_type type)
{
	switch (type) {
	case EXPOSITION_COUNTER:
		return "counter";
	case EXPOSITION_HISTOGRAM:
		return "histogram";
	case EXPOSITION_INFO:
		return e->open_metrics ? "info" : "gauge";
	case EXPOSITION_GAUGE:
		break;
	}
	return "gauge";
}

void
exposition_family(struct exposition *e, const char *name, enum exposition_type type,
    const char *unit, const char *help)
{
	/* 0.0.4 knows no families: there the name is that of the samples. */
	const char *suffix = e->open_metrics ? "" : suffix_of(type);

	buf_printf(e->out, "# HELP lurkbot_%s%s %s\n", name, suffix, help);
	buf_printf(e->out, "# TYPE lurkbot_%s%s %s\n", name, suffix, type_name(e, type));
	if (e->open_metrics && unit != NULL)
		buf_printf(e->out, "# UNIT lurkbot_%s %s\n", name, unit);
}

static void
write_name(struct exposition *e, const char *name, const char *suffix, const char *labels)
{
	buf_printf(e->out, "lurkbot_%s%s", name, suffix);
	if (labels[0] != '\0')
		buf_printf(e->out, "{%s}", labels);
}

void
exposition_uint(struct exposition *e, const char *name, enum exposition_type type,
    const char *labels, uint64_t value)
{
	write_name(e, name, suffix_of(type), labels);
	buf_printf(e->out, " %" PRIu64 "\n", value);
}

static void
write_seconds(struct exposition *e, uint64_t ns)
{
	buf_printf(e->out, " %" PRIu64 ".%09" PRIu64 "\n", ns / 1000000000, ns % 1000000000);
}

void
exposition_seconds(struct exposition *e, const char *name, enum exposition_type type,
    const char *labels, uint64_t ns)
{
	write_name(e, name, suffix_of(type), labels);
	write_seconds(e, ns);
}

void
exposition_histogram(struct exposition *e, const char *name, const char *labels,
    const uint64_t *buckets, uint64_t sum_ns)
{
	const char *comma = labels[0] != '\0' ? "," : "";
	uint64_t total = 0;

	for (unsigned i = 0; i < COUNTERS_BUCKETS; i++) {
		total += buckets[i];
		buf_printf(e->out, "lurkbot_%s_bucket{%s%sle=\"", name, labels, comma);
		if (i == COUNTERS_BUCKETS - 1)
			buf_append_cstr(e->out, "+Inf");
		else
			buf_printf(e->out, "%g", (double)counters_bounds_ns[i] / 1e9);
		buf_printf(e->out, "\"} %" PRIu64 "\n", total);
	}
	write_name(e, name, "_sum", labels);
	write_seconds(e, sum_ns);
	write_name(e, name, "_count", labels);
	buf_printf(e->out, " %" PRIu64 "\n", total);
}

void
exposition_end(struct exposition *e)
{
	if (e->open_metrics)
		buf_append_cstr(e->out, "# EOF\n");
}
