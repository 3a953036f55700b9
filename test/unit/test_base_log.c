/*
 * The log, written into a pipe and read back: the form of its lines, what a hostile message can not
 * do, and sinks that take nothing.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "support_alloc.h"

static int pipe_fds[2];
static char got[3 * LOG_LINE_MAX];

static int
setup(void **state)
{
	(void)state;
	return pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC);
}

static int
teardown(void **state)
{
	(void)state;
	log_configure(&(struct log_setup){ .file_fd = -1, .stderr_fd = -1 });
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return 0;
}

static void
configure(enum log_level level, enum log_format format)
{
	log_configure(&(struct log_setup){ level, format, pipe_fds[1], -1, false });
	log_set_process("worker 0");
}

/* All that is in the pipe, terminated. */
static size_t
take(void)
{
	ssize_t n = read(pipe_fds[0], got, sizeof(got) - 1);

	got[n > 0 ? n : 0] = '\0';
	return strlen(got);
}

/* The text behind the time, which must look like one. */
static const char *
behind_time(const char *line)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";

	for (size_t i = 0; i < sizeof(form) - 1; i++) {
		if (form[i] == 'd')
			assert_in_range(line[i], '0', '9');
		else
			assert_int_equal(line[i], form[i]);
	}
	return line + sizeof(form) - 1;
}

