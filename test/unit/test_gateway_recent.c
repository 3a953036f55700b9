/*
 * The sessions that a worker remembers: what is told of them, in which order, and how many.
 */
#include "support_cmocka.h"

#include <stdio.h>
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "gateway/recent.h"
#include "proto/eventframe.h"
#include "support_alloc.h"

static struct recent *recent;
static uint64_t seq;

static int
set_up(void **state)
{
	(void)state;
	seq = 0;
	recent = recent_new();
	return recent == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	recent_free(recent);
	return 0;
}

/* Reads an event of this name as if from the ring, at the time 1000 + seq. */
static void
note(const char *name, const char *key, const char *payload)
{
	struct eventframe frame = { 0 };
	struct ring_record record = { .seq = ++seq };

	record.at_ms = 1000 + seq;
	assert_int_equal(eventframe_build(&frame, record.seq, record.at_ms, span_cstr(name),
			     span_cstr(payload), span_cstr(key)),
	    0);
	assert_int_equal(
	    recent_note(recent, &record, span_cstr(name), span_cstr(key), buf_span(&frame.bytes)),
	    0);
	eventframe_fini(&frame);
}

static size_t
count(void)
{
	const struct list *at;
	size_t n = 0;

	LIST_FOREACH (at, recent_list(recent))
		n++;
	return n;
}

static const struct recent_session *
newest(void)
{
	const struct list *first = recent_list(recent)->next;

	assert_ptr_not_equal(first, recent_list(recent));
	return container_of(first, struct recent_session, link);
}

static void
assert_written(const char *should)
{
	struct buf text = { 0 };
	struct jsonw w;

	jsonw_init(&w, &text);
	recent_write(newest(), &w);
	if (!span_is(buf_span(&text), should))
		print_error("%.*s\n", SPAN_ARGS(buf_span(&text)));
	assert_true(span_is(buf_span(&text), should));
	buf_fini(&text);
}

static void
test_a_message_makes_a_session(void **state)
{
	(void)state;
	note("session.message", "telegram:1:main", "{\"role\":\"user\",\"content\":\"Hello!\"}");
	assert_int_equal(count(), 1);
	assert_written("{\"sessionKey\":\"telegram:1:main\",\"channel\":\"telegram\","
		       "\"createdAt\":1001,\"updatedAt\":1001,\"messageCount\":1,"
		       "\"lastMessage\":{\"role\":\"user\",\"preview\":\"Hello!\",\"at\":1001}}");
}

static void
test_the_next_message_updates_it(void **state)
{
	(void)state;
	note("session.message", "k", "{\"role\":\"user\",\"content\":\"one\"}");
	note("session.message", "k", "{\"role\":\"system\",\"content\":\"two \\u00e9\"}");
	assert_int_equal(count(), 1);
	assert_int_equal(newest()->last_seq, 2);
	assert_written("{\"sessionKey\":\"k\",\"channel\":\"k\",\"createdAt\":1001,"
		       "\"updatedAt\":1002,\"messageCount\":2,\"lastMessage\":{\"role\":\"system\","
		       "\"preview\":\"two é\",\"at\":1002}}");
}

static void
test_other_events_do_not_count(void **state)
{
	(void)state;
	note("session.message", "", "{\"role\":\"user\",\"content\":\"no key\"}");
	note("session.created", "k", "{}");
	note("agent.delta", "k", "{\"role\":\"user\",\"content\":\"no\"}");
	note("session.message.more", "k", "{}");
	assert_int_equal(count(), 0);
}

static void
test_what_is_no_text_is_left_empty(void **state)
{
	(void)state;
	note("session.message", "k", "{\"role\":1,\"content\":[\"parts\"]}");
	assert_string_equal(newest()->message.role, "");
	assert_string_equal(newest()->message.preview, "");
	note("session.message", "j", "");
	assert_string_equal(newest()->message.role, "");
	assert_int_equal(newest()->message_count, 1);
}

