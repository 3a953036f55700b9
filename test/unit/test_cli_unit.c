/*
 * The unit that is written is read again as it was, whatever the words are, and what a person or
 * an accident made of it is taken or refused, never misread.
 */
#include "support_cmocka.h"

#include <errno.h>

#include "cli/unit.h"
#include "support_alloc.h"

static void
fill(struct unit *u, const char *const *words)
{
	*u = (struct unit){ .stop_s = 20 };
	for (; *words != NULL; words++)
		assert_int_equal(unit_add_word(u, span_cstr(*words)), 0);
}

static void
what_is_written_is_read(void **state)
{
	static const char *const words[] = { "/opt/Lurk Bot/\"lurk\\bot\"", "gateway", "start",
		"--config", "/tmp/100%/$HOME/a'b", "", "--port", "8080", NULL };
	static char home[] = "/home/\"ada\" %h\\", workspace[] = "/srv/a $b % c";
	struct buf text = { 0 };
	struct unit u, again;

	(void)state;
	fill(&u, words);
	u.home = home;
	u.workspace = workspace;
	assert_int_equal(unit_write(&u, &text), 0);
	u.home = u.workspace = NULL;
	assert_true(unit_is_ours(buf_span(&text)));
	assert_int_equal(unit_read(&again, buf_span(&text)), 0);
	assert_int_equal(again.count, u.count);
	for (size_t i = 0; i < u.count; i++)
		assert_string_equal(again.words[i], u.words[i]);
	assert_string_equal(again.home, home);
	assert_string_equal(again.workspace, workspace);
	unit_fini(&again);
	unit_fini(&u);
	buf_fini(&text);
}

static void
control_characters_are_refused(void **state)
{
	static const char *const words[] = { "/bin/a\nExecStartPre=/bin/b", "gateway", "start",
		NULL };
	struct buf text = { 0 };
	struct unit u;

	(void)state;
	fill(&u, words);
	assert_int_equal(unit_write(&u, &text), -EINVAL);
	unit_fini(&u);
	buf_fini(&text);
}

static void
edited_units_are_read(void **state)
{
	static const char text[] = "[Service]\n"
				   "ExecStart=/old gateway start\n"
				   "ExecStart=/usr/bin/lurkbot gateway start \\\n"
				   "    --port '80' --host=\"a b\"\n"
				   "Environment=A=1 \"LURKBOT_HOME=/x y\" B=2\n"
				   "Environment=LURKBOT_WORKSPACE=/w";
	struct unit u;

	(void)state;
	assert_int_equal(unit_read(&u, span_cstr(text)), 0);
	assert_int_equal(u.count, 6);
	assert_string_equal(u.words[0], "/usr/bin/lurkbot");
	assert_string_equal(u.words[4], "80");
	assert_string_equal(u.words[5], "--host=a b");
	assert_string_equal(u.home, "/x y");
	assert_string_equal(u.workspace, "/w");
	assert_false(unit_is_ours(span_cstr(text)));
	unit_fini(&u);
}

static void
others_are_refused(void **state)
{
	static const char *const texts[] = { "", "[Service]\nExecStart=/bin/true\n",
		"ExecStart=\"/bin/lurkbot gateway start\n", "ExecStart=/bin/lurkbot gateway stop\n",
		"Environment='LURKBOT_HOME=/x\n", "ExecStart=", "\\", "ExecStart=\\" };
	struct unit u;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(unit_read(&u, span_cstr(texts[i])), -EINVAL);
		unit_fini(&u);
	}
}

static void
too_many_words_are_refused(void **state)
{
	struct buf text = { 0 };
	struct unit u;

	(void)state;
	buf_append_cstr(&text, "ExecStart=/bin/lurkbot gateway start");
	for (int i = 0; i < UNIT_WORDS_MAX; i++)
		buf_append_cstr(&text, " x");
	assert_int_equal(unit_read(&u, buf_span(&text)), -E2BIG);
	unit_fini(&u);
	buf_fini(&text);
}

static void
read_without_memory(void *arg)
{
	static const char text[] = "ExecStart=/bin/lurkbot gateway start --port 1\n"
				   "Environment=LURKBOT_HOME=/x LURKBOT_WORKSPACE=/y\n";
	struct unit u;
	int r = unit_read(&u, span_cstr(text));

	(void)arg;
	assert_true(r == 0 || r == -ENOMEM);
	unit_fini(&u);
}

static void
memory_may_fail(void **state)
{
	(void)state;
	assert_true(support_alloc_try_each(read_without_memory, NULL) > 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(control_characters_are_refused),
		cmocka_unit_test(edited_units_are_read),
		cmocka_unit_test(others_are_refused),
		cmocka_unit_test(too_many_words_are_refused),
		cmocka_unit_test(memory_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
