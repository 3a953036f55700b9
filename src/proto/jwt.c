/*
 * The order is: shape, header, key, signature, claims. Nothing of the claims is looked at before the
 * signature is known to be good.
 *
 *	base64url(header) . base64url(claims) . base64url(signature)
 *	└─────────── signed ──────────────┘
 */
#include "proto/jwt.h"

#include <errno.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/macros.h"
#include "proto/base64url.h"
#include "proto/json.h"

enum {
	HEADER_MAX = 1024, /* bytes, decoded */
	SIGNATURE_MAX = 64,
	HS256_BYTES = 32,
	ED25519_BYTES = 64,

};

#define SECONDS_MAX INT64_C(253402300799) /* the end of the year 9999 */

struct parts {
	struct span signed_, header, claims, signature;
};

static bool
split(struct span token, struct parts *ret)
{
	const char *first = token.n > 0 ? memchr(token.p, '.', token.n) : NULL;
	struct span rest;
	const char *second;

	if (first == NULL || token.n > JWT_MAX)
		return false;
	ret->header = span_make(token.p, (size_t)(first - token.p));
	rest = span_skip(token, ret->header.n + 1);
	second = rest.n > 0 ? memchr(rest.p, '.', rest.n) : NULL;
	if (second == NULL)
		return false;
	ret->claims = span_make(rest.p, (size_t)(second - rest.p));
	ret->signature = span_skip(rest, ret->claims.n + 1);
	ret->signed_ = span_make(token.p, ret->header.n + 1 + ret->claims.n);
	return ret->header.n > 0 && ret->claims.n > 0 && ret->signature.n > 0 &&
	       memchr(ret->signature.p, '.', ret->signature.n) == NULL;
}

bool
jwt_is_likely(struct span token)
{
	struct parts parts;

	return split(token, &parts);
}

/* Whether the value is exactly this string. */
static bool
is_string(const struct json_value *value, const char *wanted)
{
	char text[64];
	size_t n;

	return value->kind == JSON_STRING && value->text.n <= sizeof(text) &&
	       json_string_decode(value->text, text, sizeof(text), &n) == 0 &&
	       span_is(span_make(text, n), wanted);
}

/* --- header ----------------------------------------------------------------------------------- */

static enum jwt_verdict
read_header(struct span text, const struct jwt_keys *keys, enum jwt_algorithm *ret)
{
	enum { ALG, TYP, CRIT, FIELDS };
	static const struct json_field fields[FIELDS] = { { "alg", NULL }, { "typ", NULL },
		{ "crit", NULL } };
	struct json_value values[FIELDS];
	struct json_fault fault;
	uint8_t bytes[HEADER_MAX];
	size_t n;

	if (base64url_decode(text, bytes, sizeof(bytes), &n) != 0 ||
	    json_object_scan(span_make((const char *)bytes, n), fields, FIELDS, values,
		JSON_KEYS_MAX, &fault) != 0)
		return JWT_MALFORMED;
	if (values[CRIT].kind != JSON_ABSENT || values[ALG].kind != JSON_STRING)
		return JWT_MALFORMED;
	if (values[TYP].kind != JSON_ABSENT && !is_string(&values[TYP], "JWT") &&
	    !is_string(&values[TYP], "jwt"))
		return JWT_MALFORMED;
	if (is_string(&values[ALG], "HS256") && keys->secret.n > 0)
		*ret = JWT_HS256;
	else if (is_string(&values[ALG], "EdDSA") && keys->public_key.n == JWT_PUBLIC_KEY_BYTES)
		*ret = JWT_EDDSA;
	else
		return JWT_WRONG_KEY;
	return JWT_GOOD;
}

/* --- signature -------------------------------------------------------------------------------- */

static enum jwt_verdict
check_hs256(struct span key, struct span text, const uint8_t *signature, size_t n)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned mac_n = 0;

	if (n != HS256_BYTES)
		return JWT_BAD_SIGNATURE;
	if (HMAC(EVP_sha256(), key.p, (int)key.n, (const uint8_t *)text.p, text.n, mac, &mac_n) ==
		NULL ||
	    mac_n != HS256_BYTES)
		return JWT_NO_MEMORY;
	return CRYPTO_memcmp(mac, signature, HS256_BYTES) == 0 ? JWT_GOOD : JWT_BAD_SIGNATURE;
}

static enum jwt_verdict
check_eddsa(struct span raw, struct span text, const uint8_t *signature, size_t n)
{
	EVP_PKEY *key =
	    EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const uint8_t *)raw.p, raw.n);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	enum jwt_verdict verdict = JWT_NO_MEMORY;

	if (key != NULL && ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1)
		verdict = n == ED25519_BYTES && EVP_DigestVerify(ctx, signature, n,
						    (const uint8_t *)text.p, text.n) == 1
			      ? JWT_GOOD
			      : JWT_BAD_SIGNATURE;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return verdict;
}

static enum jwt_verdict
check_signature(
    const struct parts *parts, const struct jwt_keys *keys, enum jwt_algorithm algorithm)
{
	uint8_t signature[SIGNATURE_MAX];
	size_t n;

	switch (base64url_decode(parts->signature, signature, sizeof(signature), &n)) {
	case 0:
		break;
	case -ENOSPC:
		return JWT_BAD_SIGNATURE;
	default:
		return JWT_MALFORMED;
	}
	return algorithm == JWT_HS256 ? check_hs256(keys->secret, parts->signed_, signature, n)
				      : check_eddsa(keys->public_key, parts->signed_, signature, n);
}

/* --- claims ----------------------------------------------------------------------------------- */

