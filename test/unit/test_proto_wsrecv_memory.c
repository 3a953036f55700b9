/*
 * What a receiver costs: no copy where none is needed, memory by what arrived and not by what was
 * announced, all of it back when the item is done, and every allocation that fails.
 */
#include "support_cmocka.h"

#include <string.h>

#include "base/buf.h"
#include "proto/wsrecv.h"
#include "support_alloc.h"

static const struct wsrecv_limits limits = {
	.max_message = 1 << 20, .max_fragments = 1024, .allow_binary = true, .expect_masked = true
};

/* Appends a masked frame whose header announces a length of its own. */
static void
put(struct buf *out, enum ws_opcode opcode, bool fin, uint64_t announced, struct span payload)
{
	static const uint8_t key[4] = { 1, 2, 3, 4 };
	uint8_t header[FRAME_HEADER_MAX];

	buf_append(out, header, frame_header_write(header, opcode, fin, announced, key));
	buf_append_span(out, payload);
	frame_mask(out->data + out->len - payload.n, payload.n, key, 0);
}

/* The next item of the bytes from *at on. */
static enum wsrecv_verdict
next(struct wsrecv *ws, struct buf *in, size_t *at, struct wsrecv_item *ret)
{
	size_t used;
	enum wsrecv_verdict verdict =
	    wsrecv_next(ws, &limits, in->data + *at, in->len - *at, &used, ret);

	*at += used;
	return verdict;
}

static void
test_whole_messages_are_not_copied(void **state)
{
	struct wsrecv ws = { 0 };
	struct wsrecv_item item;
	struct buf in = { 0 };
	size_t at = 0;

	(void)state;
	put(&in, WS_TEXT, true, 5, SPAN("Hello"));
	put(&in, WS_PING, true, 4, SPAN("ping"));
	put(&in, WS_BINARY, true, 0, SPAN(""));
	support_alloc_fail_all();
	assert_int_equal(next(&ws, &in, &at, &item), WSRECV_TEXT);
	assert_ptr_equal(item.payload.p, in.data + 6);
	assert_span(item.payload, "Hello");
	assert_int_equal(next(&ws, &in, &at, &item), WSRECV_PING);
	assert_ptr_equal(item.payload.p, in.data + 17);
	assert_int_equal(next(&ws, &in, &at, &item), WSRECV_BINARY);
	assert_int_equal(next(&ws, &in, &at, &item), WSRECV_MORE);
	support_alloc_fail_at(0);
	assert_true(wsrecv_is_idle(&ws));
	wsrecv_fini(&ws);
	buf_fini(&in);
}

static void
test_an_announcement_costs_nothing(void **state)
{
	struct wsrecv ws = { 0 };
	struct wsrecv_item item;
	struct buf in = { 0 };
	size_t at = 0;

	(void)state;
	put(&in, WS_TEXT, true, 1 << 20, SPAN(""));
	assert_int_equal(next(&ws, &in, &at, &item), WSRECV_MORE);
	assert_int_equal(ws.message.cap, 0);
	assert_false(wsrecv_is_idle(&ws));
	buf_reset(&in);
	at = 0;
	buf_append_cstr(&in, "\x60");
	assert_int_equal(next(&ws, &in, &at, &item), WSRECV_MORE);
	assert_in_range(ws.message.cap, 1, 256);
	wsrecv_fini(&ws);
	buf_fini(&in);
}

/* A message in many pieces takes few allocations and never more than twice what has arrived. */
static void
test_growth_follows_what_arrives(void **state)
{
	enum { TOTAL = 1 << 20, PIECE = 1024 };
	static char piece[PIECE];
	struct wsrecv ws = { 0 };
	struct wsrecv_item item;
	struct buf in = { 0 };
	size_t at = 0;

	(void)state;
	put(&in, WS_BINARY, true, TOTAL, SPAN(""));
	assert_int_equal(next(&ws, &in, &at, &item), WSRECV_MORE);
	support_alloc_fail_at(0);
	for (size_t got = PIECE; got < TOTAL; got += PIECE) {
		size_t used;

		assert_int_equal(
		    wsrecv_next(&ws, &limits, piece, PIECE, &used, &item), WSRECV_MORE);
		assert_in_range(ws.message.cap, got, 2 * got);
	}
	assert_in_range(support_alloc_count(), 1, 12);
	assert_int_equal(wsrecv_next(&ws, &limits, piece, PIECE, &at, &item), WSRECV_BINARY);
	assert_int_equal(item.payload.n, TOTAL);
	assert_int_equal(wsrecv_next(&ws, &limits, NULL, 0, &at, &item), WSRECV_MORE);
	assert_null(ws.message.data);
	assert_true(wsrecv_is_idle(&ws));
	wsrecv_fini(&ws);
	buf_fini(&in);
}

/* Every item that was collected gives its memory back by the call that says MORE. */
static void
test_idle_holds_nothing(void **state)
{
	struct wsrecv ws = { 0 };
	struct wsrecv_item item;
	struct buf in = { 0 };
	size_t used, message_end;

	(void)state;
	put(&in, WS_TEXT, false, 2, SPAN("ab"));
	put(&in, WS_PING, true, 3, SPAN("png"));
	put(&in, WS_CONT, true, 2, SPAN("cd"));
	message_end = in.len;
	put(&in, WS_CLOSE, true, 5,
	    SPAN("\x03\xe8"
		 "bye"));
	for (size_t i = 0; i < in.len; i++) {
		if (wsrecv_next(&ws, &limits, in.data + i, 1, &used, &item) != WSRECV_MORE)
			assert_int_equal(
			    wsrecv_next(&ws, &limits, NULL, 0, &used, &item), WSRECV_MORE);
		assert_int_equal(wsrecv_is_idle(&ws), i + 1 == message_end || i + 1 == in.len);
		if (wsrecv_is_idle(&ws))
			assert_null(ws.message.data);
	}
	buf_fini(&in);
	wsrecv_fini(&ws);
}

static void
feed_bytewise(void *arg)
{
	const struct buf *input = arg;
	struct wsrecv ws = { 0 };
	struct wsrecv_item item;
	enum wsrecv_verdict verdict = WSRECV_MORE;
	unsigned items = 0;
	size_t used;

	for (size_t i = 0; i < input->len && verdict != WSRECV_FAIL; i++) {
		char byte = input->data[i];

		verdict = wsrecv_next(&ws, &limits, &byte, 1, &used, &item);
		items += verdict != WSRECV_MORE;
	}
	if (verdict == WSRECV_FAIL) {
		assert_int_equal(item.code, WS_CLOSE_INTERNAL);
		assert_null(ws.message.data);
	} else {
		assert_int_equal(items, 4);
	}
	wsrecv_fini(&ws);
}

static void
test_each_allocation_fails(void **state)
{
	static char payload[1000];
	struct buf in = { 0 };

	(void)state;
	put(&in, WS_TEXT, true, sizeof(payload), span_make(payload, sizeof(payload)));
	put(&in, WS_PING, true, 100, span_make(payload, 100));
	put(&in, WS_BINARY, false, 100, span_make(payload, 100));
	put(&in, WS_PONG, true, 100, span_make(payload, 100));
	put(&in, WS_CONT, true, 100, span_make(payload, 100));
	assert_in_range(support_alloc_try_each(feed_bytewise, &in), 5, 20);
	buf_fini(&in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_messages_are_not_copied),
		cmocka_unit_test(test_an_announcement_costs_nothing),
		cmocka_unit_test(test_growth_follows_what_arrives),
		cmocka_unit_test(test_idle_holds_nothing),
		cmocka_unit_test(test_each_allocation_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
