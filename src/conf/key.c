/*
 * A PEM file is reduced to the 32 bytes of its key here: so there is one kind of public key, which no
 * token can have taken for another.
 */
#include "conf/key.h"

#include <errno.h>
#include <sys/mman.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "conf/secret.h"

int
key_set(struct conf_key *key, struct span bytes)
{
	void *memory =
	    mmap(NULL, bytes.n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -ENOMEM;
	/* Old kernels know no such wish; that is no reason not to go on. */
	(void)madvise(memory, bytes.n, MADV_DONTDUMP);
	memcpy(memory, bytes.p, bytes.n);
	*key = (struct conf_key){ .bytes = memory, .n = bytes.n };
	return 0;
}

static EVP_PKEY *
read_pem(struct span pem)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	EVP_PKEY *key = bio != NULL ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	return key;
}

int
key_set_pem(struct conf_key *key, struct span pem)
{
	uint8_t raw[KEY_PUBLIC_BYTES];
	size_t n = sizeof(raw);
	EVP_PKEY *read = read_pem(pem);
	int r = -EINVAL;

	if (read != NULL && EVP_PKEY_is_a(read, "ED25519") &&
	    EVP_PKEY_get_raw_public_key(read, raw, &n) == 1 && n == sizeof(raw))
		r = key_set(key, span_make((const char *)raw, n));
	EVP_PKEY_free(read);
	return r;
}

void
key_fini(struct conf_key *key)
{
	if (key->n > 0) {
		secret_wipe(key->bytes, key->n);
		(void)munmap(key->bytes, key->n);
	}
	*key = (struct conf_key){ 0 };
}
