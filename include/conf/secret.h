/*
 * Secrets as the configuration keeps them: by their SHA-256, never as they were typed.
 *
 *	sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
 *
 * is how a digest is written wherever a secret may stand.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/span.h"

enum {
	SECRET_MAX = 4096, /* bytes of a token or password */
	SECRET_DIGEST_BYTES = 32,
};

/* Whether it could be a token or password: 1 to SECRET_MAX visible ASCII characters. */
bool secret_is_valid(struct span);

/* The digest of any bytes. 0 or -ENOMEM. */
int secret_digest(struct span, uint8_t ret[SECRET_DIGEST_BYTES]) must_check;

/* The digest that the text is, or else that of the text. 0; -EINVAL: no valid secret; -ENOMEM. */
int secret_read(struct span, uint8_t ret[SECRET_DIGEST_BYTES]) must_check;

/* Appends "sha256:" and 64 hexadecimal digits. */
void secret_write(struct buf *out, const uint8_t digest[SECRET_DIGEST_BYTES]);

/* Whether two digests are equal, in a time that does not depend on where they differ. */
bool secret_is_equal(const uint8_t a[SECRET_DIGEST_BYTES], const uint8_t b[SECRET_DIGEST_BYTES]);

/* Overwrites the bytes, which may be constant to everybody else, for good. */
void secret_wipe(const void *bytes, size_t n);

/* The same for all that the buffer has room for; then frees it. */
void secret_wipe_buf(struct buf *);

/*
 * Puts digests in the place of what stands in the environment of this process: tokens and password,
 * so that a later look at it (a reload) finds the same secrets without knowing them, and takes
 * LURKBOT_GATEWAY_TOKEN away. 0; -EINVAL: a value is no secret, and is left alone; -ENOMEM.
 */
int secret_mask_environment(void) must_check;
