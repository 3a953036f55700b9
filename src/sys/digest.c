/* Why this file exists: OpenSSL's digests behind the house's spans and error codes. */
#include "sys/digest.h"

#include <errno.h>
#include <stdio.h>

#include <openssl/evp.h>

enum { SHA256_BYTES = 32 };

int
digest_sha256_hex(struct span data, char ret_hex[DIGEST_SHA256_HEX_SIZE])
{
	unsigned char digest[SHA256_BYTES];
	unsigned length = 0;

	if (EVP_Digest(data.n > 0 ? data.p : "", data.n, digest, &length, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	for (unsigned i = 0; i < SHA256_BYTES; i++)
		(void)snprintf(ret_hex + (size_t)2 * i, 3, "%02x", digest[i]);
	return 0;
}
