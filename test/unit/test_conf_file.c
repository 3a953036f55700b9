/*
 * Configuration files: what they may hold, and every kind of error with its line.
 */
#include "support_conf.h"

#define ORIGIN "an origin without a path, such as https://chat.example.org:8443"
#define HOST   "a host name or an IP address, such as 127.0.0.1, ::1 or 0.0.0.0"

static void
every_type_is_read(void **state)
{
	struct house *h = *state;
	const struct conf_gateway *g;

	house_file(h, "home/config.json",
	    "// all of it\n{\"gateway\": { // here\n"
	    "\"host\": \"::\", \"port\": 0, \"max_payload\": 1024, \"ring_bytes\": 68719476736,\n"
	    "\"listen_backlog\": 5, \"echo\": true, \"log_level\": \"error\",\n"
	    "\"log_format\": \"json\", \"log_file\": \"~/x//y.log\",\n"
	    "\"allowed_origins\": [\"https://a.example\", // the first\n\"http://b:8080\"]\n}}\n");
	g = house_load(h);
	assert_string_equal(g->host, "::");
	assert_int_equal(g->port, 0);
	assert_int_equal(g->max_payload, 1024);
	assert_true(g->ring_bytes == 68719476736);
	assert_int_equal(g->listen_backlog, 5);
	assert_true(g->echo);
	assert_int_equal(g->log_level, LOG_LEVEL_ERROR);
	assert_int_equal(g->log_format, LOG_FORMAT_JSON);
	assert_int_equal(g->allowed_origins_count, 2);
	assert_string_equal(g->allowed_origins[0], "https://a.example");
	assert_string_equal(g->allowed_origins[1], "http://b:8080");
	house_source(h, "gateway.allowed_origins", "@/home/config.json:6");
}

/* The files belong to all of LurkBot. */
static void
other_sections_are_not_looked_at(void **state)
{
	struct house *h = *state;

	house_file(h, "home/config.json",
	    "{\"agents\":{\"gateway\":{\"x\":1}},\"a\":1,\"a\":\"\\u0000\",\"Gateway\":7,"
	    "\"url\":\"http://x\",\"cron\":{},\"hooks\":{},\"skills\":{},\"gateway\":{}}");
	house_load(h);
	house_file(h, "home/config.json", "{}");
	house_load(h);
}

static void
unknown_keys(void **state)
{
	struct house *h = *state;

	house_file(h, "home/config.json",
	    "{\"gateway\":{\n\"prot\":1,\n\"no_such_thing\":true,\n\"logLevel\":{}},\n"
	    "\"cron\":{\"enabled\":1},\n\"skills\":{\n\"\\u0061\\n\":[]}}");
	house_refuses(h,
	    "@/home/config.json:2: gateway.prot: unknown setting; did you mean gateway.port?\n"
	    "@/home/config.json:3: gateway.no_such_thing: unknown setting; "
	    "lurkbot-config(5) lists those that exist\n"
	    "@/home/config.json:4: gateway.logLevel: unknown setting; "
	    "did you mean gateway.log_level?\n"
	    "@/home/config.json:5: cron.enabled: unknown setting; "
	    "this version has none under cron\n"
	    "@/home/config.json:7: skills.a\\x0a: unknown setting; "
	    "this version has none under skills\n");
}

static void
wrong_types(void **state)
{
	struct house *h = *state;

	house_file(h, "home/config.json",
	    "{\"gateway\":{\"host\":1,\n\"port\":\"8080\",\n\"workers\":1.0,\n"
	    "\"max_in_flight\":null,\n\"echo\":\"true\",\n\"log_level\":3,\n\"log_file\":{},\n"
	    "\"allowed_origins\":\"http://a\",\n\"max_payload\":[1]}}");
	house_refuses(h,
	    "@/home/config.json:1: gateway.host: must be " HOST ", not 1\n"
	    "@/home/config.json:2: gateway.port: must be an integer from 0 to 65535, not \"8080\"\n"
	    "@/home/config.json:3: gateway.workers: "
	    "must be an integer from 0 to 256 (processes), not 1.0\n"
	    "@/home/config.json:4: gateway.max_in_flight: "
	    "must be an integer from 1 to 1024 (requests), not null\n"
	    "@/home/config.json:5: gateway.echo: must be true or false, not \"true\"\n"
	    "@/home/config.json:6: gateway.log_level: "
	    "must be \"debug\", \"info\", \"warning\" or \"error\", not 3\n"
	    "@/home/config.json:7: gateway.log_file: "
	    "must be the path of a file that begins with / or ~/, not an object\n"
	    "@/home/config.json:8: gateway.allowed_origins: "
	    "must be a list of strings, not \"http://a\"\n"
	    "@/home/config.json:9: gateway.max_payload: "
	    "must be an integer from 1024 to 268435456 (bytes), not a list\n");
}

