/*
 * Loading as a whole: the environment, flags, what settings demand of each other, errors of all
 * places in one report, and want of memory at every point.
 */
#include "support_conf.h"

#include <jansson.h>

#include "base/alloc.h"
#include "support_alloc.h"

#define ORIGIN "an origin without a path, such as https://chat.example.org:8443"

static void
text_has_every_type(void **state)
{
	struct house *h = *state;
	const struct conf_gateway *g;

	house_variable(h, "LURKBOT_GATEWAY__HOST=localhost");
	house_variable(h, "LURKBOT_GATEWAY__PORT=0");
	house_variable(h, "LURKBOT_GATEWAY__ECHO=yes");
	house_variable(h, "LURKBOT_GATEWAY__LOG_LEVEL=debug");
	house_variable(h, "LURKBOT_GATEWAY__ALLOWED_ORIGINS= http://a ,\thttp://b:1");
	house_variable(h, "LURKBOT_GATEWAY__LOG_FILE=/var/log/x");
	g = house_load(h);
	assert_string_equal(g->host, "localhost");
	assert_int_equal(g->port, 0);
	assert_true(g->echo);
	assert_int_equal(g->log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(g->allowed_origins_count, 2);
	assert_string_equal(g->allowed_origins[0], "http://a");
	assert_string_equal(g->allowed_origins[1], "http://b:1");
	assert_string_equal(g->log_file, "/var/log/x");
}

static void
booleans_have_four_words_each(void **state)
{
	static const char *const words[] = { "true", "false", "1", "0", "yes", "no", "on", "off" };
	struct house *h = *state;
	char flag[32];

	house_flag(h, flag);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		snprintf(flag, sizeof(flag), "gateway.echo=%s", words[i]);
		assert_int_equal(house_load(h)->echo, i % 2 == 0);
	}
	snprintf(flag, sizeof(flag), "gateway.echo=");
	house_refuses(h, "--echo: gateway.echo: must be true or false, not \"\"\n");
}

static void
variables_that_are_wrong(void **state)
{
	struct house *h = *state;

	house_variable(h, "LURKBOT_GATEWAY__PROT=1");
	house_variable(h, "LURKBOT_GATEWAY__NO_SUCH_THING=true");
	house_variable(h, "LURKBOT_GATEWAY__port=1");
	house_variable(h, "LURKBOT_GATEWAY__=1");
	house_variable(h, "LURKBOT_GATEWAY__PORT=99999999999999999999");
	house_variable(h, "LURKBOT_GATEWAY__WORKERS=");
	house_variable(h, "LURKBOT_GATEWAY__ALLOWED_ORIGINS=http://a,,b,");
	house_variable(h, "LURKBOT_GATEWAY_HOST=a b");
	house_refuses(h,
	    "LURKBOT_GATEWAY_HOST: gateway.host: must be a host name or an IP address, such as "
	    "127.0.0.1, ::1 or 0.0.0.0, not \"a b\"\n"
	    "LURKBOT_GATEWAY__PROT: gateway.prot: unknown setting; "
	    "did you mean LURKBOT_GATEWAY__PORT?\n"
	    "LURKBOT_GATEWAY__NO_SUCH_THING: gateway.no_such_thing: unknown setting; "
	    "lurkbot-config(5) lists those that exist\n"
	    "LURKBOT_GATEWAY__port: gateway.port: unknown setting; "
	    "did you mean LURKBOT_GATEWAY__PORT?\n"
	    "LURKBOT_GATEWAY__: gateway.: unknown setting; "
	    "lurkbot-config(5) lists those that exist\n"
	    "LURKBOT_GATEWAY__PORT: gateway.port: "
	    "must be an integer from 0 to 65535, not \"99999999999999999999\"\n"
	    "LURKBOT_GATEWAY__WORKERS: gateway.workers: "
	    "must be an integer from 0 to 256 (processes), not \"\"\n"
	    "LURKBOT_GATEWAY__ALLOWED_ORIGINS: gateway.allowed_origins[1]: "
	    "must be " ORIGIN ", not \"\"\n"
	    "LURKBOT_GATEWAY__ALLOWED_ORIGINS: gateway.allowed_origins[2]: "
	    "must be " ORIGIN ", not \"b\"\n"
	    "LURKBOT_GATEWAY__ALLOWED_ORIGINS: gateway.allowed_origins[3]: "
	    "must be " ORIGIN ", not \"\"\n");
}

static void
other_variables_are_not_looked_at(void **state)
{
	struct house *h = *state;

	house_variable(h, "LURKBOT_GATEWAY_WORKERS=x");
	house_variable(h, "LURKBOT_GATEWAY_TOKEN=x");
	house_variable(h, "LURKBOT_AGENT__PORT=x");
	house_variable(h, "LURKBOT_GATEWAY__PORT");
	house_variable(h, "lurkbot_gateway__port=x");
	house_variable(h, "PORT=x");
	house_load(h);
}

