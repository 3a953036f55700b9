/*
 * base64url without padding (RFC 4648 section 5, RFC 7515 appendix C), read strictly: no padding, no
 * white space, no bit that means nothing may be set.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/span.h"

/* Bytes that n bytes of text stand for, at most; and characters that n bytes are written in. */
#define BASE64URL_DECODED_MAX(n) ((n) / 4 * 3 + 2)
#define BASE64URL_ENCODED(n)	 (((n)*4 + 2) / 3)

/* Decodes. 0 and the number of bytes; -EINVAL; -ENOSPC: it is more than cap. */
int base64url_decode(struct span text, uint8_t *out, size_t cap, size_t *ret_n) must_check;

/* Writes BASE64URL_ENCODED(n) characters, not terminated. */
void base64url_encode(const uint8_t *bytes, size_t n, char *out);
