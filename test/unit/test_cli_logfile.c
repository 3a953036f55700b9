/*
 * The last lines of a file, whatever its size, and what is written to it afterwards: appended,
 * renamed away, cut, removed.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/logfile.h"

struct place {
	char folder[32];
	char path[64], other[64];
};

static int
set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	strcpy(p->folder, "/tmp/test-logfile-XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->path, sizeof(p->path), "%s/log", p->folder);
	snprintf(p->other, sizeof(p->other), "%s/log.1", p->folder);
	*state = p;
	return 0;
}

static int
tear_down(void **state)
{
	struct place *p = *state;

	unlink(p->path);
	unlink(p->other);
	rmdir(p->folder);
	free(p);
	return 0;
}

static void
append(const char *path, struct span text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.p, text.n), text.n);
	close(fd);
}

/* All that can be read now. */
static struct buf
read_all(struct logfile *log)
{
	struct buf out = { 0 };
	int rc;

	do
		rc = logfile_read(log, &out);
	while (rc > 0);
	assert_int_equal(rc, 0);
	return out;
}

static void
assert_read(struct logfile *log, struct span should)
{
	struct buf is = read_all(log);

	if (!span_is_equal(buf_span(&is), should))
		fail_msg(
		    "\"%.*s\" instead of \"%.*s\"", SPAN_ARGS(buf_span(&is)), SPAN_ARGS(should));
	buf_fini(&is);
}

static void
assert_last(const char *path, uint64_t lines, struct span should)
{
	struct logfile log;

	assert_int_equal(logfile_open(&log, path, lines), 0);
	assert_read(&log, should);
	logfile_close(&log);
}

static void
last_lines(void **state)
{
	struct place *p = *state;

	append(p->path, SPAN(""));
	assert_last(p->path, 5, SPAN(""));
	append(p->path, SPAN("one\n\nthree\n"));
	assert_last(p->path, 0, SPAN(""));
	assert_last(p->path, 1, SPAN("three\n"));
	assert_last(p->path, 2, SPAN("\nthree\n"));
	assert_last(p->path, 3, SPAN("one\n\nthree\n"));
	assert_last(p->path, 99, SPAN("one\n\nthree\n"));
	append(p->path, SPAN("four"));
	assert_last(p->path, 1, SPAN("four"));
	assert_last(p->path, 2, SPAN("three\nfour"));
}

/* Lines of many lengths around the size of a piece: the beginning is found to the byte. */
static void
last_lines_of_a_large_file(void **state)
{
	struct place *p = *state;
	struct buf text = { 0 };
	size_t begins[200];

	for (size_t i = 0; i < 200; i++) {
		begins[i] = text.len;
		for (size_t n = 0; n < i * 37 % 4001; n++)
			buf_append_byte(&text, (char)('a' + i % 26));
		buf_append_byte(&text, '\n');
	}
	assert_int_equal(buf_status(&text), 0);
	append(p->path, buf_span(&text));
	for (size_t lines = 1; lines <= 200; lines += 7)
		assert_last(p->path, lines, span_skip(buf_span(&text), begins[200 - lines]));
	buf_fini(&text);
}

static void
follows_what_is_appended(void **state)
{
	struct place *p = *state;
	struct logfile log;

	append(p->path, SPAN("one\n"));
	assert_int_equal(logfile_open(&log, p->path, 0), 0);
	assert_read(&log, SPAN(""));
	append(p->path, SPAN("two\n"));
	assert_read(&log, SPAN("two\n"));
	assert_int_equal(logfile_renew(&log), 0);
	assert_read(&log, SPAN(""));
	logfile_close(&log);
}

static void
follows_across_rotation(void **state)
{
	struct place *p = *state;
	struct logfile log;

	append(p->path, SPAN("one\n"));
	assert_int_equal(logfile_open(&log, p->path, 10), 0);
	assert_read(&log, SPAN("one\n"));
	assert_int_equal(rename(p->path, p->other), 0);
	append(p->other, SPAN("two\n"));
	assert_read(&log, SPAN("two\n"));
	assert_int_equal(logfile_renew(&log), 0);
	append(p->path, SPAN("three\n"));
	append(p->other, SPAN("late\n"));
	assert_read(&log, SPAN("late\n"));
	assert_int_equal(logfile_renew(&log), 1);
	assert_read(&log, SPAN("three\n"));
	logfile_close(&log);
}

static void
follows_a_file_that_was_cut(void **state)
{
	struct place *p = *state;
	struct logfile log;

	append(p->path, SPAN("one\ntwo\n"));
	assert_int_equal(logfile_open(&log, p->path, 1), 0);
	assert_read(&log, SPAN("two\n"));
	assert_int_equal(truncate(p->path, 0), 0);
	append(p->path, SPAN("new\n"));
	assert_read(&log, SPAN(""));
	assert_int_equal(logfile_renew(&log), 1);
	assert_read(&log, SPAN("new\n"));
	logfile_close(&log);
}

static void
waits_for_a_file_to_come(void **state)
{
	struct place *p = *state;
	struct logfile log;

	assert_int_equal(logfile_open(&log, p->path, 10), -ENOENT);
	assert_read(&log, SPAN(""));
	assert_int_equal(logfile_renew(&log), 0);
	append(p->path, SPAN("first\n"));
	assert_int_equal(logfile_renew(&log), 1);
	assert_read(&log, SPAN("first\n"));
	logfile_close(&log);
}

static void
what_is_no_file(void **state)
{
	struct place *p = *state;
	struct logfile log;

	assert_int_equal(logfile_open(&log, p->folder, 1), -EISDIR);
	logfile_close(&log);
	assert_int_equal(mkfifo(p->path, 0600), 0);
	assert_int_equal(logfile_open(&log, p->path, 1), -EINVAL);
	logfile_close(&log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(last_lines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(last_lines_of_a_large_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(follows_what_is_appended, set_up, tear_down),
		cmocka_unit_test_setup_teardown(follows_across_rotation, set_up, tear_down),
		cmocka_unit_test_setup_teardown(follows_a_file_that_was_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(waits_for_a_file_to_come, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_file, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