static void
lines_of_dotenv_that_are_wrong(void **state)
{
	struct house *h = *state;

	house_file(h, "home/.env",
	    "OTHER LINE\nTOKEN='unclosed\nLURKBOT_GATEWAY__PORT 1\n"
	    "LURKBOT_GATEWAY__HOST=\"x\nLURKBOT_GATEWAY__LOG-LEVEL=info\n"
	    "export LURKBOT_GATEWAY__WROKERS=1\nLURKBOT_GATEWAY__ECHO=maybe\n"
	    "LURKBOT_GATEWAY__WORKERS=1\nLURKBOT_GATEWAY__WORKERS=2\nLURKBOT_GATEWAY_PORT x\n");
	house_refuses(h, "@/home/.env:10: LURKBOT_GATEWAY_PORT: "
			 "the name must be followed by = and a value\n"
			 "@/home/.env:3: LURKBOT_GATEWAY__PORT: "
			 "the name must be followed by = and a value\n"
			 "@/home/.env:4: LURKBOT_GATEWAY__HOST: the closing quote is missing\n"
			 "@/home/.env:5: LURKBOT_GATEWAY__LOG-LEVEL: "
			 "names consist of letters, digits and _\n"
			 "@/home/.env:6: gateway.wrokers: unknown setting; "
			 "did you mean LURKBOT_GATEWAY__WORKERS?\n"
			 "@/home/.env:7: gateway.echo: must be true or false, not \"maybe\"\n"
			 "@/home/.env:9: gateway.workers: LURKBOT_GATEWAY__WORKERS is given twice; "
			 "keep one of them\n");
}

static void
flags_that_are_wrong(void **state)
{
	struct house *h = *state;

	house_flag(h, "gateway.prot=1");
	house_flag(h, "colour");
	house_flag(h, "gateway.port");
	house_flag(h, "gateway.port=x");
	house_flag(h, "gateway.log_level=LOUD\n");
	house_refuses(h,
	    "command line: gateway.prot: unknown setting; did you mean gateway.port?\n"
	    "command line: colour: unknown setting\n"
	    "--port: gateway.port: needs a value\n"
	    "--port: gateway.port: must be an integer from 0 to 65535, not \"x\"\n"
	    "--log-level: gateway.log_level: must be \"debug\", \"info\", \"warning\" or "
	    "\"error\", not \"LOUD\\n\"\n");
}

/* A quarter of ring and mailbox; told at the place that wins, with the other one's. */
static void
messages_fit_ring_and_mailbox(void **state)
{
	struct house *h = *state;

	house_flag(h, "gateway.max_payload=1048577");
	house_refuses(h,
	    "--max-payload: gateway.max_payload: must be at most 1048576, a quarter of "
	    "gateway.mailbox_bytes (4194304, built-in), not 1048577\n");
	house_variable(h, "LURKBOT_GATEWAY__MAILBOX_BYTES=4194308");
	assert_int_equal(house_load(h)->max_payload, 1048577);
	house_flag(h, "gateway.ring_bytes=65536");
	house_refuses(h, "--max-payload: gateway.max_payload: must be at most 16384, a quarter of "
			 "gateway.ring_bytes (65536, --ring-bytes), not 1048577\n");
	h->flags[0] = "gateway.workers=1";
	house_refuses(h, "--ring-bytes: gateway.ring_bytes: must be at least 4194304, four times "
			 "gateway.max_payload (1048576, built-in), not 65536\n");
}

/* A value that was refused does not bring errors of others. */
static void
refused_values_are_not_compared(void **state)
{
	struct house *h = *state;

	house_flag(h, "gateway.max_payload=8388608");
	house_flag(h, "gateway.mailbox_bytes=x");
	house_refuses(h, "--mailbox-bytes: gateway.mailbox_bytes: "
			 "must be an integer from 65536 to 1073741824 (bytes), not \"x\"\n");
}

static void
errors_of_all_places_come_together(void **state)
{
	struct house *h = *state;

	house_file(h, "system.json", "{\"gateway\":{\"workers\":true}}");
	house_file(h, "home/config.json", "{");
	house_file(h, "home/.env", "LURKBOT_GATEWAY__WORKERS=a\n");
	house_variable(h, "LURKBOT_GATEWAY__WORKERS=b");
	house_flag(h, "gateway.workers=c");
	house_flag(h, "gateway.max_payload=268435456");
	assert_int_equal(house_try(h), -EINVAL);
	assert_int_equal(h->report.count, 7);
}

/* A higher place that is right does not hide a lower one that is wrong. */
static void
overridden_errors_count(void **state)
{
	struct house *h = *state;

	house_variable(h, "LURKBOT_GATEWAY__PORT=x");
	house_flag(h, "gateway.port=1");
	assert_int_equal(house_try(h), -EINVAL);
	assert_int_equal(h->report.count, 1);
}

