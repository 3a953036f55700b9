/*
 * Queries: pairs, what stands for a space, and what is no encoding.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/query.h"

static void
test_pairs(void **state)
{
	struct span query = SPAN("&a=1&&b=2=3&c&=d&e=&");
	static const char *const should[][2] = { { "a", "1" }, { "b", "2=3" }, { "c", "" },
		{ "", "d" }, { "e", "" } };
	struct query_pair pair;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(should); i++) {
		assert_true(query_next(&query, &pair));
		assert_true(span_is(pair.name, should[i][0]));
		assert_true(span_is(pair.value, should[i][1]));
	}
	assert_false(query_next(&query, &pair));
	query = SPAN("");
	assert_false(query_next(&query, &pair));
}

static void
decodes(const char *text, int result, const char *should)
{
	size_t cap = strlen(text), len = 99;
	char *out = malloc(cap + 1);

	assert_int_equal(query_decode(span_cstr(text), out, cap, &len), result);
	if (result == 0) {
		assert_true(span_is(span_make(out, len), should));
		if (len > 0)
			assert_int_equal(
			    query_decode(span_cstr(text), out, len - 1, &len), -ENOSPC);
	}
	free(out);
}

static void
test_decoding(void **state)
{
	(void)state;
	decodes("", 0, "");
	decodes("abc", 0, "abc");
	decodes("a+b", 0, "a b");
	decodes("+a++b+", 0, " a  b ");
	decodes("%2B+%20", 0, "+  ");
	decodes("%c3%A4", 0, "\xc3\xa4");
	decodes("%", -EINVAL, NULL);
	decodes("a+%4", -EINVAL, NULL);
	decodes("%zz", -EINVAL, NULL);
	decodes("%00", -EINVAL, NULL);
	decodes("%+1", -EINVAL, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_decoding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
