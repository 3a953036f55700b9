/*
 * Signed tokens: the examples of the RFCs, what a signed token may say, and every way that is known
 * of making one that is not.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "proto/base64url.h"
#include "proto/bearer.h"
#include "proto/jwt.h"

enum { TOKEN_ROOM = 8192 };

#define NOW_MS	  UINT64_C(1800000000000)
#define EXP	  ",\"exp\":1800000001"
#define HS_HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define ED_HEADER "{\"alg\":\"EdDSA\"}"
#define CLAIMS	  "{\"sub\":\"ci\"" EXP "}"

static const char secret[] = "0123456789abcdef0123456789abcdef";

/* RFC 8037 appendix A.1: the private key, and A.2: the public key of it. */
static const char rfc8037_d[] = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
static const char rfc8037_x[] = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

static uint8_t public_key[JWT_PUBLIC_KEY_BYTES], private_key[32];

static struct span
key_span(const void *bytes, size_t n)
{
	return span_make(bytes, n);
}

static struct jwt_keys
both_keys(void)
{
	return (struct jwt_keys){
		.secret = key_span(secret, sizeof(secret) - 1),
		.public_key = key_span(public_key, sizeof(public_key)),
	};
}

static int
set_up(void **state)
{
	size_t n;

	(void)state;
	if (base64url_decode(span_cstr(rfc8037_x), public_key, sizeof(public_key), &n) != 0 ||
	    base64url_decode(span_cstr(rfc8037_d), private_key, sizeof(private_key), &n) != 0)
		return -1;
	return 0;
}

/* --- making tokens ---------------------------------------------------------------------------- */

static size_t
put_part(char *token, size_t at, const void *bytes, size_t n)
{
	assert_true(at + BASE64URL_ENCODED(n) + 2 < TOKEN_ROOM);
	base64url_encode(bytes, n, token + at);
	return at + BASE64URL_ENCODED(n);
}

static size_t
put_signed(char *token, const char *header, const char *claims)
{
	size_t at = put_part(token, 0, header, strlen(header));

	token[at++] = '.';
	return put_part(token, at, claims, strlen(claims));
}

static struct span
sign_hs256(char *token, const char *header, const char *claims, const void *key, size_t key_n)
{
	size_t at = put_signed(token, header, claims);
	uint8_t mac[32];
	unsigned n = sizeof(mac);

	assert_non_null(HMAC(EVP_sha256(), key, (int)key_n, (const uint8_t *)token, at, mac, &n));
	token[at++] = '.';
	return span_make(token, put_part(token, at, mac, n));
}

static struct span
sign_eddsa(char *token, const char *header, const char *claims)
{
	EVP_PKEY *key =
	    EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, private_key, sizeof(private_key));
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t at = put_signed(token, header, claims), n = 64;
	uint8_t signature[64];

	assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, key), 1);
	assert_int_equal(EVP_DigestSign(ctx, signature, &n, (const uint8_t *)token, at), 1);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	token[at++] = '.';
	return span_make(token, put_part(token, at, signature, n));
}

static void
expect_with(struct span token, const struct jwt_keys *keys, enum jwt_verdict wanted)
{
	struct jwt jwt = { .scopes_count = 99 };
	enum jwt_verdict verdict = jwt_check(token, keys, NOW_MS, &jwt);

	if (verdict != wanted)
		print_error("%s, not %s: %.*s\n", jwt_verdict_name(verdict),
		    jwt_verdict_name(wanted), SPAN_ARGS(token));
	assert_int_equal(verdict, wanted);
	if (wanted != JWT_GOOD)
		assert_int_equal(jwt.scopes_count, 99);
}

static void
expect(struct span token, enum jwt_verdict wanted)
{
	const struct jwt_keys keys = both_keys();

	expect_with(token, &keys, wanted);
}

/* A token of these claims, signed as it should be. */
static void
expect_claims(const char *claims, enum jwt_verdict wanted)
{
	char token[TOKEN_ROOM];

	expect(sign_hs256(token, HS_HEADER, claims, secret, strlen(secret)), wanted);
	expect(sign_eddsa(token, ED_HEADER, claims), wanted);
}

/* A token of this header, signed as it should be. */
static void
expect_header(const char *header, enum jwt_verdict wanted)
{
	char token[TOKEN_ROOM];

	expect(sign_hs256(token, header, CLAIMS, secret, strlen(secret)), wanted);
}

/* --- the RFCs --------------------------------------------------------------------------------- */

