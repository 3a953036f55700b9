/*
 * Which events a filter takes, that equal filters are found to be equal, and that large ones agree
 * with matching pattern by pattern.
 */
#include "support_cmocka.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonw.h"
#include "proto/filter.h"
#include "proto/names.h"
#include "support_alloc.h"

enum { LIST_MAX = 64 };

/* Splits a terminated text at spaces. */
static size_t
split(const char *text, struct span out[LIST_MAX])
{
	size_t n = 0;

	while (*text != '\0') {
		size_t length = strcspn(text, " ");

		assert_true(n < LIST_MAX);
		out[n++] = span_make(text, length);
		text += length;
		text += strspn(text, " ");
	}
	return n;
}

/* The filter of space-separated patterns (NULL: the default) and keys. */
static struct filter *
make(const char *patterns, const char *keys)
{
	struct span pattern_list[LIST_MAX], key_list[LIST_MAX];
	size_t pattern_count = patterns == NULL ? 0 : split(patterns, pattern_list);
	size_t key_count = split(keys, key_list);
	struct filter *f =
	    filter_new(patterns == NULL ? NULL : pattern_list, pattern_count, key_list, key_count);

	assert_non_null(f);
	return f;
}

static bool
takes(const char *patterns, const char *keys, const char *event, const char *key)
{
	struct filter *f = make(patterns, keys);
	bool result = filter_takes(f, span_cstr(event), span_cstr(key));

	filter_free(f);
	return result;
}

static void
test_default_takes_all_but_admin(void **state)
{
	(void)state;
	assert_true(takes(NULL, "", "session.message", ""));
	assert_true(takes(NULL, "", "x", "key"));
	assert_true(takes(NULL, "", "gateway.methods", ""));
	assert_true(takes(NULL, "", "gateway.connected.x", ""));
	assert_false(takes(NULL, "", "gateway.connected", ""));
	assert_false(takes(NULL, "", "gateway.disconnected", ""));
	assert_false(takes(NULL, "", "gateway.pairing", ""));
}

static void
test_empty_takes_nothing(void **state)
{
	(void)state;
	assert_false(takes("", "", "session.message", ""));
	assert_false(takes("", "k", "session.message", "k"));
	assert_false(takes("", "", "gateway.connected", ""));
}

static void
test_patterns(void **state)
{
	static const char patterns[] = "session.* cron.added agent.run.* hook.x";

	(void)state;
	assert_true(takes(patterns, "", "session.message", ""));
	assert_true(takes(patterns, "", "session.a.b.c", ""));
	assert_false(takes(patterns, "", "session", ""));
	assert_false(takes(patterns, "", "sessions.a", ""));
	assert_true(takes(patterns, "", "cron.added", ""));
	assert_false(takes(patterns, "", "cron.adde", ""));
	assert_false(takes(patterns, "", "cron.added.x", ""));
	assert_true(takes(patterns, "", "agent.run.x", ""));
	assert_false(takes(patterns, "", "agent.run", ""));
	assert_false(takes(patterns, "", "agent.stop", ""));
	assert_true(takes("a.* *", "", "z", ""));
}

static void
test_admin_events_by_name_only(void **state)
{
	(void)state;
	assert_false(takes("*", "", "gateway.connected", ""));
	assert_true(takes("*", "", "gateway.methods", ""));
	assert_true(takes("gateway.*", "", "gateway.connected", ""));
	assert_true(takes("gateway.*", "", "gateway.pairing", ""));
	assert_true(takes("* gateway.*", "", "gateway.disconnected", ""));
	assert_true(takes("gateway.pairing", "", "gateway.pairing", ""));
	assert_false(takes("gateway.pairing", "", "gateway.connected", ""));
	assert_false(takes("gateway.connected.*", "", "gateway.connected", ""));
}