static void
wrong_values(void **state)
{
	struct house *h = *state;

	house_file(h, "home/config.json",
	    "{\"gateway\":{\"host\":\"\",\n\"port\":65536,\n\"workers\":-1,\n"
	    "\"log_level\":\"eror\",\n\"log_format\":\"yaml\",\n\"log_file\":\"x.log\",\n"
	    "\"allowed_origins\":\n[\"http://a\",\n\"*\",\n 7,\"http://a\\u0000\"]}}");
	house_refuses(h,
	    "@/home/config.json:1: gateway.host: must be " HOST ", not \"\"\n"
	    "@/home/config.json:2: gateway.port: must be an integer from 0 to 65535, not 65536\n"
	    "@/home/config.json:3: gateway.workers: "
	    "must be an integer from 0 to 256 (processes), not -1\n"
	    "@/home/config.json:4: gateway.log_level: must be \"debug\", \"info\", \"warning\" or "
	    "\"error\", not \"eror\"; did you mean \"error\"?\n"
	    "@/home/config.json:5: gateway.log_format: must be \"text\" or \"json\", not \"yaml\"\n"
	    "@/home/config.json:6: gateway.log_file: "
	    "must be the path of a file that begins with / or ~/, not \"x.log\"\n"
	    "@/home/config.json:9: gateway.allowed_origins[1]: must be " ORIGIN ", not \"*\"\n"
	    "@/home/config.json:10: gateway.allowed_origins[2]: must be " ORIGIN ", not 7\n"
	    "@/home/config.json:10: gateway.allowed_origins[3]: must be " ORIGIN
	    ", not \"http://a\\u0000\"\n");
}

static void
bounds_are_inclusive(void **state)
{
	struct house *h = *state;
	char flag[SETTING_NAME_MAX + 32];

	house_flag(h, "gateway.mailbox_bytes=1073741824");
	house_flag(h, "gateway.ring_bytes=68719476736");
	house_flag(h, flag);
	for (size_t i = 0; i < settings_count(); i++) {
		const struct setting *s = &settings[i];

		if (s->type != SETTING_INT)
			continue;
		for (int side = 0; side < 2; side++) {
			int64_t bound = side == 0 ? s->min : s->max;

			snprintf(flag, sizeof(flag), "%s=%jd", s->key,
			    (intmax_t)(side == 0 ? bound - 1 : bound + 1));
			assert_int_equal(house_try(h), -EINVAL);
			assert_int_equal(h->report.count, 1);
			snprintf(flag, sizeof(flag), "%s=%jd", s->key, (intmax_t)bound);
			if (house_try(h) == 0)
				continue;
			assert_non_null(memmem(
			    h->report.text.data, h->report.text.len, "gateway.max_payload", 19));
		}
	}
}

static void
keys_given_twice(void **state)
{
	struct house *h = *state;

	house_file(h, "home/config.json",
	    "{\"gateway\":{\"port\":1,\n\"workers\":0,\n\"p\\u006frt\":99999},\n"
	    "\"gateway\":{\"x\":1,\n\"x\":2}}");
	house_refuses(h,
	    "@/home/config.json:3: gateway.port: given twice, first on line 1; keep one of them\n"
	    "@/home/config.json:3: gateway.port: must be an integer from 0 to 65535, not 99999\n"
	    "@/home/config.json:4: gateway: given twice, first on line 1; keep one of them\n"
	    "@/home/config.json:4: gateway.x: unknown setting; "
	    "lurkbot-config(5) lists those that exist\n"
	    "@/home/config.json:5: gateway.x: given twice, first on line 4; keep one of them\n"
	    "@/home/config.json:5: gateway.x: unknown setting; "
	    "lurkbot-config(5) lists those that exist\n");
}

