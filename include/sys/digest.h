/* Cryptographic digests. */
#pragma once

#include "base/macros.h"
#include "base/span.h"

enum { DIGEST_SHA256_HEX_SIZE = 65 };

/* SHA-256 of DATA as 64 lower-case hexadecimal digits and a NUL. Returns 0, or -ENOMEM. */
int digest_sha256_hex(struct span data, char ret_hex[DIGEST_SHA256_HEX_SIZE]) must_check;