/* RFC 7515 appendix A.1: the signature is good, and then sub is missing. */
static void
the_hs256_example_of_rfc_7515(void **state)
{
	static const char k[] =
	    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4"
	    "hcgUuTwjAzZr1Z9CAow";
	char token[] = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
		       "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS"
		       "9pc19yb290Ijp0cnVlfQ."
		       "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
	uint8_t key[64];
	size_t n;
	struct jwt_keys keys;

	(void)state;
	assert_int_equal(base64url_decode(span_cstr(k), key, sizeof(key), &n), 0);
	keys = (struct jwt_keys){ .secret = key_span(key, n) };
	expect_with(span_cstr(token), &keys, JWT_BAD_CLAIMS);
	token[sizeof(token) - 3] = 'Y';
	expect_with(span_cstr(token), &keys, JWT_BAD_SIGNATURE);
}

/* RFC 8037 appendix A.4: the signature is good, and then the payload is no JSON. */
static void
the_ed25519_example_of_rfc_8037(void **state)
{
	char token[] = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
		       "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVv"
		       "pAr_MuM0KAg";

	(void)state;
	expect(span_cstr(token), JWT_MALFORMED);
	token[22] = 'S';
	expect(span_cstr(token), JWT_BAD_SIGNATURE);
}

/* --- what is good ----------------------------------------------------------------------------- */

static void
what_a_token_says(void **state)
{
	const struct jwt_keys keys = both_keys();
	char token[TOKEN_ROOM];
	struct jwt jwt;

	(void)state;
	assert_int_equal(
	    jwt_check(sign_eddsa(token, ED_HEADER,
			  "{\"sub\":\"d\\u0061ve\",\"exp\":1800000001,\"nbf\":1800000000,"
			  "\"scopes\":[\"read\",\"a-scope-of-somebody-else\",\"wr\\u0069te\"]}"),
		&keys, NOW_MS, &jwt),
	    JWT_GOOD);
	assert_int_equal(jwt.algorithm, JWT_EDDSA);
	assert_string_equal(jwt.subject, "dave");
	assert_int_equal(jwt.expires_ms, NOW_MS + 1000);
	assert_int_equal(jwt.scopes_count, 2);
	assert_string_equal(jwt.scopes[0], "read");
	assert_string_equal(jwt.scopes[1], "write");
	expect_claims(CLAIMS, JWT_GOOD);
	expect_claims("{\"sub\":\"ci\",\"scopes\":[]" EXP "}", JWT_GOOD);
	expect_header("{\"alg\":\"HS256\"}", JWT_GOOD);
	expect_header("{\"typ\":\"jwt\",\"kid\":\"1\",\"alg\":\"HS256\"}", JWT_GOOD);
}

static void
time_and_audience(void **state)
{
	struct jwt_keys keys = both_keys();
	char token[TOKEN_ROOM];

	(void)state;
	expect_claims("{\"sub\":\"ci\",\"exp\":1800000000}", JWT_EXPIRED);
	expect_claims("{\"sub\":\"ci\",\"exp\":0}", JWT_EXPIRED);
	expect_claims("{\"sub\":\"ci\",\"nbf\":1800000030" EXP "}", JWT_GOOD);
	expect_claims("{\"sub\":\"ci\",\"nbf\":1800000031" EXP "}", JWT_TOO_EARLY);
	expect_claims("{\"sub\":\"ci\",\"aud\":\"us\"" EXP "}", JWT_WRONG_AUDIENCE);
	expect_claims("{\"sub\":\"ci\",\"aud\":null" EXP "}", JWT_WRONG_AUDIENCE);
	keys.audience = SPAN("us");
	expect_with(sign_eddsa(token, ED_HEADER, CLAIMS), &keys, JWT_WRONG_AUDIENCE);
	expect_with(sign_eddsa(token, ED_HEADER, "{\"sub\":\"ci\",\"aud\":\"us\"" EXP "}"), &keys,
	    JWT_GOOD);
	expect_with(
	    sign_eddsa(token, ED_HEADER, "{\"sub\":\"ci\",\"aud\":[1,\"them\",\"us\"]" EXP "}"),
	    &keys, JWT_GOOD);
	expect_with(sign_eddsa(token, ED_HEADER, "{\"sub\":\"ci\",\"aud\":[\"use\",\"u\"]" EXP "}"),
	    &keys, JWT_WRONG_AUDIENCE);
	expect_with(sign_eddsa(token, ED_HEADER, "{\"sub\":\"ci\",\"aud\":[]" EXP "}"), &keys,
	    JWT_WRONG_AUDIENCE);
}

/* --- what is not ------------------------------------------------------------------------------ */

