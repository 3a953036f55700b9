/*
 * Any bytes as a signed token, as base64url, and as an Authorization field. No token is good that was
 * not made with the keys; claims that are signed here are read within their bounds.
 */
#include <errno.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "fuzz.h"
#include "proto/base64url.h"
#include "proto/bearer.h"
#include "proto/jwt.h"

enum { TOKEN_ROOM = 2 * JWT_MAX };

#define NOW_MS UINT64_C(1800000000000)

static const char secret[] = "0123456789abcdef0123456789abcdef";

static const struct jwt_keys keys = {
	.secret = SPAN_INIT("0123456789abcdef0123456789abcdef"),
	.public_key = SPAN_INIT("\xd7\x5a\x98\x01\x82\xb1\x0a\xb7\xd5\x4b\xfe\xd3\xc9\x64\x07\x3a"
				"\x0e\xe1\x72\xf3\xda\xa6\x23\x25\xaf\x02\x1a\x68\xf7\x07\x51\x1a"),
	.audience = SPAN_INIT("us"),
};

static void
check_base64url(struct span text)
{
	uint8_t *bytes = block_new(BASE64URL_DECODED_MAX(text.n));
	size_t n;

	if (base64url_decode(text, bytes, BASE64URL_DECODED_MAX(text.n), &n) == 0) {
		char *again = block_new(BASE64URL_ENCODED(n));

		base64url_encode(bytes, n, again);
		must(span_is_equal(text, span_make(again, BASE64URL_ENCODED(n))));
		free(again);
	}
	free(bytes);
}

static void
check_good(const struct jwt *jwt)
{
	size_t n = strlen(jwt->subject);

	must(n > 0 && n <= JWT_SUBJECT_MAX);
	must(jwt->expires_ms > NOW_MS);
	must(jwt->scopes_count <= JWT_SCOPES_MAX);
	for (unsigned i = 0; i < jwt->scopes_count; i++)
		must(memchr(jwt->scopes[i], '\0', sizeof(jwt->scopes[i])) != NULL);
}

/* Whatever the bytes are, nobody knows the keys. The seeds hold none that is good. */
static void
check_token(struct span token)
{
	enum jwt_verdict verdict;
	struct jwt jwt;

	verdict = jwt_check(token, &keys, NOW_MS, &jwt);
	must(verdict != JWT_GOOD && verdict != JWT_NO_MEMORY);
	must(jwt_verdict_name(verdict)[0] != '\0');
	must(jwt_is_likely(token) || verdict == JWT_MALFORMED);
}

/* The bytes as claims, under a signature that is right. */
static void
check_claims(struct span claims)
{
	static const char header[] = "eyJhbGciOiJIUzI1NiJ9.";
	size_t at = sizeof(header) - 1;
	unsigned n = 32;
	uint8_t mac[32];
	char *token;
	struct jwt jwt;

	if (claims.n > JWT_MAX)
		return;
	token = block_new(TOKEN_ROOM);
	memcpy(token, header, at);
	base64url_encode((const uint8_t *)claims.p, claims.n, token + at);
	at += BASE64URL_ENCODED(claims.n);
	must(HMAC(EVP_sha256(), secret, sizeof(secret) - 1, (const uint8_t *)token, at, mac, &n) !=
	     NULL);
	token[at++] = '.';
	base64url_encode(mac, n, token + at);
	at += BASE64URL_ENCODED((size_t)n);
	if (jwt_check(span_make(token, at), &keys, NOW_MS, &jwt) == JWT_GOOD)
		check_good(&jwt);
	free(token);
}

static void
check_bearer(struct span value)
{
	struct http_head head = { .header_count = 1 };
	struct span token;

	head.headers[0] = (struct http_header){ SPAN("Authorization"), value };
	if (bearer_find(&head, &token) == BEARER_TOKEN)
		must(token.n > 0 && token.p >= value.p && token.p + token.n <= value.p + value.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char *copy = block_copy(bytes, n);
	struct span text = span_make(copy, n);

	check_base64url(text);
	check_token(text);
	check_claims(text);
	check_bearer(text);
	free(copy);
	return 0;
}
