/*
 * Tokens, password and keys as settings: where they may stand, what is refused, and that no message
 * and no output ever quotes one.
 */
#include "support_conf.h"

#include <fcntl.h>

#include "conf/change.h"
#include "conf/pack.h"
#include "conf/scope.h"
#include "conf/secret.h"
#include "conf/token.h"
#include "conf/value.h"
#include "support_alloc.h"
#include "support_children.h"

/* SHA-256 of "secret-1". */
#define DIGEST "f7e7c36e458e80e6b6a2c67d0a9ec09bd718dadd7bfa8d6bf6e7ad526e46c2f7"

#define TOKEN_WANTED                                                                        \
	"must be a token of 1 to 4096 visible ASCII characters, sha256: and 64 digits, or " \
	"an object"

static void
expect_digest(const uint8_t digest[CONF_DIGEST_BYTES], const char *secret)
{
	uint8_t wanted[CONF_DIGEST_BYTES];

	assert_int_equal(secret_digest(span_cstr(secret), wanted), 0);
	assert_memory_equal(digest, wanted, sizeof(wanted));
}

static void
expect_token(const struct conf_tokens *tokens, size_t i, const char *name, const char *secret,
    unsigned scopes)
{
	assert_true(i < tokens->count);
	assert_string_equal(tokens->list[i].name, name);
	expect_digest(tokens->list[i].digest, secret);
	assert_int_equal(tokens->list[i].scopes, scopes);
}

static void
private_file(const struct house *h, const char *name, const char *text)
{
	char path[HOUSE_PATH];

	house_file(h, name, text);
	snprintf(path, sizeof(path), "%s/%s", h->dir, name);
	assert_int_equal(chmod(path, 0600), 0);
}

/* --- where they stand ------------------------------------------------------------------------- */

static void
plain_strings(void **state)
{
	struct house *h = *state;
	const struct conf_gateway *c;

	house_variable(h, "LURKBOT_GATEWAY__AUTH_TOKENS=token1, token2,sha256:" DIGEST);
	house_variable(h, "LURKBOT_GATEWAY__AUTH_PASSWORD=pass,word");
	c = house_load(h);
	assert_int_equal(c->auth_tokens.count, 3);
	expect_token(&c->auth_tokens, 0, "token-1", "token1", SCOPE_ALL);
	expect_token(&c->auth_tokens, 1, "token-2", "token2", SCOPE_ALL);
	expect_token(&c->auth_tokens, 2, "token-3", "secret-1", SCOPE_ALL);
	assert_true(c->auth_password.is_set);
	expect_digest(c->auth_password.digest, "pass,word");
}

static void
objects(void **state)
{
	struct house *h = *state;
	const struct conf_gateway *c;

	house_file(h, "home/config.json",
	    "{\"gateway\":{\"auth_tokens\":[\"plain\","
	    "{\"name\":\"ci\",\"token\":\"abc\",\"scopes\":[\"write\"],"
	    "\"events\":[\"agent.*\",\"x\"],\"expires\":\"2027-01-31T12:00:00Z\"},"
	    "{\"name\":\"p\",\"sha256\":\"" DIGEST "\",\"scopes\":[\"provider\",\"admin\"],"
	    "\"expires\":\"2028-02-29\"}]}}");
	c = house_load(h);
	assert_int_equal(c->auth_tokens.count, 3);
	expect_token(&c->auth_tokens, 0, "token-1", "plain", SCOPE_ALL);
	expect_token(&c->auth_tokens, 1, "ci", "abc", SCOPE_READ | SCOPE_WRITE);
	expect_token(&c->auth_tokens, 2, "p", "secret-1", SCOPE_ALL);
	assert_int_equal(c->auth_tokens.list[1].events_count, 2);
	assert_string_equal(c->auth_tokens.list[1].events[0], "agent.*");
	assert_int_equal(c->auth_tokens.list[1].expires_ms, UINT64_C(1801396800000));
	assert_int_equal(c->auth_tokens.list[2].expires_ms, UINT64_C(1835395200000));
}

