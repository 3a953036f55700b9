/*
 * The origin stands behind the struct.
 */
#include "gateway/exchange.h"

#include <string.h>

#include "base/alloc.h"

struct exchange *
exchange_new(unsigned after, struct span origin)
{
	struct exchange *x = mem_zalloc(sizeof(*x) + origin.n);
	char *copy;

	if (x == NULL)
		return NULL;
	copy = (char *)(x + 1);
	if (origin.n > 0)
		memcpy(copy, origin.p, origin.n);
	x->origin = span_make(copy, origin.n);
	x->after = after;
	envelope_init(&x->frame);
	x->frame.type = ENVELOPE_REQUEST;
	return x;
}

void
exchange_free(struct exchange *x)
{
	if (x == NULL)
		return;
	buf_fini(&x->content);
	mem_free(x);
}
