/*
 * The two text formats of metrics, line by line.
 */
#include "support_cmocka.h"

#include <string.h>

#include "base/buf.h"
#include "bus/counters.h"
#include "gateway/exposition.h"

static struct buf out;

static struct exposition
begin(bool open_metrics)
{
	buf_reset(&out);
	return (struct exposition){ .out = &out, .open_metrics = open_metrics };
}

static int
tear_down(void **state)
{
	(void)state;
	buf_fini(&out);
	return 0;
}

static void
write_counter(struct exposition *e)
{
	exposition_family(e, "sent_bytes", EXPOSITION_COUNTER, "bytes", "Bytes written.");
	exposition_uint(e, "sent_bytes", EXPOSITION_COUNTER, "", UINT64_MAX);
	exposition_end(e);
}

/* 0.0.4 names the samples; OpenMetrics the family, its unit, and the end. */
static void
test_counter(void **state)
{
	struct exposition e = begin(false);

	(void)state;
	write_counter(&e);
	assert_span(buf_span(&out), "# HELP lurkbot_sent_bytes_total Bytes written.\n"
				    "# TYPE lurkbot_sent_bytes_total counter\n"
				    "lurkbot_sent_bytes_total 18446744073709551615\n");
	e = begin(true);
	write_counter(&e);
	assert_span(buf_span(&out), "# HELP lurkbot_sent_bytes Bytes written.\n"
				    "# TYPE lurkbot_sent_bytes counter\n"
				    "# UNIT lurkbot_sent_bytes bytes\n"
				    "lurkbot_sent_bytes_total 18446744073709551615\n"
				    "# EOF\n");
}

static void
write_info(struct exposition *e)
{
	exposition_family(e, "build", EXPOSITION_INFO, NULL, "The version.");
	exposition_uint(e, "build", EXPOSITION_INFO, "version=\"0.1.0\"", 1);
	exposition_end(e);
}

static void
test_info_is_a_gauge_where_the_format_has_none(void **state)
{
	struct exposition e = begin(false);

	(void)state;
	write_info(&e);
	assert_span(buf_span(&out), "# HELP lurkbot_build_info The version.\n"
				    "# TYPE lurkbot_build_info gauge\n"
				    "lurkbot_build_info{version=\"0.1.0\"} 1\n");
	e = begin(true);
	write_info(&e);
	assert_span(buf_span(&out), "# HELP lurkbot_build The version.\n"
				    "# TYPE lurkbot_build info\n"
				    "lurkbot_build_info{version=\"0.1.0\"} 1\n"
				    "# EOF\n");
}

static void
test_gauge_with_labels(void **state)
{
	struct exposition e = begin(false);

	(void)state;
	exposition_family(&e, "connections", EXPOSITION_GAUGE, NULL, "Open now.");
	exposition_uint(&e, "connections", EXPOSITION_GAUGE, "worker=\"0\"", 3);
	exposition_uint(&e, "connections", EXPOSITION_GAUGE, "worker=\"1\"", 0);
	assert_span(buf_span(&out), "# HELP lurkbot_connections Open now.\n"
				    "# TYPE lurkbot_connections gauge\n"
				    "lurkbot_connections{worker=\"0\"} 3\n"
				    "lurkbot_connections{worker=\"1\"} 0\n");
}

static void
test_seconds_are_exact(void **state)
{
	struct exposition e = begin(false);

	(void)state;
	exposition_seconds(&e, "a_seconds", EXPOSITION_GAUGE, "", 0);
	exposition_seconds(&e, "b_seconds", EXPOSITION_GAUGE, "", 1);
	exposition_seconds(&e, "c_seconds", EXPOSITION_GAUGE, "", 1706700000123000000);
	assert_span(buf_span(&out), "lurkbot_a_seconds 0.000000000\n"
				    "lurkbot_b_seconds 0.000000001\n"
				    "lurkbot_c_seconds 1706700000.123000000\n");
}

/* How often the text occurs. */
static unsigned
occurrences(const char *text)
{
	const char *at = out.data, *end = out.data + out.len;
	unsigned n = 0;

	while ((at = memmem(at, (size_t)(end - at), text, strlen(text))) != NULL) {
		at++;
		n++;
	}
	return n;
}

/* Buckets are cumulative, the last one is all, and it is the count. */
static void
test_histogram(void **state)
{
	uint64_t buckets[COUNTERS_BUCKETS] = { 1, 0, 2 };
	struct exposition e = begin(false);

	(void)state;
	buckets[COUNTERS_BUCKETS - 1] = 4;
	exposition_histogram(&e, "t_seconds", "method=\"health\"", buckets, 1500000000);
	assert_int_equal(
	    occurrences("lurkbot_t_seconds_bucket{method=\"health\",le=\""), COUNTERS_BUCKETS);
	assert_int_equal(occurrences("le=\"2.5e-05\"} 1\n"), 1);
	assert_int_equal(occurrences("le=\"5e-05\"} 1\n"), 1);
	assert_int_equal(occurrences("le=\"0.0001\"} 3\n"), 1);
	assert_int_equal(occurrences("le=\"10\"} 3\n"), 1);
	assert_int_equal(occurrences("le=\"+Inf\"} 7\n"), 1);
	assert_int_equal(occurrences("lurkbot_t_seconds_sum{method=\"health\"} 1.500000000\n"), 1);
	assert_int_equal(occurrences("lurkbot_t_seconds_count{method=\"health\"} 7\n"), 1);
}

static void
test_histogram_without_labels(void **state)
{
	const uint64_t buckets[COUNTERS_BUCKETS] = { 0 };
	struct exposition e = begin(false);

	(void)state;
	exposition_histogram(&e, "t_seconds", "", buckets, 0);
	assert_int_equal(occurrences("lurkbot_t_seconds_bucket{le=\""), COUNTERS_BUCKETS);
	assert_int_equal(occurrences("lurkbot_t_seconds_sum 0.000000000\n"), 1);
	assert_int_equal(occurrences("lurkbot_t_seconds_count 0\n"), 1);
	assert_int_equal(occurrences("{,"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counter),
		cmocka_unit_test(test_info_is_a_gauge_where_the_format_has_none),
		cmocka_unit_test(test_gauge_with_labels),
		cmocka_unit_test(test_seconds_are_exact),
		cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_histogram_without_labels),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