enum { SUB, EXP, NBF, AUD, SCOPES, CLAIMS };

static bool
read_seconds(const struct json_value *value, uint64_t *ret_ms)
{
	int64_t seconds;

	if (value->kind != JSON_NUMBER ||
	    json_integer_read(value->text, 0, SECONDS_MAX, &seconds) != 0)
		return false;
	*ret_ms = (uint64_t)seconds * 1000;
	return true;
}

static bool
read_subject(const struct json_value *value, struct jwt *ret)
{
	size_t n;

	if (value->kind != JSON_STRING ||
	    json_string_decode(value->text, ret->subject, JWT_SUBJECT_MAX, &n) != 0 || n == 0)
		return false;
	ret->subject[n] = '\0';
	return strlen(ret->subject) == n;
}

/* Names that are no scopes of ours allow nothing, and are of no interest. */
static bool
read_scopes(const struct json_value *value, struct jwt *ret)
{
	struct json_value element;
	size_t cursor = 0, n;

	if (value->kind == JSON_ABSENT)
		return true;
	if (value->kind != JSON_ARRAY)
		return false;
	while (ret->scopes_count < JWT_SCOPES_MAX &&
	       json_array_next(value->text, &cursor, &element) > 0) {
		char *to = ret->scopes[ret->scopes_count];

		if (element.kind != JSON_STRING)
			return false;
		if (json_string_decode(element.text, to, sizeof(ret->scopes[0]) - 1, &n) != 0)
			continue;
		to[n] = '\0';
		if (strlen(to) == n)
			ret->scopes_count++;
	}
	return true;
}

static bool
is_same(const struct json_value *value, struct span wanted)
{
	uint8_t text[JWT_MAX];
	size_t n;

	return value->kind == JSON_STRING &&
	       json_string_decode(value->text, (char *)text, sizeof(text), &n) == 0 &&
	       span_is_equal(span_make((const char *)text, n), wanted);
}

/* RFC 7519 section 4.1.3: a token that names others and not us is not for us. */
static bool
is_for_us(const struct json_value *value, struct span audience)
{
	struct json_value element;
	size_t cursor = 0;

	if (value->kind == JSON_ABSENT)
		return audience.n == 0;
	if (audience.n == 0)
		return false;
	if (value->kind != JSON_ARRAY)
		return is_same(value, audience);
	while (json_array_next(value->text, &cursor, &element) > 0) {
		if (is_same(&element, audience))
			return true;
	}
	return false;
}

static enum jwt_verdict
judge_claims(
    const struct json_value *values, const struct jwt_keys *keys, uint64_t now_ms, struct jwt *ret)
{
	uint64_t not_before_ms = 0;

	if (!read_subject(&values[SUB], ret) || !read_seconds(&values[EXP], &ret->expires_ms) ||
	    !read_scopes(&values[SCOPES], ret))
		return JWT_BAD_CLAIMS;
	if (values[NBF].kind != JSON_ABSENT && !read_seconds(&values[NBF], &not_before_ms))
		return JWT_BAD_CLAIMS;
	if (now_ms >= ret->expires_ms)
		return JWT_EXPIRED;
	if (now_ms + JWT_NBF_LEEWAY_MS < not_before_ms)
		return JWT_TOO_EARLY;
	return is_for_us(&values[AUD], keys->audience) ? JWT_GOOD : JWT_WRONG_AUDIENCE;
}

static enum jwt_verdict
read_claims(struct span text, const struct jwt_keys *keys, uint64_t now_ms, struct jwt *ret)
{
	static const struct json_field fields[CLAIMS] = { { "sub", NULL }, { "exp", NULL },
		{ "nbf", NULL }, { "aud", NULL }, { "scopes", NULL } };
	uint8_t bytes[BASE64URL_DECODED_MAX(JWT_MAX)];
	struct json_value values[CLAIMS];
	struct json_fault fault;
	size_t n;

	if (base64url_decode(text, bytes, sizeof(bytes), &n) != 0 ||
	    json_object_scan(span_make((const char *)bytes, n), fields, CLAIMS, values,
		JSON_KEYS_MAX, &fault) != 0)
		return JWT_MALFORMED;
	return judge_claims(values, keys, now_ms, ret);
}

enum jwt_verdict
jwt_check(struct span token, const struct jwt_keys *keys, uint64_t now_ms, struct jwt *ret)
{
	struct jwt jwt = { 0 };
	struct parts parts;
	enum jwt_verdict verdict;

	if (!split(token, &parts))
		return JWT_MALFORMED;
	verdict = read_header(parts.header, keys, &jwt.algorithm);
	if (verdict == JWT_GOOD)
		verdict = check_signature(&parts, keys, jwt.algorithm);
	if (verdict == JWT_GOOD)
		verdict = read_claims(parts.claims, keys, now_ms, &jwt);
	if (verdict == JWT_GOOD)
		*ret = jwt;
	return verdict;
}

const char *
jwt_verdict_name(enum jwt_verdict verdict)
{
	static const char *const names[] = {
		[JWT_GOOD] = "good",
		[JWT_MALFORMED] = "malformed",
		[JWT_WRONG_KEY] = "wrong-key",
		[JWT_BAD_SIGNATURE] = "bad-signature",
		[JWT_BAD_CLAIMS] = "bad-claims",
		[JWT_EXPIRED] = "expired",
		[JWT_TOO_EARLY] = "too-early",
		[JWT_WRONG_AUDIENCE] = "wrong-audience",
		[JWT_NO_MEMORY] = "no-memory",
	};

	return names[verdict];
}