/* 250 characters of 1 to 4 bytes each: 200 are kept, whole ones. */
static void
test_the_preview_is_cut_between_characters(void **state)
{
	static const char *const characters[] = { "a", "é", "€", "😀" };
	struct buf payload = { 0 };
	size_t kept = 0;

	(void)state;
	buf_append_cstr(&payload, "{\"content\":\"");
	for (size_t i = 0; i < 250; i++) {
		const char *c = characters[i % 4];

		buf_append_cstr(&payload, c);
		kept += i < RECENT_PREVIEW_CHARACTERS ? strlen(c) : 0;
	}
	buf_append(&payload, "\"}", 3);
	note("session.message", "k", payload.data);
	assert_int_equal(strlen(newest()->message.preview), kept);
	assert_memory_equal(
	    newest()->message.preview, payload.data + strlen("{\"content\":\""), kept);
	buf_fini(&payload);
}

static void
test_a_role_is_kept_whole(void **state)
{
	(void)state;
	note("session.message", "k", "{\"role\":\"assistant\",\"content\":\"Hello!\"}");
	assert_string_equal(newest()->message.role, "assistant");
	note("session.message", "k", "{\"role\":\"abcdefghijklmnopqrstuvwxyzabcdefgh\"}");
	assert_int_equal(strlen(newest()->message.role), RECENT_ROLE_MAX);
	note("session.message", "k", "{\"role\":\"😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀\"}");
	assert_int_equal(newest()->message.role_len, RECENT_ROLE_MAX * 4);
	assert_int_equal(newest()->message.role[RECENT_ROLE_MAX * 4], '\0');
}

/* The last message is the last one, also when it says nothing, or says a thing twice. */
static void
test_nothing_is_left_of_the_message_before(void **state)
{
	(void)state;
	note("session.message", "k", "{\"role\":\"user\",\"content\":\"one\"}");
	note("session.message", "k", "");
	assert_string_equal(newest()->message.role, "");
	assert_string_equal(newest()->message.preview, "");
	note("session.message", "k", "{\"role\":\"user\",\"content\":\"two\"}");
	note("session.message", "k", "{\"a\":1,\"a\":2,\"content\":\"three\"}");
	assert_string_equal(newest()->message.role, "");
	assert_string_equal(newest()->message.preview, "three");
	note("session.message", "k", "{\"role\":1,\"content\":\"\\ud800\"}");
	assert_string_equal(newest()->message.preview, "");
}

static void
test_any_number_of_keys_is_read(void **state)
{
	struct buf payload = { 0 };

	(void)state;
	buf_append_cstr(&payload, "{\"role\":\"user\"");
	for (unsigned i = 0; i < 1100; i++)
		buf_printf(&payload, ",\"k%u\":%u", i, i);
	buf_append(&payload, "}", 2);
	note("session.message", "k", payload.data);
	assert_string_equal(newest()->message.role, "user");
	buf_fini(&payload);
}

static void
test_a_message_that_says_nothing_is_not_told(void **state)
{
	(void)state;
	note("session.message", "k", "{\"content\":\"one\"}");
	note("session.message", "k", "{\"parts\":[\"two\"]}");
	assert_written("{\"sessionKey\":\"k\",\"channel\":\"k\",\"createdAt\":1001,"
		       "\"updatedAt\":1002,\"messageCount\":2}");
	note("session.message", "k", "{\"content\":\"\"}");
	assert_written("{\"sessionKey\":\"k\",\"channel\":\"k\",\"createdAt\":1001,"
		       "\"updatedAt\":1003,\"messageCount\":3,"
		       "\"lastMessage\":{\"role\":\"\",\"preview\":\"\",\"at\":1003}}");
}

