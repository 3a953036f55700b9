/*
 * Subscriptions: what is given reaches the filter, bounds and grammar are held, and nothing leaks
 * when there is no memory.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/subscription.h"
#include "support_alloc.h"

static struct filter *
parse(const char *text)
{
	struct envelope_fault fault;
	struct filter *filter = NULL;

	if (subscription_parse(span_cstr(text), "params", &filter, &fault) != 0)
		fail_msg("%s: %s", text, fault.sentence);
	assert_non_null(filter);
	return filter;
}

static bool
takes(const struct filter *filter, const char *event, const char *key)
{
	return filter_takes(filter, span_cstr(event), span_cstr(key));
}

static void
test_default(void **state)
{
	static const char *const texts[] = { "", "{}", "{\"events\":null,\"sessionKeys\":null}",
		"{\"other\":1}", "{\"sessionKeys\":[]}" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(texts); i++) {
		struct filter *filter = parse(texts[i]);

		assert_true(takes(filter, "session.message", "k"));
		assert_true(takes(filter, "agent.x", ""));
		assert_false(takes(filter, "gateway.connected", ""));
		filter_free(filter);
	}
}

static void
test_patterns_and_keys(void **state)
{
	struct filter *filter = parse(
	    "{\"events\":[\"session.*\",\"\\u0061gent.run\"],\"sessionKeys\":[\"a\\n\",\"b\"]}");

	(void)state;
	assert_true(takes(filter, "session.message", "b"));
	assert_true(takes(filter, "agent.run", "a\n"));
	assert_false(takes(filter, "agent.run", "c"));
	assert_false(takes(filter, "agent.run", ""));
	assert_false(takes(filter, "agent.stop", "b"));
	filter_free(filter);
}

static void
test_empty_events(void **state)
{
	struct filter *filter = parse("{\"events\":[]}");

	(void)state;
	assert_false(takes(filter, "session.message", ""));
	assert_false(takes(filter, "agent.run", "k"));
	filter_free(filter);
}

static void
test_faults(void **state)
{
	static const struct {
		const char *text, *field;
	} cases[] = {
		{ "{\"events\":\"*\"}", "params.events" },
		{ "{\"events\":[\"*\",7]}", "params.events[1]" },
		{ "{\"events\":[\"\"]}", "params.events[0]" },
		{ "{\"events\":[\"a\",\"a.\"]}", "params.events[1]" },
		{ "{\"events\":[\"a\",\"b\",\"*.a\"]}", "params.events[2]" },
		{ "{\"events\":[\"a*\"]}", "params.events[0]" },
		{ "{\"events\":[\"a.*.b\"]}", "params.events[0]" },
		{ "{\"events\":[],\"events\":[]}", "params.events" },
		{ "{\"sessionKeys\":{}}", "params.sessionKeys" },
		{ "{\"sessionKeys\":[\"\"]}", "params.sessionKeys[0]" },
		{ "{\"sessionKeys\":[null]}", "params.sessionKeys[0]" },
		{ "[]", "params" },
	};
	struct envelope_fault fault;
	struct filter *filter = NULL;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		if (subscription_parse(span_cstr(cases[i].text), "params", &filter, &fault) !=
		    -EBADMSG)
			fail_msg("accepted: %s", cases[i].text);
		assert_string_equal(fault.field, cases[i].field);
	}
	assert_null(filter);
}

/* n elements of which each is the same letter `bytes` times, with a number in front. */
static int
parse_many(const char *member, size_t n, size_t bytes)
{
	char *text = malloc(n * (bytes + 8) + 64), *at = text;
	struct envelope_fault fault;
	struct filter *filter;
	size_t i;
	int r;

	assert_non_null(text);
	at += sprintf(at, "{\"%s\":[", member);
	for (i = 0; i < n; i++) {
		int digits = sprintf(at, "%s\"%zu", i > 0 ? "," : "", i);

		at += digits;
		digits -= i > 0 ? 2 : 1;
		if (bytes > (size_t)digits) {
			memset(at, 'x', bytes - (size_t)digits);
			at += bytes - (size_t)digits;
		}
		*at++ = '"';
	}
	at += sprintf(at, "]}");
	r = subscription_parse(span_make(text, (size_t)(at - text)), "subscribe", &filter, &fault);
	if (r == 0)
		filter_free(filter);
	free(text);
	return r;
}

static void
test_bounds(void **state)
{
	(void)state;
	assert_int_equal(parse_many("events", 256, 5), 0);
	assert_int_equal(parse_many("events", 257, 5), -EBADMSG);
	assert_int_equal(parse_many("events", 1, 128), 0);
	assert_int_equal(parse_many("events", 1, 129), -EBADMSG);
	assert_int_equal(parse_many("sessionKeys", 1024, 5), 0);
	assert_int_equal(parse_many("sessionKeys", 1025, 5), -EBADMSG);
	assert_int_equal(parse_many("sessionKeys", 3, 256), 0);
	assert_int_equal(parse_many("sessionKeys", 3, 257), -EBADMSG);
}

static void
attempt(void *arg)
{
	struct envelope_fault fault;
	struct filter *filter = NULL;
	int r;

	(void)arg;
	r = subscription_parse(
	    SPAN("{\"events\":[\"a\"],\"sessionKeys\":[\"\\n\"]}"), "params", &filter, &fault);
	assert_true(r == 0 || r == -ENOMEM);
	assert_true((r == 0) == (filter != NULL));
	filter_free(filter);
}

static void
test_no_memory(void **state)
{
	(void)state;
	assert_true(support_alloc_try_each(attempt, NULL) >= 2);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default),
		cmocka_unit_test(test_patterns_and_keys),
		cmocka_unit_test(test_empty_events),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
