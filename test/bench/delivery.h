/*
 * The account of every event: what its payload is, who has it still to get, and what each subscriber
 * was sent twice, out of order, changed or not at all.
 *
 * A payload is NUMBER:DUE:TEXT, two times 16 hex digits and a text that is the same for all events:
 *
 *	0                16 17               33 34                       size
 *	| running number  |:| due, in ns      |:| words or records (text.h) |
 *
 * Number 0 is a probe, which says that a subscriber has joined.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "client.h"
#include "histogram.h"
#include "report.h"

enum { DELIVERY_EVENTS = 1 << 16 }; /* that may be under way */

struct delivery_event {
	uint64_t due_ns;
	unsigned left; /* subscribers that have it still to get */
};

struct delivery {
	unsigned subscribers;
	size_t size;
	bool records;	    /* the text is JSON, for servers that pass JSON on */
	char *payload;	    /* of the event that was last made */
	uint64_t published; /* the last number */
	uint64_t over; /* the last number that, with all before it, everybody has or has missed */
	uint64_t messages;	 /* deliveries */
	uint64_t behind;	 /* that were still to come at the end */
	uint64_t from_ns, to_ns; /* latency counts for events due then */
	unsigned joined;
	struct faults faults;
	struct histogram *latency;
	struct delivery_event *events; /* by number */
};

/* Begins, with room for payloads of `size` bytes; out of memory ends the program. */
void delivery_init(struct delivery *delivery, unsigned subscribers, size_t size, bool records);
void delivery_fini(struct delivery *delivery);

/* Payloads have this many bytes from now on, at most what there is room for. */
void delivery_set_size(struct delivery *delivery, size_t size);

/* The payload of a probe; valid until the next one is made. */
struct span delivery_probe(struct delivery *delivery);

/* The payload of the next event; valid until the next one is made. */
struct span delivery_next(struct delivery *delivery, uint64_t due_ns);

/* Whether nothing is under way. */
bool delivery_is_over(const struct delivery *delivery);

/* A payload reached a subscriber at now_ns. */
void delivery_take(
    struct delivery *delivery, struct client *client, struct span payload, uint64_t now_ns);

/*
 * The run is over at now_ns: what this subscriber has not got is missing, or, where the server still
 * sends, is behind, and has a latency of at least the time since it was due.
 */
void delivery_settle(
    struct delivery *delivery, const struct client *client, uint64_t now_ns, bool is_sending);