static void
lines_of_a_file(void **state)
{
	struct house *h = *state;
	const struct conf_tokens *tokens;

	private_file(h, "tokens",
	    "# ours\n\nabc\r\n  sha256:" DIGEST "  name=ci\tscopes=read events=a.*,b "
	    "expires=2027-01-31\nlast");
	house_file(h, "home/config.json",
	    "{\"gateway\":{\"auth_tokens_file\":\"~/tokens\",\"auth_tokens\":[\"one\"]}}");
	assert_int_equal(house_load(h)->auth_tokens.count, 1);
	tokens = &h->conf->file_tokens;
	assert_int_equal(tokens->count, 3);
	expect_token(tokens, 0, "file-3", "abc", SCOPE_ALL);
	expect_token(tokens, 1, "ci", "secret-1", SCOPE_READ);
	expect_token(tokens, 2, "file-5", "last", SCOPE_ALL);
	assert_int_equal(tokens->list[1].events_count, 2);
	assert_true(tokens->list[1].expires_ms > 0);
}

static void
an_empty_file_has_no_token(void **state)
{
	struct house *h = *state;

	private_file(h, "tokens", "");
	house_flag(h, "gateway.auth_tokens_file=~/tokens");
	house_load(h);
	assert_int_equal(h->conf->file_tokens.count, 0);
}

static void
keys(void **state)
{
	struct house *h = *state;

	private_file(h, "secret", "0123456789abcdef0123456789abcdef\n");
	private_file(h, "public.pem",
	    "-----BEGIN PUBLIC KEY-----\n"
	    "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
	    "-----END PUBLIC KEY-----\n");
	house_flag(h, "gateway.auth_jwt_secret_file=~/secret");
	house_flag(h, "gateway.auth_jwt_public_key_file=~/public.pem");
	house_load(h);
	assert_int_equal(h->conf->jwt_secret.n, 32);
	assert_memory_equal(h->conf->jwt_secret.bytes, "0123456789abcdef0123456789abcdef", 32);
	assert_int_equal(h->conf->jwt_public_key.n, 32);
	assert_int_equal(h->conf->jwt_public_key.bytes[0], 0xd7);
	assert_int_equal(h->conf->jwt_public_key.bytes[31], 0x1a);
}

/* --- what is refused -------------------------------------------------------------------------- */

static void
strings_that_are_none(void **state)
{
	struct house *h = *state;

	house_file(h, "home/config.json",
	    "{\"gateway\":{\"auth_tokens\":[\"\",\n\"hidden one\",\n\"hidden\\u0000\",\n7,\n"
	    "\"sha256:hidden\",\n\"***\",\nnull],\n\"auth_password\":[\"hidden\"]}}");
	house_variable(h, "LURKBOT_GATEWAY__AUTH_PASSWORD=hidden\x01");
	house_refuses(h, "@/home/config.json:1: gateway.auth_tokens[0]: " TOKEN_WANTED "\n"
			 "@/home/config.json:2: gateway.auth_tokens[1]: " TOKEN_WANTED "\n"
			 "@/home/config.json:3: gateway.auth_tokens[2]: " TOKEN_WANTED "\n"
			 "@/home/config.json:4: gateway.auth_tokens[3]: " TOKEN_WANTED "\n"
			 "@/home/config.json:5: gateway.auth_tokens[4]: " TOKEN_WANTED "\n"
			 "@/home/config.json:6: gateway.auth_tokens[5]: " TOKEN_WANTED "\n"
			 "@/home/config.json:7: gateway.auth_tokens[6]: " TOKEN_WANTED "\n"
			 "@/home/config.json:8: gateway.auth_password: "
			 "must be 1 to 4096 visible ASCII characters, or sha256: and 64 digits\n"
			 "LURKBOT_GATEWAY__AUTH_PASSWORD: gateway.auth_password: "
			 "must be 1 to 4096 visible ASCII characters, or sha256: and 64 digits\n");
}

