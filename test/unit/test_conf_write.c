/*
 * What is printed: the configuration in force, which is itself a configuration.
 */
#include "support_conf.h"

#include "conf/settings.h"
#include "conf/value.h"
#include "support_alloc.h"

static void
assert_contains(const struct buf *out, const char *part)
{
	if (memmem(out->data, out->len, part, strlen(part)) == NULL)
		fail_msg("%s is not in %.*s", part, SPAN_ARGS(buf_span(out)));
}

static void
give_every_type(struct house *h)
{
	house_flag(h, "gateway.host=::1");
	house_flag(h, "gateway.port=7");
	house_flag(h, "gateway.echo");
	house_flag(h, "gateway.ring_bytes=68719476736");
	house_flag(h, "gateway.allowed_origins=http://a,http://b");
	house_flag(h, "gateway.log_format=json");
	house_load(h);
}

static void
what_is_printed_can_be_read(void **state)
{
	struct house *h = *state;
	struct buf first = { 0 }, second = { 0 };

	give_every_type(h);
	conf_write(h->conf, &first, false);
	assert_int_equal(buf_status(&first), 0);
	house_bytes(h, "home/config.json", first.data, first.len);
	h->request.flag_count = 0;
	house_load(h);
	for (size_t i = 0; i < settings_count(); i++)
		assert_non_null(strstr(conf_source(h->conf, &settings[i]), "/config.json:"));
	conf_write(h->conf, &second, false);
	assert_true(span_is_equal(buf_span(&first), buf_span(&second)));
	buf_fini(&first);
	buf_fini(&second);
}

static void
people_get_lines(void **state)
{
	struct house *h = *state;
	struct buf out = { 0 };

	give_every_type(h);
	conf_write(h->conf, &out, false);
	assert_true(span_has_prefix(buf_span(&out),
	    SPAN("{\n  \"gateway\": {\n    \"host\": \"::1\",\n    \"port\": 7,\n")));
	assert_contains(&out, "\n    \"allowed_origins\": [\n      \"http://a\",\n");
	assert_contains(&out, "\n    \"ring_bytes\": 68719476736,\n");
	assert_contains(&out, "\n    \"log_format\": \"json\"\n  }\n}\n");
	buf_fini(&out);
}

static void
frames_get_one_line(void **state)
{
	struct house *h = *state;
	struct buf out = { 0 };

	give_every_type(h);
	conf_write_compact(h->conf, &out, false);
	assert_true(span_has_prefix(
	    buf_span(&out), SPAN("{\"gateway\":{\"host\":\"::1\",\"port\":7,\"workers\":0,")));
	assert_contains(&out, "\"echo\":true,");
	assert_null(memchr(out.data, '\n', out.len));
	buf_fini(&out);
}

static void
sources_are_told(void **state)
{
	struct house *h = *state;
	struct buf out = { 0 };
	char *part;

	house_file(h, "home/config.json", "{\"gateway\":\n{\"workers\":1}}");
	give_every_type(h);
	conf_write_compact(h->conf, &out, true);
	part = house_text(h, "{\"home\":\"@/home\",\"files\":[\"@/home/config.json\"],"
			     "\"config\":{\"gateway\":{\"host\":\"::1\",");
	assert_true(span_has_prefix(buf_span(&out), span_cstr(part)));
	free(part);
	assert_contains(&out, "\"sources\":{\"gateway.host\":\"--host\",");
	assert_contains(&out, "\"gateway.log_level\":\"built-in\",");
	part = house_text(h, "\"gateway.workers\":\"@/home/config.json:2\"");
	assert_contains(&out, part);
	free(part);
	buf_reset(&out);
	conf_write(h->conf, &out, true);
	assert_contains(&out, "\n  \"sources\": {\n    \"gateway.host\": \"--host\",\n");
	buf_fini(&out);
}

/* A path need not be UTF-8; JSON must. */
static void
odd_paths_can_be_printed(void **state)
{
	struct house *h = *state;
	struct buf out = { 0 };

	h->request.home = "/\xff\"\n";
	house_load(h);
	conf_write(h->conf, &out, true);
	assert_int_equal(buf_status(&out), 0);
	assert_contains(&out, "\"home\": \"/\xef\xbf\xbd\\\"\\n\"");
	buf_fini(&out);
}

static void
attempt(void *arg)
{
	const struct house *h = arg;
	struct buf out = { 0 };

	conf_write(h->conf, &out, true);
	assert_true(buf_status(&out) < 0 || out.data[out.len - 1] == '\n');
	buf_fini(&out);
}

static void
write_origins(struct buf *out, void *arg)
{
	const struct house *h = arg;
	struct jsonw w;

	jsonw_init(&w, out);
	value_write(h->conf, settings_by_key(SPAN("gateway.allowed_origins")), &w);
}

static void
want_of_memory(void **state)
{
	struct house *h = *state;

	give_every_type(h);
	assert_true(support_alloc_break_off(write_origins, h) > 10);
	assert_true(support_alloc_try_each(attempt, h) > 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		house_test(what_is_printed_can_be_read),
		house_test(people_get_lines),
		house_test(frames_get_one_line),
		house_test(sources_are_told),
		house_test(odd_paths_can_be_printed),
		house_test(want_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
