/*
 * A program is run to its end, whatever it writes and however it ends.
 */
#include "support_cmocka.h"

#include <errno.h>

#include "cli/command.h"

static int
run(const char *script, uint64_t limit_ms, struct command_result *ret)
{
	const char *const argv[] = { "sh", "-c", script, NULL };

	return command_run(argv, limit_ms, ret);
}

static void
status_and_streams(void **state)
{
	struct command_result r;

	(void)state;
	assert_int_equal(run("echo out; echo err >&2; cat; exit 7", 60000, &r), 0);
	assert_int_equal(r.status, 7);
	assert_true(span_is(buf_span(&r.out), "out\n"));
	assert_true(span_is(buf_span(&r.err), "err\n"));
	command_fini(&r);
	assert_int_equal(run("kill -9 $$", 60000, &r), 0);
	assert_int_equal(r.status, 128 + 9);
	command_fini(&r);
}

/* More than pipes hold, on both streams, and more than is kept. */
static void
much_output(void **state)
{
	struct command_result r;

	(void)state;
	assert_int_equal(
	    run("head -c 3000000 /dev/zero >&2; head -c 300000 /dev/zero", 60000, &r), 0);
	assert_int_equal(r.status, 0);
	assert_int_equal(r.out.len, 300000);
	assert_true(r.err.len <= COMMAND_OUTPUT_MAX && r.err.len > COMMAND_OUTPUT_MAX / 2);
	command_fini(&r);
}

static void
what_does_not_end_or_is_not_there(void **state)
{
	static const char *const missing[] = { "/nonexistent/program", NULL };
	struct command_result r;

	(void)state;
	assert_int_equal(run("exec sleep 1000", 50, &r), -ETIMEDOUT);
	command_fini(&r);
	assert_int_equal(command_run(missing, 1000, &r), -ENOENT);
	command_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_and_streams),
		cmocka_unit_test(much_output),
		cmocka_unit_test(what_does_not_end_or_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
