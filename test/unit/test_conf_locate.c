/*
 * Homes and absolute paths.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "conf/conf.h"
#include "conf/locate.h"
#include "support_alloc.h"

static char home_variable[] = "HOME=/users/u";
static char *const with_home[] = { home_variable, NULL };
static char *const nothing[] = { NULL };

static void
assert_absolute(const char *path, const char *should)
{
	char *is = NULL;

	assert_int_equal(locate_absolute(with_home, span_cstr(path), &is), 0);
	assert_string_equal(is, should);
	mem_free(is);
}

static void
absolute_paths_are_cleaned(void **state)
{
	(void)state;
	assert_absolute("/", "/");
	assert_absolute("/a", "/a");
	assert_absolute("/a/", "/a");
	assert_absolute("//a//.//b/./", "/a/b");
	assert_absolute("/a/../b", "/a/../b");
	assert_absolute("/.a/..b", "/.a/..b");
}

static void
tildes_are_the_users_home(void **state)
{
	(void)state;
	assert_absolute("~", "/users/u");
	assert_absolute("~/", "/users/u");
	assert_absolute("~/.lurkbot", "/users/u/.lurkbot");
	assert_absolute("/~/a", "/~/a");
}

static void
relative_paths_begin_here(void **state)
{
	char here[PATH_MAX], should[PATH_MAX + 8];

	(void)state;
	assert_int_equal(chdir("/tmp"), 0);
	assert_non_null(getcwd(here, sizeof(here)));
	snprintf(should, sizeof(should), "%s/a/~", here);
	assert_absolute("./a/~", should);
	assert_absolute("", here);
}

static void
without_HOME_the_user_database_counts(void **state)
{
	char *is = NULL;

	(void)state;
	assert_int_equal(locate_absolute(nothing, SPAN("~/a"), &is), 0);
	assert_int_equal(is[0], '/');
	mem_free(is);
}

static void
the_home_of_lurkbot(void **state)
{
	static char set[] = "LURKBOT_HOME=/lurk/", empty[] = "LURKBOT_HOME=";
	static char longer[] = "LURKBOT_HOMES=/x";
	char *const with_set[] = { longer, home_variable, set, NULL };
	char *const with_empty[] = { empty, home_variable, NULL };
	struct conf_request request = { .environ_ = with_set };
	char *is = NULL;

	(void)state;
	assert_int_equal(conf_home(&request, &is), 0);
	assert_string_equal(is, "/lurk");
	mem_free(is);
	request.home = "~/mine";
	assert_int_equal(conf_home(&request, &is), 0);
	assert_string_equal(is, "/users/u/mine");
	mem_free(is);
	request = (struct conf_request){ .environ_ = with_empty };
	assert_int_equal(conf_home(&request, &is), 0);
	assert_string_equal(is, "/users/u/.lurkbot");
	mem_free(is);
}

static void
without_a_request_the_own_environment_counts(void **state)
{
	const struct conf_request request = { 0 };
	char *is = NULL;

	(void)state;
	assert_int_equal(setenv("LURKBOT_HOME", "/own", 1), 0);
	assert_int_equal(conf_home(&request, &is), 0);
	assert_string_equal(is, "/own");
	mem_free(is);
	unsetenv("LURKBOT_HOME");
}

static void
a_folder_that_is_gone_is_told(void **state)
{
	char dir[] = "/tmp/lurkbot-locate-XXXXXX";
	char *is = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(locate_absolute(with_home, SPAN("a"), &is), -ENOENT);
	assert_null(is);
	assert_int_equal(chdir("/"), 0);
}

static void
attempt(void *arg)
{
	char *is = NULL;
	int status = locate_absolute(with_home, span_cstr(arg), &is);

	assert_true(status == 0 || (status == -ENOMEM && is == NULL));
	mem_free(is);
}

static void
want_of_memory(void **state)
{
	char of_home[] = "~/a", from_here[] = "a";

	(void)state;
	assert_true(support_alloc_try_each(attempt, of_home) > 0);
	assert_true(support_alloc_try_each(attempt, from_here) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absolute_paths_are_cleaned),
		cmocka_unit_test(tildes_are_the_users_home),
		cmocka_unit_test(relative_paths_begin_here),
		cmocka_unit_test(without_HOME_the_user_database_counts),
		cmocka_unit_test(the_home_of_lurkbot),
		cmocka_unit_test(without_a_request_the_own_environment_counts),
		cmocka_unit_test(a_folder_that_is_gone_is_told),
		cmocka_unit_test(want_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
