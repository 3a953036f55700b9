/*
 * Certificates that a test makes for itself, and a TLS client that is OpenSSL's alone.
 */
#pragma once

#include "support_cmocka.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/buf.h"
#include "sys/stream.h"
#include "sys/tickets.h"
#include "sys/tls_context.h"

enum { SUPPORT_TLS_DAYS = 30 };

/* A certificate, signed by itself, and its key, as PEM. */
struct identity {
	struct buf cert, key;
};

static inline void
identity_take_pem(BIO *bio, struct buf *out)
{
	char *text;
	long n = BIO_get_mem_data(bio, &text);

	buf_append(out, text, (size_t)n);
	assert_int_equal(buf_status(out), 0);
	BIO_free(bio);
}

static inline void
identity_make(struct identity *id)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);
	BIO *bio;

	assert_non_null(key);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), SUPPORT_TLS_DAYS * 24L * 3600);
	X509_NAME_add_entry_by_txt(
	    name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0);
	X509_set_issuer_name(cert, name);
	X509_set_pubkey(cert, key);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	*id = (struct identity){ 0 };
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, cert);
	identity_take_pem(bio, &id->cert);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	identity_take_pem(bio, &id->key);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static inline void
identity_fini(struct identity *id)
{
	buf_fini(&id->cert);
	buf_fini(&id->key);
}

static inline struct tls_context *
identity_serve(const struct identity *id, struct tickets *tickets)
{
	const struct tls_server_options options = {
		.cert = buf_span(&id->cert),
		.key = buf_span(&id->key),
		.tickets = tickets,
	};
	struct tls_context *context = NULL;
	struct tls_fault fault = { 0 };

	assert_int_equal(tls_server_new(&options, &context, &fault), 0);
	return context;
}

/* A server's stream and a client at the other end of a socket pair. */
struct couple {
	struct stream server;
	SSL *client;
	int client_fd;
	char text[STREAM_READ_MIN]; /* what the server read last */
};

static inline void
couple_open(struct couple *c, struct tls_context *context, SSL_CTX *client)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	stream_init(&c->server, fds[0]);
	c->server.tls = tls_accept(context, fds[0]);
	assert_non_null(c->server.tls);
	c->client_fd = fds[1];
	c->client = SSL_new(client);
	assert_non_null(c->client);
	SSL_set_fd(c->client, fds[1]);
	SSL_set_connect_state(c->client);
}

/* Both go on as far as they can; returns what the server's last read said. */
static inline ssize_t
couple_shake(struct couple *c)
{
	ssize_t n = -EAGAIN;

	for (unsigned turn = 0; turn < 8 && n == -EAGAIN; turn++) {
		(void)SSL_do_handshake(c->client);
		n = stream_read(&c->server, c->text, sizeof(c->text));
		while (n == -EAGAIN && stream_owes(&c->server)) {
			char scratch[1];

			assert_int_equal(stream_write(&c->server, NULL, 0), 0);
			(void)SSL_peek(c->client, scratch, 1);
		}
	}
	ERR_clear_error();
	return n;
}

static inline void
couple_close(struct couple *c)
{
	stream_close(&c->server);
	SSL_free(c->client);
	if (c->client_fd >= 0)
		close(c->client_fd);
}
