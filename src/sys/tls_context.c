/*
 * Why this file exists: all that is decided about TLS once, and not for each connection. Only what has
 * forward secrecy and authenticated encryption is spoken; the cheapest of these first.
 */
#include "sys/tls_context.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "sys/tickets.h"
#include "sys/tls_bio.h"

struct tls_context {
	SSL_CTX *ssl;
	BIO_METHOD *bio_method;
	uint64_t expires_ms;
	unsigned references;
};

enum {
	SECURITY_LEVEL = 2, /* 112 bits: keys of RSA have at least 2048 */
	IV_BYTES = 16,
	SESSION_S = TICKETS_EPOCH_S, /* its ticket can be opened at least that long */
};

static const char ciphers_1_2[] = "ECDHE+AESGCM+AES128:ECDHE+AESGCM:ECDHE+CHACHA20";
static const char ciphers_1_3[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char groups[] = "X25519:P-256:P-384";
static const unsigned char alpn[] = "\x08http/1.1";
static const unsigned char session_context[] = "lurkbot";

/* --- life ----------------------------------------------------------------------------------------- */

void
tls_prepare(void)
{
	/* If it fails for want of memory, so does the next call of OpenSSL, which tells. */
	(void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
}

struct tls_context *
tls_context_ref(struct tls_context *context)
{
	context->references++;
	return context;
}

void
tls_context_unref(struct tls_context *context)
{
	if (context == NULL || --context->references > 0)
		return;
	SSL_CTX_free(context->ssl);
	BIO_meth_free(context->bio_method);
	mem_free(context);
}

static int
set_up(SSL_CTX *ssl, enum tls_version min_version)
{
	SSL_CTX_set_security_level(ssl, SECURITY_LEVEL);
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
				     SSL_OP_IGNORE_UNEXPECTED_EOF |
				     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	if (SSL_CTX_set_min_proto_version(
		ssl, min_version == TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(ssl, ciphers_1_2) != 1 ||
	    SSL_CTX_set_ciphersuites(ssl, ciphers_1_3) != 1 ||
	    SSL_CTX_set1_groups_list(ssl, groups) != 1)
		return -ENOMEM;
	return 0;
}

static int
context_new(const SSL_METHOD *method, enum tls_version min_version, struct tls_context **ret)
{
	struct tls_context *context = mem_zalloc(sizeof(*context));

	if (context == NULL)
		return -ENOMEM;
	context->references = 1;
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1) {
		context->ssl = SSL_CTX_new(method);
		context->bio_method = tls_bio_method_new();
	}
	if (context->ssl == NULL || context->bio_method == NULL ||
	    set_up(context->ssl, min_version) < 0) {
		tls_context_unref(context);
		ERR_clear_error();
		return -ENOMEM;
	}
	*ret = context;
	return 0;
}

/* --- certificate and key -------------------------------------------------------------------------- */

static int
blame(struct tls_fault *fault, bool is_key, const char *what)
{
	unsigned long error = ERR_peek_last_error();
	const char *reason = error != 0 ? ERR_reason_error_string(error) : NULL;

	fault->is_key = is_key;
	(void)snprintf(fault->text, sizeof(fault->text), "%s%s%s%s", what,
	    reason != NULL ? " (" : "", reason != NULL ? reason : "", reason != NULL ? ")" : "");
	ERR_clear_error();
	return -EINVAL;
}

/* Nobody is there to be asked for a passphrase. */
static int
on_passphrase(char *out, int cap, int is_writing, void *arg)
{
	(void)out;
	(void)cap;
	(void)is_writing;
	(void)arg;
	return -1;
}

static int
use_chain(SSL_CTX *ssl, BIO *pem)
{
	X509 *next;
	int taken = 1;

	while (taken == 1 && (next = PEM_read_bio_X509(pem, NULL, on_passphrase, NULL)) != NULL) {
		taken = (int)SSL_CTX_add1_chain_cert(ssl, next);
		X509_free(next);
	}
	/* The end of the text is an error, too. */
	if (taken != 1 || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return -EINVAL;
	ERR_clear_error();
	return 0;
}

static uint64_t
end_of(const X509 *cert)
{
	struct tm utc;
	time_t at;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &utc) != 1)
		return 0;
	at = timegm(&utc);
	return at > 0 ? (uint64_t)at * 1000 : 0;
}

static int
use_cert(struct tls_context *context, struct span text, struct tls_fault *fault)
{
	BIO *pem = BIO_new_mem_buf(text.p, (int)text.n);
	X509 *cert;
	int r = 0;

	if (pem == NULL)
		return -ENOMEM;
	cert = PEM_read_bio_X509_AUX(pem, NULL, on_passphrase, NULL);
	if (cert == NULL)
		r = blame(fault, false, "must hold a certificate in PEM form");
	else if (SSL_CTX_use_certificate(context->ssl, cert) != 1)
		r = blame(fault, false, "holds a certificate that cannot be used");
	else if (use_chain(context->ssl, pem) < 0)
		r = blame(fault, false, "holds a certificate behind the first that cannot be used");
	else
		context->expires_ms = end_of(cert);
	X509_free(cert);
	BIO_free(pem);
	return r;
}

static int
use_key(struct tls_context *context, struct span text, struct tls_fault *fault)
{
	BIO *pem = BIO_new_mem_buf(text.p, (int)text.n);
	EVP_PKEY *key;
	int r = 0;

	if (pem == NULL)
		return -ENOMEM;
	key = PEM_read_bio_PrivateKey(pem, NULL, on_passphrase, NULL);
	if (key == NULL)
		r = blame(fault, true, "must hold a private key in PEM form, without a passphrase");
	else if (X509_check_private_key(SSL_CTX_get0_certificate(context->ssl), key) != 1)
		r = blame(fault, true, "does not belong to the certificate");
	else if (SSL_CTX_use_PrivateKey(context->ssl, key) != 1)
		r = blame(fault, true, "cannot be used");
	EVP_PKEY_free(key);
	BIO_free(pem);
	return r;
}

/* --- what clients may choose ---------------------------------------------------------------------- */

/* RFC 7301 section 3.2: who offers protocols of which there is none here is told so. */
static int
on_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_len, const unsigned char *offered,
    unsigned offered_len, void *arg)
{
	unsigned char *chosen = NULL;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, ret_len, alpn, sizeof(alpn) - 1, offered, offered_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*ret = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static int
seal_or_open(const struct ticket_key *key, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int is_sealing)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
		    OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->mac, sizeof(key->mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	if (EVP_MAC_CTX_set_params(mac, params) != 1 ||
	    EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, is_sealing) != 1)
		return -1;
	return 1;
}