static void
claims_that_are_wrong(void **state)
{
	static const char *const bad[] = {
		"{\"sub\":\"ci\"}",
		"{\"exp\":1800000001}",
		"{\"sub\":\"\"" EXP "}",
		"{\"sub\":1" EXP "}",
		"{\"sub\":\"a\\u0000b\"" EXP "}",
		"{\"sub\":\"ci\",\"exp\":\"1800000001\"}",
		"{\"sub\":\"ci\",\"exp\":1800000001.5}",
		"{\"sub\":\"ci\",\"exp\":1e300}",
		"{\"sub\":\"ci\",\"exp\":-1}",
		"{\"sub\":\"ci\",\"exp\":18446744073709551617}",
		"{\"sub\":\"ci\",\"nbf\":\"now\"" EXP "}",
		"{\"sub\":\"ci\",\"scopes\":\"admin\"" EXP "}",
		"{\"sub\":\"ci\",\"scopes\":[1]" EXP "}",
	};
	static const char *const malformed[] = {
		"",
		"[]",
		"null",
		("{\"sub\":\"a\",\"sub\":\"b\"" EXP "}"),
		("{\"sub\":\"ci\"" EXP "}}"),
		("{\"sub\":\"ci\"" EXP),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		expect_claims(bad[i], JWT_BAD_CLAIMS);
	for (size_t i = 0; i < ARRAY_LEN(malformed); i++)
		expect_claims(malformed[i], JWT_MALFORMED);
}

/* A scope with a NUL in it is not the one before the NUL. */
static void
scopes_are_whole_words(void **state)
{
	const struct jwt_keys keys = both_keys();
	char token[TOKEN_ROOM];
	struct jwt jwt;

	(void)state;
	assert_int_equal(jwt_check(sign_eddsa(token, ED_HEADER,
				       "{\"sub\":\"ci\",\"scopes\":[\"admin\\u0000x\"]" EXP "}"),
			     &keys, NOW_MS, &jwt),
	    JWT_GOOD);
	assert_int_equal(jwt.scopes_count, 0);
}

static void
headers_that_are_wrong(void **state)
{
	static const char *const malformed[] = { "{}", "{\"alg\":1}", "{\"alg\":null}", "[]",
		"{\"alg\":\"HS256\",\"typ\":\"JWE\"}", "{\"alg\":\"HS256\",\"typ\":1}",
		"{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", "{\"alg\":\"HS256\",\"crit\":null}",
		"{\"alg\":\"HS256\",\"alg\":\"none\"}" };
	static const char *const keyless[] = { "{\"alg\":\"none\"}", "{\"alg\":\"None\"}",
		"{\"alg\":\"\"}", "{\"alg\":\"hs256\"}", "{\"alg\":\"HS384\"}",
		"{\"alg\":\"RS256\"}", "{\"alg\":\"Ed25519\"}", "{\"alg\":\"HS256\\u0000\"}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(malformed); i++)
		expect_header(malformed[i], JWT_MALFORMED);
	for (size_t i = 0; i < ARRAY_LEN(keyless); i++)
		expect_header(keyless[i], JWT_WRONG_KEY);
}

/* The public key is public: nobody may sign with it as a secret. */
static void
a_public_key_is_no_secret(void **state)
{
	const struct jwt_keys only_public = { .public_key =
						  key_span(public_key, sizeof(public_key)) };
	const struct jwt_keys only_secret = { .secret = key_span(secret, sizeof(secret) - 1) };
	const struct jwt_keys none = { .audience = SPAN("") };
	char token[TOKEN_ROOM];
	struct span forged = sign_hs256(token, HS_HEADER, CLAIMS, public_key, sizeof(public_key));

	(void)state;
	expect_with(forged, &only_public, JWT_WRONG_KEY);
	expect(forged, JWT_BAD_SIGNATURE);
	expect(sign_hs256(token, ED_HEADER, CLAIMS, public_key, sizeof(public_key)),
	    JWT_BAD_SIGNATURE);
	expect_with(sign_eddsa(token, ED_HEADER, CLAIMS), &only_secret, JWT_WRONG_KEY);
	expect_with(sign_hs256(token, HS_HEADER, CLAIMS, "", 0), &none, JWT_WRONG_KEY);
}

/* Whatever byte is changed, it is not let in. */
static void
no_byte_can_be_changed(void **state)
{
	const struct jwt_keys keys = both_keys();
	char token[TOKEN_ROOM];
	struct span whole = sign_hs256(token, HS_HEADER, CLAIMS, secret, strlen(secret));
	struct jwt jwt;

	(void)state;
	for (size_t i = 0; i < whole.n; i++) {
		char was = token[i];

		for (unsigned bit = 0; bit < 8; bit++) {
			token[i] = (char)(was ^ 1 << bit);
			assert_int_not_equal(jwt_check(whole, &keys, NOW_MS, &jwt), JWT_GOOD);
		}
		token[i] = was;
	}
	for (size_t n = 0; n < whole.n; n++)
		assert_int_not_equal(jwt_check(span_make(token, n), &keys, NOW_MS, &jwt), JWT_GOOD);
	expect(whole, JWT_GOOD);
}

static void
shapes_that_are_none(void **state)
{
	static const char *const shapes[] = { "", ".", "..", "a.b", "a..c", ".b.c", "a.b.",
		"a.b.c.d", "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJub25lIn0=.e30.AA", "a b.c.d" };
	static char huge[2 * JWT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
		expect(span_cstr(shapes[i]), JWT_MALFORMED);
	memset(huge, 'A', sizeof(huge));
	huge[10] = huge[20] = '.';
	expect(span_make(huge, sizeof(huge)), JWT_MALFORMED);
	expect(span_make(huge, JWT_MAX), JWT_MALFORMED);
	assert_false(jwt_is_likely(span_make(huge, JWT_MAX + 1)));
	assert_true(jwt_is_likely(SPAN("a.b.c")));
	assert_false(jwt_is_likely(SPAN("a.b")));
}

/* --- base64url and bearer --------------------------------------------------------------------- */

static void
base64url_has_one_text_for_each_value(void **state)
{
	static const struct {
		const char *text, *value;
	} good[] = { { "", "" }, { "Zg", "f" }, { "Zm8", "fo" }, { "Zm9v", "foo" },
		{ "Zm9vYg", "foob" }, { "-_-_", "\xfb\xff\xbf" } };
	static const char *const bad[] = { "Z", "Zh", "Zm9", "Zg==", "Zm9v\n", "+/+/", "Zm9vY",
		"Z g" };
	uint8_t bytes[16];
	char text[16];
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct span value = span_cstr(good[i].value);

		assert_int_equal(
		    base64url_decode(span_cstr(good[i].text), bytes, sizeof(bytes), &n), 0);
		assert_true(span_is_equal(span_make((char *)bytes, n), value));
		base64url_encode((const uint8_t *)value.p, value.n, text);
		assert_true(span_is(span_make(text, BASE64URL_ENCODED(value.n)), good[i].text));
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(
		    base64url_decode(span_cstr(bad[i]), bytes, sizeof(bytes), &n), -EINVAL);
	assert_int_equal(base64url_decode(SPAN("Zm9v"), bytes, 2, &n), -ENOSPC);
}

static enum bearer_verdict
find_bearer(const char *lines, struct span *ret)
{
	static char text[512];
	struct http_fault fault;
	static struct http_head head;
	size_t used;
	int n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", lines);

	assert_int_equal(http_head_parse(text, (size_t)n, &head, &used, &fault), HTTP_HEAD);
	return bearer_find(&head, ret);
}

static void
bearer_is_read_strictly(void **state)
{
	static const char *const bad[] = { "Authorization:\r\n", "Authorization: Bearer\r\n",
		"Authorization: Bearer \r\n", "Authorization: Bearer\tx\r\n",
		"Authorization: x\r\n", "Authorization: Basic eDp5\r\n",
		"Authorization: Bearerx\r\n", "Authorization: Bearer a b\r\n",
		"Authorization: Bearer \xc3\xa4\r\n",
		"Authorization: Bearer a\r\nAuthorization: Bearer a\r\n" };
	static const char *const good[] = { "Authorization: Bearer t-1\r\n",
		"authorization: bearer t-1\r\n", "AUTHORIZATION:BEARER   t-1  \r\n" };
	struct span token;

	(void)state;
	assert_int_equal(find_bearer("X: Authorization: Bearer a\r\n", &token), BEARER_ABSENT);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(find_bearer(bad[i], &token), BEARER_BAD);
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(find_bearer(good[i], &token), BEARER_TOKEN);
		assert_true(span_is(token, "t-1"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hs256_example_of_rfc_7515),
		cmocka_unit_test(the_ed25519_example_of_rfc_8037),
		cmocka_unit_test(what_a_token_says),
		cmocka_unit_test(time_and_audience),
		cmocka_unit_test(claims_that_are_wrong),
		cmocka_unit_test(scopes_are_whole_words),
		cmocka_unit_test(headers_that_are_wrong),
		cmocka_unit_test(a_public_key_is_no_secret),
		cmocka_unit_test(no_byte_can_be_changed),
		cmocka_unit_test(shapes_that_are_none),
		cmocka_unit_test(base64url_has_one_text_for_each_value),
		cmocka_unit_test(bearer_is_read_strictly),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