static void
test_text_line(void **state)
{
	(void)state;
	configure(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
	log_conn_info(0x9f1c2ab4, "hello %d", 42);
	take();
	assert_string_equal(behind_time(got), " info  worker 0 [9f1c2ab4] hello 42\n");
	log_warning("no connection");
	take();
	assert_string_equal(behind_time(got), " warning worker 0 no connection\n");
	log_set_process("");
	log_conn_error(7, "nobody");
	take();
	assert_string_equal(behind_time(got), " error [00000007] nobody\n");
}

static void
test_json_line(void **state)
{
	static const char begin[] = "{\"time\":\"";

	(void)state;
	configure(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
	log_conn_debug(0xab, "a \"b\"\n\xff");
	take();
	assert_memory_equal(got, begin, sizeof(begin) - 1);
	assert_string_equal(behind_time(got + sizeof(begin) - 1),
	    "\",\"level\":\"debug\",\"process\":\"worker 0\",\"conn\":\"000000ab\","
	    "\"message\":\"a \\\"b\\\"\\n\xef\xbf\xbd\"}\n");
	log_error("x");
	take();
	assert_string_equal(behind_time(got + sizeof(begin) - 1),
	    "\",\"level\":\"error\",\"process\":\"worker 0\",\"message\":\"x\"}\n");
}

static void
test_nobody_forges_a_line(void **state)
{
	(void)state;
	configure(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
	log_set_process("evil\n\"\\\x1b\x80");
	log_info("a\nb\r\x1b[2J\x7f\xc2\x9b\xff\xc3\xa9\t");
	take();
	assert_string_equal(behind_time(got),
	    " info  evil_____ a\\x0ab\\x0d\\x1b[2J\\x7f\\xc2\\x9b\\xff\xc3\xa9\\x09\n");
}

static void
test_level_decides(void **state)
{
	int evaluated = 0;

	(void)state;
	configure(LOG_LEVEL_WARNING, LOG_FORMAT_TEXT);
	log_info("%d", ++evaluated);
	log_write(LOG_LEVEL_INFO, 0, "directly");
	assert_int_equal(take(), 0);
	assert_int_equal(evaluated, 0);
	assert_true(log_is_enabled(LOG_LEVEL_ERROR));
	assert_false(log_is_enabled(LOG_LEVEL_DEBUG));
	log_warning("%d", ++evaluated);
	assert_true(take() > 0);
	assert_int_equal(evaluated, 1);
}

/* Messages of every length around the limit: a whole line, at most LOG_LINE_MAX, cut visibly. */
static void
check_lengths(enum log_format format, const char *unit, const char *end)
{
	static char message[2 * LOG_LINE_MAX];
	size_t unit_len = strlen(unit), end_len = strlen(end);
	unsigned cut_count = 0;

	configure(LOG_LEVEL_INFO, format);
	for (size_t units = (LOG_LINE_MAX - 150) / unit_len; units * unit_len < LOG_LINE_MAX + 50;
	     units++) {
		size_t len;
		bool is_cut;

		for (size_t i = 0; i < units; i++)
			memcpy(message + i * unit_len, unit, unit_len);
		message[units * unit_len] = '\0';
		log_info("%s", message);
		len = take();
		assert_in_range(len, units * unit_len < LOG_LINE_MAX - 150 ? 1 : LOG_LINE_MAX - 150,
		    LOG_LINE_MAX);
		assert_string_equal(got + len - end_len, end);
		is_cut = memcmp(got + len - end_len - 3, "...", 3) == 0;
		assert_memory_equal(
		    got + len - end_len - (is_cut ? 3 : 0) - unit_len, unit, unit_len);
		assert_true(is_cut == (strstr(got, message) == NULL));
		cut_count += is_cut;
	}
	assert_in_range(cut_count, 10, 180);
}

static void
test_long_messages_are_cut(void **state)
{
	(void)state;
	check_lengths(LOG_FORMAT_TEXT, "m", "\n");
	check_lengths(LOG_FORMAT_TEXT, "\xf0\x9f\x98\x80", "\n");
	check_lengths(LOG_FORMAT_JSON, "m", "\"}\n");
	check_lengths(LOG_FORMAT_JSON, "\xe2\x82\xac", "\"}\n");
}

static void
test_both_sinks(void **state)
{
	int fds[2];
	char other[256] = "";

	(void)state;
	assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	log_configure(
	    &(struct log_setup){ LOG_LEVEL_INFO, LOG_FORMAT_TEXT, pipe_fds[1], fds[1], false });
	log_info("to both");
	assert_true(take() > 0);
	assert_true(read(fds[0], other, sizeof(other) - 1) > 0);
	assert_string_equal(got, other);
	close(fds[0]);
	close(fds[1]);
}

/* What the journal takes for a line's priority stands in front of it there, and only there. */
static void
test_priority(void **state)
{
	static const char *const expected[] = { "<7>", "<6>", "<4>", "<3>" };
	int fds[2];
	char other[256];

	(void)state;
	assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	for (enum log_level level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_ERROR; level++) {
		log_configure(&(struct log_setup){
		    LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT, pipe_fds[1], fds[1], true });
		log_write(level, 0, "with a priority");
		memset(other, 0, sizeof(other));
		assert_true(read(fds[0], other, sizeof(other) - 1) > 0);
		assert_memory_equal(other, expected[level], 3);
		assert_true(take() > 0);
		assert_string_equal(other + 3, got);
	}
	close(fds[0]);
	close(fds[1]);
}

static void
test_another_file(void **state)
{
	int fds[2];
	char other[256] = "";

	(void)state;
	assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	assert_int_equal(log_set_file(fds[1]), pipe_fds[1]);
	log_info("to the other");
	assert_int_equal(take(), 0);
	assert_true(read(fds[0], other, sizeof(other) - 1) > 0);
	assert_string_equal(behind_time(other), " info  worker 0 to the other\n");
	assert_int_equal(log_set_file(-1), fds[1]);
	assert_int_equal(log_set_file(pipe_fds[1]), -1);
	close(fds[0]);
	close(fds[1]);
}

static void
test_keeps_errno_and_reads_it(void **state)
{
	(void)state;
	configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	errno = ENOENT;
	log_info("open: %m");
	assert_int_equal(errno, ENOENT);
	take();
	assert_string_equal(behind_time(got), " info  worker 0 open: No such file or directory\n");
	log_configure(&(struct log_setup){ LOG_LEVEL_INFO, LOG_FORMAT_TEXT, 9999, -1, false });
	errno = ENOENT;
	log_info("to no descriptor");
	assert_int_equal(errno, ENOENT);
}

static void
test_full_pipe_loses_whole_lines(void **state)
{
	size_t lines = 0, len;
	char lost[80];

	(void)state;
	configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	(void)log_take_lost();
	for (int i = 0; i < 2000; i++)
		log_info("%0100d", i);
	while ((len = take()) > 0) {
		for (size_t i = 0; i < len; i++)
			lines += got[i] == '\n';
	}
	assert_in_range(lines, 100, 1999);
	log_info("again");
	take();
	snprintf(lost, sizeof(lost),
	    " warning worker 0 lines that could not be written here: %zu\n", 2000 - lines);
	assert_memory_equal(behind_time(got), lost, strlen(lost));
	assert_string_equal(behind_time(strchr(got, '\n') + 1), " info  worker 0 again\n");
	log_info("and again");
	take();
	assert_string_equal(behind_time(got), " info  worker 0 and again\n");
	assert_int_equal(log_take_lost(), 2000 - lines);
	assert_int_equal(log_take_lost(), 0);
}

struct tapped {
	enum log_level level;
	char text[LOG_LINE_MAX + 1];
	unsigned count;
};

static void
on_line(void *arg, enum log_level level, struct span line)
{
	struct tapped *tapped = arg;

	tapped->level = level;
	memcpy(tapped->text, line.p, line.n);
	tapped->text[line.n] = '\0';
	tapped->count++;
}

/* Each line that is enabled is told whole and without its newline, whatever sinks there are. */
static void
test_a_tap_is_told(void **state)
{
	struct tapped tapped = { 0 };

	(void)state;
	configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	log_set_tap(on_line, &tapped);
	log_debug("not this");
	log_conn_warning(0x9f1c2ab4, "but this");
	assert_int_equal(tapped.count, 1);
	assert_int_equal(tapped.level, LOG_LEVEL_WARNING);
	assert_string_equal(behind_time(tapped.text), " warning worker 0 [9f1c2ab4] but this");
	take();
	assert_int_equal(strlen(got), strlen(tapped.text) + 1);
	log_configure(&(struct log_setup){
	    .level = LOG_LEVEL_INFO, .format = LOG_FORMAT_TEXT, .file_fd = -1, .stderr_fd = -1 });
	log_error("%05000d", 1);
	assert_int_equal(tapped.count, 2);
	assert_int_equal(strlen(tapped.text), LOG_LINE_MAX - 1);
	log_set_tap(NULL, NULL);
	log_error("nobody hears it");
	assert_int_equal(tapped.count, 2);
}

/* Like a full disk: files may grow to that many bytes, then a write takes only a part. */
static void
limit_file_size(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void
test_full_disk_tears_no_second_line(void **state)
{
	static const char tail[] = " info  worker 0 second\n";
	char text[512] = "";
	char name[] = "/tmp/log-XXXXXX";
	int fd = mkstemp(name);
	char *line;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(unlink(name), 0);
	limit_file_size(10);
	log_configure(&(struct log_setup){ LOG_LEVEL_INFO, LOG_FORMAT_TEXT, fd, -1, false });
	log_set_process("worker 0");
	log_info("first");
	limit_file_size(RLIM_INFINITY);
	log_info("second");
	assert_true(pread(fd, text, sizeof(text) - 1, 0) > 10);
	line = strchr(text, '\n');
	assert_non_null(line);
	assert_int_equal(line - text, 10);
	assert_string_equal(behind_time(line + 1), tail);
	close(fd);
}

static void
test_needs_no_memory(void **state)
{
	(void)state;
	configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	support_alloc_fail_all();
	log_info("memory is gone");
	support_alloc_fail_at(0);
	take();
	assert_non_null(strstr(got, "memory is gone"));
}

static void
test_limit(void **state)
{
	struct log_limit limit = { 0 };
	unsigned suppressed = 99;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_true(log_limit_pass(&limit, 1000, 3, &suppressed));
		assert_int_equal(suppressed, 0);
	}
	suppressed = 99;
	for (int i = 0; i < 5; i++)
		assert_false(log_limit_pass(&limit, 60999, 3, &suppressed));
	assert_int_equal(suppressed, 99);
	assert_true(log_limit_pass(&limit, 61000, 3, &suppressed));
	assert_int_equal(suppressed, 5);
	assert_true(log_limit_pass(&limit, 61000, 3, &suppressed));
	assert_int_equal(suppressed, 0);
	assert_false(log_limit_pass(&limit, 61000, 0, &suppressed));
}

#define log_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		log_test(test_text_line),
		log_test(test_json_line),
		log_test(test_nobody_forges_a_line),
		log_test(test_level_decides),
		log_test(test_long_messages_are_cut),
		log_test(test_both_sinks),
		log_test(test_priority),
		log_test(test_another_file),
		log_test(test_keeps_errno_and_reads_it),
		log_test(test_full_pipe_loses_whole_lines),
		log_test(test_a_tap_is_told),
		log_test(test_full_disk_tears_no_second_line),
		log_test(test_needs_no_memory),
		log_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
