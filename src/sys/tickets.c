/*
 * The secret of an epoch is a pseudorandom key as RFC 5869 means it, so that one block of HKDF-Expand
 * under a label of its own gives each value.
 */
#include "sys/tickets.h"

#include <errno.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/random.h"
#include "base/span.h"

enum { LABEL_MAX = 16, EPOCH_MS = TICKETS_EPOCH_S * 1000 };

/* HKDF-Expand of at most one block (RFC 5869 section 2.3). False without memory. */
static bool
expand(const uint8_t *secret, struct span label, uint8_t *out, size_t n)
{
	unsigned char info[LABEL_MAX + 1], block[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	bool done;

	memcpy(info, label.p, label.n);
	info[label.n] = 1;
	done = HMAC(EVP_sha256(), secret, TICKETS_SECRET_BYTES, info, label.n + 1, block, &len) !=
		   NULL &&
	       n <= len;
	if (done)
		memcpy(out, block, n);
	OPENSSL_cleanse(block, sizeof(block));
	return done;
}

static bool
derive(const uint8_t *secret, struct ticket_key *key)
{
	return expand(secret, SPAN("ticket name"), key->name, sizeof(key->name)) &&
	       expand(secret, SPAN("ticket cipher"), key->cipher, sizeof(key->cipher)) &&
	       expand(secret, SPAN("ticket mac"), key->mac, sizeof(key->mac));
}

int
tickets_init(struct tickets *t, uint64_t now_ms)
{
	int r;

	memset(t, 0, sizeof(*t));
	t->begin_ms = now_ms;
	r = random_bytes(t->secret, sizeof(t->secret));
	if (r == 0)
		r = random_bytes(&t->before, sizeof(t->before));
	if (r == 0 && !derive(t->secret, &t->now))
		r = -ENOMEM;
	return r;
}

/* One epoch further, or nothing at all. */
static bool
step(struct tickets *t)
{
	struct tickets next = { .begin_ms = t->begin_ms, .epoch = t->epoch + 1, .before = t->now };
	bool done = expand(t->secret, SPAN("next"), next.secret, sizeof(next.secret)) &&
		    derive(next.secret, &next.now);

	if (done)
		*t = next;
	tickets_wipe(&next);
	return done;
}

int
tickets_advance(struct tickets *t, uint64_t now_ms)
{
	uint64_t epoch = now_ms > t->begin_ms ? (now_ms - t->begin_ms) / EPOCH_MS : 0;

	while (t->epoch < epoch)
		if (!step(t))
			return -ENOMEM;
	return 0;
}

const struct ticket_key *
tickets_find(const struct tickets *t, const uint8_t name[TICKETS_NAME_BYTES])
{
	if (memcmp(name, t->now.name, TICKETS_NAME_BYTES) == 0)
		return &t->now;
	if (memcmp(name, t->before.name, TICKETS_NAME_BYTES) == 0)
		return &t->before;
	return NULL;
}

void
tickets_wipe(struct tickets *t)
{
	OPENSSL_cleanse(t, sizeof(*t));
}