/* 0: no such key, a new session; 1: it is; 2: it is, and the client is given a new ticket. */
static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int is_sealing)
{
	struct tickets *tickets = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const struct ticket_key *key;
	int r;

	if (tickets_advance(tickets, clock_mono_ms()) < 0)
		return -1;
	key = is_sealing ? &tickets->now : tickets_find(tickets, name);
	if (key == NULL)
		return 0;
	if (is_sealing) {
		memcpy(name, key->name, sizeof(key->name));
		if (RAND_bytes(iv, IV_BYTES) != 1)
			return -1;
	}
	r = seal_or_open(key, iv, cipher, mac, is_sealing);
	return r == 1 && key == &tickets->before ? 2 : r;
}

static int
serve_tickets(SSL_CTX *ssl, struct tickets *tickets)
{
	SSL_CTX_set_app_data(ssl, tickets);
	(void)SSL_CTX_set_timeout(ssl, SESSION_S);
	if (SSL_CTX_set_session_id_context(ssl, session_context, sizeof(session_context) - 1) != 1)
		return -ENOMEM;
	if (tickets == NULL) {
		SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
		return SSL_CTX_set_num_tickets(ssl, 0) == 1 ? 0 : -ENOMEM;
	}
	if (SSL_CTX_set_num_tickets(ssl, 1) != 1 ||
	    SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, on_ticket) != 1)
		return -ENOMEM;
	return 0;
}

int
tls_server_new(
    const struct tls_server_options *options, struct tls_context **ret, struct tls_fault *fault)
{
	struct tls_context *context;
	int r = context_new(TLS_server_method(), options->min_version, &context);

	if (r < 0)
		return r;
	SSL_CTX_set_alpn_select_cb(context->ssl, on_alpn, NULL);
	r = serve_tickets(context->ssl, options->tickets);
	if (r == 0)
		r = use_cert(context, options->cert, fault);
	if (r == 0)
		r = use_key(context, options->key, fault);
	if (r < 0) {
		tls_context_unref(context);
		return r;
	}
	*ret = context;
	return 0;
}

SSL_CTX *
tls_context_ssl(const struct tls_context *context)
{
	return context->ssl;
}

const BIO_METHOD *
tls_context_bio_method(const struct tls_context *context)
{
	return context->bio_method;
}

uint64_t
tls_expires_ms(const struct tls_context *context)
{
	return context->expires_ms;
}

/* --- the other side ------------------------------------------------------------------------------- */

int
tls_client_new(const char *ca_file, bool is_insecure, struct tls_context **ret)
{
	struct tls_context *context;
	int r = context_new(TLS_client_method(), TLS_1_2, &context);

	if (r < 0)
		return r;
	SSL_CTX_set_verify(context->ssl, is_insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	/* 0 is what this one returns when all went well. */
	if (SSL_CTX_set_alpn_protos(context->ssl, alpn, sizeof(alpn) - 1) != 0)
		r = -ENOMEM;
	else if (ca_file != NULL)
		r = SSL_CTX_load_verify_file(context->ssl, ca_file) == 1 ? 0 : -EINVAL;
	else if (!is_insecure)
		(void)SSL_CTX_set_default_verify_paths(context->ssl);
	ERR_clear_error();
	if (r < 0) {
		tls_context_unref(context);
		return r;
	}
	*ret = context;
	return 0;
}
