/*
 * What a run found, for people or as one line of JSON.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"
#include "options.h"
#include "server.h"

/* What was wrong with deliveries and answers; a run without faults is all zero. */
struct faults {
	uint64_t missing, twice, disordered, spoilt, refused;
};

/* The server at one moment. */
struct sample {
	uint64_t at_ns, cpu_ns;
	struct server_memory memory;
};

struct result {
	const struct options *options;
	struct faults faults;
	const struct histogram *latency; /* NULL: none was measured */
	uint64_t behind;		 /* deliveries that a slow server still owed at the end */
	uint64_t messages;		 /* deliveries, answers or connections measured */
	uint64_t wire_bytes;		 /* read meanwhile */
	bool is_deflated;
	struct sample reading,
	    rested;		  /* fanout only, at rest: before some stopped, and at the end */
	struct sample begin, end; /* around what was measured */
	uint64_t pss_peak_bytes;
	/* connect only: an idle stretch, with its pings. */
	struct sample idle_begin, idle_end;
	uint64_t pings;
};

/*
 * Looks at the server; all zero but the time when it is unknown. The CPU time is the last that the
 * first reads and the first that the second reads, so that looking does not count.
 */
struct sample report_sample_begin(const struct options *options);
struct sample report_sample_end(const struct options *options);

/* All faults together. */
uint64_t report_faults(const struct faults *faults);

/* Prints the result to standard output. */
void report_print(const struct result *result);
