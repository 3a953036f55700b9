/*
 * Which place wins: each pair of neighbours, from the defaults up to the flags.
 */
#include "support_conf.h"

static void
defaults_are_at_the_bottom(void **state)
{
	struct house *h = *state;
	const struct conf_gateway *g = house_load(h);

	assert_string_equal(g->host, "127.0.0.1");
	assert_int_equal(g->port, 18789);
	assert_int_equal(g->workers, 0);
	assert_int_equal(g->max_connections, 100000);
	assert_int_equal(g->max_payload, 1048576);
	assert_int_equal(g->max_buffered_bytes, 1048576);
	assert_int_equal(g->max_in_flight, 64);
	assert_int_equal(g->max_fragments, 1024);
	assert_int_equal(g->handshake_timeout_ms, 10000);
	assert_int_equal(g->ping_interval_ms, 30000);
	assert_int_equal(g->pong_timeout_ms, 10000);
	assert_int_equal(g->drain_timeout_ms, 10000);
	assert_int_equal(g->listen_backlog, 4096);
	assert_int_equal(g->ring_bytes, 33554432);
	assert_int_equal(g->mailbox_bytes, 4194304);
	assert_int_equal(g->allowed_origins_count, 0);
	assert_false(g->echo);
	assert_int_equal(g->log_level, LOG_LEVEL_INFO);
	assert_int_equal(g->log_format, LOG_FORMAT_TEXT);
	for (size_t i = 0; i < settings_count(); i++)
		house_source(h, settings[i].key, "built-in");
	assert_null(h->conf->config_path);
	assert_int_equal(h->conf->files_count, 0);
}

static void
the_system_file_beats_defaults(void **state)
{
	struct house *h = *state;

	house_file(h, "system.json", "{\n\"gateway\":\n{ \"port\": 1 } }");
	assert_int_equal(house_load(h)->port, 1);
	house_source(h, "gateway.port", "@/system.json:3");
	assert_string_equal(h->conf->config_path, h->system_file);
	assert_int_equal(h->conf->files_count, 1);
}

static void
the_home_file_beats_the_system_file(void **state)
{
	struct house *h = *state;
	const struct conf_gateway *g;

	house_file(h, "system.json", "{\"gateway\":{\"port\":1,\"workers\":1}}");
	house_file(h, "home/config.json", "{\"gateway\":{\"port\":2}}");
	g = house_load(h);
	assert_int_equal(g->port, 2);
	assert_int_equal(g->workers, 1);
	house_source(h, "gateway.port", "@/home/config.json:1");
	house_source(h, "gateway.workers", "@/system.json:1");
	assert_int_equal(h->conf->files_count, 2);
	assert_string_equal(h->conf->files[0], h->system_file);
	assert_string_equal(h->conf->files[1], h->conf->config_path);
}

static void
the_chosen_file_stands_for_both(void **state)
{
	struct house *h = *state;
	char path[HOUSE_PATH];
	const struct conf_gateway *g;

	house_file(h, "system.json", "{\"gateway\":{\"port\":1,\"prot\":1}}");
	house_file(h, "home/config.json", "{\"gateway\":{\"workers\":2}} nonsense");
	house_file(h, "chosen.json", "{\"gateway\":{\"port\":3}}");
	assert_int_equal(chdir(h->dir), 0);
	h->request.config_file = "./chosen.json";
	g = house_load(h);
	assert_int_equal(g->port, 3);
	assert_int_equal(g->workers, 0);
	snprintf(path, sizeof(path), "%s/chosen.json", h->dir);
	assert_string_equal(h->conf->config_path, path);
	assert_int_equal(chdir("/"), 0);
}

static void
dotenv_beats_files(void **state)
{
	struct house *h = *state;
	const struct conf_gateway *g;

	house_file(h, "chosen.json", "{\"gateway\":{\"port\":3,\"workers\":3}}");
	h->request.config_file = house_text(h, "@/chosen.json");
	house_file(h, "home/.env", "# x\nLURKBOT_GATEWAY__PORT=4\n");
	g = house_load(h);
	assert_int_equal(g->port, 4);
	assert_int_equal(g->workers, 3);
	house_source(h, "gateway.port", "@/home/.env:2");
	assert_int_equal(h->conf->files_count, 2);
	assert_string_equal(h->conf->config_path, h->request.config_file);
	free((char *)(uintptr_t)h->request.config_file);
}