static void
sections_are_objects(void **state)
{
	struct house *h = *state;

	house_file(h, "home/config.json", "{\"gateway\":[],\n\"cron\":null,\n\"hooks\":\"{\"}");
	house_refuses(h,
	    "@/home/config.json:1: gateway: must be an object with settings, in braces\n"
	    "@/home/config.json:2: cron: must be an object with settings, in braces\n"
	    "@/home/config.json:3: hooks: must be an object with settings, in braces\n");
}

/* The first line of what is wrong with this text begins so, @ standing for the folder. */
static void
assert_no_json(struct house *h, const char *text, size_t n, const char *begin)
{
	char *should = house_text(h, begin);

	house_bytes(h, "home/config.json", text, n);
	assert_int_equal(house_try(h), -EINVAL);
	assert_int_equal(h->report.count, 1);
	if (!span_has_prefix(buf_span(&h->report.text), span_cstr(should)))
		fail_msg("%.*s", SPAN_ARGS(buf_span(&h->report.text)));
	free(should);
}

static void
what_is_no_json(void **state)
{
	struct house *h = *state;

#define CASE(text, begin) assert_no_json(h, text, sizeof(text) - 1, "@/home/config.json:" begin)
	CASE("", "1: no valid JSON: ");
	CASE("{\n\"gateway\":{\n\"port\":1,}}", "3: no valid JSON: ");
	CASE("{\n} x", "2: no valid JSON: ");
	CASE("{\"a\":1 /* x */}", "1: no valid JSON: ");
	CASE("{\"a\":\"x\ny\"}", "1: no valid JSON: ");
	CASE("{\"a\":\xff}", "1: no valid JSON: ");
	CASE("{\"a\":\"\xff\"}", "1: no valid JSON: ");
	CASE("{\"a\":\0}", "1: no valid JSON: ");
	CASE("{\"a\\u0000\":1}", "1: no valid JSON: ");
	CASE("\n[]", "1: must be one JSON object, such as {\"gateway\": {\"port\": 18789}}\n");
	CASE("7", "1: must be one JSON object, such as {\"gateway\": {\"port\": 18789}}\n");
#undef CASE
}

static void
files_that_cannot_be_read(void **state)
{
	struct house *h = *state;
	char path[HOUSE_PATH];

	snprintf(path, sizeof(path), "%s/home/config.json", h->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/home/.env", h->dir);
	assert_int_equal(symlink(".env", path), 0);
	house_refuses(h, "@/home/config.json: cannot be read: Is a directory\n"
			 "@/home/.env: cannot be read: Too many levels of symbolic links\n");
}

static void
a_chosen_file_must_be_there(void **state)
{
	struct house *h = *state;

	h->request.config_file = "~/none.json";
	house_refuses(h, "@/none.json: cannot be read: No such file or directory\n");
}

static void
files_that_are_too_long(void **state)
{
	enum { LENGTH = 1048576 };
	struct house *h = *state;
	char *text = malloc(LENGTH + 1);

	memset(text, ' ', LENGTH + 1);
	memcpy(text, "{}", 2);
	house_bytes(h, "home/config.json", text, LENGTH);
	house_load(h);
	text[LENGTH] = ' ';
	house_bytes(h, "home/config.json", text, LENGTH + 1);
	text[0] = '#';
	house_bytes(h, "home/.env", text, LENGTH + 1);
	house_refuses(h, "@/home/config.json: is longer than 1048576 bytes\n"
			 "@/home/.env: is longer than 1048576 bytes\n");
	free(text);
}

/* Many errors cost no more than many lines. */
static void
a_file_full_of_errors(void **state)
{
	struct house *h = *state;
	struct buf text = { 0 };

	buf_append_cstr(&text, "{\"gateway\":{\"x\":0");
	for (int i = 0; i < 50000; i++)
		buf_printf(&text, ",\n\"x%d\":%d", i, i);
	buf_append_cstr(&text, "}}");
	house_bytes(h, "home/config.json", text.data, text.len);
	assert_int_equal(house_try(h), -EINVAL);
	assert_int_equal(h->report.count, 50001);
	buf_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		house_test(every_type_is_read),
		house_test(other_sections_are_not_looked_at),
		house_test(unknown_keys),
		house_test(wrong_types),
		house_test(wrong_values),
		house_test(bounds_are_inclusive),
		house_test(keys_given_twice),
		house_test(sections_are_objects),
		house_test(what_is_no_json),
		house_test(files_that_cannot_be_read),
		house_test(a_chosen_file_must_be_there),
		house_test(files_that_are_too_long),
		house_test(a_file_full_of_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