/* What is forbidden is not taken by any name, and not by who shares an audience with others. */
static void
test_restrictions(void **state)
{
	static const char patterns[] = "* gateway.* gateway.connected agent.run";
	struct filter *all = make(patterns, ""), *admin = make(patterns, ""),
		      *none = make(patterns, "");

	(void)state;
	filter_restrict(admin, FILTER_FORBIDS_ADMIN);
	filter_restrict(none, FILTER_FORBIDS_ALL);
	assert_true(filter_takes(all, SPAN("gateway.connected"), SPAN("")));
	assert_false(filter_takes(admin, SPAN("gateway.connected"), SPAN("")));
	assert_true(filter_takes(admin, SPAN("agent.run"), SPAN("")));
	assert_false(filter_takes(none, SPAN("gateway.connected"), SPAN("")));
	assert_false(filter_takes(none, SPAN("agent.run"), SPAN("")));
	assert_false(filter_takes(none, SPAN("session.message"), SPAN("key")));
	assert_false(filter_names_admin(none, SPAN("")));
	assert_false(span_is_equal(filter_canon(all), filter_canon(admin)));
	assert_false(span_is_equal(filter_canon(all), filter_canon(none)));
	assert_false(span_is_equal(filter_canon(admin), filter_canon(none)));
	filter_free(all);
	filter_free(admin);
	filter_free(none);
}

static bool
names_admin(const char *patterns, const char *event)
{
	struct filter *f = make(patterns, "");
	bool result = filter_names_admin(f, span_cstr(event));

	filter_free(f);
	return result;
}

static void
test_naming_admin_events(void **state)
{
	(void)state;
	assert_true(names_admin("gateway.*", "gateway.connected"));
	assert_true(names_admin("gateway.*", ""));
	assert_false(names_admin("gateway.*", "gateway.methods"));
	assert_false(names_admin("gateway.*", "session.x"));
	assert_true(names_admin("gateway.connected", "gateway.connected"));
	assert_true(names_admin("x gateway.disconnected", ""));
	assert_true(names_admin("gateway.pairing", ""));
	assert_false(names_admin("gateway.connected", "gateway.pairing"));
	assert_false(names_admin("gateway.methods", ""));
	assert_false(names_admin("gateway.methods", "gateway.methods"));
	assert_false(names_admin("*", "gateway.connected"));
	assert_false(names_admin(NULL, ""));
	assert_false(names_admin("", ""));
}

static void
test_keys(void **state)
{
	(void)state;
	assert_true(takes(NULL, "k1 k2", "a", "k1"));
	assert_true(takes("a", "k2 k1", "a", "k2"));
	assert_false(takes("a", "k1 k2", "a", "k"));
	assert_false(takes("a", "k1 k2", "a", "k11"));
	assert_false(takes("a", "k1 k2", "a", ""));
	assert_false(takes("b", "k1", "a", "k1"));
	assert_false(takes("a", "k1", "a", "K1"));
}

static void
assert_same_canon(const char *p1, const char *k1, const char *p2, const char *k2, bool is_same)
{
	struct filter *a = make(p1, k1), *b = make(p2, k2);

	assert_int_equal(span_is_equal(filter_canon(a), filter_canon(b)), is_same);
	filter_free(a);
	filter_free(b);
}

static void
test_canonical_bytes(void **state)
{
	(void)state;
	assert_same_canon("a b.* *", "x y", "* b.* a a b.*", "y x y", true);
	assert_same_canon(NULL, "", "*", "", true);
	assert_same_canon(NULL, "", "", "", false);
	assert_same_canon("", "", "", "", true);
	assert_same_canon("a", "", "a.*", "", false);
	assert_same_canon("a", "", "a *", "", false);
	assert_same_canon("a", "b", "a b", "", false);
	assert_same_canon("", "a", "a", "", false);
	assert_same_canon("a", "xy", "a", "x y", false);
	assert_same_canon("a.* b.*", "", "a.* b", "", false);
}

static void
test_keys_hold_any_bytes(void **state)
{
	static const struct span patterns[] = { SPAN_INIT("a") };
	static const struct span one[] = { SPAN_INIT("x\0\0\0\1y") };
	static const struct span two[] = { SPAN_INIT("x"), SPAN_INIT("y") };
	struct filter *a = filter_new(patterns, 1, one, 1), *b = filter_new(patterns, 1, two, 2);

	(void)state;
	assert_false(span_is_equal(filter_canon(a), filter_canon(b)));
	assert_true(filter_takes(a, SPAN("a"), one[0]));
	assert_false(filter_takes(a, SPAN("a"), SPAN("x")));
	filter_free(a);
	filter_free(b);
}