/* One faulty object a line, and what is said of it. */
static void
objects_that_are_wrong(void **state)
{
	static const struct {
		const char *object, *fault;
	} cases[] = {
		{ "{}", "a token needs a name" },
		{ "{\"name\":\"a\",\"scopes\":[\"read\"]}",
		    "a token needs either token or sha256" },
		{ "{\"name\":\"a\",\"token\":\"hidden\",\"sha256\":\"" DIGEST
		  "\",\"scopes\":[\"read\"]}",
		    "a token needs either token or sha256" },
		{ "{\"name\":\"a\",\"token\":\"hidden\"}",
		    "a token needs scopes, a list of some of \"read\", \"write\", \"admin\", "
		    "\"provider\"" },
		{ "{\"name\":\"a b\",\"token\":\"hidden\",\"scopes\":[\"read\"]}",
		    "name must be 1 to 64 letters, digits, dots, underscores and hyphens" },
		{ "{\"name\":\"a\",\"token\":\"hidden\",\"scopes\":[]}",
		    "scopes must be a list of some of \"read\", \"write\", \"admin\", "
		    "\"provider\"" },
		{ "{\"name\":\"a\",\"token\":\"hidden\",\"scopes\":[\"root\"]}",
		    "scopes must be a list of some of \"read\", \"write\", \"admin\", "
		    "\"provider\"" },
		{ "{\"name\":\"a\",\"token\":\"hidden\",\"scopes\":[\"read\"],\"events\":[\"*.a\"]"
		  "}",
		    "events must be a list of patterns of events, such as [\"agent.*\"]" },
		{ "{\"name\":\"a\",\"token\":\"hidden\",\"scopes\":[\"read\"],"
		  "\"expires\":\"2027-02-30\"}",
		    "expires must be a date, \"2027-01-31\", or a time, "
		    "\"2027-01-31T12:00:00Z\"" },
		{ "{\"name\":\"a\",\"sha256\":\"hidden\",\"scopes\":[\"read\"]}",
		    "sha256 must be the 64 hexadecimal digits of a token's SHA-256" },
		{ "{\"name\":\"a\",\"token\":\"hidden\",\"scopes\":[\"read\"],\"scope\":1}",
		    "a token has name, token or sha256, scopes, events and expires" },
		{ "{\"name\":\"a\",\"token\":\"hidden\",\"token\":\"b\",\"scopes\":[\"read\"]}",
		    "a member is given twice" },
	};
	struct house *h = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[512], wanted[512];

		snprintf(
		    text, sizeof(text), "{\"gateway\":{\"auth_tokens\":[%s]}}", cases[i].object);
		snprintf(wanted, sizeof(wanted),
		    "@/home/config.json:1: gateway.auth_tokens[0]: %s\n", cases[i].fault);
		house_file(h, "home/config.json", text);
		house_refuses(h, wanted);
	}
}

/* What Jansson would quote as near the fault may be a secret. */
static void
syntax_errors_quote_nothing(void **state)
{
	struct house *h = *state;

	house_file(h, "home/config.json", "{\"gateway\":{\"auth_tokens\":[\"a\" \"hidden\"]}}");
	house_refuses(h, "@/home/config.json:1: no valid JSON: ']' expected\n");
}

static void
lines_that_are_wrong(void **state)
{
	struct house *h = *state;

	private_file(h, "tokens",
	    "hidden user=x\nhidden name=\nhidden scopes=\nhidden scopes=read,\n\nhid\x01"
	    "den\n"
	    "hidden expires=tomorrow\nhidden events=a..b\nsha256:hidden\n");
	house_flag(h, "gateway.auth_tokens_file=~/tokens");
	assert_int_equal(house_try(h), -EINVAL);
	assert_int_equal(h->report.count, 7);
	assert_null(memmem(h->report.text.data, h->report.text.len, "hid", 3));
	assert_non_null(memmem(h->report.text.data, h->report.text.len,
	    "tokens:9: gateway.auth_tokens_file: a line begins with a token", 62));
}

static void
files_that_others_may_read(void **state)
{
	struct house *h = *state;

	house_file(h, "tokens", "abc\n");
	house_file(h, "secret", "0123456789abcdef0123456789abcdef");
	house_flag(h, "gateway.auth_tokens_file=~/tokens");
	house_flag(h, "gateway.auth_jwt_secret_file=~/secret");
	house_refuses(h,
	    "@/tokens: gateway.auth_tokens_file: others may read or write it: chmod 600 it\n"
	    "@/secret: gateway.auth_jwt_secret_file: others may read or write it: chmod 600 "
	    "it\n");
}