static void
test_a_nul_does_not_cut_the_preview(void **state)
{
	(void)state;
	note("session.message", "k", "{\"role\":\"user\",\"content\":\"one\\u0000two\"}");
	assert_int_equal(newest()->message.preview_len, 7);
	assert_written("{\"sessionKey\":\"k\",\"channel\":\"k\",\"createdAt\":1001,"
		       "\"updatedAt\":1001,\"messageCount\":1,\"lastMessage\":{\"role\":\"user\","
		       "\"preview\":\"one\\u0000two\",\"at\":1001}}");
}

static void
test_channel(void **state)
{
	(void)state;
	note("session.message", "telegram:1:main", "{}");
	assert_span(recent_channel(newest()), "telegram");
	note("session.message", "alone", "{}");
	assert_span(recent_channel(newest()), "alone");
	note("session.message", ":x", "{}");
	assert_span(recent_channel(newest()), "");
}

static void
test_the_most_recently_updated_comes_first(void **state)
{
	const struct list *at;
	char order[8] = "";

	(void)state;
	note("session.message", "a", "{}");
	note("session.message", "b", "{}");
	note("session.message", "c", "{}");
	note("session.message", "a", "{}");
	LIST_FOREACH (at, recent_list(recent))
		strncat(order, container_of(at, struct recent_session, link)->key.p, 1);
	assert_string_equal(order, "acb");
}

static void
test_the_oldest_are_forgotten(void **state)
{
	char key[16];

	(void)state;
	for (unsigned i = 0; i < RECENT_SESSIONS_MAX + 5; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		note("session.message", key, "{}");
		note("session.message", "k0", "{}");
	}
	assert_int_equal(count(), RECENT_SESSIONS_MAX);
	assert_span(newest()->key, "k0");
	assert_int_equal(newest()->message_count, RECENT_SESSIONS_MAX + 6);
	/* k1 was forgotten, so it begins anew. */
	note("session.message", "k1", "{}");
	assert_int_equal(newest()->message_count, 1);
	assert_int_equal(count(), RECENT_SESSIONS_MAX);
}

/* All of it is noted, or nothing, and that is told. */
static void
attempt(void *arg)
{
	struct eventframe *frame = arg;
	struct ring_record record = { .seq = 1, .at_ms = 1001 };
	struct recent *mine = recent_new();
	int r;

	if (mine == NULL)
		return;
	r = recent_note(mine, &record, SPAN("session.message"), SPAN("k"), buf_span(&frame->bytes));
	if (r == 0) {
		const struct recent_session *session =
		    container_of(recent_list(mine)->next, struct recent_session, link);

		assert_int_equal(session->message_count, 1);
		assert_string_equal(session->message.role, "user");
		assert_string_equal(session->message.preview, "é");
	} else {
		assert_int_equal(r, -ENOMEM);
		assert_true(list_is_empty(recent_list(mine)));
	}
	recent_free(mine);
}

static void
test_without_memory(void **state)
{
	struct eventframe frame = { 0 };

	(void)state;
	assert_int_equal(eventframe_build(&frame, 1, 1001, SPAN("session.message"),
			     SPAN("{\"role\":\"user\",\"content\":\"\\u00e9\"}"), SPAN("k")),
	    0);
	assert_true(support_alloc_try_each(attempt, &frame) >= 4);
	eventframe_fini(&frame);
	recent_free(NULL);
}

#define recent_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		recent_test(test_a_message_makes_a_session),
		recent_test(test_the_next_message_updates_it),
		recent_test(test_other_events_do_not_count),
		recent_test(test_what_is_no_text_is_left_empty),
		recent_test(test_the_preview_is_cut_between_characters),
		recent_test(test_a_role_is_kept_whole),
		recent_test(test_nothing_is_left_of_the_message_before),
		recent_test(test_any_number_of_keys_is_read),
		recent_test(test_a_message_that_says_nothing_is_not_told),
		recent_test(test_a_nul_does_not_cut_the_preview),
		recent_test(test_channel),
		recent_test(test_the_most_recently_updated_comes_first),
		recent_test(test_the_oldest_are_forgotten),
		cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
