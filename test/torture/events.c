/*
 * What is published and sent: content that follows from who sent it and as which, so that a reader
 * can tell every byte.
 */
#include <string.h>
#include <unistd.h>

#include "base/digits.h"
#include "base/macros.h"
#include "torture.h"

enum { EVENT_MAX = 12000, MAIL_MAX = 900, MOST = 100 };

uint64_t
torture_random(uint64_t *seed)
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void
torture_fail(struct report *report, unsigned line)
{
	atomic_store(&report->fault, line);
	_exit(1);
}

/* Mostly few bytes, sometimes many. */
static void
append_body(struct buf *out, const struct stamp *stamp, size_t max)
{
	uint64_t seed = stamp->number * 31 ^ stamp->life << 40 ^ stamp->writer << 60;
	uint64_t random = torture_random(&seed);
	size_t left = random % 8 == 0 ? random / 8 % max : random / 8 % MOST;

	while (left > 0) {
		uint64_t word = torture_random(&seed);
		size_t n = min_size(left, sizeof(word));

		buf_append(out, &word, n);
		left -= n;
	}
}

void
torture_event(struct buf *out, const struct stamp *stamp, uint64_t seq, uint64_t at_ms,
    struct ring_draft *draft)
{
	unsigned seq_width = digits_decimal_width(seq);

	buf_reset(out);
	buf_reserve(out, ID_WIDTH + AT_WIDTH);
	digits_put_hex(out->data, ID_WIDTH, seq);
	digits_put_decimal(out->data + ID_WIDTH, AT_WIDTH, at_ms);
	out->len = ID_WIDTH + AT_WIDTH;
	buf_append(out, stamp, sizeof(*stamp));
	append_body(out, stamp, EVENT_MAX);
	buf_reserve(out, seq_width);
	digits_put_decimal(out->data + out->len, seq_width, seq);
	draft->id = (struct ring_digits){ 0, ID_WIDTH };
	draft->at = (struct ring_digits){ ID_WIDTH, AT_WIDTH };
	draft->seq = (struct ring_digits){ (uint32_t)out->len, seq_width };
	out->len += seq_width;
	draft->frame = buf_span(out);
}

bool
torture_stamp(struct span frame, struct stamp *ret)
{
	if (frame.n < ID_WIDTH + AT_WIDTH + sizeof(*ret))
		return false;
	memcpy(ret, frame.p + ID_WIDTH + AT_WIDTH, sizeof(*ret));
	return true;
}

void
torture_mail(struct buf *out, const struct stamp *stamp)
{
	buf_reset(out);
	buf_append(out, stamp, sizeof(*stamp));
	append_body(out, stamp, MAIL_MAX);
}
