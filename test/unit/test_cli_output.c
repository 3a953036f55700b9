/*
 * Durations and times as people read them.
 */
#include "support_cmocka.h"

#include "cli/output.h"

static void
durations(void **state)
{
	static const struct {
		uint64_t s;
		const char *text;
	} cases[] = {
		{ 0, "0s" },
		{ 45, "45s" },
		{ 59, "59s" },
		{ 60, "1m 0s" },
		{ 723, "12m 3s" },
		{ 3599, "59m 59s" },
		{ 3600, "1h 0m" },
		{ 8100, "2h 15m" },
		{ 86399, "23h 59m" },
		{ 86400, "1d 0h" },
		{ 3 * 86400 + 4 * 3600 + 59, "3d 4h" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[OUTPUT_DURATION_MAX];

		output_duration(cases[i].s * 1000 + 999, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void
times(void **state)
{
	char text[OUTPUT_TIME_MAX];

	(void)state;
	output_time(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
	output_time(1706700000042, text);
	assert_string_equal(text, "2024-01-31T11:20:00.042Z");
	output_time(UINT64_MAX, text);
	assert_true(strlen(text) < OUTPUT_TIME_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),
		cmocka_unit_test(times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
