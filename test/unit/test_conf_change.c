/* Reloads as far as they concern the configuration alone: what travels, and what changes. */
#include "support_alloc.h"
#include "support_conf.h"

#include "conf/change.h"
#include "conf/pack.h"
#include "conf/value.h"

/* The configuration that the house loads, which is the caller's. */
static struct conf *
load(struct house *h)
{
	struct conf *conf;

	house_load(h);
	conf = h->conf;
	h->conf = NULL;
	return conf;
}

static struct conf *
rich(struct house *h)
{
	house_file(h, "home/config.json",
	    "{\"gateway\":{\"allowed_origins\":[\"http://a.example\",\"http://b.example\"],"
	    "\"echo\":true,\"log_level\":\"error\",\"port\":7}}");
	return load(h);
}

/* --- packing ---------------------------------------------------------------------------------- */

static void
what_is_packed_comes_out_again(void **state)
{
	struct conf *conf = rich(*state), *copy = NULL;
	struct buf bytes = { 0 }, again = { 0 };

	conf_pack(conf, &bytes);
	assert_int_equal(conf_unpack(buf_span(&bytes), &copy), 0);
	for (size_t i = 0; i < settings_count(); i++) {
		assert_true(value_is_equal(conf, copy, &settings[i]));
		assert_string_equal(
		    conf_source(conf, &settings[i]), conf_source(copy, &settings[i]));
	}
	assert_string_equal(conf->home, copy->home);
	assert_string_equal(conf->config_path, copy->config_path);
	assert_int_equal(conf->files_count, copy->files_count);
	conf_pack(copy, &again);
	assert_true(span_is_equal(buf_span(&bytes), buf_span(&again)));
	conf_free(conf);
	conf_free(copy);
	buf_fini(&bytes);
	buf_fini(&again);
}

/* Whatever is cut off or changed is refused, or is another configuration within all bounds. */
static void
other_bytes_are_refused(void **state)
{
	struct conf *conf = rich(*state), *copy = NULL;
	struct buf bytes = { 0 };

	conf_pack(conf, &bytes);
	conf_free(conf);
	for (size_t n = 0; n < bytes.len; n++)
		assert_int_equal(conf_unpack(span_make(bytes.data, n), &copy), -EBADMSG);
	for (size_t i = 0; i < bytes.len; i++) {
		bytes.data[i] = (char)~bytes.data[i];
		if (conf_unpack(buf_span(&bytes), &copy) == 0)
			conf_free(copy);
		bytes.data[i] = (char)~bytes.data[i];
	}
	buf_append_byte(&bytes, 0);
	assert_int_equal(conf_unpack(buf_span(&bytes), &copy), -EBADMSG);
	buf_fini(&bytes);
}

static void
unpack(void *arg)
{
	struct conf *copy = NULL;
	int r = conf_unpack(buf_span(arg), &copy);

	assert_true(r == 0 || r == -ENOMEM);
	if (r == 0)
		conf_free(copy);
}

static void
unpacking_without_memory(void **state)
{
	struct conf *conf = rich(*state);
	struct buf bytes = { 0 };

	conf_pack(conf, &bytes);
	conf_free(conf);
	assert_true(support_alloc_try_each(unpack, &bytes) > 20);
	buf_fini(&bytes);
}

/* --- settling --------------------------------------------------------------------------------- */

static bool
has_room(const struct conf *next, const struct setting *s, void *arg)
{
	(void)arg;
	return strcmp(s->key, "gateway.workers") != 0 || next->gateway.workers <= 64;
}

