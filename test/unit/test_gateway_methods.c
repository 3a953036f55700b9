/*
 * The table of methods: sorted, complete, and found by bisection.
 */
#include "support_cmocka.h"

#include <string.h>

#include "gateway/methods.h"
#include "proto/names.h"

static void
test_sorted_without_repetition(void **state)
{
	(void)state;
	assert_true(methods_count() > 0);
	for (unsigned i = 1; i < methods_count(); i++)
		assert_true(strcmp(method_at(i - 1)->name, method_at(i)->name) < 0);
}

static void
test_every_row_is_whole(void **state)
{
	(void)state;
	for (unsigned i = 0; i < methods_count(); i++) {
		assert_true(name_is_valid(span_cstr(method_at(i)->name)));
		assert_non_null(method_at(i)->run);
		assert_non_null(method_scope_name(method_at(i)->scope));
	}
}

static void
test_each_is_found(void **state)
{
	(void)state;
	for (unsigned i = 0; i < methods_count(); i++)
		assert_int_equal(method_find(span_cstr(method_at(i)->name)), i);
}

/* Neighbours of real names: one byte less, one more, another one. */
static void
test_what_is_none_is_not_found(void **state)
{
	static const char *const none[] = { "a", "nope", "zzz", "connections", "Health",
		"status." };
	char name[160];

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_int_equal(method_find(span_cstr(none[i])), METHOD_OTHER);
	for (unsigned i = 0; i < methods_count(); i++) {
		size_t n = strlen(method_at(i)->name);

		assert_true(n + 1 < sizeof(name));
		memcpy(name, method_at(i)->name, n);
		name[n] = 'x';
		assert_int_equal(method_find(span_make(name, n - 1)), METHOD_OTHER);
		assert_int_equal(method_find(span_make(name, n + 1)), METHOD_OTHER);
		name[n - 1]++;
		assert_int_equal(method_find(span_make(name, n)), METHOD_OTHER);
	}
}

static void
test_those_of_the_protocol_with_their_scopes(void **state)
{
	static const struct {
		const char *name, *scope;
	} wanted[] = {
		{ "connections.close", "admin" },
		{ "connections.list", "read" },
		{ "events.publish", "write" },
		{ "events.subscribe", "read" },
		{ "health", "read" },
		{ "methods.list", "read" },
		{ "sessions.list", "read" },
		{ "status", "read" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		unsigned index = method_find(span_cstr(wanted[i].name));

		assert_int_not_equal(index, METHOD_OTHER);
		assert_string_equal(method_scope_name(method_at(index)->scope), wanted[i].scope);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sorted_without_repetition),
		cmocka_unit_test(test_every_row_is_whole),
		cmocka_unit_test(test_each_is_found),
		cmocka_unit_test(test_what_is_none_is_not_found),
		cmocka_unit_test(test_those_of_the_protocol_with_their_scopes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
