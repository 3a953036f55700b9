/*
 * The one place that turns secrets into digests, so that what is configured and what a client
 * presents can be compared without either being kept.
 */
#include "conf/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/parse.h"

static const struct span prefix = SPAN_INIT("sha256:");

/* Variables whose values are lists of secrets; a password has no comma to be split at. */
static const struct {
	const char *name;
	bool is_list;
} variables[] = {
	{ "LURKBOT_GATEWAY__AUTH_TOKENS", true },
	{ "LURKBOT_GATEWAY__AUTH_PASSWORD", false },
};

bool
secret_is_valid(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	}
	return s.n > 0 && s.n <= SECRET_MAX;
}

int
secret_digest(struct span s, uint8_t ret[SECRET_DIGEST_BYTES])
{
	unsigned n = 0;

	if (EVP_Digest(s.n > 0 ? s.p : "", s.n, ret, &n, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	return n == SECRET_DIGEST_BYTES ? 0 : -ENOMEM;
}

static bool
read_hex(struct span s, uint8_t ret[SECRET_DIGEST_BYTES])
{
	if (s.n != (size_t)2 * SECRET_DIGEST_BYTES)
		return false;
	for (size_t i = 0; i < SECRET_DIGEST_BYTES; i++) {
		int high = hex_digit_value(s.p[2 * i]), low = hex_digit_value(s.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		ret[i] = (uint8_t)(high * 16 + low);
	}
	return true;
}

int
secret_read(struct span s, uint8_t ret[SECRET_DIGEST_BYTES])
{
	/* What `config show` prints in its place must never become a token that works. */
	if (!secret_is_valid(s) || span_is(s, "***"))
		return -EINVAL;
	if (!span_has_prefix(s, prefix))
		return secret_digest(s, ret);
	return read_hex(span_skip(s, prefix.n), ret) ? 0 : -EINVAL;
}

void
secret_write(struct buf *out, const uint8_t digest[SECRET_DIGEST_BYTES])
{
	char hex[2 * SECRET_DIGEST_BYTES];

	hex_write(hex, digest, SECRET_DIGEST_BYTES);
	buf_append_span(out, prefix);
	buf_append(out, hex, sizeof(hex));
}

bool
secret_is_equal(const uint8_t a[SECRET_DIGEST_BYTES], const uint8_t b[SECRET_DIGEST_BYTES])
{
	return CRYPTO_memcmp(a, b, SECRET_DIGEST_BYTES) == 0;
}

void
secret_wipe(const void *bytes, size_t n)
{
	if (n > 0)
		OPENSSL_cleanse((void *)(uintptr_t)bytes, n);
}

void
secret_wipe_buf(struct buf *b)
{
	secret_wipe(b->data, b->cap);
	buf_fini(b);
}

/* --- the environment -------------------------------------------------------------------------- */

static int
append_masked(struct buf *out, struct span secret)
{
	uint8_t digest[SECRET_DIGEST_BYTES];
	int r = secret_read(secret, digest);

	if (r == 0)
		secret_write(out, digest);
	return r;
}

static int
mask_list(struct buf *out, struct span text)
{
	bool is_more = text.n > 0;
	int r = 0;

	while (r == 0 && is_more) {
		const char *comma = memchr(text.p, ',', text.n);
		size_t n = comma != NULL ? (size_t)(comma - text.p) : text.n;

		r = append_masked(out, span_trim(span_make(text.p, n)));
		is_more = comma != NULL;
		if (is_more)
			buf_append_byte(out, ',');
		text = span_skip(text, n + is_more);
	}
	return r;
}

/* The old value is wiped where it stands: nobody gives its memory back before the end. */
static int
replace(const char *name, char *value, struct buf *masked)
{
	buf_append_byte(masked, '\0');
	if (buf_status(masked) < 0)
		return -ENOMEM;
	secret_wipe(value, strlen(value));
	return setenv(name, masked->data, 1) == 0 ? 0 : -ENOMEM;
}

static int
mask_variable(const char *name, bool is_list)
{
	char *value = getenv(name);
	struct buf masked = { 0 };
	int r;

	if (value == NULL || *value == '\0')
		return 0;
	r = is_list ? mask_list(&masked, span_trim(span_cstr(value)))
		    : append_masked(&masked, span_cstr(value));
	if (r == 0)
		r = replace(name, value, &masked);
	buf_fini(&masked);
	return r;
}

int
secret_mask_environment(void)
{
	char *token = getenv("LURKBOT_GATEWAY_TOKEN");
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(variables) && r == 0; i++)
		r = mask_variable(variables[i].name, variables[i].is_list);
	if (token != NULL) {
		secret_wipe(token, strlen(token));
		unsetenv("LURKBOT_GATEWAY_TOKEN");
	}
	return r;
}