static void
the_environment_beats_dotenv(void **state)
{
	struct house *h = *state;
	const struct conf_gateway *g;

	house_file(h, "home/.env", "LURKBOT_GATEWAY__PORT=4\nLURKBOT_GATEWAY__WORKERS=4\n");
	house_variable(h, "LURKBOT_GATEWAY__PORT=5");
	g = house_load(h);
	assert_int_equal(g->port, 5);
	assert_int_equal(g->workers, 4);
	house_source(h, "gateway.port", "LURKBOT_GATEWAY__PORT");
}

static void
flags_beat_the_environment(void **state)
{
	struct house *h = *state;
	const struct conf_gateway *g;

	house_variable(h, "LURKBOT_GATEWAY__PORT=5");
	house_variable(h, "LURKBOT_GATEWAY__WORKERS=5");
	house_flag(h, "gateway.port=6");
	g = house_load(h);
	assert_int_equal(g->port, 6);
	assert_int_equal(g->workers, 5);
	house_source(h, "gateway.port", "--port");
}

/* The proper name wins within one place, wherever it stands there, but not over a higher place. */
static void
aliases_stand_below_their_names(void **state)
{
	struct house *h = *state;

	house_variable(h, "LURKBOT_GATEWAY_PORT=7");
	house_variable(h, "LURKBOT_GATEWAY_HOST=::1");
	assert_int_equal(house_load(h)->port, 7);
	assert_string_equal(h->conf->gateway.host, "::1");
	house_source(h, "gateway.port", "LURKBOT_GATEWAY_PORT");
	house_file(h, "home/.env", "LURKBOT_GATEWAY__PORT=8\nLURKBOT_GATEWAY_PORT=9\n");
	assert_int_equal(house_load(h)->port, 7);
	house_variable(h, "LURKBOT_GATEWAY__PORT=10");
	assert_int_equal(house_load(h)->port, 10);
	h->request.environ_ = (char *[]){ h->variables[0], NULL };
	assert_int_equal(house_load(h)->port, 8);
}

static void
of_flags_the_last_counts_and_lists_grow(void **state)
{
	struct house *h = *state;
	const struct conf_gateway *g;

	house_variable(h, "LURKBOT_GATEWAY__ALLOWED_ORIGINS=http://lower");
	house_flag(h, "gateway.port=1");
	house_flag(h, "gateway.port=2");
	house_flag(h, "gateway.allowed_origins=http://a, http://b");
	house_flag(h, "gateway.echo");
	house_flag(h, "gateway.allowed_origins=http://c");
	g = house_load(h);
	assert_int_equal(g->port, 2);
	assert_true(g->echo);
	assert_int_equal(g->allowed_origins_count, 3);
	assert_string_equal(g->allowed_origins[0], "http://a");
	assert_string_equal(g->allowed_origins[1], "http://b");
	assert_string_equal(g->allowed_origins[2], "http://c");
	house_source(h, "gateway.allowed_origins", "--allowed-origins");
	house_source(h, "gateway.echo", "--echo");
}

static void
lists_are_replaced_as_a_whole(void **state)
{
	struct house *h = *state;

	house_file(h, "home/config.json",
	    "{\"gateway\":{\"allowed_origins\":[\"http://a\",\"http://b\"]}}");
	assert_int_equal(house_load(h)->allowed_origins_count, 2);
	house_variable(h, "LURKBOT_GATEWAY__ALLOWED_ORIGINS=http://c");
	assert_int_equal(house_load(h)->allowed_origins_count, 1);
	house_flag(h, "gateway.allowed_origins=");
	assert_int_equal(house_load(h)->allowed_origins_count, 0);
}

/* As getenv(3) does. */
static void
of_variables_given_twice_the_first_counts(void **state)
{
	struct house *h = *state;

	house_variable(h, "LURKBOT_GATEWAY__PORT=1");
	house_variable(h, "LURKBOT_GATEWAY__PORT=2");
	assert_int_equal(house_load(h)->port, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		house_test(defaults_are_at_the_bottom),
		house_test(the_system_file_beats_defaults),
		house_test(the_home_file_beats_the_system_file),
		house_test(the_chosen_file_stands_for_both),
		house_test(dotenv_beats_files),
		house_test(the_environment_beats_dotenv),
		house_test(flags_beat_the_environment),
		house_test(aliases_stand_below_their_names),
		house_test(of_flags_the_last_counts_and_lists_grow),
		house_test(lists_are_replaced_as_a_whole),
		house_test(of_variables_given_twice_the_first_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