static void
keys_that_are_none(void **state)
{
	struct house *h = *state;

	private_file(h, "secret", "0123456789abcdef0123456789abcde\n");
	private_file(h, "public.pem", "-----BEGIN PUBLIC KEY-----\nhidden\n");
	house_flag(h, "gateway.auth_jwt_secret_file=~/secret");
	house_flag(h, "gateway.auth_jwt_public_key_file=~/public.pem");
	house_flag(h, "gateway.auth_tokens_file=/dev/zero");
	house_refuses(h,
	    "/dev/zero: gateway.auth_tokens_file: must be a regular file\n"
	    "@/secret: gateway.auth_jwt_secret_file: must hold at least 32 bytes\n"
	    "@/public.pem: gateway.auth_jwt_public_key_file: must hold an Ed25519 public key in "
	    "PEM form\n");
}

/*
 * One that has another's place from one moment to the next: it is judged as what was opened, and the start
 * waits for nobody who might write to it.
 */
static void
pipes_in_the_place_of_files(void **state)
{
	struct house *h = *state;
	char file[HOUSE_PATH], fifo[HOUSE_PATH];
	pid_t swapper;

	private_file(h, "tokens", "abc\n");
	snprintf(file, sizeof(file), "%s/tokens", h->dir);
	snprintf(fifo, sizeof(fifo), "%s/fifo", h->dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	house_flag(h, "gateway.auth_tokens_file=~/tokens");
	swapper = support_fork();
	while (swapper == 0)
		(void)renameat2(AT_FDCWD, file, AT_FDCWD, fifo, RENAME_EXCHANGE);
	alarm(SUPPORT_PATIENCE_MS / 1000);
	for (unsigned files = 0, pipes = 0; files < 500 || pipes < 500;) {
		int r = house_try(h);

		files += r == 0;
		pipes += r == -EINVAL;
		assert_true(r == 0 || r == -EINVAL);
		assert_true(r == 0 || memmem(h->report.text.data, h->report.text.len,
					  "must be a regular file", 22) != NULL);
	}
	alarm(0);
	support_kill(swapper);
}

static void
names_are_unique(void **state)
{
	struct house *h = *state;

	private_file(h, "tokens", "abc name=token-1\n");
	house_flag(h, "gateway.auth_tokens_file=~/tokens");
	house_variable(h, "LURKBOT_GATEWAY__AUTH_TOKENS=a");
	house_refuses(
	    h, "gateway.auth_tokens: two tokens have the name token-1; give each one of its own\n");
}

static void
secrets_are_unique(void **state)
{
	struct house *h = *state;

	private_file(h, "tokens", "abc name=twin\n");
	house_flag(h, "gateway.auth_tokens_file=~/tokens");
	house_variable(h, "LURKBOT_GATEWAY__AUTH_TOKENS=a,abc");
	house_refuses(
	    h, "gateway.auth_tokens: token-2 and twin are the same token; keep one of them\n");
}

static void
secrets_are_no_flags(void **state)
{
	struct house *h = *state;

	house_flag(h, "gateway.auth_tokens=hidden");
	house_refuses(h,
	    "--auth-tokens: gateway.auth_tokens: is no flag, since everybody could see "
	    "it; use a file or the environment\n");
	assert_null(settings_by_flag(SPAN("--auth-tokens")));
	assert_null(settings_by_flag(SPAN("--auth-password")));
}

static void
there_is_a_limit(void **state)
{
	struct house *h = *state;
	struct buf text = { 0 };

	for (int i = 0; i <= TOKENS_MAX; i++)
		buf_printf(&text, "token-of-%d\n", i);
	buf_append_byte(&text, '\0');
	private_file(h, "tokens", text.data);
	buf_fini(&text);
	house_flag(h, "gateway.auth_tokens_file=~/tokens");
	house_refuses(h, "@/tokens: gateway.auth_tokens_file: there may be at most 1024 tokens\n");
}

/* --- what is shown ---------------------------------------------------------------------------- */

static void
nothing_is_shown(void **state)
{
	struct house *h = *state;
	struct buf text = { 0 };

	private_file(h, "tokens", "hidden-in-file\n");
	house_file(h, "home/config.json",
	    "{\"gateway\":{\"auth_tokens_file\":\"~/tokens\",\"auth_password\":\"hidden\","
	    "\"auth_tokens\":[\"hidden\",{\"name\":\"ci\",\"sha256\":\"" DIGEST
	    "\",\"scopes\":[\"read\"],\"events\":[\"a\"],\"expires\":\"2027-01-31\"}]}}");
	house_load(h);
	conf_write_compact(h->conf, &text, true);
	assert_int_equal(buf_status(&text), 0);
	buf_append_byte(&text, '\0');
	assert_null(strstr(text.data, "hidden"));
	assert_null(strstr(text.data, "f7e7c36e"));
	assert_non_null(strstr(text.data, "\"auth_password\":\"***\""));
	assert_non_null(strstr(text.data,
	    "{\"name\":\"ci\",\"token\":\"***\",\"scopes\":[\"read\"],\"events\":[\"a\"],"
	    "\"expires\":\"2027-01-31T00:00:00Z\"}"));
	buf_fini(&text);
}

static void
the_environment_is_masked(void **state)
{
	char tokens[] = "LURKBOT_GATEWAY__AUTH_TOKENS=hidden-1, hidden-2";
	char token[] = "LURKBOT_GATEWAY_TOKEN=hidden-3";

	(void)state;
	assert_int_equal(putenv(tokens), 0);
	assert_int_equal(putenv(token), 0);
	assert_int_equal(secret_mask_environment(), 0);
	assert_null(getenv("LURKBOT_GATEWAY_TOKEN"));
	assert_null(memmem(tokens, sizeof(tokens), "hidden", 6));
	assert_null(memmem(token, sizeof(token), "hidden", 6));
	assert_int_equal(strlen(getenv("LURKBOT_GATEWAY__AUTH_TOKENS")), 2 * (7 + 64) + 1);
	/* Once more changes nothing: a digest stands for itself. */
	assert_int_equal(secret_mask_environment(), 0);
	assert_int_equal(strlen(getenv("LURKBOT_GATEWAY__AUTH_TOKENS")), 2 * (7 + 64) + 1);
	assert_int_equal(unsetenv("LURKBOT_GATEWAY__AUTH_TOKENS"), 0);
}

/* --- what is handed over ---------------------------------------------------------------------- */

static bool
has_room(const struct conf *next, const struct setting *s, void *arg)
{
	(void)next;
	(void)s;
	(void)arg;
	return true;
}

static void
load_all_kinds(struct house *h)
{
	private_file(h, "tokens", "abc name=x scopes=read events=a.*,b expires=2027-01-31\n");
	private_file(h, "secret", "0123456789abcdef0123456789abcdef");
	house_file(h, "home/config.json",
	    "{\"gateway\":{\"auth_tokens_file\":\"~/tokens\",\"auth_password\":\"p\","
	    "\"auth_jwt_secret_file\":\"~/secret\",\"auth_tokens\":[\"a\",{\"name\":\"ci\","
	    "\"sha256\":\"" DIGEST "\",\"scopes\":[\"read\"],\"events\":[\"a\",\"b\"]}]}}");
	house_load(h);
}

static void
expect_same(const struct conf *a, const struct conf *b)
{
	for (size_t i = 0; i < settings_count(); i++)
		assert_true(value_is_equal(a, b, &settings[i]));
	assert_true(tokens_are_equal(&a->file_tokens, &b->file_tokens));
	assert_int_equal(a->jwt_secret.n, b->jwt_secret.n);
	assert_memory_equal(a->jwt_secret.bytes, b->jwt_secret.bytes, b->jwt_secret.n);
}

static void
packed_and_unpacked(void **state)
{
	struct house *h = *state;
	struct buf bytes = { 0 };
	struct conf *other;

	load_all_kinds(h);
	conf_pack(h->conf, &bytes);
	assert_int_equal(conf_unpack(buf_span(&bytes), &other), 0);
	expect_same(h->conf, other);
	conf_free(other);
	/* Whatever is cut off is missed. */
	for (size_t n = 0; n < bytes.len; n++)
		assert_int_equal(conf_unpack(span_make(bytes.data, n), &other), -EBADMSG);
	buf_fini(&bytes);
}

static void
unpack_once(void *arg)
{
	const struct buf *bytes = arg;
	struct conf *other = NULL;
	int r = conf_unpack(buf_span(bytes), &other);

	assert_true(r == 0 || r == -ENOMEM);
	if (r == 0)
		conf_free(other);
}

static void
unpacked_without_memory(void **state)
{
	struct house *h = *state;
	struct buf bytes = { 0 };

	load_all_kinds(h);
	conf_pack(h->conf, &bytes);
	assert_true(support_alloc_try_each(unpack_once, &bytes) > 50);
	buf_fini(&bytes);
}

static void
copied(void **state)
{
	const struct setting *s = settings_by_key(SPAN("gateway.auth_tokens"));
	const struct setting *password = settings_by_key(SPAN("gateway.auth_password"));
	struct house *h = *state;
	struct conf other = { 0 };

	load_all_kinds(h);
	assert_false(value_is_equal(h->conf, &other, s));
	assert_false(value_is_equal(h->conf, &other, password));
	assert_int_equal(value_copy(&other, h->conf, s), 0);
	assert_int_equal(value_copy(&other, h->conf, password), 0);
	assert_true(value_is_equal(h->conf, &other, s));
	assert_true(value_is_equal(h->conf, &other, password));
	other.gateway.auth_tokens.list[1].events[1][0] = 'c';
	assert_false(value_is_equal(h->conf, &other, s));
	value_clear(&other, s);
	value_clear(&other, password);
}

/* The path of the file stays, what is in it does not: that is a change, too. */
static void
a_file_with_something_else_in_it(void **state)
{
	struct house *h = *state;
	struct conf_changes changes;
	struct conf *before;

	load_all_kinds(h);
	before = h->conf;
	h->conf = NULL;
	private_file(h, "tokens", "other\n");
	house_load(h);
	assert_int_equal(conf_settle(h->conf, before, has_room, NULL, &changes), 0);
	assert_true(span_is(buf_span(&changes.changed), "gateway.auth_tokens_file"));
	assert_int_equal(changes.waiting.len, 0);
	conf_changes_fini(&changes);
	conf_free(before);
}

/* --- memory ----------------------------------------------------------------------------------- */

static void
try_once(void *arg)
{
	struct house *h = arg;
	int r = house_try(h);

	assert_true(r == 0 || r == -ENOMEM);
}

static void
without_memory(void **state)
{
	struct house *h = *state;

	private_file(h, "tokens", "abc name=x scopes=read events=a.*,b\n");
	house_file(h, "home/config.json",
	    "{\"gateway\":{\"auth_tokens_file\":\"~/tokens\",\"auth_password\":\"p\","
	    "\"auth_tokens\":[\"a\",{\"name\":\"ci\",\"sha256\":\"" DIGEST
	    "\",\"scopes\":[\"read\"],\"events\":[\"a\",\"b\"]}]}}");
	assert_true(support_alloc_try_each(try_once, h) > 50);
	assert_int_equal(house_load(h)->auth_tokens.count, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		house_test(plain_strings),
		house_test(objects),
		house_test(lines_of_a_file),
		house_test(an_empty_file_has_no_token),
		house_test(keys),
		house_test(strings_that_are_none),
		house_test(objects_that_are_wrong),
		house_test(syntax_errors_quote_nothing),
		house_test(lines_that_are_wrong),
		house_test(files_that_others_may_read),
		house_test(keys_that_are_none),
		house_test(pipes_in_the_place_of_files),
		house_test(names_are_unique),
		house_test(secrets_are_unique),
		house_test(secrets_are_no_flags),
		house_test(there_is_a_limit),
		house_test(nothing_is_shown),
		cmocka_unit_test(the_environment_is_masked),
		house_test(packed_and_unpacked),
		house_test(unpacked_without_memory),
		house_test(copied),
		house_test(a_file_with_something_else_in_it),
		house_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
