/* Sealed bytes: they arrive as they are, nobody can change them, and nothing else is taken for them. */
#include "support_cmocka.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sys/sealed.h"

static void
bytes_arrive(void **state)
{
	struct buf out = { 0 };
	int fd = -1;

	(void)state;
	assert_int_equal(sealed_new("test", SPAN("some bytes"), &fd), 0);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	/* Wherever the offset stands, which all holders share. */
	for (int i = 0; i < 2; i++) {
		buf_reset(&out);
		assert_int_equal(sealed_read(fd, 10, &out), 0);
		assert_true(span_is(buf_span(&out), "some bytes"));
	}
	assert_int_equal(sealed_read(fd, 9, &out), -EBADMSG);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	close(fd);
	assert_int_equal(sealed_new("test", SPAN(""), &fd), 0);
	buf_reset(&out);
	assert_int_equal(sealed_read(fd, 0, &out), 0);
	assert_int_equal(out.len, 0);
	close(fd);
	buf_fini(&out);
}

static void
what_is_not_sealed_is_refused(void **state)
{
	struct buf out = { 0 };
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING), ends[2];

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(sealed_read(fd, 10, &out), -EBADMSG);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
	assert_int_equal(sealed_read(fd, 10, &out), -EBADMSG);
	close(fd);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(sealed_read(ends[0], 10, &out), -EBADMSG);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(sealed_read(-1, 10, &out), -EBADMSG);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_arrive),
		cmocka_unit_test(what_is_not_sealed_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