static void
assert_settled(struct house *h, const char *text, const char *changed, const char *waiting)
{
	struct conf *in_force, *next;
	struct conf_changes changes;

	house_file(h, "home/config.json", "{}");
	in_force = load(h);
	house_file(h, "home/config.json", text);
	next = load(h);
	assert_int_equal(conf_settle(next, in_force, has_room, NULL, &changes), 0);
	assert_true(span_is(buf_span(&changes.changed), changed));
	assert_true(span_is(buf_span(&changes.waiting), waiting));
	for (size_t i = 0; i < settings_count(); i++) {
		const char *key = settings[i].key;

		assert_int_equal(
		    strstr(changed, key) == NULL, value_is_equal(next, in_force, &settings[i]));
		if (strstr(waiting, key) != NULL)
			assert_string_equal(conf_source(next, &settings[i]), "built-in");
	}
	conf_changes_fini(&changes);
	conf_free(in_force);
	conf_free(next);
}

static void
what_can_change_changes(void **state)
{
	assert_settled(*state, "{}", "", "");
	assert_settled(*state,
	    "{\"gateway\":{\"workers\":64,\"echo\":true,\"allowed_origins\":"
	    "[\"http://a.example\"]}}",
	    "gateway.workers gateway.allowed_origins gateway.echo", "");
}

static void
what_needs_a_restart_stays(void **state)
{
	assert_settled(*state,
	    "{\"gateway\":{\"port\":7,\"host\":\"::1\",\"workers\":65,\"log_level\":\"debug\"}}",
	    "gateway.log_level", "gateway.host gateway.port gateway.workers");
}

/* A message of 4 MiB needs the ring and the mailboxes that only a restart brings. */
static void
what_needs_what_waits_waits(void **state)
{
	assert_settled(*state,
	    "{\"gateway\":{\"max_payload\":4194304,\"ring_bytes\":67108864,"
	    "\"mailbox_bytes\":16777216}}",
	    "", "gateway.max_payload gateway.ring_bytes gateway.mailbox_bytes");
	assert_settled(*state, "{\"gateway\":{\"max_payload\":4096,\"ring_bytes\":65536}}",
	    "gateway.max_payload", "gateway.ring_bytes");
}

struct pair {
	const struct conf *in_force;
	struct buf *next;
};

static void
settle(void *arg)
{
	const struct pair *pair = arg;
	struct conf_changes changes = { 0 };
	struct conf *next = NULL;

	if (conf_unpack(buf_span(pair->next), &next) < 0)
		return;
	(void)!conf_settle(next, pair->in_force, has_room, NULL, &changes);
	conf_changes_fini(&changes);
	conf_free(next);
}

static void
settling_without_memory(void **state)
{
	struct house *h = *state;
	struct conf *next = rich(h), *in_force;
	struct buf bytes = { 0 };

	house_file(h, "home/config.json", "{\"gateway\":{\"host\":\"::1\"}}");
	in_force = load(h);
	conf_pack(next, &bytes);
	conf_free(next);
	assert_true(support_alloc_try_each(
			settle, &(struct pair){ .in_force = in_force, .next = &bytes }) > 20);
	conf_free(in_force);
	buf_fini(&bytes);
}

static void
secrets_are_not_shown(void **state)
{
	struct conf *conf = rich(*state);
	struct setting secret = *settings_by_key(SPAN("gateway.host"));
	struct buf out = { 0 };
	struct jsonw w;

	secret.is_secret = true;
	jsonw_init(&w, &out);
	value_write(conf, &secret, &w);
	assert_true(span_is(buf_span(&out), "\"***\""));
	buf_fini(&out);
	conf_free(conf);
}

static void
values_can_be_copied(void **state)
{
	struct house *h = *state;
	struct conf *from = rich(h), *to;

	house_file(h, "home/config.json", "{}");
	to = load(h);
	for (size_t i = 0; i < settings_count(); i++) {
		assert_int_equal(value_copy(to, from, &settings[i]), 0);
		assert_true(value_is_equal(to, from, &settings[i]));
	}
	conf_free(from);
	conf_free(to);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		house_test(what_is_packed_comes_out_again),
		house_test(other_bytes_are_refused),
		house_test(unpacking_without_memory),
		house_test(what_can_change_changes),
		house_test(what_needs_a_restart_stays),
		house_test(what_needs_what_waits_waits),
		house_test(settling_without_memory),
		house_test(secrets_are_not_shown),
		house_test(values_can_be_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