static void
the_log_file_is_absolute(void **state)
{
	struct house *h = *state;
	char path[HOUSE_PATH];

	snprintf(path, sizeof(path), "%s/home/logs/gateway.log", h->dir);
	assert_string_equal(house_load(h)->log_file, path);
	snprintf(path, sizeof(path), "%s/x", h->dir);
	house_flag(h, "gateway.log_file=~/./x");
	assert_string_equal(house_load(h)->log_file, path);
}

static void
the_home_may_be_given(void **state)
{
	struct house *h = *state;
	char path[HOUSE_PATH];

	house_file(h, "config.json", "{\"gateway\":{\"port\":1}}");
	h->request.home = h->dir;
	assert_int_equal(house_load(h)->port, 1);
	assert_string_equal(h->conf->home, h->dir);
	snprintf(path, sizeof(path), "%s/logs/gateway.log", h->dir);
	assert_string_equal(h->conf->gateway.log_file, path);
}

/*
 * Loads with the first allocation failing, then the second, and so on: each failure must be told,
 * and without one the status is `should`. Returns the number of failures.
 */
static unsigned
fail_each(struct house *h, int should)
{
	unsigned n = 0;
	int status;

	do {
		support_alloc_fail_at(++n);
		status = house_try(h);
		if (support_alloc_count() >= n)
			assert_int_equal(status, -ENOMEM);
		assert_int_equal(status == 0, h->conf != NULL);
	} while (support_alloc_count() >= n);
	support_alloc_fail_at(0);
	assert_int_equal(status, should);
	return n - 1;
}

static void
want_of_memory(void **state)
{
	struct house *h = *state;

	house_file(h, "home/config.json",
	    "{\"gateway\":{\"host\":\"::\",\"port\":1,\"allowed_origins\":[\"http://a\"]}}");
	house_file(h, "home/.env", "LURKBOT_GATEWAY__PORT=3\nLURKBOT_GATEWAY__HOST='::1'\n");
	house_variable(h, "LURKBOT_GATEWAY_PORT=2");
	house_flag(h, "gateway.log_file=~/x");
	assert_true(fail_each(h, 0) > 50);
}

static void
want_of_memory_while_reporting(void **state)
{
	struct house *h = *state;

	house_file(h, "home/config.json",
	    "{\"gateway\":{\"host\":1,\"prot\":1,\"allowed_origins\":[1,\"x\"]}}");
	house_file(h, "home/.env", "LURKBOT_GATEWAY__HOST='x\nLURKBOT_GATEWAY__X=1\n");
	house_variable(h, "LURKBOT_GATEWAY__PORT=x");
	house_variable(h, "LURKBOT_GATEWAY__LOG_LEVEL=deb");
	house_flag(h, "gateway.x=1");
	house_flag(h, "gateway.max_payload=268435456");
	assert_true(fail_each(h, -EINVAL) > 50);
	assert_int_equal(h->report.count, 11);
}

/*
 * Jansson takes want of memory for a text that is not valid, or loses the last byte of a word: then the
 * refusal says what Jansson read, and where.
 */
static void
want_of_memory_in_jansson(void **state)
{
	struct house *h = *state;
	unsigned n = 0;

	house_file(h, "home/config.json",
	    "{\"gateway\":{\"host\":\"::\",\"port\":1,\"allowed_origins\":[\"http://a\"]}}");
	json_set_alloc_funcs(mem_alloc, mem_free);
	do {
		int status;

		support_alloc_fail_at(++n);
		status = house_try(h);
		if (status == -EINVAL) {
			assert_int_equal(h->report.count, 1);
			assert_non_null(
			    memmem(h->report.text.data, h->report.text.len, "config.json:1: ", 15));
		} else if (status == 0) {
			assert_int_equal(h->conf->gateway.port, 1);
			assert_int_equal(h->conf->gateway.allowed_origins_count, 1);
		} else {
			assert_int_equal(status, -ENOMEM);
		}
	} while (support_alloc_count() >= n);
	support_alloc_fail_at(0);
	json_set_alloc_funcs(malloc, free);
	assert_true(n > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		house_test(text_has_every_type),
		house_test(booleans_have_four_words_each),
		house_test(variables_that_are_wrong),
		house_test(other_variables_are_not_looked_at),
		house_test(lines_of_dotenv_that_are_wrong),
		house_test(flags_that_are_wrong),
		house_test(messages_fit_ring_and_mailbox),
		house_test(refused_values_are_not_compared),
		house_test(errors_of_all_places_come_together),
		house_test(overridden_errors_count),
		house_test(the_log_file_is_absolute),
		house_test(the_home_may_be_given),
		house_test(want_of_memory),
		house_test(want_of_memory_while_reporting),
		house_test(want_of_memory_in_jansson),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
