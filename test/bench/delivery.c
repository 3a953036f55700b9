/*
 * What a subscriber gets is nearly always what it is to get next, and this is found out by comparing
 * bytes. All else is looked into then.
 */
#include "delivery.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

enum { DIGITS = 16, TEXT_AT = SIZE_MIN, SEEN_BITS = 64 };

void
delivery_init(struct delivery *d, unsigned subscribers, size_t size, bool records)
{
	*d = (struct delivery){
		.subscribers = subscribers, .records = records, .to_ns = UINT64_MAX
	};
	d->payload = malloc(size + 1);
	d->events = calloc(DELIVERY_EVENTS, sizeof(*d->events));
	d->latency = calloc(1, sizeof(*d->latency));
	if (d->payload == NULL || d->events == NULL || d->latency == NULL)
		bench_die("out of memory");
	delivery_set_size(d, size);
}

void
delivery_set_size(struct delivery *d, size_t size)
{
	d->size = size;
	if (d->records)
		text_records(d->payload + TEXT_AT, size - TEXT_AT);
	else
		text_words(d->payload + TEXT_AT, size - TEXT_AT);
}

void
delivery_fini(struct delivery *d)
{
	free(d->payload);
	free(d->events);
	free(d->latency);
}

static struct span
stamp(struct delivery *d, uint64_t number, uint64_t due_ns)
{
	char text[TEXT_AT + 1];

	snprintf(text, sizeof(text), "%016" PRIx64 ":%016" PRIx64 ":", number, due_ns);
	memcpy(d->payload, text, TEXT_AT);
	return span_make(d->payload, d->size);
}

struct span
delivery_probe(struct delivery *d)
{
	return stamp(d, 0, 0);
}

struct span
delivery_next(struct delivery *d, uint64_t due_ns)
{
	d->published++;
	if (d->published - d->over >= DELIVERY_EVENTS)
		bench_die("%d events are under way: the server does not keep up", DELIVERY_EVENTS);
	d->events[d->published % DELIVERY_EVENTS] =
	    (struct delivery_event){ due_ns, d->subscribers };
	return stamp(d, d->published, due_ns);
}

bool
delivery_is_over(const struct delivery *d)
{
	return d->over == d->published;
}

/* One subscriber less that waits for the event. */
static void
check_off(struct delivery *d, uint64_t number)
{
	struct delivery_event *event = &d->events[number % DELIVERY_EVENTS];

	event->left--;
	while (d->over < d->published && d->events[(d->over + 1) % DELIVERY_EVENTS].left == 0)
		d->over++;
}

/* Sixteen lower-case hex digits. */
static bool
read_hex(const char *text, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < DIGITS; i++) {
		char c = text[i];

		if (c >= '0' && c <= '9')
			value = value << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	*ret = value;
	return true;
}

/* An event with a lower number than expected: it was skipped before, or comes again. */
static void
take_late(struct delivery *d, struct client *c, uint64_t number)
{
	uint64_t back = c->next - 1 - number;

	if (back < SEEN_BITS && (c->seen >> back & 1) == 0) {
		c->seen |= 1ull << back;
		d->faults.disordered++;
		d->faults.missing--;
	} else {
		d->faults.twice++;
	}
}

static void
add_latency(struct delivery *d, uint64_t number, uint64_t now_ns)
{
	uint64_t due_ns = d->events[number % DELIVERY_EVENTS].due_ns;

	if (due_ns >= d->from_ns && due_ns < d->to_ns)
		histogram_add(d->latency, now_ns > due_ns ? now_ns - due_ns : 0);
}

static void
take_expected(struct delivery *d, struct client *c, uint64_t now_ns)
{
	c->seen = c->seen << 1 | 1;
	add_latency(d, c->next, now_ns);
	check_off(d, c->next++);
}

void
delivery_take(struct delivery *d, struct client *c, struct span payload, uint64_t now_ns)
{
	uint64_t number, due_ns;

	if (payload.n != d->size || !read_hex(payload.p, &number) ||
	    !read_hex(payload.p + DIGITS + 1, &due_ns) || number > d->published ||
	    memcmp(payload.p + TEXT_AT, d->payload + TEXT_AT, d->size - TEXT_AT) != 0) {
		d->faults.spoilt++;
		return;
	}
	if (number == 0) {
		d->joined += !c->has_joined;
		c->has_joined = true;
		return;
	}
	d->messages++;
	if (number < c->next) {
		take_late(d, c, number);
		return;
	}
	for (; c->next < number; c->next++) {
		c->seen <<= 1;
		d->faults.missing++;
		check_off(d, c->next);
	}
	if (due_ns != d->events[number % DELIVERY_EVENTS].due_ns)
		d->faults.spoilt++;
	take_expected(d, c, now_ns);
}

void
delivery_settle(struct delivery *d, const struct client *c, uint64_t now_ns, bool is_sending)
{
	if (!is_sending) {
		d->faults.missing += d->published + 1 - c->next;
		return;
	}
	d->behind += d->published + 1 - c->next;
	for (uint64_t number = c->next; number <= d->published; number++)
		add_latency(d, number, now_ns);
}