static void
test_copies_its_texts(void **state)
{
	char pattern[] = "abc.*", key[] = "key";
	struct span patterns[] = { span_cstr(pattern) }, keys[] = { span_cstr(key) };
	struct filter *f = filter_new(patterns, 1, keys, 1);

	(void)state;
	memset(pattern, 'x', sizeof(pattern));
	memset(key, 'x', sizeof(key));
	assert_true(filter_takes(f, SPAN("abc.d"), SPAN("key")));
	filter_free(f);
}

static void
test_writing(void **state)
{
	struct filter *f = make("z gateway.* a.b * c.* a.b", "k\"2 k1");
	struct buf out = { 0 };
	struct jsonw w;

	(void)state;
	jsonw_init(&w, &out);
	jsonw_object(&w);
	filter_write(f, &w);
	jsonw_key(&w, "seq");
	jsonw_uint(&w, 1);
	jsonw_object_end(&w);
	assert_span(buf_span(&out), "{\"events\":[\"a.b\",\"z\",\"c.*\",\"gateway.*\",\"*\"],"
				    "\"sessionKeys\":[\"k\\\"2\",\"k1\"],\"seq\":1}");
	filter_free(f);
	buf_reset(&out);
	f = make(NULL, "");
	jsonw_init(&w, &out);
	jsonw_object(&w);
	filter_write(f, &w);
	jsonw_object_end(&w);
	assert_span(buf_span(&out), "{\"events\":[\"*\"],\"sessionKeys\":[]}");
	filter_free(f);
	buf_fini(&out);
}

/* The slow way: one pattern after the other. */
static bool
any_matches(const struct span *patterns, size_t n, struct span event)
{
	for (size_t i = 0; i < n; i++) {
		if (pattern_matches(patterns[i], event))
			return true;
	}
	return false;
}

static void
test_agrees_with_single_patterns(void **state)
{
	static const char *const words[] = { "a", "b", "aa", "a-b", "c.d" };
	char store[50][16], event_store[32];
	struct span patterns[50];
	unsigned seed = 12345;
	size_t taken = 0;

	(void)state;
	for (int round = 0; round < 200; round++) {
		size_t n = (size_t)round % 50 + 1;
		struct filter *f;

		for (size_t i = 0; i < n; i++) {
			seed = seed * 1103515245 + 12345;
			patterns[i] = span_make(
			    store[i], (size_t)snprintf(store[i], sizeof(store[i]), "%s.%s%s",
					  words[seed >> 16 & 3], words[(seed >> 18) % 5],
					  seed >> 24 & 1 ? ".*" : ""));
		}
		f = filter_new(patterns, n, NULL, 0);
		for (unsigned i = 0; i < 125; i++) {
			struct span event = span_make(event_store,
			    (size_t)snprintf(event_store, sizeof(event_store), "%s.%s.%s",
				words[i % 5], words[i / 5 % 5], words[i / 25]));
			bool expected = any_matches(patterns, n, event);

			assert_int_equal(filter_takes(f, event, SPAN("")), expected);
			taken += expected;
		}
		filter_free(f);
	}
	assert_in_range(taken, 1000, 24000);
}

static void
test_without_memory(void **state)
{
	(void)state;
	support_alloc_fail_at(1);
	assert_null(filter_new(NULL, 0, NULL, 0));
	support_alloc_fail_at(0);
	filter_free(make("a b c.*", "k"));
	assert_int_equal(support_alloc_count(), 1);
	filter_free(NULL);
}

static void
write_filter(struct buf *out, void *arg)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w);
	filter_write(arg, &w);
	jsonw_object_end(&w);
}

static void
test_breaking_off_anywhere(void **state)
{
	struct filter *f = make("a b.* *", "k l");
	struct buf out = { 0 };

	(void)state;
	write_filter(&out, f);
	assert_int_equal(support_alloc_break_off(write_filter, f), out.len);
	buf_fini(&out);
	filter_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_takes_all_but_admin),
		cmocka_unit_test(test_empty_takes_nothing),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_admin_events_by_name_only),
		cmocka_unit_test(test_restrictions),
		cmocka_unit_test(test_naming_admin_events),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_canonical_bytes),
		cmocka_unit_test(test_keys_hold_any_bytes),
		cmocka_unit_test(test_copies_its_texts),
		cmocka_unit_test(test_writing),
		cmocka_unit_test(test_agrees_with_single_patterns),
		cmocka_unit_test(test_without_memory),
		cmocka_unit_test(test_breaking_off_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
