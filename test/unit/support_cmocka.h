/*
 * What every unit test includes first: cmocka with the headers that it wants before it, and the
 * comparison of a span with text.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/span.h"

/* The span holds exactly the bytes of the literal (NULs inside count). */
#define assert_span(span, literal) support_assert_span((span), SPAN(literal), __FILE__, __LINE__)

static inline void
support_assert_span(struct span is, struct span should, const char *file, int line)
{
	if (span_is_equal(is, should))
		return;
	print_error("is     (%zu): %.*s\nshould (%zu): %.*s\n", is.n, SPAN_ARGS(is), should.n,
	    SPAN_ARGS(should));
	_fail(file, line);
}
